"""A certificate authority of our own, and a server that wants to see a certificate of it."""

import base64
import ssl
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Key = ec.EllipticCurvePrivateKey


@dataclass
class Server:
    """Where it answers, and the common names it was shown."""

    url: str = ""
    seen: list[str] = field(default_factory=list)


@dataclass
class Authority:
    """Who vouches for others."""

    key: Key
    certificate: x509.Certificate

    @classmethod
    def make(cls) -> "Authority":
        key = ec.generate_private_key(ec.SECP256R1())
        return cls(key, _signed("an authority", key, "an authority", key, is_authority=True))

    @property
    def certificate_data(self) -> str:
        return base64.b64encode(_pem(self.certificate)).decode()

    def client(self, name: str) -> dict[str, str]:
        """A user of a kubeconfig, with a certificate and its key."""
        certificate, key = self._pair(name)
        return {
            "client-certificate-data": base64.b64encode(certificate).decode(),
            "client-key-data": base64.b64encode(key).decode(),
        }

    @contextmanager
    def server(self) -> Iterator[Server]:
        """Answer on loopback until left; certificates are asked for and not demanded."""
        found = Server()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                shown = self.connection.getpeercert()  # type: ignore[attr-defined]
                names = dict(part[0] for part in shown["subject"]) if shown else {}
                found.seen.append(names.get("commonName", ""))
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *args: object) -> None: ...

        class Quiet(HTTPServer):
            def get_request(self):  # type: ignore[no-untyped-def]
                plain, address = super().get_request()
                try:
                    return context.wrap_socket(plain, server_side=True), address
                except ssl.SSLError as error:
                    plain.close()
                    raise OSError from error

        context = self._server_context()
        server = Quiet(("127.0.0.1", 0), Handler)
        thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        thread.start()
        found.url = f"https://127.0.0.1:{server.server_port}"
        try:
            yield found
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def _server_context(self) -> ssl.SSLContext:
        certificate, key = self._pair("127.0.0.1")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory(dir="/tmp") as folder:
            file = Path(folder) / "server.pem"
            file.write_bytes(certificate + key)
            context.load_cert_chain(file)
        context.load_verify_locations(cadata=_pem(self.certificate).decode())
        context.verify_mode = ssl.CERT_OPTIONAL
        return context

    def _pair(self, name: str) -> tuple[bytes, bytes]:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _signed(name, key, "an authority", self.key)
        encoded = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return _pem(certificate), encoded


def _signed(
    name: str, key: Key, issuer: str, signer: Key, *, is_authority: bool = False
) -> x509.Certificate:
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(_named(name))
        .issuer_name(_named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )
    with suppress(ValueError):
        address = x509.IPAddress(ip_address(name))
        built = built.add_extension(x509.SubjectAlternativeName([address]), critical=False)
    return built.sign(signer, hashes.SHA256())


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
