"""`python -m provisioning.sandbox.device_plugin --resource furiosa.ai/rngd --count 8`.

A simulated vendor device plugin: a real kubelet offers the resource as if the cards
were there.  Products known to the default farm keep their ids and environment.
"""

import argparse
import logging
import signal
import sys
import threading
from pathlib import Path

from provisioning.sandbox import farm
from provisioning.sandbox.farm import Product
from provisioning.sandbox.plugin.inventory import Inventory
from provisioning.sandbox.plugin.registering import keep_registered

KUBELET_FOLDER = Path("/var/lib/kubelet/device-plugins")


def main(arguments: list[str] | None = None) -> int:
    """Offer the devices until SIGTERM."""
    chosen = parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    stop = threading.Event()
    for signal_ in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signal_, lambda *_: stop.set())
    inventory = Inventory(
        product_of(chosen.resource),
        count=chosen.count,
        numa_nodes=chosen.numa_nodes,
        health_file=chosen.unhealthy_file,
    )
    keep_registered(inventory, folder=chosen.kubelet_dir, stop=stop)
    return 0


def product_of(resource: str) -> Product:
    """The default farm's product of a resource, or a plain one."""
    for product in farm.load().products:
        if product.resource == resource:
            return product
    return Product(name=resource.rpartition("/")[2], resource=resource, family="")


def parser() -> argparse.ArgumentParser:
    """What the command line takes."""
    known = argparse.ArgumentParser(
        prog="python -m provisioning.sandbox.device_plugin", description=__doc__
    )
    known.add_argument("--resource", required=True, help="for example furiosa.ai/rngd")
    known.add_argument("--count", type=int, required=True, help="how many devices")
    known.add_argument("--kubelet-dir", type=Path, default=KUBELET_FOLDER)
    known.add_argument(
        "--unhealthy-file", type=Path, help="lists the ids (or numbers) of ill devices, one a line"
    )
    known.add_argument(
        "--numa-nodes", type=int, default=0, help="spread the devices over NUMA nodes (0: say none)"
    )
    return known


if __name__ == "__main__":
    sys.exit(main())
