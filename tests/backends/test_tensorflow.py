# SPDX-License-Identifier: Apache-2.0
"""SavedModels run by TensorFlow's own library, against what TensorFlow answers in Python: equal to the last bit."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from harness import paths, ways
from harness.server import serving
from harness.tensorflow import tensorflow_python  # noqa: F401
from harness.ways import Call
from saved_models import Probe, Refused, build, datatype_of, library_of, read_answers

BINARY = ways.CLEAR["tritonclient.http, binary in and out"]


@pytest.fixture(scope="module")
def made(tmp_path_factory, tensorflow_python):  # noqa: F811
    """The folder with `models` and TensorFlow's answers."""
    folder = tmp_path_factory.mktemp("saved_models")
    build(tensorflow_python, "tensorflow_models.py", folder)
    (folder / "models" / "counter" / "protean.toml").write_text("[cache]\nbytes_max = 1000000\n")
    (folder / "refused").mkdir()
    (folder / "models" / "reader").rename(folder / "refused" / "reader")
    return folder


@pytest.fixture(scope="module")
def answers(made):
    return read_answers(made / "answers.npz")


@pytest.fixture(scope="module")
def server(made, tmp_path_factory, tensorflow_python):  # noqa: F811
    with serving(tmp_path_factory.mktemp("server"), made / "models", "--python", tensorflow_python) as running:
        yield running


@pytest.fixture
def probe(tensorflow_python, made):  # noqa: F811
    probing = Probe(library_of(tensorflow_python))
    yield probing
    probing.close()


def notes_of(server, model: str) -> str:
    (version,) = server.admin.get(f"/admin/v1/models/{model}").json()["versions"]
    return "\n".join(version["notes"])


def assert_same(found: dict, wanted: dict) -> None:
    assert set(found) == set(wanted)
    for name, array in wanted.items():
        assert found[name].dtype == array.dtype and np.array_equal(found[name], array), name


def test_the_server_answers_what_tensorflow_answers(server, answers):
    for (model, function, _), case in answers.items():
        if function != "serving_default":
            continue
        inputs = [(name, datatype_of(array), array) for name, array in case.inputs.items()]
        assert_same(BINARY(server, Call(model, inputs)), case.outputs)


def test_every_function_answers_what_tensorflow_answers(probe, made, answers):
    for (model, function, _), case in answers.items():
        probe.load(made / "models" / model / "1", "tensorflow")
        assert_same(probe.run(function, case.inputs), case.outputs)


def test_functions_are_told_as_they_are_declared(probe, made):
    told = probe.load(made / "models" / "examples" / "1", "tensorflow")["functions"]
    assert list(told) == ["serving_default", "classify", "regress"]
    assert told["classify"]["method"] == "tensorflow/serving/classify"
    assert told["classify"]["inputs"] == [["inputs", "BYTES", [-1]]]
    assert told["regress"]["outputs"] == [["outputs", "FP32", [-1]]]
    assert all(function["declared_bytes"] > 0 for function in told.values())


def test_the_initialiser_is_declared_and_cannot_be_called(probe, made):
    told = probe.load(made / "models" / "words" / "1", "tensorflow")["functions"]
    assert told["__saved_model_init_op"]["inputs"] == told["__saved_model_init_op"]["outputs"] == []
    with pytest.raises(Refused, match="INVALID_ARGUMENT: '__saved_model_init_op' was run when"):
        probe.run("__saved_model_init_op", {})


def test_a_signature_of_a_type_that_nobody_carries_is_named(probe, made, server):
    told = probe.load(made / "models" / "mixed" / "1", "tensorflow")
    assert "signature 'imaginary' cannot be served: input 'z' has elements of type complex64" in told["notes"]
    with pytest.raises(Refused, match="complex64"):
        probe.run("imaginary", {})
    assert "complex64" in notes_of(server, "mixed")


def test_functions_share_the_variables_of_their_model(probe, made):
    probe.load(made / "models" / "counter" / "1", "tensorflow")
    for wanted in (2.5, 5.0):
        assert probe.run("serving_default", {"by": np.array(2.5, np.float32)}) == {"total": wanted}
    assert probe.run("read", {}) == {"total": 5.0}


def test_variables_keep_their_value_between_requests(server):
    call = Call("counter", [("by", "FP32", np.array(1.5, np.float32))])
    assert [float(BINARY(server, call)["total"]) for _ in range(3)] == [1.5, 3.0, 4.5]


def test_what_a_client_asks_first_is_the_first_that_a_counting_model_answers(server):
    """Nothing in its protean.toml says that runs count; rows would be independent, and the answer keeps its shape."""
    request = {"inputs": [{"name": "seen", "shape": [2], "datatype": "FP32", "data": [5, 5]}]}
    for total in (10, 20):
        assert server.curl.infer("gathering", request).json()["outputs"][0]["data"] == [total, total]
    notes = notes_of(server, "gathering")
    assert "a run may change what later runs answer: none is made up, repeated or shared" in notes
    assert "not warmed" in notes
    assert "no response cache: a run may change what later runs answer" in notes_of(server, "counter")
    assert "may change" not in notes_of(server, "network") + notes_of(server, "words") + notes_of(server, "loops")


def test_what_the_model_raises_comes_back_and_the_server_lives(server):
    request = {"inputs": [{"name": "x", "shape": [2], "datatype": "FP32", "data": [1, -1]}]}
    reply = server.curl.infer("raising", request)
    assert reply.status == 400 and "no roots of negative numbers here" in reply.error()
    request["inputs"][0]["data"] = [1, 4]
    assert server.curl.infer("raising", request).json()["outputs"][0]["data"] == [1, 2]


def test_shapes_that_would_end_the_process_are_refused(server):
    """TensorFlow multiplies dimensions in their order and aborts when that overflows; 0 elements need no bytes."""
    for shape in ([2**62, 2**62, 0], [0] + [1] * 300):
        tensors = [{"name": "flag", "shape": [0], "datatype": "BOOL", "data": []}]
        tensors.append({"name": "s", "shape": shape, "datatype": "BYTES", "data": []})
        assert server.curl.infer("others", {"inputs": tensors}).status == 400
    assert server.alive()


def test_the_engine_is_named_where_the_model_is_shown(server, tensorflow_python):  # noqa: F811
    version = library_of(tensorflow_python).parent.parent.glob("tensorflow_cpu-*.dist-info")
    number = next(version).name.removeprefix("tensorflow_cpu-").removesuffix(".dist-info")
    assert f"run by TensorFlow {number}" in notes_of(server, "numbers")
    assert f"tensorflow {number}" in server.card()
    assert server.curl.get("/v2/models/numbers").json()["platform"] == "tensorflow_savedmodel"


def failure(server, model: str) -> str:
    (version,) = server.admin.get(f"/admin/v1/models/{model}").json()["versions"]
    return version["error"] if "error" in version else str(version)


def spoil(made: Path, folder: Path) -> None:
    """Copies with one thing broken each."""
    for name, source in {
        "cut_graph": "network",
        "no_graph": "network",
        "cut_weights": "network",
        "no_weights": "network",
        "no_asset": "words",
    }.items():
        shutil.copytree(made / "models" / source, folder / name)
    graph = folder / "cut_graph" / "1" / "saved_model.pb"
    graph.write_bytes(graph.read_bytes()[: graph.stat().st_size // 2])
    (folder / "no_graph" / "1" / "saved_model.pb").write_bytes(b"\x08\x01\x12\x02\x0a\x00")
    weights = folder / "cut_weights" / "1" / "variables" / "variables.data-00000-of-00001"
    weights.write_bytes(weights.read_bytes()[:100])
    shutil.rmtree(folder / "no_weights" / "1" / "variables")
    (folder / "no_asset" / "1" / "assets" / "vocabulary.txt").unlink()
    shutil.copytree(made / "refused" / "reader", folder / "reader")
    shutil.copytree(made / "models" / "mixed", folder / "mixed")
    (folder / "wrong_tags" / "1").mkdir(parents=True)
    shutil.copytree(made / "models" / "mixed" / "1", folder / "wrong_tags" / "1", dirs_exist_ok=True)
    (folder / "wrong_tags" / "protean.toml").write_text("[tensorflow]\ntags = ['serve', 'gpu']\n")
    for broken in folder.iterdir():
        with open(broken / "protean.toml", "a") as settings:
            settings.write("[load]\nattempts_max = 1\n")


def test_broken_models_say_what_is_wrong_and_the_others_serve(start_server, made, tmp_path, tensorflow_python):  # noqa: F811
    spoil(made, tmp_path / "models")
    server = start_server(tmp_path / "models", "--python", tensorflow_python)
    wanted = {
        "cut_graph": "saved_model.pb' is no SavedModel or is damaged",
        "no_graph": "no meta graph with the tags {serve}",
        "cut_weights": "TensorFlow refuses the model",
        "no_weights": "Could not find variable",
        "no_asset": "vocabulary.txt",
        "reader": "operation ReadFile (node 'ReadFile' of function",
        "wrong_tags": "no meta graph with the tags {serve,gpu}; it has {serve}",
    }
    for model, text in wanted.items():
        assert text in failure(server, model), failure(server, model)
    reply = server.curl.infer("mixed", {"inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": [1]}]})
    assert reply.json()["outputs"][0]["data"] == [2]


def test_without_the_library_models_are_lowered_or_told_why_not(start_server, made, tmp_path):
    for name in ("network", "counter"):
        shutil.copytree(made / "models" / name, tmp_path / "models" / name)
    (tmp_path / "models" / "counter" / "protean.toml").write_text("[load]\nattempts_max = 1\n")
    (tmp_path / "forced" ).mkdir()
    server = start_server(tmp_path / "models", env={"PROTEAN_TENSORFLOW_LIBRARY": "/nowhere/libtensorflow.so.2"})
    assert "TensorFlow's library is missing" in server.card()
    assert "after lowering to ONNX: TensorFlow's library is missing" in notes_of(server, "network")
    assert "AssignAddVariableOp" in failure(server, "counter")
    assert "TensorFlow itself could run it: TensorFlow's library is missing" in failure(server, "counter")


def test_the_engine_can_be_forced(probe, made, answers, tensorflow_python, tmp_path):  # noqa: F811
    folder = made / "models" / "network" / "1"
    case = answers["network", "serving_default", 1]
    lowered = Probe(library_of(tensorflow_python), tmp_path / "cache")
    told = lowered.load(folder, "onnx")
    assert "after lowering to ONNX: protean.toml says so" in told["notes"][0]
    assert "signature 'serving_default' lowered to ONNX" in told["notes"]
    found = lowered.run("serving_default", case.inputs)
    np.testing.assert_allclose(found["output_0"], case.outputs["output_0"], atol=1e-5)
    assert len(list((tmp_path / "cache" / "savedmodels").glob("*.onnx"))) == 4  # "serve" and "serving_default", each for any shape as well
    assert "lowered earlier, from the cache" in " ".join(lowered.load(folder, "onnx")["notes"])
    for kept in (tmp_path / "cache" / "savedmodels").glob("*.onnx"):
        kept.write_bytes(kept.read_bytes()[:50])
    assert "signature 'serving_default' lowered to ONNX" in lowered.load(folder, "onnx")["notes"]
    np.testing.assert_allclose(lowered.run("serving_default", case.inputs)["output_0"], found["output_0"])
    lowered.close()
    missing = Probe("/nowhere/libtensorflow.so.2")
    with pytest.raises(Refused, match="FAILED_PRECONDITION: TensorFlow's library is missing"):
        missing.load(folder, "tensorflow")
    missing.close()


def test_the_program_shows_no_symbols_that_tensorflow_could_find():
    """Its protobuf and Snappy are other versions than ours, with the same names."""
    shown = subprocess.run(["nm", "-D", "--defined-only", "-C", paths.binary()], capture_output=True, text=True, check=True)
    assert not [line for line in shown.stdout.splitlines() if "google::protobuf" in line or "snappy" in line]


def test_unloading_gives_the_memory_back(start_server, made, tmp_path, tensorflow_python):  # noqa: F811
    program = paths.plain_binary()
    if program is None:
        pytest.skip("no build without sanitizers, whose memory says nothing about ours")
    shutil.copytree(made / "models" / "network", tmp_path / "models" / "network")
    shutil.copytree(made / "models" / "recurrent", tmp_path / "models" / "recurrent")
    server = start_server(tmp_path / "models", "--python", tensorflow_python, program=program)

    def cycle() -> int:
        for action, state in (("unload", "UNAVAILABLE"), ("load", "READY")):
            for model in ("network", "recurrent"):
                assert server.curl.post(f"/v2/repository/models/{model}/{action}", b"{}").status == 200
                server.wait_for_state(model, "1", state)
        return server.memory_bytes()

    for _ in range(5):
        cycle()
    before = server.memory_bytes()
    for _ in range(20):
        cycle()
    assert server.memory_bytes() - before < 30 << 20
