"""The portal: what people and programs see, and where the product is assembled."""

from portal.celery import app as celery_app

__all__ = ["celery_app"]
