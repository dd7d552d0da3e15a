"""The credentials of a farm: a token per cluster, and a kubeconfig that carries it."""

import json
import os
import secrets
from pathlib import Path


def token_for(folder: Path, cluster: str) -> str:
    """The cluster's token: kept from the last start, or drawn now."""
    path = folder / f"{cluster}.token"
    if path.exists():
        return path.read_text(encoding="ascii").strip()
    token = secrets.token_urlsafe(32)
    write_private(path, token)
    return token


def write_kubeconfig(folder: Path, *, cluster: str, port: int, token: str) -> Path:
    """Write the file that opens a cluster."""
    path = folder / f"{cluster}.kubeconfig"
    server = f"http://127.0.0.1:{port}/clusters/{cluster}"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": cluster, "cluster": {"server": server}}],
        "users": [{"name": "portal", "user": {"token": token}}],
        "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": "portal"}}],
        "current-context": cluster,
    }
    # JSON is YAML, and needs no library to write.
    write_private(path, json.dumps(config, indent=2) + "\n")
    return path


def write_private(path: Path, text: str) -> None:
    """Write a file only its owner can read, whole or not at all."""
    fresh = path.with_name(path.name + ".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write(text)
    fresh.replace(path)
