"""Tell tenants what befell an instance without their doing: a move in, a notice out.

Written in the transaction that records the move, so that neither is there without the other.
"""

from datetime import datetime
from typing import Final

from provisioning import events, faults
from provisioning.models import Instance
from provisioning.states import State
from provisioning.steps import Move

NODE_LOST: Final = "node_lost"
PREEMPTED: Final = "preempted"
FAILED: Final = "instance_failed"


def tell_of_move(*, instance: Instance, move: Move, at: datetime) -> None:
    """Write down for the tenant what a move means to them; most mean nothing."""
    if kind := _kind_of(move):
        events.tell_tenant(
            kind=kind,
            tenant_id=instance.tenant_id,
            instance_id=instance.pk,
            at=at,
            instance=instance.name,
            reason=move.reason,
        )


def _kind_of(move: Move) -> str:
    if move.to is State.FAILED:
        return FAILED
    if move.to is not State.RECOVERING:
        return ""
    if move.reason in faults.DISRUPTED:
        return PREEMPTED
    return NODE_LOST if move.reason == "node_lost" else ""
