"""Create the pods of attempts: a pass in, an order of manifests out, posted alone or with others.

`order_for` reads rows; `post` asks the cluster, so that several can be posted at a time by
threads.  Only credentials that were refused are read again there.
"""

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db import connections

from provisioning import attempts, confiding, manifests, refusals
from provisioning.cluster import asking, storing
from provisioning.cluster.connections import MOST_CONNECTIONS, connection_to
from provisioning.cluster.errors import QuotaConflict
from provisioning.errors import ClusterUnreachable, ProvisioningError
from provisioning.lifecycle import POLL
from provisioning.manifests import Manifest
from provisioning.models import Cluster, RegistryLogin
from provisioning.situations import Pass
from provisioning.states import State
from provisioning.steps import Move

logger = logging.getLogger(__name__)

CREATED: Final = Move(to=State.SCHEDULING, reason="pod_created")
# Nobody has seen it yet; the watcher will say when there is something to look at.
UNTIL_SEEN: Final = POLL
MOST_CONFLICTS: Final = 5
# Seconds.  The last call may begin just before.
LONGEST_POSTING: Final = 2.0

Answer = UUID | ProvisioningError | None
"""The new pod, what the cluster refused it with, or that it was not asked."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be posted for one attempt, and for how long there is time."""

    cluster: Cluster
    secrets: tuple[Manifest, ...]
    pod: Manifest
    seed: int
    has_time: Callable[[], bool]


def order_for(of: Pass, *, login: RegistryLogin | None) -> Order | None:
    """Write the attempt's pod; None when we write pods otherwise since it was opened.

    Nobody would know such a pod for ours.  `login` is what its image is pulled with now: who
    replaces it meanwhile makes another attempt, not another Secret.
    """
    attempt = of.attempt
    if attempt is None:
        raise RuntimeError(f"{of.instance.pk} has no attempt to create a pod for")
    spec = attempts.spec_of(
        instance=of.instance,
        attempt_no=attempt.no,
        pool=attempt.pool,
        marks=of.marks,
        avoided_nodes=attempt.avoided_nodes,
        login=login,
    )
    pod = manifests.pod_for(spec)
    if manifests.hash_of(pod, spec) != attempt.spec_hash:
        return None
    return Order(
        cluster=attempt.cluster,
        secrets=tuple(confiding.secrets_for(attempt=attempt, login=login, marks=of.marks)),
        pod=pod,
        seed=of.situation.seed,
        has_time=lambda: of.claim.has_time_for_a_call,
    )


def post(order: Order) -> UUID:
    """Post the pod and return its UID; raises what the cluster refuses with."""
    # First, for the kubelet looks for them as soon as there is a pod.
    for secret in order.secrets:
        storing.apply_secret(order.cluster, secret)
    return UUID(_post(order)["metadata"]["uid"])


def post_all(orders: Sequence[Order]) -> list[Answer]:
    """Post several at a time, for as long as a crowd may take.

    A cluster that falls silent is asked nothing more, and a slow one only so often.
    """
    until = time.monotonic() + LONGEST_POSTING
    for cluster in {order.cluster for order in orders}:
        connection_to(cluster)
    silent: set[int] = set()

    def answer(order: Order) -> Answer:
        is_late = time.monotonic() > until or not order.has_time()
        if order.cluster.pk in silent or is_late:
            return None
        try:
            return post(order)
        except ProvisioningError as error:
            if isinstance(error, ClusterUnreachable):
                silent.add(order.cluster.pk)
            return error
        except Exception:
            # What is wrong with one is told when it goes alone; the others are created.
            logger.exception("%s cannot be posted with others", order.pod["metadata"]["name"])
            return None
        finally:
            # Renewed credentials are read from the database, by a thread that ends now.
            connections.close_all()

    with ThreadPoolExecutor(min(len(orders), MOST_CONNECTIONS)) as threads:
        return list(threads.map(answer, orders))


def _post(order: Order) -> Manifest:
    """Post the pod; a quota that somebody else was writing refused it without doing anything."""
    for turn in range(MOST_CONFLICTS):
        try:
            return asking.create_pod(order.cluster, order.pod)
        except QuotaConflict:
            if not order.has_time():
                raise
            time.sleep(refusals.conflict_pause(order.seed, turn))
    return asking.create_pod(order.cluster, order.pod)
