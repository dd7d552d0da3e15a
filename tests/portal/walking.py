"""A step of the stranger walk: one operation of the API, and whose it is.

It says who does it first, with which real objects of Alice's, and what Charlie, from another
tenant, meets when he tries the same.  All of them are in `steps`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import cached_property
from typing import Any

from billing.models import PriceBook
from portal.quotas.models import Quota
from portal.tenants import issuing, joining
from portal.tenants.access import Role
from portal.tenants.models import ApiToken, ProjectMembership
from provisioning.models import Cluster
from tests.factories import portal as factory
from tests.factories import provisioning as provisioning_factory
from tests.factories.portal import NOON, TOMORROW
from tests.portal.web.world import World

Words = dict[str, Any]


class Meets(Enum):
    """What a stranger meets."""

    NOTHING = auto()  # 404: as if it did not exist
    NONE_OF_HERS = auto()  # an answer, without anything of Alice's
    THE_SAME = auto()  # what everybody who is signed in may do: it is nobody's


@dataclass(frozen=True)
class AliceWorld(World):
    """Whatever of Alice's the API can name, besides what her pages show."""

    @property
    def marks(self) -> set[str]:
        """What gives Alice away wherever it is printed."""
        names = {self.tenant.slug, self.tenant.name, "alice@example.com", "detector"}
        return names | {
            str(self.instance.pk),
            str(self.quota_request.pk),
            "datasets",
            "harbor-robot",
        }

    @property
    def quota(self) -> Quota:
        return Quota.objects.get(project=self.project)

    @cached_property
    def cluster(self) -> Cluster:
        return provisioning_factory.add_cluster(name="east")

    @cached_property
    def token(self) -> ApiToken:
        return issuing.issue_token(
            user=self.people["alice"], name="laptop", expires_at=TOMORROW, at=NOON
        )[0]

    @cached_property
    def guest(self) -> ProjectMembership:
        heidi = factory.make_user("Heidi")
        return joining.add_project_member(
            project=self.project, email=heidi.email, role=Role.VIEWER, at=NOON
        )

    @property
    def book(self) -> PriceBook:
        return PriceBook.objects.get()

    @property
    def newcomer(self) -> str:
        """Somebody who has signed up and belongs nowhere."""
        return factory.make_user("Ivan").email


@dataclass(frozen=True)
class Step:
    """One operation of the API."""

    verb: str
    path: str
    who: str = "alice"
    key: Callable[[AliceWorld], object] | None = None
    asked: Callable[[AliceWorld], Words] = field(default=lambda world: {})
    body: Callable[[AliceWorld], Words] = field(default=lambda world: {})
    status: int = 200
    stranger: Meets = Meets.NOTHING

    @property
    def name(self) -> str:
        return f"{self.verb} {self.path}"

    def address(self, world: AliceWorld) -> str:
        key = "" if self.key is None else str(self.key(world))
        path = self.path.replace("{id}", key).replace("{slug}", key)
        return "/api/v1" + path.replace("{port}", "8888")


def mine(path: str, **words: Any) -> Step:
    """A list of what is hers, in which a stranger finds none of it."""
    return Step("get", path, stranger=Meets.NONE_OF_HERS, **words)


def staffs(path: str, who: str) -> Step:
    """A list only staff may see."""
    return Step("get", path, who=who)


def anybodys(path: str, **words: Any) -> Step:
    """What everybody who is signed in may read."""
    return Step("get", path, stranger=Meets.THE_SAME, **words)


def having(*rows: object) -> dict[str, str]:
    """Ask for nothing in particular, once these rows are there to be listed."""
    return {}
