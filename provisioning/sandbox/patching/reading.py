"""The three patch types of PATCH, by content type: what an object becomes."""

from typing import Any

from provisioning.sandbox import errors
from provisioning.sandbox.kinds import Kind
from provisioning.sandbox.objects import Json
from provisioning.sandbox.patching import merging, pointing, strategic

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"
SUPPORTED = (JSON_PATCH, MERGE, STRATEGIC, APPLY)


def patched(kind: Kind, obj: Json, *, content_type: str, patch: Any) -> Json:
    """What an object becomes under a patch of a content type."""
    if content_type == JSON_PATCH:
        return _json_patched(kind, obj, patch)
    if not isinstance(patch, dict):
        raise errors.bad_request(
            "error decoding patch: json: cannot unmarshal array into Go value of type"
            " map[string]interface {}"
        )
    if content_type == MERGE:
        merged: Json = merging.merge(obj, patch)
        return merged
    try:
        return strategic.merge(kind, obj, patch)
    except strategic.BadPatch as error:
        # The real server blames itself for this one.
        raise errors.StatusError(code=500, reason="", message=str(error)) from error


def _json_patched(kind: Kind, obj: Json, patch: Any) -> Json:
    if not isinstance(patch, list):
        raise errors.bad_request("error decoding patch: json: cannot unmarshal into a patch")
    try:
        return pointing.apply(obj, patch)
    except pointing.PatchFailed as error:
        raise errors.StatusError(
            code=422,
            reason="Invalid",
            message="the server rejected our request due to an error in our request",
            details={},
        ) from error
