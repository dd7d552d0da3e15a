"""Print what an operator watches, for Prometheus.

Read by address like the health probes, before anything looks at the Host header, with
`Authorization: Bearer <METRICS_TOKEN>`.  Without a token only a farm that is told of nowhere
but on its own machine answers, and only to that machine.
"""

import secrets
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from provisioning import measuring

_PASSED_ON: Final = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP")


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
    return _is_told_of_one_machine() and _comes_from_it(request)


def _is_told_of_one_machine() -> bool:
    """Say whether the farm is known nowhere else, so that no proxy can stand before it."""
    is_behind_proxy = settings.SECURE_PROXY_SSL_HEADER is not None
    return not is_behind_proxy and _names_loopback(settings.FARM_ADDRESS)


def _comes_from_it(request: HttpRequest) -> bool:
    # To us whoever comes through a proxy on this machine comes from it; the name that was asked
    # for, or what the proxy adds, may tell.
    is_direct = not any(name in request.headers for name in _PASSED_ON)
    asked = f"//{request.META.get('HTTP_HOST', '')}"
    return is_direct and _is_loopback(request.META.get("REMOTE_ADDR")) and _names_loopback(asked)


def _names_loopback(address: str) -> bool:
    try:
        host = urlsplit(address).hostname
    except ValueError:
        return False
    return host == "localhost" or _is_loopback(host)


def _is_loopback(host: str | None) -> bool:
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return False
