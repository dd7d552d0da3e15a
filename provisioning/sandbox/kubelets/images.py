"""The images on one node: which are there, which are being pulled, which cannot be had.

A public image is pulled once for all pods that wait for it.  A private one each pod has to be
let in to, also when it is there already, unless the node was delivered with it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from provisioning.sandbox import events, registries
from provisioning.sandbox.cluster import Cluster
from provisioning.sandbox.farm import Image
from provisioning.sandbox.kubelets.runs import ContainerRun
from provisioning.sandbox.objects import uid_of
from provisioning.sandbox.store import Stored

BACKOFF_LIMIT = 300.0
_UNKNOWN_PULL_SECONDS = 0.2


@dataclass
class _Waiter:
    """A container that waits for an image, and how to tell its pod of news."""

    stored: Stored
    container: ContainerRun
    wake: Callable[[], None]


@dataclass
class _Pull:
    """One image on its way, shared by everybody who wants it; a private one by one pod."""

    key: tuple[str, str]
    pause: float
    is_pausing: bool = False
    waiters: dict[int, _Waiter] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The image."""
        return self.key[0]


class NodeImages:
    """The image store of one node."""

    def __init__(self, cluster: Cluster, *, node_name: str, present: tuple[str, ...]) -> None:
        self._cluster = cluster
        self._node_name = node_name
        self._present = set(present)
        self._delivered = set(present)
        self._pulls: dict[tuple[str, str], _Pull] = {}
        # Images an operator made fail, to see what a pull error does.
        self.broken: set[str] = set()

    @property
    def present(self) -> list[str]:
        """The images that need no pull."""
        return sorted(self._present)

    def has(self, container: ContainerRun) -> bool:
        """Whether a container could start."""
        name = image_name(container)
        return name in self._present and (container.is_let_in or not self._is_guarded(name))

    def drop(self, name: str) -> None:
        """Take an image off the node, so that it has to be pulled again."""
        self._present.discard(name)
        self._delivered.discard(name)

    def want(self, stored: Stored, container: ContainerRun, *, wake: Callable[[], None]) -> None:
        """Ask for a container's image; `wake` is called when there is news of it."""
        name = image_name(container)
        if name in self._present and not self._refusal(stored, name):
            container.is_let_in = True
            self._say_present(stored, container, name)
            return
        key = self._key(stored, container)
        pull = self._pulls.get(key)
        if pull is None:
            pause = self._cluster.farm.delays.image_pull_backoff
            pull = self._pulls[key] = _Pull(key, pause)
            self._tell(stored, container, "Pulling", f'Pulling image "{name}"')
            self._begin(pull)
        # What was public may be private by now, and the other way round.
        self.forget(container)
        pull.waiters[id(container)] = _Waiter(stored, container, wake)

    def _key(self, stored: Stored, container: ContainerRun) -> tuple[str, str]:
        """Whose pull a container waits for: everybody's, or its pod's own.

        A kubelet backs off pod by pod, so who comes while others pause does not pause with them.
        """
        name, own = image_name(container), uid_of(stored.object)
        shared = self._pulls.get((name, ""))
        is_late = shared and shared.is_pausing and id(container) not in shared.waiters
        if is_late or self._is_guarded(name) or (name, own) in self._pulls:
            return name, own
        return name, ""

    def _is_guarded(self, name: str) -> bool:
        return name not in self._delivered and self._cluster.registries.is_private(name)

    def _refusal(self, stored: Stored, name: str) -> str:
        if not self._is_guarded(name):
            return ""
        return self._cluster.registries.refusal(self._cluster.store, stored.object, name)

    def _say_present(self, stored: Stored, container: ContainerRun, name: str) -> None:
        if not container.is_image_told:
            container.is_image_told = True
            text = f'Container image "{name}" already present on machine'
            text += " and can be accessed by the pod"
            self._tell(stored, container, "Pulled", text)

    def _begin(self, pull: _Pull) -> None:
        pull.is_pausing = False
        image = self._cluster.farm.image(pull.name)
        seconds = image.pull_seconds if image else _UNKNOWN_PULL_SECONDS
        self._cluster.timers.after(seconds, lambda: self._arrived(pull, image))

    def _try_again(self, pull: _Pull) -> None:
        if pull.waiters:
            self._begin(pull)
        else:
            self._pulls.pop(pull.key, None)

    def _arrived(self, pull: _Pull, image: Image | None) -> None:
        refusals = (self._refusal(one.stored, pull.name) for one in pull.waiters.values())
        if refusal := next(filter(None, refusals), ""):
            self._tell_missing(pull)
            self._fail(pull, refusal)
            return
        if image is None or pull.name in self.broken:
            self._fail(pull, f"{pull.name}: not found")
            return
        self._present.add(pull.name)
        self._pulls.pop(pull.key, None)
        took = f"{image.pull_seconds:.3f}s".replace("0.000s", "1ms")
        text = (
            f'Successfully pulled image "{pull.name}" in {took} ({took} including waiting).'
            f" Image size: {image.size_bytes} bytes."
        )
        for waiter in pull.waiters.values():
            waiter.container.is_image_told = waiter.container.is_let_in = True
            waiter.container.waiting, waiter.container.message = waiter.container.calm, ""
            self._tell(waiter.stored, waiter.container, "Pulled", text)
            waiter.wake()

    def _tell_missing(self, pull: _Pull) -> None:
        for waiter in pull.waiters.values():
            pod = waiter.stored.object
            if missing := registries.missing_secrets(self._cluster.store, pod):
                text = f"Unable to retrieve some image pull secrets ({', '.join(missing)});"
                text += " attempting to pull the image may not succeed."
                reason = "FailedToRetrieveImagePullSecret"
                self._tell(waiter.stored, waiter.container, reason, text, type_="Warning")

    def _fail(self, pull: _Pull, what: str) -> None:
        pull.is_pausing = True
        name = pull.name
        why = (
            f'failed to pull and unpack image "{name}": failed to resolve reference "{name}":'
            f" {what}"
        )
        self._say(pull, "ErrImagePull", why, ("Failed", f'Failed to pull image "{name}": {why}'))
        self._cluster.timers.after(pull.pause / 2, lambda: self._back_off(pull, why))

    def _back_off(self, pull: _Pull, why: str) -> None:
        """Say so, and try again after a pause that doubles."""
        text = f'Back-off pulling image "{pull.name}"'
        self._say(pull, "ImagePullBackOff", f"{text}: ErrImagePull: {why}", ("BackOff", text))
        self._cluster.timers.after(pull.pause / 2, lambda: self._try_again(pull))
        pull.pause = min(BACKOFF_LIMIT, pull.pause * 2)

    def _say(self, pull: _Pull, waiting: str, message: str, event: tuple[str, str]) -> None:
        reason, text = event
        type_: events.Type = "Normal" if reason == "BackOff" else "Warning"
        for waiter in pull.waiters.values():
            waiter.container.waiting, waiter.container.message = waiting, message
            self._tell(waiter.stored, waiter.container, reason, text, type_=type_)
            self._tell(
                waiter.stored, waiter.container, "Failed", f"Error: {waiting}", type_="Warning"
            )
            waiter.wake()

    def forget(self, container: ContainerRun) -> None:
        """The container's pod is gone: nobody has to hear of its image any more."""
        name = image_name(container)
        for pull in [pull for key, pull in self._pulls.items() if key[0] == name]:
            pull.waiters.pop(id(container), None)

    def _tell(
        self,
        stored: Stored,
        container: ContainerRun,
        reason: str,
        message: str,
        *,
        type_: events.Type = "Normal",
    ) -> None:
        events.record(
            self._cluster, about=stored, reason=reason, message=message, source="kubelet",
            host=self._node_name, type_=type_, field_path=container.field_path,
        )  # fmt: skip


def image_name(container: ContainerRun) -> str:
    """The image a container runs."""
    return str(container.container.get("image"))
