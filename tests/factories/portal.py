"""Legal objects of portal, made through the domain's own doors where there is one."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

from billing import invoicing, periods, pricing
from billing.models import Account, Invoice, UsageInterval
from portal.quotas.models import QuotaEntry
from portal.requests import approving, submitting
from portal.requests.models import InstanceRequest, QuotaRequest
from portal.requests.wishes import InstanceWish
from portal.tenants import onboarding
from portal.tenants.access import StaffRole
from portal.tenants.models import PlatformRole, Project, Tenant, User
from provisioning import names
from provisioning.models import (
    Attempt,
    Cluster,
    Family,
    Instance,
    InstanceType,
    Pool,
    RuntimeImage,
    Vendor,
)
from provisioning.states import AttemptState, State
from tests.factories import billing as billing_factory

NOON = datetime(2026, 3, 4, 3, 0, tzinfo=UTC)
TOMORROW = NOON + timedelta(days=1)
# When the first hour of use is over and finance may bill it.
AFTERNOON = NOON + timedelta(hours=2)


@dataclass(frozen=True)
class Catalog:
    """One family on offer: a type of one device, one of four, one retired, an image."""

    family: Family
    single: InstanceType
    quad: InstanceType
    retired: InstanceType
    image: RuntimeImage
    retired_image: RuntimeImage


def make_user(name: str, *, staff: StaffRole | None = None, language: str = "en") -> User:
    user = User.objects.create_user(
        f"{name.lower()}@example.com", password="pear-tree-42", name=name, language=language
    )
    if staff is not None:
        PlatformRole.objects.create(user=user, role=staff)
    return user


def make_tenant(name: str, *, owner: User, at: datetime = NOON) -> Tenant:
    return onboarding.open_tenant(name=name, owner=owner, at=at)


def make_catalog(slug: str = "rngd") -> Catalog:
    vendor, _ = Vendor.objects.get_or_create(slug="furiosa", defaults={"name": "FuriosaAI"})
    family = Family.objects.create(
        slug=slug,
        vendor=vendor,
        name=slug.upper(),
        resource_names=[f"furiosa.ai/{slug}"],
        specs={"memory_gib": 48},
        confidence="confirmed",
    )
    return Catalog(
        family=family,
        single=make_instance_type(family, f"{slug}-1", devices=1),
        quad=make_instance_type(family, f"{slug}-4", devices=4),
        retired=make_instance_type(family, f"{slug}-0", devices=1, is_retired=True),
        image=RuntimeImage.objects.create(
            slug=f"{slug}-workspace", name="Workspace", reference="registry.local/workspace:1"
        ),
        retired_image=RuntimeImage.objects.create(
            slug=f"{slug}-old", name="Old", reference="registry.local/old:1", is_retired=True
        ),
    )


def make_instance_type(
    family: Family, slug: str, *, devices: int, is_retired: bool = False
) -> InstanceType:
    return InstanceType.objects.create(
        slug=slug,
        family=family,
        name=slug,
        device_count=devices,
        cpu_millicores=4000 * devices,
        memory_mib=16384 * devices,
        storage_gib=100,
        sku_code=f"{family.slug}-device",
        is_retired=is_retired,
    )


def price(family: Family, hourly_rate: str = "3600", *, since: datetime = NOON) -> None:
    sku = pricing.add_sku(code=f"{family.slug}-device", name=f"{family.name} device")
    pricing.add_rate(
        book=pricing.default_book(),
        sku=sku,
        hourly_rate=Decimal(hourly_rate),
        valid_from=since,
        at=since,
        backdated=True,
    )


def grant(
    project: Project, family: Family, devices: int, *, by: User, asked_by: User
) -> QuotaEntry:
    """A quota as it comes about: asked for by one person, granted by another."""
    asked = submit_quota(project, family, devices, by=asked_by)
    approving.approve_quota_request(quota_request=asked, by=by, at=NOON)
    return QuotaEntry.objects.get(quota_request_id=asked.pk)


def submit_quota(project: Project, family: Family, devices: int, *, by: User) -> QuotaRequest:
    return submitting.submit_quota_request(
        project=project,
        family=family,
        devices=devices,
        justification="CCTV analytics pilot",
        by=by,
        at=NOON,
    )


def submit_instances(
    project: Project,
    catalog: Catalog,
    *,
    by: User,
    count: int = 1,
    ends_at: datetime | None = TOMORROW,
    instance_type: InstanceType | None = None,
) -> InstanceRequest:
    wish = InstanceWish(
        instance_type_slug=(instance_type or catalog.single).slug,
        image_slug=catalog.image.slug,
        count=count,
        name="detector",
        ends_at=ends_at,
    )
    return submitting.submit_instance_request(project=project, wish=wish, by=by, at=NOON)


def run_in_pod(instance: Instance, *, cluster: Cluster, namespace: str = "npu-t1") -> Instance:
    """Its pod runs, as worker and watcher would have written it down."""
    pool, _ = Pool.objects.get_or_create(
        cluster=cluster, resource_name="furiosa.ai/rngd", family=instance.instance_type.family
    )
    attempt_no = instance.attempt_no + 1
    Attempt.objects.create(
        instance=instance,
        no=attempt_no,
        launch_no=instance.launch_no,
        cluster=cluster,
        pool=pool,
        namespace=namespace,
        pod_name=names.pod_name(instance_id=instance.pk, attempt_no=attempt_no),
        spec_hash="h",
        device_count=instance.device_count,
        state=AttemptState.CREATED,
        uid=uuid4(),
        intended_at=NOON,
        created_at=NOON,
    )
    Instance.objects.filter(pk=instance.pk).update(
        state=State.RUNNING, attempt_no=attempt_no, pool=pool, state_since=NOON
    )
    instance.refresh_from_db()
    return instance


def end_launch(instance: Instance, *, state: State = State.STOPPED) -> Instance:
    """What reconcile writes when a launch has come to its end."""
    Instance.objects.filter(pk=instance.pk).update(
        state=state, settled_launch_no=instance.launch_no
    )
    instance.refresh_from_db()
    return instance


def use(instance: Instance, *, seconds: int = 3600, quantity: int | None = None) -> UsageInterval:
    """An instance that ran from noon on, in the ledger."""
    return billing_factory.record_use(
        account=Account.objects.get(pk=instance.account_id),
        project_id=instance.project_id,
        sku_code=instance.sku_code,
        resource_ref=str(instance.pk),
        quantity=quantity or instance.device_count,
        started_at=NOON,
        seconds=seconds,
    )


def draft_invoice(instance: Instance) -> Invoice:
    """A bill of the instance's first hour, drafted in the afternoon."""
    billing_factory.register_seller()
    use(instance)
    account = Account.objects.get(pk=instance.account_id)
    period = periods.cut_period(account=account, at=AFTERNOON)
    return invoicing.draft_invoice(period=period, at=AFTERNOON)


def issue_invoice(instance: Instance, *, by: User) -> Invoice:
    """The same bill, issued."""
    return invoicing.issue_invoice(draft=draft_invoice(instance), by=by.email, at=AFTERNOON)
