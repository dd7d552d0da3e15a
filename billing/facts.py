"""What somebody above says about one container run, and whether that can be believed.

A fact is a plain value: `metering` merges it into the ledger or puts it aside.  Source, holder and
resource are opaque here; provisioning fills in cluster, pod and instance.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from billing.intervals import whole_second

CLOCK_TOLERANCE = timedelta(seconds=60)
# A container runtime that lost a container reports year 1 for its times.
EARLIEST_YEAR = 2000


class EndQuality(StrEnum):
    """How well the end of a run is known."""

    EXACT = "exact"
    BOUNDED = "bounded"


class FactProblem(StrEnum):
    """Why a fact was put aside."""

    IMPLAUSIBLE_TIME = "implausible_time"
    END_BEFORE_START = "end_before_start"
    INCOMPLETE_END = "incomplete_end"
    INVALID_QUANTITY = "invalid_quantity"
    UNKNOWN_ACCOUNT = "unknown_account"
    UNKNOWN_SKU = "unknown_sku"
    CHANGED_RUN = "changed_run"
    EXACT_END_CONFLICT = "exact_end_conflict"
    SEEN_AFTER_CLOSE = "seen_after_close"
    OVERLAP = "overlap"
    REFUSED = "refused"


MESSAGES = {
    FactProblem.IMPLAUSIBLE_TIME: "The clock that timed this run cannot be right.",
    FactProblem.END_BEFORE_START: "The run is said to end before it starts.",
    FactProblem.INCOMPLETE_END: "An end was told without its quality, or a quality without an end.",
    FactProblem.INVALID_QUANTITY: "A run holds at least one device.",
    FactProblem.UNKNOWN_ACCOUNT: "Nobody is known who would be billed for this run.",
    FactProblem.UNKNOWN_SKU: "There is no such SKU in the catalogue.",
    FactProblem.CHANGED_RUN: "The run is in the ledger with another start, quantity, SKU or owner.",
    FactProblem.EXACT_END_CONFLICT: "The run is in the ledger with another exact end.",
    FactProblem.SEEN_AFTER_CLOSE: "The run was closed for want of proof and is seen running again.",
    FactProblem.OVERLAP: "Another run of the same holder covers part of that time.",
    FactProblem.REFUSED: "The ledger refused this run.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFact:
    """One container run as observed: open while `ended_at` is None."""

    source: int
    holder_uid: UUID
    run_id: str
    meter: str
    resource_ref: str
    account_id: int
    project_id: int
    sku_code: str
    quantity: int
    witness_ref: str | None
    started_at: datetime
    ended_at: datetime | None = None
    end_quality: EndQuality | None = None
    end_reason: str = ""

    def in_whole_seconds(self) -> "RunFact":
        """The same fact as the ledger counts it."""
        return replace(
            self,
            started_at=whole_second(self.started_at),
            ended_at=whole_second(self.ended_at) if self.ended_at else None,
        )

    def as_json(self) -> dict[str, object]:
        """Plain values, to be kept with a fact that was put aside."""
        plain: dict[str, object] = json.loads(json.dumps(asdict(self), default=str))
        return plain

    def digest(self) -> str:
        """The same for the same words, so that a repeated fact is put aside once."""
        said = json.dumps(self.as_json(), sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()


def find_problem(*, fact: RunFact, at: datetime) -> FactProblem | None:
    """What is wrong with a fact by itself, whatever the ledger holds."""
    instants = [fact.started_at, *([fact.ended_at] if fact.ended_at else [])]
    if any(not _is_plausible(instant, at) for instant in instants):
        return FactProblem.IMPLAUSIBLE_TIME
    if (fact.ended_at is None) != (fact.end_quality is None):
        return FactProblem.INCOMPLETE_END
    if fact.ended_at and fact.ended_at < fact.started_at:
        return FactProblem.END_BEFORE_START
    if fact.quantity < 1:
        return FactProblem.INVALID_QUANTITY
    return None


def _is_plausible(instant: datetime, at: datetime) -> bool:
    return instant.year >= EARLIEST_YEAR and instant <= at + CLOCK_TOLERANCE
