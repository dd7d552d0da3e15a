"""An API server that agrees to everything, unless a test says otherwise."""

from collections.abc import Callable

from tests.provisioning.canned import Answer, Asked, Canned
from tests.provisioning.test_asking_clusters import failure

UID = "22222222-2222-4222-8222-222222222222"
Posted = Callable[[Asked], Answer | None]


class Api:
    """What is answered to each method, and how often it was asked."""

    def __init__(self, canned: Canned) -> None:
        self.canned = canned
        self.on_post: Posted = lambda asked: (201, {"metadata": {"uid": UID}}, {})
        self.on_get: Posted = lambda asked: (404, failure(404, "NotFound", "no", kind="pods"), {})
        self.on_apply: Posted = lambda asked: (200, {}, {})
        canned.answer = self._answer

    def _answer(self, asked: Asked) -> Answer | None:
        by_method = {"POST": self.on_post, "GET": self.on_get, "PATCH": self.on_apply}
        return by_method.get(asked.method, lambda asked: (200, {}, {}))(asked)

    def count(self, method: str) -> int:
        return sum(asked.method == method for asked in self.canned.asked)
