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
    for key, line in _read_lines(scopes):
        lines[key].append(line)
    unpriced = _read_unpriced(scopes, lines)
    return [
        Rating(lines=tuple(lines[key]), unpriced=tuple(unpriced[key]))
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


def _read_lines(scopes: Sequence[Scope]) -> list[tuple[int, RatedLine]]:
    with connection.cursor() as cursor:
        cursor.execute(charging_sql.READ_LINES, _parameters(scopes))
        names = [column.name for column in cursor.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return [(row.pop("key"), RatedLine(**row)) for row in rows]


def _read_unpriced(
    scopes: Sequence[Scope], lines: Mapping[int, Sequence[RatedLine]]
) -> dict[int, list[UnpricedUse]]:
    """Ledger seconds that reached no line: summed without prices, less what was rated."""
    left: dict[tuple[int, int, str], int] = {}
    with connection.cursor() as cursor:
        cursor.execute(charging_sql.READ_SECONDS, _parameters(scopes))
        for key, project_id, sku_code, seconds in cursor.fetchall():
            left[key, project_id, sku_code] = seconds
    for key, rated in lines.items():
        for line in rated:
            left[key, line.project_id, line.sku_code] -= line.device_seconds
    unpriced: dict[int, list[UnpricedUse]] = defaultdict(list)
    for (key, project_id, sku_code), seconds in sorted(left.items()):
        if seconds:
            unpriced[key].append(
                UnpricedUse(project_id=project_id, sku_code=sku_code, device_seconds=seconds)
            )
    return unpriced


def _parameters(scopes: Sequence[Scope]) -> dict[str, Any]:
    return {
        "accounts": [scope.account_id for scope in scopes],
        "sinces": [scope.span.since for scope in scopes],
        "untils": [scope.span.until for scope in scopes],
        "tax_rates": [scope.tax_rate for scope in scopes],
        "first": min(scope.span.since for scope in scopes),
        "last": max(scope.span.until for scope in scopes),
    }
