# SPDX-License-Identifier: Apache-2.0
"""Every case of examples/reference, sent every way, answers what the framework that trained the model answered."""

import json

import pytest

from harness import paths, ways
from harness.tensors import array_of_tensor, assert_agree
from harness.ways import Call


def _cases() -> list:
    found = []
    for path in sorted(paths.REFERENCES.glob("*.json")):
        reference = json.loads(path.read_text())
        for number, case in enumerate(reference["cases"]):
            found.append(pytest.param(reference, case, id=f"{path.stem} case {number}"))
    return found


def _check(server, way: ways.Way, reference: dict, case: dict, version: str) -> None:
    inputs = [(tensor["name"], tensor["datatype"], array_of_tensor(tensor)) for tensor in case["inputs"]]
    found = way(server, Call(reference["model"], inputs, version))
    # Ways that name their outputs ask for all there are, also those that come on request only.
    assert set(found) >= {output["name"] for output in case["outputs"]}
    for output in case["outputs"]:
        assert_agree(found[output["name"]], array_of_tensor(output), case["tolerance"], output["name"])


@pytest.mark.parametrize("way", ways.CLEAR.values(), ids=ways.CLEAR.keys())
@pytest.mark.parametrize(("reference", "case"), _cases())
def test_reference_outputs_come_back_in_clear_text(examples, way, reference, case):
    _check(examples, way, reference, case, reference["version"])


@pytest.mark.parametrize("way", ways.TLS.values(), ids=ways.TLS.keys())
@pytest.mark.parametrize(("reference", "case"), _cases())
def test_reference_outputs_come_back_under_tls(examples_tls, way, reference, case):
    _check(examples_tls, way, reference, case, reference["version"])


@pytest.mark.parametrize(
    "way", ["curl, HTTP/1.1, flat JSON", "tritonclient.http, binary in and out", "tritonclient.grpc"]
)
@pytest.mark.parametrize("name", ["iris.v2", "wine", "wine_bands", "diabetes", "diabetes_risk", "digits"])
def test_the_newest_version_answers_when_none_is_named(examples, way, name):
    reference = json.loads((paths.REFERENCES / f"{name}.json").read_text())
    _check(examples, ways.CLEAR[way], reference, reference["cases"][0], "")
