"""The window of changes: what can be resumed from, what is too old, what pages still show."""

import pytest

from provisioning.sandbox import reading, selectors
from provisioning.sandbox.errors import StatusError
from provisioning.sandbox.kinds import CONFIG_MAPS, PODS
from provisioning.sandbox.reading import Page
from tests.sandbox.worlds import World

WINDOW = 60


def _make(world: World, name: str) -> int:
    made = world.create(CONFIG_MAPS, {"metadata": {"name": name}})
    return int(made["metadata"]["resourceVersion"])


def _since(world: World, rv: int) -> list[str] | None:
    changes = world.cluster.history.since(CONFIG_MAPS, rv)
    return None if changes is None else [change.now.key[1] for change in changes]


def test_changes_inside_the_window_are_told_again(world: World) -> None:
    first = _make(world, "a")
    _make(world, "b")
    assert _since(world, first) == ["b"]
    assert _since(world, first - 1) == ["a", "b"]


def test_changes_outside_the_window_are_too_old(world: World) -> None:
    first = _make(world, "a")
    _make(world, "b")
    world.pass_time(WINDOW + 60)
    assert _since(world, first) is None


def test_a_kind_that_rests_can_be_resumed_however_long_it_rests(world: World) -> None:
    last = _make(world, "a")
    world.pass_time(3600)
    assert _since(world, last) == []


def test_another_kinds_traffic_makes_nothing_too_old(world: World) -> None:
    last = _make(world, "a")
    for number in range(600):
        world.create(
            PODS,
            {
                "metadata": {"name": f"p{number}"},
                "spec": {
                    "containers": [{"name": "c", "image": "i"}],
                    "nodeSelector": {"no": "where"},
                },
            },
        )
    world.pass_time(1)
    assert _since(world, last) == []


def test_window_holds_so_many_changes_and_no_more(world: World) -> None:
    first = _make(world, "a")
    for number in range(501):
        _make(world, f"b{number}")
    assert _since(world, first - 1) is None
    assert len(_since(world, first + 1) or []) == 500


def _page(world: World, **page: object) -> tuple[list[str], str]:
    import json

    body = reading.list_page(
        world.cluster.store,
        world.cluster.history,
        kind=CONFIG_MAPS,
        selection=selectors.select(CONFIG_MAPS, namespace="t"),
        page=Page(**page),  # type: ignore[arg-type]
    )
    listed = json.loads(body)
    names = [one["metadata"]["name"] for one in listed["items"]]
    return names, listed["metadata"].get("continue", "")


def test_pages_outlive_the_window_but_not_for_ever(world: World) -> None:
    for name in ("a", "b", "c"):
        _make(world, name)
    _, token = _page(world, limit=1)
    world.pass_time(200)
    assert _page(world, continue_token=token)[0] == ["b", "c"]
    world.pass_time(200)
    with pytest.raises(StatusError) as expired:
        _page(world, continue_token=token)
    assert expired.value.code == 410
    onward = expired.value.metadata["continue"]
    assert _page(world, continue_token=onward)[0] == ["b", "c"]
