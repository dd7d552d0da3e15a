"""Through the whole house as a stranger: every page and every operation of the API.

Alice, or the staff member whose room it is, first succeeds with real objects of Alice's.
Then Charlie, from another tenant, tries the same: he meets 404 on details and actions, sees
none of hers in lists, her ids in his bodies are refused, and nothing changes by it.
The walk is held against the URL map and the OpenAPI document, so that a new door without
a step fails.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import time_machine
import yaml
from django.apps import apps
from django.db import connection, transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from rest_framework.test import APIClient

from portal.api.urls import router
from tests.factories.portal import AFTERNOON
from tests.portal.conftest import Calls
from tests.portal.steps import STEPS
from tests.portal.test_openapi import COMMITTED
from tests.portal.walking import AliceWorld, Meets, Step, Words
from tests.portal.web.addresses import ACTIONS, PAGES, PERSONAL, Address

pytestmark = pytest.mark.django_db

# Whoever comes: nothing behind these doors is anybody's.
PUBLIC = {
    "api-schema",
    "web:landing",
    "web:preferences",
}
# One's own account, by one's own session or by a key sent by mail.
OWN_ACCOUNT = {
    "account_change_password",
    "account_confirm_email",
    "account_confirm_login_code",
    "account_email",
    "account_email_verification_sent",
    "account_inactive",
    "account_login",
    "account_logout",
    "account_reauthenticate",
    "account_reset_password",
    "account_reset_password_done",
    "account_reset_password_from_key",
    "account_reset_password_from_key_done",
    "account_set_password",
    "account_signup",
}
# Answers whatever the API does not have, with 404.
NOWHERE = {"api-nothing-here"}
# What changes by calling at all: sessions, tokens' last use.
RESTLESS = {"ApiToken"}

# The forms of pages: what is sent to them by post, with Alice's ids in it.
FORMS = [
    Address(
        "instances-new", verb="post", status=302, kwargs=lambda w: {"slug": w.tenant.slug},
        data=lambda w: {
            "project": w.project.pk, "instance_type": "rngd-1", "image": "rngd-workspace",
            "count": 1, "lease": "8",
        },
    ),
    Address(
        "quota-new", verb="post", status=302, kwargs=lambda w: {"slug": w.tenant.slug},
        data=lambda w: {
            "project": w.project.pk, "family": w.catalog.family.pk, "devices": 1,
            "justification": "More",
        },
    ),
    Address(
        "projects", verb="post", status=302, kwargs=lambda w: {"slug": w.tenant.slug},
        data=lambda w: {"name": "Night"},
    ),
    Address(
        "volumes", verb="post", status=302, kwargs=lambda w: {"slug": w.tenant.slug},
        data=lambda w: {
            "project": w.project.pk, "cluster": w.volume.cluster.name, "name": "more",
            "size_gib": 5,
        },
    ),
    Address(
        "images", who="erin", verb="post", status=302,
        data=lambda w: {"tenant": w.tenant.slug, "pattern": "registry.example/bada/*"},
    ),
    Address(
        "registries", verb="post", status=302, kwargs=lambda w: {"slug": w.tenant.slug},
        data=lambda w: {"host": "r.example", "username": "robot", "password": "hunter2"},
    ),
    Address(
        "members", verb="post", status=302, kwargs=lambda w: {"slug": w.tenant.slug},
        data=lambda w: {"email": w.newcomer, "role": "member"},
    ),
    Address(
        "approvals-quota", who="bob", verb="post", status=302,
        kwargs=lambda w: {"quota_request_id": w.quota_request.pk}, data=lambda w: {"devices": 1},
    ),
    Address(
        "clusters", who="erin", verb="post", status=422, data=lambda w: {"name": "west"},
    ),
    Address(
        "clusters-exporters", who="erin", verb="post", status=302,
        kwargs=lambda w: {"name": w.node.cluster.name},
        data=lambda w: {
            "pool": w.device.pool_id, "namespace": "npu-system", "selector": "app=exporter",
            "port": 9400,
        },
    ),
    Address(
        "maintenance", who="erin", verb="post", status=422, data=lambda w: {"reason": "Firmware"},
    ),
    Address(
        "prices", who="dana", verb="post", status=422,
        data=lambda w: {"book": w.book.pk, "hourly_rate": "1"},
    ),
]  # fmt: skip
# Whose body names things of Alice's: sent once more to Charlie's own address.
NAMING_HERS = [form for form in FORMS if form.name in ("instances-new", "quota-new", "volumes")]
WEB = [*PAGES, *ACTIONS, *FORMS]


@pytest.fixture
def world(db: None, noon: None, stage: AliceWorld) -> Iterator[AliceWorld]:
    """What Alice has, in the afternoon."""
    world = AliceWorld(people=stage.people, project=stage.project, catalog=stage.catalog)
    assert world.instance
    assert world.quota_request
    with time_machine.travel(AFTERNOON, tick=False):
        yield world


def _everything() -> dict[str, str]:
    """Every row of the house, as one short text per table."""
    labels = ("tenants", "quotas", "requests", "access", "provisioning", "billing")
    models = [model for label in labels for model in apps.get_app_config(label).get_models()]
    tables = [m._meta.db_table for m in models if m.__name__ not in RESTLESS]
    digest = "md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), ''))"
    parts = [f"SELECT '{table}', {digest} FROM {table} t" for table in tables]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts))
        return dict(cursor.fetchall())


@contextmanager
def _undone() -> Iterator[None]:
    """What is done inside is taken back, so that the next one meets the same objects."""
    point = transaction.savepoint()
    yield
    transaction.savepoint_rollback(point)


def test_every_operation_of_the_document_is_walked() -> None:
    document = yaml.safe_load(COMMITTED.read_text())
    described = {
        f"{verb} {path.removeprefix('/api/v1')}"
        for path, item in document["paths"].items()
        for verb in item
        if verb != "parameters"
    }
    assert described == {step.name for step in STEPS}


def test_every_handler_of_the_router_is_in_the_document() -> None:
    # A handler left out of the document would slip past the test above.
    handled = [
        verb
        for pattern in router.urls
        for verb in pattern.callback.actions  # type: ignore[attr-defined]
        if verb != "head"
    ]
    assert len(handled) == len([step for step in STEPS if step.path != "/me"])


def test_every_address_of_the_url_map_is_walked_or_public_by_name() -> None:
    walked = {f"web:{address.name}" for address in WEB} | {f"web:{name}" for name in PERSONAL}
    routed = {pattern.name for pattern in router.urls} | {"api-me"}
    assert _names(get_resolver()) == walked | routed | PUBLIC | OWN_ACCOUNT | NOWHERE


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_an_operation_is_for_its_owner_and_for_no_stranger(
    step: Step, world: AliceWorld, api: Calls
) -> None:
    asked, address, body = step.asked(world), step.address(world), step.body(world)
    owner, charlie = api(world.people[step.who]), api(world.people["charlie"])
    before, marks = _everything(), world.marks

    assert _call(APIClient(), step, address, asked, body).status_code == 401
    with _undone():
        answer = _call(owner, step, address, asked, body)
    assert answer.status_code == step.status, answer.content
    if step.stranger is Meets.NONE_OF_HERS:
        assert answer.json()["results"]

    told = _call(charlie, step, address, asked, body)
    if step.stranger is Meets.NOTHING:
        assert (told.status_code, told.json()["code"]) == (404, "not_found")
    else:
        assert told.status_code == step.status
        assert not [mark for mark in marks if mark in told.content.decode()]
    if step.stranger is not Meets.THE_SAME:
        assert _everything() == before


@pytest.mark.parametrize(
    "step", [step for step in STEPS if step.stranger is Meets.NONE_OF_HERS], ids=lambda s: s.name
)
def test_a_list_narrowed_to_hers_is_empty_to_a_stranger(
    step: Step, world: AliceWorld, api: Calls
) -> None:
    hers = {"tenant": world.tenant.slug, "project": world.project.pk, "account": world.account.pk}
    charlie, address = api(world.people["charlie"]), step.address(world)

    own = charlie.get(address).json()["results"]
    narrowed = charlie.get(address, hers).json()["results"]

    assert all(row in own for row in narrowed)
    assert not [mark for mark in world.marks if mark in str(narrowed)]


@pytest.mark.parametrize("address", WEB, ids=lambda a: f"{a.verb} {a.name}")
def test_a_page_is_for_its_owner_and_for_no_stranger(address: Address, world: AliceWorld) -> None:
    url, data = address.url(world), address.data(world)
    owner, charlie = _browser(world, address.who), _browser(world, "charlie")
    before = _everything()

    with _undone():
        assert _visit(owner, address, url, data).status_code == address.status

    assert _visit(charlie, address, url, data).status_code == 404
    assert _everything() == before


@pytest.mark.parametrize(
    "address",
    [a for a in WEB if a.who == "alice" and a.is_below_tenant],
    ids=lambda a: f"{a.verb} {a.name}",
)
def test_hers_is_not_under_his_address(address: Address, world: AliceWorld) -> None:
    hers, data = address.url(world), address.data(world)
    his = hers.replace(f"/t/{world.tenant.slug}/", "/t/meadow-robotics/")
    assert his != hers
    charlie = _browser(world, "charlie")
    before = _everything()

    answer = _visit(charlie, address, his, data)

    names_hers_in_address = len(address.kwargs(world)) > 1
    if names_hers_in_address:
        assert answer.status_code == 404
    elif address in NAMING_HERS:
        assert answer.status_code in (404, 422)
    else:
        assert answer.status_code == address.status
    assert not [mark for mark in world.marks if mark in answer.content.decode()]
    if names_hers_in_address or address in NAMING_HERS:
        assert _everything() == before


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_what_is_public_shows_nobody(name: str, world: AliceWorld) -> None:
    browser = Client()
    answer = (
        browser.post(reverse(name)) if name == "web:preferences" else browser.get(reverse(name))
    )

    assert answer.status_code in (200, 302, 503)
    assert not [mark for mark in world.marks if mark in answer.content.decode()]


def _call(client: APIClient, step: Step, address: str, asked: Words, body: Words) -> Any:
    if step.verb == "get":
        return client.get(address, asked)
    return getattr(client, step.verb)(address, body)


def _browser(world: AliceWorld, who: str) -> Client:
    browser = Client()
    browser.force_login(world.people[who])
    return browser


def _visit(browser: Client, address: Address, url: str, data: dict[str, object]) -> Any:
    return getattr(browser, address.verb)(url, data)


def _names(resolver: URLResolver, prefix: str = "") -> set[str]:
    names = set()
    for one in resolver.url_patterns:
        if isinstance(one, URLPattern):
            assert one.name, f"{one.pattern} has no name"
            names.add(prefix + one.name)
        else:
            space = f"{one.namespace}:" if one.namespace else ""
            names |= _names(one, prefix + space)
    return names
