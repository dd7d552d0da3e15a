"""Value added tax: once per invoice, rounded down, then spread over the lines.

Down means towards minus infinity, for a negative total too.  Each line first gets its own tax
rounded down; what is left goes, one unit each, to the lines that lost most, the earlier line
first.  So no line is a whole unit away from its own tax, and the lines add up to the header.
`charging` writes the same rule in SQL.
"""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from math import floor


def tax_on(*, net_amount: int, tax_rate: Decimal) -> int:
    """The tax of a whole invoice."""
    return floor(net_amount * Fraction(tax_rate))


def spread_tax(*, net_amounts: Sequence[int], tax_rate: Decimal) -> list[int]:
    """The tax of each line; the sum is `tax_on` the sum."""
    exact = [net * Fraction(tax_rate) for net in net_amounts]
    shares = [floor(tax) for tax in exact]
    spare = floor(sum(exact)) - sum(shares)
    by_loss = sorted(range(len(exact)), key=lambda line: (shares[line] - exact[line], line))
    for line in by_loss[:spare]:
        shares[line] += 1
    return shares
