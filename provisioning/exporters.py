"""Ask the vendors' exporters how the devices are: metrics in, outages out.

A plugin may call every device healthy, whatever it is like (Rebellions' does); then the
exporter is the only one to tell.  A periodic task asks, so the watcher never waits for it,
and it asks for no longer than it may take.  A reading carries no instant of its own, so
these outages are timed by our clock, and say so.
"""

import logging
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from provisioning import idling, outages
from provisioning.cluster import scraping
from provisioning.errors import ProvisioningError
from provisioning.models import Device, Health, Node, OutageCause, Pool
from provisioning.vendors import Health as Meaning
from provisioning.vendors import Load, Vendor, habits_of

logger = logging.getLogger(__name__)

Clock = Callable[[], datetime]
AT_MOST: Final = timedelta(seconds=18)


@dataclass(frozen=True)
class Reading:
    """One device's value, and every label value it may be known by."""

    names: frozenset[str]
    is_good: bool


def read_exporters(*, clock: Clock) -> int:
    """Ask every exporter we were told of, as far as there is time; says how many answered."""
    until = clock() + AT_MOST
    pools = list(Pool.objects.exclude(exporter={}).select_related("cluster", "family__vendor"))
    # Where the time does not suffice for all, another one is left out each time.
    random.shuffle(pools)
    answered = 0
    for pool in pools:
        if clock() < until:
            answered += _read_pool(pool, clock, until)
    return answered


def readings_in(text: str, *, meaning: Meaning) -> list[Reading]:
    """Read how the devices are; raises `ValueError` for what is no exporter's text."""
    found = _samples(text, meaning.metrics)
    return [Reading(names, meaning.is_good(value)) for names, value in found]


def busy_in(text: str, *, load: Load) -> dict[str, bool]:
    """Read which devices do anything, by every label value one may be known by."""
    busy: dict[str, bool] = {}
    for names, value in _samples(text, load.metrics):
        for name in names:
            # One series per core: a device works if any of them does.
            busy[name] = busy.get(name, False) or value > load.idle_below
    return busy


def _samples(text: str, metrics: tuple[str, ...]) -> list[tuple[frozenset[str], float]]:
    legal = {name: name.replace(":", "_") for name in metrics}
    for name, plain in legal.items():
        # The parser takes no colon, and one vendor's names have one.
        text = text.replace(name, plain)
    return [
        (frozenset(sample.labels.values()), sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name in legal.values()
    ]


def hear_readings(
    *, node: Node, pool: Pool, readings: Iterable[Reading], source: str, at: datetime
) -> None:
    """Take the readings of a node's exporter in, for the devices that are known by name."""
    devices = {device.device_id: device for device in node.devices.filter(pool=pool)}
    for reading in readings:
        for device_id in reading.names & devices.keys():
            _hear(devices[device_id], reading.is_good, source, at)


def forget_readings(*, pool: Pool, at: datetime) -> None:
    """Let no old word of an exporter count, once nobody asks it any more."""
    for outage in outages.open_outages().filter(cause=OutageCause.DEVICE_METRIC, device__pool=pool):
        outages.end_outage(outage=outage, told_at=None, at=at)
    Device.objects.filter(pool=pool).update(
        metric_health=Health.UNKNOWN, metric_seen_at=None, load_seen_at=None
    )


def _read_pool(pool: Pool, clock: Clock, until: datetime) -> int:
    habits = habits_of(pool.family.vendor.slug)
    where = pool.exporter
    if habits.health is None or not {"namespace", "selector", "port"} <= where.keys():
        return 0
    try:
        pods = scraping.list_exporters(
            pool.cluster, namespace=where["namespace"], selector=where["selector"]
        )
    except ProvisioningError as error:
        logger.warning("%s: its exporters cannot be listed: %s", pool, error)
        return 0
    return sum(_read_pod(pool, pod, habits, clock) for pod in pods if clock() < until)


def _read_pod(pool: Pool, pod: scraping.Raw, habits: Vendor, clock: Clock) -> bool:
    name, where = str(pod["metadata"]["name"]), pool.exporter
    node_name = str((pod.get("spec") or {}).get("nodeName") or "")
    node = Node.objects.filter(cluster=pool.cluster_id, name=node_name, gone_at=None).first()
    if node is None:
        return False
    try:
        text = scraping.read_metrics(
            pool.cluster, namespace=where["namespace"], pod=name, port=str(where["port"])
        )
        readings = readings_in(text, meaning=habits.health) if habits.health else []
        busy = busy_in(text, load=habits.load) if habits.load else {}
    except (ProvisioningError, ValueError) as error:
        logger.warning("%s: the exporter on %s cannot be read: %s", pool, node_name, error)
        return False
    hear_readings(node=node, pool=pool, readings=readings, source=name, at=clock())
    idling.hear_busy(node=node, pool=pool, busy=busy, at=clock())
    return True


def _hear(device: Device, is_good: bool, source: str, at: datetime) -> None:
    device.metric_health = Health.HEALTHY if is_good else Health.UNHEALTHY
    device.metric_seen_at = at
    device.save(update_fields=["metric_health", "metric_seen_at"])
    ill = device.outages.filter(cause=OutageCause.DEVICE_METRIC, ended_at=None).first()
    if not is_good and ill is None:
        outages.begin_outage(
            node=device.node,
            device=device,
            cause=OutageCause.DEVICE_METRIC,
            told_at=None,
            evidence={"told by": f"exporter {source}"},
            at=at,
        )
    elif is_good and ill is not None:
        outages.end_outage(outage=ill, told_at=None, at=at)
