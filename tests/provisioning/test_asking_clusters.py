"""The gateway asks once, reads the body, and says what can be done about a refusal."""

import json
import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

from provisioning.cluster import asking, errors, requests, watching
from provisioning.cluster.errors import ClusterUnreachable
from provisioning.models import Cluster
from tests.factories import provisioning as factory
from tests.provisioning.canned import Asked, Canned, serve

UID = "11111111-1111-4111-8111-111111111111"


@pytest.fixture
def canned() -> Iterator[Canned]:
    with serve() as canned:
        yield canned


@pytest.fixture
def canned_cluster(canned: Canned, db: None) -> Cluster:
    return factory.add_cluster(server=canned.url)


def failure(code: int, reason: str, message: str, **details: Any) -> dict[str, Any]:
    return {
        "kind": "Status",
        "status": "Failure",
        "code": code,
        "reason": reason,
        "message": message,
        "details": details,
    }


PSA = 'pods "x" is forbidden: violates PodSecurity "restricted:v1.34": allowPrivilegeEscalation'
RBAC = 'pods is forbidden: User "portal" cannot create resource "pods" in API group ""'
QUOTA = 'pods "x" is forbidden: exceeded quota: npu-tenant, requested: requests.furiosa.ai/rngd=1'
TERMINATING = (
    'pods "x" is forbidden: unable to create new content in namespace n'
    " because it is being terminated"
)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (403, failure(403, "Forbidden", QUOTA), errors.QuotaExceeded),
        (403, failure(403, "Forbidden", PSA), errors.AdmissionRefused),
        (403, failure(403, "Forbidden", RBAC), errors.PermissionDenied),
        (
            403,
            failure(403, "Forbidden", TERMINATING, causes=[{"reason": "NamespaceTerminating"}]),
            errors.NamespaceTerminating,
        ),
        (404, failure(404, "NotFound", "no", kind="pods"), errors.NotFound),
        (404, failure(404, "NotFound", "no", kind="namespaces"), errors.NamespaceMissing),
        (409, failure(409, "AlreadyExists", "already"), errors.AlreadyExists),
        (409, failure(409, "Conflict", "the object has been modified"), errors.Conflict),
        (
            409,
            failure(409, "Conflict", "Precondition failed: UID in precondition: a, b"),
            errors.PreconditionFailed,
        ),
        (
            409,
            failure(
                409,
                "Conflict",
                'Operation cannot be fulfilled on resourcequotas "npu-tenant": the object has been '
                "modified; please apply your changes to the latest version and try again",
            ),
            errors.QuotaConflict,
        ),
        (410, failure(410, "Expired", "too old"), errors.Expired),
        (422, failure(422, "Invalid", "no"), errors.Invalid),
        (500, failure(500, "InternalError", "etcd"), errors.ServerTrouble),
        (503, b"upstream connect error", ClusterUnreachable),
        (400, b"<html>", errors.ClusterRefused),
    ],
)
def test_a_refusal_is_known_by_its_body(
    canned: Canned, canned_cluster: Cluster, status: int, body: Any, kind: type[Exception]
) -> None:
    canned.answer = lambda asked: (status, body, {})
    with pytest.raises(kind) as refused:
        asking.get_pod(canned_cluster, namespace="n", name="x")
    assert type(refused.value) is kind
    assert len(canned.asked) == 1


def test_refused_credentials_are_read_anew_and_tried_once_more(
    canned: Canned, canned_cluster: Cluster
) -> None:
    refused = (401, failure(401, "Unauthorized", "Unauthorized"), {})
    answers = [refused, (200, {"kind": "Pod"}, {})]
    canned.answer = lambda asked: answers.pop(0)
    assert asking.get_pod(canned_cluster, namespace="n", name="x") == {"kind": "Pod"}
    canned.answer = lambda asked: refused
    with pytest.raises(errors.Unauthenticated):
        asking.get_pod(canned_cluster, namespace="n", name="x")
    assert len(canned.asked) == 4


def test_too_many_requests_says_when_to_come_back(canned: Canned, canned_cluster: Cluster) -> None:
    canned.answer = lambda asked: (
        429,
        failure(429, "TooManyRequests", "slow"),
        {"Retry-After": "7"},
    )
    with pytest.raises(errors.TooManyRequests) as refused:
        asking.get_pod(canned_cluster, namespace="n", name="x")
    assert refused.value.retry_after == 7
    assert len(canned.asked) == 1


def test_a_create_that_is_cut_off_is_asked_once(canned: Canned, canned_cluster: Cluster) -> None:
    canned.answer = lambda asked: None
    with pytest.raises(ClusterUnreachable):
        asking.create_pod(canned_cluster, {"metadata": {"namespace": "n", "name": "x"}})
    assert [asked.method for asked in canned.asked] == ["POST"]


def test_a_server_that_stalls_is_no_answer(
    canned: Canned, canned_cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "READ_SECONDS", 0.2)
    request = requests.Request(method="GET", path="/version", read_seconds=0.2)

    def stall(asked: Asked) -> None:
        time.sleep(0.6)

    canned.answer = stall
    began = time.monotonic()
    with pytest.raises(ClusterUnreachable):
        requests.ask(requests_connection(canned_cluster), request)
    assert time.monotonic() - began < 0.55


def requests_connection(cluster: Cluster) -> Any:
    from provisioning.cluster.connections import connection_to

    return connection_to(cluster)


def test_nobody_there_is_no_answer(db: None) -> None:
    with pytest.raises(ClusterUnreachable):
        asking.version(factory.add_cluster(server="http://127.0.0.1:1"))


def test_an_answer_that_is_no_json_is_no_answer(canned: Canned, canned_cluster: Cluster) -> None:
    canned.answer = lambda asked: (200, b"<html>hello</html>", {})
    with pytest.raises(ClusterUnreachable):
        asking.version(canned_cluster)


def test_the_token_goes_along(canned: Canned, canned_cluster: Cluster) -> None:
    asking.version(canned_cluster)
    assert canned.asked[0].headers["Authorization"] == "Bearer t"


def test_a_delete_names_the_very_pod(canned: Canned, canned_cluster: Cluster) -> None:
    asking.delete_pod(canned_cluster, namespace="n", name="x", uid=UID)
    assert canned.asked[0].method == "DELETE"
    assert canned.asked[0].body["preconditions"] == {"uid": UID}
    assert "gracePeriodSeconds" not in canned.asked[0].body


def test_a_finalizer_is_taken_off_the_very_pod_and_alone(
    canned: Canned, canned_cluster: Cluster
) -> None:
    metadata = {"uid": UID, "resourceVersion": "5", "finalizers": ["a/b", "ours/metering", "c/d"]}
    canned.answer = lambda asked: (200, {"metadata": metadata}, {})
    asking.remove_finalizer(
        canned_cluster, namespace="n", name="x", uid=UID, finalizer="ours/metering"
    )
    patch = canned.asked[1]
    assert patch.headers["Content-Type"] == "application/merge-patch+json"
    assert patch.body == {
        "metadata": {"uid": UID, "resourceVersion": "5", "finalizers": ["a/b", "c/d"]}
    }
    with pytest.raises(errors.PreconditionFailed):
        asking.remove_finalizer(
            canned_cluster, namespace="n", name="x", uid=UID[::-1], finalizer="ours/metering"
        )
    assert [asked.method for asked in canned.asked] == ["GET", "PATCH", "GET"]


def test_a_list_is_read_to_its_end(canned: Canned, canned_cluster: Cluster) -> None:
    def pages(asked: Asked) -> tuple[int, Any, dict[str, str]]:
        if "continue=next" in asked.path:
            return 200, {"metadata": {"resourceVersion": "9"}, "items": [3]}, {}
        return 200, {"metadata": {"resourceVersion": "9", "continue": "next"}, "items": [1, 2]}, {}

    canned.answer = pages
    listing = asking.list_pods(canned_cluster, selector="a=b")
    assert list(listing) == [1, 2, 3]
    assert listing.resource_version == "9"
    assert all("labelSelector=a%3Db" in asked.path for asked in canned.asked)


def test_a_list_without_items_is_empty(canned: Canned, canned_cluster: Cluster) -> None:
    canned.answer = lambda asked: (200, {"metadata": {"resourceVersion": "9"}, "items": None}, {})
    assert list(asking.list_pods(canned_cluster, selector="a=b")) == []


def lines(*changes: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(change).encode() + b"\n" for change in changes)


def watch(cluster: Cluster) -> Iterator[watching.Change]:
    return watching.watch_pods(cluster, selector="a=b", resource_version="5", seconds=3)


def test_a_watch_yields_changes_and_bookmarks(canned: Canned, canned_cluster: Cluster) -> None:
    pod = {"metadata": {"name": "x", "resourceVersion": "6"}}
    mark = {"metadata": {"resourceVersion": "8"}}
    body = lines({"type": "ADDED", "object": pod}, {"type": "BOOKMARK", "object": mark})
    canned.answer = lambda asked: (200, body, {})
    changes = list(watch(canned_cluster))
    assert [(c.kind.value, c.resource_version) for c in changes] == [
        ("ADDED", "6"),
        ("BOOKMARK", "8"),
    ]
    path = canned.asked[0].path
    assert "resourceVersion=5" in path
    assert "allowWatchBookmarks=true" in path
    assert "timeoutSeconds=3" in path


@pytest.mark.parametrize("as_answer", [True, False])
def test_a_version_that_is_too_old_is_told_however_it_comes(
    canned: Canned, canned_cluster: Cluster, as_answer: bool
) -> None:
    status = failure(410, "Expired", "too old resource version")
    body = status if as_answer else lines({"type": "ERROR", "object": status})
    canned.answer = lambda asked: (410 if as_answer else 200, body, {})
    with pytest.raises(errors.Expired):
        list(watch(canned_cluster))


def test_a_watch_that_is_cut_is_no_answer(canned: Canned, canned_cluster: Cluster) -> None:
    def cut(asked: Asked) -> None:
        handler = asked.handler
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"20\r\n" + b'{"type":"ADDED",')
        handler.wfile.flush()

    canned.answer = cut
    with pytest.raises(ClusterUnreachable):
        list(watch(canned_cluster))


def test_a_watch_that_falls_silent_is_no_answer(
    canned: Canned, canned_cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "SILENT_SECONDS", 0.2)

    def silent(asked: Asked) -> None:
        handler = asked.handler
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.flush()
        time.sleep(0.6)

    canned.answer = silent
    with pytest.raises(ClusterUnreachable):
        list(watch(canned_cluster))


def test_a_child_process_does_not_speak_on_its_parents_connection(
    canned: Canned, canned_cluster: Cluster
) -> None:
    """Sockets shared over a fork hand answers to the wrong process, without any error."""
    ports: list[int] = []

    def note(asked: Asked) -> tuple[int, Any, dict[str, str]]:
        ports.append(asked.handler.client_address[1])
        return 200, {"path": asked.path}, {}

    canned.answer = note
    asking.get_pod(canned_cluster, namespace="n", name="parent")
    child = os.fork()
    if child == 0:
        # Whatever happens: a second test run must not come out of here.
        try:
            asking.get_pod(canned_cluster, namespace="n", name="child")
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    asking.get_pod(canned_cluster, namespace="n", name="parent")
    assert ports[0] == ports[2] != ports[1]
