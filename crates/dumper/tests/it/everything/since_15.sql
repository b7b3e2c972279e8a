-- New in PostgreSQL 15.
CREATE PUBLICATION rows_and_columns FOR TABLE shop.a (id, x) WHERE (id > 1 AND x <> 5), TABLE shop.by_default WHERE (v <> 'it''s;');
CREATE PUBLICATION whole_schema FOR TABLES IN SCHEMA "S 1", TABLE shop.a WHERE (id > 1);
CREATE TABLE shop.nulls (a int, b int, UNIQUE NULLS NOT DISTINCT (a, b));
INSERT INTO shop.nulls VALUES (1, NULL), (NULL, NULL);
CREATE UNIQUE INDEX nulls_too ON shop.nulls (a, (b + 1)) NULLS NOT DISTINCT;
CREATE VIEW shop.as_invoker WITH (security_invoker = true) AS SELECT * FROM shop.nulls;
CREATE TABLE shop.some_columns (a int, b int, FOREIGN KEY (a, b) REFERENCES shop.a (x, y) ON DELETE SET NULL (b));
CREATE TABLE shop.numeric_scale (n numeric(2, -3), m numeric(3, 5));
INSERT INTO shop.numeric_scale VALUES (12345, 0.00123);
