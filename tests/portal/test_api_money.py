"""Usage, prices and invoices over the API: the tenant reads, finance acts."""

import csv
import io
from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine

from billing.models import Account, BillingPeriod, Invoice, Rate
from portal.tenants import joining, onboarding
from portal.tenants.access import Role
from portal.tenants.models import Project, Tenant, User
from provisioning.models import Instance
from tests.factories import billing as billing_factory
from tests.factories import portal as factory
from tests.factories.portal import AFTERNOON, NOON, TOMORROW, Catalog
from tests.portal.conftest import Calls

pytestmark = pytest.mark.django_db


@pytest.fixture
def afternoon(noon: None) -> Iterator[None]:
    """Two hours later, when the first hour of use is over."""
    with time_machine.travel(AFTERNOON, tick=False):
        yield


@pytest.fixture
def account(tenant: Tenant) -> Account:
    return Account.objects.get(tenant_id=tenant.pk)


def test_from_use_to_a_downloaded_invoice(
    api: Calls, afternoon: None, alice: User, dana: User, instance: Instance, account: Account
) -> None:
    billing_factory.register_seller()
    factory.use(instance, seconds=3600)
    finance, payer = api(dana), api(alice)

    opened = finance.get("/api/v1/billing-periods", {"account": account.pk}).json()["results"]
    cut = finance.post(f"/api/v1/billing-periods/{opened[0]['id']}/cut")
    assert (cut.status_code, cut.json()["until"]) == (201, "2026-03-04T14:00:00+09:00")
    address = f"/api/v1/billing-periods/{cut.json()['id']}"
    assert finance.get(f"{address}/exceptions").json() == []

    draft = finance.post(f"{address}/draft")
    assert draft.status_code == 201
    assert draft.json()["lines"][0]["project_name"] == "First project"
    figures = ("net_amount", "tax_amount", "total_amount")
    assert [draft.json()[figure] for figure in figures] == [3600, 360, 3960]
    invoice_at = f"/api/v1/invoices/{draft.json()['id']}"
    assert payer.get(invoice_at).status_code == 404

    issued = finance.post(f"{invoice_at}/issue").json()
    assert (issued["state"], issued["issued_by"]) == ("issued", dana.email)
    assert finance.post(f"{invoice_at}/issue").json()["code"] == "illegal_state"

    assert payer.get(invoice_at).json()["total_amount"] == 3960
    pdf = payer.get(f"{invoice_at}/pdf", {"language": "en"})
    assert (pdf.status_code, pdf["Content-Type"]) == (200, "application/pdf")
    assert pdf.content.startswith(b"%PDF-")
    assert pdf["Content-Disposition"] == f'attachment; filename="{issued["number"]}.pdf"'
    sheet = payer.get(f"{invoice_at}/csv", headers={"Accept": "text/csv"})
    assert (sheet.status_code, sheet["Content-Type"]) == (200, "text/csv; charset=utf-8")
    rows = csv.reader(io.StringIO(sheet.content.decode("utf-8-sig")))
    assert {issued["number"], "3960"} <= {cell for row in rows for cell in row}


def test_a_period_is_cut_inside_itself_only(
    api: Calls, afternoon: None, dana: User, account: Account
) -> None:
    period = BillingPeriod.objects.get(account=account)
    finance, address = api(dana), f"/api/v1/billing-periods/{period.pk}/cut"

    for at in (period.since, period.until, period.until + timedelta(days=5)):
        answer = finance.post(address, {"at": at})
        assert (answer.status_code, answer.json()["code"]) == (409, "illegal_state")

    assert BillingPeriod.objects.get(account=account) == period


def test_a_downloaded_language_is_one_of_two(
    api: Calls, afternoon: None, alice: User, dana: User, instance: Instance
) -> None:
    invoice = factory.issue_invoice(instance, by=dana)

    answer = api(alice).get(f"/api/v1/invoices/{invoice.pk}/csv", {"language": "fr"})

    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["errors"][0]["field"] == "language"


def test_a_draft_has_no_files(api: Calls, afternoon: None, dana: User, instance: Instance) -> None:
    invoice = factory.draft_invoice(instance)

    answer = api(dana).get(f"/api/v1/invoices/{invoice.pk}/pdf")

    assert (answer.status_code, answer.json()["code"]) == (409, "illegal_state")


def test_a_period_that_is_not_over_says_what_it_waits_for(
    api: Calls, dana: User, instance: Instance, account: Account
) -> None:
    billing_factory.register_seller()
    factory.use(instance)
    period = BillingPeriod.objects.get(account=account)
    finance = api(dana)
    draft = finance.post(f"/api/v1/billing-periods/{period.pk}/draft").json()

    refused = finance.post(f"/api/v1/invoices/{draft['id']}/issue")

    assert (refused.status_code, refused.json()["code"]) == (409, "close_blocked")
    assert refused.json()["exceptions"][0]["code"] == "period_not_over"
    assert refused.json()["retryable"] is True
    assert Invoice.objects.get().state == Invoice.State.DRAFT


def test_an_issued_invoice_is_voided_by_finance_only(
    api: Calls, afternoon: None, alice: User, dana: User, frank: User, instance: Instance
) -> None:
    invoice = factory.issue_invoice(instance, by=dana)
    address = f"/api/v1/invoices/{invoice.pk}/void"

    assert api(alice).post(address).status_code == 403
    assert api(frank).post(address).status_code == 403
    assert api(dana).post(address).json()["state"] == "void"


def test_a_period_is_found_or_opened(api: Calls, dana: User, account: Account, frank: User) -> None:
    finance, body = api(dana), {"account": account.pk, "at": TOMORROW + timedelta(days=60)}

    first = finance.post("/api/v1/billing-periods", body).json()
    assert finance.post("/api/v1/billing-periods", body).json() == first
    assert BillingPeriod.objects.filter(account=account).count() == 2
    assert api(frank).post("/api/v1/billing-periods", body).status_code == 403


def test_usage_is_told_in_seconds(
    api: Calls, afternoon: None, alice: User, instance: Instance, tenant: Tenant
) -> None:
    factory.use(instance, seconds=1800)
    client = api(alice)
    asked = {"tenant": tenant.slug, "since": NOON - timedelta(days=1), "until": AFTERNOON}

    rows = client.get("/api/v1/usage", asked).json()
    total = client.get("/api/v1/usage/provisional-total", asked).json()

    assert [(row["instance"], row["device_seconds"]) for row in rows] == [(str(instance.pk), 1800)]
    assert (total["net_amount"], total["tax_amount"], total["total_amount"]) == (1800, 180, 1980)
    assert total["lines"][0]["hourly_rate"] == "3600.0000"
    assert Invoice.objects.count() == 0


@pytest.mark.parametrize(
    ("since", "until"),
    [(NOON, NOON), (NOON, NOON - timedelta(days=1)), (NOON - timedelta(days=400), NOON)],
)
def test_a_senseless_time_is_refused(
    api: Calls, alice: User, tenant: Tenant, since: object, until: object
) -> None:
    answer = api(alice).get(
        "/api/v1/usage", {"tenant": tenant.slug, "since": since, "until": until}
    )

    assert answer.status_code == 400


def test_a_guest_sees_the_use_of_one_project(
    api: Calls,
    afternoon: None,
    alice: User,
    bob: User,
    instance: Instance,
    tenant: Tenant,
    catalog: Catalog,
) -> None:
    night = onboarding.open_project(tenant=tenant, name="Night", at=NOON)
    factory.grant(night, catalog.family, 1, by=bob, asked_by=alice)
    other = factory.submit_instances(night, catalog, by=alice).launched_instances.get().instance
    factory.use(instance)
    factory.use(other)
    noah = factory.make_user("Noah")
    joining.add_project_member(project=night, email=noah.email, role=Role.VIEWER, at=NOON)
    asked = {"tenant": tenant.slug, "since": NOON - timedelta(days=1)}

    rows = api(noah).get("/api/v1/usage", asked).json()

    assert [row["instance"] for row in rows] == [str(other.pk)]
    assert len(api(alice).get("/api/v1/usage", asked).json()) == 2
    assert api(noah).get("/api/v1/usage/provisional-total", asked).status_code == 403
    assert api(noah).get("/api/v1/accounts").json()["results"] == []


def test_prices_are_set_ended_and_never_overlap(api: Calls, dana: User, catalog: Catalog) -> None:
    finance = api(dana)
    book = finance.get("/api/v1/price-books").json()["results"][0]
    sku = finance.get("/api/v1/skus").json()["results"][0]["code"]
    known = finance.get("/api/v1/rates", {"price_book": book["id"], "sku": sku}).json()["results"]
    assert [(rate["hourly_rate"], rate["valid_until"]) for rate in known] == [("3600.0000", None)]
    body = {
        "price_book": book["id"],
        "sku": sku,
        "hourly_rate": "4000",
        "valid_from": TOMORROW,
    }

    overlapping = finance.post("/api/v1/rates", body)
    assert (overlapping.status_code, overlapping.json()["code"]) == (409, "rate_overlap")
    assert Rate.objects.count() == 1


def test_others_look_at_prices_or_do_not_even_that(
    api: Calls, alice: User, bob: User, frank: User, catalog: Catalog
) -> None:
    assert api(frank).get("/api/v1/rates").status_code == 200
    assert api(frank).post("/api/v1/rates", {}).status_code == 403
    assert api(bob).get("/api/v1/rates").status_code == 403
    assert api(alice).get("/api/v1/rates").status_code == 404


def test_an_account_is_seen_by_its_payers_and_by_finance(
    api: Calls, alice: User, dana: User, account: Account, project: Project
) -> None:
    address = f"/api/v1/accounts/{account.pk}"
    mia = factory.make_user("Mia")
    joining.add_member(tenant=project.tenant, email=mia.email, role=Role.MEMBER, by=alice, at=NOON)

    assert api(alice).get(address).json()["tenant"] == project.tenant.slug
    assert api(dana).get(address).status_code == 200
    assert api(mia).get(address).status_code == 404
