"""What is on offer, what is asked for, and who decides."""

from tests.portal.walking import AliceWorld, Step, Words, anybodys, mine


def _wish(world: AliceWorld) -> Words:
    return {"project": world.project.pk, "instance_type": "rngd-1", "image": "rngd-workspace"}


CATALOGUE = [
    anybodys("/capacity"),
    anybodys("/images"),
    anybodys("/instance-types"),
    anybodys("/instance-types/{slug}", key=lambda w: "rngd-1"),
    Step(
        "get", "/instance-types/{slug}/estimate",
        key=lambda w: "rngd-1", asked=lambda w: {"tenant": w.tenant.slug},
    ),
]  # fmt: skip

REQUESTS = [
    mine("/quotas"),
    Step("get", "/quotas/{id}", key=lambda w: w.quota.pk),
    Step("get", "/quotas/{id}/entries", key=lambda w: w.quota.pk),
    mine("/quota-requests"),
    Step("get", "/quota-requests/{id}", key=lambda w: w.quota_request.pk),
    Step(
        "post", "/quota-requests", status=201,
        body=lambda w: {
            "project": w.project.pk, "family": "rngd", "devices": 2, "justification": "More"
        },
    ),
    Step("post", "/quota-requests/{id}/approve", who="bob", key=lambda w: w.quota_request.pk),
    Step(
        "post", "/quota-requests/{id}/reject", who="bob", key=lambda w: w.quota_request.pk,
        body=lambda w: {"reason": "Not now."},
    ),
    Step("post", "/quota-requests/{id}/withdraw", key=lambda w: w.quota_request.pk),
    mine("/instance-requests"),
    Step("get", "/instance-requests/{id}", key=lambda w: w.held_request.pk),
    Step("post", "/instance-requests", body=_wish, status=201),
    Step("post", "/instance-requests/{id}/approve", who="bob", key=lambda w: w.held_request.pk),
    Step(
        "post", "/instance-requests/{id}/reject", who="bob", key=lambda w: w.held_request.pk,
        body=lambda w: {"reason": "Not now."},
    ),
    Step("post", "/instance-requests/{id}/withdraw", key=lambda w: w.held_request.pk),
]  # fmt: skip
