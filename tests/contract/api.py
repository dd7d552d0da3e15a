"""A cluster's API as the contract asks it: paths and bodies in, status and raw JSON out.

The official client carries the requests; nothing is turned into its models.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from kubernetes import client, config

Json = dict[str, Any]
TIMEOUT = (3, 15)
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"


@dataclass
class Answer:
    """What came back."""

    status: int
    text: str
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def body(self) -> Json:
        found: Json = json.loads(self.text)
        return found

    def ok(self, *expected: int) -> Json:
        """The body of an answer that has to be a success."""
        allowed = expected or (200, 201)
        assert self.status in allowed, f"{self.status}: {self.text[:2000]}"
        return self.body

    def refused(self, code: int, reason: str = "") -> Json:
        """The Status of an answer that has to be a refusal, well formed."""
        assert self.status == code, f"{self.status}: {self.text[:2000]}"
        status = self.body
        assert status["kind"] == "Status"
        assert status["apiVersion"] == "v1"
        assert status["status"] == "Failure"
        assert status["code"] == code
        assert isinstance(status["message"], str)
        assert status.get("reason", "") == reason
        return status


class Api:
    """One cluster, asked by whoever the kubeconfig names."""

    def __init__(self, kubeconfig: Path) -> None:
        settings = client.Configuration()
        settings.retries = False
        config.load_kube_config(str(kubeconfig), client_configuration=settings)
        settings.proxy = None
        self.host = settings.host
        self._client = client.ApiClient(settings)
        bearer = settings.auth_settings().get("BearerToken")
        self.token = str(bearer["value"]) if bearer else ""

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        kind: str = "application/json",
        accept: str = "application/json",
        token: str | None = None,
        **query: Any,
    ) -> Answer:
        """One request and its whole answer."""
        response = self._send(method, path, body, kind, accept, token, query)
        headers = {name.lower(): value for name, value in response.headers.items()}
        text = response.data.decode()
        response.release_conn()
        return Answer(response.status, text, headers)

    def watch(self, path: str, *, seconds: int = 1, **query: Any) -> list[Json]:
        """The events of a watch the server ends by itself."""
        return list(self.stream(path, seconds=seconds, **query))

    def stream(self, path: str, *, seconds: int, **query: Any) -> Iterator[Json]:
        """The events of a watch as they come."""
        query = {"watch": "true", "timeoutSeconds": seconds, **query}
        response = self._send(
            "GET", path, None, "", "application/json", None, query, (3, seconds + 10)
        )
        try:
            assert response.status == 200, response.read()
            yield from (json.loads(line) for line in _lines(response))
        finally:
            response.close()

    def open(self, path: str) -> Any:
        """A GET whose body is read as it comes."""
        headers = {"Authorization": self.token} if self.token else {}
        return self._client.rest_client.pool_manager.request(
            "GET", self.host + path, headers=headers, preload_content=False, timeout=15.0
        )

    def get(self, path: str, **query: Any) -> Answer:
        return self.ask("GET", path, **query)

    def post(self, path: str, body: Any, **query: Any) -> Answer:
        return self.ask("POST", path, body, **query)

    def put(self, path: str, body: Any, **query: Any) -> Answer:
        return self.ask("PUT", path, body, **query)

    def delete(self, path: str, body: Any = None, **query: Any) -> Answer:
        return self.ask("DELETE", path, body, **query)

    def patch(self, path: str, body: Any, kind: str = MERGE, **query: Any) -> Answer:
        return self.ask("PATCH", path, body, kind=kind, **query)

    def apply(self, path: str, body: Any, *, manager: str = "contract", **query: Any) -> Answer:
        """Server-side apply."""
        return self.patch(path, body, APPLY, fieldManager=manager, **query)

    def _send(
        self,
        method: str,
        path: str,
        body: Any,
        kind: str,
        accept: str,
        token: str | None,
        query: Json,
        timeout: tuple[int, int] = TIMEOUT,
    ) -> Any:
        given = self.token if token is None else token
        headers = {"Accept": accept, "User-Agent": "contract/1"}
        if kind:
            headers["Content-Type"] = kind
        if given:
            headers["Authorization"] = given
        url = self.host + path + (f"?{urlencode(query)}" if query else "")
        answer = self._client.rest_client.request(
            method, url, headers=headers, body=body, _request_timeout=timeout
        )
        return answer.response


def _lines(response: Any) -> Iterator[bytes]:
    rest = b""
    for chunk in response.stream(65536):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line for line in whole if line)
