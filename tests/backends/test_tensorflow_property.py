# SPDX-License-Identifier: Apache-2.0
"""Random SavedModels of every layer family, made here and now by Keras and TensorFlow, answer the same when they are
lowered to ONNX. TENSORFLOW_ROUNDS: how many of each (default 1), from the round TENSORFLOW_FIRST on (default 0).
"""

import os

import numpy as np
import pytest

from tensorflow_functions import OPS, TF1
from tensorflow_layers import CASES
from tensorflow_probe import Builder, Probe

FIRST = int(os.environ.get("TENSORFLOW_FIRST", "0"))
ROUNDS = range(FIRST, FIRST + int(os.environ.get("TENSORFLOW_ROUNDS", "1")))
TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def builder(tensorflow_python):
    running = Builder(tensorflow_python)
    yield running
    running.close()


@pytest.fixture(scope="module")
def probe():
    running = Probe()
    yield running
    running.close()


def disagreement(got: np.ndarray, want: np.ndarray) -> str:
    """Empty when they agree; else how they do not."""
    if got.shape != want.shape or got.dtype != want.dtype:
        return f"{got.dtype}{got.shape}, expected {want.dtype}{want.shape}"
    if want.dtype.kind not in "f":
        return "" if (got == want).all() else f"{got.tolist()}, expected {want.tolist()}"[:300]
    with np.errstate(invalid="ignore"):
        good = (got == want) | (np.isnan(got) & np.isnan(want))
        good |= np.abs(got - want) <= TOLERANCE * np.maximum(1, np.abs(want))
    if good.all():
        return ""
    at = tuple(np.argwhere(~good)[0])
    return f"{(~good).sum()} of {good.size} differ; {at}: {got[at]!r}, expected {want[at]!r}"


def compare(processes, folder, kind, name, seed):
    builder, probe = processes
    inputs, expected = builder.make(kind, name, seed, folder)
    signature = probe.load(folder / "model")
    assert [entry[0] for entry in signature["inputs"]] == sorted(inputs)
    assert [entry[0] for entry in signature["outputs"]] == sorted(expected)
    answers = probe.run(inputs)
    for key, want in expected.items():
        problem = disagreement(answers[key], want)
        assert not problem, f"{name}, round {seed}: {key}: {problem}"


@pytest.mark.parametrize("seed", ROUNDS)
@pytest.mark.parametrize("name", CASES)
def test_layers_answer_as_in_keras(builder, probe, tmp_path, name, seed):
    compare((builder, probe), tmp_path, "layer", name, seed)


@pytest.mark.parametrize("seed", ROUNDS)
@pytest.mark.parametrize("name", OPS)
def test_operations_answer_as_in_tensorflow(builder, probe, tmp_path, name, seed):
    compare((builder, probe), tmp_path, "op", name, seed)


@pytest.mark.parametrize("seed", ROUNDS)
@pytest.mark.parametrize("name", TF1)
def test_graphs_of_the_first_tensorflow_answer_as_there(builder, probe, tmp_path, name, seed):
    compare((builder, probe), tmp_path, "tf1", name, seed)
