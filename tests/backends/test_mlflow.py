# SPDX-License-Identifier: Apache-2.0
"""Folders that MLflow itself writes here and now, served; answers are held against the libraries' own."""

import json
import shutil
import sys
import warnings

import numpy as np
import pandas as pd
import pytest

from harness import paths
from harness.server import serving

mlflow = pytest.importorskip("mlflow")
ROWS = 40


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    random = np.random.default_rng(7)
    frame = pd.DataFrame({"age": random.uniform(18, 90, ROWS), "visits": random.integers(0, 9, ROWS)})
    frame["risk"] = ((frame.age > 50) ^ (frame.visits > 4)).astype(np.int64)
    return frame


@pytest.fixture(scope="module")
def saved(table, tmp_path_factory):
    """(models folder, what each library answers for the table)"""
    import catboost
    import lightgbm
    import mlflow.catboost
    import mlflow.lightgbm
    import mlflow.xgboost
    import xgboost
    from mlflow.models import infer_signature

    folder = tmp_path_factory.mktemp("mlflow") / "models"
    features, target = table[["age", "visits"]], table["risk"]
    options = {"signature": infer_signature(features, target), "pip_requirements": ["numpy"]}
    example = {"input_example": features[:2]}
    wanted = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        booster = xgboost.train({"max_depth": 3, "objective": "reg:squarederror"},
                                xgboost.DMatrix(features, target), num_boost_round=5)
        mlflow.xgboost.save_model(booster, str(folder / "xgboost"), **options, **example)
        mlflow.xgboost.save_model(booster, str(folder / "versions" / "3"), **options)
        wanted["xgboost"] = wanted["versions"] = booster.predict(xgboost.DMatrix(features))
        wanted["contributions"] = booster.predict(xgboost.DMatrix(features), pred_contribs=True)

        light = lightgbm.train({"verbose": -1, "min_data_in_leaf": 2}, lightgbm.Dataset(features, target), 5)
        mlflow.lightgbm.save_model(light, str(folder / "lightgbm"), **options)
        wanted["lightgbm"] = light.predict(features)

        cat = catboost.CatBoostRegressor(iterations=5, depth=3, verbose=False, allow_writing_files=False)
        cat.fit(features, target)
        mlflow.catboost.save_model(cat, str(folder / "catboost"), format="json", **options)
        wanted["catboost"] = cat.predict(features)
    return folder, wanted


@pytest.fixture(scope="module")
def server(saved, tmp_path_factory):
    with serving(tmp_path_factory.mktemp("server"), saved[0]) as running:
        yield running


def records(table: pd.DataFrame) -> dict:
    return {"records": table[["age", "visits"]].to_dict("records")}


def output(reply, position: int = 0) -> np.ndarray:
    assert reply.status == 200, reply.text
    return np.array(reply.json()["outputs"][position]["data"])


@pytest.mark.parametrize("model", ["xgboost", "versions", "lightgbm", "catboost"])
def test_native_flavors_answer_what_the_library_answers(server, saved, table, model):
    found = output(server.curl.infer(model, records(table)))
    assert found == pytest.approx(saved[1][model], abs=1e-6)


def test_version_folders_have_their_numbers(server):
    assert ("versions", "3") in server.index()


def test_columns_are_the_signatures(server):
    found = server.curl.get("/v2/models/xgboost").json()["columns"]
    assert [(column["name"], column["datatype"]) for column in found] == [("age", "FP64"), ("visits", "INT64")]


def test_the_signature_is_enforced_as_mlflow_does(server, table):
    def error(record: dict) -> str:
        return server.curl.infer("xgboost", {"records": [record]}).error()

    def typed(kind: str, values: list) -> dict:
        columns = [{"name": "age", "shape": [1], "datatype": "FP32", "data": [50]}]
        return {"inputs": [*columns, {"name": "visits", "shape": [1], "datatype": kind, "data": values}]}

    assert error({"visits": 3}).startswith("column 'age' is missing: expected FP64")
    assert error({"age": 3, "visits": 2.5}).startswith("column 'visits': row 0 is 2.5, expected INT64")
    assert error({"age": "old", "visits": 2}).startswith('column \'age\': row 0 is "old", expected FP64')
    # Safe: int to long, float to double. Not safe: double to long, long to integer.
    assert server.curl.infer("xgboost", typed("INT32", [3])).status == 200
    refused = server.curl.infer("xgboost", typed("FP64", [3]))
    assert refused.error().startswith("column 'visits': datatype FP64 does not convert to INT64 without loss")
    # Columns in any order, and others than the signature's.
    more = {"records": [{"nobody": "asked", "visits": 3, "age": 50}]}
    same = {"records": [{"age": 50, "visits": 3}]}
    assert output(server.curl.infer("xgboost", more)) == output(server.curl.infer("xgboost", same))


def test_the_input_example_warms_the_model_and_is_the_line_to_paste(server, table):
    age = float(table.age[0])
    assert f'{{"records":[{{"age":{age!r},"visits":{table.visits[0]}}}]}}' in server.card()
    assert "input_example" not in server.log()


def test_trees_explain_themselves(server, saved, table):
    reply = server.curl.post_json("/v2/models/xgboost/explain", records(table))
    assert reply.status == 200, reply.text
    found = reply.json()
    assert found["method"] == "tree_shap" and found["additivity_error"] < 1e-5
    assert found["features"] == ["age", "visits"]
    values = np.array([row["contributions"] for row in found["outputs"][0]["rows"]])
    assert values == pytest.approx(saved[1]["contributions"][:, :2], abs=1e-5)
    assert found["outputs"][0]["base"] == pytest.approx(saved[1]["contributions"][0, 2], abs=1e-5)


def test_an_onnx_flavor_is_served_by_onnx_runtime(start_server, tmp_path, examples):
    folder = tmp_path / "models" / "iris"
    folder.mkdir(parents=True)
    shutil.copy(paths.EXAMPLE_MODELS / "iris" / "2" / "model.onnx", folder / "model.onnx")
    (folder / "MLmodel").write_text(
        "flavors:\n  onnx:\n    data: model.onnx\n  python_function:\n    loader_module: mlflow.onnx\n"
        'signature:\n  inputs: \'[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 4]}}]\'\n'
    )
    server = start_server(folder.parent)
    row = [5.1, 2.5, 3.0, 1.1]
    tensor = {"name": "measurements", "shape": [1, 4], "datatype": "FP64", "data": row}
    wanted = output(examples.curl.infer("iris", {"inputs": [tensor | {"datatype": "FP32"}]}, version="2"), 1)
    assert output(server.curl.infer("iris", {"inputs": [tensor]}), 1) == pytest.approx(wanted)


@pytest.fixture(scope="module")
def python_folder(table, tmp_path_factory):
    """A model that only Python can run."""
    import mlflow.pyfunc
    from mlflow.models import infer_signature

    class Doubler(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            return model_input["age"].to_numpy() * 2 + model_input["visits"].to_numpy()

    folder = tmp_path_factory.mktemp("pyfunc") / "models"
    signature = infer_signature(table[["age", "visits"]], table["age"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mlflow.pyfunc.save_model(
            str(folder / "doubler"), python_model=Doubler(), signature=signature, pip_requirements=["numpy"]
        )
    return folder


def test_a_python_function_runs_in_the_worker_where_that_is_allowed(start_server, python_folder, table):
    server = start_server(python_folder, "--python", sys.executable, "--python-unpickle")
    found = output(server.curl.infer("doubler", records(table)))
    assert found == pytest.approx(table.age * 2 + table.visits)
    assert "column 'age' is missing" in server.curl.infer("doubler", {"records": [{"visits": 1}]}).error()


@pytest.fixture(scope="module")
def structured(tmp_path_factory):
    """Columns of lists, objects, moments and texts, some of which may be missing."""
    import mlflow.pyfunc
    from mlflow.models import infer_signature

    class Reader(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            said = [
                f"{sum(row.marks)} {row.who} {row.day.isoformat()} {row.note}" for row in model_input.itertuples()
            ]
            return np.array(said, dtype=object)

    frame = pd.DataFrame(
        {
            "marks": [[1.0, 2.5], [3.0]],
            "who": [{"name": "Ann", "age": 3}, {"name": "Bob", "age": 4}],
            "day": pd.to_datetime(["2024-02-29T00:00:00", "2025-01-01T12:30:00"]),
            "note": ["x", "ü"],
        }
    )
    folder = tmp_path_factory.mktemp("structured") / "models"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mlflow.pyfunc.save_model(
            str(folder / "reader"), python_model=Reader(), signature=infer_signature(frame, np.array(["x"])),
            pip_requirements=["numpy"],
        )  # fmt: skip
        return folder, frame, mlflow.pyfunc.load_model(str(folder / "reader")).predict(frame)


def test_columns_of_lists_objects_and_moments_are_texts_that_mlflow_enforces(start_server, structured):
    folder, frame, wanted = structured
    server = start_server(folder, "--python", sys.executable, "--python-unpickle")
    rows = [
        {"marks": json.dumps(row.marks), "who": json.dumps(row.who, default=int), "day": row.day.isoformat(), "note": row.note}
        for row in frame.itertuples()
    ]
    assert output(server.curl.infer("reader", {"records": rows})).tolist() == wanted.tolist()

    def refused(**change) -> str:
        reply = server.curl.infer("reader", {"records": [rows[0] | change]})
        assert reply.status == 400, reply.text
        return reply.error()

    assert "column 'marks': row 0: " in refused(marks="[1")
    assert "marks" in refused(marks='["one"]')
    assert "who" in refused(who='{"name": "Ann"}')
    assert "column 'day': row 0: " in refused(day="someday")
    assert "column 'note'" in refused(note=5)


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_tensors_with_nan_go_through_as_mlflow_lets_them(start_server, tmp_path, share):
    import mlflow.xgboost
    import xgboost
    from mlflow.models import infer_signature

    random = np.random.default_rng(3)
    x = random.normal(size=(60, 4))
    x[random.random(x.shape) < share] = np.nan
    y = np.nansum(x, axis=1)
    booster = xgboost.train({"max_depth": 3}, xgboost.DMatrix(x, y), num_boost_round=4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mlflow.xgboost.save_model(booster, str(tmp_path / "models" / "matrix"), signature=infer_signature(x, y),
                                  pip_requirements=["numpy"])
        wanted = mlflow.pyfunc.load_model(str(tmp_path / "models" / "matrix")).predict(x)
    server = start_server(tmp_path / "models")
    (spec,) = server.curl.get("/v2/models/matrix").json()["inputs"]
    data = [None if np.isnan(value) else value for value in x.ravel().tolist()]
    tensor = {"name": spec["name"], "shape": list(x.shape), "datatype": "FP64", "data": data}
    assert output(server.curl.infer("matrix", {"inputs": [tensor]})) == pytest.approx(wanted, abs=1e-6)
    narrow = tensor | {"shape": [80, 3]}
    assert server.curl.infer("matrix", {"inputs": [narrow]}).status == 400


def test_a_python_function_is_refused_where_it_is_not_allowed(start_server, python_folder):
    row = start_server(python_folder, "--python", sys.executable).index()["doubler", "1"]
    assert row["state"] == "UNAVAILABLE"
    assert "python_function: " in row["reason"]


@pytest.fixture(scope="module")
def scikit_learn(table, tmp_path_factory):
    """(folder, answers): one that is read natively, one that only Python can run, both with the sklearn flavor."""
    import mlflow.sklearn
    from mlflow.models import infer_signature
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    folder = tmp_path_factory.mktemp("sklearn") / "models"
    features = table[["age", "visits"]]
    options = {"signature": infer_signature(features, table["risk"]), "pip_requirements": ["numpy"]}
    scaled = make_pipeline(StandardScaler(), LogisticRegression()).fit(features, table["risk"])
    process = GaussianProcessRegressor(alpha=0.1).fit(features, table["risk"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for version, form in enumerate(["pickle", "cloudpickle", "skops"], 1):
            mlflow.sklearn.save_model(
                scaled, str(folder / "scaled" / str(version)), serialization_format=form, input_example=features[:1],
                **options,
            )  # fmt: skip
        mlflow.sklearn.save_model(process, str(folder / "process"), serialization_format="cloudpickle",
                                  **(options | {"signature": infer_signature(features, process.predict(features))}))
    return folder, scaled.predict(features), process.predict(features)


def test_the_sklearn_flavor_is_read_natively_in_every_serialization(start_server, scikit_learn, table):
    folder, wanted, _ = scikit_learn
    server = start_server(folder)
    for version in "123":
        assert output(server.curl.infer("scaled", records(table), version=version)).tolist() == wanted.tolist()
        assert "flavor sklearn by scikit_learn" in server.admin.get("/admin/v1/models/scaled").text
    assert "GaussianProcessRegressor" in server.index()["process", "1"]["reason"]


def test_what_the_reader_declines_python_runs_where_that_is_allowed(start_server, scikit_learn, table):
    folder, _, wanted = scikit_learn
    server = start_server(folder, "--python", sys.executable, "--python-unpickle")
    assert output(server.curl.infer("process", records(table))) == pytest.approx(wanted, abs=1e-9)


PARAMS = {"scale": 2.0, "times": 3, "words": ["a", "b"], "on": True, "when": np.datetime64("2024-05-06T07:08:09")}


@pytest.fixture(scope="module")
def with_params(table, tmp_path_factory):
    """A Python model that answers with its params, and a native one with the same signature."""
    import mlflow.pyfunc
    import mlflow.xgboost
    import xgboost
    from mlflow.models import infer_signature

    class Teller(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            said = "|".join(f"{name}={params[name]!r}" for name in sorted(params))
            return np.array([said] * len(model_input), dtype=object)

    folder = tmp_path_factory.mktemp("params") / "models"
    features = table[["age", "visits"]]
    signature = infer_signature(features, np.array(["text"]), params=PARAMS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mlflow.pyfunc.save_model(
            str(folder / "teller"), python_model=Teller(), signature=signature, pip_requirements=["numpy"]
        )
        booster = xgboost.train({"max_depth": 2}, xgboost.DMatrix(features, table["risk"]), num_boost_round=2)
        mlflow.xgboost.save_model(booster, str(folder / "native"), signature=signature, pip_requirements=["numpy"])
    return folder, mlflow.pyfunc.load_model(str(folder / "teller"))


@pytest.fixture(scope="module")
def params_server(with_params, tmp_path_factory):
    flags = ("--python", sys.executable, "--python-unpickle")
    with serving(tmp_path_factory.mktemp("params_server"), with_params[0], *flags) as running:
        yield running


GIVEN = [
    {},
    {"scale": 5},
    {"scale": 5.5, "times": 7},
    {"times": 7.0},
    {"times": True},
    {"times": "7"},
    {"on": False},
    {"on": 1},
    {"on": "true"},
    {"scale": "2.0"},
    {"nobody": "asked", "times": 4},
    {"words": '["x", "ü"]'},
    {"words": "[]"},
    {"words": "[1]"},
    {"words": "x"},
    {"when": "2020-01-02"},
    {"when": "2020-01-02T03:04:05"},
    {"when": "yesterday"},
    {"when": 5},
    {"scale": True, "times": 1.5},
]


@pytest.mark.parametrize("given", GIVEN, ids=str)
def test_params_are_enforced_as_mlflow_does(params_server, with_params, table, given):
    from mlflow.exceptions import MlflowException

    def decoded(name, value):
        if name == "words" and isinstance(value, str):
            try:
                return json.loads(value)
            except ValueError:
                return value
        return value

    body = {"records": [{"age": 50.0, "visits": 2}], "parameters": given}
    found = params_server.curl.infer("teller", body)
    native = params_server.curl.infer("native", body)
    try:
        wanted = with_params[1].predict(table[["age", "visits"]][:1], params={k: decoded(k, v) for k, v in given.items()})
    except MlflowException:
        assert (found.status, native.status) == (400, 400), found.text
        wrong = [name for name in given if f"parameter '{name}': found" in found.error()]
        assert wrong and found.error().split(" (model")[0] == native.error().split(" (model")[0]
        return
    assert native.status == 200
    assert output(found).tolist() == wanted.tolist()


def test_params_come_by_grpc_too_and_never_from_another_request(params_server, table):
    import concurrent.futures

    import tritonclient.grpc

    def ask(times):
        inputs = []
        for name, kind, value in [("age", "FP64", 50.0), ("visits", "INT64", 2)]:
            inputs.append(tritonclient.grpc.InferInput(name, [1], kind))
            inputs[-1].set_data_from_numpy(np.array([value], dtype={"FP64": np.float64, "INT64": np.int64}[kind]))
        with tritonclient.grpc.InferenceServerClient(params_server.authority) as client:
            given = {} if times is None else {"times": times}
            result = client.infer("teller", inputs, parameters=given)
            return result.as_numpy(result.get_response().outputs[0].name)[0].decode()

    asked = [None, 5, 6, 7, None, 8] * 8
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        for times, said in zip(asked, pool.map(ask, asked)):
            assert f"times={3 if times is None else times}" in said


def test_hostile_folders_are_refused_with_a_reason_and_harm_nobody(start_server, tmp_path):
    folder = tmp_path / "models"
    texts = {
        "outside": "flavors:\n  onnx:\n    data: ../../etc/passwd\n",
        "objects": "flavors:\n  onnx: !!python/object/apply:os.system ['touch /tmp/never']\n",
        "deep": "flavors:\n  onnx: " + "[" * 10_000,
        "nobody": "flavors:\n  pytorch:\n    data: data\n",
    }
    for name, text in texts.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "MLmodel").write_text(text)
    rows = start_server(folder).index()
    for name, reason in {
        "outside": "not a path within the model's folder",
        "objects": "objects are not constructed",
        "deep": "nested deeper than 32",
        "nobody": "found the flavors pytorch",
    }.items():
        assert rows[name, "1"]["state"] == "UNAVAILABLE"
        assert reason in rows[name, "1"]["reason"]
