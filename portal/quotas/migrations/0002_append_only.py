"""Quota entries are added and nothing else, to raw SQL either."""

from django.db import migrations

REFUSE = """
CREATE FUNCTION quotas_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is not allowed', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME;
END $$;
CREATE TRIGGER quota_entry_kept BEFORE UPDATE OR DELETE ON quotas_quotaentry
    FOR EACH ROW EXECUTE FUNCTION quotas_refuse();
"""

ALLOW = """
DROP TRIGGER quota_entry_kept ON quotas_quotaentry;
DROP FUNCTION quotas_refuse();
"""


class Migration(migrations.Migration):
    dependencies = [("quotas", "0001_initial")]

    operations = [migrations.RunSQL(REFUSE, ALLOW)]
