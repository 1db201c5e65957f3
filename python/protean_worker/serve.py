# SPDX-License-Identifier: Apache-2.0
"""The worker's loop: load once, then answer one request after another until the server ends the process."""

from __future__ import annotations

import faulthandler
import gc
import os
import sys
import traceback
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import numpy as np

from protean_worker import channel as wire
from protean_worker.channel import Channel, ChannelClosed, Request
from protean_worker.interface import Explanation, InvalidInput, current_request_id, set_place
from protean_worker.isolation import OwnModules, current_modules, keep_apart
from protean_worker.loading import load_model
from protean_worker.logs import current_channel, flush, redirect, write_line
from protean_worker.runner import Runner
from protean_worker.signature import NUMBERS, TYPES, Signature, pack_signature, pack_text, pack_texts
from protean_worker.stopping import RunStopped, Stopper

_UINT8, _FP64 = NUMBERS["UINT8"], NUMBERS["FP64"]
_TRACEBACK_LINES_MAX = 40


def describe(error: BaseException) -> str:
    """`ValueError: bad value (model.py, line 12, in predict)`: the last line of the traceback and where it arose."""
    text = traceback.format_exception_only(type(error), error)[-1].strip()
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith("<protean_worker>")]
    if not own:
        return text
    return f"{text} ({os.path.basename(own[-1].filename)}, line {own[-1].lineno}, in {own[-1].name})"


def code_of(error: BaseException) -> int:
    return wire.INVALID_ARGUMENT if isinstance(error, InvalidInput) else wire.INTERNAL


def _report(channel: Channel, what: str, error: BaseException) -> None:
    code = code_of(error)
    if code == wire.INVALID_ARGUMENT:
        channel.fail(code, str(error) or "the model refused the request")
        return
    for line in "".join(traceback.format_exception(error)).splitlines()[-_TRACEBACK_LINES_MAX:]:
        write_line("E", line)
    channel.fail(code, f"{what} raised {describe(error)}")


def _blob(index: int, data: bytes) -> tuple[int, int, np.ndarray]:
    return index, _UINT8, np.frombuffer(data, np.uint8)


def placer(channel: Channel, signature: Signature) -> Callable[[str, tuple[int, ...]], np.ndarray]:
    """What empty_output() does for a model of that signature."""
    types = {spec.name: TYPES[NUMBERS[spec.type]][1] for spec in signature.outputs}

    def place(name: str, shape: tuple[int, ...]) -> np.ndarray:
        if types[name] == object:
            raise TypeError(f"output '{name}' is of BYTES: return an ordinary array")
        return channel.place(types[name], shape)

    return place


def _load(channel: Channel, request: Request) -> Runner | None:
    texts = request.tensors[0][1].tobytes().decode().split("\0")
    settings = dict(zip(texts[0::2], texts[1::2]))
    shared = current_channel.get() != 0
    try:
        if shared:
            current_modules.set(OwnModules(Path(settings["folder"])))
        own = current_modules.get()
        with own.installed() if own else nullcontext():
            model, signature = load_model(settings)
        runner = Runner(model, signature)
        set_place(placer(channel, signature), shared)
    except BaseException as error:  # noqa: BLE001 - whatever a model raises is its own failure
        _report(channel, "loading it", error)
        return None
    notes = [f"Python {sys.version.split()[0]}, NumPy {np.__version__}"]
    channel.answer([_blob(0, pack_signature(signature, runner.explains, runner.streams, notes))])
    return runner


def _explanation(explanation: Explanation) -> list[tuple[int, int, np.ndarray]]:
    arrays = (explanation.base, explanation.values, explanation.totals)
    names = pack_text(explanation.method) + pack_text(explanation.scale)
    names += pack_texts(list(explanation.features)) + pack_texts(list(explanation.outputs))
    answer = [(i, _FP64, np.asarray(array, np.float64)) for i, array in enumerate(arrays)]
    return [*answer, _blob(3, names)]


def _send_parts(channel: Channel, runner: Runner, stopper: Stopper, request: Request) -> None:
    parts = runner.parts(request.tensors, request.outputs)
    try:
        while True:
            with stopper:
                part = next(parts, None)
            if part is None:
                break
            if not channel.part(part):
                raise RunStopped
    finally:
        parts.close()
    channel.answer([])


def _serve(channel: Channel, runner: Runner, stopper: Stopper, request: Request) -> None:
    current_request_id.set(request.id)
    what = "explain" if request.op == wire.OP_EXPLAIN else "the model"
    try:
        if request.op == wire.OP_EXPLAIN and not runner.explains:
            channel.fail(wire.UNIMPLEMENTED, "this model has no explain()")
            return
        if request.op == wire.OP_RUN_PARTS:
            _send_parts(channel, runner, stopper, request)
            return
        with stopper:
            if request.op == wire.OP_RUN:
                answer = runner.run(request.tensors, request.outputs)
            else:
                answer = _explanation(runner.explain(request.tensors))
        channel.answer(answer)
    except ChannelClosed:
        raise
    except RunStopped:
        channel.fail(wire.CANCELLED, "the run was stopped: nobody waits for its answer any more")
    except BaseException as error:  # noqa: BLE001 - as above; SystemExit and KeyboardInterrupt end nothing here
        _report(channel, what, error)
    finally:
        flush()


def serve_channel(channel: Channel, stopper: Stopper) -> None:
    """Loads the model that the first request names, then answers the others. Returns when it cannot be loaded.
    Errors: ChannelClosed when the server has closed its end."""
    runner = _load(channel, channel.receive())
    if runner is None:
        return
    stopper.wake = runner.wake
    gc.collect()
    if current_channel.get() == 0:
        gc.freeze()  # where nothing is ever unloaded
    while True:
        _serve(channel, runner, stopper, channel.receive())


def main(descriptor: int) -> None:
    """`descriptor`: the channel's socket, or that on which channels arrive, as the program's argument says. Returns when
    the server has gone or the model cannot be loaded."""
    faulthandler.enable(2)
    redirect()
    if sys.argv[1:] == ["shared"]:
        from protean_worker.shared import serve_shared

        keep_apart()
        serve_shared(descriptor)
        return
    channel = Channel(descriptor)
    serve_channel(channel, Stopper(channel.asked_to_stop))
