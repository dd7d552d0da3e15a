"""One client per process, cluster and identity.

The official client makes the connection pool, and answers stay raw JSON: its models would
cost twenty times `json.loads` and refuse a whole list for one odd field.  Credentials do
not go through it, for it writes them into files.
"""

import logging
import os
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

import urllib3
from kubernetes import client

from provisioning.cluster.sealing import unseal
from provisioning.cluster.securing import context_for
from provisioning.models import Cluster, ClusterCredential
from provisioning.states import Identity

logger = logging.getLogger(__name__)

MOST_CONNECTIONS: Final = 8


@dataclass(frozen=True)
class Connection:
    """Where a cluster is, and how to speak to it.

    `tls` and `server_name` are for those who need a socket of their own; None over plain HTTP.
    """

    host: str
    pool: urllib3.PoolManager
    headers: dict[str, str]
    tls: ssl.SSLContext | None
    server_name: str | None


# A client inherited over a fork shares its sockets with the parent: answers then reach the
# wrong process, without any error.  So the process id is part of the key.
Key = tuple[int, int, Identity, int, bytes]
_connections: dict[Key, Connection] = {}
_lock = threading.Lock()
_tried: ContextVar[Mapping[Identity, Connection]] = ContextVar("tried")


def connection_to(cluster: Cluster, identity: Identity = Identity.WORKER) -> Connection:
    """Return this process's connection to a cluster as one identity, made at first use."""
    if (tried := _tried.get({}).get(identity)) is not None:
        return tried
    own, revision = bytes(cluster.kubeconfig_encrypted), cluster.credentials_revision
    # Credentials change with their revision; asking the database at every call would cost more.
    key = (os.getpid(), cluster.pk or 0, identity, revision, own)
    with _lock:
        if key not in _connections:
            fresh = _connect(unseal(_sealed_for(cluster, identity)))
            _let_go(*key[:3])
            _connections[key] = fresh
        return _connections[key]


def renew_connection(cluster: Cluster, identity: Identity = Identity.WORKER) -> Connection:
    """Connect anew with the credentials as they are now: ours were refused."""
    if cluster.pk is not None:
        cluster.refresh_from_db(fields=["kubeconfig_encrypted", "credentials_revision"])
    with _lock:
        _let_go(os.getpid(), cluster.pk or 0, identity)
    return connection_to(cluster, identity)


@contextmanager
def trying(kubeconfigs: Mapping[Identity, dict[str, Any]]) -> Iterator[None]:
    """Speak to whatever cluster with these credentials, which are nowhere kept."""
    token = _tried.set({identity: _connect(config) for identity, config in kubeconfigs.items()})
    try:
        yield
    finally:
        _tried.reset(token)


def _connect(kubeconfig: dict[str, Any]) -> Connection:
    cluster = kubeconfig["clusters"][0]["cluster"]
    user = kubeconfig["users"][0]["user"]
    host = cluster["server"].rstrip("/")
    server_name = cluster.get("tls-server-name")
    tls = context_for(cluster=cluster, user=user) if host.startswith("https:") else None
    if tls is not None and tls.verify_mode is ssl.CERT_NONE:
        # Whoever gave us the kubeconfig has decided that; once is enough to say so.
        logger.warning("%s: its certificate is not verified", host)
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    headers = {"User-Agent": "npu-farm"}
    if token := user.get("token"):
        headers["Authorization"] = f"Bearer {token}"
    return Connection(host, _pool(host, tls, server_name), headers, tls, server_name)


def _sealed_for(cluster: Cluster, identity: Identity) -> bytes:
    credential = ClusterCredential.objects.filter(cluster_id=cluster.pk, identity=identity).first()
    return bytes((credential or cluster).kubeconfig_encrypted)


def _pool(host: str, tls: ssl.SSLContext | None, server_name: str | None) -> urllib3.PoolManager:
    settings = client.Configuration(host=host)
    settings.retries = False  # an unknown outcome is ours to look into
    settings.keep_alive = True
    settings.connection_pool_maxsize = MOST_CONNECTIONS
    settings.tls_server_name = server_name
    # The API of a cluster is reached directly; the machine's web proxy is for people.
    settings.proxy = None
    pool: urllib3.PoolManager = client.ApiClient(configuration=settings).rest_client.pool_manager
    if tls is not None:
        pool.connection_pool_kw |= {"ssl_context": tls, "cert_reqs": tls.verify_mode}
    return pool


def _let_go(pid: int, cluster_id: int, identity: Identity) -> None:
    # Whoever is in the middle of a request keeps its socket; nobody begins one on it.
    for key in [key for key in _connections if key[:3] == (pid, cluster_id, identity)]:
        del _connections[key]


def _forget_parents() -> None:
    # The lock may have been held by a thread that the fork left behind.
    global _lock
    _lock = threading.Lock()
    _connections.clear()


os.register_at_fork(after_in_child=_forget_parents)
