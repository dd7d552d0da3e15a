"""The metadata only the server writes; what a client sends for it is ignored."""

import random
from datetime import datetime

from provisioning.sandbox.objects import Json, metadata
from provisioning.sandbox.store import new_uid
from provisioning.sandbox.times import in_seconds

# The letters Kubernetes uses for generated names: no vowels, no look-alikes.
_NAME_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_SUFFIX_LENGTH = 5
_PREFIX_LIMIT = 63 - _SUFFIX_LENGTH
_SERVER_WRITTEN = (
    "selfLink", "deletionTimestamp", "deletionGracePeriodSeconds", "managedFields", "generation",
    "resourceVersion",
)  # fmt: skip


def stamp(obj: Json, *, namespace: str, at: datetime) -> Json:
    """The object with a uid, a creation time, and a name if it asked for one."""
    given = metadata(obj)
    meta: Json = {"name": given.get("name") or generated_name(given.get("generateName") or "")}
    if namespace:
        meta["namespace"] = namespace
    meta |= {"uid": new_uid(), "creationTimestamp": in_seconds(at)}
    meta = {**{k: v for k, v in given.items() if k not in _SERVER_WRITTEN and v}, **meta}
    return {**obj, "metadata": meta}


def generated_name(prefix: str) -> str:
    """A name that begins with a prefix; nothing when there is none."""
    return prefix[:_PREFIX_LIMIT] + random_suffix() if prefix else ""


def random_suffix() -> str:
    """Five letters that make a name of its own; no secret depends on them."""
    return "".join(random.choices(_NAME_LETTERS, k=_SUFFIX_LENGTH))  # noqa: S311
