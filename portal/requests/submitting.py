"""Take in a wish, and refuse an impossible one before anybody has to read it.

A quota request waits for an approver.  An instance request inside the quota launches at
once, unless a policy holds it for a person; both wait for `portal.requests.approving`.
"""

from datetime import datetime

from django.db import transaction

from portal.quotas import queries
from portal.quotas.errors import DevicesOutOfRange, QuotaExceeded
from portal.requests import fulfilling, policies
from portal.requests.errors import (
    CountOutOfRange,
    JustificationMissing,
    NameRefused,
    VolumesForOne,
)
from portal.requests.limits import limits_in_force
from portal.requests.models import InstanceRequest, QuotaRequest, State
from portal.requests.wishes import InstanceWish
from portal.tenants.models import Project, User
from provisioning import attaching, confiding, images
from provisioning.errors import (
    LeaseInPast,
    RetiredInstanceType,
    UnknownImage,
    UnknownInstanceType,
)
from provisioning.models import Family, InstanceType, RuntimeImage

MOST_DEVICES = 10_000
# Of one wish: who needs more sends two, and neither holds the quota's lock for long.
MOST_INSTANCES = 100
LONGEST_NAME = 63


def submit_quota_request(
    *, project: Project, family: Family, devices: int, justification: str, by: User, at: datetime
) -> QuotaRequest:
    """Ask for the right to hold more devices of a family."""
    if not 0 < devices <= MOST_DEVICES:
        raise DevicesOutOfRange
    if not justification.strip():
        raise JustificationMissing
    return QuotaRequest.objects.create(
        project=project,
        family=family,
        devices=devices,
        justification=justification.strip(),
        state=State.SUBMITTED,
        submitted_by=by,
        submitted_at=at,
    )


@transaction.atomic
def submit_instance_request(
    *, project: Project, wish: InstanceWish, by: User, at: datetime
) -> InstanceRequest:
    """Ask for instances: they launch at once, or the request is held for a person."""
    instance_request = _checked(wish, project=project, at=at)
    instance_request.project = project
    instance_request.submitted_by = by
    instance_request.submitted_at = at
    reasons = policies.hold_reasons(
        devices=instance_request.devices,
        lease=None if wish.ends_at is None else wish.ends_at - at,
        limits=limits_in_force(),
    )
    if reasons:
        return _hold(instance_request, reasons)
    instance_request.state = State.APPROVED
    instance_request.decided_at = at
    instance_request.save(force_insert=True)
    fulfilling.launch_requested(instance_request=instance_request, at=at)
    return instance_request


def _checked(wish: InstanceWish, *, project: Project, at: datetime) -> InstanceRequest:
    if not 0 < wish.count <= MOST_INSTANCES:
        raise CountOutOfRange
    if wish.ends_at is not None and wish.ends_at <= at:
        raise LeaseInPast
    name = " ".join(wish.name.split()) or wish.instance_type_slug
    if len(name) > LONGEST_NAME or "\x00" in name:
        raise NameRefused
    _check_extras(wish, project=project)
    return InstanceRequest(
        instance_type=_offered_type(wish.instance_type_slug),
        image=None if wish.own_image else _offered_image(wish.image_slug),
        own_image=wish.own_image,
        count=wish.count,
        name=name,
        ends_at=wish.ends_at,
        volumes=[[str(mount.volume_id), mount.path] for mount in wish.volumes],
        secret_names=[[text.kind.value, text.name] for text in wish.secrets],
        secrets_sealed=confiding.seal_texts(wish.secrets),
        wants_token=wish.wants_token,
    )


def _check_extras(wish: InstanceWish, *, project: Project) -> None:
    if wish.own_image:
        images.require_allowed(tenant_id=project.tenant_id, reference=wish.own_image)
    if wish.volumes:
        if wish.count != 1:
            raise VolumesForOne
        attaching.check_paths(wish.volumes)
        attaching.lock_mounted(wish.volumes, project_id=project.pk)
    confiding.check_secrets(wish.secrets)


def _hold(instance_request: InstanceRequest, reasons: list[policies.HoldReason]) -> InstanceRequest:
    # Nothing is reserved while it waits; but what could not launch now is not worth a person.
    room = queries.headroom(
        project=instance_request.project, family=instance_request.instance_type.family
    )
    if instance_request.devices > room.free:
        raise QuotaExceeded(wanted=instance_request.devices, free=room.free)
    instance_request.state = State.HELD
    instance_request.hold_reasons = reasons
    instance_request.save(force_insert=True)
    return instance_request


def _offered_type(slug: str) -> InstanceType:
    found = InstanceType.objects.select_related("family").filter(slug=slug).first()
    if found is None:
        raise UnknownInstanceType(slug)
    if found.is_retired:
        raise RetiredInstanceType(slug)
    return found


def _offered_image(slug: str) -> RuntimeImage:
    found = RuntimeImage.objects.filter(slug=slug, is_retired=False).first()
    if found is None:
        raise UnknownImage(slug)
    return found
