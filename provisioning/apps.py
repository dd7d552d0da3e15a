"""Provisioning as a Django app."""

from django.apps import AppConfig


class ProvisioningConfig(AppConfig):
    """Instances, clusters, and the catalogue they are chosen from."""

    name = "provisioning"
    verbose_name = "Provisioning"
