"""Long lists in pages, each with the address of the next.

The cursor holds the place of the last row by (when it was made, id): stable while rows
are added, and equally fast on every page.  Rows made in the same instant, as one request
makes them, are told apart by id.
"""

import base64
import json
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError as InvalidValue
from django.db.models import Model, Q, QuerySet
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

if TYPE_CHECKING:  # rest_framework.views imports this module
    from rest_framework.views import APIView

DEFAULT_LIMIT = 50
MOST = 200


class CreatedCursorPagination(BasePagination):
    """Pages in the order of the view's `page_order`, newest first unless it says otherwise."""

    def paginate_queryset(
        self, queryset: Any, request: Request, view: "APIView | None" = None
    ) -> list[Any]:
        """Read one page, and one row more to know whether another follows."""
        self.request = request
        order = getattr(view, "page_order", "-created_at")
        sign, self.field = ("-", order[1:]) if order.startswith("-") else ("", order)
        rows = queryset.order_by(f"{sign}{self.field}", f"{sign}pk")
        if cursor := request.query_params.get("cursor"):
            rows = _after(rows, self.field, "lt" if sign else "gt", cursor)
        limit = _limit(request.query_params.get("limit"))
        found = list(rows[: limit + 1])
        self.page, self.has_more = found[:limit], len(found) > limit
        return self.page

    def get_paginated_response(self, data: Sequence[Any]) -> Response:
        """Answer the page and the address of the next one."""
        return Response({"next": self.next_address(), "results": data})

    def next_address(self) -> str | None:
        """Where the next page is, if there is one."""
        if not self.has_more:
            return None
        here = self.request.build_absolute_uri()
        return replace_query_param(here, "cursor", _cursor(self.page[-1], self.field))

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Describe the page in terms of OpenAPI 3.1, which knows no `nullable`."""
        return {
            "type": "object",
            "required": ["next", "results"],
            "properties": {
                "next": {"type": ["string", "null"], "format": "uri"},
                "results": schema,
            },
        }

    def get_schema_operation_parameters(self, view: "APIView") -> list[dict[str, Any]]:
        """Describe the two parameters of every list."""
        return [
            {
                "name": "cursor",
                "in": "query",
                "required": False,
                "description": "From the `next` of the page before.",
                "schema": {"type": "string"},
            },
            {
                "name": "limit",
                "in": "query",
                "required": False,
                "description": "Rows on a page.",
                "schema": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": MOST,
                    "default": DEFAULT_LIMIT,
                },
            },
        ]


def _after(rows: QuerySet[Any], field: str, comparison: str, cursor: str) -> QuerySet[Any]:
    value, pk = _place(cursor, rows.model, field)
    later = Q(**{f"{field}__{comparison}": value})
    same = Q(**{field: value, f"pk__{comparison}": pk})
    # The first condition is implied; it lets the database start in the index.
    return rows.filter(later | same, **{f"{field}__{comparison}e": value})


def _cursor(row: Model, field: str) -> str:
    value = getattr(row, field)
    text = json.dumps([value.isoformat() if hasattr(value, "isoformat") else value, str(row.pk)])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _place(cursor: str, model: type[Model], field: str) -> tuple[Any, Any]:
    try:
        value, pk = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(value, str | int) or not isinstance(pk, str) or "\x00" in f"{value}{pk}":
            raise ValueError
        column: Any = model._meta.get_field(field)
        place = column.to_python(value), model._meta.pk.to_python(pk)
        if isinstance(place[0], datetime) and place[0].tzinfo is None:
            raise ValueError
    except (InvalidValue, ValueError, TypeError, OverflowError, RecursionError):
        raise _refused("cursor", "This is not a cursor of ours.") from None
    return place


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 0 < int(text) <= MOST):
        raise _refused("limit", f"A page has 1 to {MOST} rows.")
    return int(text)


def _refused(parameter: str, message: str) -> ValidationError:
    return ValidationError({parameter: [message]}, code="invalid")
