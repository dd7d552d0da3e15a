"""Many at once on one PostgreSQL: one decision, and never more than was granted."""

from functools import partial

import pytest

from portal.quotas import queries, releasing
from portal.quotas.errors import QuotaExceeded
from portal.quotas.models import QuotaEntry
from portal.quotas.queries import Headroom
from portal.requests import approving, operating
from portal.requests.errors import RequestAlreadyDecided
from portal.requests.models import InstanceRequest, LaunchedInstance, QuotaRequest, State
from portal.tenants import joining, onboarding
from portal.tenants.access import Role, StaffRole
from portal.tenants.errors import LastOwner
from portal.tenants.models import Project, Tenant, User
from provisioning.errors import IllegalTransition
from provisioning.models import Instance
from tests.factories import portal as factory
from tests.factories.portal import NOON, Catalog
from tests.portal.racing import race

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def no_hints(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens to hints here; the rows are what is looked at."""
    monkeypatch.setattr("celery.app.base.Celery.send_task", lambda *a, **kw: None)


def test_of_two_approvers_one_decides(
    submitted_quota_request: QuotaRequest, project: Project, catalog: Catalog, bob: User
) -> None:
    barbara = factory.make_user("Barbara", staff=StaffRole.APPROVER)

    def approve(by: User, devices: int) -> QuotaRequest:
        fresh = QuotaRequest.objects.get(pk=submitted_quota_request.pk)
        return approving.approve_quota_request(quota_request=fresh, devices=devices, by=by, at=NOON)

    told = race([partial(approve, bob, 8), partial(approve, barbara, 5)] * 4)

    losers = [answer for answer in told if isinstance(answer, RequestAlreadyDecided)]
    assert len(losers) == 7
    decided = QuotaRequest.objects.get()
    assert (decided.decided_by, decided.granted_devices) in [(bob, 8), (barbara, 5)]
    granted = queries.headroom(project=project, family=catalog.family).granted
    assert granted == decided.granted_devices
    assert QuotaEntry.objects.count() == 1


def test_approval_and_rejection_at_once_leave_one_decision(
    submitted_quota_request: QuotaRequest, bob: User, alice: User
) -> None:
    def fresh() -> QuotaRequest:
        return QuotaRequest.objects.get(pk=submitted_quota_request.pk)

    told = race(
        [
            lambda: approving.approve_quota_request(quota_request=fresh(), by=bob, at=NOON),
            lambda: approving.reject_quota_request(
                quota_request=fresh(), reason="No.", by=bob, at=NOON
            ),
            lambda: approving.withdraw_quota_request(quota_request=fresh(), by=alice, at=NOON),
        ]
    )

    assert sum(isinstance(answer, RequestAlreadyDecided) for answer in told) == 2
    state = QuotaRequest.objects.get().state
    assert QuotaEntry.objects.exists() == (state == State.APPROVED)


def test_fifty_requests_against_ten_devices_reserve_exactly_ten(
    granted: Project, catalog: Catalog, alice: User
) -> None:
    submit = partial(factory.submit_instances, granted, catalog, by=alice)

    told = race([submit] * 50, abreast=10)

    assert sum(isinstance(answer, InstanceRequest) for answer in told) == 10
    assert sum(isinstance(answer, QuotaExceeded) for answer in told) == 40
    room = queries.headroom(project=granted, family=catalog.family)
    assert room == Headroom(granted=10, reserved=10)
    assert Instance.objects.count() == LaunchedInstance.objects.count() == 10
    assert InstanceRequest.objects.count() == 10


def test_held_requests_approved_at_once_stay_within_the_quota(
    granted: Project, catalog: Catalog, alice: User, bob: User, settings: object
) -> None:
    settings.REQUEST_HOLD_DEVICES_OVER = 3  # type: ignore[attr-defined]
    held = [factory.submit_instances(granted, catalog, by=alice, count=4) for _ in range(4)]

    told = race(
        [partial(approving.approve_request, instance_request=one, by=bob, at=NOON) for one in held]
    )

    assert sum(isinstance(answer, QuotaExceeded) for answer in told) == 2
    assert InstanceRequest.objects.filter(state=State.APPROVED).count() == 2
    assert Instance.objects.count() == 8
    assert queries.headroom(project=granted, family=catalog.family).reserved == 8


def test_a_launch_is_given_back_once_by_many(
    instance: Instance, granted: Project, catalog: Catalog
) -> None:
    factory.end_launch(instance)
    release = partial(releasing.release_if_ended, instance_id=instance.pk, at=NOON)
    sweep = partial(releasing.sweep_reservations, at=NOON)

    told = race([release, sweep] * 4)

    assert sorted(told) == [0] * 7 + [1]  # type: ignore[type-var]
    assert queries.headroom(project=granted, family=catalog.family).reserved == 0


@pytest.mark.parametrize("round_", range(5))
def test_a_start_and_a_late_release_never_leave_a_launch_without_quota(
    instance: Instance, granted: Project, catalog: Catalog, alice: User, round_: int
) -> None:
    factory.end_launch(instance)

    def start() -> Instance:
        fresh = Instance.objects.get(pk=instance.pk)
        return operating.start_instance(instance=fresh, by=alice, at=NOON)

    told = race(
        [
            start,
            partial(releasing.release_if_ended, instance_id=instance.pk, at=NOON),
            start,
            partial(releasing.sweep_reservations, at=NOON),
        ]
    )

    assert sum(isinstance(answer, IllegalTransition) for answer in told) == 1
    instance.refresh_from_db()
    assert instance.launch_no == 2
    assert queries.headroom(project=granted, family=catalog.family).reserved == 1


def test_two_owners_leaving_at_once_leave_one_behind(tenant: Tenant, alice: User) -> None:
    mia = factory.make_user("Mia")
    joining.add_member(tenant=tenant, email=mia.email, role=Role.OWNER, by=alice, at=NOON)

    told = race(
        [
            partial(joining.remove_member, membership=membership, by=membership.user)
            for membership in tenant.memberships.select_related("user", "tenant")
        ]
    )

    assert sum(isinstance(answer, LastOwner) for answer in told) == 1
    assert tenant.memberships.filter(role=Role.OWNER).count() == 1


def test_tenants_of_one_name_opened_at_once_do_not_share_an_address(alice: User) -> None:
    told = race([partial(onboarding.open_tenant, name="Harbor", owner=alice, at=NOON)] * 6)

    opened = [answer for answer in told if isinstance(answer, Tenant)]
    assert len({tenant.slug for tenant in opened}) == len(opened) == 6
