"""The door by which a worker hears itself; see `portal.pulse`."""

from celery import shared_task
from django.utils import timezone

from portal import pulse
from provisioning import counting


@shared_task(name=pulse.BEAT)
def beat(hostname: str) -> None:
    """Show that this worker's messages go all the way to its pool."""
    pulse.touch(hostname)
    counting.count("pulse", hostname)
    counting.add_up(at=timezone.now())
