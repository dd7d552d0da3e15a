"""The app of the REST API; its only rows are idempotency keys."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    """Registers the API's idempotency keys."""

    name = "portal.api"
    label = "api"
    default_auto_field = "django.db.models.BigAutoField"
