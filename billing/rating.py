"""Turn use and prices into rated lines: pure.

Each use is clipped to the span and split where the price changes; seconds are added up as integers
per project, SKU and rate; each line is rounded once.  Seconds without a price are told, never
dropped.  `charging` is the same rule as set-based SQL, and a property test holds the two equal.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from billing import money, taxing
from billing.intervals import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """Devices of one SKU held by one project, as far as it is proved."""

    project_id: int
    sku_code: str
    quantity: int
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What an hour of one device costs, while it holds."""

    rate_id: int
    sku_code: str
    hourly_rate: Decimal
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A part of one use under one price, or under none."""

    price: Price | None
    span: Span
    device_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RatedLine:
    """All use of one SKU at one rate by one project, rounded once."""

    project_id: int
    sku_code: str
    rate_id: int
    hourly_rate: Decimal
    device_seconds: int
    net_amount: int
    tax_amount: int
    service_from: datetime
    service_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpricedUse:
    """Device-seconds of one SKU in one project that no price covers."""

    project_id: int
    sku_code: str
    device_seconds: int


@dataclass(frozen=True, slots=True)
class Rating:
    """What a span comes to: its lines in order, and what could not be priced."""

    lines: tuple[RatedLine, ...]
    unpriced: tuple[UnpricedUse, ...] = ()

    @property
    def net(self) -> int:
        """The sum before tax."""
        return sum(line.net_amount for line in self.lines)

    @property
    def tax(self) -> int:
        """The tax."""
        return sum(line.tax_amount for line in self.lines)

    @property
    def total(self) -> int:
        """What is to be paid."""
        return self.net + self.tax


def rate_interval(*, use: Use, prices: Iterable[Price], span: Span) -> list[Piece]:
    """The pieces of one use inside a span; together they are exactly that part of it."""
    inside = use.span.overlap(span)
    if inside is None:
        return []
    holding = [price for price in prices if price.sku_code == use.sku_code]
    borders = [instant for price in holding for instant in (price.span.since, price.span.until)]
    return [
        Piece(
            price=next((price for price in holding if price.span.covers(part.since)), None),
            span=part,
            device_seconds=part.seconds * use.quantity,
        )
        for part in inside.split_at(borders)
    ]


def rate_usage(
    *, uses: Iterable[Use], prices: Sequence[Price], span: Span, tax_rate: Decimal
) -> Rating:
    """The lines of a span, in the order they are printed, with their share of the tax."""
    by_rate = {price.rate_id: price for price in prices}
    priced: dict[tuple[int, int], list[Piece]] = defaultdict(list)
    unpriced: dict[tuple[int, str], int] = defaultdict(int)
    for use in uses:
        for piece in rate_interval(use=use, prices=prices, span=span):
            if piece.price is None:
                unpriced[use.project_id, use.sku_code] += piece.device_seconds
            else:
                priced[use.project_id, piece.price.rate_id].append(piece)
    lines = sorted(
        (
            _line_of(project_id, by_rate[rate_id], pieces)
            for (project_id, rate_id), pieces in priced.items()
        ),
        key=lambda line: (line.project_id, line.sku_code, line.service_from, line.rate_id),
    )
    return Rating(
        lines=_with_tax(lines, tax_rate),
        unpriced=tuple(
            UnpricedUse(project_id=project_id, sku_code=sku_code, device_seconds=seconds)
            for (project_id, sku_code), seconds in sorted(unpriced.items())
        ),
    )


def _line_of(project_id: int, price: Price, pieces: Sequence[Piece]) -> RatedLine:
    device_seconds = sum(piece.device_seconds for piece in pieces)
    return RatedLine(
        project_id=project_id,
        sku_code=price.sku_code,
        rate_id=price.rate_id,
        hourly_rate=price.hourly_rate,
        device_seconds=device_seconds,
        net_amount=money.charge_for(device_seconds=device_seconds, hourly_rate=price.hourly_rate),
        tax_amount=0,
        service_from=min(piece.span.since for piece in pieces),
        service_until=max(piece.span.until for piece in pieces),
    )


def _with_tax(lines: Sequence[RatedLine], tax_rate: Decimal) -> tuple[RatedLine, ...]:
    taxes = taxing.spread_tax(net_amounts=[line.net_amount for line in lines], tax_rate=tax_rate)
    return tuple(replace(line, tax_amount=tax) for line, tax in zip(lines, taxes, strict=True))
