"""The clusters' page: what is refused of a kubeconfig, and that it is never shown again."""

from datetime import timedelta
from uuid import uuid4

import pytest
import yaml
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from provisioning import clusters
from provisioning.cluster import reviewing
from provisioning.cluster.sealing import unseal
from provisioning.models import Attempt, Cluster, ClusterCredential, TenantNotice
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
    monkeypatch.setattr(clusters, "look_at", lambda cluster: factory.look())
    erins.post("/staff/clusters/", {"name": "north", "kubeconfig": _file(_kubeconfig())})

    cluster = Cluster.objects.get()
    assert TOKEN.encode() not in bytes(cluster.kubeconfig_encrypted)
    page = erins.get("/staff/clusters/").content.decode()
    assert "north" in page
    assert TOKEN not in page


def test_identities_may_have_kubeconfigs_of_their_own(
    erins: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clusters, "look_at", lambda cluster: factory.look())
    files = {"kubeconfig": _file(_kubeconfig()), "watcher": _file(_kubeconfig(token="eyes"))}
    erins.post("/staff/clusters/", {"name": "north", **files})

    own = {
        one.identity: unseal(one.kubeconfig_encrypted) for one in ClusterCredential.objects.all()
    }
    assert {key: config["users"][0]["user"] for key, config in own.items()} == {
        "watcher": {"token": "eyes"}
    }


def test_credentials_of_another_cluster_are_refused(
    erins: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clusters, "look_at", lambda cluster: factory.look())
    erins.post("/staff/clusters/", {"name": "north", "kubeconfig": _file(_kubeconfig())})
    before = bytes(Cluster.objects.get().kubeconfig_encrypted)
    monkeypatch.setattr(reviewing, "uid_of", lambda cluster, identity: uuid4())

    answer = erins.post("/staff/clusters/north/", {"kubeconfig": _file(_kubeconfig())})

    assert answer.status_code == 422
    assert "lead to another cluster" in answer.content.decode()
    assert bytes(Cluster.objects.get().kubeconfig_encrypted) == before


def test_an_old_state_is_marked_wherever_it_is_shown(erins: Client) -> None:
    cluster = factory.add_cluster(name="east")
    for age, is_old in ((60, False), (91, True)):
        heard = timezone.now() - timedelta(seconds=age)
        Cluster.objects.filter(pk=cluster.pk).update(last_event_at=heard)
        for address in ("/staff/clusters/", "/staff/clusters/east/"):
            assert (">Old<" in erins.get(address).content.decode()) is is_old


def test_a_draining_cluster_is_emptied_by_hand(erins: Client, world: World) -> None:
    cluster = factory.add_cluster(name="east")
    factory.put_on(world.instance, cluster)
    erins.post("/staff/clusters/east/drain/")
    page = erins.get("/staff/clusters/east/").content.decode()
    assert world.instance.name in page
    assert f"/staff/clusters/east/instances/{world.instance.pk}/move/" in page

    erins.post(f"/staff/clusters/east/instances/{world.instance.pk}/stop/")

    world.instance.refresh_from_db()
    assert world.instance.desired == "stopped"
    told = TenantNotice.objects.filter(instance_id=world.instance.pk).values_list("kind", flat=True)
    assert list(told) == ["cluster_draining", "instance_stopped_by_operator"]


def test_a_silent_cluster_is_given_up_by_its_name_and_with_a_reason(
    erins: Client, world: World
) -> None:
    cluster = factory.add_cluster(name="east")
    Cluster.objects.update(added_at=cluster.added_at - timedelta(days=90))
    factory.put_on(world.instance, cluster)
    lose = "/staff/clusters/east/lose/"
    assert lose in erins.get("/staff/clusters/east/").content.decode()
    for words in ({"confirmation": "east"}, {"confirmation": "west", "reason": "It burned."}):
        erins.post(lose, words)
        assert Cluster.objects.get().state == "active"

    erins.post(lose, {"confirmation": "east", "reason": "It burned."})

    page = erins.get("/staff/clusters/east/").content.decode()
    assert "It burned." in page
    assert lose not in page
    assert Attempt.objects.get().lost_at is not None
    erins.post("/staff/clusters/east/remove/")
    assert Cluster.objects.get().state == "removed"


def test_a_cluster_heard_of_is_not_offered_to_be_given_up(erins: Client) -> None:
    cluster = factory.add_cluster(name="east")
    Cluster.objects.filter(pk=cluster.pk).update(last_event_at=timezone.now())
    assert "/lose/" not in erins.get("/staff/clusters/east/").content.decode()


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
