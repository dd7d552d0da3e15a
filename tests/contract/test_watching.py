"""Watching: every change once, from where one left off, and an honest end."""

import threading
from collections.abc import Callable

import pytest

from tests.contract.api import Json
from tests.contract.spaces import Space, condition

Name = Callable[[], str]


def _told(events: list[Json], name: str = "") -> list[str]:
    return [
        event["type"]
        for event in events
        if event["type"] != "BOOKMARK" and name in ("", event["object"]["metadata"]["name"])
    ]


def _idle(space: Space, name: str, **labels: str) -> Json:
    space.run(name, idle=True, labels=labels)
    return space.await_pod(name, lambda pod: bool(condition(pod, "PodScheduled")))


def test_watch_tells_what_happened_since_a_version(own_space: Space) -> None:
    version = own_space.version()
    pod = _idle(own_space, "one")
    own_space.api.patch(own_space.pods("one"), {"metadata": {"labels": {"turn": "1"}}}).ok()
    own_space.api.delete(own_space.pods("one")).ok()
    events = own_space.api.watch(own_space.pods(), resourceVersion=version)
    told = _told(events)
    assert told[0] == "ADDED"
    assert told[-1] == "DELETED"
    assert set(told[1:-1]) == {"MODIFIED"}
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in events]
    assert versions == sorted(set(versions))
    assert events[0]["object"]["kind"] == "Pod"
    assert events[-1]["object"]["metadata"]["uid"] == pod["metadata"]["uid"]


def test_watch_resumes_where_it_left_off(own_space: Space) -> None:
    version = own_space.version()
    _idle(own_space, "one")
    first = own_space.api.watch(own_space.pods(), resourceVersion=version)
    _idle(own_space, "two")
    last = first[-1]["object"]["metadata"]["resourceVersion"]
    second = own_space.api.watch(own_space.pods(), resourceVersion=last)
    assert _told(first, "two") == []
    assert _told(second, "one") == []
    assert _told(second, "two")[0] == "ADDED"


def test_watch_from_version_zero_begins_with_what_is_there(own_space: Space) -> None:
    for name in ("one", "two"):
        _idle(own_space, name)
    events = own_space.api.watch(own_space.pods(), resourceVersion="0")
    assert [event["type"] for event in events] == ["ADDED", "ADDED"]
    assert {event["object"]["metadata"]["name"] for event in events} == {"one", "two"}


def test_watch_ends_at_its_timeout(own_space: Space) -> None:
    version = own_space.version()
    assert own_space.api.watch(own_space.pods(), seconds=1, resourceVersion=version) == []


def test_change_reaches_an_open_watch(own_space: Space) -> None:
    version, seen = own_space.version(), threading.Event()

    def follow() -> None:
        for event in own_space.api.stream(own_space.pods(), seconds=20, resourceVersion=version):
            if event["type"] == "ADDED":
                seen.set()
                return

    thread = threading.Thread(target=follow)
    thread.start()
    own_space.run("one", idle=True)
    assert seen.wait(10)
    thread.join()


def test_bookmark_comes_before_the_end_when_asked(own_space: Space) -> None:
    # A mark is owed only for what came while one watched.
    later = threading.Timer(0.5, lambda: own_space.run("one", idle=True))
    query = {"resourceVersion": own_space.version(), "allowWatchBookmarks": "true"}
    later.start()
    events = own_space.api.watch(own_space.pods(), seconds=5, **query)
    later.join()
    told = [event["object"] for event in events if event["type"] != "BOOKMARK"]
    marks = [event["object"] for event in events if event["type"] == "BOOKMARK"]
    assert marks
    assert marks[-1]["kind"] == "Pod"
    # The mark says how far the watch has come: not before what it has told.
    reached = int(marks[-1]["metadata"]["resourceVersion"])
    assert reached >= int(told[-1]["metadata"]["resourceVersion"])
    assert "name" not in marks[-1]["metadata"]


def test_no_bookmark_comes_unasked(own_space: Space) -> None:
    version = own_space.version()
    events = own_space.api.watch(own_space.pods(), seconds=3, resourceVersion=version)
    assert "BOOKMARK" not in [event["type"] for event in events]


def test_version_too_old_is_expired(own_space: Space) -> None:
    events = own_space.api.watch(own_space.pods(), resourceVersion="1")
    assert [event["type"] for event in events] == ["ERROR"]
    status = events[0]["object"]
    assert status["kind"] == "Status"
    assert status["code"] == 410
    assert status["reason"] == "Expired"
    assert status["message"].startswith("too old resource version: 1 ")


def test_selected_watch_tells_who_enters_and_who_leaves(own_space: Space) -> None:
    version = own_space.version()
    for name, tier in (("in", "one"), ("out", "two")):
        _idle(own_space, name, tier=tier)
    path = own_space.pods("in")
    own_space.api.patch(path, {"metadata": {"labels": {"tier": "two"}}}).ok()
    own_space.api.patch(path, {"metadata": {"labels": {"tier": "one"}}}).ok()
    query = {"resourceVersion": version, "labelSelector": "tier=one"}
    events = own_space.api.watch(own_space.pods(), **query)
    assert _told(events, "out") == []
    told = [one for one in _told(events, "in") if one != "MODIFIED"]
    assert told == ["ADDED", "DELETED", "ADDED"]
    left = next(event for event in events if event["type"] == "DELETED")
    assert left["object"]["metadata"]["labels"]["tier"] == "one"


def test_watch_of_one_object_by_field(own_space: Space) -> None:
    version = own_space.version()
    for name in ("one", "two"):
        _idle(own_space, name)
    query = {"resourceVersion": version, "fieldSelector": "metadata.name=two"}
    events = own_space.api.watch(own_space.pods(), **query)
    assert {event["object"]["metadata"]["name"] for event in events} == {"two"}


def test_watch_over_all_namespaces_tells_of_ours(own_space: Space) -> None:
    version = own_space.version()
    _idle(own_space, "one")
    events = own_space.api.watch("/api/v1/pods", resourceVersion=version)
    mine = [e for e in events if e["object"]["metadata"].get("namespace") == own_space.name]
    assert _told(mine)[0] == "ADDED"


def test_watch_can_begin_with_a_list_in_itself(own_space: Space) -> None:
    _idle(own_space, "one")
    query = {
        "sendInitialEvents": "true",
        "allowWatchBookmarks": "true",
        "resourceVersionMatch": "NotOlderThan",
    }
    events = own_space.api.watch(own_space.pods(), **query)
    if "required storage feature" in events[0]["object"].get("message", ""):
        pytest.skip("watch list: the cluster's etcd is older than 3.4.25")
    assert [event["type"] for event in events][:2] == ["ADDED", "BOOKMARK"]
    notes = events[1]["object"]["metadata"]["annotations"]
    assert notes == {"k8s.io/initial-events-end": "true"}


def test_watch_that_makes_no_sense_is_refused(own_space: Space) -> None:
    answer = own_space.api.get(own_space.pods(), watch="true", fieldSelector="spec.frob=1")
    answer.refused(400, "BadRequest")
