"""How one comes to a port: with a ticket, once, in one's own browser, if one may."""

import re
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from django.utils import timezone

from portal.access.models import PortSession
from provisioning import exposing
from tests.access.conftest import PAGE, Inside
from tests.access.doors import NAVIGATES, Browser


def test_the_cookie_is_this_hosts_and_no_scripts(inside: Inside) -> None:
    browser = inside.browser("alice")
    arrived = _ticket(inside, browser)
    answer = browser.get(inside.place(), arrived, headers=NAVIGATES)

    (line,) = answer.all("Set-Cookie")
    assert "HttpOnly" in line
    assert "SameSite=Lax" in line
    assert "Path=/" in line
    assert "domain" not in line.lower()
    assert answer["Cache-Control"] == "no-store"
    assert answer["Referrer-Policy"] == "no-referrer"


def test_who_may_not_is_not_let_in(inside: Inside) -> None:
    for who in ("charlie", "erin", "victor", "bea"):
        browser = inside.browser(who)
        host, _, answer = browser.follow(inside.place())
        assert host == inside.host, who
        assert answer.status == (404 if who == "charlie" else 403), who
    assert not PortSession.objects.exists()


def test_who_is_not_signed_in_is_sent_to_sign_in(inside: Inside) -> None:
    host, target, answer = inside.browser().follow(inside.place())
    assert (host, answer.status) == (inside.host, 200)
    assert target.startswith("/accounts/login/")


def test_a_script_without_a_visit_is_told_so_and_not_sent_around(inside: Inside) -> None:
    answer = inside.browser("alice").get(inside.place(), "/mirror")
    assert (answer.status, answer["X-NPU-Farm"]) == (401, "signed_out")


def _ticket(inside: Inside, browser: Browser, port: int = PAGE) -> str:
    """The address a browser would go to with its ticket, not gone to yet."""
    begun = browser.get(inside.place(port), "/", headers=NAVIGATES)
    parts = urlsplit(begun["Location"])
    given = browser.get(inside.host, f"{parts.path}?{parts.query}", headers=NAVIGATES)
    assert given.status == 302, given.body
    ready = urlsplit(given["Location"])
    assert ready.netloc == inside.place(port)
    return f"{ready.path}?{ready.query}"


def test_a_ticket_opens_once(inside: Inside) -> None:
    browser = inside.browser("alice")
    ticket = _ticket(inside, browser)
    assert browser.get(inside.place(), ticket).status == 302
    replayed = browser.get(inside.place(), ticket)
    assert (replayed.status, replayed["X-NPU-Farm"]) == (403, "ticket_refused")
    assert PortSession.objects.count() == 1


def test_a_ticket_is_for_the_browser_that_asked(inside: Inside) -> None:
    ticket = _ticket(inside, inside.browser("alice"))
    charlie = inside.browser("charlie")
    charlie.get(inside.place(), "/", headers=NAVIGATES)
    assert charlie.get(inside.place(), ticket)["X-NPU-Farm"] == "ticket_refused"
    assert inside.browser().get(inside.place(), ticket)["X-NPU-Farm"] == "ticket_refused"
    assert not PortSession.objects.exists()


def test_a_ticket_is_for_one_port(inside: Inside) -> None:
    exposing.open_port(instance=inside.instance, port=9090, by="a", at=timezone.now())
    browser = inside.browser("alice")
    ticket = _ticket(inside, browser)
    # The nonce goes where the attacker wants it: the ticket still names its port.
    browser.jars[inside.place(9090)] = dict(browser.jars[inside.place()])
    assert browser.get(inside.place(9090), ticket)["X-NPU-Farm"] == "ticket_refused"


def test_a_ticket_is_short_lived(inside: Inside) -> None:
    browser = inside.browser("alice")
    ticket = _ticket(inside, browser)
    with time_machine.travel(timezone.now() + timedelta(seconds=32)):
        assert browser.get(inside.place(), ticket)["X-NPU-Farm"] == "ticket_refused"


def test_a_ticket_shows_nothing_of_the_session(inside: Inside) -> None:
    browser = inside.browser("alice")
    ticket = parse_qs(urlsplit(_ticket(inside, browser)).query)["ticket"][0]
    import base64

    raw = base64.urlsafe_b64decode(ticket)
    assert browser.jars[inside.host]["sessionid"].encode() not in raw


def test_a_made_up_ticket_is_refused(inside: Inside) -> None:
    browser = inside.browser("alice")
    for ticket in ("", "x", "gAAAAA==", "%00", "a" * 5000):
        answer = browser.get(inside.place(), f"/.npu-farm/enter?ticket={ticket}")
        assert (answer.status, answer["X-NPU-Farm"]) == (403, "ticket_refused"), ticket


@pytest.mark.parametrize("onward", ["//evil.example", "https://evil.example", "/\\evil", ""])
def test_one_arrives_on_the_instances_host_whatever_was_asked(inside: Inside, onward: str) -> None:
    browser = inside.browser("alice")
    ticket = parse_qs(urlsplit(_ticket(inside, browser)).query)["ticket"][0]
    answer = browser.get(inside.place(), f"/.npu-farm/enter?ticket={ticket}&next={onward}")
    assert answer.status == 302
    to = answer["Location"]
    assert to.startswith("/")
    assert not re.match(r"[/\\]{2}", to)


def test_a_cookie_is_good_at_its_own_host_alone(inside: Inside) -> None:
    exposing.open_port(instance=inside.instance, port=9090, by="a", at=timezone.now())
    browser = inside.visitor()
    browser.jars[inside.place(9090)] = dict(browser.jars[inside.place()])
    answer = browser.get(inside.place(9090), "/mirror")
    assert (answer.status, answer["X-NPU-Farm"]) == (401, "signed_out")


def test_a_port_nobody_opened_is_nothing(inside: Inside) -> None:
    browser = inside.browser("alice")
    host, _, _answer = browser.follow(inside.place(9999))
    assert host == inside.host
    assert not PortSession.objects.exists()
