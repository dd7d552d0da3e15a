"""The API by address; one module of `v1` per resource."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from portal.api.v1.accounts import AccountViewSet
from portal.api.v1.capacity import CapacityViewSet
from portal.api.v1.images import ImageViewSet
from portal.api.v1.instance_requests import InstanceRequestViewSet
from portal.api.v1.instance_types import InstanceTypeViewSet
from portal.api.v1.me import MeViewSet
from portal.api.v1.members import MemberViewSet
from portal.api.v1.price_books import PriceBookViewSet, SkuViewSet
from portal.api.v1.project_members import ProjectMemberViewSet
from portal.api.v1.projects import ProjectViewSet
from portal.api.v1.quota_requests import QuotaRequestViewSet
from portal.api.v1.quotas import QuotaViewSet
from portal.api.v1.rates import RateViewSet
from portal.api.v1.tenants import TenantViewSet
from portal.api.v1.tokens import TokenViewSet
from portal.api.v1.usage import UsageViewSet

router = SimpleRouter(trailing_slash=False, use_regex_path=False)
for name, resource in (
    ("accounts", AccountViewSet),
    ("capacity", CapacityViewSet),
    ("images", ImageViewSet),
    ("instance-requests", InstanceRequestViewSet),
    ("instance-types", InstanceTypeViewSet),
    ("members", MemberViewSet),
    ("price-books", PriceBookViewSet),
    ("project-members", ProjectMemberViewSet),
    ("projects", ProjectViewSet),
    ("quota-requests", QuotaRequestViewSet),
    ("quotas", QuotaViewSet),
    ("rates", RateViewSet),
    ("skus", SkuViewSet),
    ("tenants", TenantViewSet),
    ("tokens", TokenViewSet),
    ("usage", UsageViewSet),
):
    router.register(name, resource, basename=f"api-{name}")

urlpatterns = [
    path("me", MeViewSet.as_view({"get": "retrieve"}), name="api-me"),
    path("", include(router.urls)),
]
