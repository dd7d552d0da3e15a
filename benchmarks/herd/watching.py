"""How long after the API server tells of a run it can be read in the database.

Instances begin and end at a rate at which their pods make twenty events a second.  A watch
of our own notes when each run's start and its end were told first; the commit time of the
first evidence that has it says when it could be read.  A start that was written together
with a later version counts from when it was told.
"""

import json
import os
import subprocess
import sys
import threading
import time
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from benchmarks._printing import percentile, print_result
from benchmarks.herd.raising import Herd, launch
from provisioning import installation
from provisioning.cluster import asking, watching
from provisioning.errors import ProvisioningError
from provisioning.models import Attempt

EVENTS_PER_SECOND = 20.0
SECONDS = 60
TARGET_S = 1.0
SETTLING_S = 10
COMMITTED = """
SELECT pod_uid::text, kind, min(pg_xact_commit_timestamp(xmin))
  FROM provisioning_usageevidence WHERE observed_at >= %s AND kind IN ('started', 'ended')
 GROUP BY pod_uid, kind
"""
# What was told of which pod: that it has started, or ended.
Told = dict[tuple[str, str], datetime]


def measure(herd: Herd) -> None:
    """Follow the herd with a real watcher, and churn."""
    program = subprocess.Popen([sys.executable, "manage.py", "watch_cluster", "herd"])
    try:
        time.sleep(SETTLING_S)
        began_at = timezone.now()
        told, events = _churn(herd)
        time.sleep(SETTLING_S)
    finally:
        program.terminate()
        program.wait()
    lags = _lags(told, since=began_at)
    print_result(
        "watch_to_db_p95_s",
        value=percentile(lags, 0.95),
        unit="s",
        target=TARGET_S,
        p50_s=round(percentile(lags, 0.5), 4),
        max_s=round(max(lags), 3),
        measured=len(lags),
        events_per_second=round(events / SECONDS, 1),
        other_instances=len(herd.attempts),
        load=[round(one, 1) for one in os.getloadavg()],
    )


def _churn(herd: Herd) -> tuple[Told, int]:
    """Begin and end instances at the rate; returns when each start and end was told of."""
    told: Told = {}
    versions: set[str] = set()
    marks = installation.current()
    version = asking.list_pods(herd.cluster, selector=marks.selector)
    list(version)

    def listen() -> None:
        changes = watching.watch_pods(
            herd.cluster,
            selector=marks.selector,
            resource_version=version.resource_version,
            seconds=SECONDS + 5,
        )
        for change in changes:
            versions.add(change.resource_version)
            _note(told, change.object)

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    alive: list[Attempt] = []
    began = time.monotonic()
    lives = 0
    while (spent := time.monotonic() - began) < SECONDS:
        # As many lives as it takes for the events told so far to keep up with the rate.
        if len(versions) < spent * EVENTS_PER_SECOND:
            alive += launch(herd.cluster, 1, accounts=herd.accounts)
            lives += 1
            if len(alive) > 3:
                _end(herd, alive.pop(0))
        time.sleep(0.05)
    return told, len(versions)


def _end(herd: Herd, attempt: Attempt) -> None:
    """Delete a pod and let it go, as a worker would."""
    where = {"namespace": attempt.namespace, "name": attempt.pod_name, "uid": str(attempt.uid)}
    asking.delete_pod(herd.cluster, **where)
    finalizer = installation.current().finalizer
    deadline = time.monotonic() + timedelta(seconds=2).total_seconds()
    while time.monotonic() < deadline:
        raw = asking.get_pod(herd.cluster, namespace=attempt.namespace, name=attempt.pod_name)
        if raw["status"].get("phase") in ("Succeeded", "Failed"):
            break
        time.sleep(0.02)
    try:
        asking.remove_finalizer(herd.cluster, **where, finalizer=finalizer)
    except ProvisioningError as error:
        print(json.dumps({"not released": str(error)}), file=sys.stderr)


def _note(told: Told, pod: dict[str, Any]) -> None:
    uid = str((pod.get("metadata") or {}).get("uid"))
    states = [one.get("state") or {} for one in pod.get("status", {}).get("containerStatuses", ())]
    at = timezone.now()
    if any("running" in state or "terminated" in state for state in states):
        told.setdefault((uid, "started"), at)
    if any("terminated" in state for state in states):
        told.setdefault((uid, "ended"), at)


def _lags(told: Told, *, since: datetime) -> list[float]:
    with connection.cursor() as cursor:
        cursor.execute(COMMITTED, [since])
        committed = {(uid, kind): at for uid, kind, at in cursor.fetchall()}
    # The evidence of an end has the start as well.
    found = [
        (committed.get((uid, kind)) or committed.get((uid, "ended")), at)
        for (uid, kind), at in told.items()
    ]
    if missing := sum(at is None for at, _ in found):
        print(json.dumps({"not written yet": missing}), file=sys.stderr)
    # The product's watcher may be told a moment before ours.
    return [max(0.0, (there - at).total_seconds()) for there, at in found if there]
