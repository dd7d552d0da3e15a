"""The operator's door of a running sandbox, and what its clusters hold."""

import json
from pathlib import Path
from typing import Any

import urllib3

from benchmarks.chaos.truth import INSTANCE_LABEL
from benchmarks.chaos.verdicts import Pod

Json = dict[str, Any]
PATIENCE = urllib3.Timeout(connect=1, read=10)


class Unanswered(Exception):
    """The sandbox is down at the moment, or refuses."""


class Sandbox:
    """One sandbox process, by its state folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._http = urllib3.PoolManager(maxsize=2)

    @property
    def clusters(self) -> list[str]:
        """The names of its clusters."""
        return sorted(file.stem for file in self.folder.glob("*.kubeconfig"))

    def operate(self, method: str, path: str, body: Json | None = None) -> Json:
        """Ask the operator's door; raises `Unanswered`."""
        return self._ask(method, f"/admin{path}", "admin", body)

    def running_pods(self, cluster: str) -> list[tuple[str, str]]:
        """Return namespace and name of the pods that run."""
        return [
            (pod["metadata"]["namespace"], pod["metadata"]["name"])
            for pod in self._pods(cluster)
            if pod["status"].get("phase") == "Running"
        ]

    def pods(self, cluster: str) -> list[Pod]:
        """Return the pods that carry our label."""
        return [
            Pod(
                cluster=cluster,
                uid=pod["metadata"]["uid"],
                instance=pod["metadata"]["labels"][INSTANCE_LABEL],
                is_over=pod["status"].get("phase") in ("Succeeded", "Failed"),
            )
            for pod in self._pods(cluster)
            if INSTANCE_LABEL in (pod["metadata"].get("labels") or {})
        ]

    def _pods(self, cluster: str) -> list[Json]:
        found: list[Json] = self._ask("GET", f"/clusters/{cluster}/api/v1/pods", cluster)["items"]
        return found

    def _ask(self, method: str, path: str, token: str, body: Json | None = None) -> Json:
        port = (self.folder / "ready").read_text().strip() if self._is_ready() else "1"
        secret = (self.folder / f"{token}.token").read_text().strip()
        try:
            answer = self._http.request(
                method,
                f"http://127.0.0.1:{port}{path}",
                body=json.dumps(body or {}) if method == "POST" else None,
                headers={"Authorization": f"Bearer {secret}", "Content-Type": "application/json"},
                timeout=PATIENCE,
                retries=False,
            )
        except urllib3.exceptions.HTTPError as error:
            raise Unanswered(str(error)) from error
        if answer.status != 200:
            raise Unanswered(f"{path}: {answer.status} {answer.data[:200]!r}")
        said: Json = json.loads(answer.data)
        return said

    def _is_ready(self) -> bool:
        return (self.folder / "ready").exists()
