"""One heap of timers per cluster: what is due runs, in order, on the event loop.

Everything that happens behind the API (scheduling, pulls, exits, leases) is a
callback here, so ten thousand idle pods cost nothing, and a test can drive a
cluster with a clock of its own through `run_due`.
"""

import asyncio
import contextlib
import heapq
import itertools
import logging
from collections.abc import Callable

from provisioning.sandbox.times import Clock

logger = logging.getLogger(__name__)

Callback = Callable[[], object]
# Work done between two looks at the network; bounded so that requests are answered under load.
BUDGET_SECONDS = 0.003


class Timer:
    """One callback and when it is due."""

    __slots__ = ("callback", "due", "is_cancelled")

    def __init__(self, due: float, callback: Callback) -> None:
        self.due = due
        self.callback = callback
        self.is_cancelled = False

    def cancel(self) -> None:
        """Let it pass."""
        self.is_cancelled = True


class Timers:
    """The timers of one cluster."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._wake: asyncio.Event | None = None

    def after(self, seconds: float, callback: Callback) -> Timer:
        """Call back after so many seconds."""
        timer = Timer(self._clock.monotonic() + max(0.0, seconds), callback)
        heapq.heappush(self._heap, (timer.due, next(self._order), timer))
        # Only a new earliest timer can change when the runner has to wake.
        if self._wake is not None and self._heap[0][2] is timer:
            self._wake.set()
        return timer

    def soon(self, callback: Callback) -> Timer:
        """Call back in the next round."""
        return self.after(0.0, callback)

    def every(self, seconds: float, callback: Callback) -> None:
        """Call back again and again."""

        def again() -> None:
            self.after(seconds, again)
            callback()

        self.after(seconds, again)

    def run_due(self, budget: float | None = None) -> int:
        """Run what is due now, for so many seconds at most; answers how many callbacks ran."""
        ran = 0
        began = self._clock.monotonic()
        while self._heap and self._heap[0][0] <= (now := self._clock.monotonic()):
            if budget is not None and now - began > budget:
                break
            timer = heapq.heappop(self._heap)[2]
            if not timer.is_cancelled:
                ran += 1
                self._run(timer)
        return ran

    def next_due(self) -> float | None:
        """When the next callback is due; None when nothing waits."""
        while self._heap and self._heap[0][2].is_cancelled:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    async def run(self) -> None:
        """Run timers for as long as the process lives."""
        self._wake = asyncio.Event()
        while True:
            self._wake.clear()
            if self.run_due(BUDGET_SECONDS):
                await asyncio.sleep(0)
                continue
            await self._sleep(self._wake)

    async def _sleep(self, wake: asyncio.Event) -> None:
        due = self.next_due()
        timeout = None if due is None else max(0.0, due - self._clock.monotonic())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(wake.wait(), timeout)

    @staticmethod
    def _run(timer: Timer) -> None:
        # One callback that fails must not stop the cluster's clock.
        try:
            timer.callback()
        except Exception:
            logger.exception("a simulated step failed")
