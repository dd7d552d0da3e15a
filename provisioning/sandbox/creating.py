"""Create an object: decorate, admit, check, store.

The order is the real server's: namespace first, then defaults, then what is wrong
with the object, then what the namespace's rules say, and the name last.
"""

from dataclasses import dataclass

from provisioning.sandbox import errors
from provisioning.sandbox.admission import chain
from provisioning.sandbox.cluster import Cluster
from provisioning.sandbox.defaulting import decorating, filling
from provisioning.sandbox.kinds import Kind
from provisioning.sandbox.objects import Json, metadata, name_of, without_type
from provisioning.sandbox.patching import ownership
from provisioning.sandbox.patching.ownership import Owner
from provisioning.sandbox.store import Stored
from provisioning.sandbox.validation import checking


@dataclass(frozen=True)
class WriteOptions:
    """What a request says about the write beside the object."""

    dry_run: bool = False
    manager: str = "unknown"
    subresource: str = ""


def create(
    cluster: Cluster,
    *,
    kind: Kind,
    namespace: str,
    body: Json,
    options: WriteOptions,
    owner: Owner | None = None,
) -> Stored:
    """Store a new object; `owner` is given by apply, which owns less than the whole."""
    at = cluster.now()
    if metadata(body).get("resourceVersion"):
        raise _versioned()
    obj = decorating.stamp(without_type(body), namespace=namespace, at=at)
    chain.enter(cluster, kind=kind, namespace=namespace, name=name_of(obj))
    filled = filling.fill(kind, obj)
    obj = chain.adjust(cluster, kind=kind, obj=filled)
    checking.refuse_bad(kind, obj)
    chain.judge(cluster, kind=kind, obj=obj, dry_run=options.dry_run)
    key = (namespace, name_of(obj))
    if cluster.store.get(kind, *key) is not None:
        raise errors.already_exists(kind, name_of(obj))
    mine = owner or ownership.creator(kind, filled, given=body, manager=options.manager, at=at)
    obj = ownership.with_owners(kind, obj, [mine])
    if options.dry_run:
        return Stored(kind, key, 0, obj)
    return cluster.store.put(kind, obj)


def _versioned() -> errors.StatusError:
    return errors.StatusError(
        code=500, reason="", message="resourceVersion should not be set on objects to be created"
    )
