"""The API as an OpenAPI 3.1 document, out of the views themselves.

`docs/openapi.yaml` is this document, committed: a test compares the two, so a change of
the API is a change somebody reads.
"""

from typing import Any, Final

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema as SpectacularSchema
from rest_framework.viewsets import ViewSetMixin

from portal.api import tokens
from portal.api.problems import CONTENT_TYPE

_PREFIX: Final = "/api/v1/"
_METHODS: Final = {"get", "post", "put", "patch", "delete"}
_MEANINGS: Final = {
    "400": "What was sent is malformed; `errors` names the fields.",
    "401": "Nobody is signed in, or the token opens nothing.",
    "403": "You may see this, and may not do that with it.",
    "404": "There is no such thing, or it is not yours to see.",
    "406": "No answer in a form you accept.",
    "409": "The present state of things forbids it.",
    "415": "The body has a form this call does not read.",
    "422": "What was asked for can never be.",
    "429": "Too many calls; `Retry-After` says when to go on.",
    "502": "The cluster refused.",
    "503": "The cluster does not answer; try again.",
}
PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "description": "RFC 9457: why a call was refused.",
    "required": ["type", "title", "status", "detail", "code", "retryable"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "For people."},
        "code": {"type": "string", "description": "For programs; never changes."},
        "retryable": {"type": "boolean", "description": "Whether the same call may succeed later."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "code", "detail"],
                "properties": {
                    "field": {"type": ["string", "null"]},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
        "exceptions": {
            "type": "array",
            "description": "What keeps a billing period from being invoiced.",
            "items": {"$ref": "#/components/schemas/CloseException"},
        },
    },
}


class AutoSchema(SpectacularSchema):
    """Names operations as they are said: `instances_stop`, not `instances_stop_create`."""

    def get_operation_id(self) -> str:
        """Join the resource and what is done with it."""
        action = getattr(self.view, "action", None)
        if not isinstance(self.view, ViewSetMixin) or not action:
            return super().get_operation_id()
        resource = self.path.removeprefix(_PREFIX).split("/")[0]
        return f"{resource.replace('-', '_')}_{action}"


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Tells the document how a token is sent."""

    target_class = "portal.api.tokens.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: SpectacularSchema) -> dict[str, Any]:
        """Describe the header."""
        return tokens.describe_scheme()


# What is answered with a cluster's own words, or not at all while it is silent.
_ASKS_A_CLUSTER = ("/logs", "/events", "/clusters", "/pools", "/volumes")


def add_problems(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """Give every operation the problems it may answer with."""
    result["components"].setdefault("schemas", {})["Problem"] = PROBLEM
    result["components"]["responses"] = {
        f"Problem{status}": _response(meaning) for status, meaning in _MEANINGS.items()
    }
    for path, item in result["paths"].items():
        for method in _METHODS & set(item):
            for status in sorted(_problems_of(path, method, item[method])):
                reference = {"$ref": f"#/components/responses/Problem{status}"}
                item[method]["responses"].setdefault(status, reference)
    return result


def _problems_of(path: str, method: str, operation: dict[str, Any]) -> set[str]:
    problems = {"404", "406", "429"}
    if {} not in operation.get("security", []):
        problems |= {"401", "403"}
    if operation.get("parameters"):
        problems.add("400")
    if method != "get":
        problems |= {"400", "409", "415", "422"}
    if any(part in path for part in _ASKS_A_CLUSTER):
        problems |= {"409", "502", "503"}
    return problems


def _response(meaning: str) -> dict[str, Any]:
    reference = {"$ref": "#/components/schemas/Problem"}
    return {"description": meaning, "content": {CONTENT_TYPE: {"schema": reference}}}
