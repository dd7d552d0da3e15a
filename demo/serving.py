"""Start the farm as a reader would, with `manage.py up`, and stop it again."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
HOME = Path(os.environ.get("FARM_HOME", str(CHECKOUT / ".farm"))).resolve()
START_TIMEOUT_S = 600


class Farm:
    """A farm that this demo started, or found already up."""

    def __init__(self, *, options: list[str], port: int) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        (HOME / "up.json").unlink(missing_ok=True)
        command = [sys.executable, "manage.py", "up", "--demo", "--port", str(port), *options]
        self._process = subprocess.Popen(command, cwd=CHECKOUT, start_new_session=True)
        self.address = self._wait_until_up()
        self.logins: dict[str, dict[str, str]] = json.loads((HOME / "demo.json").read_text())

    def wait(self) -> None:
        """Serve until the reader presses Ctrl-C."""
        assert self._process is not None
        self._process.wait()

    def stop(self) -> None:
        """Stop every process of the farm."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(timeout=90)

    def _wait_until_up(self) -> str:
        assert self._process is not None
        deadline = time.monotonic() + START_TIMEOUT_S
        while not (HOME / "up.json").exists():
            if self._process.poll() is not None:
                sys.exit("The farm did not start; the lines above say why.")
            if time.monotonic() > deadline:
                self.stop()
                sys.exit("The farm did not start in time.")
            time.sleep(0.1)
        address: str = json.loads((HOME / "up.json").read_text())["address"]
        return address


def free_port(preferred: int) -> int:
    """The preferred port, or any free one when something listens there."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no free port")
