"""The Celery application: tasks are found by name in every app's `tasks`."""

import os

from celery import Celery
from kombu.transport import TRANSPORT_ALIASES

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings.base")

TRANSPORT_ALIASES["folder"] = "portal.engines.broker:Transport"

app = Celery("npu_farm")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.steps["worker"].add("portal.pulse:Pulse")
