"""Listing: selectors, pages that show one moment, versions."""

from collections.abc import Callable, Iterator

import pytest

from tests.contract.api import Json
from tests.contract.spaces import Space, condition, wait_for

Name = Callable[[], str]
PODS = ("alpha", "beta", "gamma", "delta", "epsilon")
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"


@pytest.fixture(scope="module")
def shelf(space: Space) -> Iterator[Space]:
    """Five idle pods; the first two are of tier one."""
    for position, name in enumerate(PODS):
        labels = {"tier": "one" if position < 2 else "two", "rank": str(position)}
        if name == "epsilon":
            del labels["tier"]
        space.run(name, idle=True, labels=labels)
    for name in PODS:
        space.await_pod(name, lambda pod: bool(condition(pod, "PodScheduled")))
    return space


def _names(listed: Json) -> set[str]:
    return {one["metadata"]["name"] for one in listed["items"]}


def test_list_has_a_kind_a_version_and_bare_items(shelf: Space) -> None:
    listed = shelf.api.get(shelf.pods()).ok()
    assert (listed["kind"], listed["apiVersion"]) == ("PodList", "v1")
    assert int(listed["metadata"]["resourceVersion"]) > 0
    assert _names(listed) == set(PODS)
    assert all("kind" not in one and "apiVersion" not in one for one in listed["items"])


def test_list_of_a_namespace_that_is_not_there_is_empty(shelf: Space, name: Name) -> None:
    assert shelf.api.get(f"/api/v1/namespaces/{name()}/pods").ok()["items"] == []


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("tier=one", {"alpha", "beta"}),
        ("tier==two", {"gamma", "delta"}),
        ("tier!=one", {"gamma", "delta", "epsilon"}),
        ("tier in (one, two)", {"alpha", "beta", "gamma", "delta"}),
        ("tier notin (one)", {"gamma", "delta", "epsilon"}),
        ("tier", {"alpha", "beta", "gamma", "delta"}),
        ("!tier", {"epsilon"}),
        ("tier=one,rank=1", {"beta"}),
        ("rank>2", {"delta", "epsilon"}),
        ("made-by=contract,tier in (one),rank notin (0)", {"beta"}),
        ("tier=none", set()),
    ],
)
def test_label_selector_chooses(shelf: Space, selector: str, expected: set[str]) -> None:
    assert _names(shelf.api.get(shelf.pods(), labelSelector=selector).ok()) == expected


@pytest.mark.parametrize("selector", ["tier in", "tier one=two", "=one"])
def test_label_selector_that_makes_no_sense_is_refused(shelf: Space, selector: str) -> None:
    shelf.api.get(shelf.pods(), labelSelector=selector).refused(400, "BadRequest")


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("metadata.name=alpha", {"alpha"}),
        ("metadata.name!=alpha", set(PODS) - {"alpha"}),
        ("status.phase=Pending", set(PODS)),
        ("status.phase=Running", set()),
        ("spec.nodeName=", set(PODS)),
        ("spec.nodeName=elsewhere", set()),
        ("spec.restartPolicy=Never,metadata.name=beta", {"beta"}),
    ],
)
def test_field_selector_chooses(shelf: Space, selector: str, expected: set[str]) -> None:
    assert _names(shelf.api.get(shelf.pods(), fieldSelector=selector).ok()) == expected


@pytest.mark.parametrize("selector", ["spec.frob=1", "alpha"])
def test_field_selector_that_makes_no_sense_is_refused(shelf: Space, selector: str) -> None:
    shelf.api.get(shelf.pods(), fieldSelector=selector).refused(400, "BadRequest")


def test_namespace_is_a_field_of_a_list_over_all(shelf: Space) -> None:
    listed = shelf.api.get("/api/v1/pods", fieldSelector=f"metadata.namespace={shelf.name}").ok()
    assert _names(listed) == set(PODS)


def test_events_are_found_by_what_they_are_about(shelf: Space) -> None:
    uid = shelf.pod("alpha")["metadata"]["uid"]

    def events() -> list[Json]:
        selector = f"involvedObject.uid={uid},reason=FailedScheduling"
        found: list[Json] = shelf.api.get(shelf.path("events"), fieldSelector=selector).ok()[
            "items"
        ]
        return found

    wait_for(lambda: bool(events()))
    event = events()[0]
    assert event["type"] == "Warning"
    assert event["involvedObject"]["name"] == "alpha"
    assert event["involvedObject"]["kind"] == "Pod"
    assert event["message"].startswith("0/")


def test_pages_add_up_to_the_list(shelf: Space) -> None:
    first = shelf.api.get(shelf.pods(), limit=2).ok()
    assert len(first["items"]) == 2
    assert first["metadata"]["remainingItemCount"] == 3
    seen, token = [first], first["metadata"]["continue"]
    while token:
        page = shelf.api.get(shelf.pods(), limit=2, **{"continue": token}).ok()
        seen.append(page)
        token = page["metadata"].get("continue")
    names = [one["metadata"]["name"] for page in seen for one in page["items"]]
    assert names == sorted(PODS)
    assert len({page["metadata"]["resourceVersion"] for page in seen}) == 1


def test_pages_show_one_moment(own_space: Space) -> None:
    for name in ("one", "two", "three"):
        own_space.run(name, idle=True)
    first = own_space.api.get(own_space.pods(), limit=1).ok()
    own_space.api.delete(own_space.pods("two")).ok()
    own_space.run("zero", idle=True)
    token = first["metadata"]["continue"]
    rest = own_space.api.get(own_space.pods(), **{"continue": token}).ok()
    assert _names(first) | _names(rest) == {"one", "two", "three"}


def test_limit_counts_what_is_selected(shelf: Space) -> None:
    page = shelf.api.get(shelf.pods(), limit=1, labelSelector="tier=two").ok()
    assert _names(page) <= {"gamma", "delta"}
    assert "remainingItemCount" not in page["metadata"]
    token = page["metadata"]["continue"]
    rest = shelf.api.get(shelf.pods(), labelSelector="tier=two", **{"continue": token}).ok()
    assert _names(page) | _names(rest) == {"gamma", "delta"}


def test_token_that_is_none_is_refused(shelf: Space) -> None:
    shelf.api.get(shelf.pods(), limit=1, **{"continue": "zzz"}).refused(400, "BadRequest")


def test_version_zero_takes_whatever_is_known(shelf: Space) -> None:
    assert _names(shelf.api.get(shelf.pods(), resourceVersion="0").ok()) == set(PODS)


def test_version_not_reached_yet_is_a_timeout(shelf: Space) -> None:
    status = shelf.api.get(shelf.pods(), resourceVersion="99999999999").refused(504, "Timeout")
    assert status["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


def test_version_that_is_none_is_refused(shelf: Space) -> None:
    shelf.api.get(shelf.pods(), resourceVersion="abc").refused(400, "BadRequest")


def test_version_match_needs_a_version(shelf: Space) -> None:
    shelf.api.get(shelf.pods(), resourceVersionMatch="Exact").refused(422, "Invalid")


def test_metadata_alone_can_be_listed(shelf: Space) -> None:
    listed = shelf.api.ask("GET", shelf.pods(), accept=METADATA_LIST).ok()
    assert listed["kind"] == "PartialObjectMetadataList"
    assert _names(listed) == set(PODS)
    assert all(one["kind"] == "PartialObjectMetadata" for one in listed["items"])
    assert all("spec" not in one for one in listed["items"])


def test_what_is_not_there_is_not_found(shelf: Space) -> None:
    status = shelf.api.get(shelf.pods("nobody")).refused(404, "NotFound")
    assert status["details"] == {"name": "nobody", "kind": "pods"}
    path = shelf.path("leases", "nobody", group="coordination.k8s.io")
    status = shelf.api.get(path).refused(404, "NotFound")
    assert status["message"] == 'leases.coordination.k8s.io "nobody" not found'
