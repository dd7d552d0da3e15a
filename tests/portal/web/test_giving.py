"""What an instance is given at its launch: images of one's own, volumes, secrets; and nonsense."""

import json
from typing import Any

import pytest
from django.test import Client

from portal.requests import storing
from portal.requests.models import InstanceRequest
from provisioning.models import Instance, Volume
from tests.factories import portal as factory
from tests.factories.portal import NOON
from tests.portal.conftest import Calls
from tests.portal.web.conftest import Visits
from tests.portal.web.world import World

pytestmark = pytest.mark.django_db
PASSWORD, KEY = "hunter2-hunter2", "-----BEGIN KEY-----\nZm9v\n"
OWN = "registry.example/bada/vision:2"


@pytest.fixture
def alices(world: World, visit: Visits) -> Client:
    return visit(world.people["alice"])


def _words(world: World, **changed: object) -> dict[str, object]:
    return {
        "project": world.project.pk,
        "instance_type": world.catalog.single.slug,
        "image": world.catalog.image.slug,
        "count": 1,
        "lease": "8",
        **changed,
    }


def _new(world: World) -> str:
    return f"/t/{world.tenant.slug}/instances/new/"


def _path_of(volume: Volume) -> str:
    return f"volume_{volume.pk}"


def test_a_launch_is_given_all_of_it_and_its_pages_never_the_values(
    alices: Client, world: World
) -> None:
    assert world.allowed
    words = _words(
        world,
        own_image=OWN,
        secret_variables=f"DB_PASSWORD={PASSWORD}\r\nEMPTY_AFTER = x=y \r\n\r\n",
        secret_file_name="id.key",
        secret_file=KEY,
        wants_token="on",
        **{_path_of(world.volume): "/data"},
    )
    answer = alices.post(_new(world), words)

    instance = Instance.objects.get()
    assert instance.image == OWN
    assert [(m.volume, m.path) for m in instance.volumes.all()] == [(world.volume, "/data")]
    names = set(instance.secrets.values_list("kind", "name"))
    assert names == {
        ("env", "DB_PASSWORD"),
        ("env", "EMPTY_AFTER"),
        ("env", "JUPYTER_TOKEN"),
        ("file", "id.key"),
    }
    wish = InstanceRequest.objects.get()
    assert wish.secrets_sealed is None
    for address in (answer["Location"], f"/t/{world.tenant.slug}/instances/requests/{wish.pk}/"):
        page = alices.get(address).content.decode()
        assert "DB_PASSWORD" in page
        assert "/data" in page
        assert PASSWORD not in page
        assert "Zm9v" not in page


def test_a_held_request_keeps_secrets_sealed_and_shows_names_alone(
    alices: Client, world: World, settings: Any
) -> None:
    settings.REQUEST_HOLD_WITHOUT_END = True
    words = _words(world, lease="", secret_variables=f"DB_PASSWORD={PASSWORD}")
    page = alices.post(_new(world), words, follow=True).content.decode()

    assert "DB_PASSWORD" in page
    assert PASSWORD not in page
    wish = InstanceRequest.objects.get()
    assert PASSWORD.encode() not in bytes(wish.secrets_sealed or b"")
    alices.post(f"/t/{world.tenant.slug}/instances/requests/{wish.pk}/withdraw/")
    wish.refresh_from_db()
    assert wish.secrets_sealed is None


NONSENSE = [
    ({"own_image": OWN}, "not among those you may start"),
    ({"own_image": "registry.example/other/x:1"}, "not among those you may start"),
    ({"own_image": "no reference"}, "not among those you may start"),
    ({"own_image": "registry.example/bada/x"}, "not among those you may start"),
    ({"own_image": "x" * 301}, "at most 300 characters"),
    ({"volume": "data"}, "cannot be attached there"),
    ({"volume": "/"}, "cannot be attached there"),
    ({"volume": "/etc"}, "cannot be attached there"),
    ({"volume": "/data/../etc"}, "cannot be attached there"),
    ({"volume": "/da ta"}, "cannot be attached there"),
    ({"volume": "/data", "count": 2}, "ask for one instance"),
    ({"volume": "/" + "x" * 200}, "at most 200 characters"),
    ({"secret_variables": "NO-NAME=x"}, "cannot be given like this"),
    ({"secret_variables": "=x"}, "cannot be given like this"),
    ({"secret_variables": "NAME"}, "cannot be given like this"),
    ({"secret_variables": "NAME="}, "cannot be given like this"),
    ({"secret_variables": "A=1\nA=2"}, "cannot be given like this"),
    ({"secret_variables": "NPU_FARM_DEVICES=9"}, "cannot be given like this"),
    ({"secret_variables": "A=" + "x" * 300_000}, "cannot be given like this"),
    ({"secret_file": "x"}, "cannot be given like this"),
    ({"secret_file": "x", "secret_file_name": "../x"}, "cannot be given like this"),
    ({"secret_file": "x", "secret_file_name": ".x"}, "cannot be given like this"),
]


@pytest.mark.parametrize(("changed", "said"), NONSENSE, ids=lambda value: str(value)[:40])
def test_nonsense_is_refused_in_words_and_no_secret_printed_back(
    alices: Client, world: World, changed: dict[str, Any], said: str
) -> None:
    if changed.get("own_image") != OWN:
        assert world.allowed
    given = dict(changed)
    words = _words(world, **{_path_of(world.volume): given.pop("volume", "")})
    words |= {"secret_variables": f"DB_PASSWORD={PASSWORD}", "secret_file_name": "id.key"}
    words |= {"secret_file": KEY, **given}
    if "secret_variables" in given:
        words["secret_variables"] = f"DB_PASSWORD={PASSWORD}\n{given['secret_variables']}"
    if "secret_file" in given:
        words["secret_file_name"] = given.get("secret_file_name", "")
    answer = alices.post(_new(world), words)

    assert answer.status_code == 422
    page = answer.content.decode()
    assert said in page
    assert PASSWORD not in page
    assert "Zm9v" not in page
    assert not Instance.objects.exists()
    assert not InstanceRequest.objects.exists()


def test_an_estimate_asks_for_no_secret(alices: Client, world: World) -> None:
    page = alices.get(_new(world)).content.decode()
    assert "secret_variables,secret_file_name,secret_file" in page


def test_another_tenants_volume_is_no_choice(alices: Client, world: World) -> None:
    theirs = factory.make_tenant("Meadow Robotics", owner=world.people["charlie"]).projects.get()
    assert world.volume
    hidden = storing.create_volume(
        project=theirs, cluster_name="harbor", name="hidden", size_gib=1, at=NOON
    )
    assert str(hidden.pk) not in alices.get(_new(world)).content.decode()
    alices.post(_new(world), _words(world, **{_path_of(hidden): "/data"}))
    assert not Instance.objects.get().volumes.exists()


def _body(world: World, **changed: object) -> dict[str, object]:
    return {
        "project": world.project.pk,
        "instance_type": world.catalog.single.slug,
        "image": world.catalog.image.slug,
        **changed,
    }


def _secret(**changed: object) -> dict[str, object]:
    return {"kind": "env", "name": "DB_PASSWORD", "value": PASSWORD, **changed}


def test_the_api_gives_it_and_never_says_the_values(api: Calls, world: World) -> None:
    client = api(world.people["alice"])
    mounts = [{"volume": str(world.volume.pk), "path": "/data"}]
    answer = client.post(
        "/api/v1/instance-requests", _body(world, volumes=mounts, secrets=[_secret()])
    )
    assert answer.status_code == 201, answer.content
    asked = answer.json()
    assert asked["secrets"] == [{"kind": "env", "name": "DB_PASSWORD"}]
    shown = client.get(f"/api/v1/instances/{asked['instances'][0]}").json()
    assert shown["volumes"][0]["path"] == "/data"
    assert PASSWORD not in json.dumps([asked, shown])


@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"own_image": "registry.example/other/x:1"}, 422, "image_not_allowed"),
        ({"own_image": 7}, 422, "image_not_allowed"),
        ({"volumes": "all"}, 400, "invalid"),
        ({"volumes": [{"path": "/data"}]}, 400, "invalid"),
        ({"volumes": [{"volume": "x", "path": "/data"}]}, 400, "invalid"),
        ({"volumes": [{"volume": "7" * 8 + "-0000-4000-8000-" + "7" * 12, "path": "/data"}]},
         422, "unknown_volume"),
        ({"secrets": {"A": "x"}}, 400, "invalid"),
        ({"secrets": [_secret(kind="pipe")]}, 400, "invalid"),
        ({"secrets": [_secret(name="A B")]}, 422, "illegal_secret"),
        ({"secrets": [_secret(), _secret()]}, 422, "illegal_secret"),
        ({"secrets": [_secret(kind="file", name="../x")]}, 422, "illegal_secret"),
        ({"secrets": [_secret(name="NPU_FARM_X")]}, 422, "illegal_secret"),
        ({"secrets": [_secret(name=None)]}, 400, "invalid"),
        ({"secrets": [_secret(value="")]}, 400, "invalid"),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_the_api_refuses_nonsense_without_saying_a_value(
    api: Calls, world: World, changed: dict[str, object], status: int, code: str
) -> None:
    body = {"secrets": [_secret()], **changed}
    answer = api(world.people["alice"]).post("/api/v1/instance-requests", _body(world, **body))

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert PASSWORD not in answer.content.decode()
    assert not Instance.objects.exists()
