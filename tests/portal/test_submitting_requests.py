"""Wishes: what launches at once, what waits for a person, what is refused unread."""

from dataclasses import replace
from datetime import timedelta

import pytest

from portal.quotas import queries
from portal.quotas.errors import DevicesOutOfRange, QuotaExceeded
from portal.requests import operating, submitting
from portal.requests.errors import (
    CountOutOfRange,
    JustificationMissing,
    LeaseTooLong,
    NameRefused,
)
from portal.requests.models import InstanceRequest, LaunchedInstance, QuotaRequest, State
from portal.requests.wishes import InstanceWish
from portal.tenants.models import Project, User
from provisioning.errors import (
    LeaseInPast,
    RetiredInstanceType,
    UnknownImage,
    UnknownInstanceType,
)
from provisioning.models import Instance
from tests.factories import portal as factory
from tests.factories.portal import NOON, TOMORROW, Catalog

pytestmark = pytest.mark.django_db
WISH = InstanceWish(
    instance_type_slug="rngd-1", image_slug="rngd-workspace", name="detector", ends_at=TOMORROW
)


def _submit(project: Project, by: User, wish: InstanceWish) -> InstanceRequest:
    return submitting.submit_instance_request(project=project, wish=wish, by=by, at=NOON)


def test_inside_the_quota_it_launches_at_once(
    granted: Project, catalog: Catalog, alice: User
) -> None:
    wish = replace(WISH, instance_type_slug="rngd-4", count=2)

    instance_request = _submit(granted, alice, wish)

    assert instance_request.state == State.APPROVED
    assert instance_request.decided_by is None
    launched = Instance.objects.filter(
        pk__in=LaunchedInstance.objects.filter(instance_request=instance_request).values("instance")
    ).order_by("name")
    assert [each.name for each in launched] == ["detector-1", "detector-2"]
    assert {each.project_id for each in launched} == {granted.pk}
    assert {each.ends_at for each in launched} == {TOMORROW}
    room = queries.headroom(project=granted, family=catalog.family)
    assert (room.reserved, room.free) == (8, 2)


def test_beyond_the_quota_nothing_launches_and_nothing_is_written(
    granted: Project, catalog: Catalog, alice: User
) -> None:
    with pytest.raises(QuotaExceeded):
        _submit(granted, alice, replace(WISH, instance_type_slug="rngd-4", count=3))

    assert not InstanceRequest.objects.exists()
    assert not Instance.objects.exists()
    assert queries.headroom(project=granted, family=catalog.family).reserved == 0


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"count": 0}, CountOutOfRange),
        ({"count": -1}, CountOutOfRange),
        ({"count": 10**9}, CountOutOfRange),
        ({"ends_at": NOON}, LeaseInPast),
        ({"ends_at": NOON - timedelta(days=1)}, LeaseInPast),
        ({"instance_type_slug": "rngd-0"}, RetiredInstanceType),
        ({"instance_type_slug": "abacus"}, UnknownInstanceType),
        ({"image_slug": "rngd-old"}, UnknownImage),
        ({"image_slug": "windows"}, UnknownImage),
        ({"name": "x" * 64}, NameRefused),
        ({"name": "a\x00b"}, NameRefused),
    ],
)
def test_nonsense_is_refused_and_changes_nothing(
    granted: Project, alice: User, change: dict[str, object], refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        _submit(granted, alice, replace(WISH, **change))

    assert not InstanceRequest.objects.exists()
    assert not Instance.objects.exists()


def test_without_a_name_it_is_called_by_its_type(granted: Project, alice: User) -> None:
    assert _submit(granted, alice, replace(WISH, name=" ")).name == "rngd-1"


class TestHeld:
    """With limits in force."""

    @pytest.fixture(autouse=True)
    def limits(self, settings: object) -> None:
        settings.REQUEST_HOLD_DEVICES_OVER = 4  # type: ignore[attr-defined]
        settings.REQUEST_HOLD_LEASE_DAYS_OVER = 30  # type: ignore[attr-defined]

    @pytest.mark.parametrize(
        ("change", "reasons"),
        [
            ({"count": 5}, ["many_devices"]),
            ({"ends_at": NOON + timedelta(days=31)}, ["long_lease"]),
            ({"count": 5, "ends_at": NOON + timedelta(days=31)}, ["many_devices", "long_lease"]),
        ],
    )
    def test_it_waits_and_reserves_nothing(
        self,
        granted: Project,
        catalog: Catalog,
        alice: User,
        change: dict[str, object],
        reasons: list[str],
    ) -> None:
        held = _submit(granted, alice, replace(WISH, **change))

        assert (held.state, held.hold_reasons) == (State.HELD, reasons)
        assert not Instance.objects.exists()
        assert queries.headroom(project=granted, family=catalog.family).reserved == 0

    @pytest.mark.parametrize("change", [{"count": 4}, {"ends_at": NOON + timedelta(days=30)}])
    def test_at_the_limit_it_launches(
        self, granted: Project, alice: User, change: dict[str, object]
    ) -> None:
        assert _submit(granted, alice, replace(WISH, **change)).state == State.APPROVED

    def test_beyond_the_quota_nobody_has_to_read_it(self, granted: Project, alice: User) -> None:
        with pytest.raises(QuotaExceeded):
            _submit(granted, alice, replace(WISH, count=11))

        assert not InstanceRequest.objects.exists()

    def test_a_lease_is_not_stretched_past_the_limit(self, instance: Instance) -> None:
        operating.extend_lease(instance=instance, ends_at=NOON + timedelta(days=30), at=NOON)
        with pytest.raises(LeaseTooLong):
            operating.extend_lease(instance=instance, ends_at=NOON + timedelta(days=31), at=NOON)

        instance.refresh_from_db()
        assert instance.ends_at == NOON + timedelta(days=30)


def test_a_quota_request_only_asks(project: Project, catalog: Catalog, alice: User) -> None:
    asked = factory.submit_quota(project, catalog.family, 8, by=alice)

    assert (asked.state, asked.devices) == (State.SUBMITTED, 8)
    assert queries.headroom(project=project, family=catalog.family).granted == 0


@pytest.mark.parametrize(
    ("devices", "justification", "refusal"),
    [
        (0, "cameras", DevicesOutOfRange),
        (-3, "cameras", DevicesOutOfRange),
        (10**6, "cameras", DevicesOutOfRange),
        (1, "  ", JustificationMissing),
    ],
)
def test_a_senseless_quota_request_is_refused(
    project: Project,
    catalog: Catalog,
    alice: User,
    devices: int,
    justification: str,
    refusal: type[Exception],
) -> None:
    with pytest.raises(refusal):
        submitting.submit_quota_request(
            project=project,
            family=catalog.family,
            devices=devices,
            justification=justification,
            by=alice,
            at=NOON,
        )
    assert not QuotaRequest.objects.exists()
