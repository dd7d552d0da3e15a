"""Hold what the product says against what ran: values in, counted differences out.  Pure.

A run is the truth to the whole second, as the API prints it.  Three things may lie between
it and its interval without being a fault:

* a bounded end, if its reason is recorded and the seconds given up lie within an outage we
  planted, but for `tolerance`;
* the last seconds of a run that still runs: they are proved by the next list of leases, so
  at most `tolerance` of them may be missing;
* nothing else.  A second too many is a second too many.

The tolerance is one node lease interval (a node proves no later instant than that of its
last renewal) and one interval between two lists that witness (until then nobody reads it).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from benchmarks.chaos.ledger import Instance, Interval
from benchmarks.chaos.truth import Key, Run

SECOND = timedelta(seconds=1)


@dataclass(frozen=True, kw_only=True)
class Outage:
    """A time in which a cluster could not be followed, because we saw to it."""

    cluster: str
    since: datetime
    until: datetime


@dataclass(frozen=True, kw_only=True)
class Pod:
    """One pod of the farm as its cluster shows it at the end."""

    cluster: str
    uid: str
    instance: str
    is_over: bool


@dataclass(kw_only=True)
class Verdict:
    """How often the product and the truth differ, and how in words."""

    orphans: int = 0
    doubles: int = 0
    unexplained_seconds: int = 0
    quota_differences: int = 0
    device_overlaps: int = 0
    bounded_ends: int = 0
    given_up_seconds: int = 0
    findings: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        """Everything that should be zero, added up."""
        return (
            self.orphans
            + self.doubles
            + self.unexplained_seconds
            + self.quota_differences
            + self.device_overlaps
        )

    def find(self, what: str, count: int = 1) -> int:
        """Note a difference in words; returns its count."""
        self.findings.append(f"{what} ({count})" if count != 1 else what)
        return count


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Both sides, as they are at one instant."""

    at: datetime
    runs: Sequence[Run]
    pods: Sequence[Pod]
    intervals: Sequence[Interval]
    instances: Sequence[Instance]
    reserved: Mapping[str, int]
    outages: Sequence[Outage]
    tolerance: timedelta


def reach(evidence: Evidence) -> Verdict:
    """Count what does not agree."""
    verdict = Verdict()
    _find_orphans(evidence, verdict)
    _find_doubles(evidence, verdict)
    _account_for_seconds(evidence, verdict)
    _compare_quota(evidence, verdict)
    _find_shared_devices(evidence, verdict)
    return verdict


# --- pods ------------------------------------------------------------------------------------


def _find_orphans(evidence: Evidence, verdict: Verdict) -> None:
    """A pod that no instance wants, or wants no more."""
    wanted = {
        one.pod for one in evidence.instances if one.desired == "running" and one.state != "failed"
    }
    for pod in evidence.pods:
        if pod.uid not in wanted:
            verdict.orphans += verdict.find(f"orphan {pod.uid} of {pod.instance} on {pod.cluster}")


def _find_doubles(evidence: Evidence, verdict: Verdict) -> None:
    """An instance that ran twice at once, or has two pods that are not over."""
    for instance, runs in _grouped(evidence.runs, lambda run: [run.instance]).items():
        for before, after in _overlaps(runs, evidence.at):
            if before.pod != after.pod:
                verdict.doubles += verdict.find(
                    f"double {instance}: {before.pod} until {before.ended_at},"
                    f" {after.pod} from {after.started_at}"
                )
    alive: defaultdict[str, set[str]] = defaultdict(set)
    for pod in evidence.pods:
        if not pod.is_over:
            alive[pod.instance].add(pod.uid)
    for instance, uids in alive.items():
        if len(uids) > 1:
            verdict.doubles += verdict.find(f"double {instance}: {sorted(uids)}", len(uids) - 1)


# --- seconds ---------------------------------------------------------------------------------


def _account_for_seconds(evidence: Evidence, verdict: Verdict) -> None:
    intervals = {interval.key: interval for interval in evidence.intervals}
    for run in evidence.runs:
        interval = intervals.pop(run.key, None)
        seconds = _unexplained(run, interval, evidence, verdict)
        if seconds:
            verdict.unexplained_seconds += verdict.find(f"{run} against {interval}", seconds)
    for interval in intervals.values():
        seconds = max(1, _seconds(interval.started_at, interval.proved_until))
        verdict.unexplained_seconds += verdict.find(f"never ran: {interval}", seconds)


def _unexplained(run: Run, interval: Interval | None, of: Evidence, verdict: Verdict) -> int:
    started_at, ended_at = _whole(run.started_at), _whole(run.ended_at or of.at)
    if interval is None:
        return _seconds(started_at, ended_at)
    wrong = abs(_seconds(started_at, interval.started_at))
    wrong += max(0, _seconds(ended_at, interval.proved_until))
    missing = max(0, _seconds(interval.proved_until, ended_at))
    if run.ended_at is None:
        is_closed = interval.ended_at is not None
        return wrong + (missing if is_closed else _beyond(missing, of.tolerance))
    if interval.ended_at is None:
        return wrong + max(1, missing)
    if interval.quality == "exact" or not interval.reason or interval.gap_seconds is None:
        return wrong + missing
    verdict.bounded_ends += 1
    verdict.given_up_seconds += missing
    covered = _covered(of.outages, run.key, interval.proved_until, ended_at)
    return wrong + _beyond(missing - covered, of.tolerance)


def _covered(outages: Iterable[Outage], key: Key, since: datetime, until: datetime) -> int:
    """Count the seconds of a time in which the run's cluster could not be followed."""
    covered, reached = timedelta(0), since
    for outage in sorted(outages, key=lambda one: one.since):
        if outage.cluster == key[0]:
            begin, end = max(outage.since, reached), min(outage.until, until)
            if begin < end:
                covered, reached = covered + (end - begin), end
    return int(covered / SECOND)


def _beyond(seconds: int, tolerance: timedelta) -> int:
    return seconds if seconds > tolerance / SECOND else 0


# --- quota and devices -----------------------------------------------------------------------


def _compare_quota(evidence: Evidence, verdict: Verdict) -> None:
    running: defaultdict[str, int] = defaultdict(int)
    for run in evidence.runs:
        if run.ended_at is None:
            running[run.instance] += len(run.devices)
    for instance in sorted({*running, *evidence.reserved}):
        held, reserved = running[instance], evidence.reserved.get(instance, 0)
        if held != reserved:
            verdict.quota_differences += verdict.find(
                f"{instance} runs on {held} devices and has reserved {reserved}",
                abs(held - reserved),
            )


def _find_shared_devices(evidence: Evidence, verdict: Verdict) -> None:
    for device, runs in _grouped(evidence.runs, lambda run: run.devices).items():
        for before, after in _overlaps(runs, evidence.at):
            verdict.device_overlaps += verdict.find(
                f"{device} was held by {before.pod} and {after.pod} at {after.started_at}"
            )


K = TypeVar("K")


def _grouped(runs: Iterable[Run], keys: Callable[[Run], Iterable[K]]) -> dict[K, list[Run]]:
    groups: defaultdict[K, list[Run]] = defaultdict(list)
    for run in runs:
        for key in keys(run):
            groups[key].append(run)
    return groups


def _overlaps(runs: Iterable[Run], now: datetime) -> Iterator[tuple[Run, Run]]:
    """Yield each run that began before another had ended, with the one that ends last."""
    longest: Run | None = None
    for run in sorted(runs, key=lambda run: run.started_at):
        if longest is not None and run.started_at < (longest.ended_at or now):
            yield longest, run
        if longest is None or (run.ended_at or now) > (longest.ended_at or now):
            longest = run


def _whole(at: datetime) -> datetime:
    return at.replace(microsecond=0)


def _seconds(since: datetime, until: datetime) -> int:
    return round((until - since) / SECOND)
