"""Pure parts of visiting a port: hosts, addresses, headers, cookies."""

from uuid import UUID

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from portal.access import headers, tickets
from portal.access.errors import TicketRefused
from portal.access.hosts import Place, is_inside, place_at
from portal.access.targets import stays_here, target_of
from provisioning.cluster.proxying import without

# Not by chance: they are in the names of tests.
ID = UUID("7439cf94-edeb-4d0d-bdce-698c00bdf91b")
OTHER = UUID("513973d3-7ac3-4bde-831a-d379a618f7aa")
HOST = f"{ID}-8888.apps.example"


@given(st.uuids(), st.integers(1, 65535))
def test_a_place_is_found_at_its_own_host(instance_id: object, port: int) -> None:
    place = Place(instance_id, port)  # type: ignore[arg-type]
    host = place.host("apps.example")
    assert place_at(host, "apps.example") == place
    assert place_at(f"{host.upper()}.:8000", "apps.example") == place


@pytest.mark.parametrize(
    "host",
    [
        f"{ID}.apps.example",
        f"{ID}-0.apps.example",
        f"{ID}-65536.apps.example",
        f"{ID}-08888.apps.example",
        f"{ID}-{ID}-80.apps.example",
        f"{OTHER}.{HOST}",
        f"x{HOST}",
        f"{HOST},{HOST}",
        f"{HOST}:80:80",
        f"{HOST}:x",
        f"{HOST}..",
        f"{HOST}\x00",
        f"{HOST}@evil.example",
        "apps.example",
        ".apps.example",
        "",
        f"{ID}-8888.apps.example.evil.example",
        f"{ID}-8888xapps.example",
        f"{str(ID).replace('-', '')}-8888.apps.example",
    ],
)
def test_no_other_host_is_a_place(host: str) -> None:
    assert place_at(host, "apps.example") is None


@pytest.mark.parametrize("host", [HOST, HOST.upper(), f"{HOST}.", f"{HOST}:1", "x.apps.example"])
def test_whatever_is_below_the_domain_is_not_the_portals(host: str) -> None:
    assert is_inside(host, "apps.example")


@pytest.mark.parametrize("host", ["apps.example", "portal.example", "127.0.0.1:8000", "[::1]:80"])
def test_the_portals_own_names_are_not_below_the_domain(host: str) -> None:
    assert not is_inside(host, "apps.example")


@pytest.mark.parametrize(
    "path",
    [
        b"/..", b"/a/../b", b"/%2e%2e/x", b"/..%2f..%2fother:80/proxy/", b"/%252e%252e%252f",
        b"/a/..%5c..%5cx", b"/.%2e/", b"/%2E%2E%2Fpods", b"/./x", b"/%25252e%25252e/", b"a", b"",
        b"/a b", b"/a\r\nX: y", b"/%00", b"/%0d%0aX:y", "/ü".encode(), b"/a#b", b"/x\\..\\y",
        b"http://evil.example/", b"/%2525252525252e%2e/",
    ],
)  # fmt: skip
def test_no_path_leads_out_of_a_pod(path: bytes) -> None:
    assert target_of(path, b"") is None


@pytest.mark.parametrize(
    "path", [b"/", b"/lab/tree/a%20b.ipynb", b"/api/contents/x%2Fy", b"/a/...", b"/..a/b", b"//x"]
)
def test_paths_of_programs_are_passed_as_they_are(path: bytes) -> None:
    assert target_of(path, b"q=../x&y=%2e%2e") == path.decode() + "?q=../x&y=%2e%2e"


@given(st.text(max_size=30))
def test_one_goes_on_only_on_the_same_host(text: str) -> None:
    if stays_here(text):
        assert text.startswith("/")
        assert text[1:2] not in ("/", "\\")
        assert all(32 < ord(letter) < 127 for letter in text)


def told(*given: tuple[str, str]) -> dict[str, str]:
    passed = headers.toward_instance(
        given,
        host=HOST,
        seen_as="https://api.example:6443",
        scheme="https",
        ours={"sessionid", "npu-farm-port"},
    )
    return {name.lower(): value for name, value in passed}


@pytest.mark.parametrize(
    "name",
    [
        "Authorization", "Impersonate-User", "impersonate-group", "Impersonate-Extra-scopes",
        "X-Remote-User", "X-Remote-Group", "Audit-ID", "Connection", "Upgrade", "TE", "Trailer",
        "Transfer-Encoding", "Content-Length", "Proxy-Authorization", "Expect", "Forwarded",
        "X-Forwarded-For", "Host", "Sec-WebSocket-Key", "Accept-Encoding", "Keep-Alive",
    ],
)  # fmt: skip
def test_an_instance_is_given_no_orders_for_the_cluster(name: str) -> None:
    assert name.lower() not in told((name, "anything"))


def test_what_the_connection_names_goes_no_further() -> None:
    assert "x-secret" not in told(("Connection", "close, X-Secret"), ("X-Secret", "1"))


def test_portal_cookies_stay_and_the_instances_own_pass() -> None:
    said = told(("Cookie", "sessionid=s; _xsrf=2|a; npu-farm-port=p; theme=dark"))
    assert said["cookie"] == "_xsrf=2|a; theme=dark"
    assert "cookie" not in told(("Cookie", "sessionid=s"))


def test_the_instance_believes_to_be_where_the_cluster_asks_it() -> None:
    said = told(("Origin", f"https://{HOST}"), ("Referer", f"https://{HOST}/lab?x=1"))
    assert said["origin"] == "https://api.example:6443"
    assert said["referer"] == "https://api.example:6443/lab?x=1"
    assert said["x-forwarded-host"] == HOST
    assert said["x-forwarded-proto"] == "https"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("a=1; Domain=apps.example; Path=/", "a=1; Path=/"),
        ("a=1; DOMAIN = .example; HttpOnly", "a=1; HttpOnly"),
        ("a=1; domain", "a=1"),
        ("sessionid=evil; Path=/", ""),
        ("SessionID=evil", ""),
        ("npu-farm-port=evil", ""),
        ("__Host-npu-farm-port=evil; Secure; Path=/", ""),
        ("npu-farm-anything=evil", ""),
        (" sessionid =evil", ""),
    ],
)
def test_a_cookie_stays_on_the_host_that_sets_it(given: str, kept: str) -> None:
    assert headers.own_cookie(given, ours={"sessionid"}) == kept


@pytest.mark.parametrize(
    "name", ["Clear-Site-Data", "Strict-Transport-Security", "Alt-Svc", "Transfer-Encoding"]
)
def test_an_instance_says_nothing_about_other_hosts(name: str) -> None:
    passed = headers.toward_browser([(name, "x"), ("X-Own", "y")], ours=set())
    names = {key.lower() for key, _ in passed}
    assert name.lower() not in names
    assert "x-own" in names


def test_pages_of_an_instance_are_not_framed_by_others() -> None:
    passed = dict(headers.toward_browser([("Content-Type", "text/html")], ours=set()))
    assert passed["Content-Security-Policy"] == "frame-ancestors 'self'"


@given(st.lists(st.sampled_from([b"<a>", b"/api", b"/api/pods/x/proxy", b"/ap", b"i/pods"])))
def test_the_clusters_handwriting_is_taken_out_wherever_it_is_cut(pieces: list[bytes]) -> None:
    import asyncio
    from collections.abc import AsyncIterator

    prefix = b"/api/pods/x/proxy"

    async def coming() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    async def all_of() -> bytes:
        return b"".join([piece async for piece in without(coming(), prefix)])

    assert asyncio.run(all_of()) == b"".join(pieces).replace(prefix, b"")


@pytest.mark.parametrize("state", ["", "é", "\N{GRINNING FACE}", "0" * 64])
def test_a_ticket_for_a_state_nobody_keeps_is_refused(state: str) -> None:
    place, now = Place(ID, 8888), timezone.now()
    ticket = tickets.issue_ticket(session_key="k", user_id=1, place=place, state=state, at=now)
    with pytest.raises(TicketRefused):
        tickets.redeem_ticket(ticket=ticket, nonce="mine", place=place, at=now)
