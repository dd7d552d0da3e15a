"""Click like tenants in a hurry: launch, stop, start, terminate, over HTTP, without end.

The portal may answer 500 while its database connections are cut: a call is then repeated,
a launch under the same idempotency key.
"""

import random
import time
import uuid
from collections import Counter
from typing import Any

import httpx2

from demo.client import Person, Refused

FAMILY, INSTANCE_TYPE, IMAGE = "furiosa-rngd", "rngd-1-dev", "workspace"
AT_ONCE = 5
# Of ten clicks so many launch, while there is room.
LAUNCHES = 0.4
TERMINATIONS = 0.1
REPEATS = 20


class Churn:
    """Keeps so many instances of one project in motion."""

    def __init__(
        self, *, alice: Person, bob: Person, instances: int, per_second: float, seed: int
    ) -> None:
        self.clicks: Counter[str] = Counter()
        self._alice, self._most, self._pause = alice, instances, 1 / per_second
        self._dice = random.Random(seed)
        # Every instance that is not terminated, and what we have wished of it last.
        self._wished: dict[str, str] = {}
        tenant = alice.get("me")["tenants"][0]["slug"]
        self._project = alice.items("projects", tenant=tenant)[0]["id"]
        wish = {"project": self._project, "family": FAMILY, "devices": instances + AT_ONCE}
        asked = alice.post("quota-requests", {**wish, "justification": "chaos"})
        bob.post(f"quota-requests/{asked['id']}/approve")

    def run(self, *, until: float) -> None:
        """Click until an instant of the monotonic clock."""
        while time.monotonic() < until:
            missing = self._most - len(self._wished)
            # A terminated one gives its quota back in its own time: meanwhile the others churn.
            if missing and (self._dice.random() < LAUNCHES or not self._wished):
                self._launch(min(AT_ONCE, missing))
            else:
                self._touch(self._dice.choice(list(self._wished)))
            time.sleep(self._dice.uniform(0, 2 * self._pause))

    def _launch(self, count: int) -> None:
        wish = {"project": self._project, "instance_type": INSTANCE_TYPE, "image": IMAGE}
        answer = self._click("launch", "instance-requests", {**wish, "count": count})
        self._wished |= dict.fromkeys(answer["instances"] if answer else [], "start")

    def _touch(self, instance: str) -> None:
        other = "stop" if self._wished[instance] == "start" else "start"
        what = "terminate" if self._dice.random() < TERMINATIONS else other
        is_done = self._click(what, f"instances/{instance}/{what}", {}) is not None
        if what != "terminate":
            # Refused, it was perhaps done already: the next click tries the other.
            self._wished[instance] = what
        elif is_done:
            del self._wished[instance]

    def _click(self, what: str, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
        key = str(uuid.UUID(int=self._dice.getrandbits(128)))
        for _ in range(REPEATS):
            try:
                answer = self._alice.post(path, body, key=key if what == "launch" else "")
            except Refused as refused:
                if refused.status < 500 and "still_running" not in str(refused):
                    self.clicks[f"{what} refused"] += 1
                    return None
            except httpx2.HTTPError:
                pass
            else:
                self.clicks[what] += 1
                return answer
            self.clicks["repeated"] += 1
            time.sleep(0.5)
        self.clicks[f"{what} given up"] += 1
        return None
