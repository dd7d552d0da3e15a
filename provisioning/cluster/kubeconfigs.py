"""Read an uploaded kubeconfig: inline credentials only.

Turns YAML text into the one context we keep, as a plain kubeconfig.  What would run a
program or read a file on our machine is refused by name.
"""

import base64
import binascii
from typing import Any, Final
from urllib.parse import urlsplit

import yaml

from provisioning.errors import KubeconfigRefused

Config = dict[str, Any]

_LONGEST: Final = 256 * 1024
_CLUSTER_KEYS: Final = frozenset(
    {"server", "certificate-authority-data", "insecure-skip-tls-verify", "tls-server-name"}
)
_USER_KEYS: Final = frozenset({"token", "client-certificate-data", "client-key-data"})
_REFUSED: Final = {
    "exec": "It runs a program to obtain credentials.",
    "auth-provider": "It asks an authentication provider.",
    "tokenFile": "It reads a token from a file.",
    "client-certificate": "It reads a certificate from a file.",
    "client-key": "It reads a key from a file.",
    "certificate-authority": "It reads a certificate authority from a file.",
    "proxy-url": "It goes through a proxy.",
    "username": "It signs in with a password, which no cluster accepts any more.",
    "password": "It signs in with a password, which no cluster accepts any more.",
    "as": "It impersonates somebody.",
    "as-groups": "It impersonates somebody.",
    "as-uid": "It impersonates somebody.",
    "as-user-extra": "It impersonates somebody.",
}


def parse_kubeconfig(text: str) -> Config:
    """Return the current context alone, checked; raise `KubeconfigRefused` otherwise."""
    config = _mapping(_loaded(text), "It is not a kubeconfig.")
    contexts = _named(config, "contexts", "context")
    wanted = config.get("current-context") or (next(iter(contexts)) if len(contexts) == 1 else None)
    context = _find(contexts, wanted)
    if context is None:
        raise KubeconfigRefused("It names no current context.")
    clusters, users = _named(config, "clusters", "cluster"), _named(config, "users", "user")
    cluster = _find(clusters, context.get("cluster"))
    if cluster is None:
        raise KubeconfigRefused("Its context names no cluster.")
    user = _find(users, context.get("user")) or {}
    return _config_of(_kept(cluster, _CLUSTER_KEYS), _kept(user, _USER_KEYS))


def _loaded(text: str) -> object:
    if len(text) > _LONGEST:
        raise KubeconfigRefused("It is too long.")
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        # What went wrong quotes the line it went wrong in, and that may be a token.
        raise KubeconfigRefused("It does not parse.") from None


def _mapping(value: object, complaint: str) -> Config:
    if not isinstance(value, dict):
        raise KubeconfigRefused(complaint)
    return value


def _named(config: Config, plural: str, singular: str) -> dict[str, Config]:
    entries = config.get(plural)
    if not isinstance(entries, list):
        raise KubeconfigRefused(f"It has no {plural}.")
    found = {}
    for entry in entries:
        entry = _mapping(entry, f"One of its {plural} is malformed.")
        name = entry.get("name")
        if not isinstance(name, str):
            raise KubeconfigRefused(f"One of its {plural} has no name.")
        found[name] = _mapping(entry.get(singular) or {}, f"A {singular} is malformed.")
    return found


def _find(entries: dict[str, Config], name: object) -> Config | None:
    return entries.get(name) if isinstance(name, str) else None


def _kept(part: Config, keys: frozenset[str]) -> Config:
    for key in part:
        if key in _REFUSED:
            raise KubeconfigRefused(_REFUSED[key])
    kept = {key: value for key, value in part.items() if key in keys}
    for key, value in kept.items():
        _check_value(key, value)
    return kept


def _check_value(key: str, value: object) -> None:
    if key == "insecure-skip-tls-verify":
        if not isinstance(value, bool):
            raise KubeconfigRefused(f"Its {key} is neither true nor false.")
    elif not isinstance(value, str) or not value or not value.isprintable():
        raise KubeconfigRefused(f"Its {key} is no text.")
    elif key.endswith("-data"):
        try:
            base64.b64decode(value, validate=True)
        except binascii.Error as error:
            raise KubeconfigRefused(f"Its {key} is not base64.") from error


def _config_of(cluster: Config, user: Config) -> Config:
    server = cluster.get("server")
    if not server:
        raise KubeconfigRefused("Its cluster names no server.")
    try:
        parts = urlsplit(server)
    except ValueError as error:
        raise KubeconfigRefused("Its server is no address.") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
        raise KubeconfigRefused("Its server is no address.")
    if parts.username or parts.password:
        raise KubeconfigRefused("Its server carries a password.")
    if not user:
        raise KubeconfigRefused("It carries no credentials.")
    if ("client-certificate-data" in user) != ("client-key-data" in user):
        raise KubeconfigRefused("A certificate comes with a key.")
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "clusters": [{"name": "it", "cluster": cluster}],
        "users": [{"name": "it", "user": user}],
    }
