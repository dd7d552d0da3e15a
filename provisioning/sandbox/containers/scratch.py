"""Where local processes live: a folder each, an address each, and a user that owns nothing.

Under root they run as nobody, with a folder nobody can reach; else as whoever runs the
sandbox.  This bounds them; it does not lock them in as a container would.
"""

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from provisioning.sandbox.objects import Json, namespace_of, spec, uid_of
from provisioning.sandbox.workloads import images

NOBODY = 65534
LIMIT = 64
Files = Mapping[str, Mapping[str, bytes]]
_READABLE_BY_ALL, _PASSABLE_BY_ALL = 0o005, 0o001


def _addresses() -> Iterator[str]:
    """The loopback addresses of this process: two sandboxes of one machine share none."""
    own = os.getpid()
    return (f"127.{64 + (own >> 8) % 128}.{own % 256}.{last}" for last in range(1, 255))


@dataclass
class Scratch:
    """The ground of all local processes of one sandbox."""

    # How many processes run now; the runtime refuses more than LIMIT.
    running: int = 0
    user: int = field(default_factory=lambda: NOBODY if os.geteuid() == 0 else 0)
    _root: Path | None = None
    _addresses: dict[str, str] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        """The folder of all, gone when the sandbox ends."""
        if self._root is None:
            self._root = Path(tempfile.mkdtemp(prefix="npu-sandbox-"))
            self._root.chmod(0o711)
            atexit.register(shutil.rmtree, self._root, ignore_errors=True)
        return self._root

    def address_of(self, pod: Json) -> str:
        """The pod's own loopback address, so that two pods can listen on one port."""
        if not sys.platform.startswith("linux"):
            return "127.0.0.1"
        uid = uid_of(pod)
        if uid not in self._addresses:
            taken = set(self._addresses.values())
            self._addresses[uid] = next(one for one in _addresses() if one not in taken)
        return self._addresses[uid]

    def lay_out(self, pod: Json, container: Json, given: Files) -> Path:
        """A container's folder: its programs, its files, its volumes at their paths."""
        folder = self._parent(uid_of(pod)) / str(container["name"])
        # A fresh one at every start, as in a runtime.  What an earlier run left there may be a
        # trap: a link that leads whoever writes through it somewhere else.
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "bin").mkdir(parents=True)
        (folder / "bin" / "python3").symlink_to(self.python())
        for file in images.FILES:
            shutil.copy(file, folder / file.name)
        for mount in container.get("volumeMounts") or []:
            volume = self._volume(pod, str(mount["name"]))
            self._fill(volume, given.get(str(mount["name"]), {}))
            self._mount(folder, mount, volume)
        return self._given(folder)

    def clear(self, pod: Json) -> None:
        """The pod is gone: its folders too, but not what its claims hold."""
        self._addresses.pop(uid_of(pod), None)
        if self._root is not None:
            for kind in ("pods", "volumes"):
                shutil.rmtree(self._root / kind / uid_of(pod), ignore_errors=True)

    def python(self) -> str:
        """A Python the processes can start."""
        # A virtual environment's own is a link into where it was made from.
        ours = getattr(sys, "_base_executable", sys.executable)
        candidates = [ours, "/usr/bin/python3", "/usr/local/bin/python3"]
        return next((one for one in candidates if self._is_reachable(one)), ours)

    def _is_reachable(self, path: str) -> bool:
        real = Path(path).resolve()
        if not self.user:
            return real.exists()
        if not real.exists() or not real.stat().st_mode & _READABLE_BY_ALL:
            return False
        return all(parent.stat().st_mode & _PASSABLE_BY_ALL for parent in real.parents)

    def _fill(self, volume: Path, files: Mapping[str, bytes]) -> None:
        """Put the files of a Secret or a ConfigMap there, for the processes to read."""
        for name, content in files.items():
            path = volume / name
            path.unlink(missing_ok=True)
            path.write_bytes(content)
            path.chmod(0o440)
            if self.user:
                os.chown(path, self.user, self.user)

    def _mount(self, folder: Path, mount: Json, volume: Path) -> None:
        inside = folder / str(mount["mountPath"]).strip("/")
        if ".." in inside.parts or inside.exists() or inside == folder:
            return
        inside.parent.mkdir(parents=True, exist_ok=True)
        inside.symlink_to(volume)

    def _volume(self, pod: Json, name: str) -> Path:
        volumes = {one.get("name"): one for one in spec(pod).get("volumes") or []}
        claim = (volumes.get(name) or {}).get("persistentVolumeClaim") or {}
        if claim:
            # A claim outlives its pods.
            parent = self._parent(namespace_of(pod), of="claims")
            return self._given(parent / str(claim["claimName"]))
        return self._given(self._parent(uid_of(pod), of="volumes") / name)

    def _parent(self, name: str, *, of: str = "pods") -> Path:
        folder = self.root / of / name
        for each in (folder.parent, folder):
            each.mkdir(exist_ok=True)
            each.chmod(0o711)
        return folder

    def _given(self, folder: Path) -> Path:
        """The folder, made if need be, for the processes' own user."""
        folder.mkdir(exist_ok=True)
        if self.user:
            os.chown(folder, self.user, self.user)
        return folder
