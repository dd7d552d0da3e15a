"""What the ledger and its documents never allow, to raw SQL either.

The conditions live inside the functions, not in a trigger's WHEN, which would block a later change of a
column.  Functions that read other tables pin their search path: a temporary table of the same name
would otherwise be read in its place.
"""

from django.db import migrations

# Whole seconds: then clipping, splitting and adding up lose nothing.
WHOLE_SECONDS = """
ALTER TABLE billing_usageinterval ADD CONSTRAINT billing_usage_whole_seconds CHECK (
    date_trunc('second', started_at, 'UTC') = started_at
    AND (ended_at IS NULL OR date_trunc('second', ended_at, 'UTC') = ended_at));
ALTER TABLE billing_witness ADD CONSTRAINT billing_witness_whole_seconds CHECK (
    proved_until IS NULL OR date_trunc('second', proved_until, 'UTC') = proved_until);
"""

NO_WHOLE_SECONDS = """
ALTER TABLE billing_usageinterval DROP CONSTRAINT billing_usage_whole_seconds;
ALTER TABLE billing_witness DROP CONSTRAINT billing_witness_whole_seconds;
"""


def _range_is_sound(table: str, column: str, name: str, *, bounded: bool) -> str:
    """Bounds in whole seconds, half-open, not empty; bounded on both sides if asked for."""
    closed = f"AND upper({column}) IS NOT NULL AND lower({column}) IS NOT NULL" if bounded else ""
    return f"""
ALTER TABLE {table} ADD CONSTRAINT {name} CHECK (
    NOT isempty({column}) AND NOT upper_inc({column})
    AND (lower({column}) IS NULL OR lower_inc({column}))
    AND (lower({column}) IS NULL OR date_trunc('second', lower({column}), 'UTC') = lower({column}))
    AND (upper({column}) IS NULL OR date_trunc('second', upper({column}), 'UTC') = upper({column}))
    {closed});
"""


RANGES = (
    _range_is_sound("billing_rate", "valid", "billing_rate_sound", bounded=False)
    + "ALTER TABLE billing_rate ADD CONSTRAINT billing_rate_begins CHECK (lower(valid) IS NOT NULL);"
    + _range_is_sound("billing_accountbook", "valid", "billing_accountbook_sound", bounded=False)
    + _range_is_sound("billing_billingperiod", "span", "billing_period_sound", bounded=True)
)
NO_RANGES = """
ALTER TABLE billing_rate DROP CONSTRAINT billing_rate_sound;
ALTER TABLE billing_rate DROP CONSTRAINT billing_rate_begins;
ALTER TABLE billing_accountbook DROP CONSTRAINT billing_accountbook_sound;
ALTER TABLE billing_billingperiod DROP CONSTRAINT billing_period_sound;
"""

REFUSE = """
CREATE FUNCTION billing_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is not allowed', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME;
END $$;
CREATE TRIGGER billing_usage_kept BEFORE DELETE ON billing_usageinterval
    FOR EACH ROW EXECUTE FUNCTION billing_refuse();
CREATE TRIGGER billing_witness_kept BEFORE DELETE ON billing_witness
    FOR EACH ROW EXECUTE FUNCTION billing_refuse();
CREATE TRIGGER billing_quarantined_kept BEFORE DELETE ON billing_quarantinedfact
    FOR EACH ROW EXECUTE FUNCTION billing_refuse();
CREATE TRIGGER billing_sku_kept BEFORE DELETE ON billing_sku
    FOR EACH ROW EXECUTE FUNCTION billing_refuse();
CREATE TRIGGER billing_series_kept BEFORE DELETE ON billing_numberseries
    FOR EACH ROW EXECUTE FUNCTION billing_refuse();
CREATE TRIGGER billing_file_kept BEFORE UPDATE OR DELETE ON billing_invoicefile
    FOR EACH ROW EXECUTE FUNCTION billing_refuse();
"""

NO_REFUSE = "DROP FUNCTION billing_refuse() CASCADE;"

USAGE = """
CREATE FUNCTION billing_guard_usage() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    -- All that a row may ever learn after it was opened.
    learnt text[] := ARRAY['ended_at', 'end_quality', 'end_reason', 'gap_seconds', 'witness_id'];
BEGIN
    IF to_jsonb(NEW) - learnt IS DISTINCT FROM to_jsonb(OLD) - learnt THEN
        RAISE EXCEPTION 'what a usage interval began with never changes'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'billing_usage_start_is_fixed';
    END IF;
    IF OLD.witness_id IS NOT NULL AND NEW.witness_id IS DISTINCT FROM OLD.witness_id THEN
        RAISE EXCEPTION 'a usage interval keeps its witness'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'billing_usage_witness_is_fixed';
    END IF;
    IF OLD.end_quality = 'exact' AND (NEW.ended_at, NEW.end_quality)
            IS DISTINCT FROM (OLD.ended_at, OLD.end_quality) THEN
        RAISE EXCEPTION 'an exact end never changes'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'billing_usage_exact_end_is_fixed';
    END IF;
    IF OLD.ended_at IS NOT NULL AND NEW.ended_at IS NULL THEN
        RAISE EXCEPTION 'an end is never taken back'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'billing_usage_stays_closed';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER billing_usage_guard BEFORE UPDATE ON billing_usageinterval
    FOR EACH ROW EXECUTE FUNCTION billing_guard_usage();

CREATE FUNCTION billing_guard_witness() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.source, NEW.ref) IS DISTINCT FROM (OLD.source, OLD.ref)
            OR (OLD.proved_until IS NOT NULL
                AND (NEW.proved_until IS NULL OR NEW.proved_until < OLD.proved_until)) THEN
        RAISE EXCEPTION 'a watermark never falls'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'billing_witness_never_falls';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER billing_witness_guard BEFORE UPDATE ON billing_witness
    FOR EACH ROW EXECUTE FUNCTION billing_guard_witness();

CREATE FUNCTION billing_guard_quarantined() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    answer text[] := ARRAY['resolved_at', 'resolved_by', 'resolution'];
BEGIN
    IF to_jsonb(NEW) - answer IS DISTINCT FROM to_jsonb(OLD) - answer
            OR (OLD.resolved_at IS NOT NULL AND to_jsonb(NEW) IS DISTINCT FROM to_jsonb(OLD)) THEN
        RAISE EXCEPTION 'a quarantined fact is answered once and otherwise kept'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'billing_quarantined_is_kept';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER billing_quarantined_guard BEFORE UPDATE ON billing_quarantinedfact
    FOR EACH ROW EXECUTE FUNCTION billing_guard_quarantined();
"""

NO_USAGE = """
DROP FUNCTION billing_guard_usage() CASCADE;
DROP FUNCTION billing_guard_witness() CASCADE;
DROP FUNCTION billing_guard_quarantined() CASCADE;
"""

# Rates and the assignment of books share the rule: both have `valid`.
IN_FORCE = """
CREATE FUNCTION billing_guard_in_force() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF coalesce(lower(OLD.valid), '-infinity') > clock_timestamp() THEN
        -- Not in force yet: a plan, and it stays one.
        IF TG_OP = 'UPDATE' AND coalesce(lower(NEW.valid), '-infinity') <= clock_timestamp() THEN
            RAISE EXCEPTION 'a planned price cannot be moved into the past'
                USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_TABLE_NAME || '_in_force';
        END IF;
        RETURN coalesce(NEW, OLD);
    END IF;
    IF TG_OP = 'DELETE' OR to_jsonb(NEW) - 'valid' IS DISTINCT FROM to_jsonb(OLD) - 'valid'
            OR lower(NEW.valid) IS DISTINCT FROM lower(OLD.valid) THEN
        RAISE EXCEPTION 'what is or was in force does not change'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_TABLE_NAME || '_in_force';
    END IF;
    IF upper(NEW.valid) IS DISTINCT FROM upper(OLD.valid)
            AND (coalesce(upper(OLD.valid), 'infinity') <= clock_timestamp()
                 OR coalesce(upper(NEW.valid), 'infinity') <= clock_timestamp()) THEN
        RAISE EXCEPTION 'the end of what is in force moves in the future only'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_TABLE_NAME || '_in_force';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER billing_rate_guard BEFORE UPDATE OR DELETE ON billing_rate
    FOR EACH ROW EXECUTE FUNCTION billing_guard_in_force();
CREATE TRIGGER billing_accountbook_guard BEFORE UPDATE OR DELETE ON billing_accountbook
    FOR EACH ROW EXECUTE FUNCTION billing_guard_in_force();
"""

NO_IN_FORCE = "DROP FUNCTION billing_guard_in_force() CASCADE;"

INVOICES = """
CREATE FUNCTION billing_guard_invoice() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    -- All that moves after issue: the state, and who voided it.
    moving text[] := ARRAY['state', 'voided_at', 'voided_by'];
    lines record;
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'draft' THEN
            RAISE EXCEPTION 'an invoice begins as a draft'
                USING ERRCODE = 'restrict_violation', CONSTRAINT = 'billing_invoice_begins_as_draft';
        END IF;
        RETURN NEW;
    END IF;
    IF TG_OP = 'DELETE' THEN
        IF OLD.state <> 'draft' THEN
            RAISE EXCEPTION 'an issued invoice is kept'
                USING ERRCODE = 'restrict_violation', CONSTRAINT = 'billing_invoice_is_final';
        END IF;
        RETURN OLD;
    END IF;
    IF (OLD.state, NEW.state) NOT IN (
            ('draft', 'draft'), ('draft', 'issued'),
            ('issued', 'issued'), ('issued', 'paid'), ('issued', 'uncollectible'), ('issued', 'void'),
            ('paid', 'paid'), ('uncollectible', 'uncollectible'), ('void', 'void')) THEN
        RAISE EXCEPTION 'an invoice cannot go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'billing_invoice_legal_transition';
    END IF;
    IF NEW.id <> OLD.id THEN
        RAISE EXCEPTION 'an invoice keeps its id'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'billing_invoice_is_final';
    END IF;
    IF OLD.state <> 'draft' AND (to_jsonb(NEW) - moving IS DISTINCT FROM to_jsonb(OLD) - moving
            OR (NEW.state = OLD.state AND to_jsonb(NEW) IS DISTINCT FROM to_jsonb(OLD))) THEN
        RAISE EXCEPTION 'an issued invoice does not change'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'billing_invoice_is_final';
    END IF;
    IF OLD.state = 'draft' AND NEW.state = 'issued' THEN
        -- An older snapshot would not show a line that was added since.
        IF current_setting('transaction_isolation') <> 'read committed' THEN
            RAISE EXCEPTION 'an invoice is issued in a read committed transaction'
                USING ERRCODE = 'restrict_violation', CONSTRAINT = 'billing_invoice_sees_its_lines';
        END IF;
        SELECT coalesce(sum(net_amount), 0) AS net, coalesce(sum(tax_amount), 0) AS tax
            INTO lines FROM billing_invoiceline WHERE invoice_id = NEW.id;
        IF (lines.net, lines.tax) IS DISTINCT FROM (NEW.net_amount::numeric, NEW.tax_amount::numeric) THEN
            RAISE EXCEPTION 'the lines do not add up to the invoice'
                USING ERRCODE = 'restrict_violation', CONSTRAINT = 'billing_invoice_is_its_lines';
        END IF;
        PERFORM 1 FROM billing_invoiceline AS line
            LEFT JOIN billing_rate AS rate ON rate.id = line.rate_id
                AND (rate.sku_id, rate.hourly_rate) = (line.sku_id, line.hourly_rate)
            WHERE line.invoice_id = NEW.id AND rate.id IS NULL;
        IF FOUND THEN
            RAISE EXCEPTION 'a line has a price that no price book knows'
                USING ERRCODE = 'restrict_violation', CONSTRAINT = 'billing_invoice_has_known_rates';
        END IF;
        PERFORM 1 FROM billing_numberseries WHERE id = NEW.series_id AND seller_id = NEW.seller_id
            AND NEW.number = code || '-' || year || '-' || lpad(last_number::text, 6, '0');
        IF NOT FOUND THEN
            RAISE EXCEPTION 'an invoice takes the number its series has just counted'
                USING ERRCODE = 'restrict_violation', CONSTRAINT = 'billing_invoice_number_is_drawn';
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER billing_invoice_guard BEFORE INSERT OR UPDATE OR DELETE ON billing_invoice
    FOR EACH ROW EXECUTE FUNCTION billing_guard_invoice();

-- Per statement, not per row: a draft of a month writes tens of thousands of lines at once.
CREATE FUNCTION billing_guard_lines() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    touched uuid[];
BEGIN
    IF TG_OP = 'INSERT' THEN
        SELECT array_agg(DISTINCT invoice_id) INTO touched FROM new_lines;
    ELSIF TG_OP = 'DELETE' THEN
        SELECT array_agg(DISTINCT invoice_id) INTO touched FROM old_lines;
    ELSE
        SELECT array_agg(DISTINCT invoice_id) INTO touched
            FROM (SELECT invoice_id FROM new_lines UNION SELECT invoice_id FROM old_lines) AS lines;
    END IF;
    -- The share lock waits for an issue under way, and then sees it.
    PERFORM 1 FROM billing_invoice WHERE id = ANY (touched) ORDER BY id FOR SHARE;
    PERFORM 1 FROM billing_invoice WHERE id = ANY (touched) AND state <> 'draft';
    IF FOUND THEN
        RAISE EXCEPTION 'the lines of an issued invoice do not change'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'billing_line_is_final';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER billing_line_insert_guard AFTER INSERT ON billing_invoiceline
    REFERENCING NEW TABLE AS new_lines FOR EACH STATEMENT EXECUTE FUNCTION billing_guard_lines();
CREATE TRIGGER billing_line_update_guard AFTER UPDATE ON billing_invoiceline
    REFERENCING OLD TABLE AS old_lines NEW TABLE AS new_lines
    FOR EACH STATEMENT EXECUTE FUNCTION billing_guard_lines();
CREATE TRIGGER billing_line_delete_guard AFTER DELETE ON billing_invoiceline
    REFERENCING OLD TABLE AS old_lines FOR EACH STATEMENT EXECUTE FUNCTION billing_guard_lines();

CREATE FUNCTION billing_guard_file() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM 1 FROM billing_invoice WHERE id = NEW.invoice_id AND state = 'draft';
    IF FOUND THEN
        RAISE EXCEPTION 'a draft has no files'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'billing_file_of_issued_invoice';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER billing_file_guard BEFORE INSERT ON billing_invoicefile
    FOR EACH ROW EXECUTE FUNCTION billing_guard_file();

CREATE FUNCTION billing_guard_series() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (TG_OP = 'INSERT' AND NEW.last_number <> 0) OR (TG_OP = 'UPDATE' AND (
            NEW.last_number <> OLD.last_number + 1
            OR to_jsonb(NEW) - 'last_number' IS DISTINCT FROM to_jsonb(OLD) - 'last_number')) THEN
        RAISE EXCEPTION 'a series counts one by one'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'billing_series_counts_one_by_one';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER billing_series_guard BEFORE INSERT OR UPDATE ON billing_numberseries
    FOR EACH ROW EXECUTE FUNCTION billing_guard_series();

CREATE FUNCTION billing_guard_period() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP = 'DELETE' OR (NEW.account_id, NEW.span) IS DISTINCT FROM (OLD.account_id, OLD.span) THEN
        PERFORM 1 FROM billing_invoice
            WHERE period_id = OLD.id AND state NOT IN ('draft', 'void');
        IF FOUND OR OLD.closed_at IS NOT NULL THEN
            RAISE EXCEPTION 'a closed billing period keeps its span'
                USING ERRCODE = 'restrict_violation', CONSTRAINT = 'billing_period_is_closed';
        END IF;
    END IF;
    RETURN coalesce(NEW, OLD);
END $$;
CREATE TRIGGER billing_period_guard BEFORE UPDATE OR DELETE ON billing_billingperiod
    FOR EACH ROW EXECUTE FUNCTION billing_guard_period();
"""

NO_INVOICES = """
DROP FUNCTION billing_guard_invoice() CASCADE;
DROP FUNCTION billing_guard_lines() CASCADE;
DROP FUNCTION billing_guard_file() CASCADE;
DROP FUNCTION billing_guard_series() CASCADE;
DROP FUNCTION billing_guard_period() CASCADE;
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_initial")]

    operations = [
        migrations.RunSQL(WHOLE_SECONDS, NO_WHOLE_SECONDS),
        migrations.RunSQL(RANGES, NO_RANGES),
        migrations.RunSQL(REFUSE, NO_REFUSE),
        migrations.RunSQL(USAGE, NO_USAGE),
        migrations.RunSQL(IN_FORCE, NO_IN_FORCE),
        migrations.RunSQL(INVOICES, NO_INVOICES),
    ]
