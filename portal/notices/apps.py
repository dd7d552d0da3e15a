"""The app of notices; hears what there is to tell."""

from django.apps import AppConfig


class NoticesConfig(AppConfig):
    """Registers notices and their ear for what befalls tenants."""

    name = "portal.notices"
    label = "notices"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Listen to what provisioning tells."""
        from portal.notices import receivers  # noqa: PLC0415 - models must be loaded first

        receivers.connect()
