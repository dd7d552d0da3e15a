"""FuriosaAI: one resource per whole card, a name of its own for each family.

The device plugin injects device nodes only: no variables, no runtime class.
"""

from provisioning.vendors.base import Exporter, Health, Load, Vendor


class Furiosa(Vendor):
    """RNGD and Warboy."""

    slug = "furiosa"
    health = Health(metrics=("furiosa_npu_alive",), good_value=1)
    load = Load(metrics=("furiosa_npu_core_utilization",))
    exporters = (Exporter(selector="app.kubernetes.io/name=furiosa-metrics-exporter", port=6254),)
    toleration_keys = ("furiosa.ai/npu",)
