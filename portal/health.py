"""Tell a load balancer whether this web process lives and can serve, and how the farm is.

Answered before anything looks at the Host header: a probe calls by address, and which
names the portal goes by says nothing about its health.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone

from portal import metrics
from provisioning import measuring

Answer = Callable[[HttpRequest], HttpResponse]

# A watcher hears of its cluster at least once a minute; beyond this it is stuck or gone.
SILENT_AFTER: Final = timedelta(seconds=90)


def answering(get_response: Answer) -> Answer:
    """Middleware, before all others: answers the addresses of this module."""

    def answer(request: HttpRequest) -> HttpResponse:
        probe = PROBES.get(request.path_info)
        return get_response(request) if probe is None else probe(request)

    return answer


def live(request: HttpRequest) -> HttpResponse:
    """Answer without touching anything: the process runs."""
    return JsonResponse({"status": "live"})


def ready(request: HttpRequest) -> HttpResponse:
    """Answer 200 when the database answers, 503 otherwise."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return JsonResponse({"status": "database unreachable"}, status=503)
    return JsonResponse({"status": "ready"})


def watching(request: HttpRequest) -> HttpResponse:
    """Answer 200 while every cluster is heard of, 503 once one has been silent for too long.

    Not part of `ready`: pages that say how old their data are serve better than none.
    """
    try:
        age = measuring.oldest_state_age(at=timezone.now())
    except DatabaseError:
        return JsonResponse({"status": "database unreachable"}, status=503)
    if age is not None and age > SILENT_AFTER:
        seconds = int(age.total_seconds())
        return JsonResponse({"status": "a cluster is silent", "seconds": seconds}, status=503)
    return JsonResponse({"status": "watching"})


PROBES: dict[str, Answer] = {
    "/healthz/live": live,
    "/healthz/ready": ready,
    "/healthz/watching": watching,
    "/metrics": metrics.show,
}
