"""One stage of a sweep that fails does not keep the others from their turn."""

from datetime import datetime

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.db import DatabaseError

from provisioning import lingering, orphaned, sweeping
from provisioning.models import LoopCount
from tests.factories.provisioning import NOON

pytestmark = pytest.mark.django_db


def fail_with(error: Exception) -> object:
    def fail(*, at: datetime) -> None:
        raise error

    return fail


def test_the_stages_behind_a_failed_one_have_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[datetime] = []
    monkeypatch.setattr(orphaned, "sweep_orphans", fail_with(KeyError("uid")))
    monkeypatch.setattr(lingering, "follow_namespaces", lambda *, at: turns.append(at))
    sweeping.sweep(clock=lambda: NOON)
    assert turns == [NOON]
    counted = set(LoopCount.objects.filter(loop="sweep").values_list("result", flat=True))
    assert counted == {"done", "failed in _sweep_orphans"}


@pytest.mark.parametrize("error", [DatabaseError(), SoftTimeLimitExceeded()])
def test_a_lost_database_and_the_end_of_the_time_end_the_sweep(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(orphaned, "sweep_orphans", fail_with(error))
    with pytest.raises(type(error)):
        sweeping.sweep(clock=lambda: NOON)
