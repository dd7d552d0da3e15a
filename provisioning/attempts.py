"""The record of what we tried: open an attempt, confirm its pod, bury it.

An attempt is written before the cluster is asked, so that whoever comes after a crash
knows which name to look up.  Called inside the transaction that records a pass.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Case, Q, QuerySet, Value, When

from provisioning import (
    attaching,
    confiding,
    deviceclaims,
    names,
)
from provisioning.models import (
    AllocationMode,
    Attempt,
    Instance,
    ObservedPod,
    Pool,
    RegistryLogin,
)
from provisioning.names import Marks
from provisioning.specs import PodSpec, PullSecret
from provisioning.states import AttemptState
from provisioning.vendors import habits_of


def confirm_attempt(*, attempt: Attempt, uid: UUID, at: datetime) -> None:
    """Write down which pod the attempt has become."""
    confirm_attempts({attempt.pk: uid}, at=at)


def confirm_attempts(created: Mapping[int, UUID], *, at: datetime) -> None:
    """Write down which pods several attempts have become: the UIDs by the attempts' keys."""
    is_it = [When(pk=pk, then=Value(uid)) for pk, uid in created.items()]
    Attempt.objects.filter(pk__in=created, state=AttemptState.INTENDED).update(
        state=AttemptState.CREATED, uid=Case(*is_it), created_at=at
    )


def bury_attempt(*, attempt: Attempt, at: datetime) -> None:
    """Write down that the attempt's pod is not there, nor will be."""
    Attempt.objects.filter(pk=attempt.pk).exclude(state=AttemptState.GONE).update(
        state=AttemptState.GONE, gone_at=at
    )
    attaching.detach(attempt=attempt, at=at)


def attempt_of(pod: ObservedPod, tried: Iterable[Attempt]) -> Attempt | None:
    """Return the attempt a pod is of; None for one that merely carries our labels.

    Labels can be changed and copied by hand, UIDs and names cannot.  What was asked for
    tells a pod only until its answer has told the UID.  One that was given up with its
    cluster has no pod any more, whatever comes back.
    """
    for attempt in tried:
        is_named = (
            attempt.cluster_id == pod.cluster_id
            and attempt.namespace == pod.namespace
            and attempt.pod_name == pod.name
        )
        is_asked_for = attempt.uid is None and attempt.spec_hash == pod.spec_hash
        is_it = attempt.uid == pod.uid or is_asked_for
        if is_named and is_it and attempt.lost_at is None:
            return attempt
    return None


def attempts_of_pod(*, uid: Any, spec_hash: Any, **place: Any) -> QuerySet[Attempt]:
    """Return the same attempt as rows, for values or for columns of an outer query.

    `place` is the pod's `cluster`, `namespace` and `pod_name`.
    """
    is_it = Q(uid=uid) | Q(uid__isnull=True, spec_hash=spec_hash)
    return Attempt.objects.filter(is_it, lost_at__isnull=True, **place)


def owner_of(pod: ObservedPod) -> Instance | None:
    """Return the instance whose attempt a pod is: who pays for it, whatever its labels say."""
    behind = attempts_of_pod(
        uid=pod.uid,
        spec_hash=pod.spec_hash,
        cluster=pod.cluster_id,
        namespace=pod.namespace,
        pod_name=pod.name,
    )
    return Instance.objects.filter(pk__in=behind.values("instance")).first()


def spec_of(
    *,
    instance: Instance,
    attempt_no: int,
    pool: Pool,
    marks: Marks,
    avoided_nodes: Sequence[str] = (),
    login: RegistryLogin | None = None,
) -> PodSpec:
    """Return what the attempt's pod is made of; `login` is what its image is pulled with."""
    vendor = habits_of(pool.family.vendor.slug)
    name = names.pod_name(instance_id=instance.pk, attempt_no=attempt_no)
    selector = vendor.node_selector(family=pool.family.slug, resource_name=pool.resource_name)
    return PodSpec(
        marks=marks,
        namespace=marks.namespace(instance.tenant_id),
        name=name,
        instance_id=instance.pk,
        tenant_id=instance.tenant_id,
        project_id=instance.project_id,
        attempt_no=attempt_no,
        image=instance.image,
        command=tuple(instance.command),
        environment=tuple(instance.environment.items()),
        cpu_millicores=instance.cpu_millicores,
        memory_mib=instance.memory_mib,
        storage_gib=instance.storage_gib,
        resource_name=pool.resource_name,
        claim_template=_claim_template(pool, instance.device_count),
        device_count=instance.device_count,
        node_selector=tuple(selector.items()),
        toleration_keys=vendor.toleration_keys,
        wish=(
            ("name", instance.name),
            ("instance_type", instance.instance_type.slug),
            ("account", str(instance.account_id)),
            ("launch", str(instance.launch_no)),
            ("ends_at", instance.ends_at.isoformat() if instance.ends_at else ""),
        ),
        avoided_nodes=tuple(avoided_nodes),
        claims=tuple(attaching.claims_of(instance)),
        confided=confiding.confided_to(instance, secret_name=name),
        pulled_with=_pulled_with(login, name),
    )


def _pulled_with(login: RegistryLogin | None, pod_name: str) -> PullSecret | None:
    if login is None:
        return None
    return PullSecret(secret_name=names.registry_secret(pod_name), login_id=login.pk)


def _claim_template(pool: Pool, count: int) -> str:
    """Name what the pod claims its devices by, where a driver hands them out."""
    if pool.allocation != AllocationMode.DRA:
        return ""
    request = deviceclaims.request_of(
        device_class=pool.resource_name, dra=pool.family.dra, count=count
    )
    return deviceclaims.template_name(request)
