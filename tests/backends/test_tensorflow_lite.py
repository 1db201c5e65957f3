# SPDX-License-Identifier: Apache-2.0
"""TensorFlow Lite files by the C library, against the interpreter of TensorFlow's Python package (a later version)."""

import concurrent.futures
import random
import shutil

import numpy as np
import pytest
from harness import paths, ways
from harness.server import serving
from harness.tensorflow import tensorflow_python  # noqa: F401
from harness.ways import Call
from saved_models import build, datatype_of, read_answers

LIBRARY = paths.ROOT / ".deps" / "tensorflow_lite" / "lib" / "libtensorflowlite_c.so"
BINARY = ways.CLEAR["tritonclient.http, binary in and out"]


@pytest.fixture(scope="module")
def made(tmp_path_factory, tensorflow_python):  # noqa: F811
    if not LIBRARY.exists():
        pytest.skip(f"{LIBRARY} does not exist (tools/fetch_tensorflow_lite .deps/tensorflow_lite)")
    folder = tmp_path_factory.mktemp("lite")
    build(tensorflow_python, "tensorflow_lite_models.py", folder)
    (folder / "models" / "by_channel" / "protean.toml").write_text("[load]\nattempts_max = 1\n")
    return folder


@pytest.fixture(scope="module")
def answers(made):
    return read_answers(made / "answers.npz")


@pytest.fixture(scope="module")
def server(made, tmp_path_factory):
    with serving(tmp_path_factory.mktemp("server"), made / "models", "--tensorflow-lite-library", LIBRARY) as running:
        yield running


def ask(server, model: str, case) -> dict:
    return BINARY(server, Call(model, [(name, datatype_of(array), array) for name, array in case.inputs.items()]))


def assert_close(found: dict, wanted: dict) -> None:
    """Numbers of quantised models are equal or next to each other (rounding differs between versions)."""
    assert set(found) == set(wanted)
    for name, array in wanted.items():
        assert found[name].dtype == array.dtype and found[name].shape == array.shape
        tolerance = 1e-6 if array.dtype.kind == "f" else 1
        np.testing.assert_allclose(found[name].astype(float), array.astype(float), atol=tolerance)


def test_the_server_answers_what_the_interpreter_answers(server, answers):
    for (model, _, _), case in answers.items():
        assert_close(ask(server, model, case), case.outputs)


def test_a_model_that_an_older_library_gets_wrong_is_refused(server):
    (version,) = server.admin.get("/admin/v1/models/by_channel").json()["versions"]
    assert "dense layers are quantised channel by channel, of which TensorFlow Lite 2.9.0 knows nothing" in version["reason"]


def test_scale_and_zero_point_are_told(server):
    (image,) = server.curl.get("/v2/models/quantised").json()["inputs"]
    assert (image["datatype"], image["shape"]) == ("INT8", [-1, 8, 8, 3])
    assert image["parameters"]["zero_point"] == -128
    assert image["parameters"]["scale"] == pytest.approx(1 / 255, rel=0.01)


def test_signatures_that_cannot_be_reached_are_named(server):
    metadata = server.curl.get("/v2/models/several").json()
    (version,) = server.admin.get("/admin/v1/models/several").json()["versions"]
    reached = "alone" if metadata["inputs"][0]["name"] == "x" else "serving_default"
    left = {"alone": "serving_default", "serving_default": "alone"}[reached]
    assert f"signature '{left}' is left out" in " ".join(version["notes"])


def test_requests_of_many_shapes_at_one_time_do_not_mix(server, answers):
    cases = [case for (model, _, _), case in answers.items() if model == "network"] * 10
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for case, found in zip(cases, pool.map(lambda case: ask(server, "network", case), cases), strict=True):
            assert_close(found, case.outputs)


def test_an_empty_batch_is_refused(server):
    request = {"inputs": [{"name": "image", "shape": [0, 8, 8, 3], "datatype": "FP32", "data": []}]}
    reply = server.curl.infer("network", request)
    assert reply.status == 400 and "expected dimensions from 1" in reply.error()


def test_damaged_files_are_refused_and_the_server_lives(start_server, made, tmp_path):
    whole = (made / "models" / "network" / "1" / "model.tflite").read_bytes()
    shuffle = random.Random(4)
    shutil.copytree(made / "models" / "pairs", tmp_path / "models" / "pairs")
    for number in range(40):
        spoilt = bytearray(whole)
        if number % 2:
            del spoilt[shuffle.randrange(8, len(spoilt)) :]
        for _ in range(6):
            spoilt[shuffle.randrange(8, len(spoilt))] = shuffle.randrange(256)
        folder = tmp_path / "models" / f"spoilt{number}"
        (folder / "1").mkdir(parents=True)
        (folder / "1" / "model.tflite").write_bytes(spoilt)
        (folder / "protean.toml").write_text("[load]\nattempts_max = 1\n")
    server = start_server(tmp_path / "models", "--tensorflow-lite-library", LIBRARY)
    states = [row["state"] for (name, _), row in server.index().items() if name.startswith("spoilt")]
    assert len(states) == 40 and states.count("UNAVAILABLE") >= 20
    assert server.index()["pairs", "1"]["state"] == "READY"


def test_without_the_library_its_models_say_what_is_missing(start_server, made, tmp_path):
    shutil.copytree(made / "models" / "pairs", tmp_path / "models" / "pairs")
    (tmp_path / "models" / "pairs" / "protean.toml").write_text("[load]\nattempts_max = 1\n")
    server = start_server(tmp_path / "models", "--tensorflow-lite-library", "/nowhere.so")
    (version,) = server.admin.get("/admin/v1/models/pairs").json()["versions"]
    assert "TensorFlow Lite's library is missing" in version["reason"]
