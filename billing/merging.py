"""How what is known of a run's end and what is told of it become one: pure.

The rule is commutative and idempotent, so it does not matter who tells what first or how often:
an exact end beats a bounded one and never changes; of two bounded ends the later counts, for both
are proved.
"""

from dataclasses import dataclass
from datetime import datetime

from billing.facts import EndQuality, FactProblem


class Contradiction(Exception):
    """What is told cannot be true together with what is known."""

    def __init__(self, problem: FactProblem) -> None:
        self.problem = problem
        super().__init__(problem.value)


@dataclass(frozen=True, slots=True)
class End:
    """When a run ended, and how well that is known."""

    at: datetime
    quality: EndQuality
    reason: str = ""

    @property
    def weight(self) -> tuple[bool, datetime, str]:
        """The heavier of two ends counts; the reason only makes the choice between equals firm."""
        return (self.quality is EndQuality.EXACT, self.at, self.reason)


def merge_end(*, known: End | None, told: End | None) -> End | None:
    """The end that counts from now on; None while the run is open."""
    if told is None:
        if known and known.quality is EndQuality.BOUNDED:
            # It was given up for want of proof, yet is said to run: a person has to look.
            raise Contradiction(FactProblem.SEEN_AFTER_CLOSE)
        return known
    if known is None:
        return told
    if known.quality is told.quality is EndQuality.EXACT and known.at != told.at:
        raise Contradiction(FactProblem.EXACT_END_CONFLICT)
    return max(known, told, key=lambda end: end.weight)
