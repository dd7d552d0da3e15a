"""How often one person may call.

Counted per web process and minute, in memory: it stops a program that has gone wild
without costing every other call a query.  What must hold exactly is quota, and that is
kept in the database.
"""

import time
from collections import Counter
from threading import Lock
from typing import TYPE_CHECKING

from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

if TYPE_CHECKING:  # rest_framework.views imports this module
    from rest_framework.views import APIView

WINDOW = 60
DEFAULT_PER_MINUTE = 18_000


class MinuteThrottle(BaseThrottle):
    """Lets everybody make `API_CALLS_PER_MINUTE` calls a minute."""

    _lock = Lock()
    _window = 0
    _calls: Counter[str] = Counter()

    def allow_request(self, request: Request, view: "APIView") -> bool:
        """Count the call, and say whether it is still within the minute's share."""
        share: int = getattr(settings, "API_CALLS_PER_MINUTE", DEFAULT_PER_MINUTE)
        return self._count(self._who(request)) <= share

    def wait(self) -> float:
        """Say in how many seconds the next minute begins."""
        return WINDOW - time.time() % WINDOW

    def _who(self, request: Request) -> str:
        if request.user is not None and request.user.is_authenticated:
            return f"user {request.user.pk}"
        return f"address {self.get_ident(request)}"

    @classmethod
    def _count(cls, who: str) -> int:
        window = int(time.time() // WINDOW)
        with cls._lock:
            if window != cls._window:
                cls._window = window
                cls._calls = Counter()
            cls._calls[who] += 1
            return cls._calls[who]
