"""Foreign pages, tricks with hosts and paths, and pages of instances that turn on the portal."""

from tests.access.conftest import Inside
from tests.access.doors import NAVIGATES, Answer, refused


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
