"""A terminal in a running instance: who gets one, what it does, and how it ends."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.utils import timezone

from portal.access import terminals
from portal.access.models import TerminalSession
from portal.tenants import issuing
from portal.tenants.models import Membership
from provisioning.models import Cluster, Instance
from provisioning.states import State
from tests.access.conftest import Inside, run_for_real
from tests.access.doors import closed, read_until, refused, until
from tests.sandbox.processes import Process


def last() -> TerminalSession:
    return TerminalSession.objects.first()  # type: ignore[return-value]


def test_what_is_typed_is_run_and_what_it_prints_comes_back(inside: Inside) -> None:
    with inside.terminal(inside.browser("alice")) as terminal:
        terminal.send(b"stty size; echo $((6*7))-done\n")
        seen = read_until(terminal, b"42-done")
        assert b"24 80" in seen
        terminal.send('{"resize": [101, 33]}')
        terminal.send(b"stty size\n")
        read_until(terminal, b"33 101")
        terminal.send(b"exit 3\n")
        assert closed(terminal) == (1000, "ended")

    until(lambda: last().closed_at is not None)
    row = last()
    assert (row.user.email, row.instance, row.close_reason) == (
        "alice@example.com",
        inside.instance,
        "ended",
    )


def test_who_leaves_takes_the_shell_along(inside: Inside) -> None:
    with inside.terminal(inside.browser("alice")) as terminal:
        terminal.send(b"echo at-$((6*7)); sleep 4242\n")
        read_until(terminal, b"at-42")
        assert has_process(inside, "sleep 4242")

    until(lambda: last().close_reason == "left")
    until(lambda: not has_process(inside, "sleep 4242"))


def has_process(inside: Inside, command: str) -> bool:
    with inside.terminal(inside.browser("alice")) as terminal:
        terminal.send(b"ps -eo args | cat; echo over-$((1+1))\n")
        said = read_until(terminal, b"over-2")
        return any(line.strip() == command for line in said.decode().splitlines())


@pytest.mark.parametrize("who", ["charlie", "erin", None])
def test_who_is_not_of_the_tenant_meets_nothing(inside: Inside, who: str | None) -> None:
    if who is None:
        with inside.terminal(inside.browser()) as terminal:
            assert closed(terminal) == (4403, "signed_out")
    elif who == "erin":
        # An operator sees instances; what is inside them is the tenant's.
        with inside.terminal(inside.browser(who)) as terminal:
            assert closed(terminal) == (4403, "forbidden")
    else:
        with refused():
            inside.terminal(inside.browser(who))
    assert not TerminalSession.objects.exists()


@pytest.mark.parametrize("who", ["victor", "bea"])
def test_a_role_that_only_looks_opens_no_terminal(inside: Inside, who: str) -> None:
    with inside.terminal(inside.browser(who)) as terminal:
        assert closed(terminal) == (4403, "forbidden")
    assert not TerminalSession.objects.exists()


FOREIGN = [
    "https://evil.example",
    "http://localhost",
    "null",
    None,
    "http://127.0.0.1",
    "http://127.0.0.1.evil.example",
]


def test_a_foreign_page_opens_no_terminal(inside: Inside) -> None:
    browser = inside.browser("alice")
    for origin in FOREIGN:
        with refused():
            inside.terminal(browser, origin=origin)


def test_a_page_of_the_instance_opens_no_terminal(inside: Inside) -> None:
    with refused():
        inside.terminal(inside.browser("alice"), origin=f"http://{inside.place()}")


def test_an_unknown_socket_is_refused(inside: Inside) -> None:
    with refused():
        inside.browser("alice").socket(inside.host, "/nowhere", origin=f"http://{inside.host}")


def test_a_program_comes_with_its_token(inside: Inside) -> None:
    now = timezone.now()
    token, secret = issuing.issue_token(
        user=inside.people["grace"], name="cli", expires_at=now + timedelta(hours=1), at=now
    )
    path = f"/api/v1/instances/{inside.instance.pk}/terminal"
    headers = {"Authorization": f"Bearer {secret}"}
    with inside.browser().socket(inside.host, path, origin=None, headers=headers) as terminal:
        terminal.send(b"echo $((6*7))-done\n")
        read_until(terminal, b"42-done")
        issuing.revoke_token(token=token, at=timezone.now())
        assert closed(terminal) == (4403, "signed_out")


def test_signing_out_closes_the_terminal(inside: Inside) -> None:
    with inside.terminal(inside.browser("alice")) as terminal:
        read_until(terminal, b"$")
        Session.objects.all().delete()
        assert closed(terminal) == (4403, "signed_out")
    until(lambda: last().close_reason == "signed_out")


def test_an_expired_session_closes_the_terminal(inside: Inside) -> None:
    with inside.terminal(inside.browser("alice")) as terminal:
        read_until(terminal, b"$")
        Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
        assert closed(terminal) == (4403, "signed_out")


def test_a_changed_password_closes_the_terminal(inside: Inside) -> None:
    with inside.terminal(inside.browser("alice")) as terminal:
        read_until(terminal, b"$")
        alice = inside.people["alice"]
        alice.set_password("another-pear-tree-42")
        alice.save()
        assert closed(terminal) == (4403, "signed_out")


def test_who_is_no_longer_a_member_is_put_out(inside: Inside) -> None:
    with inside.terminal(inside.browser("grace")) as terminal:
        read_until(terminal, b"$")
        Membership.objects.filter(user=inside.people["grace"]).delete()
        assert closed(terminal) == (4403, "not_found")


def test_a_stop_closes_the_terminal_and_none_opens_after_it(inside: Inside) -> None:
    with inside.terminal(inside.browser("alice")) as terminal:
        read_until(terminal, b"$")
        Instance.objects.update(desired="stopped", state=State.STOPPING)
        assert closed(terminal) == (4403, "not_running")
    with inside.terminal(inside.browser("alice")) as terminal:
        assert closed(terminal) == (4403, "not_running")


def test_another_attempt_is_another_terminal(inside: Inside) -> None:
    with inside.terminal(inside.browser("alice")) as terminal:
        read_until(terminal, b"$")
        Instance.objects.update(attempt_no=7)
        assert closed(terminal) == (4403, "not_running")


def test_nothing_typed_for_too_long_closes_it(inside: Inside, settle: object) -> None:
    settle(TERMINAL_IDLE_SECONDS=0.5)  # type: ignore[operator]
    with inside.terminal(inside.browser("alice")) as terminal:
        assert closed(terminal) == (4403, "idle")


def test_no_terminal_is_open_for_ever(inside: Inside, settle: object) -> None:
    settle(TERMINAL_LONGEST_SECONDS=0.5)  # type: ignore[operator]
    with inside.terminal(inside.browser("alice")) as terminal:
        assert closed(terminal) == (4403, "too_long")


def test_a_dead_cluster_gives_words_and_no_wait(inside: Inside) -> None:
    Cluster.objects.update(kubeconfig_encrypted=dead_kubeconfig(), credentials_revision=99)
    started = time.monotonic()
    with inside.terminal(inside.browser("alice")) as terminal:
        assert closed(terminal) == (4502, "cluster_unreachable")
    assert time.monotonic() - started < 8
    assert last().close_reason == "cluster_unreachable"


def dead_kubeconfig() -> bytes:
    from tests.factories.provisioning import add_cluster

    dead = add_cluster(name="dead", server="http://127.0.0.1:1")
    sealed = bytes(dead.kubeconfig_encrypted)
    dead.delete()
    return sealed


def test_a_flood_of_output_is_taken_at_the_browsers_pace(inside: Inside) -> None:
    with inside.terminal(inside.browser("alice"), max_queue=2) as terminal:
        terminal.send(b"stty -echo\n")
        terminal.send(b"head -c 1000000 /dev/zero | tr '\\0' 'x'; echo; echo over-$((1+1))\n")
        time.sleep(1.5)
        # Slow, but still there, and the end of it comes.
        read_until(terminal, b"over-2")


def test_a_crowd_of_terminals_holds_a_handful_of_connections(
    inside: Inside, settle: Callable[..., None]
) -> None:
    settle(TERMINALS_PER_INSTANCE=24)
    browser = inside.browser("alice")

    with ExitStack() as open_ones:

        def opened(number: int) -> None:
            terminal = open_ones.enter_context(inside.terminal(browser))
            terminal.send(f"echo $((1000+{number}))-here\n".encode())
            read_until(terminal, f"{1000 + number}-here".encode())

        with ThreadPoolExecutor(10) as crowd:
            list(crowd.map(opened, range(24)))
        assert TerminalSession.objects.filter(closed_at=None).count() == 24
        # Each is asked about several times meanwhile.
        time.sleep(0.6)
        assert connections_to_the_database() <= 12
        with inside.terminal(browser) as one_too_many:
            assert closed(one_too_many) == (4403, "too_many_terminals")
    until(lambda: not TerminalSession.objects.filter(closed_at=None).exists(), seconds=40)
    assert connections_to_the_database() <= 12


def connections_to_the_database() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        return int(cursor.fetchone()[0])


def test_what_its_web_process_left_open_is_closed_as_lost(inside: Inside) -> None:
    with inside.terminal(inside.browser("alice")) as terminal:
        read_until(terminal, b"$")
        later = timezone.now() + timedelta(minutes=5)
        assert terminals.close_lost(at=later) == 1
    assert last().close_reason == "lost"


def test_the_tenant_sees_who_was_inside(inside: Inside) -> None:
    with inside.terminal(inside.browser("grace")) as terminal:
        read_until(terminal, b"$")
    part = inside.browser("victor").get(
        inside.host, f"/t/{inside.tenant.slug}/instances/{inside.instance.pk}/access/"
    )
    assert part.status == 200
    assert "grace@example.com" in part.body.decode() or "Grace" in part.body.decode()


def test_another_tenants_instance_is_nothing_by_any_id(inside: Inside, sandbox: Process) -> None:
    """Charlie has an instance of his own that runs: it opens only his."""
    charlie = inside.people["charlie"]
    from portal.tenants.models import Project
    from tests.factories import portal as factory

    project = Project.objects.get(tenant__memberships__user=charlie)
    factory.grant(project, inside.catalog.family, 2, by=inside.people["erin"], asked_by=charlie)
    wish = factory.submit_instances(project, inside.catalog, by=charlie)
    own = wish.launched_instances.get().instance
    run_for_real(sandbox, own, Cluster.objects.get())
    with inside.terminal(inside.browser("charlie"), own) as terminal:
        read_until(terminal, b"$")
    with refused():
        inside.terminal(inside.browser("charlie"))
    with refused():
        inside.terminal(inside.browser("alice"), own)


def test_a_simulated_container_has_a_shell_too(inside: Inside, sandbox: Process) -> None:
    run_for_real(sandbox, inside.instance, Cluster.objects.get(), "registry.local/npu-workspace:1")
    with inside.terminal(inside.browser("alice")) as terminal:
        terminal.send(b"hostname\n")
        read_until(terminal, f"{inside.instance.pk}-a2".encode())
        terminal.send(b"exit\n")
        assert closed(terminal) == (1000, "ended")
