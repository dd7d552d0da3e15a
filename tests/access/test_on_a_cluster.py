"""The same doors on a real cluster: terminal, log and port of a pod that really runs.

    CLUSTER_KUBECONFIG=FILE python -m pytest tests/access/test_on_a_cluster.py

The pod serves its page with nothing but a shell and `nc`, which the workspace image has.
Without a cluster named, the sandbox's process containers stand in, with their own web page.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from django.utils import timezone

from provisioning.cluster import asking, connections, requests
from provisioning.cluster.errors import NotFound
from provisioning.cluster.kubeconfigs import parse_kubeconfig
from provisioning.cluster.requests import Request
from provisioning.cluster.sealing import seal
from provisioning.models import Cluster, Instance
from provisioning.states import State
from tests.access.conftest import Inside
from tests.access.doors import closed, read_until, until
from tests.access.test_following_logs import follow, lines_of
from tests.factories import portal as factory

NAMESPACE = "npu-access-doors"
# Counts for the log; on port 8080 answers one page after another.
PROGRAM = r"""
page='<a href="/lab">here</a>'
serve() { while true; do
  { printf 'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n'
    printf 'Content-Length: %s\r\n\r\n%s' ${#page} "$page"; } | nc -l -p 8080
done; }
serve & i=0
while true; do echo line-$i; i=$((i+1)); sleep 0.2; done
"""
KUBECONFIG = os.environ.get("CLUSTER_KUBECONFIG")


@pytest.fixture
def real(inside: Inside) -> Iterator[Inside]:
    """Alice's instance runs on the cluster that is named, else where it ran."""
    if KUBECONFIG is None:
        yield inside
        return
    cluster = Cluster.objects.create(
        name="real",
        kubeconfig_encrypted=seal(parse_kubeconfig(Path(KUBECONFIG).read_text())),
        added_at=timezone.now(),
    )
    _ask(cluster, "POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    # Its default account comes a moment later, and pods are refused until then.
    account = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/default"
    until(lambda: _is_there(cluster, account))
    factory.run_in_pod(inside.instance, cluster=cluster, namespace=NAMESPACE)
    attempt = inside.instance.attempts.get(no=inside.instance.attempt_no)
    made = asking.create_pod(cluster, _pod(attempt.pod_name))
    attempt.uid = made["metadata"]["uid"]
    attempt.save(update_fields=["uid"])
    until(lambda: _phase(cluster, attempt.pod_name) == "Running", seconds=60)
    yield inside
    _ask(cluster, "DELETE", f"/api/v1/namespaces/{NAMESPACE}", None)
    until(lambda: not _is_there(cluster, f"/api/v1/namespaces/{NAMESPACE}"), seconds=60)


def _pod(name: str) -> dict[str, object]:
    container = {
        "name": "npu",
        "image": "registry.local/npu-workspace:1",
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", PROGRAM],
    }
    spec = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 1,
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 1000},
        "containers": [container],
    }
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _ask(cluster: Cluster, method: str, path: str, body: dict[str, object] | None) -> object:
    request = Request(method=method, path=path, body=body)
    return requests.ask(connections.connection_to(cluster), request)


def _is_there(cluster: Cluster, path: str) -> bool:
    with suppress(NotFound):
        _ask(cluster, "GET", path, None)
        return True
    return False


def _phase(cluster: Cluster, name: str) -> str:
    return str(asking.get_pod(cluster, namespace=NAMESPACE, name=name)["status"]["phase"])


def test_a_terminal_answers_and_takes_its_shell_along(real: Inside) -> None:
    with real.terminal(real.browser("alice")) as terminal:
        terminal.send('{"resize": [101, 33]}')
        terminal.send(b"stty size; echo at-$((6*7)); sleep 4321\n")
        assert b"33 101" in read_until(terminal, b"at-42")
    until(lambda: not _runs(real, "sleep 4321"), seconds=30)


def _runs(real: Inside, command: str) -> bool:
    with real.terminal(real.browser("alice")) as terminal:
        terminal.send(b"ps -o args | cat; echo over-$((1+1))\n")
        said = read_until(terminal, b"over-2").decode()
    return any(line.strip() == command for line in said.splitlines())


def test_a_stop_closes_the_terminal(real: Inside) -> None:
    with real.terminal(real.browser("alice")) as terminal:
        terminal.send(b"echo at-$((6*7))\n")
        read_until(terminal, b"at-42")
        Instance.objects.update(desired="stopped", state=State.STOPPING)
        assert closed(terminal) == (4403, "not_running")


def test_its_log_is_followed(real: Inside) -> None:
    if KUBECONFIG is None:
        pytest.skip("the web page prints nothing that grows; see test_following_logs")
    page = f"/t/{real.tenant.slug}/instances/{real.instance.pk}/logs/follow/"
    lines = lines_of(follow(real, real.browser("grace"), page), 8)
    numbers = [int(line.removeprefix("line-")) for line in lines]
    assert numbers == list(range(numbers[0], numbers[0] + 8))


def test_its_page_is_visited(real: Inside) -> None:
    browser = real.browser("grace")
    _, _, answer = browser.follow(real.place(), "/")
    assert answer.status == 200, answer.body
    assert b"/api/v1/" not in answer.body
    if KUBECONFIG is not None:
        assert answer.body == b'<a href="/lab">here</a>'
