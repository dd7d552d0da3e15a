"""Who was inside an instance is kept: rows are added, and a terminal is closed once."""

from django.db import migrations

REFUSE = """
CREATE FUNCTION access_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is not allowed', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME;
END $$;
CREATE FUNCTION access_terminal_closes_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.closed_at IS NOT NULL
        OR (OLD.id, OLD.instance_id, OLD.user_id, OLD.attempt_no, OLD.opened_at)
            IS DISTINCT FROM (NEW.id, NEW.instance_id, NEW.user_id, NEW.attempt_no, NEW.opened_at)
    THEN
        RAISE EXCEPTION '% on % is not allowed', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER terminal_session_kept BEFORE DELETE ON access_terminalsession
    FOR EACH ROW EXECUTE FUNCTION access_refuse();
CREATE TRIGGER terminal_session_closes_once BEFORE UPDATE ON access_terminalsession
    FOR EACH ROW EXECUTE FUNCTION access_terminal_closes_once();
CREATE TRIGGER port_session_kept BEFORE UPDATE OR DELETE ON access_portsession
    FOR EACH ROW EXECUTE FUNCTION access_refuse();
"""

ALLOW = """
DROP TRIGGER terminal_session_kept ON access_terminalsession;
DROP TRIGGER terminal_session_closes_once ON access_terminalsession;
DROP TRIGGER port_session_kept ON access_portsession;
DROP FUNCTION access_terminal_closes_once();
DROP FUNCTION access_refuse();
"""


class Migration(migrations.Migration):
    dependencies = [("access", "0001_initial")]

    operations = [migrations.RunSQL(REFUSE, ALLOW)]
