"""What the product says: usage intervals, reservations and instances, by plain SQL.

Read past the product's own code, for that code is on trial.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg2

from benchmarks.chaos.truth import Key

_INTERVALS = """
SELECT c.name, u.holder_uid::text, u.run_id, u.quantity, u.started_at, u.ended_at,
       coalesce(u.end_quality, ''), u.end_reason, u.gap_seconds,
       coalesce(u.ended_at, greatest(u.started_at, w.proved_until))
  FROM billing_usageinterval u
  JOIN provisioning_cluster c ON c.id = u.source
  LEFT JOIN billing_witness w ON w.id = u.witness_id
"""
_RESERVED = """
SELECT e.instance_id::text, -sum(e.delta)
  FROM quotas_quotaentry e
 WHERE e.kind IN ('reserve', 'release')
 GROUP BY 1 HAVING sum(e.delta) <> 0
"""
# The pod an instance is meant to have: of its last attempt, unless that is buried.
_INSTANCES = """
SELECT i.id::text, i.state, i.desired, i.reason, coalesce(a.uid::text, ''),
       i.next_reconcile_at IS NOT NULL AND i.next_reconcile_at <= now()
  FROM provisioning_instance i
  LEFT JOIN provisioning_attempt a
    ON a.instance_id = i.id AND a.no = i.attempt_no AND a.state <> 'gone'
"""
_QUARANTINED = "SELECT count(*) FROM billing_quarantinedfact WHERE resolved_at IS NULL"


@dataclass(frozen=True, kw_only=True)
class Interval:
    """One usage interval; `proved_until` is its end, or up to where it is proved."""

    key: Key
    quantity: int
    started_at: datetime
    ended_at: datetime | None
    quality: str
    reason: str
    gap_seconds: int | None
    proved_until: datetime


@dataclass(frozen=True, kw_only=True)
class Instance:
    """One instance: what it is, what is wished of it, and which pod it is meant to have."""

    id: str
    state: str
    desired: str
    reason: str
    pod: str
    is_due: bool


class Ledger:
    """Reads one farm's database."""

    def __init__(self, address: str) -> None:
        self._address = address

    def intervals(self) -> list[Interval]:
        """Return every usage interval."""
        return [
            Interval(
                key=(cluster, pod, container),
                quantity=quantity,
                started_at=started_at,
                ended_at=ended_at,
                quality=quality,
                reason=reason,
                gap_seconds=gap,
                proved_until=proved_until,
            )
            for (cluster, pod, container, quantity, started_at, ended_at, quality, reason, gap,
                 proved_until) in self._rows(_INTERVALS)
        ]  # fmt: skip

    def reserved(self) -> dict[str, int]:
        """Return how many devices each instance has reserved."""
        return {instance: int(devices) for instance, devices in self._rows(_RESERVED)}

    def instances(self) -> list[Instance]:
        """Return every instance."""
        return [
            Instance(id=id_, state=state, desired=desired, reason=reason, pod=pod, is_due=is_due)
            for id_, state, desired, reason, pod, is_due in self._rows(_INSTANCES)
        ]

    def quarantined(self) -> int:
        """Return how many facts the ledger could not take."""
        return int(self._rows(_QUARANTINED)[0][0])

    def terminate_connections(self, *, at_most: int) -> int:
        """Cut some of the farm's own connections, picked by the database."""
        cut = """
        SELECT count(pg_terminate_backend(pid)) FROM (
            SELECT pid FROM pg_stat_activity
             WHERE application_name = 'npu-farm' AND pid <> pg_backend_pid()
             ORDER BY random() LIMIT %s) chosen
        """
        return int(self._rows(cut, [at_most])[0][0])

    def _rows(self, query: str, values: list[object] | None = None) -> list[tuple[Any, ...]]:
        with _connected(self._address) as cursor:
            cursor.execute(query, values)
            rows: list[tuple[Any, ...]] = cursor.fetchall()
            return rows


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    connection = psycopg2.connect(address, application_name="npu-farm-chaos", connect_timeout=5)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()
