"""The bare API of a cluster, without a product: what a launch costs at the least."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import urllib3
from kubernetes import config

THREADS = 8
PATIENCE_S = 300.0
NAMESPACE = "npu-farm-bench-raw"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
IMAGE = "registry.local/npu-workspace:1"
AMOUNTS = {"cpu": "1", "memory": "2Gi", "ephemeral-storage": "4Gi", "furiosa.ai/rngd": "1"}

Json = dict[str, Any]


class Raw:
    """The bare API, without a product."""

    def __init__(self, kubeconfig: Path) -> None:
        api: Any = config.new_client_from_config(str(kubeconfig))  # type: ignore[no-untyped-call]
        settings = api.configuration
        if not settings.verify_ssl:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        self._host, self._http = settings.host, api.rest_client.pool_manager
        self._http.connection_pool_kw["maxsize"] = THREADS + 2
        bearer = settings.auth_settings().get("BearerToken")
        self._headers = {"Content-Type": "application/json"}
        self._headers |= {"Authorization": bearer["value"]} if bearer else {}
        self._numbers = iter(range(100_000))

    @contextlib.contextmanager
    def namespace(self) -> Iterator[None]:
        """Pods live in one of our own, and go with it."""
        self._ask("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        # Its service account comes a moment later.
        accounts = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/default"
        wait_for(lambda: self._ask("GET", accounts, fail=False) is not None)
        try:
            yield
        finally:
            self._ask("DELETE", f"/api/v1/namespaces/{NAMESPACE}")

    def click(self) -> float:
        """Seconds from the POST to the moment a watch shows the pod running."""
        name, seen = self._name(), threading.Event()
        listening = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(name, listening, seen), daemon=True)
        watcher.start()
        listening.wait(PATIENCE_S)
        began = time.monotonic()
        self._ask("POST", PODS, _pod(name))
        if not seen.wait(PATIENCE_S):
            raise TimeoutError(f"{name} did not run")
        took = time.monotonic() - began
        self._ask("DELETE", f"{PODS}/{name}", {"gracePeriodSeconds": 0})
        wait_for(lambda: self._ask("GET", f"{PODS}/{name}", fail=False) is None)
        return took

    def hasten(self, instance_id: str) -> None:
        """Shorten the last moments of an instance's pod; its own grace is not what we measure."""
        label = f"labelSelector=npu-farm.local%2Finstance%3D{instance_id}"
        for pod in (self._ask("GET", f"/api/v1/pods?{label}") or {})["items"]:
            meta = pod["metadata"]
            path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"
            self._ask("DELETE", path, {"gracePeriodSeconds": 1}, fail=False)

    def remove_namespaces(self, key: str) -> None:
        """Remove what an installation leaves on a cluster."""
        label = f"labelSelector=app.kubernetes.io%2Finstance%3D{key}"
        for found in (self._ask("GET", f"/api/v1/namespaces?{label}") or {})["items"]:
            self._ask("DELETE", f"/api/v1/namespaces/{found['metadata']['name']}", fail=False)

    def rate(self, count: int) -> float:
        """Pods created a second, by so many threads."""
        names = [self._name() for _ in range(count)]
        began = time.monotonic()
        with ThreadPoolExecutor(THREADS) as threads:
            list(threads.map(lambda name: self._ask("POST", PODS, _pod(name)), names))
        took = time.monotonic() - began
        self._ask("DELETE", PODS, {"gracePeriodSeconds": 0})
        wait_for(lambda: not (self._ask("GET", PODS) or {})["items"])
        return count / took

    def _name(self) -> str:
        return f"raw-{next(self._numbers)}"

    def _watch(self, name: str, listening: threading.Event, seen: threading.Event) -> None:
        version = (self._ask("GET", PODS) or {})["metadata"]["resourceVersion"]
        query = f"?watch=true&resourceVersion={version}&fieldSelector=metadata.name%3D{name}"
        answer = self._http.request(
            "GET", self._host + PODS + query, headers=self._headers, preload_content=False,
            timeout=urllib3.Timeout(connect=3, read=PATIENCE_S), retries=False,
        )  # fmt: skip
        listening.set()
        for line in answer:
            if json.loads(line)["object"].get("status", {}).get("phase") == "Running":
                seen.set()
                break
        answer.close()

    def _ask(
        self, method: str, path: str, body: Json | None = None, *, fail: bool = True
    ) -> Json | None:
        answer = self._http.request(
            method,
            self._host + path,
            body=json.dumps(body) if body else None,
            headers=self._headers,
            timeout=urllib3.Timeout(connect=3, read=30),
            retries=False,
        )
        if answer.status >= 400:
            if fail:
                raise RuntimeError(f"{method} {path}: {answer.data[:500]!r}")
            return None
        said: Json = json.loads(answer.data)
        return said


def _pod(name: str) -> Json:
    container = {"name": "npu", "image": IMAGE, "imagePullPolicy": "IfNotPresent"}
    return {
        "metadata": {"name": name},
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 1,
            "automountServiceAccountToken": False,
            "securityContext": {"runAsUser": 1000, "runAsNonRoot": True},
            "containers": [{**container, "resources": {"requests": AMOUNTS, "limits": AMOUNTS}}],
        },
    }


def wait_for(is_so: Callable[[], bool]) -> None:
    """Return once it is so; raises TimeoutError."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError("it did not come to pass")
        time.sleep(0.05)
