"""Rating a month of many accounts into invoice lines, and the same arithmetic on the barest tables.

Each bench runs in a process of its own with a database of its own: a throwaway server, or with
`BENCH_DATABASE_URL` a fresh database on a server whose user may create one.
"""

import os
import secrets
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import django
import psycopg2
from django.core.management import call_command
from django.db import connection, connections, transaction

from benchmarks._printing import print_result
from portal.engines import throwaway

ACCOUNTS = 2_000
SKUS = 12
ROUNDS = 3
MILLION = 1_000_000
TARGETS_S = {MILLION: 3.0, 10 * MILLION: 25.0}
TARGET_RATIO = 1.5

MONTH = ("2026-09-30 15:00:00+00", "2026-10-31 15:00:00+00")
PRICE_CHANGE = "2026-10-15 15:00:00+00"

# Through the product's tables with every constraint and index; four days more than the month.
LOAD = """
SELECT setseed(0.42);
INSERT INTO billing_account (id, tenant_id, name, currency, timezone)
SELECT i, i, 'Account ' || i, 'KRW', 'Asia/Seoul' FROM generate_series(1, %(accounts)s) AS i;
INSERT INTO billing_payer (account_id, kind, name, business_number, representative, address, email)
SELECT i, 'account', 'Account ' || i, '', '', '', '' FROM generate_series(1, %(accounts)s) AS i;
INSERT INTO billing_sku (id, code, name, meter)
SELECT i, 'sku-' || i, 'SKU ' || i, 'device_time' FROM generate_series(1, %(skus)s) AS i;
INSERT INTO billing_pricebook (id, name, currency, is_default) VALUES (1, 'Standard', 'KRW', true);
INSERT INTO billing_accountbook (account_id, book_id, valid)
SELECT i, 1, tstzrange(NULL, NULL) FROM generate_series(1, %(accounts)s) AS i;
INSERT INTO billing_rate (book_id, sku_id, valid, hourly_rate)
SELECT 1, sku, CASE half WHEN 1 THEN tstzrange('2026-09-01 00:00+00', %(change)s)
                         ELSE tstzrange(%(change)s, NULL) END, 800 + sku * 137.25 + half * 11.5
FROM generate_series(1, %(skus)s) AS sku, generate_series(1, 2) AS half;
INSERT INTO billing_billingperiod (account_id, span, closed_by)
SELECT i, tstzrange(%(since)s, %(until)s), '' FROM generate_series(1, %(accounts)s) AS i;
INSERT INTO billing_usageinterval (source, holder_uid, run_id, meter, resource_ref, account_id,
    project_id, sku_id, quantity, started_at, ended_at, end_quality, end_reason, opened_at)
SELECT 1, gen_random_uuid(), 'containerd://' || i, 'device_time', gen_random_uuid()::text,
       1 + i %% %(accounts)s, 1 + i %% %(accounts)s, 1 + (i / %(accounts)s) %% %(skus)s,
       1 + (random() * 3)::int, since,
       since + make_interval(secs => 60 + floor(random() * 20000)::int),
       'exact', 'Completed', since
FROM (SELECT i, '2026-09-28 15:00:00+00'::timestamptz
             + make_interval(secs => floor(random() * 34 * 86400)::int) AS since
      FROM generate_series(1, %(rows)s) AS i) AS started;
"""

# The yardstick: bare tables, no names, no tax, no constraint, one statement.
BARE_LOAD = """
CREATE SCHEMA bare;
CREATE TABLE bare.segment AS
SELECT id, account_id::int4 AS account, sku_id::int2 AS sku, quantity::int2 AS devices,
       started_at, ended_at FROM public.billing_usageinterval;
CREATE TABLE bare.rate AS
SELECT id::int2, sku_id::int2 AS sku, greatest(lower(valid), %(since)s) AS from_at,
       least(upper(valid), %(until)s) AS until_at, hourly_rate::numeric(12, 4) AS per_hour
FROM public.billing_rate;
CREATE TABLE bare.line (account int4, sku int2, rate_id int2, device_seconds bigint, net bigint);
"""
BARE_RATE = """
INSERT INTO bare.line
SELECT account, sku, rate_id, device_seconds, round(device_seconds * per_hour / 3600)::bigint
FROM (SELECT s.account, s.sku, r.id AS rate_id, r.per_hour,
             sum(s.devices * extract(epoch FROM least(s.ended_at, r.until_at)
                                              - greatest(s.started_at, r.from_at))::bigint
             )::bigint AS device_seconds
      FROM bare.segment AS s
      JOIN bare.rate AS r
          ON r.sku = s.sku AND s.started_at < r.until_at AND s.ended_at > r.from_at
      GROUP BY s.account, s.sku, r.id, r.per_hour) AS summed
"""


def rating_1m() -> None:
    """A million intervals."""
    _in_a_process_of_its_own("rating_1m_s")


def rating_10m() -> None:
    """Ten million."""
    _in_a_process_of_its_own("rating_10m_s")


def rating_ratio() -> None:
    """A million, beside the bare query on the same data and server."""
    _in_a_process_of_its_own("rating_ratio")


def _in_a_process_of_its_own(bench: str) -> None:
    subprocess.run([sys.executable, "-m", "benchmarks.rating", bench], check=True)


def measure(bench: str) -> None:
    """Load, rate, check the sum against the bare query's, print."""
    rows = 10 * MILLION if bench == "rating_10m_s" else MILLION
    with _database():
        load_s = _timed(lambda: _load(rows))
        drafting_s = _draft_month()
        rating_s = [_rate_month() for _ in range(ROUNDS)]
        bare_s = [_rate_barely() for _ in range(ROUNDS)]
        figures = _agreed_figures()
    ours, bare = statistics.median(rating_s), statistics.median(bare_s)
    detail = {
        "intervals": rows,
        "rating_s": [round(each, 3) for each in rating_s],
        "bare_s": [round(each, 3) for each in bare_s],
        "drafting_s": round(drafting_s, 3),
        "load_s": round(load_s, 1),
        **figures,
    }
    if bench == "rating_ratio":
        print_result(bench, value=ours / bare, unit="ratio", target=TARGET_RATIO, **detail)
    else:
        print_result(bench, value=ours, unit="s", target=TARGETS_S[rows], **detail)


@contextmanager
def _database() -> Iterator[None]:
    given = os.environ.get("BENCH_DATABASE_URL")
    with _created(given) if given else _thrown_away():
        os.environ["DJANGO_SETTINGS_MODULE"] = "portal.settings.base"
        django.setup()
        call_command("migrate", database="owner", verbosity=0)
        yield
        connections.close_all()


@contextmanager
def _thrown_away() -> Iterator[None]:
    os.environ.update(throwaway.start())
    yield


@contextmanager
def _created(server_url: str) -> Iterator[None]:
    name = f"npu_farm_bench_{secrets.token_hex(4)}"
    server = psycopg2.connect(server_url.replace("postgres://", "postgresql://"))
    server.autocommit = True
    url = f"{server_url.rsplit('/', 1)[0]}/{name}"
    os.environ.update(DATABASE_URL=url, DATABASE_OWNER_URL=url)
    with server.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
        try:
            yield
        finally:
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
    server.close()


def _load(rows: int) -> None:
    values: dict[str, int | str] = {
        "accounts": ACCOUNTS,
        "skus": SKUS,
        "rows": rows,
        "since": MONTH[0],
        "until": MONTH[1],
        "change": PRICE_CHANGE,
    }
    with connections["owner"].cursor() as cursor:
        cursor.execute(LOAD, values)
        cursor.execute(BARE_LOAD, values)
        cursor.execute("GRANT ALL ON SCHEMA bare TO PUBLIC")
        cursor.execute("GRANT ALL ON ALL TABLES IN SCHEMA bare TO PUBLIC")
        cursor.execute("VACUUM ANALYZE")


def _draft_month() -> float:
    """The whole of drafting 2,000 invoices: headers, lines, tax, totals."""
    # Only now is Django set up.
    from billing import accounts, invoicing  # noqa: PLC0415
    from billing.models import BillingPeriod  # noqa: PLC0415

    accounts.register_seller(
        name="Bench", business_number="1", representative="", address="", bank_account=""
    )
    periods = list(BillingPeriod.objects.order_by("pk"))
    at = periods[0].until
    return _timed(lambda: invoicing.draft_invoices(periods=periods, at=at))


def _rate_month() -> float:
    """Rate the month into the lines of those drafts, committed, tax and totals included."""
    from billing import charging, closing  # noqa: PLC0415
    from billing.models import Invoice, InvoiceLine  # noqa: PLC0415

    InvoiceLine.objects.all().delete()
    invoices = Invoice.objects.select_related("period").order_by("pk")
    drafts = {each.pk: closing.scope_of(each.period, each) for each in invoices}

    def rate() -> None:
        with transaction.atomic():
            charging.write_lines(drafts=drafts, project_names={})

    return _timed(rate)


def _rate_barely() -> float:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM bare.line")
        return _timed(lambda: cursor.execute(BARE_RATE))


def _agreed_figures() -> dict[str, int]:
    """Lines, seconds and won: a rating that differs from the bare one is not worth its time."""
    ours = "SELECT count(*), sum(device_seconds), sum(net_amount) FROM billing_invoiceline"
    bare = "SELECT count(*), sum(device_seconds), sum(net) FROM bare.line"
    with connection.cursor() as cursor:
        rows = []
        for statement in (ours, bare):
            cursor.execute(statement)
            rows.append([int(value) for value in cursor.fetchone()])
    if rows[0] != rows[1]:
        sys.exit(f"the lines {rows[0]} are not those of the bare query {rows[1]}")
    lines, device_seconds, won = rows[0]
    return {"lines": lines, "device_seconds": device_seconds, "won": won}


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


BENCHES = {"rating_1m_s": rating_1m, "rating_10m_s": rating_10m, "rating_ratio": rating_ratio}

if __name__ == "__main__":
    measure(sys.argv[1])
