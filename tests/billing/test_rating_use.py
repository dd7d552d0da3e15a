"""R1–R4, as pure arithmetic: nothing is lost, nothing counted twice, the order does not matter."""

import itertools
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from billing import money, periods, rating
from billing.intervals import Span
from billing.rating import Price, Use

START = datetime(2026, 1, 31, 14, 59, tzinfo=UTC)
DAYS = 90 * 86400
SKUS = ("atom", "rngd")
VAT = Decimal("0.10")

seconds = st.integers(0, DAYS)
rates = st.decimals(min_value=0, max_value=100_000, places=4)


@st.composite
def spans(draw: st.DrawFn) -> Span:
    since = draw(seconds)
    return Span(at(since), at(since + draw(st.integers(1, DAYS))))


@st.composite
def uses(draw: st.DrawFn) -> Use:
    return Use(
        project_id=draw(st.integers(1, 3)),
        sku_code=draw(st.sampled_from(SKUS)),
        quantity=draw(st.integers(1, 8)),
        span=draw(spans()),
    )


@st.composite
def price_lists(draw: st.DrawFn, *, has_gaps: bool = True) -> list[Price]:
    """Prices of both SKUs, one after another; with gaps, some time has none."""
    prices = []
    for sku_code in SKUS:
        cuts = sorted(draw(st.sets(seconds, max_size=4)))
        borders = [START - timedelta(days=400), *(at(cut) for cut in cuts), at(4 * DAYS)]
        for since, until in itertools.pairwise(borders):
            if has_gaps and draw(st.booleans()):
                continue
            prices.append(
                Price(
                    rate_id=len(prices) + 1,
                    sku_code=sku_code,
                    hourly_rate=draw(rates),
                    span=Span(since, until),
                )
            )
    return prices


def at(offset: int) -> datetime:
    return START + timedelta(seconds=offset)


def rate(uses: list[Use], prices: list[Price], span: Span) -> rating.Rating:
    return rating.rate_usage(uses=uses, prices=prices, span=span, tax_rate=VAT)


def seconds_of(rated: rating.Rating) -> int:
    """Priced and unpriced together."""
    parts = [*rated.lines, *rated.unpriced]
    return sum(part.device_seconds for part in parts)


@given(span=spans(), cuts=st.lists(seconds))
def test_splitting_keeps_every_second_once(span: Span, cuts: list[int]) -> None:
    pieces = span.split_at(at(cut) for cut in cuts)

    assert sum(piece.seconds for piece in pieces) == span.seconds
    assert [piece.since for piece in pieces[1:]] == [piece.until for piece in pieces[:-1]]
    assert (pieces[0].since, pieces[-1].until) == (span.since, span.until)


@given(use=uses(), prices=price_lists(), span=spans())
def test_the_pieces_of_an_interval_are_exactly_its_part_of_the_span(
    use: Use, prices: list[Price], span: Span
) -> None:
    pieces = rating.rate_interval(use=use, prices=prices, span=span)

    inside = use.span.overlap(span)
    held = inside.seconds * use.quantity if inside else 0
    assert sum(piece.device_seconds for piece in pieces) == held
    for piece in pieces:
        covering = [p for p in prices if p.sku_code == use.sku_code and p.span.overlap(piece.span)]
        assert covering == ([piece.price] if piece.price else [])


@given(
    use=st.lists(uses(), max_size=5), prices=price_lists(), whole=spans(), cuts=st.lists(seconds)
)
def test_billing_periods_share_out_every_second_once(
    use: list[Use], prices: list[Price], whole: Span, cuts: list[int]
) -> None:
    parts = [rate(use, prices, part) for part in whole.split_at(at(cut) for cut in cuts)]

    assert sum(map(seconds_of, parts)) == seconds_of(rate(use, prices, whole))


@given(use=st.lists(uses(), max_size=6), prices=price_lists(has_gaps=False))
def test_the_months_of_a_year_hold_what_the_ledger_holds(
    use: list[Use], prices: list[Price]
) -> None:
    month, months = periods.kst_month(START), []
    while month.since < at(3 * DAYS):
        months.append(month)
        month = periods.kst_month(month.until)

    billed = sum(seconds_of(rate(use, prices, month)) for month in months)

    assert billed == sum(each.span.seconds * each.quantity for each in use)
    assert all(not rate(use, prices, month).unpriced for month in months)


@given(use=st.lists(uses(), max_size=6), prices=price_lists(), span=spans(), order=st.randoms())
def test_the_order_of_the_ledger_and_of_the_prices_is_no_matter(
    use: list[Use], prices: list[Price], span: Span, order: random.Random
) -> None:
    shuffled, listed = list(use), list(prices)
    order.shuffle(shuffled)
    order.shuffle(listed)

    assert rate(shuffled, listed, span) == rate(use, prices, span)


@given(use=st.lists(uses(), max_size=5), more=uses(), prices=price_lists(), span=spans())
def test_more_use_never_costs_less(
    use: list[Use], more: Use, prices: list[Price], span: Span
) -> None:
    assert rate([*use, more], prices, span).net >= rate(use, prices, span).net


@given(use=st.lists(uses(), max_size=5), prices=price_lists(), span=spans(), foreign=rates)
def test_a_price_outside_the_span_has_no_effect(
    use: list[Use], prices: list[Price], span: Span, foreign: Decimal
) -> None:
    beyond = Price(
        rate_id=999,
        sku_code=SKUS[0],
        hourly_rate=foreign,
        span=Span(at(5 * DAYS), at(6 * DAYS)),
    )

    assert rate(use, [*prices, beyond], span) == rate(use, prices, span)


@given(device_seconds=st.integers(0, 10**12), hourly_rate=rates)
def test_a_charge_is_the_exact_product_rounded_half_up_once(
    device_seconds: int, hourly_rate: Decimal
) -> None:
    exact = Fraction(hourly_rate) * device_seconds / 3600

    charge = money.charge_for(device_seconds=device_seconds, hourly_rate=hourly_rate)

    assert -Fraction(1, 2) < charge - exact + Fraction(0) <= Fraction(1, 2)


def test_half_a_won_is_rounded_up() -> None:
    assert money.charge_for(device_seconds=1800, hourly_rate=Decimal(1)) == 1
    assert money.charge_for(device_seconds=1799, hourly_rate=Decimal(1)) == 0
    assert money.charge_for(device_seconds=3600 + 1800, hourly_rate=Decimal(1)) == 2


def test_a_line_is_rounded_once_and_not_per_interval() -> None:
    """Ten intervals of 0.4 won are four won, not none."""
    ten = [
        Use(project_id=1, sku_code="rngd", quantity=1, span=Span(at(n * 60), at(n * 60 + 36)))
        for n in range(10)
    ]
    price = Price(rate_id=1, sku_code="rngd", hourly_rate=Decimal(40), span=Span(START, at(DAYS)))

    assert rate(ten, [price], Span(START, at(DAYS))).net == 4


def test_a_price_change_splits_an_interval_between_two_lines() -> None:
    use = Use(project_id=1, sku_code="rngd", quantity=2, span=Span(START, at(7200)))
    prices = [
        Price(rate_id=1, sku_code="rngd", hourly_rate=Decimal(100), span=Span(START, at(1800))),
        Price(rate_id=2, sku_code="rngd", hourly_rate=Decimal(200), span=Span(at(1800), at(9000))),
    ]

    lines = rate([use], prices, Span(START, at(DAYS))).lines

    assert [(line.rate_id, line.device_seconds, line.net_amount) for line in lines] == [
        (1, 3600, 100),
        (2, 10800, 600),
    ]


def test_seconds_without_a_price_are_told() -> None:
    use = Use(project_id=1, sku_code="rngd", quantity=2, span=Span(START, at(100)))
    price = Price(rate_id=1, sku_code="rngd", hourly_rate=Decimal(100), span=Span(at(40), at(DAYS)))

    rated = rate([use], [price], Span(START, at(DAYS)))

    assert [(each.sku_code, each.device_seconds) for each in rated.unpriced] == [("rngd", 80)]
    assert sum(line.device_seconds for line in rated.lines) == 120
