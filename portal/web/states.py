"""How every state is shown: its word, and one of five tones.

Tones are classes of the style sheet: good, busy, warn, bad, calm.  A moving state is
one that changes by itself; its badge breathes.
"""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


@dataclass(frozen=True)
class Shown:
    """One state as a badge."""

    label: str | Promise
    tone: str
    is_moving: bool = False


INSTANCE = {
    "queued": Shown(_("Queued"), "warn", is_moving=True),
    "provisioning": Shown(_("Provisioning"), "busy", is_moving=True),
    "scheduling": Shown(_("Scheduling"), "busy", is_moving=True),
    "starting": Shown(_("Starting"), "busy", is_moving=True),
    "running": Shown(_("Running"), "good"),
    "unreachable": Shown(_("Unreachable"), "warn", is_moving=True),
    "recovering": Shown(_("Recovering"), "warn", is_moving=True),
    "stopping": Shown(_("Stopping"), "busy", is_moving=True),
    "stopped": Shown(_("Stopped"), "calm"),
    "failed": Shown(_("Failed"), "bad"),
    "terminating": Shown(_("Terminating"), "busy", is_moving=True),
    "terminated": Shown(_("Terminated"), "calm"),
}
# Where an instance stays until somebody wishes otherwise.
AT_REST = frozenset({"stopped", "failed", "terminated"})

REQUEST = {
    "submitted": Shown(_("Waiting for approval"), "busy", is_moving=True),
    "held": Shown(_("Held for approval"), "busy", is_moving=True),
    "approved": Shown(_("Approved"), "good"),
    "rejected": Shown(_("Rejected"), "bad"),
    "withdrawn": Shown(_("Withdrawn"), "calm"),
}

INVOICE = {
    "draft": Shown(_("Draft"), "warn"),
    "issued": Shown(_("Issued"), "busy"),
    "paid": Shown(_("Paid"), "good"),
    "uncollectible": Shown(_("Uncollectible"), "bad"),
    "void": Shown(pgettext_lazy("invoice", "Void"), "calm"),
}

CLUSTER = {
    "active": Shown(_("Takes new pods"), "good"),
    "paused": Shown(_("Paused"), "warn"),
    "draining": Shown(_("Draining"), "warn", is_moving=True),
    "lost": Shown(_("Lost"), "bad"),
    "removed": Shown(_("Removed"), "calm"),
}

VERDICT = {
    "ok": Shown(_("Good"), "good"),
    "failed": Shown(pgettext_lazy("verdict", "Not good"), "bad"),
    "not_tried": Shown(_("Not tried"), "calm"),
}

QUESTION = {
    "version": Shown(_("Version"), "calm"),
    "watcher": Shown(_("The watcher's rights"), "calm"),
    "worker": Shown(_("The worker's rights"), "calm"),
    "access": Shown(_("The rights of access"), "calm"),
    "devices": Shown(_("Devices on its nodes"), "calm"),
    "device_ids": Shown(_("Which device a pod holds"), "calm"),
    "device_access": Shown(_("Devices for ordinary users"), "calm"),
    "network_policy": Shown(_("Network policies"), "calm"),
    "gateway_api": Shown(_("Gateway API"), "calm"),
}

IDENTITY = {
    "watcher": Shown(_("Watcher: looks, and changes nothing"), "calm"),
    "worker": Shown(_("Worker: makes and ends pods"), "calm"),
    "access": Shown(_("Access: reaches into instances"), "calm"),
}

VOLUME = {
    "pending": Shown(_("Being made"), "busy", is_moving=True),
    "ready": Shown(_("Ready"), "good"),
    "deleting": Shown(_("Being deleted"), "busy", is_moving=True),
    "deleted": Shown(_("Deleted"), "calm"),
    "lost": Shown(_("Lost"), "bad"),
}

TABLES = {
    "instance": INSTANCE,
    "request": REQUEST,
    "invoice": INVOICE,
    "cluster": CLUSTER,
    "volume": VOLUME,
}
TABLES |= {"verdict": VERDICT, "question": QUESTION, "identity": IDENTITY}


def shown_as(value: str, of: str) -> Shown:
    """The badge of a state; one we have no word for is shown as it is."""
    return TABLES[of].get(value, Shown(value, "calm"))
