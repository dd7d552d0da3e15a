"""What one instance has used and cost so far, by the rule that bills.

Reads the ledger and the price books; the sum is provisional, because more proof may
come and because an invoice rounds once per line of a whole project.
"""

from dataclasses import dataclass
from datetime import datetime

from billing import pricing
from billing.intervals import BEGINNING, FOREVER, Span
from billing.models import AccountBook, Rate, UsageInterval
from billing.rating import Price, Rating, Use, rate_usage
from provisioning.models import Instance


@dataclass(frozen=True)
class Run:
    """One container run of the instance, as far as it is proved."""

    interval: UsageInterval
    until: datetime

    @property
    def seconds(self) -> int:
        """Seconds it ran, whatever the number of devices."""
        return int((self.until - self.interval.started_at).total_seconds())

    @property
    def device_seconds(self) -> int:
        """What is billed."""
        return self.seconds * self.interval.quantity


@dataclass(frozen=True)
class Spending:
    """The runs of an instance and what they come to."""

    runs: list[Run]
    rating: Rating

    @property
    def seconds(self) -> int:
        """Seconds it ran in all."""
        return sum(run.seconds for run in self.runs)

    @property
    def device_seconds(self) -> int:
        """Device-seconds in all."""
        return sum(run.device_seconds for run in self.runs)

    @property
    def proved_until(self) -> datetime | None:
        """Up to when an open run is proved; None when nothing is open."""
        return next((run.until for run in self.runs if run.interval.ended_at is None), None)


def spending_of(instance: Instance) -> Spending:
    """Everything an instance has used so far."""
    rows = UsageInterval.objects.filter(resource_ref=str(instance.pk)).with_watermark()
    intervals = rows.select_related("sku").order_by("started_at")
    runs = [Run(interval, _until(interval)) for interval in intervals]
    rating = rate_usage(
        uses=[_use(run) for run in runs],
        prices=_prices(instance),
        span=Span(BEGINNING, FOREVER),
        tax_rate=pricing.tax_rate_now(),
    )
    return Spending(runs, rating)


def _until(interval: UsageInterval) -> datetime:
    proved: datetime | None = getattr(interval, "watermark", None)
    return proved or interval.started_at


def _use(run: Run) -> Use:
    return Use(
        project_id=run.interval.project_id,
        sku_code=run.interval.sku.code,
        quantity=run.interval.quantity,
        span=Span(run.interval.started_at, run.until),
    )


def _prices(instance: Instance) -> list[Price]:
    """The account's prices for the instance's SKU: each rate while its book was the account's."""
    prices = []
    for held in AccountBook.objects.filter(account=instance.account_id):
        holding = Span.of(lower=held.valid.lower, upper=held.valid.upper)
        for rate in Rate.objects.filter(book=held.book_id, sku__code=instance.sku_code):
            valid = Span.of(lower=rate.valid.lower, upper=rate.valid.upper).overlap(holding)
            if valid:
                prices.append(
                    Price(
                        rate_id=rate.pk,
                        sku_code=instance.sku_code,
                        hourly_rate=rate.hourly_rate,
                        span=valid,
                    )
                )
    return prices
