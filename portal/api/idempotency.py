"""A call that creates may be repeated: with the same `Idempotency-Key` it happens once.

The key's row is committed before the work begins, so a second call is told that the first
is running.  Work and answer are committed together: a process that dies in between leaves
neither, and its key may be taken over after a while.  A refused call changes nothing, so
its key is free again.
"""

import functools
import hashlib
import hmac
import json
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Concatenate, ParamSpec, TypeVar

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.encoders import JSONEncoder
from rest_framework.views import APIView

from portal.api.callers import caller
from portal.api.errors import CallStillRunning, IdempotencyKeyRefused, IdempotencyKeyReused
from portal.api.models import IdempotencyKey

KEPT_FOR = timedelta(hours=24)
# Longer than any call may take: then whoever began it is gone, and its work with it.
GIVEN_UP_AFTER = timedelta(minutes=2)

P = ParamSpec("P")
V = TypeVar("V", bound=APIView)
Handler = Callable[Concatenate[V, Request, P], Response]

HEADER = OpenApiParameter(
    name="Idempotency-Key",
    location=OpenApiParameter.HEADER,
    description="Repeat a call with the same key within a day, and it happens once.",
    type={"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
)


def idempotent(handler: Handler[V, P]) -> Handler[V, P]:
    """Let callers repeat this call."""

    @functools.wraps(handler)
    def once(view: V, request: Request, /, *args: P.args, **kwargs: P.kwargs) -> Response:
        key = request.headers.get("Idempotency-Key")
        if key is None:
            return handler(view, request, *args, **kwargs)
        return _once(key, request, lambda: handler(view, request, *args, **kwargs))

    described: Handler[V, P] = extend_schema(parameters=[HEADER])(once)
    return described


def forget_keys(*, at: datetime) -> int:
    """Delete what nobody may repeat any more."""
    return IdempotencyKey.objects.filter(started_at__lt=at - KEPT_FOR).delete()[0]


def _once(key: str, request: Request, work: Callable[[], Response]) -> Response:
    if not (0 < len(key) <= 255 and key.isascii() and key.isprintable() and " " not in key):
        raise IdempotencyKeyRefused
    row = _take(key, request, at=timezone.now())
    if row.status is not None:
        return Response(row.body, status=row.status, headers={"Idempotent-Replay": "true"})
    try:
        return _work_and_remember(row, work)
    except Exception:
        IdempotencyKey.objects.filter(pk=row.pk, ticket=row.ticket, status=None).delete()
        raise


def _take(key: str, request: Request, *, at: datetime) -> IdempotencyKey:
    user, fingerprint = caller(request), _fingerprint(request)
    row, is_new = IdempotencyKey.objects.get_or_create(
        user=user, key=key, defaults={"fingerprint": fingerprint, "started_at": at}
    )
    if is_new or _take_over(row, fingerprint, at=at):
        return row
    if row.fingerprint != fingerprint:
        raise IdempotencyKeyReused
    if row.status is None:
        raise CallStillRunning
    return row


def _take_over(row: IdempotencyKey, fingerprint: str, *, at: datetime) -> bool:
    """Make a row ours whose day is over, or whose call died; of two takers one succeeds."""
    over = Q(started_at__lt=at - KEPT_FOR)
    dead = Q(status=None, started_at__lt=at - GIVEN_UP_AFTER, fingerprint=fingerprint)
    ticket = uuid.uuid4()
    taken = IdempotencyKey.objects.filter(over | dead, pk=row.pk, ticket=row.ticket).update(
        ticket=ticket, fingerprint=fingerprint, started_at=at, status=None, body=None
    )
    if taken:
        row.refresh_from_db()
    return bool(taken)


@transaction.atomic
def _work_and_remember(row: IdempotencyKey, work: Callable[[], Response]) -> Response:
    answer = work()
    body = json.loads(json.dumps(answer.data, cls=JSONEncoder))
    ours = IdempotencyKey.objects.filter(pk=row.pk, ticket=row.ticket, status=None)
    if not ours.update(status=answer.status_code, body=body):
        # Somebody took the key over because we were too slow: our work must not count.
        raise CallStillRunning
    return answer


def _fingerprint(request: Request) -> str:
    said: list[Any] = [request.method, request.get_full_path(), request.data]
    text = json.dumps(said, sort_keys=True, default=str).encode()
    # Keyed: bodies may hold secrets, and a plain hash of a short one can be guessed.
    return hmac.new(settings.SECRET_KEY.encode(), text, hashlib.sha256).hexdigest()
