"""Private images: pulled by pods that bring the registry's login, and by no others."""

import base64
import json

import pytest

from provisioning.sandbox import farm
from provisioning.sandbox.errors import StatusError
from provisioning.sandbox.kinds import EVENTS, SECRETS
from provisioning.sandbox.objects import Json
from provisioning.sandbox.registries import Login, Registries
from tests.sandbox.processes import Process, wait_for
from tests.sandbox.worlds import World, state_of

IMAGE = "registry.local/batch:1"
LOGIN = Login("harbor", "hunter2")
ON_ONE = {"kubernetes.io/hostname": "one"}


def config(key: str = "registry.local", login: Login = LOGIN, **entry: str) -> str:
    pair = base64.b64encode(f"{login.username}:{login.password}".encode()).decode()
    content = {"auths": {key: entry or {"auth": pair}}}
    return base64.b64encode(json.dumps(content).encode()).decode()


def secret(data: str, *, name: str = "login", **words: object) -> Json:
    body: Json = {"metadata": {"name": name}, "type": "kubernetes.io/dockerconfigjson"}
    return {**body, "data": {".dockerconfigjson": data}, **words}


def run(world: World, name: str, *, brings: str = "", on: Json = ON_ONE) -> None:
    named = {"imagePullSecrets": [{"name": brings}]} if brings else {}
    command = {"image": IMAGE, "command": ["sleep", "inf"]}
    world.run(name, count=0, container=command, nodeSelector=on, **named)
    world.pass_time(1)


@pytest.fixture
def closed(world: World) -> World:
    """A cluster whose registry wants a login."""
    world.cluster.registries.close("registry.local", LOGIN)
    return world


def test_a_pod_without_a_login_waits_and_says_why(closed: World) -> None:
    run(closed, "bare")
    waiting = state_of(closed.pod("bare"))["waiting"]
    assert waiting["reason"] == "ErrImagePull"
    assert "may require authorization" in waiting["message"]
    assert "insufficient_scope: authorization failed" in waiting["message"]
    closed.pass_time(6)
    waiting = state_of(closed.pod("bare"))["waiting"]
    assert waiting["reason"] == "ImagePullBackOff"
    assert waiting["message"].startswith(f'Back-off pulling image "{IMAGE}": ErrImagePull: failed')


@pytest.mark.parametrize(
    "data",
    [
        config(),
        config("https://registry.local"),
        config(username=LOGIN.username, password=LOGIN.password),
        config("registry.local/batch"),
    ],
)
def test_a_pod_with_the_login_runs(closed: World, data: str) -> None:
    closed.create(SECRETS, secret(data))
    run(closed, "let-in", brings="login")
    assert "running" in state_of(closed.pod("let-in"))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (config(login=Login("harbor", "wrong")), "401 Unauthorized"),
        (config("registry.example"), "may require authorization"),
        (config("registry.local/other"), "may require authorization"),
        (config("registry.loca"), "may require authorization"),
        (base64.b64encode(b"{}").decode(), "may require authorization"),
    ],
)
def test_a_login_that_does_not_fit_opens_nothing(closed: World, data: str, says: str) -> None:
    closed.create(SECRETS, secret(data))
    run(closed, "refused", brings="login")
    assert says in state_of(closed.pod("refused"))["waiting"]["message"]


def test_a_login_counts_in_its_own_namespace_and_as_its_own_type_only(closed: World) -> None:
    closed.create(SECRETS, secret(config()), namespace="default")
    closed.create(SECRETS, secret(config(), name="opaque", type="Opaque"))
    run(closed, "elsewhere", brings="login")
    run(closed, "untyped", brings="opaque")
    for name in ("elsewhere", "untyped"):
        assert state_of(closed.pod(name))["waiting"]["reason"] == "ErrImagePull"
    told = [e.object for e in closed.cluster.store.all(EVENTS)]
    missing = [e for e in told if e["reason"] == "FailedToRetrieveImagePullSecret"]
    assert {e["involvedObject"]["name"] for e in missing} == {"elsewhere"}


def test_a_login_that_comes_later_is_found_at_the_next_try(closed: World) -> None:
    run(closed, "early", brings="login")
    closed.create(SECRETS, secret(config()))
    closed.pass_time(30)
    assert "running" in state_of(closed.pod("early"))


def test_an_image_one_pod_was_let_in_to_is_not_everybodys(closed: World) -> None:
    closed.create(SECRETS, secret(config()))
    run(closed, "first", brings="login")
    run(closed, "second", brings="login")
    run(closed, "bare")
    assert "running" in state_of(closed.pod("second"))
    assert state_of(closed.pod("bare"))["waiting"]["reason"] == "ErrImagePull"


def test_what_runs_runs_on_without_its_login(closed: World) -> None:
    closed.create(SECRETS, secret(config()))
    run(closed, "running", brings="login")
    closed.cluster.store.remove(SECRETS, ("t", "login"))
    closed.pass_time(60)
    assert "running" in state_of(closed.pod("running"))


def test_a_registry_that_opens_lets_those_in_who_wait(closed: World) -> None:
    run(closed, "bare")
    closed.cluster.registries.open("registry.local")
    closed.pass_time(30)
    assert "running" in state_of(closed.pod("bare"))


def test_the_longest_path_says_whose_login_is_wanted() -> None:
    private = [
        farm.PrivateImages("r.example", "all", "1"),
        farm.PrivateImages("r.example/a", "a", "2"),
    ]
    registries = Registries(private)
    assert registries.is_private("r.example/b:1")
    assert registries.is_private("r.example/a:1")
    assert registries._wanted("r.example/a:1") == Login("a", "2")
    assert registries._wanted("r.example/ab:1") == Login("all", "1")
    assert not registries.is_private("r.example.org/a:1")


def test_a_farm_file_names_what_is_private() -> None:
    given = [{"prefix": "registry.local/harbor", "username": "u", "password": "p"}]
    read = farm.read({"clusters": [], "private": given})
    assert read.private == (farm.PrivateImages("registry.local/harbor", "u", "p"),)


@pytest.mark.parametrize("data", [{}, {".dockerconfigjson": "bm8="}, {".dockercfg": "e30="}])
def test_logins_that_are_none_are_refused(world: World, data: Json) -> None:
    body = {**secret("e30="), "data": data}
    with pytest.raises(StatusError, match=r"data\[\.dockerconfigjson\]"):
        world.create(SECRETS, body)


def test_an_immutable_secret_stays_as_it_is(world: World) -> None:
    world.create(SECRETS, secret(config(), immutable=True))
    other = {"data": {".dockerconfigjson": config("other.example")}}
    for change in (other, {"immutable": False}):
        with pytest.raises(StatusError, match="immutable"):
            world.patch(SECRETS, "t", "login", change)
    world.patch(SECRETS, "t", "login", {"metadata": {"labels": {"a": "b"}}})


def test_the_operators_door_makes_an_image_private_and_public_again(sandbox: Process) -> None:
    path, image = "/clusters/quick/registries", "registry.local/npu-workspace:1"
    wanted = {"prefix": image, "username": "u", "password": "p"}
    sandbox.operate("POST", path, wanted)
    sandbox.run("shut-out")

    def waits() -> bool:
        statuses = sandbox.pod("shut-out")["status"].get("containerStatuses") or [{"state": {}}]
        message = statuses[0]["state"].get("waiting", {}).get("message", "")
        return "authorization failed" in message

    wait_for(waits)
    sandbox.operate("POST", path, {"prefix": image, "private": False})
    sandbox.await_phase("shut-out", "Running")
