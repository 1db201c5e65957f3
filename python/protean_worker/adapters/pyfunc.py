# SPDX-License-Identifier: Apache-2.0
"""An MLflow model folder through its `python_function` flavor, run by MLflow itself.

MLflow unpickles, and imports what the folder names, so the server takes this way only where the operator has allowed
it, inside the sandbox. The model must have a signature: MLflow writes one for `log_model(..., signature=...)`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from protean_worker.interface import Arrays, InvalidInput, Model
from protean_worker.signature import Column, Input, Output, type_of

_PARAMS = "mlflow.params"
"""The input by which the server hands the signature's params on; no client sees it."""

_TYPES = {
    "boolean": "BOOL",
    "integer": "INT32",
    "long": "INT64",
    "float": "FP32",
    "double": "FP64",
    "string": "BYTES",
    "binary": "BYTES",
    "datetime": "BYTES",
}
_STRUCTURES = ("Array", "Object", "Map", "AnyType")
"""Kinds of columns whose values come as the text of their JSON."""


def _type_name(column: Any) -> str:
    if type(column.type).__name__ in _STRUCTURES:
        return "BYTES"
    name = getattr(column.type, "name", str(column.type))
    if name not in _TYPES:
        raise TypeError(f"column '{column.name}': type {name}, expected one of {', '.join(_TYPES)}")
    return _TYPES[name]


def _tensor(spec: Any, position: int, prefix: str, make: type) -> Any:
    shape = [int(size) for size in spec.shape]
    return make(spec.name or (prefix if position == 0 else f"{prefix}_{position}"), type_of(spec.type), shape)


def _text(value: bytes) -> str:
    return value.decode()


def _structure(value: bytes) -> Any:
    """An empty text stands for a missing value."""
    return json.loads(value) if value else None


def _moment(value: bytes) -> Any:
    return np.datetime64(value.decode() or "NaT", "ns")


class Adapter(Model):
    """Tensor signatures become inputs as they are; column signatures become one input [-1] a column. Outputs follow
    the signature; without output schema there is one, `predictions`, FP64 of any shape."""

    platform = "mlflow_python_function"

    def __init__(self, path: Path, settings: Mapping[str, str]):
        self._path = path
        self._model: Any = None
        self._readers: dict[str, Any] = {}
        self._tensors = False

    def load(self, folder: Path) -> None:
        import mlflow.pyfunc

        self._model = mlflow.pyfunc.load_model(str(self._path))
        signature = self._model.metadata.signature
        if signature is None or signature.inputs is None:
            raise ValueError("the model has no signature: log it with signature=infer_signature(...)")
        self._tensors = signature.inputs.is_tensor_spec()
        if self._tensors:
            self.inputs = [_tensor(spec, i, "input", Input) for i, spec in enumerate(signature.inputs.inputs)]
        else:
            self._read_columns(signature.inputs.inputs)
        if getattr(signature, "params", None):
            self.inputs = [*self.inputs, Input(_PARAMS, "BYTES", [1], True)]
        self.outputs = self._read_outputs(signature.outputs)

    def _read_columns(self, specs: list[Any]) -> None:
        self.columns = [
            Column(str(spec.name if spec.name is not None else i), _type_name(spec), nullable=not spec.required)
            for i, spec in enumerate(specs)
        ]
        optional = {column.name: not spec.required for column, spec in zip(self.columns, specs)}
        self.inputs = [Input(column.name, column.type, [-1], optional[column.name]) for column in self.columns]
        for column, spec in zip(self.columns, specs):
            if type(spec.type).__name__ in _STRUCTURES:
                self._readers[column.name] = _structure
            elif getattr(spec.type, "name", "") in ("string", "datetime"):
                self._readers[column.name] = _moment if spec.type.name == "datetime" else _text

    @staticmethod
    def _read_outputs(schema: Any) -> list[Output]:
        if schema is None or not schema.inputs:
            return [Output("predictions", "FP64", None)]
        if schema.is_tensor_spec():
            return [_tensor(spec, i, "predictions", Output) for i, spec in enumerate(schema.inputs)]
        named = enumerate(schema.inputs)
        return [Output(str(spec.name if spec.name is not None else "predictions"), _type_name(spec), [-1])
                for _, spec in named]

    def predict(self, inputs: Arrays) -> Any:
        params = inputs.get(_PARAMS)
        inputs = {name: array for name, array in inputs.items() if name != _PARAMS}
        given = {} if params is None else {"params": self._read_params(params[0])}
        if self._tensors:
            return self._named(self._ask(self._only(inputs), given))
        import pandas

        frame = {name: self._column(name, array) for name, array in inputs.items()}
        return self._named(self._ask(pandas.DataFrame(frame), given))

    def _ask(self, data: Any, given: dict[str, Any]) -> Any:
        """What MLflow refuses is the request's fault: it holds the data against the signature first."""
        from mlflow.exceptions import MlflowException

        try:
            return self._model.predict(data, **given)
        except MlflowException as error:
            raise InvalidInput(str(error)) from error

    def _column(self, name: str, array: np.ndarray) -> np.ndarray:
        reader = self._readers.get(name)
        if reader is None:
            return array
        column = np.empty(array.size, dtype=object)
        for row, value in enumerate(array.reshape(-1).tolist()):
            try:
                column[row] = reader(value)
            except ValueError as error:
                raise InvalidInput(f"column '{name}': row {row}: {error}") from error
        return column.reshape(array.shape)

    @staticmethod
    def _read_params(text: bytes) -> dict[str, Any]:
        """All of the signature's params, those with defaults too, as the server has enforced them."""
        return json.loads(text)

    @staticmethod
    def _only(inputs: Arrays) -> Any:
        """MLflow takes an array where there is one tensor without a name."""
        return next(iter(inputs.values())) if len(inputs) == 1 else dict(inputs)

    def _named(self, result: Any) -> Any:
        names = {spec.name for spec in self.outputs}
        if hasattr(result, "columns") and hasattr(result, "to_numpy") and names <= set(map(str, result.columns)):
            return {str(name): result[name].to_numpy() for name in result.columns}
        if isinstance(result, Mapping):
            return result
        if isinstance(result, (list, tuple)) and len(self.outputs) > 1 and len(result) == len(self.outputs):
            return list(result)
        return {self.outputs[0].name: np.asarray(result.toarray() if hasattr(result, "toarray") else result)}
