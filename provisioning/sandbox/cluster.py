"""One simulated cluster: what its API handlers and its inner life share.

`Cluster` holds the store and the means to read, watch and wait; `raising.py` puts
the scheduler, kubelets and keepers behind it.
"""

from dataclasses import dataclass
from datetime import datetime

from provisioning.sandbox.farm import ClusterSpec, Farm
from provisioning.sandbox.history import History
from provisioning.sandbox.registries import Registries
from provisioning.sandbox.store import Journal, Store
from provisioning.sandbox.timers import Timers
from provisioning.sandbox.times import Clock
from provisioning.sandbox.watching import Watches


@dataclass(eq=False)
class Cluster:
    """The ground a cluster's parts stand on."""

    spec: ClusterSpec
    farm: Farm
    clock: Clock
    timers: Timers
    store: Store
    history: History
    watches: Watches
    registries: Registries

    @property
    def name(self) -> str:
        """The cluster's name, as in its URL."""
        return self.spec.name

    def now(self) -> datetime:
        """The instant it is in the cluster."""
        return self.clock.now()


def lay_ground(*, spec: ClusterSpec, farm: Farm, clock: Clock, journal: Journal) -> Cluster:
    """A cluster with nothing in it and nobody at work."""
    store = Store(journal)
    history = History(store, clock=clock, server=farm.server)
    watches = Watches(store, history, clock=clock, bookmark_seconds=farm.server.bookmark_seconds)
    registries = Registries(farm.private)
    return Cluster(spec, farm, clock, Timers(clock), store, history, watches, registries)
