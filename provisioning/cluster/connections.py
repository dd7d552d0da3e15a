"""One client per process and cluster.

The official client loads the credentials; its connection pool sends our requests, and
answers stay raw JSON: its models would cost twenty times `json.loads` and refuse a whole
list for one odd field.
"""

import logging
import os
import threading
from dataclasses import dataclass
from typing import Final

import urllib3
from kubernetes import client, config

from provisioning.cluster.sealing import unseal
from provisioning.models import Cluster

logger = logging.getLogger(__name__)

MOST_CONNECTIONS: Final = 8


@dataclass(frozen=True)
class Connection:
    """Where a cluster is, and how to speak to it."""

    host: str
    pool: urllib3.PoolManager
    headers: dict[str, str]


# A client inherited over a fork shares its sockets with the parent: answers then reach the
# wrong process, without any error.  So the process id is part of the key.
_connections: dict[tuple[int, int, bytes], Connection] = {}
_lock = threading.Lock()


def connection_to(cluster: Cluster) -> Connection:
    """Return this process's connection to a cluster, made at first use."""
    sealed = bytes(cluster.kubeconfig_encrypted)
    key = (os.getpid(), cluster.pk, sealed)
    with _lock:
        if key not in _connections:
            _connections[key] = _connect(unseal(sealed))
        return _connections[key]


def _connect(kubeconfig: dict[str, object]) -> Connection:
    settings = client.Configuration()
    settings.retries = False  # an unknown outcome is ours to look into
    settings.keep_alive = True
    settings.connection_pool_maxsize = MOST_CONNECTIONS
    config.load_kube_config_from_dict(  # type: ignore[no-untyped-call]
        kubeconfig, client_configuration=settings, persist_config=False
    )
    # The API of a cluster is reached directly; the machine's web proxy is for people.
    settings.proxy = None
    if not settings.verify_ssl:
        # Whoever gave us the kubeconfig has decided that; once is enough to say so.
        logger.warning("%s: its certificate is not verified", settings.host)
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    api = client.ApiClient(configuration=settings)
    headers = {"User-Agent": "npu-farm"}
    if bearer := settings.auth_settings().get("BearerToken"):
        headers["Authorization"] = str(bearer["value"])
    return Connection(settings.host, api.rest_client.pool_manager, headers)


def _forget_parents() -> None:
    # The lock may have been held by a thread that the fork left behind.
    global _lock
    _lock = threading.Lock()
    _connections.clear()


os.register_at_fork(after_in_child=_forget_parents)
