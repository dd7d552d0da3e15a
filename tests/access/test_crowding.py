"""What one person may leave open, and what an instance's WebSocket may be offered."""

import pytest
from websockets.exceptions import InvalidStatus

from portal.access import crowding, headers
from portal.access.errors import TooManyOpen
from tests.access.conftest import Inside
from tests.access.doors import refused, until


def test_a_place_is_given_back(settings: object) -> None:
    settings.OPEN_PER_PERSON = 1  # type: ignore[attr-defined]
    with crowding.place_for(1):
        with pytest.raises(TooManyOpen), crowding.place_for(1):
            pass
        with crowding.place_for(2):
            pass
    with crowding.place_for(1):
        pass
    assert not crowding._open


def test_nobody_opens_more_than_they_may(inside: Inside, settle: object) -> None:
    settle(OPEN_PER_PERSON=2)  # type: ignore[operator]
    grace, alice = inside.visitor("grace"), inside.visitor("alice")
    origin = f"http://{inside.place()}"
    with grace.socket(inside.place(), "/ws", origin=origin):
        with grace.socket(inside.place(), "/ws", origin=origin):
            with refused():
                grace.socket(inside.place(), "/ws", origin=origin)
            answer = grace.get(inside.place(), "/mirror")
            assert (answer.status, answer["X-NPU-Farm"]) == (429, "too_many_open")
            assert alice.get(inside.place(), "/mirror").status == 200
    until(lambda: grace.get(inside.place(), "/mirror").status == 200)


def test_no_token_is_slipped_to_the_cluster_as_a_protocol() -> None:
    token = "base64url.bearer.authorization.k8s.io.c2VjcmV0"
    assert headers.protocols_of(("a", token, token.upper(), "b")) == ("a", "b")


def test_a_socket_with_such_a_protocol_is_offered_the_rest(inside: Inside) -> None:
    visitor = inside.visitor()
    try:
        with visitor.socket(
            inside.place(),
            "/ws",
            origin=f"http://{inside.place()}",
            subprotocols=["base64url.bearer.authorization.k8s.io.eA"],
        ) as socket:
            assert socket.subprotocol is None
    except InvalidStatus as refusal:
        pytest.fail(f"it was not let in: {refusal}")
