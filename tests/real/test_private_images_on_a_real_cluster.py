"""A real kubelet pulls a private image with the tenant's login, and without it says why not.

The registry is run here, so this machine has to be the node: set REAL_REGISTRY to say so.
"""

import os
from collections.abc import Iterator
from uuid import uuid4

import pytest
from django.utils import timezone

from provisioning import confiding, images, registries
from provisioning.models import ConfidedSecret, Instance
from provisioning.states import State
from tests.provisioning.farms import Farm, wait_until
from tests.real.registry import PASSWORD, USER, Registry
from tests.real.test_faults_on_a_real_cluster import end, part

pytestmark = [
    pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning"),
    pytest.mark.skipif("REAL_REGISTRY" not in os.environ, reason="needs REAL_REGISTRY"),
]


@pytest.fixture
def registry() -> Iterator[Registry]:
    registry = Registry()
    registry.start()
    yield registry
    registry.stop()


def until_it_says(farm: Farm, instance: Instance, words: str) -> None:
    def says_so() -> bool:
        instance.refresh_from_db()
        return words in instance.message

    wait_until(says_so, lambda: part(farm), lambda: instance.message, seconds=60)


def until(farm: Farm, instance: Instance, state: State) -> None:
    def is_there() -> bool:
        instance.refresh_from_db()
        return instance.state == state

    wait_until(is_there, lambda: part(farm), lambda: instance.message, seconds=60)


def test_a_private_image_is_pulled_with_the_tenants_login_alone(
    farm: Farm, registry: Registry
) -> None:
    tenant_id, at = farm.account.tenant_id, timezone.now()
    # A name no node has met: an image that is there already is not pulled.
    image = f"{registry.host}/r{uuid4().hex[:8]}/busybox:1"
    images.allow_image(tenant_id=tenant_id, pattern=f"{registry.host}/*", by="Erin", at=at)
    bare = farm.launch(own_image=image)
    until_it_says(farm, bare, "401 Unauthorized")
    assert bare.reason == "image_not_pulled"

    words = {"tenant_id": tenant_id, "host": registry.host, "username": USER}
    wrong = registries.store_login(**words, password="wrong", by="Alice", at=at)
    refused = farm.launch(own_image=image, name="refused")
    until_it_says(farm, refused, "401 Unauthorized")
    assert ("Basic", 401) in registry.met

    login = registries.store_login(**words, password=PASSWORD, by="Alice", at=at)
    wrong.refresh_from_db()
    assert wrong.password_sealed is None
    running = farm.launch(own_image=image, name="running")
    until(farm, running, State.RUNNING)

    registries.remove_login(login=login, by="Alice", at=at)
    part(farm)
    running.refresh_from_db()
    assert (running.state, running.attempt_no) == (State.RUNNING, 1)

    for instance in (bare, refused, running):
        end(farm, instance)
    confiding.clear_away(at=timezone.now())
    assert ConfidedSecret.objects.exclude(deleted_at=None).count() == 2


def test_an_image_one_tenant_was_let_in_to_is_not_the_next_ones(
    farm: Farm, registry: Registry
) -> None:
    """Kubelets check that from Kubernetes 1.35 on; docs/images.md says what to do before."""
    at, image = timezone.now(), f"{registry.host}/r{uuid4().hex[:8]}/busybox:1"
    mine, theirs = farm, Farm(farm.cluster)
    for one in (mine, theirs):
        tenant_id = one.account.tenant_id
        images.allow_image(tenant_id=tenant_id, pattern=f"{registry.host}/*", by="Erin", at=at)
    registries.store_login(
        tenant_id=mine.account.tenant_id, host=registry.host, username=USER, password=PASSWORD,
        by="Alice", at=at,
    )  # fmt: skip
    running = mine.launch(own_image=image)
    until(farm, running, State.RUNNING)
    other = theirs.launch(own_image=image, name="other")
    until_it_says(farm, other, "401 Unauthorized")
    for instance in (running, other):
        end(farm, instance)
