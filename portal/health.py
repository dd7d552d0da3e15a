"""Tell a load balancer whether this web process lives and can serve.

Answered before anything looks at the Host header: a probe calls by address, and which
names the portal goes by says nothing about its health.
"""

from collections.abc import Callable

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse

Answer = Callable[[HttpRequest], HttpResponse]


def answering(get_response: Answer) -> Answer:
    """Middleware, before all others: answers the two addresses of this module."""

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


PROBES: dict[str, Answer] = {"/healthz/live": live, "/healthz/ready": ready}
