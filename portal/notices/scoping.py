"""Whose notices a person may see: their own, of tenants they still belong to."""

from datetime import datetime

from django.db.models import QuerySet

from portal.notices.models import Notice
from portal.tenants import scoping
from portal.tenants.models import User


def notices_of(user: User) -> QuerySet[Notice]:
    """The person's notices, newest first."""
    mine = Notice.objects.filter(user=user, tenant__in=scoping.tenants_of(user).values("pk"))
    return mine.select_related("tenant").order_by("-at", "-pk")


def unread_count(user: User) -> int:
    """How many the person has not read."""
    return notices_of(user).filter(read_at__isnull=True).count()


def mark_read(*, user: User, notice: Notice | None = None, at: datetime) -> int:
    """Mark one, or all, as read; what was read stays read at its time."""
    unread = notices_of(user).filter(read_at__isnull=True).order_by()
    if notice is not None:
        unread = unread.filter(pk=notice.pk)
    return Notice.objects.filter(pk__in=unread.values("pk")).update(read_at=at)
