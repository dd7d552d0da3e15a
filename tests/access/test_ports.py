"""A port of a running instance: visited through the portal, and by nobody else."""

import re
import time
from datetime import timedelta
from http.client import IncompleteRead
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from django.contrib.sessions.models import Session
from django.utils import timezone

from portal.access import admitting
from portal.access.models import PortSession
from portal.tenants.models import Membership
from provisioning import exposing
from provisioning.models import Instance
from provisioning.states import State
from tests.access.conftest import PAGE, Inside
from tests.access.doors import NAVIGATES, Answer, Browser, closed, refused


def test_a_member_comes_from_the_portal_and_sees_the_page(inside: Inside) -> None:
    browser = inside.browser("grace")

    host, target, answer = browser.follow(inside.place(), "/mirror?x=1")

    assert (host, target, answer.status) == (inside.place(), "/mirror?x=1", 200)
    cookie = browser.jars[inside.place()]
    assert set(cookie) == {"npu-farm-state", "npu-farm-port"}
    row = PortSession.objects.get()
    assert (row.user.email, row.instance, row.port) == ("grace@example.com", inside.instance, PAGE)


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


def test_the_page_is_whole_and_its_links_stay_on_its_host(inside: Inside) -> None:
    answer = inside.visitor().get(inside.place(), "/")

    page = answer.body.decode()
    assert answer.status == 200
    assert 'href="/mirror"' in page
    assert "/api/v1/" not in page
    assert page.rstrip().endswith("</html>")


def test_the_instance_hears_nothing_of_the_portal(inside: Inside) -> None:
    browser = inside.visitor()
    browser.jars[inside.place()] |= {"sessionid": "stolen", "_xsrf": "own"}
    heard = browser.get(
        inside.place(),
        "/mirror",
        headers={"Authorization": "Bearer x", "Impersonate-User": "root", "X-Own": "kept"},
    )

    said = {name.lower(): value for name, value in _headers(heard)}
    assert said["cookie"] == "_xsrf=own"
    assert "authorization" not in said
    assert "impersonate-user" not in said
    assert said["x-own"] == "kept"
    assert said["x-forwarded-host"] == inside.place()
    assert inside.browser("alice").jars[inside.host]["sessionid"] not in heard.body.decode()


def _headers(answer: Answer) -> list[tuple[str, str]]:
    said = answer.json["headers"]
    return list(said.items()) if isinstance(said, dict) else [tuple(pair) for pair in said]


def test_bodies_go_both_ways_without_being_collected(inside: Inside) -> None:
    browser = inside.visitor()
    big = bytes(range(256)) * 4096 * 8

    echoed = browser.send("POST", inside.place(), "/echo", body=big, headers=_own(inside))
    in_pieces = browser.send(
        "PUT", inside.place(), "/echo", body=iter([b"one,", b"two"]), headers=_own(inside)
    )

    assert echoed.body == big
    assert in_pieces.body == b"one,two"


def _own(inside: Inside) -> dict[str, str]:
    return {"Origin": f"http://{inside.place()}", "Sec-Fetch-Site": "same-origin"}


def test_a_redirect_stays_on_the_instances_host(inside: Inside) -> None:
    answer = inside.visitor().get(inside.place(), "/redirect?to=/mirror")
    assert answer["Location"] == "/mirror"


def test_a_socket_speaks_both_ways(inside: Inside) -> None:
    browser = inside.visitor()
    with browser.socket(inside.place(), "/ws", origin=f"http://{inside.place()}") as socket:
        socket.send("hello")
        assert socket.recv(timeout=10) == "hello"
        socket.send(b"\x00\x01")
        assert socket.recv(timeout=10) == b"\x00\x01"


def test_a_foreign_page_opens_no_socket(inside: Inside) -> None:
    browser = inside.visitor()
    portal = f"http://{inside.host}"
    for origin in ("https://evil.example", "null", None, "http://localhost", portal):
        with refused():
            browser.socket(inside.place(), "/ws", origin=origin)


FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
    {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
]


def test_another_origins_page_asks_in_vain(inside: Inside) -> None:
    browser = inside.visitor()
    for headers in FOREIGN:
        answer = browser.get(inside.place(), "/mirror", headers=headers)
        assert (answer.status, answer["X-NPU-Farm"]) == (403, "foreign"), headers


def test_a_form_sent_from_elsewhere_is_refused_and_a_link_is_followed(inside: Inside) -> None:
    browser = inside.visitor()
    came = {**NAVIGATES, "Sec-Fetch-Site": "cross-site"}
    assert browser.get(inside.place(), "/mirror", headers=came).status == 200
    assert browser.send("POST", inside.place(), "/echo", headers=came, body=b"x").status == 403


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


def _end_session(inside: Inside) -> None:
    Session.objects.all().delete()


def _expire_visit(inside: Inside) -> None:
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))


def _leave(inside: Inside) -> None:
    Membership.objects.filter(user=inside.people["grace"]).delete()


def _stop(inside: Inside) -> None:
    Instance.objects.update(desired="stopped", state=State.STOPPING)


def _close(inside: Inside) -> None:
    exposing.close_port(instance=inside.instance, port=PAGE, by="a", at=timezone.now())


ENDS = {
    _end_session: (401, "signed_out"),
    _expire_visit: (401, "signed_out"),
    _leave: (404, "not_found"),
    _stop: (409, "not_running"),
    _close: (404, "port_not_open"),
}


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
def test_the_visit_ends_within_seconds(inside: Inside, end: object) -> None:
    browser = inside.visitor("grace")
    assert browser.get(inside.place(), "/mirror").status == 200

    with browser.socket(inside.place(), "/ws", origin=f"http://{inside.place()}") as socket:
        end(inside)  # type: ignore[operator]
        code, reason = closed(socket)
    time.sleep(0.25)
    answer = browser.get(inside.place(), "/mirror")

    assert (code, reason) == (4403, ENDS[end][1])  # type: ignore[index]
    assert (answer.status, answer["X-NPU-Farm"]) == ENDS[end]  # type: ignore[index]
    with refused():
        browser.socket(inside.place(), "/ws", origin=f"http://{inside.place()}")


def test_a_stream_is_cut_when_the_visit_ends(inside: Inside) -> None:
    browser = inside.visitor("grace")
    begun = time.monotonic()
    from threading import Timer

    cut = Timer(0.5, _leave, [inside])
    cut.start()
    with pytest.raises((IncompleteRead, ConnectionError)):
        browser.get(inside.place(), "/ticks?n=100")
    assert time.monotonic() - begun < 8


def test_a_port_nobody_opened_is_nothing(inside: Inside) -> None:
    browser = inside.browser("alice")
    host, _, _answer = browser.follow(inside.place(9999))
    assert host == inside.host
    assert not PortSession.objects.exists()


def test_nothing_listening_is_said_in_words(inside: Inside) -> None:
    exposing.open_port(instance=inside.instance, port=9091, by="a", at=timezone.now())
    browser = inside.browser("alice")
    _, _, answer = browser.follow(inside.place(9091))
    assert (answer.status, answer["X-NPU-Farm"]) == (502, "nothing_listens")


LEADING_OUT = [
    "/..%2f..%2fother-a1:8080%2fproxy%2f",
    "/../../../other:8080/proxy/",
    "/%2e%2e/%2e%2e/",
    "/%252e%252e%252f",
    "/a/..%5c..%5c",
]


def test_no_path_leads_into_another_pod(inside: Inside) -> None:
    browser = inside.visitor()
    for target in LEADING_OUT:
        answer = browser.get(inside.place(), target)
        assert (answer.status, answer["X-NPU-Farm"]) == (400, "bad_address"), target


def test_a_host_with_tricks_is_the_same_place_or_none(inside: Inside) -> None:
    browser = inside.visitor()
    cookie = browser.jars[inside.place()]
    name, port = inside.place().rsplit(":", 1)

    def ask(*hosts: str) -> Answer:
        pairs = "; ".join(f"{key}={value}" for key, value in cookie.items())
        return browser.send("GET", inside.host, "/mirror", hosts=hosts, headers={"Cookie": pairs})

    for same in (name, name.upper(), f"{name}.", f"{name}.:{port}", f"{name}:1"):
        assert ask(same).status == 200, same
    other = inside.place(9090)
    instance, _, _ = name.partition("-8080")
    for none in (
        f"{instance}.localhost", f"x.{name}", f"{name}.{name}", f"{instance}-{name}",
        f"{instance}-08080.localhost", "admin.localhost", f"{name},{name}",
    ):  # fmt: skip
        assert ask(none).status in (400, 404), none
    assert ask(other).status == 401
    # Several hosts: whichever is meant, it is neither the portal nor the instance.
    assert ask(inside.host, name).status in (400, 404)
    assert ask(name, inside.host).status in (400, 404)


def test_the_portal_is_not_served_on_an_instances_host(inside: Inside) -> None:
    browser = inside.visitor()
    for target in ("/accounts/login/", "/api/v1/me", "/healthz/live", "/static/web/mark.svg"):
        answer = browser.get(inside.place(), target)
        assert "NPU Farm" not in answer.body.decode(errors="replace"), target
    assert browser.get("nobody.localhost", "/healthz/live").status == 404
    assert browser.get(inside.host, "/healthz/live").status == 200
    assert browser.get("10.1.2.3", "/healthz/live").status == 200


def test_a_page_of_an_instance_cannot_call_the_portal_as_its_viewer(inside: Inside) -> None:
    """What a script there would send: no cookie of the portal's, and its own origin."""
    browser = inside.browser("alice")
    origin = {"Origin": f"http://{inside.place()}", "Sec-Fetch-Site": "cross-site"}
    stop = f"/t/{inside.tenant.slug}/instances/{inside.instance.pk}/stop/"

    assert browser.send("POST", inside.host, stop, headers=origin, body=b"").status == 403
    told = browser.get(inside.host, "/api/v1/me", headers=origin)
    assert not [name for name, _ in told.headers if name.lower().startswith("access-control-")]
    cookies = browser.get(inside.host, "/accounts/login/").all("Set-Cookie")
    assert not [line for line in cookies if "domain" in line.lower()]
    inside.instance.refresh_from_db()
    assert inside.instance.desired == "running"


def test_two_lengths_are_refused_before_anybody_hears_of_them(inside: Inside) -> None:
    import socket

    browser = inside.visitor()
    pairs = "; ".join(f"{k}={v}" for k, v in browser.jars[inside.place()].items())
    raw = (
        f"POST /echo HTTP/1.1\r\nHost: {inside.place()}\r\nCookie: {pairs}\r\n"
        "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n"
        "0\r\n\r\nGET /mirror HTTP/1.1\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", inside.web.port), timeout=5) as plain:
        plain.sendall(raw.encode())
        said = plain.recv(65536).decode()
    assert said.startswith("HTTP/1.1 400")


def test_a_kept_yes_is_forgotten_within_seconds(inside: Inside) -> None:
    inside.visitor()
    assert admitting._kept
    admitting.forget_all()
    assert not admitting._kept
