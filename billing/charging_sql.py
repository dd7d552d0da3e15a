"""The statements of `charging`: `rating` and `taxing`, set-based.

Read top to bottom: scopes, the books their accounts hold, the prices; use clipped and split and
summed; amounts rounded; tax spread.  Everything is grouped by `key`, the number of the scope.
Times are counted as whole seconds since the epoch: integers add up exactly, and twice as fast.
"""

_SCOPE = """
WITH scope AS MATERIALIZED (
    SELECT key, account_id, since, until, (tax_rate * 10000)::bigint AS tax_rate_e4,
           date_part('epoch', since)::bigint AS since_s,
           date_part('epoch', until)::bigint AS until_s
    FROM unnest(%(accounts)s::bigint[], %(sinces)s::timestamptz[], %(untils)s::timestamptz[],
                %(tax_rates)s::numeric[])
        WITH ORDINALITY AS scope (account_id, since, until, tax_rate, key)
)"""

# An open interval counts as far as its witness has proved it; without proof it ends as it starts.
# OFFSET 0 keeps this a scan of its own: joined into the rest,
# the planner looks up a month of one account forty-eight thousand times.
_USE = """(
    SELECT interval.account_id, interval.project_id, interval.sku_id, interval.quantity,
           date_part('epoch', interval.started_at)::bigint AS since_s,
           date_part('epoch', coalesce(
               interval.ended_at,
               (SELECT proved_until FROM billing_witness AS witness
                WHERE witness.id = interval.witness_id),
               interval.started_at))::bigint AS until_s
    FROM billing_usageinterval AS interval
    WHERE interval.account_id = ANY (%(accounts)s::bigint[])
        AND interval.started_at < %(last)s
        AND (interval.ended_at > %(first)s OR interval.ended_at IS NULL)
    OFFSET 0
) AS usage"""

# The bounds of ranges are taken out once, not per interval.  `isempty` rather than `&&`: the
# planner expects too few rows of the latter and then sorts where it should hash.
_PRICES = """
, held AS MATERIALIZED (
    SELECT scope.key, book.account_id, book.book_id,
           greatest(scope.since_s, date_part('epoch', lower(book.valid))::bigint) AS since_s,
           least(scope.until_s, date_part('epoch', upper(book.valid))::bigint) AS until_s
    FROM scope
    JOIN billing_accountbook AS book ON book.account_id = scope.account_id
        AND NOT isempty(book.valid * tstzrange(scope.since, scope.until))
), price AS MATERIALIZED (
    SELECT rate.id, rate.book_id, rate.sku_id, rate.hourly_rate,
           dense_rank() OVER (ORDER BY sku.code COLLATE "C") AS sku_rank,
           date_part('epoch', lower(rate.valid))::bigint AS since_s,
           coalesce(date_part('epoch', upper(rate.valid))::bigint, 9223372036854775807) AS until_s
    FROM billing_rate AS rate
    JOIN billing_sku AS sku ON sku.id = rate.sku_id
)"""

# Clipped to the book first, then to the price.  One condition says all there is to say of overlap;
# each further one would make the planner expect fewer rows, and sort where it should hash.
_SUMMED = f"""
, summed AS (
    SELECT clipped.key, clipped.project_id, price.id AS rate_id,
           sum(clipped.quantity * (least(clipped.until_s, price.until_s)
                                   - greatest(clipped.since_s, price.since_s))
           )::bigint AS device_seconds,
           min(greatest(clipped.since_s, price.since_s)) AS since_s,
           max(least(clipped.until_s, price.until_s)) AS until_s
    FROM (
        SELECT held.key, held.book_id, usage.project_id, usage.sku_id, usage.quantity,
               greatest(usage.since_s, held.since_s) AS since_s,
               least(usage.until_s, held.until_s) AS until_s
        FROM {_USE}
        JOIN held ON held.account_id = usage.account_id
        OFFSET 0
    ) AS clipped
    JOIN price ON price.book_id = clipped.book_id AND price.sku_id = clipped.sku_id
        AND greatest(clipped.since_s, price.since_s) < least(clipped.until_s, price.until_s)
    GROUP BY clipped.key, clipped.project_id, price.id
)"""  # noqa: S608  (put together from the constants above)

# `div` is exact; numeric division is not.  Seconds and rates are never negative, so adding half
# and cutting off is rounding half up.
_ROUNDED = """
, rounded AS (
    SELECT summed.*, price.sku_id, price.hourly_rate, price.sku_rank, scope.tax_rate_e4,
           div(2 * summed.device_seconds * price.hourly_rate + 3600, 7200)::bigint AS net_amount
    FROM summed
    JOIN scope ON scope.key = summed.key
    JOIN price ON price.id = summed.rate_id
)"""

# Tax in ten-thousandths of a unit, for a tax rate has four decimals: `lost` is what rounding a
# line down takes away, and what all lines of an invoice lost together is the spare to give back.
_TAXED = """
, positioned AS (
    SELECT rounded.*,
           net_amount * tax_rate_e4 / 10000 AS share,
           (net_amount * tax_rate_e4 %% 10000)::int AS lost,
           row_number() OVER (
               PARTITION BY key ORDER BY project_id, sku_rank, since_s, rate_id) AS position
    FROM rounded
), spread AS (
    SELECT positioned.*,
           row_number() OVER (PARTITION BY key ORDER BY lost DESC, position) AS by_loss,
           sum(lost) OVER (PARTITION BY key) / 10000 AS spare
    FROM positioned
), rated AS (
    SELECT key, position, project_id, sku_id, rate_id, hourly_rate, device_seconds, net_amount,
           share + (by_loss <= spare)::int AS tax_amount,
           to_timestamp(since_s) AS service_from, to_timestamp(until_s) AS service_until
    FROM spread
)"""

_RATED = _SCOPE + _PRICES + _SUMMED + _ROUNDED + _TAXED

# Lines, and beside them, without a rate, what the ledger holds, priced or not: in one
# statement, so that a fact that arrives meanwhile is in both or in neither.
READ_RATING = f"""{_RATED}
SELECT rated.key, rated.position, rated.project_id, sku.code AS sku_code, rated.rate_id,
       rated.hourly_rate, rated.device_seconds, rated.net_amount, rated.tax_amount,
       rated.service_from, rated.service_until
FROM rated
JOIN billing_sku AS sku ON sku.id = rated.sku_id
UNION ALL
SELECT scope.key, NULL, usage.project_id, sku.code, NULL, NULL,
       sum(usage.quantity * (least(usage.until_s, scope.until_s)
                             - greatest(usage.since_s, scope.since_s)))::bigint,
       NULL, NULL, NULL, NULL
FROM {_USE}
JOIN scope ON scope.account_id = usage.account_id
JOIN billing_sku AS sku ON sku.id = usage.sku_id
WHERE greatest(usage.since_s, scope.since_s) < least(usage.until_s, scope.until_s)
GROUP BY scope.key, usage.project_id, sku.code
ORDER BY key, position
"""  # noqa: S608

WRITE_LINES = f"""{_RATED}
INSERT INTO billing_invoiceline (
    invoice_id, position, project_id, project_name, sku_id, sku_code, sku_name, rate_id,
    hourly_rate, device_seconds, net_amount, tax_amount, service_from, service_until)
SELECT draft.invoice_id, rated.position, rated.project_id,
       coalesce(project.name, 'Project ' || rated.project_id),
       rated.sku_id, sku.code, sku.name, rated.rate_id,
       rated.hourly_rate, rated.device_seconds, rated.net_amount, rated.tax_amount,
       rated.service_from, rated.service_until
FROM rated
JOIN billing_sku AS sku ON sku.id = rated.sku_id
JOIN unnest(%(invoices)s::uuid[]) WITH ORDINALITY AS draft (invoice_id, key)
    ON draft.key = rated.key
LEFT JOIN unnest(%(project_ids)s::bigint[], %(project_names)s::text[]) AS project (id, name)
    ON project.id = rated.project_id
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
