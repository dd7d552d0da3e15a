"""Which role may do what: one table, read by everything, default deny.

Pure: a role and an action go in, yes or no comes out.  Which roles a person has,
and in which tenant, is `portal.tenants.scoping`'s affair.
"""

from enum import StrEnum


class Role(StrEnum):
    """What a member may be to a tenant (member and viewer also to one project)."""

    OWNER = "owner"
    MANAGER = "manager"
    MEMBER = "member"
    BILLING = "billing"
    VIEWER = "viewer"


class StaffRole(StrEnum):
    """What a person may be to the platform."""

    APPROVER = "approver"
    OPERATOR = "operator"
    FINANCE = "finance"
    AUDITOR = "auditor"


class Action(StrEnum):
    """What may be done.  Each thing has one `view_` action: without it the thing is hidden."""

    # In a tenant
    VIEW_TENANT = "view_tenant"
    VIEW_MEMBERS = "view_members"
    MANAGE_MEMBERS = "manage_members"
    MANAGE_OWNERS = "manage_owners"
    # In a project
    VIEW_PROJECT = "view_project"
    OPEN_PROJECT = "open_project"
    VIEW_QUOTA = "view_quota"
    VIEW_QUOTA_REQUEST = "view_quota_request"
    SUBMIT_QUOTA_REQUEST = "submit_quota_request"
    WITHDRAW_QUOTA_REQUEST = "withdraw_quota_request"
    VIEW_INSTANCE_REQUEST = "view_instance_request"
    SUBMIT_INSTANCE_REQUEST = "submit_instance_request"
    WITHDRAW_INSTANCE_REQUEST = "withdraw_instance_request"
    VIEW_INSTANCE = "view_instance"
    READ_LOGS = "read_logs"
    OPERATE_INSTANCE = "operate_instance"
    VIEW_VOLUME = "view_volume"
    MANAGE_VOLUME = "manage_volume"
    VIEW_TENANT_IMAGE = "view_tenant_image"
    VIEW_REGISTRY_LOGIN = "view_registry_login"
    MANAGE_REGISTRY_LOGIN = "manage_registry_login"
    OPEN_TERMINAL = "open_terminal"
    OPEN_PORT = "open_port"
    # Money
    VIEW_USAGE = "view_usage"
    VIEW_INVOICE = "view_invoice"
    VIEW_ACCOUNT = "view_account"
    # Of the platform
    DECIDE_QUOTA_REQUEST = "decide_quota_request"
    DECIDE_INSTANCE_REQUEST = "decide_instance_request"
    VIEW_CLUSTER = "view_cluster"
    MANAGE_CLUSTER = "manage_cluster"
    MANAGE_TENANT_IMAGE = "manage_tenant_image"
    VIEW_PRICES = "view_prices"
    MANAGE_PRICES = "manage_prices"
    VIEW_PERIOD = "view_period"
    MANAGE_BILLING = "manage_billing"


_LOOK = {
    Action.VIEW_TENANT,
    Action.VIEW_PROJECT,
    Action.VIEW_QUOTA,
    Action.VIEW_QUOTA_REQUEST,
    Action.VIEW_INSTANCE_REQUEST,
    Action.VIEW_INSTANCE,
    Action.VIEW_VOLUME,
    Action.VIEW_TENANT_IMAGE,
}
_WORK = {
    Action.READ_LOGS,
    Action.SUBMIT_QUOTA_REQUEST,
    Action.WITHDRAW_QUOTA_REQUEST,
    Action.SUBMIT_INSTANCE_REQUEST,
    Action.WITHDRAW_INSTANCE_REQUEST,
    Action.OPERATE_INSTANCE,
    Action.MANAGE_VOLUME,
    Action.OPEN_TERMINAL,
    Action.OPEN_PORT,
}
_MONEY = {Action.VIEW_USAGE, Action.VIEW_INVOICE, Action.VIEW_ACCOUNT}
_RUN = {
    Action.VIEW_MEMBERS,
    Action.MANAGE_MEMBERS,
    Action.OPEN_PROJECT,
    Action.VIEW_REGISTRY_LOGIN,
}
# With what may do harm beyond the tenant's instances.
_OWN = {Action.MANAGE_OWNERS, Action.MANAGE_REGISTRY_LOGIN}

POLICY: dict[Role | StaffRole, frozenset[Action]] = {
    Role.OWNER: frozenset(_LOOK | _WORK | _MONEY | _RUN | _OWN),
    Role.MANAGER: frozenset(_LOOK | _WORK | _MONEY | _RUN),
    Role.MEMBER: frozenset(_LOOK | _WORK | {Action.VIEW_MEMBERS, Action.VIEW_USAGE}),
    Role.BILLING: frozenset(_LOOK | _MONEY | {Action.VIEW_MEMBERS}),
    Role.VIEWER: frozenset(_LOOK | {Action.VIEW_MEMBERS, Action.VIEW_USAGE}),
    StaffRole.APPROVER: frozenset(
        {
            Action.VIEW_TENANT,
            Action.VIEW_PROJECT,
            Action.VIEW_QUOTA,
            Action.VIEW_QUOTA_REQUEST,
            Action.VIEW_INSTANCE_REQUEST,
            Action.DECIDE_QUOTA_REQUEST,
            Action.DECIDE_INSTANCE_REQUEST,
            Action.VIEW_CLUSTER,
        }
    ),
    StaffRole.OPERATOR: frozenset(
        {
            Action.VIEW_TENANT,
            Action.VIEW_PROJECT,
            Action.VIEW_INSTANCE,
            Action.VIEW_CLUSTER,
            Action.MANAGE_CLUSTER,
            Action.VIEW_VOLUME,
            Action.VIEW_TENANT_IMAGE,
            Action.MANAGE_TENANT_IMAGE,
            Action.VIEW_REGISTRY_LOGIN,
            Action.MANAGE_REGISTRY_LOGIN,
        }
    ),
    StaffRole.FINANCE: frozenset(
        {
            Action.VIEW_TENANT,
            Action.VIEW_PROJECT,
            Action.VIEW_USAGE,
            Action.VIEW_INVOICE,
            Action.VIEW_ACCOUNT,
            Action.VIEW_PRICES,
            Action.MANAGE_PRICES,
            Action.VIEW_PERIOD,
            Action.MANAGE_BILLING,
        }
    ),
    StaffRole.AUDITOR: frozenset({action for action in Action if action.startswith("view_")}),
}

PROJECT_ROLES = (Role.MEMBER, Role.VIEWER)


def is_allowed(*, role: Role | StaffRole, action: Action) -> bool:
    """Whether the table says yes; what it does not name is refused."""
    return action in POLICY.get(role, frozenset())


def roles_allowing(action: Action) -> tuple[Role, ...]:
    """The tenant roles that may do this."""
    return tuple(role for role in Role if is_allowed(role=role, action=action))


def staff_roles_allowing(action: Action) -> tuple[StaffRole, ...]:
    """The platform roles that may do this."""
    return tuple(role for role in StaffRole if is_allowed(role=role, action=action))
