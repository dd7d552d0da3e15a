"""One decision per wish, by somebody who may."""

import pytest

from portal.quotas import queries
from portal.quotas.errors import DevicesOutOfRange, QuotaExceeded
from portal.quotas.models import QuotaEntry
from portal.requests import approving
from portal.requests.errors import (
    ConflictOfInterest,
    MoreThanAsked,
    ReasonMissing,
    RequestAlreadyDecided,
)
from portal.requests.models import InstanceRequest, QuotaRequest, State
from portal.tenants import joining
from portal.tenants.access import Role
from portal.tenants.models import Project, Tenant, User
from provisioning.errors import RetiredInstanceType
from provisioning.models import Instance, InstanceType
from tests.factories import portal as factory
from tests.factories.portal import NOON, Catalog

pytestmark = pytest.mark.django_db


@pytest.fixture
def held(granted: Project, catalog: Catalog, alice: User, settings: object) -> InstanceRequest:
    """Three instances a policy holds for a person."""
    settings.REQUEST_HOLD_DEVICES_OVER = 2  # type: ignore[attr-defined]
    return factory.submit_instances(granted, catalog, by=alice, count=3)


def test_approval_writes_quota_and_launches_nothing(
    submitted_quota_request: QuotaRequest, project: Project, catalog: Catalog, bob: User
) -> None:
    approving.approve_quota_request(quota_request=submitted_quota_request, by=bob, at=NOON)

    submitted_quota_request.refresh_from_db()
    assert submitted_quota_request.state == State.APPROVED
    assert submitted_quota_request.granted_devices == 8
    assert submitted_quota_request.decided_by == bob
    assert queries.headroom(project=project, family=catalog.family).granted == 8
    assert QuotaEntry.objects.get().by == bob.email
    assert not Instance.objects.exists()


def test_an_approver_may_grant_fewer(
    submitted_quota_request: QuotaRequest, project: Project, catalog: Catalog, bob: User
) -> None:
    approving.approve_quota_request(
        quota_request=submitted_quota_request, devices=3, by=bob, at=NOON, reason="Rack B is full."
    )

    assert submitted_quota_request.granted_devices == 3
    assert submitted_quota_request.decision_reason == "Rack B is full."
    assert queries.headroom(project=project, family=catalog.family).granted == 3


@pytest.mark.parametrize(
    ("devices", "refusal"),
    [(0, DevicesOutOfRange), (-1, DevicesOutOfRange), (9, MoreThanAsked)],
)
def test_a_senseless_grant_decides_nothing(
    submitted_quota_request: QuotaRequest, bob: User, devices: int, refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        approving.approve_quota_request(
            quota_request=submitted_quota_request, devices=devices, by=bob, at=NOON
        )
    submitted_quota_request.refresh_from_db()
    assert submitted_quota_request.is_open


def test_the_second_decision_is_refused(
    submitted_quota_request: QuotaRequest, bob: User, alice: User
) -> None:
    late = QuotaRequest.objects.get()
    approving.approve_quota_request(quota_request=submitted_quota_request, by=bob, at=NOON)

    with pytest.raises(RequestAlreadyDecided):
        approving.approve_quota_request(quota_request=late, by=bob, at=NOON)
    with pytest.raises(RequestAlreadyDecided):
        approving.reject_quota_request(quota_request=late, reason="No.", by=bob, at=NOON)
    with pytest.raises(RequestAlreadyDecided):
        approving.withdraw_quota_request(quota_request=late, by=alice, at=NOON)

    assert QuotaRequest.objects.get().state == State.APPROVED
    assert QuotaEntry.objects.count() == 1


def test_a_rejection_says_why(submitted_quota_request: QuotaRequest, bob: User) -> None:
    with pytest.raises(ReasonMissing):
        approving.reject_quota_request(
            quota_request=submitted_quota_request, reason=" ", by=bob, at=NOON
        )
    approving.reject_quota_request(
        quota_request=submitted_quota_request, reason="Not a pilot.", by=bob, at=NOON
    )

    rejected = QuotaRequest.objects.get()
    assert (rejected.state, rejected.decision_reason) == (State.REJECTED, "Not a pilot.")
    assert not QuotaEntry.objects.exists()


def test_nobody_decides_for_a_tenant_of_their_own(
    submitted_quota_request: QuotaRequest,
    held: InstanceRequest,
    tenant: Tenant,
    alice: User,
    bob: User,
) -> None:
    joining.add_member(tenant=tenant, email=bob.email, role=Role.VIEWER, by=alice, at=NOON)

    for decide in (
        lambda: approving.approve_quota_request(
            quota_request=submitted_quota_request, by=bob, at=NOON
        ),
        lambda: approving.reject_quota_request(
            quota_request=submitted_quota_request, reason="No.", by=bob, at=NOON
        ),
        lambda: approving.approve_request(instance_request=held, by=bob, at=NOON),
        lambda: approving.reject_request(instance_request=held, reason="No.", by=bob, at=NOON),
    ):
        with pytest.raises(ConflictOfInterest):
            decide()
    assert QuotaRequest.objects.get(pk=submitted_quota_request.pk).is_open
    assert InstanceRequest.objects.get().is_open


def test_a_guest_of_one_project_does_not_decide_for_it(
    submitted_quota_request: QuotaRequest, project: Project, bob: User
) -> None:
    joining.add_project_member(project=project, email=bob.email, role=Role.VIEWER, at=NOON)

    with pytest.raises(ConflictOfInterest):
        approving.approve_quota_request(quota_request=submitted_quota_request, by=bob, at=NOON)


def test_who_asked_and_left_the_tenant_does_not_decide(
    project: Project, tenant: Tenant, catalog: Catalog, alice: User, bob: User
) -> None:
    member = joining.add_member(tenant=tenant, email=bob.email, role=Role.MEMBER, by=alice, at=NOON)
    own = factory.submit_quota(project, catalog.family, 8, by=bob)
    joining.remove_member(membership=member, by=bob)

    with pytest.raises(ConflictOfInterest):
        approving.approve_quota_request(quota_request=own, by=bob, at=NOON)
    with pytest.raises(ConflictOfInterest):
        approving.reject_quota_request(quota_request=own, reason="No.", by=bob, at=NOON)


def test_approval_of_a_held_request_reserves_and_launches(
    held: InstanceRequest, granted: Project, catalog: Catalog, bob: User
) -> None:
    instances = approving.approve_request(instance_request=held, by=bob, at=NOON)

    assert len(instances) == 3
    assert InstanceRequest.objects.get().decided_by == bob
    assert queries.headroom(project=granted, family=catalog.family).reserved == 3


def test_approval_beyond_quota_launches_nothing(
    held: InstanceRequest, granted: Project, catalog: Catalog, alice: User, bob: User
) -> None:
    for _ in range(4):
        factory.submit_instances(granted, catalog, by=alice, count=2)
    assert Instance.objects.count() == 8

    with pytest.raises(QuotaExceeded):
        approving.approve_request(instance_request=held, by=bob, at=NOON)

    assert Instance.objects.count() == 8
    assert InstanceRequest.objects.get(pk=held.pk).is_open


def test_approval_of_what_is_no_longer_offered_launches_nothing(
    held: InstanceRequest, granted: Project, catalog: Catalog, bob: User
) -> None:
    InstanceType.objects.filter(pk=catalog.single.pk).update(is_retired=True)

    with pytest.raises(RetiredInstanceType):
        approving.approve_request(instance_request=held, by=bob, at=NOON)

    assert InstanceRequest.objects.get().is_open
    assert queries.headroom(project=granted, family=catalog.family).reserved == 0


def test_a_rejected_or_withdrawn_request_launches_nothing(
    held: InstanceRequest, granted: Project, catalog: Catalog, alice: User, bob: User
) -> None:
    other = factory.submit_instances(granted, catalog, by=alice, count=3)

    approving.reject_request(instance_request=held, reason="After the audit.", by=bob, at=NOON)
    approving.withdraw_request(instance_request=other, by=alice, at=NOON)

    for decided in (held, other):
        with pytest.raises(RequestAlreadyDecided):
            approving.approve_request(instance_request=decided, by=bob, at=NOON)
    assert not Instance.objects.exists()


def test_what_launched_at_once_cannot_be_decided_again(
    launched: InstanceRequest, bob: User
) -> None:
    with pytest.raises(RequestAlreadyDecided):
        approving.approve_request(instance_request=launched, by=bob, at=NOON)
    assert Instance.objects.count() == 1
