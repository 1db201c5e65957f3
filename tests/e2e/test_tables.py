# SPDX-License-Identifier: Apache-2.0
"""An ONNX model with columns from its protean.toml, called with tables of every kind over REST and gRPC."""

import json
import shutil

import numpy as np
import pytest
import tritonclient.grpc as grpc_client
import tritonclient.http as http_client

from harness import paths

NAMES = ["length", "width", "petal_length", "petal_width"]
ROWS = np.array([[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]])
TOML = """
[[columns]]
name = "length"
type = "FP64"
nullable = false

[[columns]]
name = "width"

[[columns]]
name = "petal_length"

[[columns]]
name = "petal_width"
categories = ["none", "some", "wide"]
"""


@pytest.fixture
def server(start_server, tmp_path):
    folder = tmp_path / "models" / "flowers"
    folder.mkdir(parents=True)
    shutil.copy(paths.EXAMPLE_MODELS / "iris" / "2" / "model.onnx", folder / "model.onnx")
    (folder / "protean.toml").write_text(TOML)
    return start_server(folder.parent)


def labels(reply) -> list:
    assert reply.status == 200, reply.text
    return next(output["data"] for output in reply.json()["outputs"] if output["name"] == "probabilities")


def columns() -> list[dict]:
    tensors = [
        {"name": name, "shape": [2], "datatype": "FP64", "data": ROWS[:, i].tolist()} for i, name in enumerate(NAMES)
    ]
    tensors[3] = {"name": NAMES[3], "shape": [2, 1], "datatype": "BYTES", "data": ["none", "wide"]}
    return tensors


def matrix() -> dict:
    rows = ROWS.copy()
    rows[:, 3] = [0, 2]
    return {"inputs": [{"name": "measurements", "shape": [2, 4], "datatype": "FP32", "data": rows.ravel().tolist()}]}


def test_every_form_of_the_table_gives_the_same_answer(server):
    wanted = labels(server.curl.infer("flowers", matrix()))
    assert labels(server.curl.infer("flowers", {"inputs": columns()[::-1]})) == wanted
    records = [dict(zip(NAMES, [*row[:3], kind])) for row, kind in zip(ROWS.tolist(), ["none", "wide"])]
    assert labels(server.curl.infer("flowers", {"records": records})) == wanted


@pytest.mark.parametrize("client", [http_client, grpc_client], ids=["HTTP", "gRPC"])
def test_clients_send_one_tensor_a_column(server, client):
    inputs = []
    for column in columns():
        kind = np.object_ if column["datatype"] == "BYTES" else np.float64
        inputs.append(client.InferInput(column["name"], column["shape"], column["datatype"]))
        inputs[-1].set_data_from_numpy(np.array(column["data"], dtype=kind).reshape(column["shape"]))
    with client.InferenceServerClient(server.authority) as connection:
        found = connection.infer("flowers", inputs).as_numpy("probabilities")
    wanted = labels(server.curl.infer("flowers", matrix()))
    assert found.ravel().tolist() == pytest.approx(wanted)


def test_errors_name_the_column(server):
    def error(record: dict) -> str:
        good = dict(zip(NAMES, [5.1, 3.5, 1.4, "some"]))
        return server.curl.infer("flowers", {"records": [good, good | record]}).error()

    where = " (model flowers, version 1)"
    assert error({"length": None}) == "column 'length': row 1 is missing (null or NaN), expected FP64" + where
    assert error({"petal_width": "huge"}) == (
        "column 'petal_width': row 1 is \"huge\", expected one of 'none', 'some', 'wide'" + where
    )
    assert error({"widht": 1}).startswith("unknown column 'widht', did you mean 'width'?")


def test_metadata_card_and_page_show_the_columns(server):
    found = server.curl.get("/v2/models/flowers").json()["columns"]
    assert [column["name"] for column in found] == NAMES
    assert found[0] == {"name": "length", "datatype": "FP64", "nullable": False}
    assert found[3]["categories"] == ["none", "some", "wide"]
    assert '{"records":[{"length":0.5,"width":0.5,"petal_length":0.5,"petal_width":"none"}]}' in server.card()
    page = server.curl.get("/docs").text
    assert "<h4>Columns</h4>" in page and "one of none, some, wide" in page
    document = server.curl.get("/openapi.json").json()
    body = document["paths"]["/v2/models/flowers/infer"]["post"]["requestBody"]["content"]["application/json"]
    assert "records" in body["schema"]["properties"] and "records" in body["example"]


def test_a_model_without_columns_refuses_a_null_text(models):
    tensor = {"name": "x", "shape": [2], "datatype": "BYTES", "data": ["a", None]}
    assert models.curl.infer("identity_bytes", {"inputs": [tensor]}).error() == (
        "inputs[0] 'x': element 1 of data is null, expected a string for BYTES (model identity_bytes, version 1)"
    )


PLAIN = {"alcohol": 14.2, "flavanoids": 3.0, "proline": 1065, "colour": "ruby", "strength": "full"}


def _text(record: str) -> bytes:
    return b'{"records":[' + record.encode() + b"]}"


ODD = {
    "a number too large": (PLAIN | {"alcohol": 7e77}, "7e77", "1e400", "alcohol: found 1e400, expected a number within 64 bits"),
    "a text for a number": (PLAIN | {"alcohol": "NaN"}, "", "", "column 'alcohol': row 0 is \"NaN\", expected FP64"),
    "a number for a text": (PLAIN | {"colour": 5}, "", "", "column 'colour': datatype INT64, expected BYTES"),
    "a list": (PLAIN | {"alcohol": [1]}, "", "", "records[0].alcohol: found an array, expected a number, a text"),
    "an object": (PLAIN | {"colour": {}}, "", "", "records[0].colour: found an object, expected a number, a text"),
    "a key twice": (PLAIN | {"zzz": 1}, '"zzz"', '"alcohol"', "records[0].alcohol: appears twice"),
    "no key": ({}, "", "", "records: no record has a member"),
    "no column": ({"zzz": 1}, "", "", "column 'alcohol' is missing: expected FP64 or null"),
    "too many columns": ({f"c{i}": i for i in range(100_000)}, "", "", "records: more than 1024 columns"),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_records_are_refused_with_their_place(examples, name):
    record, found, instead, reason = ODD[name]
    text = json.dumps(record)
    body = _text(text.replace(found.replace("e77", "e+77"), instead) if found else text)
    reply = examples.curl.post("/v2/models/wine_table/infer", body, "-H", "Content-Type: application/json")
    assert reply.status == 400 and reason in reply.error(), reply.text


def test_columns_have_as_many_rows_as_each_other(examples):
    inputs = []
    for name, value in PLAIN.items():
        kind = "BYTES" if isinstance(value, str) else "FP64"
        data = [value, value] if name == "proline" else [value]
        inputs.append({"name": name, "shape": [len(data)], "datatype": kind, "data": data})
    reply = examples.curl.infer("wine_table", {"inputs": inputs})
    assert "input 'proline': 2 rows, expected 1 as the others have" in reply.error()


def test_the_same_errors_come_by_grpc(examples):
    def refused(columns: dict) -> str:
        inputs = []
        for name, value in columns.items():
            kind, dtype = ("BYTES", object) if isinstance(value, str) else ("FP64", np.float64)
            inputs.append(grpc_client.InferInput(name, [1], kind))
            inputs[-1].set_data_from_numpy(np.array([value], dtype=dtype))
        with grpc_client.InferenceServerClient(examples.authority) as client:
            with pytest.raises(grpc_client.InferenceServerException) as error:
                client.infer("wine_table", inputs)
        assert "INVALID_ARGUMENT" in str(error.value.status())
        return error.value.message()

    assert "column 'alcohol' is missing" in refused({k: v for k, v in PLAIN.items() if k != "alcohol"})
    assert "column 'colour': datatype FP64, expected BYTES" in refused(PLAIN | {"colour": 5.0})
    assert "column 'alcohol': row 0 is \"high\", expected FP64" in refused(PLAIN | {"alcohol": "high"})
