"""Many callers at once, each on a thread and a connection of its own."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from django.db import connection

T = TypeVar("T")


def race(calls: list[Callable[[], T]], *, abreast: int | None = None) -> list[T | Exception]:
    """Run the calls, as many abreast as asked, all let go at the same moment."""
    threads = abreast or len(calls)
    start = Barrier(threads)

    def run(number: int, call: Callable[[], T]) -> T | Exception:
        try:
            connection.ensure_connection()
            if number < threads:
                start.wait(timeout=30)
            return call()
        except Exception as error:  # noqa: BLE001 - what each was told is what the test looks at
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, range(len(calls)), calls))
