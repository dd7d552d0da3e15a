"""Empty what a transactional test has filled, and nothing else.

Django's own `flush` truncates every table and writes content types and permissions anew;
most tests fill a dozen tables of eighty.
"""

from functools import cache

from django.db import connections
from django.db.backends.utils import CursorWrapper

# Written by migrating, and by nobody afterwards.
KEPT = {"django_migrations", "django_content_type", "auth_permission"}


def empty_tables() -> None:
    """Truncate as the owner: the application may not."""
    with connections["owner"].cursor() as cursor:
        filled = _filled(cursor)
        if filled:
            cursor.execute(f"TRUNCATE {', '.join(filled)} CASCADE")


def _filled(cursor: CursorWrapper) -> list[str]:
    parts = [f"SELECT '{name}' WHERE EXISTS (SELECT FROM {name})" for name in _tables()]
    cursor.execute(" UNION ALL ".join(parts))
    return [name for (name,) in cursor.fetchall()]


@cache
def _tables() -> tuple[str, ...]:
    names = connections["owner"].introspection.table_names()
    return tuple(sorted(set(names) - KEPT))
