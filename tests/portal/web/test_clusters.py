"""The clusters' page: what is refused of a kubeconfig, and that it is never shown again."""

import pytest
import yaml
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from provisioning.cluster import asking
from provisioning.models import Cluster
from tests.factories import provisioning as factory
from tests.portal.web.conftest import Visits
from tests.portal.web.world import World

pytestmark = pytest.mark.django_db
TOKEN = "a-very-secret-token"


@pytest.fixture
def erins(world: World, visit: Visits) -> Client:
    return visit(world.people["erin"])


def _kubeconfig(**user: object) -> str:
    return yaml.safe_dump(
        {
            "current-context": "it",
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
            "clusters": [{"name": "it", "cluster": {"server": "https://192.0.2.1:6443"}}],
            "users": [{"name": "it", "user": user or {"token": TOKEN}}],
        }
    )


def _file(text: str | bytes) -> SimpleUploadedFile:
    content = text.encode() if isinstance(text, str) else text
    return SimpleUploadedFile("kubeconfig", content)


def test_a_cluster_is_added_and_its_token_never_shown(
    erins: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "version", lambda cluster: {"gitVersion": "v1.36.2"})
    monkeypatch.setattr(asking, "list_nodes", lambda cluster: [])
    erins.post("/staff/clusters/", {"name": "north", "kubeconfig": _file(_kubeconfig())})

    cluster = Cluster.objects.get()
    assert TOKEN.encode() not in bytes(cluster.kubeconfig_encrypted)
    page = erins.get("/staff/clusters/").content.decode()
    assert "north" in page
    assert TOKEN not in page


def test_a_cluster_that_does_not_answer_is_not_added(erins: Client) -> None:
    closed = _kubeconfig().replace("https://192.0.2.1:6443", "https://127.0.0.1:1")

    answer = erins.post("/staff/clusters/", {"name": "north", "kubeconfig": _file(closed)})

    assert answer.status_code == 422
    assert "does not answer" in answer.content.decode()
    assert not Cluster.objects.exists()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("north", _kubeconfig(exec={"command": "sh"}), "runs a program"),
        ("north", _kubeconfig(tokenFile="/etc/token"), "from a file"),
        ("north", "{[", "cannot be used"),
        ("north", "just words", "cannot be used"),
        ("north", b"\xff\xfe\x00", "not a text file"),
        ("north", "#" * 300_000, "too large"),
        ("no spaces please", _kubeconfig(), "valid “slug”"),
    ],
    ids=["exec", "token file", "no yaml", "no kubeconfig", "no text", "too large", "name"],
)
def test_what_cannot_be_trusted_is_refused_by_name(
    erins: Client, name: str, content: str | bytes, said: str
) -> None:
    answer = erins.post("/staff/clusters/", {"name": name, "kubeconfig": _file(content)})

    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert not Cluster.objects.exists()


def test_a_paused_cluster_takes_nothing_until_it_is_resumed(erins: Client) -> None:
    cluster = factory.add_cluster(name="east")
    for action, state in (("pause", "paused"), ("resume", "active")):
        erins.post(f"/staff/clusters/east/{action}/")
        cluster.refresh_from_db()
        assert cluster.state == state


def test_a_cluster_nobody_knows_is_not_found(erins: Client) -> None:
    assert erins.post("/staff/clusters/nowhere/pause/").status_code == 404
