"""What the invoice must say, computed here from the seconds and the rate alone."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

SECONDS_PER_HOUR = 3600


@dataclass(frozen=True)
class Amounts:
    """Won, whole: net of the line, tax of the invoice, their sum."""

    net: int
    tax: int
    total: int


def expected(*, device_seconds: int, hourly_rate: Decimal, tax_rate: Decimal) -> Amounts:
    """One rounding for the line, half up; tax rounded down once."""
    exact = Decimal(device_seconds) * hourly_rate / SECONDS_PER_HOUR
    net = int(exact.quantize(Decimal(1), rounding=ROUND_HALF_UP))
    tax = int(net * tax_rate // 1)
    return Amounts(net=net, tax=tax, total=net + tax)
