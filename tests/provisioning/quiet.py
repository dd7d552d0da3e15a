"""A cluster that answers and on which nothing is: for doors that ask before they open."""

import atexit
from contextlib import ExitStack
from functools import cache
from typing import Any
from uuid import uuid4

from tests.provisioning.canned import Answer, Asked, serve

UID = str(uuid4())


def answer(asked: Asked) -> Answer:
    """What an API server answers that lets us do everything and has nothing."""
    path = asked.path.partition("?")[0]
    if asked.method == "POST":
        allowed = {"allowed": True, "userInfo": {"username": "us"}}
        return 201, {**asked.body, "status": allowed}, {}
    if path == "/version":
        return 200, {"gitVersion": "v1.36.2"}, {}
    metadata: dict[str, Any] = {"resourceVersion": "1"}
    if path.endswith("/kube-system"):
        metadata["uid"] = UID
    return 200, {"metadata": metadata, "items": []}, {}


@cache
def url() -> str:
    """Where it answers; started at first use, and until the process ends."""
    stack = ExitStack()
    canned = stack.enter_context(serve())
    canned.answer = answer
    atexit.register(stack.close)
    return canned.url
