"""`python -m provisioning.sandbox.dra_driver --driver npu.furiosa.ai --count 8 --node NAME`.

A simulated vendor DRA driver: a real cluster hands the devices out by resource claims as if
the cards were there.  Products of the default farm keep their attributes; ill devices are
tainted in the slice.
"""

import argparse
import logging
import signal
import sys
import threading
from pathlib import Path

from provisioning.sandbox import farm
from provisioning.sandbox.dra import publishing
from provisioning.sandbox.dra.api import Api, ApiError
from provisioning.sandbox.dra.cdi import CdiFolder
from provisioning.sandbox.dra.health import HealthTeller
from provisioning.sandbox.dra.serving import DriverServer
from provisioning.sandbox.farm import Product

logger = logging.getLogger(__name__)

KUBELET_FOLDER = Path("/var/lib/kubelet")
CHECK_SECONDS = 2.0


class Publisher:
    """Keeps the driver's slice of one node as it should be."""

    def __init__(self, product: Product, *, api: Api, node_name: str, count: int) -> None:
        self._product, self._api = product, api
        self._node_name, self._count = node_name, count
        self._name = publishing.slice_name(driver=product.driver, node_name=node_name)

    def publish(self, *, ill: set[str]) -> None:
        """Write the slice unless it says so already; a change is another generation."""
        found = self._api.find_slice(self._name)
        generation = int(found["spec"]["pool"]["generation"]) if found else 1
        spec = self._spec(generation, ill)
        if found and found["spec"] == spec:
            return
        metadata = found["metadata"] if found else self._new_metadata()
        body = {
            "apiVersion": publishing.API_VERSION,
            "kind": "ResourceSlice",
            "metadata": metadata,
            "spec": self._spec(generation + 1, ill) if found else spec,
        }
        self._api.put_slice(body, is_new=found is None)
        logger.info("published %d devices, %d of them ill", self._count, len(ill))

    def withdraw(self) -> None:
        """Take the slice away."""
        self._api.delete_slice(self._name)

    def _spec(self, generation: int, ill: set[str]) -> dict[str, object]:
        return publishing.slice_spec(
            self._product,
            count=self._count,
            node_name=self._node_name,
            generation=generation,
            ill=ill,
        )

    def _new_metadata(self) -> dict[str, object]:
        uid = self._api.node_uid(self._node_name)
        # With the node, its slices go.
        owner = {"apiVersion": "v1", "kind": "Node", "name": self._node_name, "uid": uid}
        return {"name": self._name, "ownerReferences": [{**owner, "controller": True}]}


def main(arguments: list[str] | None = None) -> int:
    """Offer the devices until SIGTERM."""
    chosen = parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    stop = threading.Event()
    for signal_ in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signal_, lambda *_: stop.set())
    product, api = product_of(chosen.driver), Api(chosen.kubeconfig)
    cdi = CdiFolder(product.driver, chosen.cdi_dir)
    health = HealthTeller(
        pool=chosen.node, health=lambda: _health(product, chosen.count, chosen.unhealthy_file)
    )
    server = DriverServer(
        product.driver, kubelet=chosen.kubelet_dir, api=api, cdi=cdi, health=health
    )
    publisher = Publisher(product, api=api, node_name=chosen.node, count=chosen.count)
    api.ensure_class(publishing.class_object(product))
    server.start()
    try:
        _keep_published(publisher, chosen.unhealthy_file, stop)
        publisher.withdraw()
    finally:
        server.stop()
    return 0


def _keep_published(publisher: Publisher, ill_file: Path | None, stop: threading.Event) -> None:
    # The kubelet takes away slices of drivers it does not know, so we look again.
    while not stop.is_set():
        try:
            publisher.publish(ill=_ill(ill_file))
        except ApiError as error:
            logger.warning("the slice cannot be published now: %s", error)
        stop.wait(CHECK_SECONDS)


def _health(product: Product, count: int, ill_file: Path | None) -> dict[str, bool]:
    ill = _ill(ill_file)
    return {
        publishing.device_name(index): not publishing.is_ill(product, index, ill)
        for index in range(count)
    }


def _ill(file: Path | None) -> set[str]:
    try:
        text = file.read_text(encoding="utf-8") if file else ""
    except FileNotFoundError:
        return set()
    return {line.strip() for line in text.splitlines() if line.strip()}


def product_of(driver: str) -> Product:
    """The default farm's product of a driver, or a plain one."""
    for product in farm.load().products:
        if product.driver == driver:
            return product
    return Product(name=driver, resource="", family="", driver=driver, id_pattern="{uuid}")


def parser() -> argparse.ArgumentParser:
    """What the command line takes."""
    known = argparse.ArgumentParser(
        prog="python -m provisioning.sandbox.dra_driver", description=__doc__
    )
    known.add_argument("--driver", required=True, help="for example npu.furiosa.ai")
    known.add_argument("--count", type=int, required=True, help="how many devices")
    known.add_argument("--node", required=True, help="the node this runs on")
    known.add_argument("--kubeconfig", type=Path, help="default: the pod's service account")
    known.add_argument("--kubelet-dir", type=Path, default=KUBELET_FOLDER)
    known.add_argument(
        "--cdi-dir", type=Path, help="where the runtime reads CDI files; default: inject nothing"
    )
    known.add_argument(
        "--unhealthy-file", type=Path, help="lists the names (or numbers) of ill devices"
    )
    return known


if __name__ == "__main__":
    sys.exit(main())
