"""Tenants, projects, members and tokens."""

from tests.factories.portal import TOMORROW
from tests.portal.walking import Meets, Step, anybodys, mine

PEOPLE = [
    anybodys("/me"),
    mine("/tenants"),
    Step("get", "/tenants/{slug}", key=lambda w: w.tenant.slug),
    Step("post", "/tenants", body=lambda w: {"name": "New"}, status=201, stranger=Meets.THE_SAME),
    mine("/projects"),
    Step("get", "/projects/{id}", key=lambda w: w.project.pk),
    Step(
        "post", "/projects", status=201, body=lambda w: {"tenant": w.tenant.slug, "name": "Night"}
    ),
    mine("/members"),
    Step(
        "post", "/members", status=201,
        body=lambda w: {"tenant": w.tenant.slug, "email": w.newcomer, "role": "member"},
    ),
    Step("patch", "/members/{id}", key=lambda w: w.colleague.pk, body=lambda w: {"role": "viewer"}),
    Step("delete", "/members/{id}", key=lambda w: w.colleague.pk, status=204),
    mine("/project-members", asked=lambda w: {"project": w.guest.project_id}),
    Step(
        "post", "/project-members", status=201,
        body=lambda w: {"project": w.project.pk, "email": w.newcomer, "role": "viewer"},
    ),
    Step("delete", "/project-members/{id}", key=lambda w: w.guest.pk, status=204),
    mine("/tokens"),
    Step(
        "post", "/tokens", status=201,
        body=lambda w: {"tenant": w.tenant.slug, "name": "CI", "expires_at": TOMORROW},
    ),
    Step("delete", "/tokens/{id}", key=lambda w: w.token.pk, status=204),
]  # fmt: skip
