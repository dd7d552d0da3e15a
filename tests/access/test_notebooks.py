"""A notebook's token: given to who was just let in at its port, and to nobody and nothing else."""

import logging
from datetime import datetime
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from django.test import Client
from django.utils import timezone

from portal.access import admitting
from portal.access.notebooks import with_token
from provisioning import confiding, exposing
from tests.access.conftest import PAGE, Inside
from tests.access.doors import NAVIGATES, Browser

ENTER = "/.npu-farm/enter"


@pytest.fixture
def token(inside: Inside) -> str:
    """The instance has one, and its page's port is a notebook's."""
    at = timezone.now()
    confiding.confide(instance=inside.instance, texts=(), wants_token=True, at=at)
    _open_anew(inside, at, is_notebook=True)
    found = confiding.notebook_token(inside.instance)
    assert found
    return found


def _open_anew(inside: Inside, at: datetime, *, is_notebook: bool) -> None:
    words = {"instance": inside.instance, "port": PAGE, "by": "alice@example.com", "at": at}
    exposing.close_port(**words)
    exposing.open_port(**words, is_notebook=is_notebook)
    admitting.forget_all()


def _arrival(inside: Inside, browser: Browser, target: str = "/lab?reset") -> str:
    """Where the door sends somebody on to."""
    at_portal = browser.get(inside.place(), target, headers=NAVIGATES)["Location"]
    ticketed = browser.get(inside.host, at_portal.removeprefix(inside.web.address))["Location"]
    answer = browser.get(inside.place(), ticketed.partition(inside.place())[2], headers=NAVIGATES)
    assert (answer.status, answer["Referrer-Policy"]) == (302, "no-referrer")
    assert answer["Cache-Control"] == "no-store"
    return answer["Location"]


def test_a_member_is_signed_in_to_the_notebook_on_the_way_in(
    inside: Inside, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    browser = inside.browser("grace")

    assert _arrival(inside, browser) == f"/lab?reset&token={token}"
    page = browser.get(inside.place(), f"/mirror?token={token}")
    assert page.status == 200
    # What the page loads and links to elsewhere is not told the address with the token.
    assert page.all("Referrer-Policy")[-1] == "same-origin"
    assert token not in caplog.text
    # Once inside, nothing is added to any address.
    again = browser.get(inside.place(), "/redirect?to=/mirror", headers=NAVIGATES)
    assert again["Location"] == "/mirror"


def test_a_port_that_is_no_notebooks_is_told_nothing(inside: Inside, token: str) -> None:
    _open_anew(inside, timezone.now(), is_notebook=False)
    assert _arrival(inside, inside.browser("alice")) == "/lab?reset"


def test_an_instance_without_a_token_is_entered_as_any_other(inside: Inside) -> None:
    _open_anew(inside, timezone.now(), is_notebook=True)
    assert _arrival(inside, inside.browser("alice")) == "/lab?reset"


@pytest.mark.parametrize("who", ["victor", "bea", "charlie", "erin"])
def test_who_may_not_open_ports_gets_no_token(inside: Inside, token: str, who: str) -> None:
    browser = inside.browser(who)
    host, target, answer = browser.follow(inside.place(), ENTER)
    assert (host, answer.status) == (inside.host, 403 if who in ("victor", "bea", "erin") else 404)
    assert token not in target
    assert token not in answer.body.decode()


def test_who_has_lost_the_right_since_the_ticket_gets_no_token(inside: Inside, token: str) -> None:
    browser = inside.browser("grace")
    at_portal = browser.get(inside.place(), "/lab", headers=NAVIGATES)["Location"]
    ticketed = browser.get(inside.host, at_portal.removeprefix(inside.web.address))["Location"]
    inside.tenant.memberships.filter(user=inside.people["grace"]).update(role="viewer")
    answer = browser.get(inside.place(), ticketed.partition(inside.place())[2], headers=NAVIGATES)
    assert answer.status == 403
    assert token not in str(answer.headers) + answer.body.decode()


def test_the_pages_link_signs_in_anew_and_a_cookie_alone_is_no_ticket(
    inside: Inside, token: str
) -> None:
    browser = inside.visitor()
    host, target, _ = browser.follow(inside.place(), f"{ENTER}?next={quote('/mirror?a=b')}")
    assert (host, target) == (inside.place(), f"/mirror?a=b&token={token}")
    # Only somebody's own step leads there: no page can fetch it, framed or not.
    for mode in ({}, {**NAVIGATES, "Sec-Fetch-Dest": "iframe"}, {"Sec-Fetch-Mode": "cors"}):
        answer = browser.get(inside.place(), ENTER, headers=mode)
        assert (answer.status, answer["X-NPU-Farm"]) == (403, "ticket_refused")


@pytest.mark.parametrize(
    ("onward", "expected"),
    [
        ("/", "/?token=t%2F%3D"),
        ("/lab?a=1", "/lab?a=1&token=t%2F%3D"),
        ("/lab#cell", "/lab?token=t%2F%3D#cell"),
        ("/lab?token=evil&a=1", "/lab?a=1&token=t%2F%3D"),
        ("/lab?%74oken=evil", "/lab?token=t%2F%3D"),
        ("/lab?x=a%26token%3Devil", "/lab?x=a%26token%3Devil&token=t%2F%3D"),
        ("/a//b:c@d", "/a//b:c@d?token=t%2F%3D"),
    ],
)
def test_the_token_is_the_only_one_of_its_address(onward: str, expected: str) -> None:
    found = with_token(onward, "t/=")
    assert found == expected
    assert parse_qs(urlsplit(found).query)["token"] == ["t/="]


def test_the_page_tells_those_who_may_how_to_get_in_and_shows_the_token_to_nobody(
    inside: Inside, token: str
) -> None:
    address = f"/t/{inside.tenant.slug}/instances/{inside.instance.pk}/access/"

    def page_of(who: str) -> str:
        client = Client(HTTP_ACCEPT_LANGUAGE="en")
        client.force_login(inside.people[who])
        return client.get(address).content.decode()

    graces, victors = page_of("grace"), page_of("victor")
    assert "printenv JUPYTER_TOKEN" in graces
    assert f'{inside.place()}{ENTER}"' in graces
    assert "JUPYTER_TOKEN" not in victors
    assert ENTER not in victors
    assert token not in graces + victors
