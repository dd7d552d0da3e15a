"""Where a person may go from here.

Reads roles once per page and asks the policy table, so that menus and buttons show
what the doors behind them will allow.  The doors decide again for themselves.
"""

from functools import cached_property

from django.db.models import Q
from django.http import HttpRequest

from portal.notices import scoping as notices
from portal.requests.models import InstanceRequest, QuotaRequest
from portal.tenants.access import POLICY, Action, Role, StaffRole
from portal.tenants.models import Membership, PlatformRole, ProjectMembership, Tenant, User

STAFF_SECTIONS = {
    "approvals": (Action.DECIDE_QUOTA_REQUEST, Action.VIEW_QUOTA_REQUEST),
    "clusters": (Action.VIEW_CLUSTER,),
    "trouble": (Action.VIEW_INSTANCE,),
    "inventory": (Action.VIEW_CLUSTER,),
    "images": (Action.VIEW_TENANT_IMAGE,),
    "maintenance": (Action.VIEW_CLUSTER,),
    "billing": (Action.VIEW_PERIOD,),
    "prices": (Action.VIEW_PRICES,),
}


class Navigation:
    """The menus of one page, worked out only as far as the page asks."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    @cached_property
    def user(self) -> User | None:
        """Who is signed in."""
        user = getattr(self._request, "user", None)
        return user if isinstance(user, User) else None

    @cached_property
    def section(self) -> str:
        """The menu entry this page belongs to: the first word of its name."""
        match = self._request.resolver_match
        return (match.url_name or "").split("-")[0] if match else ""

    @cached_property
    def tenants(self) -> list[Tenant]:
        """Tenants the person belongs to, in whole or in part."""
        if self.user is None:
            return []
        mine = Q(memberships__user=self.user) | Q(projects__memberships__user=self.user)
        return list(Tenant.objects.filter(mine).distinct().order_by("name"))

    @cached_property
    def tenant(self) -> Tenant | None:
        """The tenant this page is about, else the one the person belongs to."""
        match = self._request.resolver_match
        slug = match.kwargs.get("slug") if match else None
        if slug is None:
            return self.tenants[0] if self.tenants else None
        known = [tenant for tenant in self.tenants if tenant.slug == slug]
        return known[0] if known else Tenant.objects.filter(slug=slug).first()

    @cached_property
    def can(self) -> frozenset[Action]:
        """What the person may do in the tenant of this page."""
        roles: list[Role | StaffRole] = [*self._roles, *self.staff_roles]
        return frozenset().union(*(POLICY[role] for role in roles))

    @cached_property
    def staff_roles(self) -> list[StaffRole]:
        """What the person is to the platform."""
        if self.user is None:
            return []
        rows = PlatformRole.objects.filter(user=self.user).values_list("role", flat=True)
        return [StaffRole(role) for role in rows]

    @cached_property
    def staff_can(self) -> frozenset[Action]:
        """What the person may do everywhere."""
        return frozenset().union(*(POLICY[role] for role in self.staff_roles))

    @cached_property
    def staff_sections(self) -> frozenset[str]:
        """Which rooms of the platform are open to the person."""
        return frozenset(
            name for name, actions in STAFF_SECTIONS.items() if self.staff_can & set(actions)
        )

    @cached_property
    def undecided_count(self) -> int:
        """How many wishes wait for an approver."""
        quota = QuotaRequest.objects.filter(state=QuotaRequest.OPEN).count()
        return quota + InstanceRequest.objects.filter(state=InstanceRequest.OPEN).count()

    @cached_property
    def unread_count(self) -> int:
        """How many notices the person has not read."""
        return 0 if self.user is None else notices.unread_count(self.user)

    @cached_property
    def _roles(self) -> list[Role]:
        if self.user is None or self.tenant is None:
            return []
        whole = Membership.objects.filter(user=self.user, tenant=self.tenant)
        part = ProjectMembership.objects.filter(user=self.user, project__tenant=self.tenant)
        return [
            Role(role) for rows in (whole, part) for role in rows.values_list("role", flat=True)
        ]
