"""R5: the tax of an invoice is taken once and its lines add up to it."""

from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from billing import taxing

VAT = Decimal("0.10")
tax_rates = st.decimals(min_value=0, max_value=Decimal("0.9999"), places=4)
amounts = st.integers(-(10**12), 10**12)


@given(net_amounts=st.lists(amounts, max_size=40), tax_rate=tax_rates)
def test_the_lines_add_up_to_the_header(net_amounts: list[int], tax_rate: Decimal) -> None:
    spread = taxing.spread_tax(net_amounts=net_amounts, tax_rate=tax_rate)

    assert sum(spread) == taxing.tax_on(net_amount=sum(net_amounts), tax_rate=tax_rate)


@given(net_amounts=st.lists(amounts, min_size=1, max_size=40), tax_rate=tax_rates)
def test_no_line_is_a_won_away_from_its_own_tax(net_amounts: list[int], tax_rate: Decimal) -> None:
    spread = taxing.spread_tax(net_amounts=net_amounts, tax_rate=tax_rate)

    for net_amount, tax in zip(net_amounts, spread, strict=True):
        assert abs(tax - net_amount * Fraction(tax_rate)) < 1


@given(net_amount=amounts, tax_rate=tax_rates)
def test_the_header_is_rounded_down(net_amount: int, tax_rate: Decimal) -> None:
    exact = net_amount * Fraction(tax_rate)

    assert 0 <= exact - taxing.tax_on(net_amount=net_amount, tax_rate=tax_rate) < 1


def test_down_is_down_below_zero_too() -> None:
    assert taxing.tax_on(net_amount=-15, tax_rate=VAT) == -2
    assert taxing.spread_tax(net_amounts=[-15], tax_rate=VAT) == [-2]


def test_the_line_that_lost_most_gets_the_spare_won_and_of_equals_the_first() -> None:
    assert taxing.spread_tax(net_amounts=[14, 19, 17], tax_rate=VAT) == [1, 2, 2]
    assert taxing.spread_tax(net_amounts=[15, 15], tax_rate=VAT) == [2, 1]
