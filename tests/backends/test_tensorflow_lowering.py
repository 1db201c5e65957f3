# SPDX-License-Identifier: Apache-2.0
"""What the lowering says of SavedModels that it cannot lower or that are broken, and the page of operations."""

import random
import subprocess

import pytest

from harness.paths import ROOT
from tensorflow_probe import Builder, Probe, Refused, program

PAGE = ROOT / "docs" / "backends" / "tensorflow_operations.md"
FLIPS = 100  # of each file


def test_the_page_lists_the_operations_that_lower():
    told = subprocess.run([str(program()), "operations"], check=True, capture_output=True, text=True).stdout
    assert PAGE.read_text() == told, f"run: {program()} operations > {PAGE}"


@pytest.fixture(scope="module")
def builder(tensorflow_python):
    running = Builder(tensorflow_python)
    yield running
    running.close()


@pytest.fixture
def probe():
    running = Probe()
    yield running
    running.close()


def test_every_operation_that_does_not_lower_is_named_with_its_node(builder, probe, tmp_path):
    builder.make("unlowered", "text_vectorisation", 0, tmp_path)
    with pytest.raises(Refused) as refused:
        probe.load(tmp_path / "model")
    said = str(refused.value)
    assert "UNIMPLEMENTED: operations that do not lower: " in said
    for operation in ("RaggedTensorToTensor", "StaticRegexReplace", "StringLower", "StringSplitV2"):
        assert f"{operation} (node " in said
    assert "text_vectorization" in said


def test_features_of_any_length_are_named_as_what_does_not_lower(builder, probe, tmp_path):
    builder.make("unlowered", "parse_example", 0, tmp_path)
    what = r"operations that do not lower: ParseExample(V2)? \(node ParseExample.*: feature 'x' has any number of values"
    with pytest.raises(Refused, match=what):
        probe.load(tmp_path / "model")


def test_a_model_that_counts_its_requests_is_refused(builder, probe, tmp_path):
    builder.make("unlowered", "counter", 0, tmp_path)
    with pytest.raises(Refused, match=r"AssignAddVariableOp \(node .*changes what outlives the request"):
        probe.load(tmp_path / "model")


@pytest.mark.parametrize("case", ["recurrent_over_masks", "convolution_with_batch_normalisation", "words_to_classes"])
def test_broken_files_are_refused_or_answer(builder, probe, tmp_path, case):
    """The probe is built with sanitizers: it must live on."""
    builder.make("layer", case, 1, tmp_path)
    model = tmp_path / "model"
    chance = random.Random(case)
    for name in ("saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"):
        path = model / name
        whole = path.read_bytes()
        for change in range(FLIPS):
            broken = bytearray(whole)
            if change % 4 == 0:
                del broken[chance.randrange(len(broken)) :]
            else:
                broken[chance.randrange(len(broken))] ^= 1 << chance.randrange(8)
            path.write_bytes(broken)
            probe.lowers(model)
        path.write_bytes(whole)
    assert probe.lowers(model)
