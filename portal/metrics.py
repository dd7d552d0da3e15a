"""Print what an operator watches, for Prometheus.

Read by address like the health probes, before anything looks at the Host header: from the
machine itself, or with `Authorization: Bearer <METRICS_TOKEN>` from elsewhere.
"""

import secrets
from collections.abc import Iterator
from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from provisioning import measuring


def show(request: HttpRequest) -> HttpResponse:
    """Answer with every reading; 403 to whoever may not read."""
    if not _may_read(request):
        return HttpResponse("Not from here without the token.\n", status=403)
    registry = CollectorRegistry()
    registry.register(_Rows())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class _Rows(Collector):
    """Reads the rows at the time of the question, and not before."""

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        families: dict[str, Metric] = {}
        for reading in measuring.read_all(at=timezone.now()):
            family = families.setdefault(reading.name, _family(reading))
            name = family.name + ("_total" if reading.is_total else "")
            family.add_sample(name, reading.labels, float(reading.value))
        yield from families.values()


def _family(reading: measuring.Reading) -> Metric:
    kind = CounterMetricFamily if reading.is_total else GaugeMetricFamily
    return kind(f"npu_farm_{reading.name}", measuring.HELP[reading.name])


def _may_read(request: HttpRequest) -> bool:
    given = request.headers.get("Authorization", "").encode()
    expected = f"Bearer {settings.METRICS_TOKEN}".encode()
    if settings.METRICS_TOKEN:
        return secrets.compare_digest(given, expected)
    address = request.META.get("REMOTE_ADDR") or ""
    try:
        return ip_address(address).is_loopback and "X-Forwarded-For" not in request.headers
    except ValueError:
        return False
