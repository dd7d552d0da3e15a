"""Serve a farm: raise its clusters, listen on loopback, say when it is ready.

One process holds a state folder at a time; a second one is refused instead of
writing into the same journals.
"""

import asyncio
import fcntl
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import uvicorn

from provisioning.sandbox import kubeconfigs
from provisioning.sandbox.farm import Farm
from provisioning.sandbox.faults import Faults
from provisioning.sandbox.http import tokens
from provisioning.sandbox.http.admin import Admin
from provisioning.sandbox.http.app import App, Served
from provisioning.sandbox.http.protocol import AbortableProtocol, DenyingProtocol
from provisioning.sandbox.raising import raise_cluster
from provisioning.sandbox.times import WallClock

HOST = "127.0.0.1"


class CannotServe(Exception):
    """The port or the folder is taken."""


@dataclass
class Place:
    """Where a sandbox serves: its folder, held, and its socket, bound."""

    folder: Path
    lock: IO[str]
    socket: socket.socket

    @property
    def port(self) -> int:
        """The port clients connect to."""
        number: int = self.socket.getsockname()[1]
        return number


def take_place(*, port: int, folder: Path) -> Place:
    """Hold the folder and the port; port 0 takes any free one."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = _hold(folder)
    try:
        listening = _listen(port)
    except CannotServe:
        lock.close()
        raise
    (folder / "ready").unlink(missing_ok=True)
    return Place(folder, lock, listening)


def _hold(folder: Path) -> IO[str]:
    lock = (folder / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise CannotServe(f"another sandbox uses {folder}") from error
    return lock


def _listen(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
    except OSError as error:
        listening.close()
        raise CannotServe(f"port {port} is taken") from error
    return listening


def serve(simulated: Farm, place: Place) -> None:
    """Serve until told to stop, on the quickest event loop there is."""
    loop_factory = uvicorn.Config(_nothing).get_loop_factory()
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(_serve(simulated, place))


async def _nothing(*_: object) -> None:
    """An application for a configuration that is only asked for its loop."""


async def _serve(simulated: Farm, place: Place) -> None:
    clock = WallClock()
    raised = {
        spec.name: raise_cluster(spec=spec, farm=simulated, clock=clock, folder=place.folder)
        for spec in simulated.clusters
    }
    clusters = {
        name: Served(one, kubeconfigs.token_for(place.folder, name)) for name, one in raised.items()
    }
    operator = kubeconfigs.token_for(place.folder, "admin")
    planted = Faults(clock)
    admin = Admin(
        raised, planted=planted, clock=clock, check=lambda request: tokens.check(request, operator)
    )
    app = App(clusters, planted=planted, admin=admin)
    timers = [asyncio.create_task(one.cluster.timers.run()) for one in raised.values()]
    await _run(app, place, clusters)
    for task in timers:
        task.cancel()


async def _run(app: App, place: Place, clusters: dict[str, Served]) -> None:
    config = uvicorn.Config(
        app, http=AbortableProtocol, log_level="warning", access_log=False, lifespan="off",
        timeout_graceful_shutdown=1, backlog=1024, ws=DenyingProtocol,
        ws_per_message_deflate=False,
    )  # fmt: skip
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[place.socket]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.005)
    if server.started:
        _announce(clusters, place)
    await serving


def _announce(clusters: dict[str, Served], place: Place) -> None:
    """Write what a client needs, and the sign that it can connect last."""
    for name, served in clusters.items():
        kubeconfigs.write_kubeconfigs(
            place.folder, cluster=name, port=place.port, token=served.token
        )
    kubeconfigs.write_private(place.folder / "ready", f"{place.port}\n")
