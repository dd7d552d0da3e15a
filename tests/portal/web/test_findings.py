"""What is found out about a cluster is said in the reader's language, and says the same."""

from collections.abc import Iterator

import pytest
from django.test import Client
from django.utils import translation

from portal.web import findings
from provisioning import looking, probes
from provisioning.looking import Finding
from provisioning.models import Cluster, ClusterFinding, Family, Question, Verdict
from provisioning.probes import Tried
from tests.factories import provisioning as factory
from tests.factories.provisioning import NOON
from tests.portal.web.conftest import Visits
from tests.portal.web.world import World

pytestmark = pytest.mark.django_db


def tried(code: int | None, *, tells: bool = False) -> Tried:
    return Tried(exit_code=code, message="", tells_devices=tells)


def everything_found() -> Iterator[Finding]:
    """Every sentence the domain writes of its own."""
    for version in ("v1.36.2", "v1.20.0", "hm"):
        yield looking._of_version(version)
        yield looking._of_device_ids(version)
    known = next(name for family in Family.objects.all() for name in family.resource_names)
    for resources in ([], [known], [known, "strange.example/npu"]):
        yield looking._of_devices(resources)
    for code in (probes.OPENED, probes.DENIED, probes.NO_FILE):
        yield probes.of_device_access({"r": tried(code)})
    for tells in (True, False):
        found = probes.of_device_ids({"r": tried(probes.OPENED, tells=tells)})
        assert found
        yield found
    for kept_out in (probes.OPENED, probes.NOT_CONNECTED):
        yield probes.of_wall(let_through=tried(probes.OPENED), kept_out=tried(kept_out))
    for bound, seen in ((False, ""), (True, "npu-x"), (True, "")):
        said = looking._how(is_bound=bound, is_seen=bool(seen))
        facts = {"missing": [], "is_bound": bound, "seen_in": seen}
        yield Finding(question=Question.WORKER, verdict=Verdict.OK, detail=said, facts=facts)


def kept(found: Finding) -> ClusterFinding:
    return ClusterFinding(
        question=found.question, verdict=found.verdict, detail=found.detail, facts=dict(found.facts)
    )


def test_the_words_of_a_page_are_those_of_the_finding() -> None:
    factory.load_catalog()
    with translation.override("en"):
        for found in everything_found():
            assert findings.in_words(kept(found)) == found.detail


def test_what_the_cluster_said_is_shown_as_it_said_it(world: World, visit: Visits) -> None:
    cluster = factory.add_cluster(name="north")
    said = "0/3 nodes are available: 3 Insufficient furiosa.ai/rngd."
    ClusterFinding.objects.create(
        cluster=cluster,
        question=Question.DEVICE_ACCESS,
        verdict=Verdict.NOT_TRIED,
        detail=said,
        facts={"pods": {}},
        found_at=NOON,
    )
    page = _page(visit(world.people["erin"]), cluster)
    assert f'<span lang="en">{said}</span>' in page


def test_one_of_a_kind_is_one(world: World, visit: Visits) -> None:
    cluster = factory.add_cluster(name="north")
    factory.orphan(cluster)
    page = _page(visit(world.people["erin"]), cluster)
    assert "0 instances, 1 pod, 0 volumes" in page


def _page(client: Client, cluster: Cluster) -> str:
    return client.get(f"/staff/clusters/{cluster.name}/").content.decode()
