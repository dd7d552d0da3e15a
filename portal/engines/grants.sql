-- What a fresh farm database needs besides its two roles: run once, as a superuser, in that database.
-- farm_owner migrates and owns the tables; farm_app is the running product: it owns nothing and cannot TRUNCATE.
CREATE EXTENSION IF NOT EXISTS btree_gist;
ALTER SCHEMA public OWNER TO farm_owner;
GRANT USAGE ON SCHEMA public TO farm_app;
ALTER DEFAULT PRIVILEGES FOR ROLE farm_owner IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO farm_app;
ALTER DEFAULT PRIVILEGES FOR ROLE farm_owner IN SCHEMA public
    GRANT USAGE, SELECT ON SEQUENCES TO farm_app;
