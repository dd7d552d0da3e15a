"""A Celery app of one task, for a worker that a test starts: it touches a file."""

import os
from pathlib import Path

from celery import Celery

import portal.celery  # noqa: F401 - knows the scheme

FOLDER = Path(os.environ.get("BROKERED_FOLDER", "/nonexistent"))

app = Celery("brokered", broker="folder://localhost")
app.conf.broker_transport_options = {
    "data_folder_in": str(FOLDER / "queue"),
    "data_folder_out": str(FOLDER / "queue"),
    "control_folder": str(FOLDER / "control"),
}
app.conf.task_ignore_result = True
app.conf.worker_prefetch_multiplier = 1
app.conf.broker_connection_retry_on_startup = True


@app.task(name="touch")
def touch(name: str) -> None:
    (FOLDER / name).touch()
