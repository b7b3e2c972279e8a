-- Foreign data, publications, subscriptions, default privileges, event triggers: what speaks to the world.
CREATE FOREIGN DATA WRAPPER nobody OPTIONS (debug 'tr;ue', "odd name" 'it''s');
CREATE SERVER far TYPE 'kind' VERSION '1.0' FOREIGN DATA WRAPPER nobody OPTIONS (host 'a;b', dbname '\');
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE USER MAPPING FOR PUBLIC SERVER far OPTIONS ("user" 'x''y');
CREATE USER MAPPING FOR "everything reader" SERVER far;
CREATE FOREIGN TABLE shop.remote (id int OPTIONS (column_name 'ID;') NOT NULL, t text DEFAULT ';' CHECK (t <> '')) SERVER far OPTIONS (table_name 'it''s');
CREATE FOREIGN TABLE shop.file (line text) SERVER files OPTIONS (filename '/nowhere', format 'text', delimiter E'\t');
CREATE TABLE shop.part_remote (id int) PARTITION BY LIST (id);
CREATE FOREIGN TABLE shop.part_remote_1 PARTITION OF shop.part_remote FOR VALUES IN (1) SERVER far;
ALTER SERVER far OWNER TO everything_owner;
ALTER FOREIGN DATA WRAPPER nobody OWNER TO postgres;
GRANT USAGE ON FOREIGN SERVER far TO "everything reader";
GRANT USAGE ON FOREIGN DATA WRAPPER nobody TO everything_owner;
COMMENT ON SERVER far IS 'far';
COMMENT ON FOREIGN DATA WRAPPER nobody IS 'nobody';
COMMENT ON FOREIGN TABLE shop.remote IS 'remote';

CREATE PUBLICATION everything FOR ALL TABLES WITH (publish = 'insert, truncate');
CREATE PUBLICATION "some; of it" FOR TABLE shop.customer, ONLY shop.orders WITH (publish_via_partition_root = true);
CREATE PUBLICATION nothing;
ALTER PUBLICATION nothing OWNER TO everything_owner;
COMMENT ON PUBLICATION nothing IS 'nothing';
CREATE SUBSCRIPTION elsewhere CONNECTION 'host=''127.0.0.1'' dbname=''a b'' connect_timeout=1' PUBLICATION p1, "p;2"
    WITH (connect = false, slot_name = NONE, binary = true, streaming = true, synchronous_commit = 'local');
COMMENT ON SUBSCRIPTION elsewhere IS 'never connected';

ALTER DEFAULT PRIVILEGES FOR ROLE everything_owner IN SCHEMA shop GRANT SELECT, INSERT ON TABLES TO "everything reader" WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES FOR ROLE everything_owner GRANT USAGE ON SEQUENCES TO PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE everything_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE "Weird ""Role""'s" REVOKE USAGE ON TYPES FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE everything_owner GRANT CREATE ON SCHEMAS TO "Weird ""Role""'s";

GRANT EXECUTE ON FUNCTION pg_catalog.pg_ls_dir(text) TO "everything reader";
GRANT SELECT ON pg_catalog.pg_authid TO "everything reader";
GRANT SELECT (rolname) ON pg_catalog.pg_authid TO everything_owner;
REVOKE EXECUTE ON FUNCTION ext.hstore(text, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION shop.dollars() FROM PUBLIC;

CREATE FUNCTION public.on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM 1; END $$;
CREATE EVENT TRIGGER watch ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'ALTER TABLE') EXECUTE FUNCTION public.on_ddl();
CREATE EVENT TRIGGER "drops; watched" ON sql_drop EXECUTE FUNCTION public.on_ddl();
ALTER EVENT TRIGGER "drops; watched" DISABLE;
CREATE EVENT TRIGGER rewrites ON table_rewrite EXECUTE FUNCTION public.on_ddl();
ALTER EVENT TRIGGER rewrites ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER watch IS 'watches';
