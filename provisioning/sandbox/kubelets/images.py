"""The images on one node: which are there, which are being pulled, which cannot be had."""

from collections.abc import Callable

from provisioning.sandbox import events
from provisioning.sandbox.cluster import Cluster
from provisioning.sandbox.farm import Image
from provisioning.sandbox.kubelets.runs import ContainerRun
from provisioning.sandbox.store import Stored

FAILURE = (
    'Failed to pull image "{image}": rpc error: code = NotFound desc = failed to pull and unpack'
    ' image "{image}": failed to resolve reference "{image}": {image}: not found'
)
BACKOFF_LIMIT = 300.0


class NodeImages:
    """The image store of one node."""

    def __init__(self, cluster: Cluster, *, node_name: str, present: tuple[str, ...]) -> None:
        self._cluster = cluster
        self._node_name = node_name
        self._present = set(present)
        self._pulling: dict[str, list[Callable[[], None]]] = {}
        self._backoff: dict[str, float] = {}
        # Images an operator made fail, for tests of pull errors.
        self.broken: set[str] = set()

    def has(self, container: ContainerRun) -> bool:
        return _name(container) in self._present

    def add(self, name: str) -> None:
        self._present.add(name)

    def want(self, stored: Stored, container: ContainerRun, *, wake: Callable[[], None]) -> None:
        """Ask for a container's image; `wake` is called when there is news of it."""
        name = _name(container)
        if name in self._present:
            self._say_present(stored, container, name)
        elif name in self._pulling:
            self._pulling[name].append(wake)
        elif container.waiting == "ErrImagePull":
            self._back_off(stored, container, name, wake)
        else:
            self._pull(stored, container, name, wake)

    def _say_present(self, stored: Stored, container: ContainerRun, name: str) -> None:
        if container.waiting == "ContainerCreating" and not container.message:
            text = f'Container image "{name}" already present on machine and can be accessed by the pod'
            self._tell(stored, container, "Pulled", text)

    def _pull(
        self, stored: Stored, container: ContainerRun, name: str, wake: Callable[[], None]
    ) -> None:
        self._tell(stored, container, "Pulling", f'Pulling image "{name}"')
        self._pulling[name] = [wake]
        image = self._cluster.farm.image(name)
        seconds = image.pull_seconds if image else 0.2
        self._cluster.timers.after(seconds, lambda: self._done(stored, container, name, image))

    def _done(
        self, stored: Stored, container: ContainerRun, name: str, image: Image | None
    ) -> None:
        waiters = self._pulling.pop(name, [])
        if image is None or name in self.broken:
            self._fail(stored, container, name)
        else:
            self._present.add(name)
            self._backoff.pop(name, None)
            took = f"{image.pull_seconds:.3f}s"
            text = (
                f'Successfully pulled image "{name}" in {took} ({took} including waiting).'
                f" Image size: {image.size_bytes} bytes."
            )
            self._tell(stored, container, "Pulled", text)
            container.waiting, container.message = "ContainerCreating", ""
        for wake in waiters:
            wake()

    def _fail(self, stored: Stored, container: ContainerRun, name: str) -> None:
        message = FAILURE.format(image=name)
        container.waiting = "ErrImagePull"
        container.message = message.partition(": ")[2]
        self._tell(stored, container, "Failed", message, type_="Warning")
        self._tell(stored, container, "Failed", "Error: ErrImagePull", type_="Warning")

    def _back_off(
        self, stored: Stored, container: ContainerRun, name: str, wake: Callable[[], None]
    ) -> None:
        """Say so, and try again after a pause that doubles."""
        container.waiting = "ImagePullBackOff"
        container.message = f'Back-off pulling image "{name}": ErrImagePull: {container.message}'
        pause = self._backoff.get(name, self._cluster.farm.delays.image_pull_backoff)
        self._backoff[name] = min(BACKOFF_LIMIT, pause * 2)
        self._tell(stored, container, "BackOff", f'Back-off pulling image "{name}"')
        self._tell(stored, container, "Failed", "Error: ImagePullBackOff", type_="Warning")

        def again() -> None:
            self._pulling.pop(name, None)
            self._pull(stored, container, name, wake)

        self._pulling[name] = []
        self._cluster.timers.after(pause, again)

    def _tell(
        self,
        stored: Stored,
        container: ContainerRun,
        reason: str,
        message: str,
        *,
        type_: events.Type = "Normal",
    ) -> None:
        where = f"spec.containers{{{container.name}}}"
        events.record(
            self._cluster, about=stored, reason=reason, message=message, source="kubelet",
            host=self._node_name, type_=type_, field_path=where,
        )  # fmt: skip


def _name(container: ContainerRun) -> str:
    return str(container.container.get("image"))
