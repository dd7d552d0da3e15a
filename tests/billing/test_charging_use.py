"""The rating in SQL is the pure one: same lines, same seconds, same won, same tax."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from hypothesis import given
from hypothesis import strategies as st

from billing import charging, rating, taxing
from billing.charging import Scope
from billing.intervals import Span
from billing.models import Account, AccountBook, PriceBook, Rate, Sku, UsageInterval, Witness
from billing.rating import Price, Use
from tests.billing.laws import examples, rolled_back
from tests.factories import billing as factory
from tests.factories.billing import MARCH, NOON

DAYS = 40 * 86400
SKUS = ("atom", "rngd")

seconds = st.integers(0, DAYS)
mostly = st.sampled_from([True, True, True, True, False])
tax_rates = st.sampled_from([Decimal("0.10"), Decimal("0.0333"), Decimal(0)])
# Odd halves of a won, sums beyond what a float keeps, and ordinary prices.
rates = st.sampled_from(
    [
        Decimal(text)
        for text in ("0.0001", "1", "1800", "9999999999.9999", "1234.5678", "0", "987.6")
    ]
)


def at(offset: int) -> datetime:
    return MARCH + timedelta(seconds=offset)


@st.composite
def spans(draw: st.DrawFn) -> Span:
    since = draw(st.integers(0, DAYS // 2))
    return Span(at(since), at(since + draw(st.integers(DAYS // 4, DAYS))))


@st.composite
def borders(draw: st.DrawFn) -> list[tuple[datetime | None, datetime | None]]:
    """Stretches of time, one after another, open at the far end."""
    cuts: list[datetime | None] = [at(cut) for cut in sorted(draw(st.sets(seconds, max_size=2)))]
    return list(zip([at(-DAYS), *cuts], [*cuts, None], strict=True))


INTERVALS = st.tuples(
    st.sampled_from([0, 0, 0, 1]),
    st.integers(1, 3),
    st.sampled_from(SKUS),
    st.integers(1, 9),
    seconds,
    st.one_of(st.integers(0, 7200), st.integers(1, DAYS), st.none()),
    st.sampled_from([0, 1, None]),
)


@st.composite
def worlds(draw: st.DrawFn) -> "World":
    return World(
        books=[
            [
                (sku, since, until, draw(rates))
                for sku in SKUS
                for since, until in draw(borders())
                if draw(mostly)
            ]
            for _ in range(2)
        ],
        held=[
            (number % 2, since, until)
            for number, (since, until) in enumerate(draw(borders()))
            if draw(mostly)
        ],
        proofs=draw(st.lists(st.none() | seconds, min_size=2, max_size=2)),
        intervals=draw(st.lists(INTERVALS, min_size=6, max_size=20)),
    )


class World:
    """A drawn ledger with prices; `write` puts it into the database for an account."""

    def __init__(self, **drawn: object) -> None:
        self.__dict__.update(drawn)

    def __repr__(self) -> str:
        return f"World({self.__dict__})"

    def write(self) -> Account:
        d = self.__dict__
        number = uuid4().int % 10**15
        accounts = [
            Account.objects.create(tenant_id=number + each, name="Bada Vision") for each in (0, 1)
        ]
        skus = {code: Sku.objects.get_or_create(code=code)[0] for code in SKUS}
        books = [PriceBook.objects.create(name=f"{number}-{each}") for each in (0, 1)]
        for book, listed in zip(books, d["books"], strict=True):
            for sku, since, until, hourly_rate in listed:
                Rate.objects.create(
                    book=book,
                    sku=skus[sku],
                    valid=DateTimeTZRange(since, until),
                    hourly_rate=hourly_rate,
                )
        for which, since, until in d["held"]:
            AccountBook.objects.create(
                account=accounts[0], book=books[which], valid=DateTimeTZRange(since, until)
            )
        witnesses = [
            Witness.objects.create(
                source=1, ref=f"node-{each}", proved_until=None if proof is None else at(proof)
            )
            for each, proof in enumerate(d["proofs"])
        ]
        for whose, project, sku, quantity, start, length, witness in d["intervals"]:
            UsageInterval.objects.create(
                source=1,
                holder_uid=uuid4(),
                run_id=str(uuid4()),
                meter="device_time",
                resource_ref="instance",
                account=accounts[whose],
                project_id=project,
                sku=skus[sku],
                quantity=quantity,
                witness=None if witness is None else witnesses[witness % len(witnesses)],
                started_at=at(start),
                ended_at=None if length is None else at(start + length),
                end_quality=None if length is None else "exact",
                opened_at=NOON,
            )
        return accounts[0]


def uses_of(account: Account) -> Iterator[Use]:
    """The ledger as the pure rule sees it."""
    for row in UsageInterval.objects.filter(account=account).select_related("sku", "witness"):
        proved = row.witness.proved_until if row.witness else None
        until = row.ended_at or max(row.started_at, proved or row.started_at)
        yield Use(
            project_id=row.project_id,
            sku_code=row.sku.code,
            quantity=row.quantity,
            span=Span(row.started_at, until),
        )


def prices_of(account: Account) -> Iterator[Price]:
    """The prices an account pays, each while both the rate and its book hold."""
    for held in AccountBook.objects.filter(account=account):
        for rate in Rate.objects.filter(book=held.book_id).select_related("sku"):
            span = _span(held.valid).overlap(_span(rate.valid))
            if span:
                yield Price(
                    rate_id=rate.pk,
                    sku_code=rate.sku.code,
                    hourly_rate=rate.hourly_rate,
                    span=span,
                )


def _span(valid: DateTimeTZRange) -> Span:
    return Span.of(lower=valid.lower, upper=valid.upper)


def purely(scope: Scope, account: Account) -> rating.Rating:
    return rating.rate_usage(
        uses=uses_of(account),
        prices=list(prices_of(account)),
        span=scope.span,
        tax_rate=scope.tax_rate,
    )


@examples(120)
@given(world=worlds(), first=spans(), second=spans(), tax_rate=tax_rates)
def test_rating_in_sql_is_the_pure_rating(
    db: None, world: World, first: Span, second: Span, tax_rate: Decimal
) -> None:
    with rolled_back():
        account = world.write()
        scopes = [
            Scope(account_id=account.pk, span=span, tax_rate=tax_rate) for span in (first, second)
        ]

        rated = charging.rate_scopes(scopes)

        assert rated == [purely(scope, account) for scope in scopes]
        assert rated[0] == charging.rate_scope(scopes[0])


@examples(25)
@given(world=worlds(), whole=spans(), cuts=st.lists(seconds, max_size=3))
def test_parts_of_a_time_hold_its_seconds_in_the_database_too(
    db: None, world: World, whole: Span, cuts: list[int]
) -> None:
    with rolled_back():
        account = world.write()
        spans = [whole, *whole.split_at(at(cut) for cut in cuts)]

        rated = charging.rate_scopes(
            [Scope(account_id=account.pk, span=span, tax_rate=Decimal(0)) for span in spans]
        )

        counted = [
            sum(part.device_seconds for part in (*each.lines, *each.unpriced)) for each in rated
        ]
        assert sum(counted[1:]) == counted[0]


@pytest.mark.parametrize("zone", ["UTC", "Asia/Seoul", "America/St_Johns"])
def test_the_servers_time_zone_moves_no_second(account: Account, zone: str) -> None:
    factory.price(hourly_rate="3600")
    factory.record_use(
        account=account,
        started_at=factory.APRIL - timedelta(seconds=90),
        ended_at=factory.APRIL + timedelta(seconds=30),
        quantity=1,
    )
    months = [Span(MARCH, factory.APRIL), Span(factory.APRIL, factory.APRIL + timedelta(days=30))]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL TIME ZONE %s", [zone])

    rated = charging.rate_scopes(
        [Scope(account_id=account.pk, span=month, tax_rate=Decimal("0.1")) for month in months]
    )

    assert [(each.net, each.tax) for each in rated] == [(90, 9), (30, 3)]


@examples(40)
@given(net_amounts=st.lists(st.integers(1, 60), min_size=1, max_size=9), tax_rate=tax_rates)
def test_the_tax_is_spread_in_sql_as_it_is_purely(
    db: None, net_amounts: list[int], tax_rate: Decimal
) -> None:
    with rolled_back():
        account = factory.open_account()
        factory.price(hourly_rate="3600")
        for project_id, net_amount in enumerate(net_amounts):
            factory.record_use(
                account=account, seconds=net_amount, quantity=1, project_id=project_id
            )

        rated = charging.rate_scope(
            Scope(account_id=account.pk, span=Span(MARCH, factory.APRIL), tax_rate=tax_rate)
        )

        assert [line.net_amount for line in rated.lines] == net_amounts
        spread = taxing.spread_tax(net_amounts=net_amounts, tax_rate=tax_rate)
        assert [line.tax_amount for line in rated.lines] == spread


@pytest.mark.parametrize(("seconds", "won"), [(1, 1), (2, 1), (3, 2), (4, 2), (7199, 3600)])
def test_half_a_won_is_rounded_up_in_sql_too(account: Account, seconds: int, won: int) -> None:
    factory.price(hourly_rate="1800")
    factory.record_use(account=account, seconds=seconds, quantity=1)
    scope = Scope(account_id=account.pk, span=Span(MARCH, factory.APRIL), tax_rate=Decimal("0.1"))

    assert charging.rate_scope(scope).net == won


def test_an_open_run_without_proof_costs_nothing(account: Account) -> None:
    factory.price()
    factory.record_use(account=account, witness_ref=None)
    factory.record_use(account=account, witness_ref="node-9/boot-1")
    scope = Scope(account_id=account.pk, span=Span(MARCH, factory.APRIL), tax_rate=Decimal("0.1"))

    assert charging.rate_scope(scope) == rating.Rating(lines=())


def test_a_very_large_line_is_rounded_exactly(account: Account) -> None:
    """Plain numeric division would keep too few digits here, and be a won off."""
    factory.price(hourly_rate="59064.2917")
    factory.record_use(account=account, started_at=MARCH, seconds=2_600_000, quantity=338_390)
    factory.record_use(account=account, started_at=MARCH, seconds=1_381_858, quantity=1)
    scope = Scope(account_id=account.pk, span=Span(MARCH, factory.APRIL), tax_rate=Decimal("0.1"))

    rated = charging.rate_scope(scope)

    assert (rated.lines[0].device_seconds, rated.net) == (879_815_381_858, 14_434_908_987_835)
    assert rated == purely(scope, account)
