"""The event-loop thread."""

from __future__ import annotations

import asyncio
import queue
import threading

import pytest

from orchestration.providers.io_loop import IoLoop, IoLoopStopped


@pytest.fixture
def loop():
    loop = IoLoop("test-io").start()
    yield loop
    loop.stop(1.0)


async def doubled(number: int) -> int:
    await asyncio.sleep(0)
    return number * 2


async def failing() -> None:
    raise ValueError("no")


def collect(loop: IoLoop, items, count: int) -> dict:
    done: queue.Queue = queue.Queue()
    loop.spawn_many(items, lambda key, result: done.put((key, result)))
    return dict(done.get(timeout=10) for _ in range(count))


def test_a_coroutine_runs_on_the_loops_thread_and_gives_its_result(loop):
    async def where() -> str:
        return threading.current_thread().name

    assert loop.submit(where()).result(5) == "test-io"


def test_a_batch_reports_each_result_and_each_error(loop):
    results = collect(loop, [(1, doubled(1)), ("two", doubled(2)), ("bad", failing())], 3)
    assert (results[1], results["two"]) == (2, 4)
    assert isinstance(results["bad"], ValueError)


def test_a_batch_wakes_the_loop_once(loop, monkeypatch):
    calls = []
    inner = loop._loop.call_soon_threadsafe
    monkeypatch.setattr(loop._loop, "call_soon_threadsafe", lambda *a: (calls.append(a), inner(*a))[1])
    collect(loop, [(at, doubled(at)) for at in range(100)], 100)
    assert len(calls) == 1


def test_a_cancelled_key_reports_that_it_was_cancelled(loop):
    done: queue.Queue = queue.Queue()
    loop.spawn_many([("stuck", asyncio.Event().wait())], lambda key, result: done.put((key, result)))
    loop.cancel("stuck")
    key, result = done.get(timeout=5)
    assert key == "stuck"
    assert isinstance(result, asyncio.CancelledError)


def test_cancelling_what_has_ended_does_nothing(loop):
    collect(loop, [("a", doubled(1))], 1)
    loop.cancel("a")
    assert loop.submit(doubled(3)).result(5) == 6


def test_stopping_cancels_what_is_left_and_ends_the_thread():
    loop = IoLoop().start()
    done: queue.Queue = queue.Queue()
    loop.spawn_many([("stuck", asyncio.Event().wait())], lambda key, result: done.put(result))
    assert loop.stop(2.0)
    assert isinstance(done.get(timeout=5), asyncio.CancelledError)
    assert not loop.running


def test_a_stopped_loop_refuses_work_and_can_be_started_again():
    loop = IoLoop()
    with pytest.raises(IoLoopStopped):
        loop.spawn_many([("a", doubled(1))], lambda key, result: None)
    with pytest.raises(IoLoopStopped):
        loop.submit(doubled(1))
    loop.start().start()
    assert loop.submit(doubled(2)).result(5) == 4
    loop.stop(1.0)


def test_a_callback_is_called_on_the_loops_thread(loop):
    called: queue.Queue = queue.Queue()
    loop.post(lambda word: called.put((word, threading.current_thread().name)), "hi")
    assert called.get(timeout=5) == ("hi", "test-io")
