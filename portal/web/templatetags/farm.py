"""Figures, money, times and states as pages print them.

Times are stored in UTC and printed in Korean time; money is whole won; digits are
grouped alike in both languages.
"""

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from django import template
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext_lazy

from billing.rating import Rating
from portal.web import findings, reasons, states
from provisioning.models import ClusterAlarm, ClusterFinding
from provisioning.queries import FamilyCapacity

register = template.Library()
KST = ZoneInfo("Asia/Seoul")
UNITS: dict[str, Promise] = {
    "card": pgettext_lazy("unit", "card"),
    "chip": pgettext_lazy("unit", "chip"),
    "core": pgettext_lazy("unit", "core"),
    "device": pgettext_lazy("unit", "device"),
}
SIGNS = {"KRW": "₩", "USD": "$"}


@register.filter
def money(amount: int | Decimal | None, currency: str = "KRW") -> str:
    """₩1,234; a dash where there is no amount."""
    if amount is None or amount == "":
        return "–"
    sign = SIGNS.get(currency, f"{currency} ")
    return f"−{sign}{-amount:,}" if amount < 0 else f"{sign}{amount:,}"


@register.filter
def rate(amount: Decimal | None, currency: str = "KRW") -> str:
    """An hourly rate, without zeros that say nothing: 1900.0000 is ₩1,900."""
    if amount is None:
        return "–"
    plain = f"{amount:,.4f}".rstrip("0").rstrip(".")
    return f"{SIGNS.get(currency, currency)}{plain}"


@register.filter
def unit(code: str) -> Promise | str:
    """What one device of a family is: a card, a chip, a core."""
    return UNITS.get(code, code)


@register.filter
def count(number: int | None) -> str:
    """1,234"""
    return "–" if number is None else f"{number:,}"


@register.filter
def device_hours(device_seconds: int | None) -> str:
    """Device-seconds as device-hours, for reading; bills use the seconds."""
    if device_seconds is None:
        return "–"
    hours = Decimal(device_seconds) / 3600
    return f"{hours:,.4f}" if 0 < hours < 1 else f"{hours:,.2f}"


@register.filter
def rated_hours(rating: Rating) -> str:
    """The device-hours of a rating, priced or not."""
    priced = sum(line.device_seconds for line in rating.lines)
    return device_hours(priced + sum(use.device_seconds for use in rating.unpriced))


@register.filter
def kst(at: datetime | None) -> str:
    """2026-11-22 14:03"""
    return at.astimezone(KST).strftime("%Y-%m-%d %H:%M") if at else "–"


@register.filter
def kst_seconds(at: datetime | None) -> str:
    """2026-11-22 14:03:07"""
    return at.astimezone(KST).strftime("%Y-%m-%d %H:%M:%S") if at else "–"


@register.filter
def kst_date(at: datetime | None) -> str:
    """2026-11-22"""
    return at.astimezone(KST).strftime("%Y-%m-%d") if at else "–"


@register.filter
def kst_last_date(at: datetime | None) -> str:
    """The last day of a half-open span that ends at this instant."""
    return (at.astimezone(KST) - datetime.resolution).strftime("%Y-%m-%d") if at else "–"


@register.filter
def utc_iso(at: datetime) -> str:
    """For machines: 2026-11-22T05:03:07+00:00"""
    return at.astimezone(UTC).isoformat(timespec="seconds")


@register.filter
def duration(seconds: float | None) -> str:
    """1 h 03 min 20 s, the two largest parts that matter."""
    if seconds is None:
        return "–"
    whole = int(seconds)
    if whole < 60:
        return _("%(seconds)s s") % {"seconds": whole}
    if whole < 3600:
        return _("%(minutes)s min %(seconds)02d s") % {
            "minutes": whole // 60,
            "seconds": whole % 60,
        }
    if whole < 86400 * 2:
        return _("%(hours)s h %(minutes)02d min") % {
            "hours": whole // 3600,
            "minutes": whole % 3600 // 60,
        }
    days = whole // 86400
    return ngettext("%(days)s day", "%(days)s days", days) % {"days": days}


@register.filter
def gib(mebibytes: int) -> str:
    """65536 MiB is 64"""
    return f"{Decimal(mebibytes) / 1024:,.1f}".rstrip("0").rstrip(".")


@register.filter
def cores(millicores: int) -> str:
    """8000 is 8"""
    return f"{Decimal(millicores) / 1000:,.2f}".rstrip("0").rstrip(".")


@register.filter
def in_devices(number: int) -> str:
    """2 devices"""
    return ngettext("%(n)s device", "%(n)s devices", number) % {"n": number}


@register.filter
def in_cores(millicores: int) -> str:
    """8 cores"""
    number = 1 if millicores == 1000 else 2
    return ngettext("%(n)s core", "%(n)s cores", number) % {"n": cores(millicores)}


@register.filter
def shown_as(value: str, of: str) -> states.Shown:
    """The badge of a state."""
    return states.shown_as(value, of)


@register.filter
def in_words(code: str) -> str:
    """A reason in plain words."""
    return str(reasons.in_words(code))


@register.filter
def found_in_words(finding: ClusterFinding) -> str:
    """What was found out about a cluster, in plain words."""
    return findings.in_words(finding)


@register.filter
def adds_to_its_code(alarm: ClusterAlarm) -> bool:
    """Whether an alarm's message says more than the words of its code."""
    return bool(alarm.message) and alarm.code not in reasons.COMPLETE


@register.filter
def cells(granted: int, reserved: int) -> list[bool]:
    """One flag per device: is it in use?"""
    return [number < reserved for number in range(granted)]


@register.filter
def held(pool: FamilyCapacity) -> int:
    """Devices of a pool that nobody can take now."""
    return pool.total - pool.free


@register.filter
def pool_cells(pool: FamilyCapacity) -> list[str]:
    """One word per device: used, free, or out of service."""
    out = pool.total - pool.healthy
    used = pool.total - pool.free - out
    return ["used"] * used + ["free"] * pool.free + ["out"] * out


@register.filter
def ago(since: datetime | None, at: datetime) -> str:
    """20 s ago; never"""
    if since is None:
        return _("never")
    return _("%(age)s ago") % {"age": duration((at - since).total_seconds())}


@register.filter
def lookup(names: dict[int, str], key: int) -> str:
    """A name by its id; a dash where there is none."""
    return names.get(key, "–")


@register.filter
def seconds_of(by_sku: dict[str, int], sku: str) -> int:
    """Device-seconds of one SKU on one day."""
    return by_sku.get(sku, 0)


@register.filter
def hours_of(by_sku: dict[str, int], sku: str) -> str:
    """The same in hours, for the chart to read."""
    return f"{by_sku.get(sku, 0) / 3600:.4f}"


@register.filter
def series(index: int) -> int:
    """Which of the six colours of the charts a column has."""
    return index % 6 + 1


@register.filter
def age(since: datetime | None, at: datetime) -> float | None:
    """Seconds between an instant and the page's own."""
    return (at - since).total_seconds() if since else None


@register.filter
def lookup_or_none(rows: dict[int, object], key: int) -> object | None:
    """A row by its id, if there is one."""
    return rows.get(key)
