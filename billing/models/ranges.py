"""The range expression our exclusion constraints share."""

from django.contrib.postgres.fields import DateTimeRangeField, RangeBoundary
from django.db.models import Func


class TsTzRange(Func):
    """`tstzrange(since, until, '[)')` over two columns."""

    function = "TSTZRANGE"
    output_field = DateTimeRangeField()


def half_open(since: str, until: str) -> TsTzRange:
    """The half-open range between two columns."""
    return TsTzRange(since, until, RangeBoundary())
