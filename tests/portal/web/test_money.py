"""Usage and invoices as the tenant sees them; periods, drafts and prices as finance does."""

import csv
import io
from datetime import UTC, datetime

import pytest
from django.contrib.messages import get_messages
from django.test import Client

from billing.models import BillingPeriod, Invoice, Rate
from tests.factories import billing as billing_factory
from tests.factories import portal as factory
from tests.portal.web.conftest import Visits
from tests.portal.web.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def alices(world: World, visit: Visits) -> Client:
    return visit(world.people["alice"])


@pytest.fixture
def danas(world: World, visit: Visits) -> Client:
    return visit(world.people["dana"])


def _usage(world: World) -> str:
    return f"/t/{world.tenant.slug}/usage/"


def test_usage_adds_up_by_day_project_and_run(alices: Client, world: World) -> None:
    factory.use(world.instance, seconds=5400)
    page = alices.get(_usage(world)).content.decode()

    assert "1.50 device-hours in all" in page
    assert "₩5,400" in page
    assert 'data-value="1.5000"' in page
    assert world.project.name in page


def test_a_run_over_midnight_in_korea_belongs_to_both_days(alices: Client, world: World) -> None:
    billing_factory.record_use(
        account=world.account,
        project_id=world.project.pk,
        sku_code=world.instance.sku_code,
        resource_ref=str(world.instance.pk),
        quantity=2,
        # 23:30 of 2 March in Seoul, for an hour.
        started_at=datetime(2026, 3, 2, 14, 30, tzinfo=UTC),
        seconds=3600,
    )
    page = alices.get(_usage(world)).content.decode()

    assert 'data-day="2026-03-02"' in page
    assert page.count('data-value="1.0000"') == 2


def test_months_are_turned_and_nonsense_is_this_month(alices: Client, world: World) -> None:
    factory.use(world.instance)

    assert (
        "Nothing ran in this month"
        in alices.get(_usage(world), {"month": "2026-02"}).content.decode()
    )
    for nonsense in ("2999-01", "x", "2026-13", "'--"):
        page = alices.get(_usage(world), {"month": nonsense}).content.decode()
        assert "2026-03-01 to 2026-03-31" in page


def test_the_first_month_of_the_calendar_is_no_crash(alices: Client, world: World) -> None:
    assert alices.get(_usage(world), {"month": "0001-01"}).status_code == 200


def test_an_issued_invoice_is_shown_and_downloaded_in_both_languages(
    alices: Client, world: World
) -> None:
    address = f"/t/{world.tenant.slug}/invoices/{world.invoice.pk}/"
    page = alices.get(address).content.decode()
    assert "₩3,960" in page
    assert world.invoice.number in page

    for language in ("ko", "en"):
        sheet = alices.get(f"{address}csv/", {"language": language})
        rows = list(csv.reader(io.StringIO(sheet.content.decode("utf-8-sig"))))
        assert any("3960" in row for row in rows)
        assert f"{world.invoice.number}.{language}.csv" in sheet["Content-Disposition"]
    assert alices.get(f"{address}pdf/", {"language": "en"}).content.startswith(b"%PDF-")


@pytest.mark.parametrize("tail", ["xlsx/", "csv/?language=fr", "pdf/?language=../../etc"])
def test_files_that_do_not_exist_are_not_found(tail: str, alices: Client, world: World) -> None:
    address = f"/t/{world.tenant.slug}/invoices/{world.invoice.pk}/{tail}"

    assert alices.get(address).status_code == 404


def test_a_draft_is_finances_alone(alices: Client, danas: Client, world: World) -> None:
    address = f"/t/{world.tenant.slug}/invoices/{world.draft.pk}/"

    assert danas.get(address).status_code == 200
    assert danas.get(f"{address}pdf/").status_code == 404
    assert alices.get(address).status_code == 404


def test_finance_cuts_drafts_and_issues(danas: Client, world: World) -> None:
    billing_factory.register_seller()
    factory.use(world.instance)
    account = f"/staff/billing/{world.account.pk}/"
    danas.post(f"{account}cut/")
    period = BillingPeriod.objects.get(account=world.account, span__endswith=factory.AFTERNOON)
    danas.post(f"{account}periods/{period.pk}/draft/")
    draft = Invoice.objects.get()
    assert draft.lines.get().project_name == world.project.name

    answer = danas.post(f"/staff/billing/invoices/{draft.pk}/issue/", follow=True)
    draft.refresh_from_db()
    assert (draft.state, draft.issued_by) == ("issued", "dana@example.com")
    assert draft.number in answer.content.decode()


def test_what_keeps_a_period_open_is_listed_and_stops_the_issue(
    danas: Client, world: World
) -> None:
    billing_factory.register_seller()
    factory.use(world.instance)
    billing_factory.record_use(
        account=world.account,
        project_id=world.project.pk,
        sku_code=world.instance.sku_code,
        resource_ref="still-running",
        started_at=factory.NOON,
    )
    draft = world.draft
    page = danas.get(f"/staff/billing/{world.account.pk}/").content.decode()
    assert "A run has no proof up to the end of the period." in page

    answer = danas.post(f"/staff/billing/invoices/{draft.pk}/issue/")
    assert "cannot be invoiced yet" in str(next(iter(get_messages(answer.wsgi_request))))
    draft.refresh_from_db()
    assert draft.state == "draft"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"valid_from": "2026-03-10T00:00"}, "covers part of that time"),
        ({"hourly_rate": "-1"}, "greater than or equal to 0"),
        ({"hourly_rate": "1.23456"}, "4 decimal places"),
        ({"hourly_rate": "free"}, "Enter a number"),
        ({"valid_from": "2020-01-01T00:00", "valid_until": "2020-02-01T00:00"}, "in force"),
        ({"valid_until": "2026-01-01T00:00"}, "ends after it begins"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_rate_that_cannot_be_is_refused(
    danas: Client, world: World, changed: dict[str, object], said: str
) -> None:
    words = {
        "book": world.rate.book_id,
        "sku": world.rate.sku_id,
        "hourly_rate": "100",
        "valid_from": "2026-04-01T00:00",
        **changed,
    }
    answer = danas.post("/staff/prices/", words)

    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert Rate.objects.count() == 1


def test_another_price_follows_the_one_in_force(danas: Client, world: World) -> None:
    danas.post(
        f"/staff/prices/{world.rate.pk}/follow/",
        {"hourly_rate": "4000.5", "valid_from": "2099-01-01T00:00"},
    )

    assert [f"{rate.hourly_rate}" for rate in Rate.objects.order_by("valid")] == [
        "3600.0000",
        "4000.5000",
    ]
    assert "₩4,000.5" in danas.get("/staff/prices/").content.decode()
