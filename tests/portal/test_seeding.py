"""A demonstration is seeded once, however often it is asked for."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.contrib.auth import authenticate

from billing.models import Rate, Seller
from portal import seeding
from portal.tenants.models import Tenant, User
from provisioning.catalog import load_catalog
from provisioning.models import InstanceType, RuntimeImage

NOON = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)

pytestmark = pytest.mark.django_db


def _counts() -> list[int]:
    models = (User, Tenant, Seller, Rate, InstanceType, RuntimeImage)
    return [model.objects.count() for model in models]


def test_seeding_twice_adds_nothing(tmp_path: Path) -> None:
    load_catalog()
    seeding.seed(home=tmp_path, image="registry.local/npu-workspace:1", at=NOON)
    before = _counts()
    load_catalog()
    seeding.seed(home=tmp_path, image="registry.local/npu-workspace:1", at=NOON + timedelta(days=1))
    assert _counts() == before
    assert all(before)


def test_another_image_replaces_the_one_given_before(tmp_path: Path) -> None:
    load_catalog()
    for image in ("registry.local/npu-workspace:1", "registry.local/" + "deep/" * 20 + "npu:2"):
        seeding.seed(home=tmp_path, image=image, at=NOON)
        assert RuntimeImage.objects.get(slug="workspace-given").reference == image


def test_the_logins_open_the_door_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    load_catalog()
    logins = seeding.seed(home=tmp_path, image=None, at=NOON)
    file = tmp_path / "demo.json"
    assert json.loads(file.read_text()) == logins
    assert file.stat().st_mode & 0o077 == 0
    alice = logins["tenant"]
    assert authenticate(None, email=alice["email"], password=alice["password"])


def test_every_instance_type_on_offer_has_a_price(tmp_path: Path) -> None:
    load_catalog()
    seeding.seed(home=tmp_path, image=None, at=NOON)
    priced = set(Rate.objects.values_list("sku__code", flat=True))
    assert set(InstanceType.objects.values_list("sku_code", flat=True)) == priced


def test_a_type_that_left_the_files_is_retired_and_kept(tmp_path: Path) -> None:
    load_catalog()
    offered = InstanceType.objects.count()
    load_catalog(files=tmp_path)
    assert InstanceType.objects.filter(is_retired=True).count() == offered
