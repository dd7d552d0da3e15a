"""The rules an import linter cannot see."""

import importlib.util
import re
from pathlib import Path

import pytest
from django.apps import apps
from django.db import connection, connections

CHECKOUT = Path(__file__).resolve().parents[2]
# Lower stands lower in the house; a foreign key may point down or sideways.
HEIGHT = {
    "billing": 0,
    "provisioning": 1,
    "tenants": 3,
    "quotas": 4,
    "requests": 5,
    "api": 6,
    "web": 6,
}


def _own_models() -> list[type]:
    return [model for model in apps.get_models() if model._meta.app_label in HEIGHT]


def test_there_are_models_to_look_at() -> None:
    assert len(_own_models()) > 20


@pytest.mark.parametrize("model", _own_models(), ids=lambda model: model.__name__)
def test_foreign_keys_point_down(model: type) -> None:
    own = HEIGHT[model._meta.app_label]
    for field in model._meta.get_fields():
        target = getattr(field, "related_model", None)
        if target is None or field.auto_created or target._meta.app_label not in HEIGHT:
            continue
        assert HEIGHT[target._meta.app_label] <= own, f"{field} points up"


def test_every_deferred_name_is_a_task() -> None:
    from portal.celery import app

    app.loader.import_default_modules()
    named = set()
    for file in CHECKOUT.glob("*/**/deferring.py"):
        named |= set(re.findall(r'"((?:billing|provisioning|portal)\.[a-z_]+)"', file.read_text()))
    assert named
    assert named <= set(app.tasks)


def test_scheduled_names_are_tasks() -> None:
    from portal.celery import app

    app.loader.import_default_modules()
    scheduled = {entry["task"] for entry in app.conf.beat_schedule.values()}
    assert scheduled
    assert scheduled <= set(app.tasks)


def test_the_driver_is_psycopg2() -> None:
    # Django takes psycopg 3 silently wherever it can be imported.
    assert importlib.util.find_spec("psycopg") is None
    from django.db.backends.postgresql.psycopg_any import is_psycopg3

    assert not is_psycopg3


@pytest.mark.django_db
def test_the_embedded_server_syncs_to_disk() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SHOW fsync")
        assert cursor.fetchone() == ("on",)


@pytest.mark.django_db
def test_the_application_owns_no_table_and_cannot_truncate() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_tables WHERE tableowner = current_user")
        assert cursor.fetchone() == (0,)
        cursor.execute(
            "SELECT count(*), count(*) FILTER (WHERE has_table_privilege(current_user,"
            " quote_ident(tablename), 'TRUNCATE')) FROM pg_tables WHERE schemaname = 'public'"
        )
        tables, truncatable = cursor.fetchone()
    assert tables > 30
    assert truncatable == 0
    assert connections["owner"].settings_dict["USER"] == "farm_owner"


def test_migrations_are_named_by_hand() -> None:
    files = [
        file.name
        for app in ("billing", "provisioning", "portal")
        for file in (CHECKOUT / app).glob("**/migrations/0*.py")
    ]
    assert files
    assert not [name for name in files if "_auto_" in name]


def test_no_registry_and_no_foreign_path_in_any_file() -> None:
    import subprocess

    listed = subprocess.run(
        ["git", "ls-files"], cwd=CHECKOUT, capture_output=True, text=True, check=True
    ).stdout.split("\n")
    suspicious = re.compile(r"--(extra-)?index-url|\"resolved\": *\"http|registry *= *\"?http")
    for name in filter(None, listed):
        if name == "tests/architecture/test_links.py" or not (CHECKOUT / name).is_file():
            continue
        text = (CHECKOUT / name).read_text(errors="ignore")
        assert not suspicious.search(text.replace("--no-emit-index-url", "")), name
