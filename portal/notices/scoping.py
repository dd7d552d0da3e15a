"""Whose notices a person may see: their own, of what they may still look at.

Asked each time: whoever was told as a member of a project and has left it reads of its
instances no more, though the rows stay.
"""

from datetime import datetime

from django.db.models import Q, QuerySet

from portal.notices.models import Notice
from portal.tenants import scoping
from portal.tenants.access import Action
from portal.tenants.models import User


def notices_of(user: User) -> QuerySet[Notice]:
    """The person's notices, newest first."""
    of_instances = Q(instance_id__in=scoping.instances_of(user).values("pk"))
    tenants = scoping.tenants_of(user, Action.VIEW_INSTANCE)
    of_tenants = Q(instance_id=None, tenant__in=tenants.values("pk"))
    mine = Notice.objects.filter(of_instances | of_tenants, user=user)
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
