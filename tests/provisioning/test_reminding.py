"""A tenant hears of the end of a lease before it comes, once, and again when it was moved."""

from datetime import datetime, timedelta

import pytest

from provisioning import reminding, stopping
from provisioning.models import Instance, TenantNotice
from provisioning.states import State
from tests.factories import provisioning as factory
from tests.factories.provisioning import NOON

pytestmark = pytest.mark.django_db
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def instance() -> Instance:
    factory.load_catalog()
    return factory.launch(ends_at=NOON + 7 * DAY)


def kinds() -> list[str]:
    return list(TenantNotice.objects.order_by("pk").values_list("kind", flat=True))


def remind(at: datetime) -> int:
    return reminding.remind_of_ends(at=at)


def test_a_week_is_told_of_a_day_and_an_hour_before(instance: Instance) -> None:
    end = NOON + 7 * DAY
    assert remind(end - DAY - HOUR) == 0
    assert [remind(end - DAY + n * HOUR) for n in range(3)] == [1, 0, 0]
    assert [remind(end - HOUR), remind(end - HOUR / 2)] == [1, 0]
    assert kinds() == ["lease_ending", "lease_ending"]


def test_an_end_that_is_moved_is_told_of_again(instance: Instance) -> None:
    remind(NOON + 6 * DAY)
    stopping.extend_lease(instance=instance, ends_at=NOON + 8 * DAY, at=NOON + 6 * DAY)
    assert remind(NOON + 6 * DAY + HOUR) == 0
    assert remind(NOON + 7 * DAY) == 1


def test_a_short_lease_does_not_begin_with_its_end() -> None:
    factory.load_catalog()
    factory.launch(ends_at=NOON + 2 * HOUR)
    assert remind(NOON + HOUR) == 0
    assert remind(NOON + 2 * HOUR - timedelta(minutes=1)) == 0


def test_what_has_stopped_is_not_reminded(instance: Instance) -> None:
    Instance.objects.update(state=State.STOPPED)
    assert remind(NOON + 7 * DAY - HOUR / 2) == 0


def test_the_end_itself_is_told_once(instance: Instance) -> None:
    end = NOON + 7 * DAY
    assert [stopping.stop_expired(at=end), stopping.stop_expired(at=end)] == [1, 0]
    assert kinds() == ["lease_ended"]
    (notice,) = TenantNotice.objects.all()
    assert notice.detail == {"instance": instance.name}
