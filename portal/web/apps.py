"""The pages."""

from django.apps import AppConfig


class WebConfig(AppConfig):
    """The pages as a Django app."""

    name = "portal.web"
    label = "web"
