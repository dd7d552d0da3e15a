"""A model of everything around `lifecycle.plan`: API server, kubelet, watcher, worker, tenant.

Values only.  Any of them may be late, die between doing and writing, or do it twice; what
must hold in spite of that is claimed in `test_lifecycle_converges`.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from provisioning import lifecycle
from provisioning.states import ENDED, AttemptState, Desired, Settlement, State
from provisioning.steps import (
    Act,
    AdoptPod,
    BuryAttempt,
    CreatePod,
    DeletePod,
    Effect,
    FindPod,
    Move,
    Place,
    PrepareNamespace,
    ReleasePod,
    Step,
)
from provisioning.views import AttemptView, PodView, Situation
from tests.factories.provisioning import NOON


@dataclass
class Pod:
    """A pod as it is, whatever anybody knows of it."""

    uid: UUID
    attempt_no: int
    phase: str = "Pending"
    scheduled: bool = False
    container: str = ""
    ran: bool = False
    deleting: bool = False
    finalizer: bool = True

    @property
    def occupies(self) -> bool:
        """Whether it holds, or will hold, devices."""
        return not self.deleting and self.phase in ("Pending", "Running")


@dataclass
class World:
    """One instance and all there is about it."""

    now: datetime = NOON
    desired: Desired = Desired.RUNNING
    launch_no: int = 1
    settled_launch_no: int = 0
    state: State = State.QUEUED
    since: datetime = NOON
    reason: str = ""
    attempts: dict[int, AttemptView] = field(default_factory=dict)
    intended_at: dict[int, datetime] = field(default_factory=dict)
    pods: dict[UUID, Pod] = field(default_factory=dict)
    seen: dict[UUID, PodView] = field(default_factory=dict)
    missed: set[int] = field(default_factory=set)
    listed_at: datetime | None = None
    unpaid: int = 0
    """Runs whose pod was let go before their end was in the ledger."""

    # --- the worker ----------------------------------------------------------------------

    def plan(self) -> Step:
        return lifecycle.plan(of=self.situation(), now=self.now)

    def take_step(self, *, dies: bool = False) -> Step:
        """One pass; dying means: done, and not written down."""
        step = self.plan()
        if isinstance(step, Move) and not dies:
            self.move(step.to, step.reason)
        elif isinstance(step, Act):
            self.carry_out(step.effect, dies=dies)
        return step

    def carry_out(self, effect: Effect, *, dies: bool) -> None:
        live = self.latest()
        match effect:
            case Place() if not dies:
                no = len(self.attempts) + 1
                self.attempts[no] = AttemptView(
                    no=no, state=AttemptState.INTENDED, uid=None, created_at=None
                )
                self.intended_at[no] = self.now
                self.move(State.PROVISIONING, "placed")
            case CreatePod():
                assert live
                uid = self.named(live.no) or self.post(live.no)
                if not dies:
                    self.confirm(live.no, uid)
                    self.move(State.SCHEDULING, "pod_created")
            case AdoptPod(uid) if not dies:
                assert live
                self.confirm(live.no, uid)
                self.move(State.SCHEDULING, "pod_adopted")
            case FindPod() if not dies:
                assert live
                if (found := self.named(live.no)) is None:
                    self.bury(live.no)
                else:
                    self.confirm(live.no, found)
            case DeletePod(uid):
                if uid in self.pods:
                    self.pods[uid].deleting = True
                    self.remove_if_done(uid)
                elif not dies and uid not in self.seen:
                    self.bury(next(a.no for a in self.attempts.values() if a.uid == uid))
            case ReleasePod(uid):
                if uid in self.pods:
                    self.unpaid += self.seen[uid].settlement is Settlement.OPEN
                    self.pods[uid].finalizer = False
                    self.remove_if_done(uid)
            case BuryAttempt(no) if not dies:
                self.bury(no)
            case PrepareNamespace() | _:
                pass

    def move(self, to: State, reason: str) -> None:
        assert lifecycle.is_legal(from_state=self.state, to=to), (self.state, to)
        self.state, self.since, self.reason = to, self.now, reason
        if to in ENDED:
            self.settled_launch_no = self.launch_no

    def confirm(self, no: int, uid: UUID) -> None:
        if self.attempts[no].state is AttemptState.INTENDED:
            self.attempts[no] = AttemptView(
                no=no, state=AttemptState.CREATED, uid=uid, created_at=self.now
            )

    def bury(self, no: int) -> None:
        old = self.attempts[no]
        self.attempts[no] = AttemptView(
            no=no, state=AttemptState.GONE, uid=old.uid, created_at=old.created_at
        )

    # --- the API server and the kubelet --------------------------------------------------

    def post(self, no: int) -> UUID:
        pod = Pod(uid=uuid4(), attempt_no=no)
        self.pods[pod.uid] = pod
        return pod.uid

    def named(self, no: int) -> UUID | None:
        return next((uid for uid, pod in self.pods.items() if pod.attempt_no == no), None)

    def remove_if_done(self, uid: UUID) -> None:
        pod = self.pods[uid]
        is_done = pod.phase in ("Succeeded", "Failed") or not pod.scheduled
        if pod.deleting and not pod.finalizer and is_done:
            del self.pods[uid]

    def kubelet(self) -> None:
        """Bring every pod one step on."""
        for uid, pod in list(self.pods.items()):
            if pod.deleting and pod.scheduled and pod.phase in ("Pending", "Running"):
                pod.phase, pod.container = "Failed", "terminated"
            elif pod.deleting:
                pass
            elif not pod.scheduled:
                pod.scheduled, pod.container = True, "waiting"
            elif pod.container == "waiting":
                pod.phase, pod.container, pod.ran = "Running", "running", True
            self.remove_if_done(uid)

    def end_containers(self, phase: str) -> None:
        for pod in self.pods.values():
            if pod.container == "running":
                pod.phase, pod.container = phase, "terminated"

    def delete_by_hand(self) -> None:
        for uid in list(self.pods):
            self.pods[uid].deleting = True
            self.remove_if_done(uid)

    def tear_out(self) -> None:
        """Somebody strips finalizers and forces pods away."""
        self.pods.clear()

    # --- the watcher ---------------------------------------------------------------------

    def watch(self) -> None:
        """See everything as it is now."""
        for uid in self.seen.keys() - self.pods.keys():
            self.missed.add(self.seen.pop(uid).attempt_no)
        for uid, pod in self.pods.items():
            self.missed.discard(pod.attempt_no)
            self.seen[uid] = PodView(
                uid=uid,
                attempt_no=pod.attempt_no,
                phase=pod.phase,
                is_scheduled=pod.scheduled,
                container_state=pod.container,
                exit_code=1 if pod.phase == "Failed" else None,
                is_deleting=pod.deleting,
                has_finalizer=pod.finalizer,
                settlement=_settlement(pod),
            )
        self.listed_at = self.now

    # --- the tenant ----------------------------------------------------------------------

    def wish(self, desired: Desired) -> None:
        if self.desired is not Desired.TERMINATED:
            self.desired = desired

    def start(self) -> None:
        may = self.state in (State.STOPPED, State.FAILED) and self.desired is not Desired.TERMINATED
        if may and self.launch_no == self.settled_launch_no:
            self.desired, self.launch_no = Desired.RUNNING, self.launch_no + 1

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    # --- what a pass may know --------------------------------------------------------------

    def latest(self) -> AttemptView | None:
        return self.attempts[max(self.attempts)] if self.attempts else None

    def situation(self) -> Situation:
        live = [a for a in self.attempts.values() if a.state is not AttemptState.GONE]
        lately = [no for no, at in self.intended_at.items() if self.now - at < timedelta(hours=1)]
        return Situation(
            seed=7,
            desired=self.desired,
            launch_no=self.launch_no,
            settled_launch_no=self.settled_launch_no,
            has_lease_ended=False,
            state=self.state,
            state_since=self.since,
            reason=self.reason,
            failures=0,
            attempt=self.latest(),
            pods=tuple(self.seen.values()),
            vanished=tuple(a.no for a in live if a.no in self.missed),
            attempts_lately=len(lately),
            listed_at=self.listed_at,
            is_namespace_ready=True,
        )


def _settlement(pod: Pod) -> Settlement:
    if not pod.ran:
        return Settlement.NEVER_RAN
    return Settlement.OPEN if pod.container == "running" else Settlement.CLOSED
