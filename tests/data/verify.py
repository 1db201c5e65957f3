# SPDX-License-Identifier: Apache-2.0
"""Runs every model of models/ and external_ok*/ in ONNX Runtime and compares with values worked out by hand."""

import ctypes
import time

import numpy as np
import onnxruntime as ort

from build import DATA

F = np.float32

# {model: (inputs, expected outputs in order)}
EXPECTED = {
    "scalar": ({"x": np.array(2.5, dtype=F)}, [np.array(3.5, dtype=F)]),
    "sum_two": (
        {"a": F([[1, 2, 3]]), "b": F([[10, 20, 30]])},
        [F([[11, 22, 33]]), F([[-9, -18, -27]])],
    ),
    "fixed_shape": ({"x": F([[1, 2, 3], [4, 5, 6]])}, [F([[2, 4, 6], [8, 10, 12]])]),
    "optional_input": ({"x": F([1, 2])}, [F([11, 12])]),
    "zip_map": (
        {"x": F([[0.25, 0.5, 0.125]])},
        [np.array([1]), [{"cat": 0.25, "dog": 0.5, "eel": 0.125}]],
    ),
    "map_int": ({"x": F([[0.25, 0.5, 0.125]])}, [np.array([1]), [{7: 0.25, 1: 0.5, 4: 0.125}]]),
    "sequence_out": ({"x": F([1, 2])}, [[F([1, 2]), F([-1, -2])]]),
    "sequence_in": ({"x": [F([1, 2]), F([3])]}, [F([1, 2, 3])]),
    "slow": ({"x": F([[1, 2, 3, 6]])}, [F([[4, 5, 6, 9]])]),
    "reduce_image": (
        {"image": np.broadcast_to(F([1, 2, 3]).reshape(1, 3, 1, 1), (2, 3, 224, 224)).copy()},
        [F([[1, 2, 3], [1, 2, 3]])],
    ),
    "data_dependent_shape": ({"x": F([0, 5, 0, 7])}, [np.array([[1], [3]])]),
    "fails_at_run": ({"index": np.array([2, 0])}, [F([30, 10])]),
    "identity_any_rank": ({"x": F([[[1], [2]]])}, [F([[[1], [2]]])]),
    "identity_fp32_2d": ({"x": F([[1, 2]])}, [F([[1, 2]])]),
    "identity_bytes_2d": ({"x": np.array([["a", ""]], dtype=object)}, [np.array([["a", ""]], dtype=object)]),
    "identity_large": ({"x": np.arange(150_528, dtype=F)}, [np.arange(150_528, dtype=F)]),
}
NUMPY = {"bool": np.bool_, "fp16": np.float16, "fp32": F, "fp64": np.float64, "bytes": object}


def open_model(path):
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def same(got, want):
    if isinstance(want, list):
        return len(got) == len(want) and all(same(g, w) for g, w in zip(got, want))
    if isinstance(want, dict):
        return got == want
    return got.dtype == want.dtype and got.shape == want.shape and bool(np.all(got == want))


def check_identity(path):
    """Extremes of the type, and a tensor of no elements."""
    session = open_model(path)
    kind = path.stem.removeprefix("identity_")
    if kind == "bf16":
        # numpy has no such type: the two-byte patterns go in and come out as a typed OrtValue.
        raw = np.array([0x3F80, 0xC020, 0x7F80], dtype=np.uint16)  # 1, -2.5, infinity
        bound = session.io_binding()
        put = ort.OrtValue.ortvalue_from_numpy_with_onnx_type(raw, 16)
        bound.bind_ortvalue_input("x", put)
        bound.bind_output("y")
        session.run_with_iobinding(bound)
        (out,) = bound.get_outputs()
        assert out.element_type() == 16 and out.shape() == [3], path
        assert ctypes.string_at(out.data_ptr(), 6) == raw.tobytes(), path
        return
    dtype = np.dtype(NUMPY.get(kind, kind))
    if dtype.kind in "iu":
        values = np.array([np.iinfo(dtype).min, 0, np.iinfo(dtype).max], dtype=dtype)
    elif dtype.kind == "f":
        values = np.array([np.finfo(dtype).min, -0.0, np.inf], dtype=dtype)
    else:
        values = np.array(["", "é"] if dtype == object else [True, False], dtype=dtype)
    for rows in (values, values[:0]):
        assert same(session.run(None, {"x": rows})[0], rows), path


def main():
    for path in sorted((DATA / "models").glob("*.onnx")):
        if path.stem in EXPECTED:
            session = open_model(path)
            inputs, outputs = EXPECTED[path.stem]
            started = time.perf_counter()
            got = session.run(None, inputs)
            elapsed_ms = (time.perf_counter() - started) * 1e3
            assert same(got, outputs), f"{path.name}: {got}"
            print(f"{path.name}: as expected, {elapsed_ms:.1f} ms")
        else:
            check_identity(path)
            print(f"{path.name}: as expected")
    for name, want in (("external_ok", [[10, 20, 30]]), ("external_ok_deep", [[110, 220, 330]])):
        got = open_model(DATA / name / "model.onnx").run(None, {"x": F([[10, 10, 10]])})
        assert same(got, [F(want)]), got
        print(f"{name}: as expected")


if __name__ == "__main__":
    main()
