"""Billing as a Django application."""

from django.apps import AppConfig


class BillingConfig(AppConfig):
    """From use to money, exact and append-only."""

    name = "billing"
    label = "billing"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Billing"
