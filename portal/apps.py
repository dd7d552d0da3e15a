"""The composition root as a Django app: its management commands."""

from django.apps import AppConfig


class PortalConfig(AppConfig):
    """Assembles the product; holds no models."""

    name = "portal"
