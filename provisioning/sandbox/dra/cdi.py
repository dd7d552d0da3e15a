"""Write the file by which a container runtime learns what a claim's devices bring along.

The simulated devices bring one variable; a real driver would name device nodes here.
"""

import json
from collections.abc import Sequence
from pathlib import Path

CDI_VERSION = "0.3.0"
KIND_CLASS = "claim"


class CdiFolder:
    """The folder a runtime reads, for one driver; None writes nothing and names nothing."""

    def __init__(self, driver: str, folder: Path | None) -> None:
        self._driver, self._folder = driver, folder

    def add(self, claim_uid: str, *, devices: Sequence[str]) -> list[str]:
        """Describe a claim's devices together; returns the ids to hand to the runtime."""
        if self._folder is None:
            return []
        self._folder.mkdir(parents=True, exist_ok=True)
        environment = [f"NPU_DEVICES={','.join(devices)}"]
        content = {
            "cdiVersion": CDI_VERSION,
            "kind": self._kind,
            "devices": [{"name": claim_uid, "containerEdits": {"env": environment}}],
        }
        file = self._file(claim_uid)
        # A runtime reads whatever ends in .json: half a file must not.
        draft = file.with_suffix(".draft")
        draft.write_text(json.dumps(content), encoding="utf-8")
        draft.replace(file)
        return [f"{self._kind}={claim_uid}"]

    def remove(self, claim_uid: str) -> None:
        """Forget a claim; one that is not there is forgotten already."""
        if self._folder is not None:
            self._file(claim_uid).unlink(missing_ok=True)

    @property
    def _kind(self) -> str:
        return f"{self._driver}/{KIND_CLASS}"

    def _file(self, claim_uid: str) -> Path:
        assert self._folder is not None  # noqa: S101
        return self._folder / f"{self._driver}-{KIND_CLASS}-{claim_uid}.json"
