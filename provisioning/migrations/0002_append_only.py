"""Transitions and evidence only grow, whoever writes."""

from django.db import migrations

FORBID = """
CREATE FUNCTION provisioning_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% only grows: % refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE ON provisioning_transition
    FOR EACH ROW EXECUTE FUNCTION provisioning_only_grows();
CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE ON provisioning_usageevidence
    FOR EACH ROW EXECUTE FUNCTION provisioning_only_grows();
"""
ALLOW = """
DROP TRIGGER only_grows ON provisioning_transition;
DROP TRIGGER only_grows ON provisioning_usageevidence;
DROP FUNCTION provisioning_only_grows();
"""


class Migration(migrations.Migration):
    dependencies = [("provisioning", "0001_initial")]
    operations = [migrations.RunSQL(FORBID, ALLOW)]
