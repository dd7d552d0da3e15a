"""A wish becomes a pod, pass by pass, whatever arrives in between."""

from datetime import timedelta
from typing import Any
from unittest.mock import patch

from provisioning import (
    attempts,
    carrying,
    installation,
    manifests,
    recording,
    stopping,
    sweeping,
)
from provisioning.events import instance_state_changed
from provisioning.models import Cluster, Instance
from provisioning.states import AttemptState, State
from tests.factories import provisioning as factory
from tests.factories.provisioning import NOON
from tests.provisioning.agreeing import UID, Api
from tests.provisioning.reconciling.passing import claim, drain, due
from tests.provisioning.test_asking_clusters import failure


def test_a_wish_becomes_a_pod(instance: Instance, api: Api) -> None:
    drain()
    instance.refresh_from_db()
    attempt = instance.attempts.get()
    assert instance.state == State.SCHEDULING
    assert (attempt.state, str(attempt.uid)) == (AttemptState.CREATED, UID)
    assert attempt.pod_name == f"{instance.pk}-a1"
    posted = next(asked for asked in api.canned.asked if asked.method == "POST")
    assert posted.body["spec"]["containers"][0]["resources"]["limits"]["furiosa.ai/rngd"] == "1"
    assert [t.to_state for t in instance.transitions.all()] == [
        "queued",
        "provisioning",
        "scheduling",
    ]
    # Seen by nobody yet: it looks again by itself, but not at once.
    assert instance.next_reconcile_at is not None
    assert instance.next_reconcile_at > NOON
    assert instance.lease_token is None


def test_a_namespace_is_applied_once(instance: Instance, api: Api) -> None:
    drain()
    applied = api.count("PATCH")
    # The tenant's objects, and the farm's own namespace once.
    assert applied == 7 + 1
    factory.launch(account=instance.account)
    drain()
    assert api.count("PATCH") == applied
    assert api.count("POST") == 2


def test_a_stop_that_arrives_during_a_pass_is_acted_on_at_once(
    instance: Instance, api: Api
) -> None:
    """The create is under way when the wish changes: the pass must not sleep over it."""
    original = carrying.carry_out

    def interrupted(effect: Any, of: Any) -> Any:
        outcome = original(effect, of)
        if type(effect).__name__ == "CreatePod":
            stopping.stop_instance(instance=Instance.objects.get(pk=instance.pk), at=NOON)
        return outcome

    with patch.object(carrying, "carry_out", interrupted):
        drain()
    instance.refresh_from_db()
    # The same drain has already gone on to the stop.
    assert instance.state == State.STOPPING
    assert api.count("DELETE") == 1


def test_an_observation_during_a_pass_is_not_slept_over(instance: Instance, api: Api) -> None:
    claimed = claim()
    assert claimed is not None
    Instance.objects.filter(pk=instance.pk).update(observation_seq=7, next_reconcile_at=NOON)
    recording.hand_back(claimed, at=NOON, again=timedelta(hours=1))
    instance.refresh_from_db()
    assert instance.next_reconcile_at == NOON


def test_an_unheard_create_is_looked_up_and_adopted(instance: Instance, api: Api) -> None:
    api.on_post = lambda asked: None
    drain()
    instance.refresh_from_db()
    assert instance.state == State.PROVISIONING
    assert instance.failures == 0
    created = api.canned.asked[-1].body
    api.on_post = lambda asked: (409, failure(409, "AlreadyExists", "already"), {})
    api.on_get = lambda asked: (200, _as_stored(created), {})
    due(instance)
    drain()
    instance.refresh_from_db()
    assert instance.state == State.SCHEDULING
    assert str(instance.attempts.get().uid) == UID


def test_an_attempt_whose_pod_would_be_written_otherwise_now_is_begun_anew(
    instance: Instance, api: Api
) -> None:
    """As after an upgrade while the cluster was away: that pod would be nobody's, and billed."""
    api.on_post = lambda asked: None
    drain()
    instance.attempts.update(spec_hash="of-another-release")
    api.on_post = lambda asked: (201, {"metadata": {"uid": UID}}, {})
    due(instance)
    drain()
    first, second = instance.attempts.order_by("no")
    assert (first.state, second.state) == (AttemptState.GONE, AttemptState.CREATED)
    posted = [asked.body for asked in api.canned.asked if asked.method == "POST"]
    assert posted[-1]["metadata"]["name"] == second.pod_name


def test_the_sweep_finds_what_no_hint_told_of(instance: Instance, api: Api) -> None:
    sweeping.sweep(clock=lambda: NOON)
    instance.refresh_from_db()
    assert instance.state == State.SCHEDULING


def test_the_sweep_stops_what_has_had_its_time(cluster: Cluster, api: Api) -> None:
    instance = factory.launch(ends_at=NOON + timedelta(hours=1))
    sweeping.sweep(clock=lambda: NOON)
    instance.refresh_from_db()
    assert instance.desired == "running"
    sweeping.sweep(clock=lambda: NOON + timedelta(hours=1))
    instance.refresh_from_db()
    assert (instance.state, instance.reason) == (State.STOPPING, "lease_ended")


def test_a_change_of_state_is_told_after_it_is_written(
    instance: Instance, api: Api, django_capture_on_commit_callbacks: Any
) -> None:
    heard: list[tuple[str, str]] = []

    def listen(sender: object, *, from_state: str, to_state: str, **rest: Any) -> None:
        heard.append((from_state, to_state))

    instance_state_changed.connect(listen)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            drain()
            assert heard == []
    finally:
        instance_state_changed.disconnect(listen)
    assert heard == [("queued", "provisioning"), ("provisioning", "scheduling")]


def _as_stored(posted: dict[str, Any]) -> dict[str, Any]:
    metadata = posted["metadata"] | {"uid": UID, "resourceVersion": "1"}
    return {**posted, "metadata": metadata, "status": {"phase": "Pending"}}


def test_the_hash_of_an_attempt_is_the_hash_of_its_pod(instance: Instance, api: Api) -> None:
    drain()
    attempt = instance.attempts.select_related("pool__family__vendor", "instance").get()
    spec = attempts.spec_of(
        instance=attempt.instance, attempt_no=1, pool=attempt.pool, marks=installation.current()
    )
    assert attempt.spec_hash == manifests.hash_of(manifests.pod_for(spec), spec)
