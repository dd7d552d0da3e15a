"""A sandbox process a test can start, kill, start again, and break through its admin door."""

import contextlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3

from provisioning.sandbox.objects import Json

ROOT = Path(__file__).parents[2]
PATIENCE = 20.0
# Nobody is left behind by a test run that was killed.
MORTAL = ("setpriv", "--pdeathsig", "KILL", "--")


class Process:
    """One sandbox and the two doors to it."""

    def __init__(self, folder: Path, *, farm: Path) -> None:
        self.folder = folder
        self._farm = farm
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0
        self._pool = urllib3.PoolManager(maxsize=8)

    def start(self) -> None:
        command = [*MORTAL, sys.executable, "-m", "provisioning.sandbox"]
        command += ["--port", str(self._port)]
        command += ["--state", str(self.folder), "--farm", str(self._farm)]
        # A killed sandbox leaves the sign of the last start behind; the new one takes it away.
        ready = self.folder / "ready"
        ready.unlink(missing_ok=True)
        self._process = subprocess.Popen(command, cwd=ROOT)
        wait_for(ready.exists)
        self._port = int(ready.read_text())

    def kill(self) -> None:
        """As nothing else ends a process: no goodbye."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def token(self, name: str) -> str:
        return (self.folder / f"{name}.token").read_text().strip()

    def ask(
        self, method: str, path: str, body: Any = None, *, cluster: str = "quick", **query: Any
    ) -> "Answer":
        """One request to a cluster's API."""
        url = f"{self.address}/clusters/{cluster}{path}"
        return self._send(method, url, body, self.token(cluster), query)

    def operate(self, method: str, path: str, body: Any = None) -> Json:
        """One request to the operator's door, which has to succeed."""
        answer = self._send(method, f"{self.address}/admin{path}", body, self.token("admin"), {})
        assert answer.status == 200, answer.body
        return answer.body

    def plant(self, shape: str, **fault: Any) -> None:
        self.operate("POST", "/faults", {"shape": shape, **fault})

    def lift(self) -> None:
        with contextlib.suppress(urllib3.exceptions.HTTPError):
            self.operate("DELETE", "/faults")

    def _send(self, method: str, url: str, body: Any, token: str, query: Json) -> "Answer":
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        headers = {"Authorization": f"Bearer {token}", "Content-Type": kind}
        response = self._pool.request(
            method,
            url + (f"?{urlencode(query)}" if query else ""),
            body=json.dumps(body) if body is not None else None,
            headers=headers,
            timeout=urllib3.Timeout(connect=2, read=10),
            retries=False,
        )
        return Answer(response.status, response.data, dict(response.headers))

    def watch(
        self, path: str, *, cluster: str = "quick", read: float = 5.0, **query: Any
    ) -> list[Json]:
        """The events of a watch until its end, or until nothing comes for `read` seconds."""
        given = urlencode({"watch": "true", **query})
        url = f"{self.address}/clusters/{cluster}{path}?{given}"
        headers = {"Authorization": f"Bearer {self.token(cluster)}"}
        response = self._pool.request(
            "GET", url, headers=headers, preload_content=False, retries=False,
            timeout=urllib3.Timeout(connect=2, read=read),
        )  # fmt: skip
        events: list[Json] = []
        with contextlib.suppress(urllib3.exceptions.ReadTimeoutError):
            events.extend(json.loads(line) for line in response)
        response.close()
        return events

    def run(self, name: str, *, cluster: str = "quick", count: int = 1, **spec: Any) -> Json:
        """A pod in the namespace `default`."""
        container: Json = {"name": "main", "image": "registry.local/npu-workspace:1"}
        if count:
            container["resources"] = {"limits": {"furiosa.ai/rngd": str(count)}}
        wish = {"restartPolicy": "Never", "containers": [container], **spec}
        pod = {"metadata": {"name": name}, "spec": wish}
        answer = self.ask("POST", PODS, pod, cluster=cluster)
        assert answer.status == 201, answer.body
        return answer.body

    def pod(self, name: str) -> Json:
        answer = self.ask("GET", f"{PODS}/{name}")
        assert answer.status == 200, answer.body
        return answer.body

    def await_phase(self, name: str, phase: str) -> Json:
        wait_for(lambda: self.pod(name)["status"]["phase"] == phase)
        return self.pod(name)


PODS = "/api/v1/namespaces/default/pods"


class Answer:
    """Status, headers and JSON."""

    def __init__(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        self.status = status
        self.headers = {name.lower(): value for name, value in headers.items()}
        self._data = data

    @property
    def text(self) -> str:
        return self._data.decode()

    @property
    def body(self) -> Json:
        found: Json = json.loads(self._data)
        return found


def wait_for(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline, f"not within {PATIENCE:.0f} s"
        time.sleep(0.02)
