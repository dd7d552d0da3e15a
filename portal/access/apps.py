"""The app of what people do inside their instances."""

from django.apps import AppConfig


class AccessConfig(AppConfig):
    """Terminals, ports and live logs."""

    name = "portal.access"
    label = "access"
