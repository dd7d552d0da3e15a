"""The committed description of the API is the API."""

import io
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from django.urls import get_resolver

from portal.api.urls import router

COMMITTED = Path(__file__).resolve().parents[2] / "docs" / "openapi.yaml"
UNDESCRIBED = {"api-schema", "api-nothing-here"}


@pytest.fixture(scope="module")
def generated() -> str:
    """As `manage.py spectacular` writes it; any warning is an error."""
    out = io.StringIO()
    call_command("spectacular", "--lang=en", "--fail-on-warn", "--validate", stdout=out)
    return out.getvalue()


@pytest.fixture(scope="module")
def document(generated: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(generated)
    return loaded


def test_the_committed_document_is_up_to_date(generated: str) -> None:
    assert generated.strip() == COMMITTED.read_text().strip(), (
        "write it anew: python manage.py spectacular --lang en --file docs/openapi.yaml"
    )


def test_every_route_is_described(document: dict[str, Any]) -> None:
    # An empty document would also be valid, and up to date with itself.
    named = {
        pattern.name
        for pattern in get_resolver("portal.api.urls").url_patterns
        if getattr(pattern, "name", None)
    }
    routed = {pattern.name for pattern in router.urls}
    assert len(document["paths"]) == len(routed) + len(named - UNDESCRIBED)
    assert len(document["paths"]) > 50


def test_it_speaks_openapi_31(generated: str, document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    assert "nullable" not in generated


def test_every_operation_says_how_it_may_be_refused(document: dict[str, Any]) -> None:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method == "parameters":
                continue
            assert {"401", "403", "404", "429"} <= set(operation["responses"]), (method, path)
            assert operation["description"], (method, path)


def test_words_have_names_of_their_own(document: dict[str, Any]) -> None:
    enums = [name for name in document["components"]["schemas"] if name.endswith("Enum")]
    assert enums
    assert not [name for name in enums if any(character.isdigit() for character in name)]


def test_the_served_document_needs_no_sign_in(client: Any) -> None:
    answer = client.get("/api/v1/schema")

    assert answer.status_code == 200
    assert "/api/v1/instances" in answer.json()["paths"]
