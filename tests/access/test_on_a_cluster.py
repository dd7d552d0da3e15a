"""A wish becomes a pod by our own hands, and its doors are those of the cluster it is on.

    CLUSTER_KUBECONFIG=FILE python -m pytest tests/access/test_on_a_cluster.py

On a cluster that is named we are watcher, worker and access, none of whom may do everything;
the node needs a device and the image of `deploy/npu-web`.  Without one the sandbox stands in.
"""

import os
import time
from collections.abc import Iterator

import pytest
from django.utils import timezone

from billing import pricing
from provisioning import stopping
from provisioning.cluster import connections, requests
from provisioning.cluster.errors import ClusterRefused
from provisioning.cluster.requests import Request
from provisioning.models import Instance
from provisioning.states import Identity, State
from tests.access.conftest import Inside
from tests.access.doors import closed, read_until, until
from tests.access.test_following_logs import COUNTS, follow, lines_of
from tests.clusters_real import restricted
from tests.provisioning.farms import Farm, kept
from tests.sandbox.processes import Process

KUBECONFIG = os.environ.get("CLUSTER_KUBECONFIG")
pytestmark = pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")


@pytest.fixture
def farm(transactional_db: None, request: pytest.FixtureRequest) -> Iterator[Farm]:
    """The cluster that is named, else the sandbox."""
    if KUBECONFIG is None:
        sandbox: Process = request.getfixturevalue("sandbox")
        farm = Farm.on(sandbox.folder / "east.kubeconfig")
        yield farm
        farm.clear()
        return
    farm = Farm(restricted.admit_cluster())
    farm.watch()
    yield farm
    restricted.clear()


@pytest.fixture
def launched(wished: Inside, farm: Farm) -> Inside:
    """Worker and watcher have done their part: Alice's instance runs."""
    farm.until(wished.instance, State.RUNNING)
    wished.open_page()
    return wished


def test_a_terminal_answers_and_takes_its_shell_along(launched: Inside) -> None:
    with launched.terminal(launched.browser("alice")) as terminal:
        terminal.send('{"resize": [101, 33]}')
        terminal.send(b"stty size; echo at-$((6*7)); sleep 4321\n")
        assert b"33 101" in read_until(terminal, b"at-42")
    until(lambda: not _runs(launched, "sleep 4321"), seconds=30)


def _runs(launched: Inside, command: str) -> bool:
    with launched.terminal(launched.browser("alice")) as terminal:
        terminal.send(b"ps -o args | cat; echo over-$((1+1))\n")
        said = read_until(terminal, b"over-2").decode()
    return any(line.strip() == command for line in said.splitlines())


def test_a_stop_closes_the_terminal_and_ends_what_is_paid(launched: Inside, farm: Farm) -> None:
    with launched.terminal(launched.browser("alice")) as terminal:
        terminal.send(b"echo at-$((6*7))\n")
        read_until(terminal, b"at-42")
        time.sleep(1.1)  # Usage is counted in whole seconds.
        pricing.add_sku(code=launched.instance.sku_code, name="RNGD", meter="device_time")
        stopping.stop_instance(instance=launched.instance, at=timezone.now())
        assert closed(terminal) == (4403, "not_running")
    farm.until(launched.instance, State.STOPPED)
    [(_, ended_at, quality)] = kept(launched.instance)
    assert ended_at is not None
    assert quality == "exact"
    assert farm.pods_of(launched.instance) == []


def test_its_log_is_followed(wished: Inside, farm: Farm) -> None:
    # What a page of ours cannot wish for; the page of the image prints nothing.
    Instance.objects.update(command=list(COUNTS))
    farm.until(wished.instance, State.RUNNING)
    page = f"/t/{wished.tenant.slug}/instances/{wished.instance.pk}/logs/follow/"
    lines = lines_of(follow(wished, wished.browser("grace"), page), 8)
    numbers = [int(line.removeprefix("line-")) for line in lines]
    assert numbers == list(range(numbers[0], numbers[0] + 8))


def test_its_page_is_visited_and_talks_back(launched: Inside) -> None:
    browser = launched.browser("grace")
    until(lambda: browser.follow(launched.place(), "/mirror")[2].status == 200, seconds=30)
    _, _, answer = browser.follow(launched.place(), "/")
    assert answer.status == 200, answer.body
    assert b'href="/mirror"' in answer.body
    assert b"/api/v1/" not in answer.body
    origin = f"http://{launched.place()}"
    with browser.socket(launched.place(), "/ws", origin=origin) as socket:
        socket.send("hello")
        assert socket.recv(timeout=15) == "hello"


@pytest.mark.skipif(KUBECONFIG is None, reason="rbac: the sandbox knows one user")
def test_access_is_all_the_doors_are_opened_with(launched: Inside, farm: Farm) -> None:
    """The identity behind every door enters the pod, and may neither list nor delete it."""
    (pod,) = farm.pods_of(launched.instance)
    pods = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods"
    access = connections.connection_to(farm.cluster, Identity.ACCESS)
    for method, path in (("GET", pods), ("DELETE", f"{pods}/{pod['metadata']['name']}")):
        with pytest.raises(ClusterRefused):
            requests.ask(access, Request(method=method, path=path))
