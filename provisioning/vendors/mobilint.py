"""Mobilint: its plugin is its exporter too, and says which of its devices are well."""

from provisioning.vendors.base import Exporter, Health, Load, Vendor


class Mobilint(Vendor):
    """ARIES."""

    slug = "mobilint"
    health = Health(metrics=("mobilint_npu_health",), good_value=1)
    load = Load(metrics=("mobilint_npu_utilization_ratio",), idle_below=0.01)
    # By its chart, and by its plain manifest.
    exporters = (
        Exporter(selector="app.kubernetes.io/name=mobilint-device-plugin", port=9400),
        Exporter(selector="app=mobilint-device-plugin", port=9400),
    )
