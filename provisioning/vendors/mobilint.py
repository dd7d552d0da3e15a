"""Mobilint: its plugin is its exporter too, and says which of its devices are well."""

from provisioning.vendors.base import Health, Load, Vendor


class Mobilint(Vendor):
    """ARIES."""

    slug = "mobilint"
    health = Health(metrics=("mobilint_npu_health",), good_value=1)
    load = Load(metrics=("mobilint_npu_utilization_ratio",), idle_below=0.01)
