"""A registry with one image, which it gives to nobody without a login.

Just enough of the distribution API for a runtime on the same machine to pull: runtimes speak
plain HTTP to a loopback address.  The image is the machine's own busybox.
"""

import base64
import hashlib
import io
import json
import shutil
import subprocess
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

USER, PASSWORD = "harbor-robot", "pass phrase 한"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
PROGRAMS = ("sh", "sleep", "env")


class Registry:
    """Listens at a loopback address from `start` to `stop`."""

    def __init__(self) -> None:
        blobs, manifest = _image()
        given = {_digest(content): content for content in blobs}
        documents = {"1": manifest, _digest(manifest): manifest}
        handler = type("Bound", (_Handler,), {"blobs": given, "documents": documents, "met": []})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.host = f"127.0.0.1:{self._server.server_port}"
        # Who came, as whom, and what they were told.
        self.met: list[tuple[str, int]] = handler.met  # type: ignore[attr-defined]

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    blobs: dict[str, bytes]
    documents: dict[str, bytes]
    met: list[tuple[str, int]]

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        kind, _, name = self.path.removeprefix("/v2/").rpartition("/")
        known = self.documents if kind.endswith("manifests") else self.blobs
        content = b"{}" if self.path == "/v2/" else known.get(name)
        said = self.headers.get("Authorization", "")
        expected = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        status = 401 if said != f"Basic {expected}" else 200 if content is not None else 404
        self.met.append((said.partition(" ")[0], status))
        body = content if status == 200 and content is not None else b"{}"
        self.send_response(status)
        if status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="registry"')
        self.send_header("Content-Type", MANIFEST if known is self.documents else "text/plain")
        self.send_header("Docker-Content-Digest", _digest(body))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


def _image() -> tuple[tuple[bytes, bytes], bytes]:
    layer = _layer()
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Env": ["PATH=/bin"], "User": "1000"},
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
        }
    ).encode()
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": _described(config, CONFIG)}
    manifest["layers"] = [_described(layer, LAYER)]
    return (layer, config), json.dumps(manifest).encode()


def _layer() -> bytes:
    found = shutil.which("busybox")
    if found is None or "statically" not in _told_of(found):
        pytest.skip("needs a busybox without libraries on this machine")
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        program = Path(found).read_bytes()
        info = tarfile.TarInfo("bin/busybox")
        info.size, info.mode = len(program), 0o755
        archive.addfile(info, io.BytesIO(program))
        for name in PROGRAMS:
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "/bin/busybox"
            archive.addfile(link)
    return out.getvalue()


def _told_of(program: str) -> str:
    return subprocess.run(["file", "-L", program], capture_output=True, text=True).stdout


def _described(content: bytes, kind: str) -> dict[str, object]:
    return {"mediaType": kind, "digest": _digest(content), "size": len(content)}


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
