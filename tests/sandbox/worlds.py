"""A simulated cluster without a server, on a clock the test moves."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from provisioning.sandbox import creating, deleting, farm, updating
from provisioning.sandbox.creating import WriteOptions
from provisioning.sandbox.deleting import DeleteOptions
from provisioning.sandbox.kinds import NAMESPACES, NODES, PODS, Kind
from provisioning.sandbox.objects import Json
from provisioning.sandbox.patching import reading as patch_reading
from provisioning.sandbox.raising import Raised, raise_cluster

NOON = datetime(2026, 11, 2, 12, 0, 0, tzinfo=UTC)
FARM = Path(__file__).with_name("farm.yaml")
OPTIONS = WriteOptions(manager="test")


@dataclass
class MovedClock:
    """Stands still until the test moves it."""

    at: datetime = NOON
    count: float = 0.0

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.count

    def move(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
        self.count += seconds


@dataclass
class World:
    """One cluster, raised and driven by hand."""

    folder: Path | None = None
    clock: MovedClock = field(default_factory=MovedClock)
    raised: Raised = field(init=False)

    def __post_init__(self) -> None:
        simulated = farm.load(FARM)
        spec = simulated.clusters[0]
        self.raised = raise_cluster(spec=spec, farm=simulated, clock=self.clock, folder=self.folder)
        self.cluster = self.raised.cluster
        self.pass_time(0)
        if self.get(NAMESPACES, "", "t") is None:
            self.create(NAMESPACES, {"metadata": {"name": "t"}}, namespace="")

    def pass_time(self, seconds: float) -> None:
        """Let time go by, every timer at its own moment."""
        end = self.clock.count + seconds
        while True:
            self.cluster.timers.run_due()
            due = self.cluster.timers.next_due()
            if due is None or due > end:
                break
            self.clock.move(max(0.0, due - self.clock.count))
        self.clock.move(end - self.clock.count)

    def get(self, kind: Kind, namespace: str, name: str) -> Json | None:
        found = self.cluster.store.get(kind, namespace, name)
        return found.object if found else None

    def pod(self, name: str) -> Json:
        found = self.get(PODS, "t", name)
        assert found is not None, f"no pod {name}"
        return found

    def node(self, name: str) -> Json:
        found = self.get(NODES, "", name)
        assert found is not None
        return found

    def create(self, kind: Kind, body: Json, namespace: str = "t") -> Json:
        made = creating.create(
            self.cluster, kind=kind, namespace=namespace, body=body, options=OPTIONS
        )
        return made.object

    def run(self, name: str, *, count: int = 1, held: bool = False, **spec: object) -> Json:
        container: Json = {"name": "main", "image": "registry.local/npu-workspace:1"}
        container["resources"] = {"limits": {"furiosa.ai/rngd": str(count)}} if count else {}
        container |= spec.pop("container", {})  # type: ignore[arg-type]
        meta: Json = {"name": name, **({"finalizers": ["test.example/held"]} if held else {})}
        wish = {"restartPolicy": "Never", "containers": [container], **spec}
        return self.create(PODS, {"metadata": meta, "spec": wish})

    def delete(self, name: str, **options: object) -> None:
        deleting.delete(
            self.cluster,
            kind=PODS,
            namespace="t",
            name=name,
            options=DeleteOptions(**options),  # type: ignore[arg-type]
        )

    def patch(self, kind: Kind, namespace: str, name: str, body: Json) -> Json:
        return updating.patch(
            self.cluster,
            kind=kind,
            namespace=namespace,
            name=name,
            content_type=patch_reading.MERGE,
            body=body,
            options=OPTIONS,
        ).object


def state_of(pod: Json) -> Json:
    found: Json = pod["status"]["containerStatuses"][0]["state"]
    return found


def condition_of(obj: Json, type_: str) -> Json:
    return next((one for one in obj["status"]["conditions"] if one["type"] == type_), {})


def devices_of(pod: Json) -> list[str]:
    told = pod["status"]["containerStatuses"][0]["allocatedResourcesStatus"]
    return [one["resourceID"] for one in told[0]["resources"]]
