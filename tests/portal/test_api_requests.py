"""From the wish to the instance over the API, each by the person whose part it is."""

from datetime import timedelta
from uuid import uuid4

import pytest

from portal.requests.models import InstanceRequest, QuotaRequest
from portal.tenants import joining
from portal.tenants.access import Role
from portal.tenants.models import Project, Tenant, User
from provisioning.models import Instance, Transition
from provisioning.states import State
from tests.factories import portal as factory
from tests.factories.portal import NOON, TOMORROW, Catalog
from tests.portal.conftest import Calls

pytestmark = pytest.mark.django_db


def test_a_tenant_is_opened_and_shown(api: Calls, alice: User) -> None:
    client = api(alice)

    made = client.post("/api/v1/tenants", {"name": "Harbor Vision"})

    assert made.status_code == 201
    slug = made.json()["slug"]
    assert client.get(f"/api/v1/tenants/{slug}").json() == made.json()
    project = client.get("/api/v1/projects", {"tenant": slug}).json()["results"][0]
    assert client.get(f"/api/v1/projects/{project['id']}").json() == project
    second = client.post("/api/v1/projects", {"tenant": slug, "name": "Night cameras"})
    assert second.json()["slug"] == "night-cameras"
    account = client.get("/api/v1/accounts", {"tenant": slug}).json()["results"][0]
    assert account["tenant"] == slug


def test_the_way_from_quota_to_instance(
    api: Calls, alice: User, bob: User, project: Project, catalog: Catalog
) -> None:
    tenant_side, approver = api(alice), api(bob)
    asked = tenant_side.post(
        "/api/v1/quota-requests",
        {"project": project.pk, "family": "rngd", "devices": 4, "justification": "CCTV pilot"},
    )
    assert (asked.status_code, asked.json()["state"]) == (201, "submitted")

    waiting = approver.get("/api/v1/quota-requests", {"state": "submitted"}).json()["results"]
    assert [row["id"] for row in waiting] == [asked.json()["id"]]
    approved = approver.post(f"/api/v1/quota-requests/{asked.json()['id']}/approve")
    assert (approved.status_code, approved.json()["granted_devices"]) == (200, 4)
    assert approved.json()["decided_by"] == bob.email

    quota = tenant_side.get("/api/v1/quotas", {"project": project.pk}).json()["results"][0]
    assert (quota["granted"], quota["reserved"], quota["free"]) == (4, 0, 4)

    wish = {
        "project": project.pk,
        "instance_type": "rngd-1",
        "image": "rngd-workspace",
        "count": 2,
        "name": "detector",
        "ends_at": TOMORROW,
    }
    launched = tenant_side.post("/api/v1/instance-requests", wish)
    assert (launched.status_code, launched.json()["state"]) == (201, "approved")
    assert len(launched.json()["instances"]) == 2

    quota = tenant_side.get(f"/api/v1/quotas/{quota['id']}").json()
    assert (quota["reserved"], quota["free"]) == (2, 2)
    entries = tenant_side.get(f"/api/v1/quotas/{quota['id']}/entries").json()["results"]
    assert sorted(entry["kind"] for entry in entries) == ["grant", "reserve", "reserve"]
    instance = tenant_side.get(f"/api/v1/instances/{launched.json()['instances'][0]}").json()
    assert (instance["state"], instance["desired"]) == ("queued", "running")
    assert instance["tenant"] == project.tenant.slug
    assert instance["queue_position"] in (1, 2)


def test_a_counter_offer_grants_fewer(
    api: Calls, bob: User, submitted_quota_request: QuotaRequest
) -> None:
    answer = api(bob).post(
        f"/api/v1/quota-requests/{submitted_quota_request.pk}/approve",
        {"devices": 3, "reason": "Rack B is full."},
    )

    assert answer.json()["granted_devices"] == 3
    assert answer.json()["decision_reason"] == "Rack B is full."


def test_the_second_decision_meets_a_conflict(
    api: Calls, alice: User, bob: User, submitted_quota_request: QuotaRequest
) -> None:
    address = f"/api/v1/quota-requests/{submitted_quota_request.pk}"
    approver = api(bob)

    assert approver.post(f"{address}/reject", {"reason": "Not a pilot."}).status_code == 200
    late = approver.post(f"{address}/approve")
    assert (late.status_code, late.json()["code"]) == (409, "request_already_decided")
    assert api(alice).post(f"{address}/withdraw").status_code == 409


def test_members_decide_nothing_and_viewers_ask_for_nothing(
    api: Calls,
    alice: User,
    tenant: Tenant,
    submitted_quota_request: QuotaRequest,
    project: Project,
) -> None:
    address = f"/api/v1/quota-requests/{submitted_quota_request.pk}"
    assert api(alice).post(f"{address}/approve").status_code == 403

    mia = factory.make_user("Mia")
    joining.add_member(tenant=tenant, email=mia.email, role=Role.VIEWER, by=alice, at=NOON)
    viewer = api(mia)
    assert viewer.get(address).status_code == 200
    body = {"project": project.pk, "family": "rngd", "devices": 4, "justification": "CCTV"}
    assert viewer.post("/api/v1/quota-requests", body).status_code == 403
    assert viewer.post(f"{address}/withdraw").status_code == 403


class TestHeld:
    """With a limit of two devices."""

    @pytest.fixture
    def held(
        self, granted: Project, catalog: Catalog, alice: User, settings: object
    ) -> InstanceRequest:
        settings.REQUEST_HOLD_DEVICES_OVER = 2  # type: ignore[attr-defined]
        return factory.submit_instances(granted, catalog, by=alice, count=3)

    def test_it_launches_when_approved(self, api: Calls, bob: User, held: InstanceRequest) -> None:
        approver = api(bob)
        waiting = approver.get("/api/v1/instance-requests", {"state": "held"}).json()["results"]
        assert waiting[0]["hold_reasons"] == ["many_devices"]
        assert waiting[0]["instances"] == []

        answer = approver.post(f"/api/v1/instance-requests/{held.pk}/approve")

        assert (answer.status_code, answer.json()["state"]) == (200, "approved")
        assert len(answer.json()["instances"]) == Instance.objects.count() == 3

    def test_it_launches_nothing_when_rejected_or_withdrawn(
        self, api: Calls, alice: User, bob: User, held: InstanceRequest
    ) -> None:
        address = f"/api/v1/instance-requests/{held.pk}"
        assert api(bob).post(f"{address}/reject").status_code == 400
        assert api(bob).post(f"{address}/reject", {"reason": "Later."}).status_code == 200
        assert api(alice).post(f"{address}/withdraw").status_code == 409
        assert not Instance.objects.exists()


def test_an_instance_is_stopped_started_and_terminated(
    api: Calls, alice: User, instance: Instance
) -> None:
    client, address = api(alice), f"/api/v1/instances/{instance.pk}"

    stopped = client.post(f"{address}/stop")
    assert (stopped.status_code, stopped.json()["desired"]) == (202, "stopped")
    early = client.post(f"{address}/start")
    assert (early.status_code, early.json()["code"]) == (409, "illegal_transition")

    factory.end_launch(instance)
    started = client.post(f"{address}/start")
    assert (started.status_code, started.json()["launch_no"]) == (202, 2)

    ended = client.post(f"{address}/terminate")
    assert (ended.status_code, ended.json()["desired"]) == (202, "terminated")
    assert client.post(f"{address}/stop").status_code == 409


def test_a_lease_is_extended(api: Calls, alice: User, instance: Instance) -> None:
    later = TOMORROW + timedelta(days=3)
    client, address = api(alice), f"/api/v1/instances/{instance.pk}/extend"

    assert client.post(address, {"ends_at": later}).status_code == 200
    assert client.post(address, {"ends_at": NOON}).json()["code"] == "lease_in_past"

    instance.refresh_from_db()
    assert instance.ends_at == later


def test_an_instance_tells_its_story(api: Calls, alice: User, instance: Instance) -> None:
    Transition.objects.create(
        instance=instance,
        from_state=State.QUEUED,
        to_state=State.PROVISIONING,
        reason="placed",
        attempt_no=1,
        at=NOON,
    )
    client, address = api(alice), f"/api/v1/instances/{instance.pk}"

    told = client.get(f"{address}/timeline").json()
    assert [(step["from_state"], step["to_state"]) for step in told] == [
        ("", "queued"),
        ("queued", "provisioning"),
    ]
    assert client.get(f"{address}/devices").json() == []
    logs = client.get(f"{address}/logs")
    assert (logs.status_code, logs.json()["code"]) == (409, "no_logs_yet")


def test_instances_are_found_by_tenant_project_and_state(
    api: Calls, alice: User, instance: Instance, granted: Project, catalog: Catalog
) -> None:
    other = factory.submit_instances(granted, catalog, by=alice).launched_instances.get()
    Instance.objects.filter(pk=other.instance_id).update(state=State.RUNNING)
    client = api(alice)

    def found(**asked: object) -> set[str]:
        return {row["id"] for row in client.get("/api/v1/instances", asked).json()["results"]}

    both = {str(instance.pk), str(other.instance_id)}
    assert found() == found(tenant=granted.tenant.slug) == found(project=granted.pk) == both
    assert found(state=["running"]) == {str(other.instance_id)}
    assert found(state=["running", "queued"]) == both
    assert found(tenant="elsewhere") == found(project=10**12) == set()
    assert client.get("/api/v1/instances", {"state": "flying"}).status_code == 400


def test_members_come_and_go(api: Calls, alice: User, tenant: Tenant, project: Project) -> None:
    mia = factory.make_user("Mia")
    client, place = api(alice), {"tenant": tenant.slug}
    added = client.post("/api/v1/members", {**place, "email": mia.email, "role": "member"})
    assert added.status_code == 201
    address = f"/api/v1/members/{added.json()['id']}"

    assert client.patch(address, {"role": "viewer"}).json()["role"] == "viewer"
    assert len(client.get("/api/v1/members", place).json()["results"]) == 2
    assert api(mia).patch(address, {"role": "owner"}).status_code == 403
    assert api(mia).delete(address).status_code == 204

    own = client.get("/api/v1/members", place).json()["results"][0]
    last = client.delete(f"/api/v1/members/{own['id']}")
    assert (last.status_code, last.json()["code"]) == (409, "last_owner")

    guest = client.post(
        "/api/v1/project-members", {"project": project.pk, "email": mia.email, "role": "viewer"}
    )
    assert guest.status_code == 201
    assert api(mia).get(f"/api/v1/projects/{project.pk}").status_code == 200
    assert client.delete(f"/api/v1/project-members/{guest.json()['id']}").status_code == 204
    assert api(mia).get(f"/api/v1/projects/{project.pk}").status_code == 404


def test_the_catalogue_tells_prices(
    api: Calls, alice: User, tenant: Tenant, catalog: Catalog
) -> None:
    client = api(alice)

    types = client.get("/api/v1/instance-types", {"tenant": tenant.slug}).json()["results"]
    assert [(row["slug"], row["hourly_rate"]) for row in types] == [
        ("rngd-1", "3600.0000"),
        ("rngd-4", "3600.0000"),
    ]
    estimate = client.get(
        "/api/v1/instance-types/rngd-4/estimate",
        {"tenant": tenant.slug, "hours": "1.5", "count": 2},
    ).json()
    assert estimate == {
        "hourly_rate": "3600.0000",
        "net_amount": 43200,
        "tax_amount": 4320,
        "total_amount": 47520,
    }
    assert client.get("/api/v1/instance-types/rngd-0").json()["is_retired"] is True
    assert [row["slug"] for row in client.get("/api/v1/images").json()["results"]] == [
        "rngd-workspace"
    ]
    assert client.get("/api/v1/capacity").json() == []


def test_what_does_not_exist_is_not_found(api: Calls, alice: User, tenant: Tenant) -> None:
    client = api(alice)
    for address in (
        "tenants/nobody",
        "projects/999999999999999999999999",
        f"instances/{uuid4()}",
        f"quota-requests/{uuid4()}",
        f"instance-requests/{uuid4()}",
        f"invoices/{uuid4()}",
        "quotas/0",
        "instance-types/abacus",
        "instance-types/rngd-1?tenant=%00",
        "instance-types?tenant=nobody",
    ):
        answer = client.get(f"/api/v1/{address}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), address
