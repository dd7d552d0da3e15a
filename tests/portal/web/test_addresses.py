"""Every page and action: its owner gets in, a stranger meets 404, nobody is asked to sign in."""

import pytest
from django.contrib.messages import get_messages
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver

from portal.web import urls
from tests.factories import portal as factory
from tests.portal.web.addresses import ACTIONS, PAGES, PERSONAL, PUBLIC, Address
from tests.portal.web.conftest import Visits
from tests.portal.web.world import World

pytestmark = pytest.mark.django_db
EVERYTHING = [*PAGES, *ACTIONS]
by_name = pytest.mark.parametrize("address", EVERYTHING, ids=lambda address: address.name)


def test_no_page_is_missing_from_these_tests() -> None:
    mapped = {pattern.name for pattern in _patterns(urls.urlpatterns)}

    assert mapped == {address.name for address in EVERYTHING} | PUBLIC | PERSONAL


@by_name
def test_whom_it_is_for_gets_in(address: Address, world: World, visit: Visits) -> None:
    answer = _go(visit(world.people[address.who]), address, address.url(world), world)

    assert answer.status_code == address.status
    refused = [m for m in get_messages(answer.wsgi_request) if m.level_tag == "error"]
    assert bool(refused) is address.is_refused


@by_name
def test_a_stranger_is_told_that_there_is_nothing(
    address: Address, world: World, visit: Visits
) -> None:
    answer = _go(visit(world.people["charlie"]), address, address.url(world), world)

    assert answer.status_code == 404


@by_name
def test_who_has_not_signed_in_is_asked_to(address: Address, world: World, visit: Visits) -> None:
    url = address.url(world)
    answer = _go(visit(), address, url, world)

    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/")


@by_name
def test_another_verb_is_refused(address: Address, world: World, visit: Visits) -> None:
    browser, url = visit(world.people[address.who]), address.url(world)
    other = browser.delete if address.verb == "get" else browser.get

    assert other(url).status_code == 405


@pytest.mark.parametrize(
    "path",
    [
        "/t/harbor-vision/instances/not-a-uuid/",
        "/t/harbor-vision/instances/00000000-0000-0000-0000-000000000000/",
        "/t/no-such-tenant/",
        "/staff/billing/99999999/",
        "/t/harbor-vision/invoices/00000000-0000-0000-0000-000000000000/pdf/",
    ],
)
def test_nonsense_in_an_address_is_not_found(path: str, world: World, visit: Visits) -> None:
    for person in ("alice", "dana"):
        assert visit(world.people[person]).get(path).status_code == 404


def test_a_thing_of_another_tenant_is_not_under_this_one(world: World, visit: Visits) -> None:
    second = factory.make_tenant("Second Harbor", owner=world.people["alice"])
    browser = visit(world.people["alice"])

    assert browser.get(f"/t/{second.slug}/instances/{world.instance.pk}/").status_code == 404
    assert browser.post(f"/t/{second.slug}/instances/{world.instance.pk}/stop/").status_code == 404


def _go(browser: Client, address: Address, url: str, world: World) -> HttpResponse:
    answer: HttpResponse = getattr(browser, address.verb)(url, address.data(world))
    return answer


def _patterns(found: list[URLPattern | URLResolver]) -> list[URLPattern]:
    patterns: list[URLPattern] = []
    for one in found:
        if isinstance(one, URLResolver):
            patterns += _patterns(one.url_patterns)
        else:
            patterns.append(one)
    return patterns
