"""The main job, step by step: from a wish for quota to a paid-for second on an invoice."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

from demo import arithmetic
from demo.client import Json, Person, Refused
from demo.telling import Teller

T = TypeVar("T")

QUEUE_TIMEOUT_S = 180
PROOF_TIMEOUT_S = 180


@dataclass
class Story:
    """Three people, and what has come of their story so far."""

    alice: Person
    bob: Person
    dana: Person
    folder: Path
    image: str | None
    run_for_s: float
    tell: Teller = field(default_factory=Teller)
    outcome: Json = field(default_factory=dict)
    tenant: Json = field(default_factory=dict)

    def run(self) -> Json:
        """Tell the whole story; returns its figures.  Raises `Refused`."""
        tenant = self.tenant = self.alice.get("me")["tenants"][0]
        project = self.alice.items("projects", tenant=tenant["slug"])[0]
        size = self._choose(tenant)
        self._get_quota(project, size)
        instance = self._launch(project, size)
        self._run_and_stop(instance)
        seconds, rate = self._meter(instance, size)
        invoice = self._invoice(tenant)
        self._check(invoice, instance=instance, seconds=seconds, rate=rate)
        self._download(invoice)
        return self.outcome

    # --- quota -------------------------------------------------------------

    def _choose(self, tenant: Json) -> Json:
        """Take the smallest priced size that some cluster can hold now."""
        self.tell.step("What is on offer, and free now")

        def fitting() -> list[Json]:
            pools = self.alice.items_of("capacity")
            sizes = self.alice.items("instance-types", tenant=tenant["slug"])
            return [
                size
                for size in sorted(sizes, key=lambda size: int(size["cpu_millicores"]))
                if size["hourly_rate"] is not None
                and any(
                    pool["family"] == size["family"] and pool["free"] >= size["device_count"]
                    for pool in pools
                )
            ]

        found = self._wait(fitting, bool, "a cluster with free devices", QUEUE_TIMEOUT_S)
        for pool in self.alice.items_of("capacity"):
            free = f"{pool['free']} of {pool['total']} devices free"
            self.tell.figure(pool["cluster"], f"{pool['resource_name']}: {free}")
        size: Json = found[0]
        self.tell.figure("chosen", f"{size['name']} at {Decimal(size['hourly_rate']):,.0f} won/h")
        return size

    def _get_quota(self, project: Json, size: Json) -> None:
        self.tell.step("Alice asks for quota, Bob approves")
        asked = self.alice.post(
            "quota-requests",
            {
                "project": project["id"],
                "family": size["family"],
                "devices": size["device_count"],
                "justification": "CCTV analytics: a first model on one camera.",
            },
        )
        self.tell.figure("asked", f"{asked['devices']} × {asked['family']} ({asked['id']})")
        waiting = self.bob.items("quota-requests", state="submitted")
        if asked["id"] not in [request["id"] for request in waiting]:
            raise Refused("the request is not in the approver's queue")
        decided = self.bob.post(f"quota-requests/{asked['id']}/approve")
        self.tell.figure(
            "approved", f"{decided['granted_devices']} devices by {decided['decided_by']}"
        )
        self.outcome["quota_request"] = asked["id"]

    # --- instance ----------------------------------------------------------

    def _launch(self, project: Json, size: Json) -> Json:
        self.tell.step("Alice asks for an instance; it launches at once, inside the quota")
        images = self.alice.items("images")
        image = next((image for image in images if self.image in (None, image["reference"])), None)
        if image is None:
            raise Refused(f"the image {self.image} is not on offer")
        clicked = time.monotonic()
        request = self.alice.post(
            "instance-requests",
            {
                "project": project["id"],
                "instance_type": size["slug"],
                "image": image["slug"],
                "name": "first-camera",
            },
        )
        instance_id = request["instances"][0]
        self.tell.figure("requested", f"{image['reference']} on {size['name']} ({instance_id})")
        instance = self._reach(instance_id, "running")
        self.tell.figure("running after", f"{time.monotonic() - clicked:.1f} s")
        attempt = self.alice.items_of(f"instances/{instance_id}/attempts")[-1]
        devices = self.alice.items_of(f"instances/{instance_id}/devices")
        self.tell.figure("cluster", attempt["cluster"])
        self.tell.figure("pod", f"{attempt['namespace']}/{attempt['pod_name']}")
        self.tell.figure("node", devices[0]["node_name"])
        for device in devices:
            self.tell.figure("device", f"{device['resource_name']} {device['device_id']}")
        self.outcome |= {
            "instance": instance_id,
            "cluster": attempt["cluster"],
            "namespace": attempt["namespace"],
            "pod": attempt["pod_name"],
            "node": devices[0]["node_name"],
            "devices": [device["device_id"] for device in devices],
        }
        return instance

    def _run_and_stop(self, instance: Json) -> None:
        self.tell.step(f"It runs for {self.run_for_s:.0f} s; Alice stops it")
        text = self.alice.get(f"instances/{instance['id']}/logs", tail=3)["text"]
        for line in text.splitlines()[:3]:
            self.tell.figure("log", line[:90])
        until = time.monotonic() + self.run_for_s
        while time.monotonic() < until:
            self.tell.waiting("running")
            time.sleep(0.25)
        self.tell.waited()
        self.alice.post(f"instances/{instance['id']}/stop")
        self._reach(instance["id"], "stopped")
        for change in self.alice.items_of(f"instances/{instance['id']}/timeline"):
            self.tell.figure(change["at"][11:19], f"{change['to_state']} ({change['reason']})")

    def _reach(self, instance_id: str, state: str) -> Json:
        def settled(document: Json) -> bool:
            if document["state"] == "failed":
                raise Refused(f"the instance failed: {document['reason']} {document['message']}")
            return bool(document["state"] == state)

        def read() -> Json:
            return self.alice.get(f"instances/{instance_id}")

        return self._wait(read, settled, f"until it is {state}", QUEUE_TIMEOUT_S)

    # --- money -------------------------------------------------------------

    def _meter(self, instance: Json, size: Json) -> tuple[int, Decimal]:
        self.tell.step("The meter, to the second")
        all_rows = self.alice.items_of(
            "usage", tenant=self.tenant["slug"], since=instance["created_at"]
        )
        rows = [row for row in all_rows if row["instance"] == instance["id"]]
        seconds = length = 0
        for row in rows:
            started, ended = (
                datetime.fromisoformat(row[key]) for key in ("started_at", "ended_at")
            )
            length = int((ended - started).total_seconds())
            seconds += length * row["quantity"]
            self.tell.figure("ran", f"{row['started_at']} … {row['ended_at']}")
            self.tell.figure(
                "metered", f"{length} s × {row['quantity']} devices ({row['end_quality']})"
            )
        if len(rows) != 1:
            raise Refused(f"one run must be one interval, found {len(rows)}")
        self.outcome |= {
            "started_at": rows[0]["started_at"],
            "ended_at": rows[0]["ended_at"],
            "seconds": length,
            "device_seconds": seconds,
        }
        return seconds, Decimal(size["hourly_rate"])

    def _invoice(self, tenant: Json) -> Json:
        self.tell.step("Dana cuts the billing period now, drafts and issues the invoice")
        account = self.dana.items("accounts", tenant=tenant["slug"])[0]
        month = self.dana.post("billing-periods", {"account": account["id"]})
        period = self.dana.post(f"billing-periods/{month['id']}/cut")
        self.tell.figure("period", f"{period['since']} … {period['until']}")

        def blockers() -> list[Json]:
            return self.dana.items_of(f"billing-periods/{period['id']}/exceptions")

        self._wait(blockers, lambda found: not found, "the cluster's proof", PROOF_TIMEOUT_S)
        draft = self.dana.post(f"billing-periods/{period['id']}/draft")
        invoice = self.dana.post(f"invoices/{draft['id']}/issue")
        self.tell.figure("number", invoice["number"])
        return invoice

    def _check(self, invoice: Json, *, instance: Json, seconds: int, rate: Decimal) -> None:
        self.tell.step("The figures, computed again from seconds and rate")
        detail = self.dana.get(f"invoices/{invoice['id']}")
        for line in detail["lines"]:
            sum_of = f"{line['device_seconds']:,} s × {Decimal(line['hourly_rate']):,.0f} won/h"
            self.tell.figure(line["sku_code"], f"{sum_of} = {line['net_amount']:,} won")
        billed = sum(line["device_seconds"] for line in detail["lines"])
        if billed < seconds:
            raise Refused(f"{seconds} s were metered, {billed} s billed")
        nets = [
            arithmetic.expected_net(
                device_seconds=line["device_seconds"], hourly_rate=Decimal(line["hourly_rate"])
            )
            for line in detail["lines"]
        ]
        amounts = arithmetic.total_of(nets, tax_rate=Decimal(detail["tax_rate"]))
        printed = tuple(detail[f"{name}_amount"] for name in ("net", "tax", "total"))
        if printed != (amounts.net, amounts.tax, amounts.total):
            raise Refused(f"the invoice says {printed}, the arithmetic {amounts}")
        for name, value in zip(("net", "VAT", "total"), printed, strict=True):
            self.tell.figure(name, f"{value:,} won")
        self.outcome |= {
            "hourly_rate": str(rate),
            "device_seconds_billed": billed,
            "net_amount": amounts.net,
            "tax_amount": amounts.tax,
            "total_amount": amounts.total,
            "invoice_number": detail["number"],
        }

    def _download(self, invoice: Json) -> None:
        self.tell.step("The files")
        self.folder.mkdir(parents=True, exist_ok=True)
        files = []
        for kind, language in (("pdf", "ko"), ("pdf", "en"), ("csv", "ko")):
            content = self.alice.download(f"invoices/{invoice['id']}/{kind}", language=language)
            file = self.folder / f"{invoice['number']}.{language}.{kind}"
            file.write_bytes(content)
            files.append(str(file))
            self.tell.figure(f"{kind} ({language})", f"{file} ({len(content):,} bytes)")
        self.outcome["files"] = files

    def _wait(
        self, read: Callable[[], T], until: Callable[[T], bool], what: str, seconds: float
    ) -> T:
        deadline = time.monotonic() + seconds
        while not until(found := read()):
            if time.monotonic() > deadline:
                raise Refused(f"waited {seconds:.0f} s for {what}; last seen: {found}")
            self.tell.waiting(what)
            time.sleep(0.2)
        self.tell.waited()
        return found
