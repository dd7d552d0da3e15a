"""Registries that keep images private, and what a pod brings along to be let in.

Like a kubelet before a pull: the Secrets a pod names are looked for in its own namespace, and
of the logins in them those are tried whose registry and path the image's name begins with.
"""

import base64
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from provisioning.sandbox.farm import PrivateImages
from provisioning.sandbox.kinds import SECRETS
from provisioning.sandbox.objects import Json, namespace_of, spec
from provisioning.sandbox.store import Store

LOGINS = "kubernetes.io/dockerconfigjson"
KEY = ".dockerconfigjson"


@dataclass(frozen=True)
class Login:
    """Who says to be who, as it is said to a registry."""

    username: str
    password: str


class Registries:
    """What one cluster's registries give to nobody without a login."""

    def __init__(self, private: Iterable[PrivateImages] = ()) -> None:
        self._private = {one.prefix: Login(one.username, one.password) for one in private}

    def close(self, prefix: str, login: Login) -> None:
        """Ask for a login from now on, for an image or all below a path."""
        self._private[prefix] = login

    def open(self, prefix: str) -> None:
        """Ask for none any more."""
        self._private.pop(prefix, None)

    def is_private(self, image: str) -> bool:
        """Whether a pull needs a login."""
        return self._wanted(image) is not None

    def refusal(self, store: Store, pod: Json, image: str) -> str:
        """Why a pod's pull is refused, in the words of a real runtime; empty when it is not."""
        wanted = self._wanted(image)
        brought = [login for key, login in _logins(store, pod) if _leads_to(key, image)]
        if wanted is None or wanted in brought:
            return ""
        if not brought:
            return (
                "pull access denied, repository does not exist or may require authorization:"
                " server message: insufficient_scope: authorization failed"
            )
        host = image.partition("/")[0]
        return (
            "failed to authorize: failed to fetch oauth token: unexpected status from GET request"
            f" to https://{host}/token: 401 Unauthorized"
        )

    def _wanted(self, image: str) -> Login | None:
        closed = [prefix for prefix in self._private if _is_below(image, prefix)]
        return self._private[max(closed, key=len)] if closed else None


def missing_secrets(store: Store, pod: Json) -> list[str]:
    """The Secrets a pod names for its pulls that are not there."""
    names = _named(pod)
    return [name for name in names if store.get(SECRETS, namespace_of(pod), name) is None]


def _named(pod: Json) -> list[str]:
    return [str(one.get("name")) for one in spec(pod).get("imagePullSecrets") or []]


def _logins(store: Store, pod: Json) -> Iterator[tuple[str, Login]]:
    for name in _named(pod):
        stored = store.get(SECRETS, namespace_of(pod), name)
        if stored is not None and stored.object.get("type") == LOGINS:
            yield from _read(stored.object)


def _read(secret: Json) -> Iterator[tuple[str, Login]]:
    try:
        content = json.loads(base64.b64decode((secret.get("data") or {})[KEY]))
        for host, entry in content["auths"].items():
            yield host, _login_of(entry)
    except (KeyError, ValueError, AttributeError, TypeError):
        # What cannot be read is left aside; the pull says the rest.
        return


def _login_of(entry: Json) -> Login:
    # Where both are given, the encoded pair is what counts.
    if encoded := entry.get("auth"):
        username, _colon, password = base64.b64decode(encoded).decode().partition(":")
        return Login(username, password)
    return Login(str(entry.get("username") or ""), str(entry.get("password") or ""))


def _leads_to(key: str, image: str) -> bool:
    bare = key.removeprefix("https://").removeprefix("http://").rstrip("/")
    return _is_below(image, bare)


def _is_below(image: str, prefix: str) -> bool:
    return image == prefix or (image.startswith(prefix) and image[len(prefix)] in "/:@")
