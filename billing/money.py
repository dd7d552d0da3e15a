"""Exact money: whole units of a currency, fractions on the way, rounded in one place.

Amounts are integers (won has no decimals) and rates are decimals per device-hour.
Fractions keep every digit in between, so the result does not depend on a decimal context.
"""

from decimal import Decimal
from fractions import Fraction
from math import floor

SECONDS_PER_HOUR = 3600


def round_half_up(value: Fraction) -> int:
    """The nearest whole unit; halves go up."""
    return floor(value + Fraction(1, 2))


def charge_for(*, device_seconds: int, hourly_rate: Decimal) -> int:
    """The one rounding of a line; `charging` writes the same rule in SQL."""
    return round_half_up(device_seconds * Fraction(hourly_rate) / SECONDS_PER_HOUR)
