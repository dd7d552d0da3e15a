"""Kill, cut and lose, at random and from one seed, and keep a diary of it.

`Mischief` knows each way of breaking something; whatever it does to a cluster ends by
itself or is undone after a while, and the diary says how long that cluster could not be
followed.
"""

import contextlib
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import psycopg2

from benchmarks.chaos.ledger import Ledger
from benchmarks.chaos.sandboxes import Json, Sandbox, Unanswered
from benchmarks.chaos.verdicts import Outage
from portal.engines.processes import Supervisor

# A process that was killed is followed by the next one, which has to find its way.
COMING_BACK = timedelta(seconds=15)
WRITES = ["create", "patch", "delete"]


class Mischief:
    """Breaks one farm."""

    def __init__(self, *, home: Path, ledger: Ledger, sandbox: Sandbox, seed: int) -> None:
        self.done: Counter[str] = Counter()
        self.outages: list[Outage] = []
        self._supervisor, self._ledger, self._sandbox = Supervisor(home), ledger, sandbox
        self._dice = random.Random(seed)
        self._undo: list[tuple[float, Callable[[], None]]] = []
        self._ways: dict[Callable[[], str], int] = {
            self._kill_child: 5,
            self._kill_program: 6,
            self._cut_database: 4,
            self._refuse: 6,
            self._take_down: 3,
            self._break_watches: 4,
            self._lose_node: 4,
            self._sicken_device: 2,
            self._evict: 2,
        }

    def run(self, *, until: float, pause: float) -> None:
        """Break something every so often until an instant of the monotonic clock."""
        while time.monotonic() < until:
            way = self._dice.choices(list(self._ways), weights=list(self._ways.values()))[0]
            try:
                self.done[way()] += 1
            except (Unanswered, OSError, psycopg2.Error):
                self.done["nothing to break"] += 1
            self._undo_due(time.monotonic())
            time.sleep(self._dice.uniform(0, 2 * pause))

    def stop(self, *, patience: float = 60.0) -> None:
        """Undo everything; raises `Unanswered` when the sandbox stays away."""
        self._insist(lambda: self._sandbox.operate("DELETE", "/faults"), patience)
        state = self._insist(lambda: self._sandbox.operate("GET", "/state"), patience)
        for cluster, told in state["clusters"].items():
            for node, one in told["nodes"].items():
                self._mend(cluster, node, one, patience)

    # Processes

    def _kill_child(self) -> str:
        name = self._dice.choice(["worker", "watchers"])
        children = _children(self._pid(name))
        if not children:
            raise ProcessLookupError
        os.kill(self._dice.choice(children), signal.SIGKILL)
        if name == "watchers":
            self._note_all(COMING_BACK)
        return f"{name}: child killed"

    def _kill_program(self) -> str:
        name = self._dice.choice(["worker", "watchers", "sandbox", "beat"])
        os.kill(self._pid(name), signal.SIGKILL)
        if name in ("watchers", "sandbox"):
            self._note_all(COMING_BACK)
        return f"{name}: killed"

    def _pid(self, name: str) -> int:
        state, pid = self._supervisor.states()[name]
        if not pid:
            raise ProcessLookupError(state)
        return pid

    def _cut_database(self) -> str:
        self._ledger.terminate_connections(at_most=self._dice.choice([1, 2, 100]))
        self._note_all(COMING_BACK)
        return "database: connections cut"

    # The API

    def _refuse(self) -> str:
        """Answer badly for a while: before the write, after it, with too many requests."""
        when, verbs = self._dice.choice(["before", "after"]), self._dice.choice([WRITES, []])
        shape, more = self._dice.choice([("error", {"code": 500}), ("drop", {}),
                                         ("error", {"code": 429, "retry_after": 1})])  # fmt: skip
        fault = {"shape": shape, "when": when, "verbs": verbs, "cluster": self._cluster(), **more}
        count = self._dice.randint(1, 15)
        self._sandbox.operate("POST", "/faults", {**fault, "count": count, "for_seconds": 15})
        self._note(str(fault["cluster"]), timedelta(seconds=15) + COMING_BACK)
        return f"api: {shape} {more.get('code', '')} {when} the effect".replace("  ", " ")

    def _take_down(self) -> str:
        cluster, seconds = self._cluster(), self._dice.uniform(2, 15)
        fault = {"shape": "down", "cluster": cluster, "code": self._dice.choice([0, 503])}
        self._sandbox.operate("POST", "/faults", {**fault, "for_seconds": seconds})
        self._note(cluster, timedelta(seconds=seconds) + COMING_BACK)
        return "api: down"

    def _break_watches(self) -> str:
        cluster = self._cluster()
        what = self._dice.choice(["cut", "cut", "silence", "expire"])
        self._sandbox.operate("POST", f"/clusters/{cluster}/watches/{what}")
        # Nobody notices a dead connection before the time has come at which it should have spoken.
        self._note(cluster, timedelta(seconds=80 if what == "silence" else 5) + COMING_BACK)
        return f"watches: {what}"

    # Nodes, devices, pods

    def _lose_node(self) -> str:
        cluster, node = self._node()
        self._sandbox.operate("POST", f"/clusters/{cluster}/nodes/{node}/lose")
        away, rebooted = self._dice.uniform(5, 60), self._dice.random() < 0.5
        back = f"/clusters/{cluster}/nodes/{node}/return"
        self._later(away, lambda: self._sandbox.operate("POST", back, {"rebooted": rebooted}))
        self._note(cluster, timedelta(seconds=away) + COMING_BACK)
        return f"nodes: lost, back {'after a reboot' if rebooted else 'as it was'}"

    def _sicken_device(self) -> str:
        cluster, node = self._node()
        told = self._sandbox.operate("GET", "/state")["clusters"][cluster]["nodes"][node]
        resource, pool = self._dice.choice(list(told["devices"].items()))
        path = f"/clusters/{cluster}/nodes/{node}/devices"
        ill = {"resource": resource, "id": self._dice.choice(pool["ids"]), "healthy": False}
        self._sandbox.operate("POST", path, ill)
        well = {**ill, "healthy": True}
        self._later(self._dice.uniform(5, 40), lambda: self._sandbox.operate("POST", path, well))
        return "devices: one ill for a while"

    def _evict(self) -> str:
        cluster = self._cluster()
        pods = self._sandbox.running_pods(cluster)
        if not pods:
            raise ProcessLookupError
        (namespace, name), what = self._dice.choice(pods), self._dice.choice(["evict", "exit"])
        self._sandbox.operate("POST", f"/clusters/{cluster}/pods/{namespace}/{name}/{what}")
        return f"pods: {what}"

    # What it all rests on

    def _cluster(self) -> str:
        return self._dice.choice(self._sandbox.clusters)

    def _node(self) -> tuple[str, str]:
        cluster = self._cluster()
        nodes = self._sandbox.operate("GET", "/state")["clusters"][cluster]["nodes"]
        return cluster, self._dice.choice([name for name, one in nodes.items() if one["online"]])

    def _later(self, seconds: float, undo: Callable[[], object]) -> None:
        self._undo.append((time.monotonic() + seconds, lambda: (undo(), None)[1]))

    def _undo_due(self, now: float) -> None:
        due = [one for one in self._undo if one[0] <= now]
        self._undo = [one for one in self._undo if one[0] > now]
        for _, undo in due:
            # A sandbox that was killed meanwhile has its nodes back; `stop` mends the rest.
            with contextlib.suppress(Unanswered, OSError):
                undo()

    def _mend(self, cluster: str, node: str, told: Json, patience: float) -> None:
        path = f"/clusters/{cluster}/nodes/{node}"
        if not told["online"]:
            self._insist(lambda: self._sandbox.operate("POST", f"{path}/return"), patience)
        for resource, pool in told["devices"].items():
            for one in pool["unhealthy"]:
                well = {"resource": resource, "id": one, "healthy": True}
                tell = partial(self._sandbox.operate, "POST", f"{path}/devices", well)
                self._insist(tell, patience)

    def _insist(self, ask: Callable[[], Json], patience: float) -> Json:
        deadline = time.monotonic() + patience
        while True:
            try:
                return ask()
            except (Unanswered, OSError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)

    def _note_all(self, lasting: timedelta) -> None:
        for cluster in self._sandbox.clusters:
            self._note(cluster, lasting)

    def _note(self, cluster: str, lasting: timedelta) -> None:
        now = datetime.now(UTC)
        self.outages.append(Outage(cluster=cluster, since=now, until=now + lasting))


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(one) for file in tasks for one in file.read_text().split()]
