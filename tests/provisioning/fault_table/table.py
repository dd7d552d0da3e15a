"""A cluster that answers as told, an instance on it, and a clock to turn."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from provisioning import alarms, installation, reconciling, watching
from provisioning.cluster import watching as following
from provisioning.models import Attempt, Cluster, Instance, ObservedPod
from tests.factories import provisioning as factory
from tests.factories.provisioning import NOON
from tests.provisioning.agreeing import Api
from tests.provisioning.canned import Answer, Asked
from tests.provisioning.reconciling.passing import claim
from tests.provisioning.test_asking_clusters import failure

SECOND = timedelta(seconds=1)


def refused(code: int, reason: str, message: str, **details: Any) -> Answer:
    """An answer that says no."""
    return code, failure(code, reason, message, **details), {}


@dataclass
class Table:
    """A cluster, an instance on it, and a clock to turn."""

    api: Api
    cluster: Cluster
    instance: Instance
    now: datetime = NOON
    uids: dict[int, UUID] = field(default_factory=dict)

    def work(self, *, after: timedelta = timedelta(0)) -> Instance:
        """Let workers do what is due; everything is, as after a sweep's wait."""
        self.now += after
        Instance.objects.update(next_reconcile_at=self.now)
        while claimed := claim(self.now):
            reconciling.reconcile(claimed, at=self.now)
            Instance.objects.filter(next_reconcile_at__gt=self.now).update(next_reconcile_at=None)
        self.instance.refresh_from_db()
        return self.instance

    def drain(self) -> Instance:
        """Let workers do what is due now, and nothing else."""
        while claimed := claim(self.now):
            reconciling.reconcile(claimed, at=self.now)
        self.instance.refresh_from_db()
        return self.instance

    def answer_get(self, of: str, answer: Answer) -> None:
        """What a GET of such an object is answered; others are as they were."""
        before = self.api.on_get
        self.api.on_get = lambda asked: answer if of in asked.path else before(asked)

    def see(self, kind: str = "MODIFIED", **words: Any) -> ObservedPod:
        """The watcher is told how the latest attempt's pod is."""
        attempt = Attempt.objects.select_related("pool__family__vendor", "cluster").latest("no")
        self.uids.setdefault(attempt.no, attempt.uid or uuid4())
        raw = factory.raw_pod(attempt, uid=self.uids[attempt.no], **words)
        change = following.Change(following.ChangeKind(kind), raw)
        watching.take_change(self.cluster, change, marks=installation.current(), at=self.now)
        return ObservedPod.objects.get(uid=raw["metadata"]["uid"])

    def runs(self) -> Instance:
        """The instance runs since now."""
        self.work()
        self.see(state=factory.running(self.now))
        return self.work()

    def ends(self, **words: Any) -> Instance:
        """The pod is over, is let go, and is gone: everything of it has been concluded."""
        self.see(phase="Failed", **words)
        instance = self.work()
        self.see(phase="Failed", deleting=True, finalizer=False, **words)
        self.see("DELETED", phase="Failed", deleting=True, finalizer=False, **words)
        return instance

    def asked(self, method: str) -> list[Asked]:
        return [asked for asked in self.api.canned.asked if asked.method == method]

    def posted(self) -> list[str]:
        return [asked.body["metadata"]["name"] for asked in self.asked("POST")]


def dead_letters(instance: Instance) -> list[str]:
    """Why somebody has to look at the instance."""
    return sorted(instance.dead_letters.filter(closed_at=None).values_list("code", flat=True))


def open_alarms() -> list[str]:
    """Why somebody has to look at the cluster."""
    return sorted(alarms.open_alarms().values_list("code", flat=True))
