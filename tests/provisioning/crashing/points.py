"""Points of a pass or an observation at which a process may be killed.

Each belongs to one instance, and fires once, whichever process gets there first: a file
made exclusively says that it has been reached.
"""

import functools
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

from provisioning import (
    lifecycle,
    observing,
    reconciling,
    recording,
    sighting,
    stepping,
    usage,
    witnessed,
)
from provisioning.cluster import asking
from provisioning.steps import Move, Rest

# The points at which somebody dies over an instance, or over whichever comes there first.
Plan = dict[str, list[str]]
ANY = "any"

WORKER_STEPS = {
    "Place": (),
    "PrepareNamespace": ("apply Namespace", "apply ResourceQuota"),
    "CreatePod": ("create_pod",),
    "move to running": (),
    "move to stopping": (),
    "DeletePod": ("delete_pod",),
    "ReleasePod": ("get_pod", "remove_finalizer"),
    "BuryAttempt": (),
    "move to stopped": (),
}
WATCHER_STEPS = ("pending", "running", "over", "missing")


def worker_points() -> Iterator[str]:
    """Every point of a launch and a stop, in the order they are come to."""
    for step, calls in WORKER_STEPS.items():
        yield f"{step}: planned"
        for call in calls:
            yield f"{step}: before {call}"
            yield f"{step}: after {call}"
        yield f"{step}: before writing"
        yield f"{step}: written, not committed"
        yield f"{step}: committed"


def watcher_points() -> Iterator[str]:
    """Every point of the observations of one run."""
    for step in WATCHER_STEPS:
        yield f"saw it {step}"
        if step in ("running", "over"):
            yield f"saw it {step}: in the ledger, not committed"
            yield f"saw it {step}: evidence written, not committed"
        yield f"saw it {step}: instance told, not committed"
        yield f"saw it {step}: committed"


def all_points() -> list[str]:
    """Every point there is."""
    return [*worker_points(), *watcher_points()]


class Reaper:
    """Kills its own process where it was told to, once."""

    def __init__(self, plan: Plan, died: Path) -> None:
        self._plan, self._died = plan, died
        self._instance = self._step = ""

    def about(self, instance_id: object, step: str) -> None:
        self._instance, self._step = str(instance_id), step

    def reach(self, what: str = "") -> None:
        point = f"{self._step}: {what}" if what else self._step
        if point not in (*self._plan.get(self._instance, ()), *self._plan.get(ANY, ())):
            return
        try:
            with (self._died / point.replace(" ", "-")).open("x") as file:
                file.write(point)
        except FileExistsError:
            return
        os.kill(os.getpid(), signal.SIGKILL)


def mark_worker(reaper: Reaper) -> None:
    """Put the marks into this process's worker code."""
    plan, step = lifecycle.plan, stepping.step
    # One after another, so that each point is reached by the instance it was planned for.
    reconciling.TOGETHER = 1  # type: ignore[misc]

    def planned(*, of: Any, now: Any) -> Any:
        found = plan(of=of, now=now)
        reaper.about(_current["instance"], _name(found))
        reaper.reach("planned")
        return found

    _current: dict[str, object] = {}

    def stepped(of: Any) -> None:
        _current["instance"] = of.instance.pk
        step(of)
        # A move has been committed before, and the pass gone on to what came of it.
        reaper.reach("committed")

    def applied(cluster: Any, manifest: Any) -> Any:
        reaper.reach(f"before apply {manifest['kind']}")
        answer = apply(cluster, manifest)
        reaper.reach(f"after apply {manifest['kind']}")
        return answer

    apply = asking.apply
    _put(lifecycle, "plan", planned)
    _put(stepping, "step", stepped)
    _put(asking, "apply", applied)
    for call in ("create_pod", "get_pod", "delete_pod", "remove_finalizer"):
        _wrap(asking, call, reaper, f"before {call}", f"after {call}")
    _wrap(recording, "_write", reaper, "before writing", "written, not committed")
    _wrap(recording, "record_move", reaper, "", "committed")


def mark_watcher(reaper: Reaper) -> None:
    """Put the marks into this process's watcher code.

    Of several changes written together each is met one by one; committed are all of them.
    """
    see, lose, tell = sighting.see_pod, sighting.lose_pod, sighting.tell_instances
    write = witnessed.write
    written: list[tuple[object, str]] = []

    def seen(of: Any, observations: Any) -> bool:
        last = observations[-1]
        running = "running" if last.container_state == "running" else "pending"
        _begin(last.instance_id, f"saw it {'over' if last.is_over else running}")
        return see(of, observations)

    def lost(of: Any, pod: Any) -> None:
        _begin(pod.instance_id, "saw it missing")
        lose(of, pod)

    def _begin(instance_id: object, step: str) -> None:
        written.append((instance_id, step))
        reaper.about(instance_id, step)
        reaper.reach()

    def told(of: Any) -> None:
        tell(of)
        _reach("instance told, not committed")

    def wrote(rows: Any) -> None:
        write(rows)
        _reach("evidence written, not committed")

    def _reach(what: str) -> None:
        for instance_id, step in written:
            reaper.about(instance_id, step)
            reaper.reach(what)

    def _committing(name: str) -> None:
        original = getattr(observing, name)

        def marked(*args: Any, **words: Any) -> Any:
            written.clear()
            answer = original(*args, **words)
            _reach("committed")
            return answer

        _put(observing, name, marked)

    _committing("observe_together")
    _committing("miss_pod")
    _put(sighting, "see_pod", seen)
    _put(sighting, "lose_pod", lost)
    _put(sighting, "tell_instances", told)
    _wrap(usage, "settle_run", reaper, "", "in the ledger, not committed")
    _put(witnessed, "write", wrote)


def _name(step: Any) -> str:
    if isinstance(step, Move):
        return f"move to {step.to}"
    return "rest" if isinstance(step, Rest) else type(step.effect).__name__


def _wrap(module: Any, name: str, reaper: Reaper, before: str, after: str) -> None:
    original: Callable[..., Any] = getattr(module, name)

    @functools.wraps(original)
    def marked(*args: Any, **words: Any) -> Any:
        if before:
            reaper.reach(before)
        answer = original(*args, **words)
        reaper.reach(after)
        return answer

    _put(module, name, marked)


def _put(module: Any, name: str, function: Callable[..., Any]) -> None:
    # For the life of the process: it is forked for this and ends with it.
    patch.object(module, name, function).start()
