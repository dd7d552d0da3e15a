"""R7: the numbers of a series have no gap and no repeat, whoever issues at once."""

import threading
from contextlib import suppress
from datetime import date

import pytest
from django.db import connection, transaction

from billing import invoicing, numbering, periods
from billing.models import Invoice, NumberSeries, Seller
from tests.factories import billing as factory
from tests.factories.billing import LATER, NOON

ISSUERS = 20


def make_draft() -> Invoice:
    account = factory.open_account()
    factory.record_use(account=account, seconds=3600)
    period = periods.period_for(account=account, at=NOON)
    return invoicing.draft_invoice(period=period, at=LATER)


@pytest.mark.django_db(transaction=True)
def test_twenty_who_issue_at_once_leave_no_gap_and_no_repeat() -> None:
    factory.register_seller()
    factory.price()
    drafts = [make_draft() for _ in range(ISSUERS)]
    start = threading.Barrier(ISSUERS)
    refused: list[Exception] = []

    def issue(draft: Invoice, *, fails: bool) -> None:
        try:
            start.wait(30)
            with suppress(ZeroDivisionError), transaction.atomic():
                invoicing.issue_invoice(draft=draft, by="dana", at=LATER)
                if fails:
                    raise ZeroDivisionError
        except Exception as error:  # noqa: BLE001
            refused.append(error)
        finally:
            connection.close()

    # Every fourth loses its transaction after the number was drawn.
    issuers = [
        threading.Thread(target=issue, args=(draft,), kwargs={"fails": number % 4 == 0})
        for number, draft in enumerate(drafts)
    ]
    for issuer in issuers:
        issuer.start()
    for issuer in issuers:
        issuer.join(60)

    assert refused == []
    issued = Invoice.objects.filter(state=Invoice.State.ISSUED)
    numbers = sorted(issued.values_list("number", flat=True), key=str)
    assert numbers == [f"INV-2026-{number:06d}" for number in range(1, 16)]
    assert NumberSeries.objects.get().last_number == len(numbers)


@pytest.mark.django_db(transaction=True)
def test_two_who_issue_the_same_draft_make_one_bill() -> None:
    factory.register_seller()
    factory.price()
    draft = make_draft()
    start = threading.Barrier(2)
    outcomes: list[str] = []

    def issue() -> None:
        try:
            start.wait(30)
            outcomes.append(invoicing.issue_invoice(draft=draft, by="dana", at=LATER).state)
        except Exception as error:  # noqa: BLE001
            outcomes.append(getattr(error, "code", repr(error)))
        finally:
            connection.close()

    people = [threading.Thread(target=issue) for _ in range(2)]
    for person in people:
        person.start()
    for person in people:
        person.join(60)

    assert sorted(outcomes) == ["illegal_state", "issued"]
    assert NumberSeries.objects.get().last_number == 1


def test_a_rolled_back_issue_leaves_no_gap(seller: Seller) -> None:
    factory.price()
    first, second = make_draft(), make_draft()
    with suppress(ZeroDivisionError), transaction.atomic():
        lost = invoicing.issue_invoice(draft=first, by="dana", at=LATER)
        assert lost.number == "INV-2026-000001"
        raise ZeroDivisionError

    assert invoicing.issue_invoice(draft=second, by="dana", at=LATER).number == "INV-2026-000001"


def test_two_sellers_may_both_have_a_first_invoice(seller: Seller) -> None:
    factory.price()
    first = invoicing.issue_invoice(draft=make_draft(), by="dana", at=LATER)
    factory.register_seller(name="Another", business_number="999-88-00001")

    second = invoicing.issue_invoice(draft=make_draft(), by="dana", at=LATER)

    assert first.number == second.number == "INV-2026-000001"


def test_a_seller_that_changed_its_words_counts_on(seller: Seller) -> None:
    factory.price()
    invoicing.issue_invoice(draft=make_draft(), by="dana", at=LATER)
    factory.register_seller(bank_account="Other Bank 5")

    second = invoicing.issue_invoice(draft=make_draft(), by="dana", at=LATER)

    assert second.number == "INV-2026-000002"


def test_each_year_and_each_seller_counts_anew(seller: Seller) -> None:
    other = factory.register_seller(name="Another", business_number="999-88-00001")

    drawn = [
        numbering.draw_number(seller=who, code="INV", on=date(year, 1, 2))[1]
        for who, year in [(seller, 2026), (seller, 2026), (seller, 2027), (other, 2026)]
    ]

    assert drawn == ["INV-2026-000001", "INV-2026-000002", "INV-2027-000001", "INV-2026-000001"]
