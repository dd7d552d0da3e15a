"""A refusal of the database, read back by the name of the constraint that spoke.

The database is the last word on overlaps and immutability; the domain asks it and turns what it
says into an error of its own.  Each attempt runs in a savepoint, so a refusal does not poison the
caller's transaction.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from django.db import DatabaseError, IntegrityError, transaction

DEADLOCK_DETECTED = "40P01"


def violated(error: DatabaseError) -> str:
    """The name of the constraint that refused; empty if the database did not say."""
    diagnosis = getattr(error.__cause__, "diag", None)
    return getattr(diagnosis, "constraint_name", None) or ""


def is_deadlock(error: DatabaseError) -> bool:
    """Whether the database gave up on this one of two that waited for each other."""
    return getattr(error.__cause__, "pgcode", None) == DEADLOCK_DETECTED


@contextmanager
def refused_as(errors: Mapping[str, Exception]) -> Iterator[None]:
    """Raise our own error in place of the named constraint's."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        ours = errors.get(violated(error))
        if ours is None:
            raise
        raise ours from error
