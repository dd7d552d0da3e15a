"""Say a notice in a sentence: its kind and detail in, words in the reader's language out.

A kind without words of its own is told by its name, so that a new one is never silent.
"""

from datetime import datetime
from typing import Final

from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from portal.notices.models import Notice

SENTENCES: Final[dict[str, Promise]] = {
    "device_unhealthy": _(
        "A device of {instance} is reported unhealthy: {device} on {node}. The instance keeps"
        " running; this time is not charged. You can move it to other devices."
    ),
    "device_recovered": _("The device of {instance} is healthy again: {device} on {node}."),
    "node_unreachable": _(
        "The node of {instance} does not answer: {node}. This time is not charged."
    ),
    "node_returned": _("The node of {instance} answers again: {node}."),
    "node_lost": _("The node of {instance} is lost; another place is being looked for."),
    "preempted": _("The cluster interrupted {instance}; another place is being looked for."),
    "instance_failed": _("{instance} has failed and is no longer tried."),
    "maintenance_planned": _(
        "Maintenance is planned where {instance} runs, from {starts_at} to {ends_at}: {reason}"
    ),
    "maintenance_cancelled": _("The maintenance planned where {instance} runs is called off."),
    "maintenance_moved": _("{instance} is moved elsewhere for maintenance: {reason}"),
    "maintenance_stays": _(
        "{instance} is not moved for the maintenance from {starts_at}, for its volumes are on the"
        " cluster {cluster}. It stays and may be interrupted; you can stop it before: {reason}"
    ),
    "maintenance_stopped": _("{instance} is stopped for maintenance: {reason}"),
    "cluster_draining": _(
        "The cluster {cluster}, where {instance} runs, is being emptied. Stop it and start it"
        " again to have it elsewhere, or it is moved or stopped for you."
    ),
    "cluster_lost": _(
        "The cluster {cluster}, where {instance} ran, is lost. It is charged up to where it was"
        " last seen to run, and another place is being looked for."
    ),
    "volume_lost": _(
        "The volume {volume} is lost with its cluster {cluster}, and what was on it. Instances"
        " with it cannot start again."
    ),
    "volume_forgotten": _(
        "{instance} is known again after its database was restored, but not its volume at {path}."
        " It keeps it until it stops, and starts without it then; what is on it is kept on the"
        " cluster {cluster} as {claim}. Ask the operators."
    ),
    "instance_moved": _("{instance} is moved away from the cluster {cluster}."),
    "instance_stopped_by_operator": _(
        "{instance} is stopped: the cluster {cluster} is being emptied. You can start it again."
    ),
    "lease_ending": _("The time of {instance} ends at {ends_at}."),
    "lease_ended": _("The time of {instance} is up; it is stopped."),
    "instance_idle": _(
        "{instance} has not used its devices since {since}. It is charged all the same: stop it"
        " if it is not needed."
    ),
    "volume_expiring": _("The volume {volume} expires at {expires_at}."),
}
SUBJECTS: Final[dict[str, Promise]] = {
    "device_unhealthy": _("device unhealthy"),
    "device_recovered": _("device healthy again"),
    "node_unreachable": _("node does not answer"),
    "node_returned": _("node answers again"),
    "node_lost": _("node lost"),
    "preempted": _("interrupted"),
    "instance_failed": _("failed"),
    "maintenance_planned": _("maintenance planned"),
    "maintenance_cancelled": _("maintenance called off"),
    "maintenance_moved": _("moved for maintenance"),
    "maintenance_stays": _("not moved for maintenance"),
    "maintenance_stopped": _("stopped for maintenance"),
    "cluster_draining": _("cluster being emptied"),
    "cluster_lost": _("cluster lost"),
    "volume_lost": _("volume lost"),
    "volume_forgotten": _("volume not known"),
    "instance_moved": _("moved elsewhere"),
    "instance_stopped_by_operator": _("stopped by the operator"),
    "lease_ending": _("time ends soon"),
    "lease_ended": _("time is up"),
    "instance_idle": _("devices unused"),
    "volume_expiring": _("volume expires soon"),
}
INSTANTS: Final = ("since", "starts_at", "ends_at", "expires_at", "until")


class _Words(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "–"


def sentence_of(notice: Notice) -> str:
    """Say what happened."""
    sentence = SENTENCES.get(notice.kind)
    if sentence is None:
        name = notice.detail.get("instance") or notice.tenant.name
        return f"{name}: {notice.kind.replace('_', ' ')}"
    words = _Words({key: _word(key, str(value)) for key, value in notice.detail.items()})
    return str(sentence).format_map(words)


def subject_of(notice: Notice) -> str:
    """Say it as the subject of a mail: one line, not too long."""
    name = notice.detail.get("instance") or notice.detail.get("volume") or notice.tenant.name
    what = SUBJECTS.get(notice.kind, notice.kind.replace("_", " "))
    # Whatever ends a line, in any script, would begin another header.
    return " ".join(f"[NPU Farm] {name}: {what}".split())[:150]


def mail_of(notice: Notice) -> str:
    """Say it as a mail, with the way to it."""
    address = f"{settings.FARM_ADDRESS.rstrip('/')}{address_of(notice)}"
    return f"{sentence_of(notice)}\n\n{_('Tenant')}: {notice.tenant.name}\n{address}\n"


def address_of(notice: Notice) -> str:
    """Say where in the portal it is about."""
    if notice.instance_id is not None:
        return reverse("web:instances-one", args=[notice.tenant.slug, notice.instance_id])
    return reverse("web:dashboard", args=[notice.tenant.slug])


def _word(key: str, value: str) -> str:
    if key not in INSTANTS:
        return value
    try:
        return timezone.localtime(datetime.fromisoformat(value)).strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return value
