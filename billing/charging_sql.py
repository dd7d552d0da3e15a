"""The statements of `charging`: `rating` and `taxing`, set-based.

Read top to bottom: scopes, the books their accounts hold, the prices; use clipped and split and
summed; amounts rounded; tax spread.  Everything is grouped by `key`, the number of the scope.
"""

_SCOPE = """
WITH scope AS MATERIALIZED (
    SELECT key, account_id, since, until, tax_rate
    FROM unnest(%(accounts)s::bigint[], %(sinces)s::timestamptz[], %(untils)s::timestamptz[],
                %(tax_rates)s::numeric[])
        WITH ORDINALITY AS scope (account_id, since, until, tax_rate, key)
)"""

# An open interval counts as far as its witness has proved it; without proof it has no end here
# and falls out of every comparison.  OFFSET 0 keeps this a scan of its own: joined into the rest,
# the planner looks up a month of one account forty-eight thousand times.
_USE = """(
    SELECT interval.account_id, interval.project_id, interval.sku_id, interval.quantity,
           interval.started_at, coalesce(interval.ended_at, witness.proved_until) AS ended_at
    FROM billing_usageinterval AS interval
    LEFT JOIN billing_witness AS witness ON witness.id = interval.witness_id
    WHERE interval.account_id = ANY (%(accounts)s::bigint[])
        AND interval.started_at < %(last)s
        AND (interval.ended_at > %(first)s OR interval.ended_at IS NULL)
    OFFSET 0
) AS usage"""

# The bounds of ranges are taken out once, not per interval.  `isempty` rather than `&&`: the
# planner expects too few rows of the latter and then sorts where it should hash.
_PRICES = """
, held AS MATERIALIZED (
    SELECT scope.key, scope.account_id, book.book_id,
           greatest(scope.since, lower(book.valid)) AS since,
           least(scope.until, upper(book.valid)) AS until
    FROM scope
    JOIN billing_accountbook AS book ON book.account_id = scope.account_id
        AND NOT isempty(book.valid * tstzrange(scope.since, scope.until))
), price AS MATERIALIZED (
    SELECT id, book_id, sku_id, lower(valid) AS since, coalesce(upper(valid), 'infinity') AS until
    FROM billing_rate
)"""

# Times are whole seconds (a constraint says so): what date_part gives as a float is exact.
_SUMMED = f"""
, summed AS (
    SELECT held.key, usage.project_id, price.id AS rate_id,
           sum(usage.quantity * date_part('epoch',
                   least(usage.ended_at, held.until, price.until)
                   - greatest(usage.started_at, held.since, price.since))::bigint
           )::bigint AS device_seconds,
           min(greatest(usage.started_at, held.since, price.since)) AS service_from,
           max(least(usage.ended_at, held.until, price.until)) AS service_until
    FROM {_USE}
    JOIN held ON held.account_id = usage.account_id
    JOIN price ON price.book_id = held.book_id AND price.sku_id = usage.sku_id
    WHERE usage.ended_at > usage.started_at
        AND greatest(usage.started_at, held.since, price.since)
            < least(usage.ended_at, held.until, price.until)
    GROUP BY held.key, usage.project_id, price.id
)"""  # noqa: S608  (put together from the constants above)

# `div` is exact; numeric division is not.  Seconds and rates are never negative, so adding half
# and cutting off is rounding half up.
_ROUNDED = """
, rounded AS (
    SELECT summed.*, sku.id AS sku_id, sku.code AS sku_code, sku.name AS sku_name,
           rate.hourly_rate, scope.tax_rate,
           div(2 * summed.device_seconds * rate.hourly_rate + 3600, 7200)::bigint AS net_amount
    FROM summed
    JOIN scope ON scope.key = summed.key
    JOIN billing_rate AS rate ON rate.id = summed.rate_id
    JOIN billing_sku AS sku ON sku.id = rate.sku_id
)"""

_TAXED = """
, positioned AS (
    SELECT rounded.*, net_amount * tax_rate AS exact_tax, floor(net_amount * tax_rate) AS share,
           row_number() OVER (
               PARTITION BY key
               ORDER BY project_id, sku_code COLLATE "C", service_from, rate_id) AS position
    FROM rounded
), spread AS (
    SELECT positioned.*,
           row_number() OVER (
               PARTITION BY key ORDER BY exact_tax - share DESC, position) AS by_loss,
           floor(sum(exact_tax) OVER (PARTITION BY key))
               - sum(share) OVER (PARTITION BY key) AS spare
    FROM positioned
), rated AS (
    SELECT spread.*, (share + (by_loss <= spare)::int)::bigint AS tax_amount FROM spread
)"""

_RATED = _SCOPE + _PRICES + _SUMMED + _ROUNDED + _TAXED

READ_LINES = f"""{_RATED}
SELECT key, project_id, sku_code, rate_id, hourly_rate, device_seconds, net_amount, tax_amount,
       service_from, service_until
FROM rated ORDER BY key, position
"""  # noqa: S608

WRITE_LINES = f"""{_RATED}
INSERT INTO billing_invoiceline (
    invoice_id, position, project_id, project_name, sku_id, sku_code, sku_name, rate_id,
    hourly_rate, device_seconds, net_amount, tax_amount, service_from, service_until)
SELECT draft.invoice_id, rated.position, rated.project_id,
       coalesce(project.name, 'Project ' || rated.project_id),
       rated.sku_id, rated.sku_code, rated.sku_name, rated.rate_id,
       rated.hourly_rate, rated.device_seconds, rated.net_amount, rated.tax_amount,
       rated.service_from, rated.service_until
FROM rated
JOIN unnest(%(invoices)s::uuid[]) WITH ORDINALITY AS draft (invoice_id, key)
    ON draft.key = rated.key
LEFT JOIN unnest(%(project_ids)s::bigint[], %(project_names)s::text[]) AS project (id, name)
    ON project.id = rated.project_id
"""  # noqa: S608

# What the ledger holds, whether it has a price or not.
READ_SECONDS = f"""{_SCOPE}
SELECT scope.key, usage.project_id, sku.code,
       sum(usage.quantity * date_part('epoch',
               least(usage.ended_at, scope.until)
               - greatest(usage.started_at, scope.since))::bigint)::bigint
FROM {_USE}
JOIN scope ON scope.account_id = usage.account_id
JOIN billing_sku AS sku ON sku.id = usage.sku_id
WHERE usage.ended_at > usage.started_at
    AND greatest(usage.started_at, scope.since) < least(usage.ended_at, scope.until)
GROUP BY scope.key, usage.project_id, sku.code
"""  # noqa: S608

ADD_UP = """
UPDATE billing_invoice AS invoice
SET net_amount = line.net, tax_amount = line.tax, total_amount = line.net + line.tax
FROM (
    SELECT invoice_id, sum(net_amount)::bigint AS net, sum(tax_amount)::bigint AS tax
    FROM billing_invoiceline
    WHERE invoice_id = ANY (%(invoices)s::uuid[])
    GROUP BY invoice_id
) AS line
WHERE invoice.id = line.invoice_id
"""
