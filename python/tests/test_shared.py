# SPDX-License-Identifier: Apache-2.0
"""What models that share a process need: modules of their own, runs that are stopped on a thread, lines that name them."""

import asyncio
import contextvars
import sys
import threading
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from protean_worker import RunStopped, empty_output  # noqa: E402
from protean_worker.interface import set_place  # noqa: E402
from protean_worker.isolation import OwnModules, _import_own, current_modules  # noqa: E402
from protean_worker.logs import LineStream, current_channel, write_line  # noqa: E402
from protean_worker.shared import ThreadStopper  # noqa: E402


@pytest.fixture
def two_folders(tmp_path):
    for number in (1, 2):
        folder = tmp_path / str(number)
        (folder / "parcel").mkdir(parents=True)
        (folder / "helper.py").write_text(f"NUMBER = {number}\n")
        (folder / "parcel" / "__init__.py").write_text("def late():\n    from . import part\n    return part.NUMBER\n")
        (folder / "parcel" / "part.py").write_text(f"from helper import NUMBER\nassert NUMBER == {number}\n")
        (folder / "json").mkdir()
    return [OwnModules(tmp_path / "1"), OwnModules(tmp_path / "2")]


def as_model(own, work):
    """Runs it as the thread of a model does."""

    def inside():
        current_modules.set(own)
        return work()

    return contextvars.Context().run(inside)


def test_the_same_name_is_another_module_for_each_model(two_folders):
    modules, path = set(sys.modules), list(sys.path)

    def load():
        with current_modules.get().installed():
            import helper
            import parcel
        return helper.NUMBER, parcel

    loaded = [as_model(own, load) for own in two_folders]
    assert [number for number, _ in loaded] == [1, 2]
    assert (set(sys.modules) - modules, sys.path) == (set(), path), "nothing of it is left to others"
    for own, (number, _) in zip(two_folders, loaded):
        assert as_model(own, lambda: _import_own("helper").NUMBER) == number, "as it was loaded"
        late = {"__package__": "parcel", "__name__": "parcel", "__path__": []}
        assert as_model(own, lambda: _import_own("part", late, None, ("NUMBER",), 1).NUMBER) == number
    with pytest.raises(ModuleNotFoundError):
        _import_own("helper")
    import json

    assert as_model(two_folders[0], lambda: _import_own("json")) is json, "a folder without Python files hides nothing"


def run_until_stopped(work, asked=lambda: True, open_first=False):
    """What `work` raised on a thread whose stopper is looked at once it has begun."""
    begun, ends, stoppers = threading.Event(), [], []
    run = {"asked": open_first}

    def thread():
        stopper = ThreadStopper(lambda: run["asked"])
        stoppers.append(stopper)
        try:
            with stopper:
                work(stopper, begun)
            ends.append("went to its end")
        except RunStopped:
            ends.append("stopped")
        for _ in range(10_000):  # nothing may arrive here
            pass
        ends.append("after")

    one = threading.Thread(target=thread)
    one.start()
    if not open_first:
        begun.wait()
        run["asked"] = asked()
        stoppers[0].look()
        stoppers[0].look()
    one.join()
    return ends


def step(stopper, begun):
    begun.set()
    while True:
        pass


def test_a_run_is_stopped_on_its_own_thread():
    assert run_until_stopped(step) == ["stopped", "after"]
    assert run_until_stopped(step, open_first=True) == ["stopped", "after"], "before it began"


def test_what_it_awaits_is_left_too():
    def awaits(stopper, begun):
        loop = asyncio.new_event_loop()
        stopper.wake = lambda: loop.call_soon_threadsafe(lambda: None)
        loop.call_soon(begun.set)
        loop.run_until_complete(asyncio.sleep(3600))

    assert run_until_stopped(awaits) == ["stopped", "after"]


def test_a_run_that_is_not_meant_goes_on():
    looked = threading.Event()

    def waits(stopper, begun):
        begun.set()
        looked.wait()

    def no():
        looked.set()
        return False

    assert run_until_stopped(waits, no) == ["went to its end", "after"]


def test_a_wish_that_comes_too_late_reaches_nothing():
    for _ in range(200):
        asked, done = [False], threading.Event()
        stoppers, ends = [], []

        def thread():
            stopper = ThreadStopper(lambda: asked[0])
            stoppers.append(stopper)
            try:
                with stopper:
                    done.set()
            except RunStopped:
                pass
            for _ in range(1000):
                pass
            ends.append("after")

        one = threading.Thread(target=thread)
        one.start()
        done.wait()
        asked[0] = True
        stoppers[0].look()
        one.join()
        assert ends == ["after"]


def test_lines_name_the_channel(capfd):
    def inside(number):
        current_channel.set(number)
        stream.write(f"rest of {number}")
        write_line("E", "of its own")
        return contextvars.copy_context()

    stream = LineStream(2, "W")
    for context in [contextvars.Context().run(inside, number) for number in (3, 4)]:
        context.run(stream.flush)
    assert not stream.pending
    assert capfd.readouterr().err.split("\n")[:-1] == [
        "\x1eE3\x1f\x1eof its own",
        "\x1eE4\x1f\x1eof its own",
        "\x1eW3\x1f\x1erest of 3",
        "\x1eW4\x1f\x1erest of 4",
    ]


def test_each_has_its_own_place_for_answers():
    def inside(name):
        set_place(lambda output, shape: (name, output, shape), shared=True)
        return contextvars.copy_context()

    contexts = [contextvars.Context().run(inside, name) for name in "ab"]
    assert [context.run(empty_output, "y", [2]) for context in contexts] == [("a", "y", (2,)), ("b", "y", (2,))]
