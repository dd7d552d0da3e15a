"""The judge of a chaos run can find against the product: each kind of difference is counted."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from benchmarks.chaos import verdicts
from benchmarks.chaos.ledger import Instance, Interval
from benchmarks.chaos.truth import Run
from benchmarks.chaos.verdicts import Evidence, Outage, Pod, Verdict

NOON = datetime(2026, 3, 15, 3, 0, tzinfo=UTC)
DEVICE = ("east", "n1", "furiosa.ai/rngd", "npu0")
TOLERANCE = timedelta(seconds=35)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


ENDED = Run(
    cluster="east",
    pod="pod-1",
    container="c-1",
    instance="first",
    node="n1",
    devices=(DEVICE,),
    started_at=at(0.7),
    ended_at=at(60.2),
)
RUNNING = replace(
    ENDED, pod="pod-2", container="c-2", instance="second", started_at=at(61), ended_at=None
)
FULL = Interval(
    key=ENDED.key,
    quantity=1,
    started_at=at(0),
    ended_at=at(60),
    quality="exact",
    reason="Completed",
    gap_seconds=None,
    proved_until=at(60),
)
OPEN = replace(
    FULL,
    key=RUNNING.key,
    started_at=at(61),
    ended_at=None,
    quality="",
    reason="",
    proved_until=at(280),
)
BOUNDED = replace(
    FULL, ended_at=at(20), proved_until=at(20), quality="bounded", reason="gone", gap_seconds=40
)
STOPPED = Instance(id="first", state="stopped", desired="stopped", reason="", pod="", is_due=False)
WANTED = replace(STOPPED, id="second", state="running", desired="running", pod="pod-2")
POD = Pod(cluster="east", uid="pod-2", instance="second", is_over=False)
RIGHT = Evidence(
    at=at(300),
    runs=[ENDED, RUNNING],
    pods=[POD],
    intervals=[FULL, OPEN],
    instances=[STOPPED, WANTED],
    reserved={"second": 1},
    outages=[],
    tolerance=TOLERANCE,
)


def reach(**changes: object) -> Verdict:
    return verdicts.reach(replace(RIGHT, **changes))  # type: ignore[arg-type]


def test_what_agrees_is_not_counted() -> None:
    assert reach().total == 0
    assert reach().findings == []


def test_a_pod_that_nobody_wants_is_an_orphan() -> None:
    stray = replace(POD, uid="pod-9", instance="ninth")
    assert reach(pods=[POD, stray]).orphans == 1
    assert reach(instances=[STOPPED, replace(WANTED, desired="stopped")]).orphans == 1
    assert reach(instances=[STOPPED, replace(WANTED, state="failed")]).orphans == 1


def test_two_runs_of_one_instance_at_once_are_a_double() -> None:
    elsewhere = (("west", "n1", "furiosa.ai/rngd", "npu0"),)
    twin = replace(ENDED, pod="pod-9", container="c-9", cluster="west", devices=elsewhere)
    told = replace(FULL, key=twin.key)
    assert reach(runs=[ENDED, twin, RUNNING], intervals=[FULL, told, OPEN]).doubles == 1


def test_two_live_pods_of_one_instance_are_a_double_before_either_runs() -> None:
    assert reach(pods=[POD, replace(POD, uid="pod-9")]).doubles == 1


def test_a_run_the_ledger_has_never_heard_of_is_unexplained() -> None:
    assert reach(intervals=[OPEN]).unexplained_seconds == 60


def test_an_interval_of_what_never_ran_is_unexplained() -> None:
    assert reach(runs=[RUNNING]).unexplained_seconds == 60


@pytest.mark.parametrize(
    ("wrong", "seconds"),
    [
        (replace(FULL, ended_at=at(59), proved_until=at(59)), 1),
        (replace(FULL, ended_at=at(61), proved_until=at(61)), 1),
        (replace(FULL, started_at=at(2)), 2),
        (replace(FULL, ended_at=None, quality=""), 1),
        (replace(FULL, ended_at=None, quality="", proved_until=at(30)), 30),
    ],
)
def test_each_second_too_many_or_too_few_is_counted(wrong: Interval, seconds: int) -> None:
    assert reach(intervals=[wrong, OPEN]).unexplained_seconds == seconds


def test_a_bounded_end_explains_itself_by_an_outage_only() -> None:
    outage = Outage(cluster="east", since=at(15), until=at(58))
    elsewhere = replace(outage, cluster="west")
    assert reach(intervals=[BOUNDED, OPEN]).unexplained_seconds == 40
    assert reach(intervals=[BOUNDED, OPEN], outages=[elsewhere]).unexplained_seconds == 40
    explained = reach(intervals=[BOUNDED, OPEN], outages=[outage])
    assert explained.unexplained_seconds == 0
    assert (explained.bounded_ends, explained.given_up_seconds) == (1, 40)


def test_a_bounded_end_without_a_reason_explains_nothing() -> None:
    outage = Outage(cluster="east", since=at(0), until=at(60))
    for silent in (replace(BOUNDED, reason=""), replace(BOUNDED, gap_seconds=None)):
        assert reach(intervals=[silent, OPEN], outages=[outage]).unexplained_seconds == 40


def test_what_runs_may_lack_proof_for_the_tolerance_and_no_longer() -> None:
    assert reach(intervals=[FULL, replace(OPEN, proved_until=at(265))]).total == 0
    assert reach(intervals=[FULL, replace(OPEN, proved_until=at(264))]).unexplained_seconds == 36
    closed = replace(OPEN, ended_at=at(299), proved_until=at(299), quality="exact")
    assert reach(intervals=[FULL, closed]).unexplained_seconds == 1


def test_quota_that_differs_from_what_runs_is_counted_in_devices() -> None:
    assert reach(reserved={}).quota_differences == 1
    assert reach(reserved={"second": 1, "first": 2}).quota_differences == 2


def test_a_device_with_two_holders_is_counted_however_far_apart_they_began() -> None:
    early = replace(ENDED, ended_at=at(200))
    told = replace(FULL, ended_at=at(200), proved_until=at(200))
    assert reach(runs=[early, RUNNING], intervals=[told, OPEN]).device_overlaps == 1
    short = replace(ENDED, pod="p", container="c", instance="x", started_at=at(5), ended_at=at(6))
    told_short = replace(FULL, key=short.key, started_at=at(5), ended_at=at(6), proved_until=at(6))
    found = reach(runs=[early, short, RUNNING], intervals=[told, told_short, OPEN])
    assert found.device_overlaps == 2
