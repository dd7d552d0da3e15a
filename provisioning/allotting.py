"""Choose pools for those who wait and write their next attempts down: instances in, attempts out.

Several are served at once as if one came after the other, so that a crowd costs little more
than one.  Called inside the transaction that records the passes; `carrying` creates the pods.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from provisioning import (
    attaching,
    attempts,
    avoiding,
    confiding,
    manifests,
    offers,
    placing,
    queueing,
    registries,
    selling,
)
from provisioning.errors import NoCapacity
from provisioning.models import Attempt, Instance, Pool, RegistryLogin
from provisioning.names import Marks
from provisioning.offers import NodeName
from provisioning.placing import Choice, NoChoice, Waiting
from provisioning.states import State
from provisioning.steps import Move

PLACED: Final = Move(to=State.PROVISIONING, reason="placed")
PATIENCE: Final = 30.0
LONGEST_PATIENCE: Final = 300.0

Found = dict[UUID, Attempt | NoCapacity]
Reach = tuple[tuple[Pool, ...], frozenset[NodeName]]
"""The pools that could hold an instance, and the nodes in them it has to stay away from."""


def open_attempt(*, instance: Instance, marks: Marks, at: datetime) -> Attempt:
    """Open the next attempt of one instance; raises `NoCapacity` with the reason."""
    found = open_attempts(instances=[instance], marks=marks, at=at)[instance.pk]
    if isinstance(found, NoCapacity):
        raise found
    return found


def open_attempts(*, instances: Sequence[Instance], marks: Marks, at: datetime) -> Found:
    """Open the next attempts of instances of one family; who finds no room is told why."""
    [family_id] = {instance.instance_type.family_id for instance in instances}
    # Two who place at once would both see the last device free.
    pools = offers.lock_pools(family_id=family_id, at=at)
    order = queueing.waiting_for(family_id)
    found: Found = {**attaching.refuse_busy(instances)}
    reaches = _reaches([one for one in instances if one.pk not in found], pools, at)
    for (near, avoided), group in reaches.items():
        if pools and not near:
            found |= dict.fromkeys((one.pk for one in group), _none_beside_volumes())
            continue
        chosen = placing.choose_pools(
            wanted=[Waiting(one.pk, one.project_id, one.device_count) for one in group],
            offers=offers.of_pools(list(near), without=avoided),
            order=[one for one in order if not isinstance(found.get(one.id), Attempt)],
        )
        found |= _open(group, near, avoided, chosen, marks=marks, at=at)
    return found


def _reaches(
    instances: Iterable[Instance], pools: Sequence[Pool], at: datetime
) -> dict[Reach, list[Instance]]:
    """Group the instances by where they can go: mostly all can go to the same places."""
    closed: dict[datetime | None, frozenset[NodeName]] = {}
    reaches: defaultdict[Reach, list[Instance]] = defaultdict(list)
    for instance in instances:
        clusters = attaching.clusters_of(instance)
        near = tuple(pool for pool in pools if not clusters or pool.cluster_id in clusters)
        until = instance.ends_at
        if until not in closed:
            closed[until] = selling.closed_nodes(until=until, pools=pools, at=at)
        avoided = avoiding.nodes_to_avoid(instance=instance, pools=near, at=at)
        reaches[near, avoided | closed[until]].append(instance)
    return reaches


def _open(
    group: Sequence[Instance],
    pools: Iterable[Pool],
    avoided: Iterable[NodeName],
    chosen: Mapping[UUID, Choice | NoChoice],
    *,
    marks: Marks,
    at: datetime,
) -> Found:
    by_id = {pool.pk: pool for pool in pools}
    logins = registries.logins_for(group)
    found: Found = {}
    for instance in group:
        choice = chosen[instance.pk]
        if isinstance(choice, NoChoice):
            found[instance.pk] = _no_capacity(choice)
        else:
            pool = by_id[choice.pool_id]
            away = sorted(name for cluster, name in avoided if cluster == pool.cluster_id)
            login = logins.get(instance.pk)
            found[instance.pk] = _intended(instance, pool, away, login, marks=marks, at=at)
    opened = Attempt.objects.bulk_create(a for a in found.values() if isinstance(a, Attempt))
    attaching.attach(opened, at=at)
    confiding.intend_copies(opened, with_login=logins, at=at)
    return found


def _intended(
    instance: Instance,
    pool: Pool,
    away_from: list[str],
    login: RegistryLogin | None,
    *,
    marks: Marks,
    at: datetime,
) -> Attempt:
    spec = attempts.spec_of(
        instance=instance,
        attempt_no=instance.attempt_no + 1,
        pool=pool,
        marks=marks,
        avoided_nodes=away_from,
        login=login,
    )
    return Attempt(
        instance=instance,
        no=spec.attempt_no,
        launch_no=instance.launch_no,
        cluster=pool.cluster,
        pool=pool,
        namespace=spec.namespace,
        pod_name=spec.name,
        spec_hash=manifests.hash_of(manifests.pod_for(spec), spec),
        device_count=instance.device_count,
        avoided_nodes=away_from,
        intended_at=at,
    )


def _no_capacity(none: NoChoice) -> NoCapacity:
    # Whoever frees a device wakes the first ones; the others need not keep asking.
    patience = min(LONGEST_PATIENCE, PATIENCE + 5 * none.ahead)
    return NoCapacity(none.message, reason=none.reason, retry_after=patience)


def _none_beside_volumes() -> NoCapacity:
    detail = "The cluster of its volumes offers none of this family now."
    return NoCapacity(detail, reason="no_pool_beside_volumes", retry_after=PATIENCE)
