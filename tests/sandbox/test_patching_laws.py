"""Laws of patching and applying that hold for any object."""

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from provisioning.sandbox import applying
from provisioning.sandbox.creating import WriteOptions
from provisioning.sandbox.kinds import CONFIG_MAPS
from provisioning.sandbox.objects import Json
from provisioning.sandbox.patching import merging, pointing, strategic
from tests.sandbox.worlds import World

KEYS = st.sampled_from(["a", "b", "c", "d"])
VALUES = st.sampled_from(["1", "2", "3"])
DATA = st.dictionaries(KEYS, VALUES, max_size=4)
TREES = st.recursive(
    st.one_of(VALUES, st.lists(VALUES, max_size=3)),
    lambda inner: st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)
OBJECTS = st.dictionaries(KEYS, TREES, max_size=4)


@given(target=OBJECTS, patch=OBJECTS)
def test_merging_twice_is_merging_once(target: Json, patch: Json) -> None:
    once = merging.merge(target, patch)
    assert merging.merge(once, patch) == once


@given(target=OBJECTS)
def test_merging_nothing_changes_nothing(target: Json) -> None:
    assert merging.merge(target, {}) == target
    assert strategic.merge(CONFIG_MAPS, target, {}) == target


@given(target=OBJECTS, patch=OBJECTS)
def test_strategic_is_a_merge_where_no_list_is_a_map(target: Json, patch: Json) -> None:
    assert strategic.merge(CONFIG_MAPS, target, patch) == merging.merge(target, patch)


@given(target=OBJECTS, patch=OBJECTS)
def test_patching_leaves_the_old_version_alone(target: Json, patch: Json) -> None:
    before = copy.deepcopy(target)
    merging.merge(target, patch)
    strategic.merge(CONFIG_MAPS, target, patch)
    pointing.apply(target, [{"op": "add", "path": "/z", "value": "1"}])
    assert target == before


@given(target=DATA, key=KEYS, value=VALUES)
def test_what_json_patch_adds_it_can_take_away(target: Json, key: str, value: str) -> None:
    added = pointing.apply(target, [{"op": "add", "path": f"/{key}", "value": value}])
    assert added == {**target, key: value}
    taken = pointing.apply(added, [{"op": "remove", "path": f"/{key}"}])
    assert taken == {name: one for name, one in target.items() if name != key}


def _apply(world: World, manager: str, data: Json, *, force: bool = True) -> Json:
    body = {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": data,
    }  # fmt: skip
    applied = applying.apply(
        world.cluster,
        kind=CONFIG_MAPS,
        namespace="t",
        name="c",
        body=body,
        options=WriteOptions(manager=manager),
        force=force,
    )
    return applied.stored.object


STEPS = st.lists(st.tuples(st.sampled_from(["x", "y"]), DATA), min_size=1, max_size=8)


@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
def test_object_holds_exactly_what_its_managers_want(steps: list[tuple[str, Json]]) -> None:
    world = World()
    wanted: dict[str, dict[str, Any]] = {}
    for manager, data in steps:
        now = _apply(world, manager, data)
        # By force: whoever wants another value for a key takes it from the other.
        for other, theirs in wanted.items():
            if other != manager:
                for key in [key for key in theirs if key in data and data[key] != theirs[key]]:
                    del theirs[key]
        wanted[manager] = dict(data)
        expected = {key: value for one in wanted.values() for key, value in one.items()}
        assert now.get("data", {}) == expected


@settings(max_examples=40, deadline=None)
@given(steps=STEPS)
def test_applying_the_same_again_changes_nothing(steps: list[tuple[str, Json]]) -> None:
    world = World()
    for manager, data in steps:
        first = _apply(world, manager, data)
        assert _apply(world, manager, data) is first
