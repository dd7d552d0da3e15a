"""Raw SQL as the application's role: what is refused, and by which constraint."""

import pytest
from django.db import IntegrityError, connection, transaction

from billing.constraints import violated


def attack(statement: str, *parameters: object) -> str:
    """Try a statement; returns the constraint that refused it, and fails if nothing did."""
    with pytest.raises(IntegrityError) as refusal:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement, parameters)
    return violated(refusal.value)


def allow(statement: str, *parameters: object) -> None:
    """Make a change to one row that nothing may refuse."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        assert cursor.rowcount == 1
