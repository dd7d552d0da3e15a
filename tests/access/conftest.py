"""Alice's instance runs in a pod with a real shell and a real web page; others want in.

The pod is the sandbox's, a local process.  The web process really listens: what is tested
is what a browser, or somebody with a socket, would meet.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from portal.access import admitting
from portal.access.hosts import Place
from portal.tenants import joining
from portal.tenants.access import Role
from portal.tenants.models import Project, Tenant, User
from provisioning import exposing
from provisioning.cluster.kubeconfigs import parse_kubeconfig
from provisioning.cluster.sealing import seal
from provisioning.models import Cluster, Instance, InstanceType, RuntimeImage
from tests.access.doors import Browser, Web, until
from tests.factories import portal as factory
from tests.factories.portal import Catalog
from tests.sandbox.processes import Process

FARM = Path(__file__).with_name("farm.yaml")
NAMESPACE = "npu-test-t1"
PAGES = "npu-test-pages"
PAGE = 8080
# Serves a page, as a process of the sandbox and on a real cluster.
IMAGE = "registry.local/npu-web:1"


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """One sandbox with the pods everybody visits."""
    process = Process(tmp_path_factory.mktemp("sandbox"), farm=FARM)
    process.start()
    make_namespace(process, NAMESPACE)
    yield process
    process.kill()


def make_namespace(sandbox: Process, name: str) -> None:
    made = sandbox.ask("POST", "/api/v1/namespaces", {"metadata": {"name": name}}, cluster="east")
    assert made.status == 201, made.body


@pytest.fixture(scope="session")
def web(django_db_setup: None) -> Iterator[Web]:
    web = Web()
    web.start()
    yield web
    web.stop()


@dataclass
class Inside:
    """Alice's tenant, its running instance, and who else there is."""

    web: Web
    tenant: Tenant
    project: Project
    catalog: Catalog
    instance: Instance
    people: dict[str, User]

    def browser(self, who: str | None = None) -> Browser:
        """A browser of somebody's, signed in."""
        browser = Browser(self.web)
        if who is not None:
            client = Client()
            client.force_login(self.people[who])
            browser.jars[self.host] = {"sessionid": client.cookies["sessionid"].value}
        return browser

    @property
    def host(self) -> str:
        """The portal's."""
        return f"127.0.0.1:{self.web.port}"

    def place(self, port: int = PAGE, instance: Instance | None = None) -> str:
        """The host of a port of the instance."""
        one = instance or self.instance
        return f"{Place(one.pk, port).host('localhost')}:{self.web.port}"

    def open_page(self) -> None:
        """Alice opens the port on which its page is."""
        by = self.people["alice"].email
        exposing.open_port(instance=self.instance, port=PAGE, by=by, at=timezone.now())
        admitting.forget_all()

    def visitor(self, who: str = "alice", port: int = PAGE) -> Browser:
        """A browser that has come to the port through the portal."""
        browser = self.browser(who)
        host, _, answer = browser.follow(self.place(port))
        assert (host, answer.status) == (self.place(port), 200), answer.body
        return browser

    def terminal(self, browser: Browser, instance: Instance | None = None, **words: Any) -> Any:
        """Open a terminal as the page does."""
        one = instance or self.instance
        words = {"origin": f"http://{self.host}", **words}
        return browser.socket(self.host, f"/access/{one.pk}/terminal?columns=80&rows=24", **words)


@pytest.fixture
def settle(settings: Settings, web: Web) -> Callable[..., None]:
    """Settings of the web process, which is this one."""

    def settle(**words: Any) -> None:
        for name, value in words.items():
            setattr(settings, name, value)

    settle(FARM_ADDRESS=web.address, ACCESS_CHECK_SECONDS=0.2)
    return settle


@pytest.fixture
def wished(
    transactional_db: None,
    settle: Callable[..., None],
    web: Web,
    charlie: User,
    erin: User,
    other_tenant: Tenant,
) -> Inside:
    """Alice has wished for an instance; nobody has looked at it yet."""
    alice = factory.make_user("Alice")
    tenant = factory.make_tenant("Harbor Vision", owner=alice)
    people = {"alice": alice, "charlie": charlie, "erin": erin}
    for name, role in (("Grace", Role.MEMBER), ("Victor", Role.VIEWER), ("Bea", Role.BILLING)):
        people[name.lower()] = user = factory.make_user(name)
        joining.add_member(tenant=tenant, email=user.email, role=role, by=alice, at=timezone.now())
    catalog = factory.make_catalog()
    project = tenant.projects.get()
    factory.grant(project, catalog.family, 8, by=erin, asked_by=alice)
    # Enough for a small web page, on a small cluster too.
    InstanceType.objects.update(cpu_millicores=200, memory_mib=64, storage_gib=1)
    RuntimeImage.objects.update(reference=IMAGE)
    wish = factory.submit_instances(project, catalog, by=alice)
    instance = wish.launched_instances.get().instance
    return Inside(web, tenant, project, catalog, instance, people)


@pytest.fixture(scope="session")
def page_pod(sandbox: Process) -> str:
    """The UID of a pod that serves its page to all tests: nothing they do changes it."""
    make_namespace(sandbox, PAGES)
    return start_pod(sandbox, "page", namespace=PAGES)


@pytest.fixture
def inside(wished: Inside, sandbox: Process, page_pod: str) -> Iterator[Inside]:
    """Its pod runs on the sandbox, and its page is open."""
    factory.run_in_pod(wished.instance, cluster=add_sandbox(sandbox), namespace=PAGES)
    wished.instance.attempts.update(pod_name="page", uid=page_pod)
    wished.open_page()
    yield wished
    sandbox.ask("DELETE", f"/api/v1/namespaces/{NAMESPACE}/pods", cluster="east")


def add_sandbox(sandbox: Process) -> Cluster:
    kubeconfig = (sandbox.folder / "east.kubeconfig").read_text()
    return Cluster.objects.create(
        name="east",
        kubeconfig_encrypted=seal(parse_kubeconfig(kubeconfig)),
        added_at=timezone.now() - timedelta(hours=1),
    )


def run_for_real(
    sandbox: Process,
    instance: Instance,
    cluster: Cluster,
    image: str = IMAGE,
    command: tuple[str, ...] = (),
) -> None:
    """A pod of its own really runs on the sandbox."""
    factory.run_in_pod(instance, cluster=cluster, namespace=NAMESPACE)
    attempt = instance.attempts.get(no=instance.attempt_no)
    attempt.uid = UUID(start_pod(sandbox, attempt.pod_name, image=image, command=command))
    attempt.save(update_fields=["uid"])


def start_pod(
    sandbox: Process,
    name: str,
    *,
    namespace: str = NAMESPACE,
    image: str = IMAGE,
    command: tuple[str, ...] = (),
) -> str:
    """Start a pod and wait until it does its work; returns its UID."""
    container: dict[str, Any] = {"name": "npu", "image": image}
    if command:
        container["command"] = list(command)
    spec = {"restartPolicy": "Never", "containers": [container]}
    pods = f"/api/v1/namespaces/{namespace}/pods"
    pod = {"metadata": {"name": name}, "spec": spec}
    answer = sandbox.ask("POST", pods, pod, cluster="east")
    assert answer.status == 201, answer.body

    def runs() -> bool:
        found = sandbox.ask("GET", f"{pods}/{name}", cluster="east").body
        return bool(found["status"].get("phase") == "Running")

    until(runs)
    if image == IMAGE:
        page = f"{pods}/{name}:{PAGE}/proxy/mirror"
        until(lambda: sandbox.ask("GET", page, cluster="east").status == 200)
    return str(answer.body["metadata"]["uid"])
