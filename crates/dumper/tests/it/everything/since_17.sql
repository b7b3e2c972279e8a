-- New in PostgreSQL 17.
CREATE COLLATION shop.builtin (PROVIDER = builtin, LOCALE = 'C.UTF-8');
CREATE FUNCTION public.on_login() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM 1; END $$;
CREATE EVENT TRIGGER at_login ON login EXECUTE FUNCTION public.on_login();
CREATE VIEW shop.json_of_17 AS SELECT * FROM JSON_TABLE('[{"a;": 1}]'::jsonb, '$[*]' COLUMNS ("a;" int PATH '$."a;"' DEFAULT 0 ON EMPTY, n FOR ORDINALITY));
CREATE VIEW shop.interval_of_17 AS SELECT interval '-infinity' AS i, JSON_VALUE('{}'::jsonb, '$.a' RETURNING int NULL ON EMPTY) AS v, now() AT LOCAL AS l;
CREATE TABLE shop.intervals (i interval);
INSERT INTO shop.intervals VALUES ('infinity'), ('-infinity');
CREATE TABLE shop.id_parted (id bigint GENERATED ALWAYS AS IDENTITY, k int) PARTITION BY LIST (k);
CREATE TABLE shop.id_parted_1 PARTITION OF shop.id_parted FOR VALUES IN (1);
INSERT INTO shop.id_parted (k) VALUES (1), (1);
CREATE TABLE shop.excluded (k int, r int4range, EXCLUDE USING gist (k WITH =, r WITH &&)) PARTITION BY LIST (k);
CREATE TABLE shop.excluded_1 PARTITION OF shop.excluded FOR VALUES IN (1);
CREATE TABLE shop.own_method (id int) PARTITION BY LIST (id) USING heap_too;
GRANT MAINTAIN ON shop.customer TO "everything reader";
ALTER TABLE shop.customer ALTER name SET STATISTICS DEFAULT;
