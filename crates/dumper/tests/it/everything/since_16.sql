-- New in PostgreSQL 16.
-- Not every build has ICU.
DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_collation WHERE collname = 'und-x-icu') THEN
        CREATE COLLATION shop.icu_rules (PROVIDER = icu, LOCALE = 'und', RULES = '&a < g');
        CREATE COLLATION shop."not deterministic" (PROVIDER = icu, LOCALE = 'und-u-ks-level2', DETERMINISTIC = false);
    END IF;
END $$;
CREATE TABLE shop.stored_default (t text STORAGE EXTERNAL COMPRESSION pglz, u text);
INSERT INTO shop.stored_default VALUES (repeat('x', 9000), 'É');
CREATE VIEW shop.json_of_16 AS SELECT JSON_OBJECT('k;' : 1 NULL ON NULL) AS o, JSON_ARRAY(1, 2) AS a, '{}' IS JSON OBJECT AS j, 1_000 AS n, 0xFF AS h;
CREATE FUNCTION shop.hex_in_atomic() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 0xFF + 1_000; END;
CREATE SUBSCRIPTION with_origin CONNECTION 'dbname=nowhere' PUBLICATION p WITH (connect = false, slot_name = NONE, origin = none, run_as_owner = true, password_required = false, streaming = parallel, disable_on_error = true, two_phase = false);
