"""One chaos run from an empty farm to the verdict."""

import contextlib
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml

from benchmarks._printing import print_result
from benchmarks.chaos import truth, verdicts
from benchmarks.chaos.breaking import Mischief
from benchmarks.chaos.churning import Churn
from benchmarks.chaos.ledger import Instance, Ledger
from benchmarks.chaos.sandboxes import Sandbox
from benchmarks.chaos.verdicts import Evidence, Verdict
from demo.client import Person
from demo.serving import Farm, free_port
from portal.engines import environment, postgres

FARM = Path(__file__).with_name("farm.yaml")
WITNESS_SECONDS = 30.0
AT_REST = {"running": "running", "stopped": "stopped", "terminated": "terminated"}


@dataclass(frozen=True, kw_only=True)
class Options:
    """How much, for how long, and from which seed."""

    instances: int = 300
    minutes: float = 5.0
    seed: int = 1
    clicks_per_second: float = 3.0
    pause_between_faults: float = 2.0
    patience_seconds: float = 420.0
    environment: dict[str, str] = field(default_factory=dict)
    keep: bool = False

    @property
    def tolerance(self) -> timedelta:
        """One node lease interval and one between two lists that witness."""
        lease = yaml.safe_load(FARM.read_text())["delays"]["lease"]
        witness = self.environment.get("WITNESS_INTERVAL", WITNESS_SECONDS)
        return timedelta(seconds=float(lease) + float(witness))


@dataclass(kw_only=True)
class Outcome:
    """What came of a run."""

    verdict: Verdict
    evidence: Evidence
    settled_after: float | None
    quarantined: int
    kills: dict[str, int]
    clicks: dict[str, int]


def chaos(options: Options | None = None) -> Outcome:
    """Run, and print the one line."""
    options = options or Options()
    outcome = run(options)
    verdict, evidence = outcome.verdict, outcome.evidence
    for finding in verdict.findings[:50]:
        print(finding, flush=True)
    print_result(
        "chaos_unexplained",
        value=verdict.orphans + verdict.doubles + verdict.unexplained_seconds,
        unit="count",
        target=0,
        orphans=verdict.orphans,
        doubles=verdict.doubles,
        unexplained_seconds=verdict.unexplained_seconds,
        quota_differences=verdict.quota_differences,
        device_overlaps=verdict.device_overlaps,
        quarantined=outcome.quarantined,
        bounded_ends=verdict.bounded_ends,
        given_up_seconds=verdict.given_up_seconds,
        tolerance_s=options.tolerance.total_seconds(),
        instances=len(evidence.instances),
        runs=len(evidence.runs),
        running_at_the_end=sum(run.ended_at is None for run in evidence.runs),
        failed=sum(one.state == "failed" for one in evidence.instances),
        settled_after_s=outcome.settled_after,
        faults=sum(outcome.kills.values()),
        kills=outcome.kills,
        clicks=outcome.clicks,
        minutes=options.minutes,
        seed=options.seed,
        load=[round(one, 1) for one in os.getloadavg()],
    )
    return outcome


def run(options: Options) -> Outcome:
    """Bring a farm up, break it, let it settle, and reach the verdict."""
    with _farm(options) as farm:
        ledger = Ledger(environment.load(farm.home)["DATABASE_URL"])
        sandbox = Sandbox(farm.home / "sandbox")
        churn = Churn(
            alice=Person(address=farm.address, **farm.logins["tenant"]),
            bob=Person(address=farm.address, **farm.logins["approver"]),
            instances=options.instances,
            per_second=options.clicks_per_second,
            seed=options.seed,
        )
        mischief = Mischief(home=farm.home, ledger=ledger, sandbox=sandbox, seed=options.seed)
        until = time.monotonic() + options.minutes * 60
        clicks = threading.Thread(target=lambda: churn.run(until=until), daemon=True)
        clicks.start()
        mischief.run(until=until, pause=options.pause_between_faults)
        mischief.stop()
        clicks.join()
        settled = _settle(ledger, sandbox, options)
        evidence = _evidence(ledger, sandbox, mischief, options)
        return Outcome(
            verdict=verdicts.reach(evidence),
            evidence=evidence,
            settled_after=settled,
            quarantined=ledger.quarantined(),
            kills=dict(sorted(mischief.done.items())),
            clicks=dict(sorted(churn.clicks.items())),
        )


@contextlib.contextmanager
def _farm(options: Options) -> Iterator[Farm]:
    home = Path(tempfile.mkdtemp(prefix="npu-farm-chaos-"))
    farm = Farm(
        home=home,
        options=["--sandbox-farm", str(FARM), "--web-processes", "1"],
        port=free_port(),
        environment={**_outside(), **options.environment},
        output=home / "up.log",
    )
    try:
        yield farm
    finally:
        farm.stop()
        if options.keep:
            print(f"kept: {home}", flush=True)
        else:
            shutil.rmtree(home, ignore_errors=True)
        shutil.rmtree(postgres.base_for(home), ignore_errors=True)


def _outside() -> dict[str, str]:
    """This process's environment without what ties it to another farm's database."""
    tied = ("DATABASE_", "FARM_", "SECRET_KEY", "DJANGO_SETTINGS")
    return {name: value for name, value in os.environ.items() if not name.startswith(tied)}


def _settle(ledger: Ledger, sandbox: Sandbox, options: Options) -> float | None:
    """Wait until everybody is where they wish to be; None when that never comes."""
    began = time.monotonic()
    while (waited := time.monotonic() - began) < options.patience_seconds:
        if _is_settled(ledger, sandbox, options):
            return round(waited, 1)
        time.sleep(1)
    return None


def _is_settled(ledger: Ledger, sandbox: Sandbox, options: Options) -> bool:
    instances = ledger.instances()
    if not all(_is_at_rest(one) for one in instances):
        return False
    at = datetime.now(UTC)
    unended = [one for one in ledger.intervals() if one.ended_at is None]
    if any(at - one.proved_until > options.tolerance for one in unended):
        return False
    there = sum(len(sandbox.pods(cluster)) for cluster in sandbox.clusters)
    running = sum(one.state == "running" for one in instances)
    return there == len(unended) == running == len(ledger.reserved())


def _is_at_rest(one: Instance) -> bool:
    return not one.is_due and (one.state in ("failed", AT_REST[one.desired]))


def _evidence(ledger: Ledger, sandbox: Sandbox, mischief: Mischief, options: Options) -> Evidence:
    at = datetime.now(UTC)
    return Evidence(
        at=at,
        runs=truth.read_runs(sandbox.folder),
        pods=[pod for cluster in sandbox.clusters for pod in sandbox.pods(cluster)],
        intervals=ledger.intervals(),
        instances=ledger.instances(),
        reserved=ledger.reserved(),
        outages=mischief.outages,
        tolerance=options.tolerance,
    )
