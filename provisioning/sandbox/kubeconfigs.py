"""The credentials of a farm: a token per cluster, and a kubeconfig that carries it."""

import json
import os
import secrets
from pathlib import Path

USER = "portal"


def token_for(folder: Path, cluster: str) -> str:
    """The cluster's token: kept from the last start, or drawn now."""
    path = folder / f"{cluster}.token"
    if path.exists():
        return path.read_text(encoding="ascii").strip()
    token = secrets.token_urlsafe(32)
    write_private(path, token)
    return token


def write_kubeconfigs(folder: Path, *, cluster: str, port: int, token: str) -> None:
    """Write the file that opens a cluster, and one that opens it to kubectl.

    kubectl sends no token over plain HTTP, but the password of a URL it does send.
    """
    path = f"127.0.0.1:{port}/clusters/{cluster}"
    given = _kubeconfig(cluster, server=f"http://{path}", user={"token": token})
    write_private(folder / f"{cluster}.kubeconfig", given)
    given = _kubeconfig(cluster, server=f"http://{USER}:{token}@{path}", user={})
    write_private(folder / f"{cluster}.kubectl", given)


def _kubeconfig(cluster: str, *, server: str, user: dict[str, str]) -> str:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": cluster, "cluster": {"server": server}}],
        "users": [{"name": USER, "user": user}],
        "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": USER}}],
        "current-context": cluster,
    }
    # JSON is YAML, and needs no library to write.
    return json.dumps(config, indent=2) + "\n"


def write_private(path: Path, text: str) -> None:
    """Write a file only its owner can read, whole or not at all."""
    fresh = path.with_name(path.name + ".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write(text)
    fresh.replace(path)
