-- New in PostgreSQL 18.
CREATE TABLE shop.computed (a int, v int GENERATED ALWAYS AS (a * 2) VIRTUAL, s text GENERATED ALWAYS AS ('x;' || a) STORED);
INSERT INTO shop.computed (a) VALUES (1), (2);
CREATE TABLE shop.not_nulls (a int CONSTRAINT "named; not null" NOT NULL, b int CONSTRAINT alone NOT NULL NO INHERIT, c int);
INSERT INTO shop.not_nulls VALUES (1, 2, NULL);
ALTER TABLE shop.not_nulls ADD CONSTRAINT later NOT NULL c NOT VALID;
COMMENT ON CONSTRAINT "named; not null" ON shop.not_nulls IS 'a comment';
CREATE TABLE shop.not_nulls_child (d int) INHERITS (shop.not_nulls);
CREATE TABLE shop.not_enforced (a int REFERENCES shop.c NOT ENFORCED, b int CHECK (b > 0) NOT ENFORCED);
INSERT INTO shop.not_enforced VALUES (999, -1);
CREATE TABLE shop.temporal (id int, valid daterange, PRIMARY KEY (id, valid WITHOUT OVERLAPS));
CREATE TABLE shop.temporal_fk (id int, valid daterange, FOREIGN KEY (id, PERIOD valid) REFERENCES shop.temporal (id, PERIOD valid));
INSERT INTO shop.temporal VALUES (1, '[2020-01-01,2021-01-01)'), (1, '[2021-01-01,)');
INSERT INTO shop.temporal_fk VALUES (1, '[2020-06-01,2022-01-01)');
CREATE COLLATION shop.fast (PROVIDER = builtin, LOCALE = 'PG_UNICODE_FAST');
CREATE FUNCTION shop.folded(t text) RETURNS text LANGUAGE sql IMMUTABLE RETURN casefold(t COLLATE shop.fast);
CREATE PUBLICATION of_generated FOR TABLE shop.computed WITH (publish_generated_columns = stored);
ALTER DEFAULT PRIVILEGES FOR ROLE everything_owner GRANT SELECT ON LARGE OBJECTS TO "everything reader";
CREATE FOREIGN TABLE shop.like_others (LIKE shop.computed INCLUDING ALL) SERVER far;
