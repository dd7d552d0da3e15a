"""Count the logs that are being followed, over all web processes, and keep them few.

Each holds a connection to a cluster, so one person, and one instance, has so many and no
more.  `streaming` keeps a row alive while it follows; one that is no longer seen was lost
with its web process and is cleared away by the next one who comes.
"""

from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import transaction

from portal.access.errors import TooManyStreams
from portal.access.models import LogStream
from portal.tenants.models import User
from provisioning.models import Instance

LOST_AFTER: Final = timedelta(minutes=2)
SEEN_EVERY: Final = timedelta(seconds=30)


@transaction.atomic
def open_stream(*, user: User, instance: Instance, at: datetime) -> LogStream:
    """Take one of the places; raises `TooManyStreams`."""
    # Two who come at once would both find the last place free.
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    LogStream.objects.filter(seen_at__lt=at - LOST_AFTER).delete()
    mine, here = LogStream.objects.filter(user=user), LogStream.objects.filter(instance=instance)
    if mine.count() >= settings.LOG_STREAMS_PER_PERSON:
        raise TooManyStreams
    # Not locked: the row of a busy instance is for its reconciling, and one more does no harm.
    if here.count() >= settings.LOG_STREAMS_PER_INSTANCE:
        raise TooManyStreams
    return LogStream.objects.create(user=user, instance=instance, seen_at=at)


def keep_stream(*, stream: LogStream, at: datetime) -> None:
    """Note that it lives."""
    LogStream.objects.filter(pk=stream.pk, seen_at__lt=at - SEEN_EVERY).update(seen_at=at)


def close_stream(*, stream: LogStream) -> None:
    """Give the place back."""
    LogStream.objects.filter(pk=stream.pk).delete()
