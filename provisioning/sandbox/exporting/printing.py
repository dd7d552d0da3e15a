"""Readings in the makers' own metric names and labels, as their exporters print them.

FuriosaAI says 1 for a device that is alive; Rebellions says 0 for one that is active.
Rebellions' older names, which its exporter still prints by default, have a colon in them.
"""

from collections.abc import Callable, Iterable, Mapping

from provisioning.sandbox.exporting.readings import Reading

Sample = tuple[str, Mapping[str, str], float]
Where = Callable[[Reading], Mapping[str, str]]
_CORES = 8
_RBLN_OLD = {
    "rbln_npu_utilization": "RBLN_DEVICE_STATUS:UTILIZATION",
    "rbln_npu_temperature": "RBLN_DEVICE_STATUS:TEMPERATURE",
    "rbln_npu_power": "RBLN_DEVICE_STATUS:CARD_POWER",
    "rbln_npu_memory_used": "RBLN_DEVICE_STATUS:DRAM_USED",
    "rbln_npu_memory_total": "RBLN_DEVICE_STATUS:DRAM_TOTAL",
    "rbln_npu_health": "RBLN_DEVICE_STATUS:HEALTH",
}


def furiosa(told: Reading, where: Mapping[str, str]) -> list[Sample]:
    """One device in the words of FuriosaAI's exporter."""
    labels = {
        "arch": "rngd", "core": f"0-{_CORES - 1}", "device": f"npu{told.index}",
        "uuid": told.device_id, "pci_bus_id": f"0000:{told.index + 1:02x}:00.0",
        "firmware_version": "2026.1.0", "driver_version": "2026.1.0", **where,
    }  # fmt: skip
    samples: list[Sample] = [
        ("furiosa_npu_alive", labels, float(told.is_healthy)),
        ("furiosa_npu_hw_temperature", {**labels, "label": "peak"}, told.celsius),
        ("furiosa_npu_hw_temperature", {**labels, "label": "ambient"}, told.celsius - 8),
        ("furiosa_npu_hw_power", {**labels, "label": "rms"}, told.watts),
        ("furiosa_npu_core_frequency", labels, 1000.0),
        ("furiosa_npu_dram_usage", labels, float(told.memory_used)),
        ("furiosa_npu_dram_total", labels, float(told.memory_total)),
    ]
    # One reading for each core.
    samples += [
        ("furiosa_npu_core_utilization", {**labels, "core": str(core)}, told.busy * 100)
        for core in range(_CORES)
    ]
    return samples


def rebellions(told: Reading, where: Mapping[str, str]) -> list[Sample]:
    """One device in the words of Rebellions' exporter, under its newer names."""
    labels = {
        "card": "RBLN-CA25", "name": told.device_id,
        "uuid": f"{told.device_id}-{where['hostname']}", "deviceID": "1250",
        "driver_version": "3.0.0", "firmware_version": "3.0.0", **where,
    }  # fmt: skip
    return [
        ("rbln_npu_utilization", labels, told.busy * 100),
        ("rbln_npu_temperature", labels, told.celsius),
        # The card's, told by each of its devices: whoever adds them up counts it several times.
        ("rbln_npu_power", labels, told.watts),
        ("rbln_npu_memory_used", labels, float(told.memory_used)),
        ("rbln_npu_memory_total", labels, float(told.memory_total)),
        ("rbln_npu_health", labels, float(not told.is_healthy)),
    ]


def rebellions_old(told: Reading, where: Mapping[str, str]) -> list[Sample]:
    """The same under the names it prints by default."""
    return [(_RBLN_OLD[name], labels, value) for name, labels, value in rebellions(told, where)]


EXPORTERS: dict[str, Callable[[Reading, Mapping[str, str]], list[Sample]]] = {
    "furiosa": furiosa,
    "rebellions": rebellions,
    "rebellions-old": rebellions_old,
}
PORTS = {"furiosa": 6254, "rebellions": 9090, "rebellions-old": 9090}


def text(exporter: str, told: Iterable[Reading], where: Where) -> str:
    """The page of one exporter, a family of samples after the other."""
    families: dict[str, list[str]] = {}
    for reading in told:
        for name, labels, value in EXPORTERS[exporter](reading, where(reading)):
            shown = ",".join(f'{key}="{one}"' for key, one in labels.items())
            families.setdefault(name, []).append(f"{name}{{{shown}}} {value:g}")
    lines = [line for name, rows in families.items() for line in (f"# TYPE {name} gauge", *rows)]
    return "\n".join(lines) + "\n"
