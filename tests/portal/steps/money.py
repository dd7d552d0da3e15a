"""Use, invoices, periods and prices."""

from datetime import timedelta

from tests.factories import portal as factory
from tests.factories.portal import AFTERNOON, NOON, TOMORROW
from tests.portal.walking import AliceWorld, Step, Words, mine, staffs


def _time(world: AliceWorld) -> Words:
    return {"tenant": world.tenant.slug, "since": NOON - timedelta(days=1)}


def _used(world: AliceWorld) -> Words:
    factory.use(world.instance)
    return _time(world)


MONEY = [
    Step("get", "/usage", asked=_used),
    Step("get", "/usage/provisional-total", asked=_used),
    mine("/accounts"),
    Step("get", "/accounts/{id}", key=lambda w: w.account.pk),
    mine("/invoices", asked=lambda w: {"account": w.invoice.account_id}),
    Step("get", "/invoices/{id}", key=lambda w: w.invoice.pk),
    Step("get", "/invoices/{id}/pdf", key=lambda w: w.invoice.pk),
    Step("get", "/invoices/{id}/csv", key=lambda w: w.invoice.pk),
    Step("post", "/invoices/{id}/issue", who="dana", key=lambda w: w.draft.pk),
    Step("post", "/invoices/{id}/void", who="dana", key=lambda w: w.invoice.pk),
    staffs("/billing-periods", "dana"),
    Step("get", "/billing-periods/{id}", who="dana", key=lambda w: w.used_period.pk),
    Step("post", "/billing-periods", who="dana", body=lambda w: {"account": w.account.pk}),
    Step(
        "post", "/billing-periods/{id}/cut", who="dana", status=201,
        key=lambda w: w.account.periods.get().pk, body=lambda w: {"at": AFTERNOON},
    ),
    Step("get", "/billing-periods/{id}/exceptions", who="dana", key=lambda w: w.used_period.pk),
    Step(
        "post", "/billing-periods/{id}/draft", who="dana", key=lambda w: w.used_period.pk,
        status=201,
    ),
    staffs("/price-books", "dana"),
    Step("get", "/price-books/{id}", who="dana", key=lambda w: w.book.pk),
    staffs("/skus", "dana"),
    staffs("/rates", "dana"),
    Step("get", "/rates/{id}", who="dana", key=lambda w: w.rate.pk),
    Step(
        "post", "/rates", who="dana", status=409,
        body=lambda w: {
            "price_book": w.book.pk, "sku": "rngd-device", "hourly_rate": "1",
            "valid_from": TOMORROW,
        },
    ),
    Step("post", "/rates/{id}/end", who="dana", key=lambda w: w.rate.pk, status=409,
         body=lambda w: {"valid_until": AFTERNOON}),
]  # fmt: skip
