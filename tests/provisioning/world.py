"""A model of everything around `lifecycle.plan`: API server, kubelet, watcher, worker, tenant.

Values only.  Any of them may be late, die between doing and writing, or do it twice; what
must hold in spite of that is claimed in `test_lifecycle_converges`.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from provisioning import lifecycle, refusals
from provisioning.cluster.errors import NamespaceTerminating
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
    node: str = ""
    is_late: bool = False
    """Posted by a worker that had lost its lease: a known name, cleared away when seen."""
    is_left_behind: bool = False
    """Its node was silent when the instance was given another attempt."""

    @property
    def occupies(self) -> bool:
        """Whether it holds, or will hold, devices, and nobody has written it off."""
        if self.is_late or self.is_left_behind:
            return False
        is_wanted = not self.deleting and self.phase in ("Pending", "Running")
        return is_wanted or self.container == "running"


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
    nodes: dict[str, bool] = field(default_factory=lambda: {"a": True, "b": True})
    """Whether each node answers."""
    is_down: bool = False
    """The API server does not answer."""
    is_namespace_going: bool = False
    stalled: list[tuple[int, Effect]] = field(default_factory=list)
    """What workers were about to do when they lost their leases."""
    told: list[PodView] = field(default_factory=list)
    """Everything the watch has said, to be said again."""
    lost: set[int] = field(default_factory=set)
    """Attempts that ended with their node, which nobody counts."""

    # --- the worker ----------------------------------------------------------------------

    def plan(self) -> Step:
        return lifecycle.plan(of=self.situation(), now=self.now)

    def take_step(self, *, dies: bool = False) -> Step:
        """One pass; dying means: done, and not written down."""
        step = self.plan()
        if isinstance(step, Move) and not dies:
            self.move(step.to, step.reason)
        elif isinstance(step, Act) and not self.is_unanswered(step):
            self.carry_out(step.effect, dies=dies)
        return step

    def is_unanswered(self, act: Act) -> bool:
        return self.is_down and not isinstance(act.effect, Place | AdoptPod | BuryAttempt)

    def stall(self) -> None:
        """A worker plans, and is not heard of until its lease has long run out."""
        step = self.plan()
        if isinstance(step, Act) and not isinstance(step.effect, Place):
            self.stalled.append((self.named_attempt(), step.effect))

    def named_attempt(self) -> int:
        return max(self.attempts, default=0)

    def wake_stalled(self) -> None:
        """It does what it was about to do, and may write none of it down."""
        for no, effect in self.stalled:
            if isinstance(effect, CreatePod):
                if not self.is_namespace_going and self.named(no) is None:
                    self.pods[self.post(no)].is_late = no != self.named_attempt() or (
                        self.attempts[no].state is AttemptState.GONE
                    )
            elif isinstance(effect, DeletePod | ReleasePod):
                self.carry_out(effect, dies=True)
        self.stalled.clear()

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
                if self.is_namespace_going:
                    self.refuse(live.no, dies=dies)
                    return
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

    def refuse(self, no: int, *, dies: bool) -> None:
        """The namespace is going; what the worker makes of that is what it would in earnest."""
        answer = refusals.answer(
            error=NamespaceTerminating(), effect=CreatePod(), of=self.situation()
        )
        assert answer.move
        assert answer.drops_attempt
        if not dies:
            self.bury(no)
            self.move(answer.move.to, answer.move.reason)

    def move(self, to: State, reason: str) -> None:
        assert lifecycle.is_legal(from_state=self.state, to=to), (self.state, to)
        if reason == "node_lost":
            self.lost.add(self.named_attempt())
        if to is State.PROVISIONING:
            for pod in self.pods.values():
                # Only what lies on a silent node may still be there.
                assert not pod.occupies or not self.nodes[pod.node] or pod.is_late
                pod.is_left_behind = True
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
            if pod.node and not self.nodes[pod.node]:
                continue
            if pod.deleting and pod.scheduled and pod.phase in ("Pending", "Running"):
                pod.phase, pod.container = "Failed", "terminated"
            elif pod.deleting:
                pass
            elif not pod.scheduled:
                self.schedule(pod)
            elif pod.container == "waiting":
                pod.phase, pod.container, pod.ran = "Running", "running", True
            self.remove_if_done(uid)

    def schedule(self, pod: Pod) -> None:
        node = next((name for name, is_ready in self.nodes.items() if is_ready), None)
        if node:
            pod.scheduled, pod.container, pod.node = True, "waiting", node

    def lose_node(self) -> None:
        """A node falls silent; what runs there runs on, and nobody hears of it."""
        self.nodes["a"] = False

    def evict_from_lost(self) -> None:
        """The taint manager gives up on it: its pods are to go, and cannot."""
        for pod in self.pods.values():
            pod.deleting |= bool(pod.node) and not self.nodes[pod.node]

    def delete_namespace(self) -> None:
        self.is_namespace_going = True
        self.delete_by_hand()

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
        """A list: see everything as it is now."""
        if self.is_down:
            return
        for uid in self.seen.keys() - self.pods.keys():
            self.missed.add(self.seen.pop(uid).attempt_no)
        for uid, pod in self.pods.items():
            self.see(uid, pod)
        self.listed_at = self.now
        self.is_namespace_going &= bool(self.pods)

    def watch_one(self) -> None:
        """A watch: one change comes through, the others are late."""
        if self.pods and not self.is_down:
            self.see(*next(iter(self.pods.items())))

    def see(self, uid: UUID, pod: Pod) -> None:
        self.missed.discard(pod.attempt_no)
        before = self.seen.get(uid)
        self.seen[uid] = PodView(
            uid=uid,
            attempt_no=pod.attempt_no,
            phase=pod.phase,
            is_scheduled=pod.scheduled,
            container_state=pod.container,
            exit_code=1 if pod.phase == "Failed" else None,
            is_deleting=pod.deleting,
            has_finalizer=pod.finalizer,
            # What has been settled is not taken back, whatever is told again.
            settlement=_settlement(pod, before),
            is_node_ready=not pod.node or self.nodes[pod.node],
        )
        self.told.append(self.seen[uid])

    def watch_again(self) -> None:
        """A watch begun anew from an old version says again what was so once."""
        for view in self.told[-3:-1]:
            if view.uid in self.seen and not self.is_down:
                kept = self.seen[view.uid].settlement
                self.seen[view.uid] = replace(view, settlement=kept)

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
        lately = [
            no
            for no, at in self.intended_at.items()
            if self.now - at < timedelta(hours=1) and no not in self.lost
        ]
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


def _settlement(pod: Pod, before: PodView | None) -> Settlement:
    if before and before.settlement is Settlement.CLOSED:
        return Settlement.CLOSED
    if not pod.ran:
        return Settlement.NEVER_RAN
    return Settlement.OPEN if pod.container == "running" else Settlement.CLOSED
