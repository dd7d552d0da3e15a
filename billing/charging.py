"""Rate use in the database: many accounts at once, straight into invoice lines.

The rule is `rating`'s, as one statement (`charging_sql`).  `invoicing` writes lines with it,
`closing` recomputes with it, `queries` shows a provisional total with it.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

from billing import charging_sql
from billing.intervals import Span
from billing.rating import RatedLine, Rating, UnpricedUse


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Whose use of which time is rated, and at which tax rate."""

    account_id: int
    span: Span
    tax_rate: Decimal


def rate_scope(scope: Scope) -> Rating:
    """What one account owes for a time; writes nothing."""
    return rate_scopes([scope])[0]


def rate_scopes(scopes: Sequence[Scope]) -> list[Rating]:
    """What each scope comes to, in their order; writes nothing."""
    if not scopes:
        return []
    lines: dict[int, list[RatedLine]] = defaultdict(list)
    left: dict[int, dict[tuple[int, str], int]] = defaultdict(lambda: defaultdict(int))
    for row in _read(scopes):
        key, _ = row.pop("key"), row.pop("position")
        use = (row["project_id"], row["sku_code"])
        if row["rate_id"] is None:
            left[key][use] += row["device_seconds"]
        else:
            lines[key].append(RatedLine(**row))
            left[key][use] -= row["device_seconds"]
    return [
        Rating(lines=tuple(lines[key]), unpriced=tuple(_unpriced(left[key])))
        for key in range(1, len(scopes) + 1)
    ]


def write_lines(*, drafts: Mapping[UUID, Scope], project_names: Mapping[int, str]) -> None:
    """Rate the scopes of these draft invoices into their lines, and add up the headers."""
    if not drafts:
        return
    parameters = {
        **_parameters(list(drafts.values())),
        "invoices": list(drafts),
        "project_ids": list(project_names),
        "project_names": list(project_names.values()),
    }
    with connection.cursor() as cursor:
        cursor.execute(charging_sql.WRITE_LINES, parameters)
        cursor.execute(charging_sql.ADD_UP, parameters)


def _read(scopes: Sequence[Scope]) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(charging_sql.READ_RATING, _parameters(scopes))
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _unpriced(left: Mapping[tuple[int, str], int]) -> list[UnpricedUse]:
    """Ledger seconds that reached no line."""
    return [
        UnpricedUse(project_id=project_id, sku_code=sku_code, device_seconds=seconds)
        for (project_id, sku_code), seconds in sorted(left.items())
        if seconds
    ]


def _parameters(scopes: Sequence[Scope]) -> dict[str, Any]:
    return {
        "accounts": [scope.account_id for scope in scopes],
        "sinces": [scope.span.since for scope in scopes],
        "untils": [scope.span.until for scope in scopes],
        "tax_rates": [scope.tax_rate for scope in scopes],
        "first": min(scope.span.since for scope in scopes),
        "last": max(scope.span.until for scope in scopes),
    }
