"""A pass is one worker's for as long as its lease lasts."""

from datetime import timedelta
from uuid import uuid4

from django.db import connection

from provisioning import allotting, installation, leasing, reconciling
from provisioning.models import Attempt, Instance, Transition
from provisioning.states import State
from tests.factories.provisioning import NOON
from tests.provisioning.agreeing import Api
from tests.provisioning.reconciling.passing import claim


def test_a_pass_that_outlives_its_lease_records_nothing(instance: Instance, api: Api) -> None:
    claimed = claim()
    assert claimed is not None
    Instance.objects.filter(pk=instance.pk).update(lease_token=uuid4())
    reconciling.reconcile(claimed, at=NOON)
    instance.refresh_from_db()
    assert instance.state == State.QUEUED
    assert not Attempt.objects.exists()
    assert Transition.objects.count() == 1


def test_a_claimed_instance_is_nobody_elses_until_the_lease_runs_out(instance: Instance) -> None:
    assert claim() is not None
    assert claim() is None
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE provisioning_instance SET lease_until = statement_timestamp() - interval '1s'"
        )
    assert claim() is not None


def test_nothing_is_claimed_before_it_is_due(instance: Instance) -> None:
    assert claim(NOON - timedelta(seconds=1)) is None


def test_a_create_is_not_begun_on_a_lease_about_to_run_out(instance: Instance, api: Api) -> None:
    claimed = claim()
    assert claimed is not None
    spent = leasing.Claim(claimed.instance, claimed.token, runs_out_at=0)
    allotting.open_attempt(instance=instance, marks=installation.current(), at=NOON)
    Instance.objects.filter(pk=instance.pk).update(state=State.PROVISIONING, attempt_no=1)
    claimed.instance.refresh_from_db()
    reconciling.reconcile(spent, at=NOON)
    assert not api.canned.asked
