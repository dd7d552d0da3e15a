"""Unusable time only grows: nothing is deleted, nothing changes but an end that is missing."""

from django.db import migrations

GUARD = """
ALTER TABLE billing_unusabletime ADD CONSTRAINT billing_unusable_whole_seconds CHECK (
    date_trunc('second', started_at, 'UTC') = started_at
    AND (ended_at IS NULL OR date_trunc('second', ended_at, 'UTC') = ended_at));
CREATE TRIGGER billing_unusable_kept BEFORE DELETE ON billing_unusabletime
    FOR EACH ROW EXECUTE FUNCTION billing_refuse();
CREATE FUNCTION billing_guard_unusable() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    learnt text[] := ARRAY['ended_at'];
BEGIN
    IF to_jsonb(NEW) - learnt IS DISTINCT FROM to_jsonb(OLD) - learnt
            OR (OLD.ended_at IS NOT NULL AND NEW.ended_at IS DISTINCT FROM OLD.ended_at) THEN
        RAISE EXCEPTION 'unusable time learns its end once and otherwise never changes'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'billing_unusable_is_kept';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER billing_unusable_guard BEFORE UPDATE ON billing_unusabletime
    FOR EACH ROW EXECUTE FUNCTION billing_guard_unusable();
"""
NO_GUARD = """
DROP FUNCTION billing_guard_unusable() CASCADE;
DROP TRIGGER billing_unusable_kept ON billing_unusabletime;
ALTER TABLE billing_unusabletime DROP CONSTRAINT billing_unusable_whole_seconds;
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0003_unusable_time")]
    operations = [migrations.RunSQL(GUARD, NO_GUARD)]
