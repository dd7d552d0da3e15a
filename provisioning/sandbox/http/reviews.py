"""Access reviews: who am I, and may I?

Whoever holds a cluster's token is one user, who may do everything the sandbox can.
"""

from provisioning.sandbox import errors
from provisioning.sandbox.http.requests import Request
from provisioning.sandbox.http.responses import Response, json_response
from provisioning.sandbox.objects import Json

_BASE = "/apis/authorization.k8s.io/v1/"
ACCESS = f"{_BASE}selfsubjectaccessreviews"
RULES = f"{_BASE}selfsubjectrulesreviews"
SUBJECT = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
USER = "portal"


def answer(request: Request, path: str) -> Response | None:
    """The answer to a review; None when the path is none."""
    if path not in (ACCESS, RULES, SUBJECT):
        return None
    if request.method != "POST":
        raise errors.method_not_allowed()
    if path == SUBJECT:
        return _subject()
    return _access(request.document()) if path == ACCESS else _rules()


def _subject() -> Response:
    groups = ["system:masters", "system:authenticated"]
    status = {"userInfo": {"username": USER, "groups": groups}}
    head = {**_head("SelfSubjectReview"), "apiVersion": "authentication.k8s.io/v1"}
    return json_response({**head, "status": status}, 201)


def _access(review: Json) -> Response:
    spec = review.get("spec") or {}
    if bool(spec.get("resourceAttributes")) == bool(spec.get("nonResourceAttributes")):
        raise _incomplete()
    head = _head("SelfSubjectAccessReview")
    return json_response({**head, "spec": spec, "status": {"allowed": True}}, 201)


def _rules() -> Response:
    rule = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
    path = {"verbs": ["*"], "nonResourceURLs": ["*"]}
    status = {"resourceRules": [rule], "nonResourceRules": [path], "incomplete": False}
    return json_response({**_head("SelfSubjectRulesReview"), "spec": {}, "status": status}, 201)


def _head(kind: str) -> Json:
    return {"kind": kind, "apiVersion": "authorization.k8s.io/v1", "metadata": {}}


def _incomplete() -> errors.StatusError:
    field = "spec.resourceAttributes"
    why = (
        "Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be"
        " specified"
    )
    cause = {"reason": "FieldValueInvalid", "message": why, "field": field}
    return errors.StatusError(
        code=422,
        reason="Invalid",
        message=f'.authorization.k8s.io "" is invalid: {field}: {why}',
        details={"group": "authorization.k8s.io", "causes": [cause]},
    )
