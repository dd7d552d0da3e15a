"""Let a worker notice that it no longer consumes, and end, so that it is started again.

A worker whose connection to the broker has gone deaf looks alive from outside.  So each sends
itself a message every few seconds, over a queue of its own, through the broker and the pool
like any other task; the task touches a file.  When the file has grown old, the worker ends.
"""

import logging
import os
import threading
import time
from pathlib import Path
from typing import Any, Final

from celery import Celery, bootsteps
from django.conf import settings
from kombu import Queue

logger = logging.getLogger(__name__)

BEAT: Final = "portal.pulse"
BEATS: Final = 12
"""So many beats are missed before a worker counts as deaf."""
EXIT: Final = 70


def file_of(hostname: str) -> Path:
    """The file a worker's pulse touches."""
    return Path(settings.FARM_HOME) / "pulse" / hostname.replace("/", "_")


def touch(hostname: str) -> None:
    """Show that a message has gone all the way."""
    file = file_of(hostname)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()


def age(hostname: str) -> float | None:
    """Seconds since the last pulse; None before the first."""
    try:
        return time.time() - file_of(hostname).stat().st_mtime
    except FileNotFoundError:
        return None


class Pulse(bootsteps.StartStopStep):
    """Beats on the worker's timer, in its main process, and listens in a thread beside it."""

    requires = ("celery.worker.components:Timer",)

    def __init__(self, parent: Any, **options: Any) -> None:
        self._hostname = parent.hostname
        self._queue = f"pulse.{parent.hostname}"
        self._beating: Any = None
        self._every = settings.WORKER_DEAF_AFTER_S / BEATS
        super().__init__(parent, **options)

    def create(self, parent: Any) -> Any:
        """Consume from the worker's own queue besides the given ones."""
        parent.app.amqp.queues.select_add(Queue(self._queue, routing_key=self._queue))
        return self

    def start(self, parent: Any) -> None:
        """Begin to beat and to listen."""
        touch(self._hostname)
        self._beating = parent.timer.call_repeatedly(self._every, self._beat, (parent.app,))
        # A loop that hangs does not run its own timer; this thread only looks, and holds no lock.
        threading.Thread(target=self._listen, name="pulse", daemon=True).start()

    def stop(self, parent: Any) -> None:
        """Stop beating; the listener ends with the process, however long its last tasks take."""
        if self._beating is not None:
            self._beating.cancel()

    def _beat(self, app: Celery) -> None:
        words: dict[str, Any] = {"queue": self._queue, "expires": self._every * 3, "retry": False}
        try:
            app.send_task(BEAT, args=[self._hostname], **words)
        except Exception as error:  # noqa: BLE001 - a broker that is down is what we listen for
            logger.warning("pulse not sent: %s", error)

    def _listen(self) -> None:
        while (silent := age(self._hostname)) is None or silent < settings.WORKER_DEAF_AFTER_S:
            time.sleep(self._every / 2)
        os.write(2, f"no task has run for {silent:.0f} s; ending to be started again\n".encode())
        # At once: a worker that hears nothing would wait for ever on its way out.
        os._exit(EXIT)
