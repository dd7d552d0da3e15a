"""What follows when the cluster does not do what a step asked."""

from datetime import timedelta

import pytest

from provisioning import refusals
from provisioning.carrying import NameTaken
from provisioning.cluster import errors
from provisioning.errors import ClusterUnreachable, NoCapacity, ProvisioningError
from provisioning.refusals import Answer
from provisioning.states import State
from provisioning.steps import CreatePod, DeletePod, Effect, Place, PrepareNamespace
from tests.provisioning.test_planning_steps import INTENDED, UID, situation


def answer(error: ProvisioningError, effect: Effect | None = None, failures: int = 0) -> Answer:
    of = situation(State.PROVISIONING, attempt=INTENDED, failures=failures)
    return refusals.answer(error=error, effect=effect or CreatePod(), of=of)


@pytest.mark.parametrize("error", [ClusterUnreachable(), errors.TooManyRequests(retry_after=7)])
def test_a_cluster_that_does_not_answer_is_nobodys_failure(error: ProvisioningError) -> None:
    found = answer(error)
    assert found.move is None
    assert not found.is_failure
    assert not found.drops_attempt


def test_too_many_requests_are_answered_by_waiting_as_long_as_asked() -> None:
    assert answer(errors.TooManyRequests(retry_after=7)).again >= timedelta(seconds=7)


def test_no_cluster_puts_an_instance_off_for_days() -> None:
    found = answer(ClusterUnreachable(retry_after=1e18), DeletePod(UID))
    assert found.again == timedelta(minutes=5)


@pytest.mark.parametrize("error", [errors.QuotaExceeded("full"), errors.NamespaceTerminating("x")])
def test_what_may_pass_waits_in_the_queue(error: ProvisioningError) -> None:
    found = answer(error)
    assert found.move is not None
    assert (found.move.to, found.move.reason) == (State.QUEUED, error.code)
    assert found.again >= timedelta(seconds=30)
    assert found.drops_attempt
    assert not found.is_failure


@pytest.mark.parametrize(
    "error", [errors.AdmissionRefused("psa"), errors.Invalid("causes"), NameTaken("x")]
)
def test_what_will_never_be_allowed_fails_and_calls_somebody(error: ProvisioningError) -> None:
    found = answer(error)
    assert found.move is not None
    assert found.move.to is State.FAILED
    assert found.move.dead_letter == error.code
    assert found.drops_attempt


def test_an_identity_that_may_not_pauses_the_cluster_and_calls_somebody() -> None:
    found = answer(errors.PermissionDenied("rbac"))
    assert found.pauses_cluster
    assert found.alarm == "cluster_denied"
    assert found.move is not None
    assert (found.move.to, found.move.reason) == (State.QUEUED, "cluster_denied")


@pytest.mark.parametrize("effect", [CreatePod(), DeletePod(UID)])
def test_credentials_that_are_refused_change_nothing_and_call_somebody(effect: Effect) -> None:
    found = answer(errors.Unauthenticated("401"), effect)
    assert (found.move, found.is_failure, found.drops_attempt) == (None, False, False)
    assert found.pauses_cluster
    assert found.alarm == "credentials_refused"


def test_a_missing_namespace_is_prepared_again() -> None:
    found = answer(errors.NamespaceMissing())
    assert found.forgets_namespace
    assert found.move is None
    assert not found.drops_attempt


def test_a_conflict_is_tried_again_soon() -> None:
    found = answer(errors.Conflict())
    assert found.again <= timedelta(seconds=1)
    assert found.is_failure
    assert found.move is None


@pytest.mark.parametrize(
    "error", [errors.AdmissionRefused(), errors.PermissionDenied(), errors.Conflict()]
)
def test_ending_a_pod_is_never_given_up(error: ProvisioningError) -> None:
    found = answer(error, DeletePod(UID), failures=50)
    assert found.move is None
    assert found.again <= timedelta(minutes=5)


def test_a_namespace_that_is_refused_fails_like_a_pod() -> None:
    found = answer(errors.AdmissionRefused("no"), PrepareNamespace())
    assert found.move is not None
    assert found.move.to is State.FAILED


def test_a_quota_that_others_are_writing_is_asked_again_within_half_a_second() -> None:
    found = answer(errors.QuotaConflict("on resourcequotas"))
    assert timedelta(milliseconds=50) <= found.again <= timedelta(milliseconds=500)
    assert (found.move, found.is_failure) == (None, False)


def test_no_room_keeps_an_instance_in_the_queue_and_says_why() -> None:
    error = NoCapacity("3 are free, 4 are needed.", reason="no_capacity")
    waiting = refusals.answer(error=error, effect=Place(), of=situation(State.QUEUED))
    assert waiting.move is None
    assert (waiting.reason, waiting.message) == ("no_capacity", "3 are free, 4 are needed.")
    recovering = refusals.answer(error=error, effect=Place(), of=situation(State.RECOVERING))
    assert recovering.move is not None
    assert recovering.move.to is State.QUEUED


def test_waiting_grows_with_failures_and_stays_bounded() -> None:
    waits = [answer(errors.Conflict(), failures=n).again for n in range(20)]
    assert max(waits) <= timedelta(minutes=5)
    assert max(waits[:3]) <= timedelta(seconds=4)
    assert max(waits) > timedelta(seconds=30)
