"""An instance is known again from its pod, and what of it is not is said."""

from dataclasses import replace
from uuid import uuid4

from provisioning import attempts, installation, manifests, podstatus, recalling, volumes
from provisioning.comparing import Pod
from provisioning.models import Cluster, Instance, Pool, TenantNotice
from provisioning.specs import ClaimMount
from tests.factories.provisioning import NOON


def test_a_volume_nobody_knows_is_not_dropped_in_silence(
    instance: Instance, cluster: Cluster
) -> None:
    pool = Pool.objects.select_related("family__vendor").get()
    known = volumes.create_volume(
        tenant_id=instance.tenant_id,
        project_id=instance.project_id,
        account_id=instance.account_id,
        name="weights",
        size_gib=1,
        cluster=cluster,
        at=NOON,
    )
    marks = installation.current()
    spec = attempts.spec_of(instance=instance, attempt_no=1, pool=pool, marks=marks)
    claims = (ClaimMount(known.claim_name, "/weights"), ClaimMount("vol-forgotten", "/data"))
    raw = manifests.pod_for(replace(spec, instance_id=uuid4(), claims=claims))
    raw["metadata"] |= {"uid": str(uuid4()), "resourceVersion": "1"}
    pod = Pod(cluster=cluster, raw=raw, seen=podstatus.read_pod(raw, marks=marks))
    again = recalling.recreate(pod, reason="database_restored", at=NOON)
    assert list(again.volumes.values_list("volume", "path")) == [(known.pk, "/weights")]
    told = TenantNotice.objects.get(instance_id=again.pk)
    assert told.kind == "volume_forgotten"
    assert (told.detail["claim"], told.detail["path"]) == ("vol-forgotten", "/data")
