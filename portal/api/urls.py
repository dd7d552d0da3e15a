"""The API by address; one module of `v1` per resource."""

from django.urls import include, path, re_path
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularJSONAPIView
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter

from portal.api.v1.accounts import AccountViewSet
from portal.api.v1.billing_periods import BillingPeriodViewSet
from portal.api.v1.capacity import CapacityViewSet
from portal.api.v1.cluster_alarms import ClusterAlarmViewSet
from portal.api.v1.clusters import ClusterViewSet
from portal.api.v1.dead_letters import DeadLetterViewSet
from portal.api.v1.images import ImageViewSet
from portal.api.v1.instance_requests import InstanceRequestViewSet
from portal.api.v1.instance_types import InstanceTypeViewSet
from portal.api.v1.instances import InstanceViewSet
from portal.api.v1.inventory import DeviceViewSet, NodeViewSet
from portal.api.v1.invoices import InvoiceViewSet
from portal.api.v1.maintenance_windows import MaintenanceWindowViewSet
from portal.api.v1.me import MeViewSet
from portal.api.v1.members import MemberViewSet
from portal.api.v1.notices import NoticeViewSet
from portal.api.v1.pools import PoolViewSet
from portal.api.v1.price_books import PriceBookViewSet, SkuViewSet
from portal.api.v1.project_members import ProjectMemberViewSet
from portal.api.v1.projects import ProjectViewSet
from portal.api.v1.quota_requests import QuotaRequestViewSet
from portal.api.v1.quotas import QuotaViewSet
from portal.api.v1.rates import RateViewSet
from portal.api.v1.registry_logins import RegistryLoginViewSet
from portal.api.v1.tenant_images import TenantImageViewSet
from portal.api.v1.tenants import TenantViewSet
from portal.api.v1.tokens import TokenViewSet
from portal.api.v1.usage import UsageViewSet
from portal.api.v1.volumes import VolumeViewSet
from portal.tenants.errors import NotFound


@extend_schema(exclude=True)
@api_view(["GET", "POST", "PUT", "PATCH", "DELETE"])
def nothing_here(request: Request) -> Response:
    """Answer an address the API does not have in the API's own words."""
    raise NotFound


router = SimpleRouter(trailing_slash=False, use_regex_path=False)
for name, resource in (
    ("accounts", AccountViewSet),
    ("billing-periods", BillingPeriodViewSet),
    ("capacity", CapacityViewSet),
    ("cluster-alarms", ClusterAlarmViewSet),
    ("clusters", ClusterViewSet),
    ("dead-letters", DeadLetterViewSet),
    ("images", ImageViewSet),
    ("instance-requests", InstanceRequestViewSet),
    ("instance-types", InstanceTypeViewSet),
    ("instances", InstanceViewSet),
    ("invoices", InvoiceViewSet),
    ("members", MemberViewSet),
    ("devices", DeviceViewSet),
    ("maintenance-windows", MaintenanceWindowViewSet),
    ("nodes", NodeViewSet),
    ("notices", NoticeViewSet),
    ("pools", PoolViewSet),
    ("price-books", PriceBookViewSet),
    ("project-members", ProjectMemberViewSet),
    ("projects", ProjectViewSet),
    ("quota-requests", QuotaRequestViewSet),
    ("quotas", QuotaViewSet),
    ("rates", RateViewSet),
    ("registry-logins", RegistryLoginViewSet),
    ("skus", SkuViewSet),
    ("tenant-images", TenantImageViewSet),
    ("tenants", TenantViewSet),
    ("tokens", TokenViewSet),
    ("usage", UsageViewSet),
    ("volumes", VolumeViewSet),
):
    router.register(name, resource, basename=f"api-{name}")

urlpatterns = [
    path("me", MeViewSet.as_view({"get": "retrieve"}), name="api-me"),
    path("schema", SpectacularJSONAPIView.as_view(), name="api-schema"),
    path("", include(router.urls)),
    # Whatever is left, line breaks and all: `path` would leave those to the pages.
    re_path(r"", nothing_here, name="api-nothing-here"),
]
