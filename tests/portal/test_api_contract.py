"""The API keeps what its document promises, whatever is sent to it.

Schemathesis reads the committed document and calls each operation with data of its own
making, as somebody who may do everything.  Once with a real object in the address, so that
answers other than refusals are held against the document too.
"""

import os
from collections.abc import Callable, Iterator
from uuid import UUID

import pytest
import schemathesis
import time_machine
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from portal.tenants import issuing
from tests.factories.portal import AFTERNOON, NOON, TOMORROW
from tests.portal.steps import STEPS
from tests.portal.test_openapi import COMMITTED
from tests.portal.walking import AliceWorld
from tests.portal.web.world import World

pytestmark = [
    pytest.mark.django_db,
    # A log that is followed comes as a stream for ASGI; here it is read to its end.
    pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume asynchronous"),
]
# An answer of 500 is in no document, so the first of these refuses it.
CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
]
# `CONTRACT_EXAMPLES=100` looks further, and elsewhere each time.
EXAMPLES = int(os.environ.get("CONTRACT_EXAMPLES", "0"))
WALKED = {f"{step.verb.upper()} /api/v1{step.path}": step for step in STEPS}
document = schemathesis.openapi.from_path(COMMITTED)
document.app = get_wsgi_application()
document.config.phases.coverage.enabled = False


@pytest.fixture(autouse=True)
def one_connection() -> Iterator[None]:
    """Calls share the connection of the test, as those of Django's own client do."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.fixture
def world(db: None, noon: None, stage: World) -> Iterator[AliceWorld]:
    """What Alice has, in the afternoon."""
    with time_machine.travel(AFTERNOON, tick=False):
        yield AliceWorld(people=stage.people, project=stage.project, catalog=stage.catalog)


@pytest.fixture
def headers(world: AliceWorld) -> dict[str, str]:
    """Zoe calls, who owns Alice's tenant too and serves the platform in every role."""
    zoe = world.people["zoe"]
    _, secret = issuing.issue_token(user=zoe, name="all", expires_at=TOMORROW, at=NOON)
    return {"Authorization": f"Bearer {secret}"}


@pytest.fixture
def made() -> list[object]:
    """What names the real thing in the address, once it has been made."""
    return []


@pytest.mark.parametrize("is_real", [True, False], ids=["real", "invented"])
@document.parametrize()
@settings(
    max_examples=EXAMPLES or 5,
    derandomize=not EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_as_the_document_says(
    case: schemathesis.Case,
    headers: dict[str, str],
    world: AliceWorld,
    made: list[object],
    is_real: bool,
) -> None:
    step = WALKED[case.operation.label]
    if is_real and step.key is not None and not made:
        made.append(_plain(step.key(world)))
    # Made outside, the thing is there again for the next example.
    point = transaction.savepoint()
    for key in made:
        case.path_parameters = dict.fromkeys(case.path_parameters, key)
    case.validate_response(case.call(headers=headers), checks=_checks(case))
    transaction.savepoint_rollback(point)


def _checks(case: schemathesis.Case) -> list[Callable[..., object]]:
    """All of them; but a stream is text to the document, and events to the check of schemas."""
    is_stream = case.operation.label.endswith("/follow")
    return [one for one in CHECKS if not (is_stream and one is response_schema_conformance)]


def _plain(key: object) -> object:
    return str(key) if isinstance(key, UUID) else key
