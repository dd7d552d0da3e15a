"""Put aside what the ledger cannot take, and record the answer to it.

A quarantined fact never stops the one who reports facts; it stops the close of the month it
touches, until the same fact is accepted after all or a person answers for it.
"""

from datetime import datetime

from django.db import transaction
from django.db.models import Q

from billing.errors import IllegalState
from billing.facts import MESSAGES, FactProblem, RunFact
from billing.models import Account, QuarantinedFact

MERGED = "merged"
# What is answered once somebody is found who pays for the run from the same start.
ANSWERED_BY_OWNER = (FactProblem.UNKNOWN_SKU, FactProblem.UNKNOWN_ACCOUNT)
# What the exact end of a run answers: it is in the ledger whole, whatever was missing before.
ANSWERED_BY_END = (FactProblem.SEEN_AFTER_CLOSE, *ANSWERED_BY_OWNER)


def put_aside(*, fact: RunFact, problem: FactProblem, at: datetime) -> QuarantinedFact:
    """Keep a fact with the reason it was not taken; the same one again is the same row."""
    account = Account.objects.filter(pk=fact.account_id).first()
    row, _ = QuarantinedFact.objects.get_or_create(
        source=fact.source,
        digest=fact.digest(),
        code=problem.value,
        defaults={
            "account": account,
            # A start in the future is a wrong clock: what runs now blocks now, not some day.
            "period_from": min(fact.started_at, at),
            "period_until": fact.ended_at,
            "message": MESSAGES[problem],
            "fact": fact.as_json(),
            "found_at": at,
        },
    )
    return row


def release(*, fact: RunFact, at: datetime) -> None:
    """A fact that was put aside has been taken after all: nothing is left to answer."""
    of_run = Q(fact__holder_uid=str(fact.holder_uid), fact__run_id=fact.run_id)
    from_start = of_run & Q(fact__started_at=fact.as_json()["started_at"], period_until=None)
    answered = Q(digest=fact.digest()) | from_start & Q(code__in=ANSWERED_BY_OWNER)
    if fact.ended_at is not None and fact.end_quality == "exact":
        answered |= of_run & Q(code__in=ANSWERED_BY_END)
    unanswered = QuarantinedFact.objects.filter(source=fact.source, resolved_at__isnull=True)
    unanswered.filter(answered).update(resolved_at=at, resolved_by="billing", resolution=MERGED)


@transaction.atomic
def resolve_fact(
    *, quarantined: QuarantinedFact, by: str, resolution: str, at: datetime
) -> QuarantinedFact:
    """Record a person's answer; the fact stays, and no longer blocks a close."""
    row = QuarantinedFact.objects.select_for_update().get(pk=quarantined.pk)
    if row.resolved_at:
        raise IllegalState("This fact has been answered already.")
    row.resolved_at, row.resolved_by, row.resolution = at, by, resolution
    row.save(update_fields=["resolved_at", "resolved_by", "resolution"])
    return row
