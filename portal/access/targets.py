"""Check the address a browser asks an instance for, before it is put behind another.

Pure.  It stands behind the address of one pod; nothing in it may lead out of there, not
even when somebody on the way decodes it first.
"""

import re
from typing import Final
from urllib.parse import unquote

_WRITTEN: Final = re.compile(r"/[\x21\x22\x24-\x7e]*")
_MOST_DECODINGS: Final = 5


def target_of(raw_path: bytes, query: bytes) -> str | None:
    """Return path and query as they were written; None when they cannot be passed on."""
    path, asked = raw_path.decode("latin-1"), query.decode("latin-1")
    if not _WRITTEN.fullmatch(path) or "?" in path or _leads_out(path):
        return None
    if asked and not _WRITTEN.fullmatch(f"/{asked}"):
        return None
    return f"{path}?{asked}" if asked else path


def stays_here(path: str) -> bool:
    """Say whether a path to go on to stays on the host it is followed on."""
    return bool(_WRITTEN.fullmatch(path)) and not path.startswith(("//", "/\\"))


def _leads_out(path: str) -> bool:
    for _ in range(_MOST_DECODINGS):
        if {".", ".."} & set(re.split(r"[/\\]", path)):
            return True
        decoded = unquote(path)
        if decoded == path:
            return any(ord(letter) < 32 for letter in path)
        path = decoded
    return True
