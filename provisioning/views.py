"""What `lifecycle` looks at: an instance, its attempt and its pods, as frozen values."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from provisioning.specs import OVER
from provisioning.states import AttemptState, Desired, Settlement, State, Supply


@dataclass(frozen=True, kw_only=True)
class PodView:
    """One present pod of the instance, as the watcher last saw it."""

    uid: UUID
    attempt_no: int
    phase: str = "Pending"
    reason: str = ""
    message: str = ""
    is_scheduled: bool = False
    unschedulable_message: str = ""
    disruption_reason: str = ""
    container_state: str = ""
    waiting_reason: str = ""
    waiting_message: str = ""
    exit_code: int | None = None
    exit_reason: str = ""
    is_deleting: bool = False
    has_finalizer: bool = False
    settlement: Settlement = Settlement.NEVER_RAN
    is_node_ready: bool = True
    unhealthy_devices: tuple[str, ...] = ()

    @property
    def is_over(self) -> bool:
        """Whether its containers have stopped for good."""
        return self.phase in OVER

    @property
    def is_lost(self) -> bool:
        """Whether it goes only when its silent node comes back or is taken away."""
        return self.is_deleting and self.is_scheduled and not self.is_node_ready

    @property
    def may_go(self) -> bool:
        """Whether its seconds are in the ledger, or can never be any."""
        if self.settlement in (Settlement.CLOSED, Settlement.LOST):
            return True
        # Between the bind and the kubelet's word a container may be running unseen.
        return self.settlement is Settlement.NEVER_RAN and (self.is_over or not self.is_scheduled)


@dataclass(frozen=True, kw_only=True)
class AttemptView:
    """The latest attempt at a pod."""

    no: int
    state: AttemptState
    uid: UUID | None
    created_at: datetime | None
    is_leaving: bool = False
    is_lost: bool = False


@dataclass(frozen=True, kw_only=True)
class Situation:
    """Everything one pass may know.

    `vanished` numbers the attempts whose pod was seen and is there no more;
    `listed_at` is when the watcher's last complete list began.  Attempts the cluster itself
    cut short count apart, in `disruptions_lately`; those on a lost node not at all.
    `lost_volumes` names what the instance mounts and will never have again.
    """

    seed: int
    desired: Desired
    launch_no: int
    settled_launch_no: int
    has_lease_ended: bool
    state: State
    state_since: datetime
    reason: str
    failures: int
    attempt: AttemptView | None = None
    pods: tuple[PodView, ...] = ()
    vanished: tuple[int, ...] = ()
    attempts_lately: int = 0
    attempts_refused: int = 0
    disruptions_lately: int = 0
    supply: Supply = Supply.HERE
    listed_at: datetime | None = None
    is_namespace_ready: bool = False
    lost_volumes: tuple[str, ...] = ()

    @property
    def live(self) -> AttemptView | None:
        """The latest attempt, while its pod is or may be there."""
        is_gone = self.attempt is None or self.attempt.state is AttemptState.GONE
        return None if is_gone else self.attempt

    @property
    def pod(self) -> PodView | None:
        """The live attempt's pod, once it has been seen."""
        if (live := self.live) is None:
            return None
        mine = [pod for pod in self.pods if pod.attempt_no == live.no]
        return next((pod for pod in mine if live.uid in (None, pod.uid)), None)
