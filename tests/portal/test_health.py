"""A probe is answered by address, whatever names the portal goes by."""

import pytest
from django.db import DatabaseError, connection
from django.test import Client

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("probe", ["live", "ready", "watching"])
@pytest.mark.parametrize("host", ["0.0.0.0:8000", "10.1.2.3", "localhost"])
def test_a_probe_is_answered_under_any_host(client: Client, probe: str, host: str) -> None:
    assert client.get(f"/healthz/{probe}", headers={"host": host}).status_code == 200


def test_every_other_address_still_asks_for_a_known_host(client: Client) -> None:
    assert client.get("/", headers={"host": "10.1.2.3"}).status_code == 400


def test_without_a_database_it_is_not_ready(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable() -> None:
        raise DatabaseError

    monkeypatch.setattr(connection, "cursor", unreachable)

    assert client.get("/healthz/ready").status_code == 503
    assert client.get("/healthz/live").status_code == 200
