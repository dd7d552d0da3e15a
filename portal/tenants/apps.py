"""The app of tenants and people."""

from django.apps import AppConfig


class TenantsConfig(AppConfig):
    """Registers tenants, people and their keys."""

    name = "portal.tenants"
    label = "tenants"
    default_auto_field = "django.db.models.BigAutoField"
