"""Turn what a tenant should know into notices for its people, and those into mails.

Who works in the tenant or in the instance's project sees it in the bell; owners and
managers get a mail as well.  A notice is taken over in the transaction that marks it as
taken, so it is neither lost nor told twice.
"""

import logging
from datetime import datetime
from typing import Final

from django.core.mail import send_mail
from django.db.models import Q, QuerySet
from django.utils import translation

from portal.notices import wording
from portal.notices.models import Notice
from portal.tenants.access import Action, Role, roles_allowing
from portal.tenants.models import Membership, ProjectMembership, Tenant, User
from provisioning import events, queries
from provisioning.models import TenantNotice

logger = logging.getLogger(__name__)

MAILED: Final = (Role.OWNER, Role.MANAGER)
MAILS_AT_ONCE: Final = 50


def take_notices(*, at: datetime) -> int:
    """Take over what provisioning has written down; says how much it was."""
    return events.take_notices(hand_on=_hand_on, at=at)


def send_mails(*, at: datetime) -> int:
    """Send the mails that are due; each is claimed first, so that it goes out at most once."""
    due = Notice.objects.filter(is_mailed=True, mail_claimed_at__isnull=True).order_by("pk")
    sent = 0
    for pk in list(due.values_list("pk", flat=True)[:MAILS_AT_ONCE]):
        mine = Notice.objects.filter(pk=pk, mail_claimed_at=None).update(mail_claimed_at=at)
        sent += bool(mine) and _send(pk, at)
    return sent


def _hand_on(told: TenantNotice) -> None:
    tenant = Tenant.objects.filter(pk=told.tenant_id).first()
    if tenant is None:
        return
    mailed = set(_managers(tenant).values_list("pk", flat=True))
    Notice.objects.bulk_create(
        [
            Notice(
                user=user,
                tenant=tenant,
                key=told.key,
                kind=told.kind,
                instance_id=told.instance_id,
                detail=told.detail,
                at=told.at,
                is_mailed=user.pk in mailed,
            )
            for user in _people(tenant, told)
        ],
        ignore_conflicts=True,
    )


def _people(tenant: Tenant, told: TenantNotice) -> list[User]:
    roles = roles_allowing(Action.OPERATE_INSTANCE)
    members = Membership.objects.filter(tenant=tenant, role__in=roles)
    some = Q(pk__in=members.values("user"))
    instance = queries.find_instance(told.instance_id)
    if instance is not None:
        inside = ProjectMembership.objects.filter(
            project_id=instance.project_id, project__tenant=tenant, role__in=roles
        )
        some |= Q(pk__in=inside.values("user"))
    return list(User.objects.filter(some, is_active=True).order_by("pk"))


def _managers(tenant: Tenant) -> QuerySet[User]:
    rows = Membership.objects.filter(tenant=tenant, role__in=MAILED)
    return User.objects.filter(pk__in=rows.values("user"), is_active=True)


def _send(pk: int, at: datetime) -> bool:
    notice = Notice.objects.select_related("user", "tenant").get(pk=pk)
    if not _managers(notice.tenant).filter(pk=notice.user_id).exists():
        # Has left since it was written.
        return False
    with translation.override(notice.user.language):
        subject, body = wording.subject_of(notice), wording.mail_of(notice)
    try:
        send_mail(subject, body, None, [notice.user.email])
    except Exception:
        # Claimed and not sent: it stays in the bell, and is not tried again.
        logger.exception("notice %d could not be mailed", pk)
        return False
    Notice.objects.filter(pk=pk).update(mail_sent_at=at)
    return True
