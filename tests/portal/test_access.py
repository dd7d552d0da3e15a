"""The policy table: default deny, and what the roles may not."""

import pytest

from portal.tenants import access
from portal.tenants.access import Action, Role, StaffRole

WRITES = [action for action in Action if not action.startswith("view_")]


def test_every_role_has_a_row_and_every_action_somebody() -> None:
    assert set(access.POLICY) == {*Role, *StaffRole}
    assert set().union(*access.POLICY.values()) == set(Action)


def test_what_the_table_does_not_name_is_refused() -> None:
    assert not access.is_allowed(role="janitor", action=Action.VIEW_TENANT)  # type: ignore[arg-type]
    assert not access.is_allowed(role=Role.OWNER, action="sing")  # type: ignore[arg-type]


@pytest.mark.parametrize("action", [Action.DECIDE_QUOTA_REQUEST, Action.DECIDE_INSTANCE_REQUEST])
def test_only_approvers_decide(action: Action) -> None:
    assert access.roles_allowing(action) == ()
    assert access.staff_roles_allowing(action) == (StaffRole.APPROVER,)


@pytest.mark.parametrize(
    "action", [Action.MANAGE_PRICES, Action.MANAGE_BILLING, Action.VIEW_PERIOD]
)
def test_no_tenant_role_touches_the_books(action: Action) -> None:
    assert access.roles_allowing(action) == ()


@pytest.mark.parametrize("role", [Role.VIEWER, Role.BILLING, StaffRole.AUDITOR])
def test_those_who_look_change_nothing(role: Role | StaffRole) -> None:
    assert not [action for action in WRITES if access.is_allowed(role=role, action=action)]


def test_an_auditor_sees_everything() -> None:
    looks = {action for action in Action if action.startswith("view_")}
    assert access.POLICY[StaffRole.AUDITOR] == looks


def test_nobody_does_what_they_may_not_see() -> None:
    seen_by = {
        Action.OPERATE_INSTANCE: Action.VIEW_INSTANCE,
        Action.READ_LOGS: Action.VIEW_INSTANCE,
        Action.DECIDE_QUOTA_REQUEST: Action.VIEW_QUOTA_REQUEST,
        Action.WITHDRAW_QUOTA_REQUEST: Action.VIEW_QUOTA_REQUEST,
        Action.DECIDE_INSTANCE_REQUEST: Action.VIEW_INSTANCE_REQUEST,
        Action.WITHDRAW_INSTANCE_REQUEST: Action.VIEW_INSTANCE_REQUEST,
        Action.MANAGE_MEMBERS: Action.VIEW_MEMBERS,
        Action.MANAGE_BILLING: Action.VIEW_INVOICE,
        Action.MANAGE_PRICES: Action.VIEW_PRICES,
        Action.MANAGE_CLUSTER: Action.VIEW_CLUSTER,
        Action.MANAGE_REGISTRY_LOGIN: Action.VIEW_REGISTRY_LOGIN,
    }
    for role, allowed in access.POLICY.items():
        for act, look in seen_by.items():
            assert act not in allowed or look in allowed, f"{role} may {act} but not {look}"
