"""The app of wishes: quota requests and instance requests."""

from django.apps import AppConfig


class RequestsConfig(AppConfig):
    """Registers quota requests and instance requests."""

    name = "portal.requests"
    label = "requests"
    default_auto_field = "django.db.models.BigAutoField"
