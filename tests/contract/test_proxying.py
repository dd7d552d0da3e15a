"""HTTP and WebSockets carried to a pod's port, and bytes carried by port-forward."""

import json
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from tests.contract.api import Answer, Api, Json
from tests.contract.reached import PORT
from tests.contract.sockets import V4, Talk
from tests.contract.spaces import Space

Name = Callable[[], str]


@pytest.fixture
def page(web: str) -> str:
    """Where the page of the pod is seen."""
    return f"{web}:{PORT}/proxy"


def _below(api: Api, path: str) -> str:
    """The path as the server sees it in a URL."""
    return urlsplit(api.host).path + path


def _mirror(answer: Answer) -> Json:
    assert answer.status == 200, answer.text
    return answer.body


def _seen(answer: Answer, name: str) -> list[str]:
    return [value for key, value in _mirror(answer)["headers"] if key.lower() == name]


def test_page_comes_with_its_type(api: Api, page: str) -> None:
    answer = api.ask("GET", f"{page}/", accept="*/*")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "<h1>web</h1>" in answer.text


def test_links_from_the_root_are_led_through_the_proxy(api: Api, page: str) -> None:
    text = api.ask("GET", f"{page}/", accept="*/*").text
    assert f'href="{_below(api, page)}/mirror"' in text
    assert 'href="ticks?n=5"' in text


def test_path_and_query_arrive_as_they_were(api: Api, page: str) -> None:
    mirror = _mirror(api.get(f"{page}/mirror/a/b", one="1", two="x y"))
    assert mirror["target"] == "/mirror/a/b?one=1&two=x+y"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_every_method_is_carried(api: Api, page: str, method: str) -> None:
    assert _mirror(api.ask(method, f"{page}/mirror"))["method"] == method


def test_body_comes_back_with_its_type(api: Api, page: str) -> None:
    answer = api.post(f"{page}/echo", {"said": ["x" * 2_000]})
    assert answer.headers["content-type"] == "application/json"
    assert answer.body == {"said": ["x" * 2_000]}


def test_token_stays_outside_and_the_way_is_told(api: Api, page: str) -> None:
    answer = api.get(f"{page}/mirror")
    assert _seen(answer, "authorization") == []
    assert len(_seen(answer, "x-forwarded-for")) == 1
    assert _seen(answer, "x-forwarded-uri") == [f"{_below(api, page)}/mirror"]
    assert _seen(answer, "host") == [urlsplit(api.host).netloc]
    assert _seen(answer, "user-agent") == ["contract/1"]


def test_redirect_within_the_pod_is_led_through_the_proxy(api: Api, page: str) -> None:
    within = api.ask("GET", f"{page}/redirect", to="/elsewhere?a=1")
    assert within.status == 302
    assert within.headers["location"] == f"{_below(api, page)}/elsewhere?a=1"


@pytest.mark.parametrize("to", ["relative/path", "http://elsewhere.example/x"])
def test_other_redirects_stay_as_they_are(api: Api, page: str, to: str) -> None:
    assert api.ask("GET", f"{page}/redirect", to=to).headers["location"] == to


def test_proxy_without_a_slash_redirects_to_one(api: Api, page: str) -> None:
    answer = api.ask("GET", page)
    assert answer.status == 301
    assert answer.headers["location"] == f"{_below(api, page)}/"


def test_scheme_can_be_named(api: Api, space: Space, page: str) -> None:
    assert _mirror(api.get(f"{space.pods(f'http:web:{PORT}')}/proxy/mirror"))["method"] == "GET"
    status = api.get(f"{space.pods(f'gopher:web:{PORT}')}/proxy/mirror").refused(400, "BadRequest")
    assert status["message"] == f'invalid pod request "gopher:web:{PORT}"'


def test_port_nobody_listens_on_is_unavailable(api: Api, web: str) -> None:
    status = api.get(f"{web}:9/proxy/").refused(503, "ServiceUnavailable")
    assert status["message"].startswith("error trying to reach service: dial tcp ")
    assert status["message"].endswith(":9: connect: connection refused")


def test_nobody_is_not_found(api: Api, space: Space, name: Name) -> None:
    api.get(f"{space.pods(name())}:{PORT}/proxy/").refused(404, "NotFound")


def test_pod_without_an_address_is_a_bad_request(api: Api, space: Space, name: Name) -> None:
    idle = space.run(name(), idle=True)["metadata"]["name"]
    status = api.get(f"{space.pods(idle)}:{PORT}/proxy/").refused(400, "BadRequest")
    assert status["message"] == "address not allowed"


def test_what_the_pod_refuses_is_the_pods_own_answer(api: Api, page: str) -> None:
    answer = api.ask("GET", f"{page}/nothing")
    assert (answer.status, answer.text) == (404, "nothing here\n")


def test_pieces_arrive_as_they_come(api: Api, page: str) -> None:
    response = api.open(f"{page}/ticks?n=4")
    arrived = [time.monotonic() for _ in response.stream(64)]
    response.close()
    assert len(arrived) >= 3
    assert arrived[-1] - arrived[0] >= 0.2


def test_websocket_is_carried_with_its_protocol(api: Api, page: str) -> None:
    talk = Talk(api, f"{page}/ws", [], protocols=["chat.example"])
    assert talk.socket is not None
    assert talk.socket.subprotocol == "chat.example"
    for said in ("hello", "x" * 70_000):
        talk.socket.send(said)
        assert talk.socket.recv() == said
    talk.close()


def test_websocket_to_a_closed_port_is_an_internal_error(api: Api, web: str) -> None:
    refusal = Talk(api, f"{web}:9/proxy/ws", [], protocols=[]).refusal
    assert refusal is not None
    status = refusal.refused(500)
    assert status["message"].startswith("error dialing backend: dial tcp ")


# Port-forward

REQUEST = b"GET /mirror HTTP/1.1\r\nHost: inside\r\nConnection: close\r\n\r\n"


def test_port_forward_carries_bytes_after_the_ports_number(api: Api, web: str) -> None:
    talk = Talk(api, f"{web}/portforward", [("ports", str(PORT))], protocols=[V4])
    heard = talk.say(b"\0" + REQUEST).hear()
    number, answer = heard.channels[0][:2], heard.channels[0][2:]
    assert number == heard.channels[1] == PORT.to_bytes(2, "little")
    assert answer.startswith(b"HTTP/1.1 200")
    assert dict(json.loads(answer.partition(b"\r\n\r\n")[2])["headers"])["Host"] == "inside"
    assert heard.code == 1000


def test_port_forward_to_a_closed_port_says_so_on_its_own_channel(api: Api, web: str) -> None:
    talk = Talk(api, f"{web}/portforward", [("ports", "9")], protocols=[V4])
    heard = talk.hear()
    assert heard.channels[1][2:].startswith(b"error forwarding port 9 to pod ")
    assert b"connection refused" in heard.channels[1]


def test_port_forward_wants_a_port_and_a_pod(api: Api, space: Space, web: str, name: Name) -> None:
    portless = Talk(api, f"{web}/portforward", [], protocols=[V4]).refusal
    assert portless is not None
    assert (portless.status, portless.text) == (400, 'query parameter "port" is required')
    nobody = Talk(api, f"{space.pods(name())}/portforward", [("ports", "1")], protocols=[V4])
    assert nobody.refusal is not None
    nobody.refusal.refused(404, "NotFound")
