"""Start a farm as a reader would, with `manage.py up`, and stop it again."""

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
STOP_TIMEOUT_S = 120


class DidNotStart(Exception):
    """The farm did not start; what it printed says why."""


class Farm:
    """A farm with demonstration data, kept in one folder and started here."""

    def __init__(
        self,
        *,
        home: Path = HOME,
        options: list[str],
        port: int,
        environment: dict[str, str] | None = None,
        output: Path | None = None,
    ) -> None:
        self.home = home
        (home / "up.json").unlink(missing_ok=True)
        # A farm does not outlive whoever started it, however that one ends.
        mortal = ["setpriv", "--pdeathsig", "TERM", "--", sys.executable]
        command = [*mortal, "manage.py", "up", "--demo", "--port", str(port), *options]
        stream = output.open("wb") if output else None
        self.process = subprocess.Popen(
            command,
            cwd=CHECKOUT,
            env={**(os.environ if environment is None else environment), "FARM_HOME": str(home)},
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
        if stream:
            stream.close()
        self.address = self._wait_until_up()
        self.logins: dict[str, dict[str, str]] = json.loads((home / "demo.json").read_text())

    def wait(self) -> None:
        """Serve until the reader presses Ctrl-C."""
        self.process.wait()

    def stop(self) -> None:
        """Stop every process of the farm."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(timeout=STOP_TIMEOUT_S)

    def _wait_until_up(self) -> str:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not (self.home / "up.json").exists():
            if self.process.poll() is not None:
                raise DidNotStart("the lines above, or the log, say why")
            if time.monotonic() > deadline:
                self.stop()
                raise DidNotStart(f"not up after {START_TIMEOUT_S} s")
            time.sleep(0.1)
        address: str = json.loads((self.home / "up.json").read_text())["address"]
        return address


def free_port(preferred: int = 0) -> int:
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
