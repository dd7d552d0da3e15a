"""What befalls a tenant reaches its people: each once, some by mail, and nobody else."""

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail

from portal.notices import scoping, telling, wording
from portal.notices.models import Notice
from portal.tenants import joining
from portal.tenants.access import Role
from portal.tenants.models import Membership, User
from provisioning import events
from provisioning.models import TenantNotice
from tests.factories import portal as factory
from tests.factories.portal import AFTERNOON, NOON
from tests.portal.walking import AliceWorld

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(db: None, noon: None, stage: AliceWorld) -> AliceWorld:
    return AliceWorld(people=stage.people, project=stage.project, catalog=stage.catalog)


def tell(world: AliceWorld, **words: Any) -> TenantNotice | None:
    given = {
        "kind": "device_unhealthy",
        "tenant_id": world.tenant.pk,
        "instance_id": world.instance.pk,
        "at": NOON,
        "instance": "detector",
        "device": "npu0",
        "node": "node-1",
    }
    return events.tell_tenant(**{**given, **words})


def carry() -> None:
    telling.take_notices(at=AFTERNOON)
    telling.send_mails(at=AFTERNOON)


def test_the_owner_sees_it_and_gets_a_mail(world: AliceWorld) -> None:
    tell(world)
    carry()
    alice = world.people["alice"]
    (notice,) = scoping.notices_of(alice)
    sentence = wording.sentence_of(notice)
    assert all(word in sentence for word in ("detector", "npu0", "node-1"))
    (sent,) = [one for one in mail.outbox if one.to == [alice.email]]
    assert f"/instances/{world.instance.pk}/" in sent.body
    assert notice.mail_sent_at == AFTERNOON


def test_a_mail_leads_to_the_address_people_know_the_portal_by(
    world: AliceWorld, settings: Any
) -> None:
    settings.FARM_ADDRESS = "https://farm.example"
    tell(world)
    carry()
    address = f"https://farm.example/t/{world.tenant.slug}/instances/{world.instance.pk}/"
    assert address in mail.outbox[0].body


def test_carried_twice_it_is_one_notice_and_one_mail(world: AliceWorld) -> None:
    tell(world)
    carry()
    TenantNotice.objects.update(taken_at=None)
    carry()
    assert Notice.objects.filter(user=world.people["alice"]).count() == 1
    assert [one.to for one in mail.outbox].count([world.people["alice"].email]) == 1


def test_told_twice_it_is_one_thing(world: AliceWorld) -> None:
    assert tell(world, once="window 1")
    assert tell(world, once="window 1", at=NOON + timedelta(hours=1)) is None
    assert tell(world, once="window 2")
    assert TenantNotice.objects.count() == 2


def test_a_mail_claimed_by_somebody_else_is_not_sent(world: AliceWorld) -> None:
    tell(world)
    telling.take_notices(at=AFTERNOON)
    Notice.objects.update(mail_claimed_at=NOON)
    assert telling.send_mails(at=AFTERNOON) == 0
    assert mail.outbox == []


def test_a_mail_that_fails_is_not_tried_again(
    world: AliceWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(world)

    def refuse(*_: object, **__: object) -> int:
        raise OSError("no route")

    monkeypatch.setattr(telling, "send_mail", refuse)
    carry()
    monkeypatch.undo()
    carry()
    assert mail.outbox == []
    notice = Notice.objects.get(user=world.people["alice"])
    assert (notice.mail_sent_at, notice.read_at) == (None, None)


def test_members_see_it_without_a_mail_and_viewers_do_not(world: AliceWorld) -> None:
    viewer = factory.make_user("Judy")
    joining.add_member(
        tenant=world.tenant, email=viewer.email, role=Role.VIEWER, by=world.people["alice"], at=NOON
    )
    colleague = world.colleague.user
    tell(world)
    carry()
    assert scoping.unread_count(colleague) == 1
    assert scoping.unread_count(viewer) == 0
    mailed = {address for sent in mail.outbox for address in sent.to}
    assert world.people["alice"].email in mailed
    assert colleague.email not in mailed


def test_a_stranger_hears_nothing(world: AliceWorld) -> None:
    tell(world)
    carry()
    assert not Notice.objects.filter(user=world.people["charlie"]).exists()


def test_who_leaves_the_tenant_sees_its_notices_no_more(world: AliceWorld) -> None:
    colleague: User = world.colleague.user
    tell(world)
    carry()
    Membership.objects.filter(user=colleague).delete()
    assert scoping.unread_count(colleague) == 0


def test_who_leaves_a_project_reads_of_its_instances_no_more(
    world: AliceWorld, client: Any
) -> None:
    guest = factory.make_user("Judy")
    two = [world.project, world.tenant.projects.create(name="Other", slug="other", created_at=NOON)]
    inside, _ = [
        joining.add_project_member(project=one, email=guest.email, role=Role.MEMBER, at=NOON)
        for one in two
    ]
    tell(world)
    carry()
    client.force_login(guest)
    assert scoping.unread_count(guest) == 1
    assert "detector" in client.get("/notices/").content.decode()
    # The other project keeps her in the tenant.
    joining.remove_project_member(membership=inside)
    assert scoping.unread_count(guest) == 0
    assert "detector" not in client.get("/notices/").content.decode()
    assert client.get("/api/v1/notices").json()["results"] == []


def test_what_is_of_no_instance_is_not_for_guests_of_a_project(world: AliceWorld) -> None:
    colleague: User = world.colleague.user
    tell(world, kind="volume_expiring", instance_id=None, volume="weights")
    carry()
    assert scoping.unread_count(colleague) == 1
    Membership.objects.filter(user=colleague).delete()
    joining.add_project_member(
        project=world.project, email=colleague.email, role=Role.MEMBER, at=NOON
    )
    assert scoping.unread_count(colleague) == 0


def test_who_has_left_gets_no_mail_of_what_was_written_before(world: AliceWorld) -> None:
    manager = factory.make_user("Judy")
    given = {"tenant": world.tenant, "by": world.people["alice"]}
    membership = joining.add_member(email=manager.email, role=Role.MANAGER, at=NOON, **given)
    tell(world)
    telling.take_notices(at=AFTERNOON)
    joining.remove_member(membership=membership, by=manager)
    telling.send_mails(at=AFTERNOON)
    mailed = {address for sent in mail.outbox for address in sent.to}
    assert manager.email not in mailed
    assert world.people["alice"].email in mailed


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\u2028", "\x0b", "\x85"])
def test_a_name_ends_no_line_of_a_mails_head(world: AliceWorld, end: str) -> None:
    notice = Notice(
        tenant=world.tenant,
        kind="lease_ended",
        detail={"instance": f"a{end}Bcc: charlie@example.com"},
        at=NOON,
    )
    (line,) = wording.subject_of(notice).splitlines()
    assert line.startswith("[NPU Farm] a Bcc: charlie@example.com: ")


def test_a_key_to_one_tenant_reads_no_other(world: AliceWorld) -> None:
    tell(world)
    carry()
    # As a key's bearer she is another object: the people of these tests are shared.
    alice = User.objects.get(pk=world.people["alice"].pk)
    alice.confined_to = world.tenant.pk + 1
    assert not scoping.notices_of(alice).exists()


def test_reading_one_leaves_the_others_unread(world: AliceWorld) -> None:
    tell(world)
    tell(world, kind="device_recovered")
    carry()
    alice = world.people["alice"]
    first = scoping.notices_of(alice)[0]
    assert scoping.mark_read(user=alice, notice=first, at=AFTERNOON) == 1
    assert scoping.unread_count(alice) == 1
    assert scoping.mark_read(user=alice, at=AFTERNOON) == 1
    assert scoping.mark_read(user=alice, at=AFTERNOON) == 0


def test_a_kind_nobody_wrote_words_for_is_still_told(world: AliceWorld) -> None:
    tell(world, kind="sun_eclipse")
    carry()
    notice = Notice.objects.get(user=world.people["alice"])
    assert wording.sentence_of(notice) == "detector: sun eclipse"


@pytest.mark.parametrize("kind", sorted(wording.SENTENCES))
def test_every_sentence_can_be_said_with_little_known(world: AliceWorld, kind: str) -> None:
    notice = Notice(tenant=world.tenant, kind=kind, detail={}, at=NOON)
    assert wording.sentence_of(notice)
    assert "\n" not in wording.subject_of(notice)
