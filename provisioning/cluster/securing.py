"""Turn the credentials of a kubeconfig into a TLS context, without a file that lasts.

OpenSSL reads a client certificate and its key from a path only.  The path given here leads
into memory: the key is on no disk, and gone when the descriptor is closed.
"""

import base64
import os
import ssl
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from provisioning.errors import KubeconfigRefused

Part = Mapping[str, object]


def context_for(*, cluster: Part, user: Part) -> ssl.SSLContext:
    """Return what verifies the cluster and shows it who we are."""
    try:
        authority = _text(cluster, "certificate-authority-data")
        context = ssl.create_default_context(cadata=authority or None)
        if cluster.get("insecure-skip-tls-verify"):
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if certificate := _text(user, "client-certificate-data"):
            with _nameless(certificate + "\n" + _text(user, "client-key-data")) as path:
                # Without a password function, a key with a passphrase would ask the terminal.
                context.load_cert_chain(path, password=lambda: b"")
    except (ssl.SSLError, ValueError) as error:
        raise KubeconfigRefused("Its certificates cannot be read.") from error
    return context


def _text(part: Part, key: str) -> str:
    return base64.b64decode(str(part.get(key) or "")).decode("ascii")


@contextmanager
def _nameless(content: str) -> Iterator[str]:
    if not hasattr(os, "memfd_create"):  # not Linux: a private file, removed at once
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(content)
            file.flush()
            yield file.name
        return
    with os.fdopen(os.memfd_create("credentials"), "w") as memory:
        memory.write(content)
        memory.flush()
        yield f"/proc/self/fd/{memory.fileno()}"
