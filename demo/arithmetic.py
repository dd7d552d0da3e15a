"""What the invoice must say, computed here from the seconds and the rate alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

SECONDS_PER_HOUR = 3600


@dataclass(frozen=True)
class Amounts:
    """Won, whole: net of the lines, tax of the invoice, their sum."""

    net: int
    tax: int
    total: int


def expected_net(*, device_seconds: int, hourly_rate: Decimal) -> int:
    """One line, rounded once, half up."""
    exact = Decimal(device_seconds) * hourly_rate / SECONDS_PER_HOUR
    return int(exact.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def total_of(nets: Sequence[int], *, tax_rate: Decimal) -> Amounts:
    """An invoice: its tax is rounded down once, on the sum."""
    net = sum(nets)
    tax = int(net * tax_rate // 1)
    return Amounts(net=net, tax=tax, total=net + tax)
