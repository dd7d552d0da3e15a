"""Alice's things, each made when a page needs it."""

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from billing import invoicing, periods
from billing.models import Account, BillingPeriod, Invoice, Rate
from portal.notices.models import Notice
from portal.requests import storing
from portal.requests.models import InstanceRequest, QuotaRequest, State
from portal.tenants import joining
from portal.tenants.access import Role
from portal.tenants.models import Membership, Project, Tenant, User
from provisioning import images, maintaining, registries
from provisioning.models import (
    Device,
    Instance,
    MaintenanceWindow,
    Node,
    Pool,
    RegistryLogin,
    TenantImage,
    Volume,
)
from tests.factories import billing as billing_factory
from tests.factories import portal as factory
from tests.factories import provisioning as provisioning_factory
from tests.factories.portal import AFTERNOON, NOON, Catalog


@dataclass(frozen=True)
class World:
    """Alice's tenant with quota, its people around it, and whatever is asked for besides."""

    people: dict[str, User]
    project: Project
    catalog: Catalog

    @property
    def tenant(self) -> Tenant:
        return self.project.tenant

    @cached_property
    def instance(self) -> Instance:
        wish = factory.submit_instances(self.project, self.catalog, by=self.people["alice"])
        return wish.launched_instances.get().instance

    @cached_property
    def quota_request(self) -> QuotaRequest:
        return factory.submit_quota(self.project, self.catalog.family, 3, by=self.people["alice"])

    @cached_property
    def held_request(self) -> InstanceRequest:
        return InstanceRequest.objects.create(
            project=self.project,
            instance_type=self.catalog.single,
            image=self.catalog.image,
            count=2,
            name="night-shift",
            state=State.HELD,
            hold_reasons=["no_end"],
            submitted_by=self.people["alice"],
            submitted_at=NOON,
        )

    @cached_property
    def volume(self) -> Volume:
        harbor = provisioning_factory.add_cluster(name="harbor")
        return storing.create_volume(
            project=self.project, cluster_name=harbor.name, name="datasets", size_gib=10, at=NOON
        )

    @cached_property
    def allowed(self) -> TenantImage:
        return images.allow_image(
            tenant_id=self.tenant.pk, pattern="registry.example/bada/*", by="erin", at=NOON
        )

    @cached_property
    def login(self) -> RegistryLogin:
        return registries.store_login(
            tenant_id=self.tenant.pk, host="registry.example", username="harbor-robot",
            password="hunter2-hunter2", by="alice@example.com", at=NOON,
        )  # fmt: skip

    @cached_property
    def node(self) -> Node:
        """One of eight devices, on a cluster of its own."""
        cluster = provisioning_factory.add_cluster(name="island")
        return provisioning_factory.add_nodes(cluster)["node-1"]

    @cached_property
    def device(self) -> Device:
        return Device.objects.create(
            node=self.node,
            pool=Pool.objects.get(cluster=self.node.cluster),
            device_id="npu0",
            first_seen_at=NOON,
            seen_at=NOON,
        )

    @cached_property
    def window(self) -> MaintenanceWindow:
        return maintaining.plan_window(
            cluster=self.node.cluster,
            nodes=[self.node],
            starts_at=AFTERNOON + timedelta(days=1),
            ends_at=AFTERNOON + timedelta(days=2),
            reason="New firmware",
            by="erin@example.com",
            at=NOON,
        )

    @cached_property
    def notice(self) -> Notice:
        return Notice.objects.create(
            user=self.people["alice"],
            tenant=self.tenant,
            key="device_unhealthy/1",
            kind="device_unhealthy",
            instance_id=self.instance.pk,
            detail={"instance": "detector", "device": "npu0", "node": "node-1"},
            at=NOON,
        )

    @cached_property
    def colleague(self) -> Membership:
        grace = factory.make_user("Grace")
        return joining.add_member(
            tenant=self.tenant,
            email=grace.email,
            role=Role.MEMBER,
            by=self.people["alice"],
            at=NOON,
        )

    @cached_property
    def account(self) -> Account:
        return Account.objects.get(tenant_id=self.tenant.pk)

    @cached_property
    def rate(self) -> Rate:
        return Rate.objects.get()

    @cached_property
    def empty_period(self) -> BillingPeriod:
        """A period that is over, in which nothing ran."""
        return periods.cut_period(account=self.account, at=AFTERNOON - timedelta(minutes=1))

    @cached_property
    def used_period(self) -> BillingPeriod:
        """A period that is over, in which Alice's instance ran for an hour."""
        billing_factory.register_seller()
        factory.use(self.instance)
        return self.empty_period

    @cached_property
    def draft(self) -> Invoice:
        names = {self.project.pk: self.project.name}
        return invoicing.draft_invoice(period=self.used_period, project_names=names, at=AFTERNOON)

    @cached_property
    def invoice(self) -> Invoice:
        return invoicing.issue_invoice(draft=self.draft, by="dana@example.com", at=AFTERNOON)
