"""Record the wish for instances.

Turns each `InstanceSpec` into an Instance row that is due at once; `reconciling` goes
on from there.  Quota is the caller's affair and is reserved in the same transaction.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Final

from django.db import transaction

from billing.models import Account
from provisioning import attaching, confiding, deferring, images
from provisioning.errors import (
    IllegalSpec,
    LeaseInPast,
    RetiredInstanceType,
    UnknownAccount,
    UnknownImage,
    UnknownInstanceType,
)
from provisioning.models import Instance, InstanceType, RuntimeImage, Transition
from provisioning.specs import InstanceSpec
from provisioning.states import Desired, State

_VARIABLE_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MOST_VARIABLES: Final = 100
_LONGEST_TEXT: Final = 8192
_LONGEST_NAME: Final = 63
# Well within what an API server takes, even where every sign has to be written twice.
_MOST_BYTES: Final = 128 * 1024


def launch_instance(*, spec: InstanceSpec, at: datetime) -> Instance:
    """Wish for one instance; refuse at once what could never run."""
    [instance] = launch_instances(specs=[spec], at=at)
    return instance


@transaction.atomic
def launch_instances(*, specs: Sequence[InstanceSpec], at: datetime) -> list[Instance]:
    """Wish for several instances, or for none if one of them could never run."""
    type_of, image_of = cache(_offered_type), cache(_image)
    for spec in specs:
        _check_text(spec)
        if spec.ends_at is not None and spec.ends_at <= at:
            raise LeaseInPast
        confiding.check_secrets(spec.secrets, variables=dict(spec.environment))
    wished = [
        _wished(
            spec,
            type_of(spec.instance_type_slug),
            image_of(spec.tenant_id, spec.image_slug, spec.own_image),
            at,
        )
        for spec in specs
    ]
    accounts = {spec.account_id for spec in specs}
    if Account.objects.filter(pk__in=accounts).count() < len(accounts):
        raise UnknownAccount
    instances = Instance.objects.bulk_create(wished)
    for instance, spec in zip(instances, specs, strict=True):
        attaching.mount(instance=instance, mounts=spec.volumes)
        confiding.confide(
            instance=instance, texts=spec.secrets, wants_token=spec.wants_token, at=at
        )
    Transition.objects.bulk_create(
        Transition(
            instance=instance, to_state=State.QUEUED, reason=instance.reason, attempt_no=0, at=at
        )
        for instance in instances
    )
    deferring.defer_drain()
    return instances


def _wished(spec: InstanceSpec, instance_type: InstanceType, image: str, at: datetime) -> Instance:
    return Instance(
        tenant_id=spec.tenant_id,
        project_id=spec.project_id,
        account_id=spec.account_id,
        name=spec.name,
        instance_type=instance_type,
        device_count=instance_type.device_count,
        cpu_millicores=instance_type.cpu_millicores,
        memory_mib=instance_type.memory_mib,
        storage_gib=instance_type.storage_gib,
        sku_code=instance_type.sku_code,
        image=image,
        command=list(spec.command),
        environment=dict(spec.environment),
        desired=Desired.RUNNING,
        launched_at=at,
        ends_at=spec.ends_at,
        state=State.QUEUED,
        reason="launch_wished",
        state_since=at,
        next_reconcile_at=at,
        created_at=at,
    )


def _image(tenant_id: int, slug: str, own_image: str) -> str:
    if own_image:
        images.require_allowed(tenant_id=tenant_id, reference=own_image)
        return own_image
    image = RuntimeImage.objects.filter(slug=slug, is_retired=False).first()
    if image is None:
        raise UnknownImage(slug)
    return image.reference


def _offered_type(slug: str) -> InstanceType:
    instance_type = InstanceType.objects.filter(slug=slug).first()
    if instance_type is None:
        raise UnknownInstanceType(slug)
    if instance_type.is_retired:
        raise RetiredInstanceType(slug)
    return instance_type


def _check_text(spec: InstanceSpec) -> None:
    names = [name for name, _ in spec.environment]
    if not spec.name.strip() or len(spec.name) > _LONGEST_NAME:
        raise IllegalSpec("Its name is empty or too long.")
    if len(names) > _MOST_VARIABLES or len(set(names)) != len(names):
        raise IllegalSpec("It has too many variables, or one twice.")
    for name in names:
        if not _VARIABLE_NAME.fullmatch(name):
            raise IllegalSpec(f"{name!r} is no name for a variable.")
    texts = [spec.name, *spec.command, *(text for pair in spec.environment for text in pair)]
    if any("\x00" in text or len(text) > _LONGEST_TEXT for text in texts):
        raise IllegalSpec("A text in it is too long or holds a NUL.")
    try:
        size = sum(len(text.encode()) for text in texts)
    except UnicodeEncodeError as error:
        raise IllegalSpec("A text in it is no text.") from error
    if size > _MOST_BYTES:
        raise IllegalSpec("Its command and variables are too long together.")
