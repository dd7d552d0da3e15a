"""Cut long lists into pages by number; the API's cursors are another matter."""

from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest

ROWS = 25


def paged(request: HttpRequest, rows: QuerySet[Any], *, size: int = ROWS) -> Page[Any]:
    """The page the reader asked for; nonsense gets the first or the last one."""
    return Paginator(rows, size).get_page(request.GET.get("page"))
