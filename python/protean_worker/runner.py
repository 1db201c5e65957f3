# SPDX-License-Identifier: Apache-2.0
"""One run of a model: preprocess, predict, postprocess, and the checks that its answer must pass."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Coroutine, Iterator, Mapping
from typing import Any

import numpy as np

from protean_worker.interface import Explanation, Model
from protean_worker.signature import BYTES, NUMBERS, TYPES, Output, Signature
from protean_worker.stopping import RunStopped

_PLAIN = (np.ndarray, dict, list, tuple)
"""What methods usually return: nothing to wait for, and cheaper to recognise than what is."""
_END = object()


class Runner:
    """Calls a loaded model. Not thread-safe."""

    def __init__(self, model: Model, signature: Signature):
        self._model = model
        self._loop: asyncio.AbstractEventLoop | None = None
        self._input_names = [spec.name for spec in signature.inputs]
        self._outputs = [(spec, NUMBERS[spec.type], TYPES[NUMBERS[spec.type]][1]) for spec in signature.outputs]
        self._names = [spec.name for spec in signature.outputs]
        self._max_batch = model.max_batch
        # A method that nobody has overridden is not called: it costs as much as moving a small tensor.
        self._prepares = type(model).preprocess is not Model.preprocess
        self._finishes = type(model).postprocess is not Model.postprocess
        self.explains = type(model).explain is not Model.explain
        predict = type(model).predict
        self.streams = inspect.isgeneratorfunction(predict) or inspect.isasyncgenfunction(predict)

    def wake(self) -> None:
        """From another thread: an `await` that goes on lets this thread look around."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(_nothing)

    def run(self, tensors: list[tuple[int, np.ndarray]], wanted: tuple[int, ...]) -> list[tuple[int, int, np.ndarray]]:
        """(index, number of the type, array) for each output wanted, in that order."""
        inputs = {self._input_names[index]: array for index, array in tensors}
        if self._max_batch is None:
            answer = self._predict(inputs)
        else:
            answer = join([self._predict(part) for part in split_rows(inputs, self._max_batch)])
        return [self._checked(index, answer) for index in wanted]

    def parts(
        self, tensors: list[tuple[int, np.ndarray]], wanted: tuple[int, ...]
    ) -> Iterator[list[tuple[int, int, np.ndarray]]]:
        """What run() answers, in the parts that predict's generator makes."""
        inputs = {self._input_names[index]: array for index, array in tensors}
        for rows in [inputs] if self._max_batch is None else split_rows(inputs, self._max_batch):
            for part in self._parts(self._started(rows)):
                yield [self._checked(index, part) for index in wanted]

    def explain(self, tensors: list[tuple[int, np.ndarray]]) -> Explanation:
        inputs = {self._input_names[index]: array for index, array in tensors}
        explanation = self._awaited(self._model.explain(inputs))
        if not isinstance(explanation, Explanation):
            raise TypeError(f"explain returned {type(explanation).__name__}, expected protean_worker.Explanation")
        return explanation

    def _predict(self, inputs: dict[str, np.ndarray]) -> dict[str, Any]:
        result = self._started(inputs)
        if isinstance(result, _PLAIN) or not (inspect.isgenerator(result) or inspect.isasyncgen(result)):
            return self._finished(result)
        return join(list(self._parts(result)))

    def _started(self, inputs: dict[str, np.ndarray]) -> Any:
        prepared = self._awaited(self._model.preprocess(inputs)) if self._prepares else inputs
        return self._awaited(self._model.predict(prepared))

    def _parts(self, result: Any) -> Iterator[dict[str, Any]]:
        """Of a generator, an asynchronous one, or a whole answer; closes what it leaves early."""
        if inspect.isasyncgen(result):
            result = self._stepped(result)
        elif not inspect.isgenerator(result):
            result = iter([result])
        none = True
        for part in result:
            none = False
            yield {name: np.atleast_1d(as_array(value)) for name, value in self._finished(part).items()}
        if none:
            yield {spec.name: np.empty(no_rows(spec), dtype) for spec, _, dtype in self._outputs}

    def _stepped(self, parts: AsyncGenerator[Any, None]) -> Iterator[Any]:
        async def step() -> Any:
            return await anext(parts, _END)

        try:
            while (part := self._waited(step())) is not _END:
                yield part
        finally:
            self._waited(parts.aclose())

    def _finished(self, result: Any) -> dict[str, Any]:
        return self._named(self._awaited(self._model.postprocess(result)) if self._finishes else result)

    def _awaited(self, value: Any) -> Any:
        if isinstance(value, _PLAIN) or not inspect.isawaitable(value):
            return value

        async def wait() -> Any:
            return await value

        return self._waited(wait())

    def _waited(self, work: Coroutine[Any, Any, Any]) -> Any:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        try:
            return self._loop.run_until_complete(work)
        except RunStopped:
            left = asyncio.all_tasks(self._loop)
            for task in left:
                task.cancel()
            if left:
                self._loop.run_until_complete(asyncio.wait(left))
            raise

    def _named(self, answer: Any) -> dict[str, Any]:
        names = self._names
        if isinstance(answer, dict):
            return answer
        if isinstance(answer, Mapping):
            return dict(answer)
        if len(names) == 1 and not (isinstance(answer, (tuple, list)) and len(answer) == 1):
            return {names[0]: answer}
        if isinstance(answer, (tuple, list)) and len(answer) == len(names):
            return dict(zip(names, answer))
        found = f"{len(answer)} values" if isinstance(answer, (tuple, list)) else type(answer).__name__
        raise TypeError(f"predict returned {found}, expected a dict with {names} or that many arrays")

    def _checked(self, index: int, answer: dict[str, Any]) -> tuple[int, int, np.ndarray]:
        spec, number, dtype = self._outputs[index]
        if spec.name not in answer:
            raise KeyError(f"predict returned {sorted(answer)}, expected an output '{spec.name}'")
        array = as_array(answer[spec.name])
        if number != BYTES and array.dtype != dtype:
            if not np.can_cast(array.dtype, dtype, "same_kind"):
                raise TypeError(f"output '{spec.name}': an array of {array.dtype}, expected {dtype} ({spec.type})")
            array = array.astype(dtype)
        check_shape(spec, array.shape)
        return index, number, array


def _nothing() -> None:
    pass


def as_array(value: Any) -> np.ndarray:
    """Texts stay what they are: NumPy's own kinds would cut zeros at their ends."""
    return np.asarray(value, dtype=object if isinstance(value, (bytes, str)) else None)


def no_rows(spec: Output) -> tuple[int, ...]:
    """The shape of an output of a generator that made nothing."""
    if spec.shape is None:
        return (0,)
    if not spec.shape or spec.shape[0] not in (-1, 0):
        raise ValueError(f"predict's generator made no part, and output '{spec.name}' {list(spec.shape)} has rows")
    return tuple(max(size, 0) for size in spec.shape)


def check_shape(spec: Output, shape: tuple[int, ...]) -> None:
    """Errors: ValueError when `shape` is not what the output declares."""
    if spec.shape is None:
        return
    fits = len(shape) == len(spec.shape) and all(want in (-1, got) for want, got in zip(spec.shape, shape))
    if not fits:
        raise ValueError(f"output '{spec.name}': shape {list(shape)}, expected {list(spec.shape)}")


def split_rows(inputs: dict[str, np.ndarray], rows: int) -> Iterator[dict[str, np.ndarray]]:
    """Parts of at most so many rows; inputs without a first dimension of that size are in every part."""
    total = max((array.shape[0] for array in inputs.values() if array.ndim), default=1)
    for begin in range(0, max(total, 1), rows):
        yield {
            name: array[begin : begin + rows] if array.ndim and array.shape[0] == total else array
            for name, array in inputs.items()
        }


def join(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Parts of an answer as one, row after row."""
    if len(parts) == 1:
        return parts[0]
    return {name: np.concatenate([np.atleast_1d(part[name]) for part in parts]) for name in parts[0]}
