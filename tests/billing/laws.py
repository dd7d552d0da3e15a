"""What the property tests share: how they run, and how an example leaves no trace."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction
from hypothesis import HealthCheck, Phase, settings


def examples(count: int) -> settings:
    """Bounded examples; the database decides how long one takes, so none is shrunk."""
    return settings(
        max_examples=count,
        deadline=None,
        phases=[Phase.explicit, Phase.reuse, Phase.generate],
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


@contextmanager
def rolled_back() -> Iterator[None]:
    """One example in a savepoint of its own, undone at the end whatever it found."""
    with transaction.atomic():
        try:
            yield
        finally:
            transaction.set_rollback(True)
