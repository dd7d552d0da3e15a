"""The app of quotas; hears what becomes of instances."""

from django.apps import AppConfig


class QuotasConfig(AppConfig):
    """Registers quotas and their ear for instances."""

    name = "portal.quotas"
    label = "quotas"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Listen to what becomes of instances."""
        from portal.quotas import receivers  # noqa: PLC0415 - models must be loaded first

        receivers.connect()
