"""What a driver asks of its API server: its node, its slice, the claims it prepares.

Understands a kubeconfig with inline credentials, and a pod's own service account.
"""

import base64
import json
import tempfile
from pathlib import Path
from typing import Any

import urllib3
import yaml

from provisioning.sandbox.dra.publishing import API_VERSION
from provisioning.sandbox.objects import Json

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
IN_CLUSTER = "https://kubernetes.default.svc"
_TIMEOUT = urllib3.Timeout(connect=3, read=10)
_ROOT = f"/apis/{API_VERSION}"


class ApiError(Exception):
    """The API server refused, or was not there."""

    def __init__(self, code: int, message: str) -> None:
        self.code = code
        super().__init__(message)


class Api:
    """One API server."""

    def __init__(self, kubeconfig: Path | None) -> None:
        given = _from_file(kubeconfig) if kubeconfig else _from_pod()
        self._server, self._token, options = given
        self._pool = urllib3.PoolManager(**options)

    def node_uid(self, name: str) -> str:
        """The identity of a node."""
        return str(self._ask("GET", f"/api/v1/nodes/{name}")["metadata"]["uid"])

    def claim(self, *, namespace: str, name: str) -> Json:
        """A claim as it is."""
        return self._ask("GET", f"{_ROOT}/namespaces/{namespace}/resourceclaims/{name}")

    def ensure_class(self, body: Json) -> None:
        """Create a device class unless there is one."""
        try:
            self._ask("POST", f"{_ROOT}/deviceclasses", body)
        except ApiError as error:
            if error.code != 409:
                raise

    def find_slice(self, name: str) -> Json | None:
        """A slice, if there is one."""
        try:
            return self._ask("GET", f"{_ROOT}/resourceslices/{name}")
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    def put_slice(self, body: Json, *, is_new: bool) -> Json:
        """Create a slice or write it anew."""
        path = f"{_ROOT}/resourceslices"
        if is_new:
            return self._ask("POST", path, body)
        return self._ask("PUT", f"{path}/{body['metadata']['name']}", body)

    def delete_slice(self, name: str) -> None:
        """Take a slice away."""
        self._ask("DELETE", f"{_ROOT}/resourceslices/{name}")

    def _ask(self, method: str, path: str, body: Json | None = None) -> Json:
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        try:
            answer = self._pool.request(
                method,
                self._server + path,
                body=json.dumps(body) if body is not None else None,
                headers={**headers, "Content-Type": "application/json"},
                timeout=_TIMEOUT,
                retries=False,
            )
        except urllib3.exceptions.HTTPError as error:
            raise ApiError(0, str(error)) from error
        said: Json = json.loads(answer.data or b"{}")
        if answer.status >= 400:
            raise ApiError(answer.status, str(said.get("message")))
        return said


def _from_pod() -> tuple[str, str, dict[str, Any]]:
    token = (ACCOUNT / "token").read_text(encoding="utf-8")
    return IN_CLUSTER, token, {"ca_certs": str(ACCOUNT / "ca.crt")}


def _from_file(kubeconfig: Path) -> tuple[str, str, dict[str, Any]]:
    said = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
    wanted = said["current-context"]
    context = next(one["context"] for one in said["contexts"] if one["name"] == wanted)
    cluster = next(one["cluster"] for one in said["clusters"] if one["name"] == context["cluster"])
    user = next(one["user"] for one in said["users"] if one["name"] == context["user"])
    options: dict[str, Any] = {}
    if cluster.get("insecure-skip-tls-verify"):
        options["cert_reqs"] = "CERT_NONE"
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    elif "certificate-authority-data" in cluster:
        options["ca_certs"] = _file_of(cluster["certificate-authority-data"])
    if "client-certificate-data" in user:
        options["cert_file"] = _file_of(user["client-certificate-data"])
        options["key_file"] = _file_of(user["client-key-data"])
    return cluster["server"], str(user.get("token") or ""), options


def _file_of(data: str) -> str:
    with tempfile.NamedTemporaryFile(delete=False) as file:
        file.write(base64.b64decode(data))
    return file.name
