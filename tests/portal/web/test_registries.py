"""Logins to registries, on the page and over the API: stored by owners, read back by nobody."""

import logging
from datetime import timedelta

import pytest
from django.test import Client

from portal.tenants import joining
from portal.tenants.access import Role
from portal.tenants.models import User
from provisioning import registries
from provisioning.models import RegistryLogin
from tests.factories import portal as factory
from tests.factories.portal import NOON
from tests.portal.conftest import Calls
from tests.portal.web.conftest import Visits
from tests.portal.web.world import World
from tests.provisioning.test_confiding import everything_written

pytestmark = pytest.mark.django_db
PASSWORD = "hunter2-hunter3 한"
GIVEN = {"host": "Registry.Example:5000", "username": "robot$ci", "password": PASSWORD}
API = "/api/v1/registry-logins"


def _page(world: World) -> str:
    return f"/t/{world.tenant.slug}/registries/"


def _person(world: World, role: Role) -> User:
    person = factory.make_user(role.title())
    by = world.people["alice"]
    joining.add_member(tenant=world.tenant, email=person.email, role=role, by=by, at=NOON)
    return person


def _kept(world: World) -> RegistryLogin:
    return registries.logins_of(world.tenant.pk).get()


def test_an_owner_stores_a_login_and_no_page_has_its_password(
    world: World, visit: Visits, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    alice = visit(world.people["alice"])
    answer = alice.post(_page(world), GIVEN, follow=True)

    login = _kept(world)
    assert (login.host, login.username) == ("registry.example:5000", "robot$ci")
    assert (login.created_by, login.created_at) == ("alice@example.com", factory.AFTERNOON)
    assert "hunter3" in registries.content_of(login)
    shown = answer.content.decode()
    assert "registry.example:5000" in shown
    assert "robot$ci" in shown
    for text in (shown, caplog.text, everything_written()):
        assert "hunter2" not in text


def test_a_second_password_takes_the_place_of_the_first(world: World, visit: Visits) -> None:
    alice = visit(world.people["alice"])
    alice.post(_page(world), GIVEN)
    alice.post(_page(world), {**GIVEN, "host": "registry.example:5000", "password": "other"})

    assert "other" in registries.content_of(_kept(world))
    before = RegistryLogin.objects.exclude(removed_at=None).get()
    assert (before.removed_by, before.password_sealed) == ("alice@example.com", None)


def test_what_is_removed_is_gone_from_the_page(world: World, visit: Visits) -> None:
    alice, login = visit(world.people["alice"]), world.login
    answer = alice.post(f"{_page(world)}{login.pk}/remove/", follow=True)

    assert "What runs, runs on." in answer.content.decode()
    assert "harbor-robot" not in answer.content.decode()
    assert not registries.logins_of(world.tenant.pk).exists()
    assert alice.post(f"{_page(world)}{login.pk}/remove/").status_code == 404


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"host": "https://registry.example"}, "host name alone"),
        ({"host": "hunter2"}, "host name alone"),
        ({"username": "a:b"}, "no colon"),
        ({"username": "   "}, "This field is required"),
        ({"username": "r" * 256}, "at most 255"),
        ({"password": "hunter2\thunter2"}, "control characters"),
        ({"password": "hunter2" * 2000}, "at most 8192"),
    ],
)
def test_what_cannot_be_stored_is_refused_in_words_on_the_page(
    world: World, visit: Visits, changed: dict[str, str], says: str
) -> None:
    answer = visit(world.people["alice"]).post(_page(world), {**GIVEN, **changed})

    assert answer.status_code == 422
    shown = answer.content.decode()
    assert says in shown
    # What was typed as a host or a name may stand in its field again; a password never does.
    assert PASSWORD not in shown
    assert "hunter2hunter2" not in shown
    assert not RegistryLogin.objects.exists()


@pytest.mark.parametrize(
    ("role", "sees"), [(Role.MANAGER, 200), (Role.MEMBER, 403), (Role.VIEWER, 403)]
)
def test_only_owners_of_a_tenant_store_and_only_managers_besides_look(
    world: World, visit: Visits, api: Calls, role: Role, sees: int
) -> None:
    person, login = _person(world, role), world.login
    browser: Client = visit(person)
    page = browser.get(_page(world))
    assert page.status_code == sees
    assert "Store a login" not in page.content.decode()
    assert browser.post(_page(world), GIVEN).status_code == 403
    removing = 403 if sees == 200 else 404
    assert browser.post(f"{_page(world)}{login.pk}/remove/").status_code == removing
    client = api(person)
    assert len(client.get(API).json()["results"]) == (1 if sees == 200 else 0)
    assert client.post(API, {"tenant": world.tenant.slug, **GIVEN}).status_code == 403
    assert client.post(f"{API}/{login.pk}/remove").status_code == removing
    assert _kept(world) == login


def test_an_operator_stores_one_for_a_tenant(world: World, visit: Visits, api: Calls) -> None:
    erin = world.people["erin"]
    assert world.allowed
    assert _page(world) in visit(erin).get("/staff/images/").content.decode()
    assert visit(erin).post(_page(world), GIVEN).status_code == 302
    assert _kept(world).created_by == erin.email
    client = api(erin)
    answer = client.post(API, {"tenant": world.tenant.slug, **GIVEN})
    assert answer.status_code == 201
    assert _kept(world).pk == answer.json()["id"]


def test_the_api_tells_all_but_the_password(world: World, api: Calls) -> None:
    alice = api(world.people["alice"])
    words = {"tenant": world.tenant.slug, **GIVEN}
    key = {"HTTP_IDEMPOTENCY_KEY": "once"}
    answer = alice.post(API, words, **key)
    again = alice.post(API, words, **key)

    told = answer.json()
    assert told == again.json() == alice.get(API).json()["results"][0]
    assert set(told) == {"id", "tenant", "host", "username", "created_by", "created_at"}
    assert "hunter2" not in str(told)
    assert RegistryLogin.objects.count() == 1
    assert "hunter2" not in everything_written()
    assert alice.get(API, {"host": "registry.example"}).json()["results"] == []

    assert alice.post(f"{API}/{told['id']}/remove").status_code == 204
    assert alice.get(API).json()["results"] == []
    removed = RegistryLogin.objects.get()
    assert removed.removed_by == "alice@example.com"
    assert removed.removed_at is not None
    assert removed.removed_at - NOON < timedelta(hours=3)


def test_the_api_refuses_in_words_that_repeat_no_password(world: World, api: Calls) -> None:
    alice = api(world.people["alice"])
    for changed in ({"password": "hunter2\r\n"}, {"host": "hunter2"}, {"username": "hunter2:x"}):
        answer = alice.post(API, {"tenant": world.tenant.slug, **GIVEN, **changed})
        assert (answer.status_code, answer.json()["code"]) == (422, "illegal_registry_login")
        assert "hunter2" not in answer.content.decode()
    assert not RegistryLogin.objects.exists()
