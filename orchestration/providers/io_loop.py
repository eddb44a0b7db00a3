"""The one event-loop thread of a process: every model, MCP and HTTP call lives on it.

One loop, because clients of model providers and MCP sessions belong to the loop they were first used on.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine, Hashable, Iterable
from concurrent.futures import Future
from typing import Any, TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")
Work = Coroutine[Any, Any, Any]
OnDone = Callable[[Hashable, Any], None]


class IoLoopStopped(RuntimeError):
    """The event loop of this process is not running; start it, or stop sending it work."""


class IoLoop:
    """A daemon thread with an event loop. All methods may be called from any thread."""

    def __init__(self, name: str = "baton-io") -> None:
        self._name = name
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._guard = threading.Lock()
        self._tasks: dict[Hashable, asyncio.Task[Any]] = {}  # touched on the loop's thread only

    @property
    def running(self) -> bool:
        return self._loop is not None

    def start(self) -> IoLoop:
        """Start the thread unless it runs, and wait until its loop accepts work."""
        with self._guard:
            if self._loop is None:
                ready: Future[asyncio.AbstractEventLoop] = Future()
                self._thread = threading.Thread(target=self._run, args=(ready,), name=self._name, daemon=True)
                self._thread.start()
                self._loop = ready.result()
        return self

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Run a coroutine on the loop and give its future. Raises IoLoopStopped."""
        try:
            return asyncio.run_coroutine_threadsafe(coroutine, self._running_loop())
        except RuntimeError:
            coroutine.close()
            raise

    def post(self, callback: Callable[..., object], *arguments: Any) -> None:
        """Call `callback` on the loop's thread soon. It must not block. Raises IoLoopStopped."""
        self._running_loop().call_soon_threadsafe(callback, *arguments)

    def spawn_many(self, items: Iterable[tuple[Hashable, Work]], on_done: OnDone) -> None:
        """Start a batch of coroutines with one wake-up of the loop.

        `on_done(key, result_or_exception)` is called on the loop's thread as each ends: it must be quick and
        thread-safe (append to a deque). A cancelled one reports CancelledError. Keys in flight are unique.
        Raises IoLoopStopped, with no coroutine started.
        """
        batch = list(items)
        try:
            self.post(self._start_batch, batch, on_done)
        except RuntimeError:
            for _, coroutine in batch:
                coroutine.close()
            raise

    def cancel(self, key: Hashable) -> None:
        """Cancel the spawned coroutine of this key, if it still runs; its `on_done` reports CancelledError."""
        self.post(self._cancel_task, key)

    def stop(self, grace_seconds: float = 5.0) -> bool:
        """Cancel what is left, wait for it up to `grace_seconds`, and end the thread. Tell whether it ended."""
        with self._guard:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is None or thread is None:
            return True
        asyncio.run_coroutine_threadsafe(self._wind_down(grace_seconds), loop).add_done_callback(
            lambda _: loop.call_soon_threadsafe(loop.stop)
        )
        thread.join(grace_seconds + 1.0)
        return not thread.is_alive()

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        loop = self._loop
        if loop is None or loop.is_closed():
            raise IoLoopStopped((IoLoopStopped.__doc__ or "").strip())
        return loop

    def _run(self, ready: Future[asyncio.AbstractEventLoop]) -> None:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        loop.call_soon(ready.set_result, loop)
        try:
            loop.run_forever()
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    def _start_batch(self, batch: list[tuple[Hashable, Work]], on_done: OnDone) -> None:
        loop = asyncio.get_running_loop()
        for key, coroutine in batch:
            if key in self._tasks:
                coroutine.close()
                log.error("a coroutine for %r is already running; the second was not started", key)
                continue
            task = self._tasks[key] = loop.create_task(coroutine)
            task.add_done_callback(lambda done, key=key: self._finish(key, done, on_done))  # type: ignore[misc]

    def _finish(self, key: Hashable, task: asyncio.Task[Any], on_done: OnDone) -> None:
        self._tasks.pop(key, None)
        if task.cancelled():
            on_done(key, asyncio.CancelledError())
            return
        error = task.exception()
        on_done(key, task.result() if error is None else error)

    def _cancel_task(self, key: Hashable) -> None:
        task = self._tasks.get(key)
        if task is not None:
            task.cancel()

    async def _wind_down(self, grace_seconds: float) -> None:
        rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in rest:
            task.cancel()
        if rest:
            await asyncio.wait(rest, timeout=grace_seconds)
