"""The laws of the quota ledger, whatever is done in whatever order."""

from uuid import UUID, uuid4

import pytest
from django.db import transaction
from django.db.models import Sum
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from portal.quotas import granting, queries, releasing, reserving
from portal.quotas.errors import QuotaExceeded, QuotaInUse
from portal.quotas.models import Quota, QuotaEntry
from tests.factories import portal as factory
from tests.factories.portal import NOON

DEVICES = st.integers(min_value=1, max_value=8)


class QuotaLedger(RuleBasedStateMachine):
    """Grants, adjustments, reservations and releases of one quota, beside a plain model of it."""

    instances = Bundle("instances")

    def __init__(self) -> None:
        super().__init__()
        self.point = transaction.savepoint()
        bob = factory.make_user("Bob")
        tenant = factory.make_tenant("Harbor", owner=factory.make_user("Alice"))
        self.bob, self.project = bob, tenant.projects.get()
        self.family = factory.make_catalog().family
        self.granted, self.held = 0, dict[UUID, int]()

    def teardown(self) -> None:
        transaction.savepoint_rollback(self.point)

    @property
    def free(self) -> int:
        return self.granted - sum(self.held.values())

    @rule(devices=DEVICES)
    def grant(self, devices: int) -> None:
        granting.grant_quota(
            project=self.project,
            family=self.family,
            devices=devices,
            quota_request_id=uuid4(),
            by=self.bob,
            at=NOON,
        )
        self.granted += devices

    @rule(delta=st.integers(min_value=-8, max_value=8).filter(bool))
    def adjust(self, delta: int) -> None:
        quota = Quota.objects.filter(project=self.project).first()
        if quota is None:
            return
        try:
            granting.adjust_quota(quota=quota, delta=delta, by=self.bob, at=NOON, note="")
        except QuotaInUse:
            assert self.free + delta < 0
        else:
            self.granted += delta

    @rule(target=instances, devices=DEVICES)
    def launch(self, devices: int) -> object:
        instance_id = uuid4()
        return instance_id if self._reserve(instance_id, devices) else multiple()

    @rule(instance_id=instances, devices=DEVICES)
    def launch_again(self, instance_id: UUID, devices: int) -> None:
        self._reserve(instance_id, self.held.get(instance_id, devices))

    @rule(instance_id=instances)
    def release(self, instance_id: UUID) -> None:
        released = releasing.release_quota(instance_id=instance_id, at=NOON)
        assert released == self.held.pop(instance_id, 0)

    def _reserve(self, instance_id: UUID, devices: int) -> bool:
        room = self.free
        try:
            reserving.reserve_quota(
                project=self.project,
                family=self.family,
                devices=devices,
                instance_id=instance_id,
                at=NOON,
            )
        except QuotaExceeded:
            assert devices > room
            return False
        assert instance_id in self.held or devices <= room
        self.held.setdefault(instance_id, devices)
        return True

    @invariant()
    def reserved_never_exceeds_granted(self) -> None:
        room = queries.headroom(project=self.project, family=self.family)
        assert 0 <= room.reserved <= room.granted

    @invariant()
    def the_sum_of_entries_is_the_headroom(self) -> None:
        room = queries.headroom(project=self.project, family=self.family)
        total = QuotaEntry.objects.filter(quota__project=self.project).aggregate(s=Sum("delta"))[
            "s"
        ]
        assert (total or 0) == room.free == self.free
        assert room.reserved == sum(self.held.values())

    @invariant()
    def an_instance_holds_at_most_once(self) -> None:
        open_ones = list(queries.open_reservations().values_list("instance_id", flat=True))
        assert sorted(open_ones) == sorted(self.held)


@pytest.mark.django_db
def test_the_quota_ledger_keeps_its_laws() -> None:
    run_state_machine_as_test(
        QuotaLedger,
        settings=settings(
            max_examples=20,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
