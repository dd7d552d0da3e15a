"""Empty what a transactional test has filled, and nothing else.

Django's own `flush` truncates every table and writes content types and permissions anew; most
tests put a few rows into a dozen tables of eighty.  A truncated table is a new file per index.
"""

from functools import cache

from django.db import connections
from django.db.backends.utils import CursorWrapper

# Written by migrating, and by nobody afterwards.
KEPT = {"django_migrations", "django_content_type", "auth_permission"}


def empty_tables() -> None:
    """Delete every row as the owner, whose triggers are asleep meanwhile."""
    with connections["owner"].cursor() as cursor:
        if filled := _filled(cursor):
            deletes = "".join(f"DELETE FROM {name};" for name in filled)
            cursor.execute(f"BEGIN; SET LOCAL session_replication_role = replica; {deletes} COMMIT")


def _filled(cursor: CursorWrapper) -> list[str]:
    parts = [f"SELECT '{name}' WHERE EXISTS (SELECT FROM {name})" for name in _tables()]
    cursor.execute(" UNION ALL ".join(parts))
    return [name for (name,) in cursor.fetchall()]


@cache
def _tables() -> tuple[str, ...]:
    names = connections["owner"].introspection.table_names()
    return tuple(sorted(set(names) - KEPT))
