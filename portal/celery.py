"""The Celery application: tasks are found by name in every app's `tasks`."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings.base")

app = Celery("npu_farm")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
