"""Launch what an approved instance request asks for.

Reservation and launch are one transaction under the quota's lock: either every instance
of the request is launched and reserved, or none.  Provisioning goes on from there.
"""

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from django.db import transaction

from billing.models import Account
from portal.quotas import reserving
from portal.requests.models import InstanceRequest, LaunchedInstance
from provisioning import confiding, launching
from provisioning.models import Instance
from provisioning.specs import InstanceSpec, VolumeMount


@transaction.atomic
def launch_requested(*, instance_request: InstanceRequest, at: datetime) -> list[Instance]:
    """Launch every instance of the request, within the quota."""
    instance_type = instance_request.instance_type
    locked = reserving.lock_quota(project=instance_request.project, family=instance_type.family)
    quota = reserving.require_room(locked, devices=instance_request.devices)
    instances = launching.launch_instances(specs=list(specs_of(instance_request)), at=at)
    reserving.enter_reservations(
        quota=quota,
        devices=instance_type.device_count,
        instance_ids=[instance.pk for instance in instances],
        at=at,
        by=instance_request.submitted_by.email,
    )
    LaunchedInstance.objects.bulk_create(
        LaunchedInstance(instance_request=instance_request, instance=instance)
        for instance in instances
    )
    forget_secrets(instance_request=instance_request)
    return instances


def forget_secrets(*, instance_request: InstanceRequest) -> None:
    """Drop the sealed values of a request: its instances have them, or nobody ever will."""
    waiting = InstanceRequest.objects.filter(pk=instance_request.pk)
    waiting.exclude(secrets_sealed=None).update(secrets_sealed=None)
    instance_request.secrets_sealed = None


def specs_of(instance_request: InstanceRequest) -> Iterator[InstanceSpec]:
    """Word the request as provisioning wants it, one spec per instance."""
    project = instance_request.project
    account = Account.objects.get(tenant_id=project.tenant_id)
    secrets = confiding.unseal_texts(instance_request.secrets_sealed)
    for number in range(1, instance_request.count + 1):
        yield InstanceSpec(
            tenant_id=project.tenant_id,
            project_id=project.pk,
            account_id=account.pk,
            name=_name(instance_request, number),
            instance_type_slug=instance_request.instance_type.slug,
            image_slug=instance_request.image.slug if instance_request.image else "",
            own_image=instance_request.own_image,
            volumes=tuple(VolumeMount(UUID(pk), path) for pk, path in instance_request.volumes),
            secrets=secrets,
            wants_token=instance_request.wants_token,
            ends_at=instance_request.ends_at,
        )


def _name(instance_request: InstanceRequest, number: int) -> str:
    if instance_request.count == 1:
        return instance_request.name
    return f"{instance_request.name[:58]}-{number}"
