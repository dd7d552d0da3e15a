"""`python -m provisioning.sandbox --port P --state DIR [--farm FILE]`: a farm on loopback."""

import argparse
import asyncio
import sys
from pathlib import Path

import uvicorn

from provisioning.sandbox import farm, kubeconfigs
from provisioning.sandbox.farm import Farm
from provisioning.sandbox.http.app import App, Served
from provisioning.sandbox.raising import raise_cluster
from provisioning.sandbox.times import WallClock

HOST = "127.0.0.1"


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        simulated = farm.load(options.farm)
    except (farm.BadFarm, OSError) as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 2
    options.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    asyncio.run(_serve(simulated, port=options.port, folder=options.state))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m provisioning.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument(
        "--state", type=Path, required=True, help="folder for state and kubeconfigs"
    )
    parser.add_argument("--farm", type=Path, default=farm.DEFAULT_FARM, help="farm file")
    return parser


async def _serve(simulated: Farm, *, port: int, folder: Path) -> None:
    ready = folder / "ready"
    ready.unlink(missing_ok=True)
    clusters = {spec.name: _raise(simulated, spec.name, folder) for spec in simulated.clusters}
    config = uvicorn.Config(
        App(clusters), host=HOST, port=port, log_level="warning", access_log=False,
        lifespan="off", timeout_graceful_shutdown=1, backlog=1024,
    )  # fmt: skip
    server = uvicorn.Server(config)
    running = [asyncio.create_task(one.raised.cluster.timers.run()) for one in clusters.values()]
    serving = asyncio.create_task(server.serve())
    while not server.started and not serving.done():
        await asyncio.sleep(0.01)
    if server.started:
        _announce(clusters, port=port, folder=folder)
    await serving
    for task in running:
        task.cancel()


def _raise(simulated: Farm, name: str, folder: Path) -> Served:
    spec = next(one for one in simulated.clusters if one.name == name)
    raised = raise_cluster(spec=spec, farm=simulated, clock=WallClock(), folder=folder)
    return Served(raised, kubeconfigs.token_for(folder, name))


def _announce(clusters: dict[str, Served], *, port: int, folder: Path) -> None:
    for name, served in clusters.items():
        kubeconfigs.write_kubeconfig(folder, cluster=name, port=port, token=served.token)
    (folder / "ready").write_text(f"{port}\n", encoding="ascii")


if __name__ == "__main__":
    sys.exit(main())
