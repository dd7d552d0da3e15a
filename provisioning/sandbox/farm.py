"""The farm file: which clusters, nodes, devices and images a sandbox simulates.

Turns YAML into frozen values and refuses what it does not know; `farm.yaml` beside
this module is the default farm.
"""

import dataclasses
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml

from provisioning.sandbox.workloads import images

DEFAULT_FARM = Path(__file__).with_name("farm.yaml")
T = TypeVar("T")


class BadFarm(ValueError):
    """The farm file cannot be used."""


@dataclass(frozen=True)
class Server:
    """How the API servers behave."""

    version: str = "v1.36.2"
    bookmark_seconds: float = 60.0
    # How far back a watch may resume: so long, and so many changes of a kind.
    event_window_seconds: float = 90.0
    event_window_size: int = 100_000
    # How long the pages of a list can be asked for, as etcd's compaction decides.
    page_seconds: float = 300.0
    event_ttl_seconds: float = 3600.0


@dataclass(frozen=True)
class Delays:
    """How long the simulated machinery takes, in seconds."""

    schedule: float = 0.02
    kubelet_sync: float = 0.05
    container_start: float = 0.2
    retry_unschedulable: float = 1.0
    quota_sync: float = 0.1
    namespace_sync: float = 0.1
    service_account: float = 0.02
    lease: float = 10.0
    node_monitor: float = 5.0
    node_monitor_grace: float = 50.0
    image_pull_backoff: float = 10.0


@dataclass(frozen=True)
class Image:
    """What a simulated image does when its entry point runs."""

    name: str
    size_bytes: int = 50_000_000
    pull_seconds: float = 1.0
    run_seconds: float | None = None
    exit_code: int = 0
    # None: the program ignores SIGTERM and is killed at the end of its grace period.
    stop_seconds: float | None = 0.1
    stop_exit_code: int = 143
    # What the image can run; empty: anything.
    programs: tuple[str, ...] = ()
    # A local process instead of state alone; only the images of `workloads/images.py` can be one.
    process: bool = False


@dataclass(frozen=True)
class PrivateImages:
    """One image, or all below a registry's path, that is pulled with a login and not without."""

    prefix: str
    username: str
    password: str


@dataclass(frozen=True)
class Product:
    """A card as the catalogue describes it, and the resource it is asked for by."""

    name: str
    resource: str
    family: str
    units_per_card: int = 1
    peak_tera_ops_per_card: float = 0.0
    id_pattern: str = "npu{index}"
    # What the vendor's plugin puts into a container; {ids} and {count} are filled in.
    environment: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    node_labels: Mapping[str, str] = field(default_factory=dict)
    # Whose exporter tells of it (`exporting/printing.py`); empty: nobody's.
    exporter: str = ""
    # How a driver publishes it where devices are claimed and not counted.
    driver: str = ""
    device_class: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    memory: str = ""


@dataclass(frozen=True)
class Devices:
    """How many cards of a product a node carries, and who hands them out there."""

    product: str
    cards: int
    # "dra": a driver publishes them and pods claim them; otherwise a device plugin counts them.
    allocation: str = "device_plugin"


@dataclass(frozen=True)
class NodeSpec:
    """One node, or `count` of them named with a number."""

    name: str
    devices: tuple[Devices, ...] = ()
    count: int = 1
    cpu: str = "64"
    memory: str = "512Gi"
    storage: str = "3500Gi"
    pods: int = 110
    images: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ClusterSpec:
    """One cluster and its nodes."""

    name: str
    nodes: tuple[NodeSpec, ...] = ()


@dataclass(frozen=True)
class Farm:
    """Everything one sandbox process simulates."""

    clusters: tuple[ClusterSpec, ...]
    products: tuple[Product, ...] = ()
    images: tuple[Image, ...] = ()
    private: tuple[PrivateImages, ...] = ()
    server: Server = Server()
    delays: Delays = Delays()
    peak_precision: str = ""
    peak_tera_ops: float = 0.0

    def product(self, name: str) -> Product:
        """A product by its name."""
        for product in self.products:
            if product.name == name:
                return product
        raise BadFarm(f"no product named {name!r}")

    def image(self, name: str) -> Image | None:
        """An image by its name; None for images nobody described."""
        return next((image for image in self.images if image.name == name), None)


def load(path: Path = DEFAULT_FARM) -> Farm:
    """The farm of a file."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise BadFarm(f"{path}: {error}") from error
    return read(data)


def read(data: object) -> Farm:
    """The farm of a file's content."""
    farm = _build(Farm, data, "farm")
    for cluster in farm.clusters:
        for node in cluster.nodes:
            for devices in node.devices:
                farm.product(devices.product)
    for image in farm.images:
        if image.process and image.name not in images.COMMANDS:
            raise BadFarm(f"{image.name} is not one of the images that can be a process")
    return farm


def _build(shape: type[T], data: object, where: str) -> T:
    if not isinstance(data, dict):
        raise BadFarm(f"{where}: expected a mapping")
    known = typing.get_type_hints(shape)
    unknown = sorted(set(data) - set(known))
    if unknown:
        raise BadFarm(f"{where}: unknown field {', '.join(map(str, unknown))}")
    values = {key: _value(known[key], value, f"{where}.{key}") for key, value in data.items()}
    try:
        return shape(**values)
    except TypeError as error:
        raise BadFarm(f"{where}: {error}") from error


def _value(hint: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _build(hint, value, where)
    origin = typing.get_origin(hint)
    if origin is tuple:
        return _sequence(typing.get_args(hint)[0], value, where)
    if origin in (types.UnionType, typing.Union):
        return value if value is None else _value(typing.get_args(hint)[0], value, where)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(hint, type) and not isinstance(value, hint):
        raise BadFarm(f"{where}: expected {hint.__name__}, found {value!r}")
    return value


def _sequence(hint: Any, value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise BadFarm(f"{where}: expected a list")
    return tuple(_value(hint, item, f"{where}[{i}]") for i, item in enumerate(value))
