"""A port of a running instance: visited through the portal, its page whole, both ways."""

from django.utils import timezone

from portal.access.models import PortSession
from provisioning import exposing
from tests.access.conftest import PAGE, Inside
from tests.access.doors import Answer


def test_a_member_comes_from_the_portal_and_sees_the_page(inside: Inside) -> None:
    browser = inside.browser("grace")

    host, target, answer = browser.follow(inside.place(), "/mirror?x=1")

    assert (host, target, answer.status) == (inside.place(), "/mirror?x=1", 200)
    cookie = browser.jars[inside.place()]
    assert set(cookie) == {"npu-farm-state", "npu-farm-port"}
    row = PortSession.objects.get()
    assert (row.user.email, row.instance, row.port) == ("grace@example.com", inside.instance, PAGE)


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


def test_nothing_listening_is_said_in_words(inside: Inside) -> None:
    exposing.open_port(instance=inside.instance, port=9091, by="a", at=timezone.now())
    browser = inside.browser("alice")
    _, _, answer = browser.follow(inside.place(9091))
    assert (answer.status, answer["X-NPU-Farm"]) == (502, "nothing_listens")
