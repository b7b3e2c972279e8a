-- Views, rules, triggers, policies: what PostgreSQL keeps as a tree, or runs by itself.
CREATE VIEW shop.counted AS SELECT count(*) AS n, 'a;b'::text AS t FROM shop.customer;
CREATE VIEW shop.checked WITH (security_barrier) AS SELECT id, name FROM shop.customer WHERE id > 0 WITH LOCAL CHECK OPTION;
CREATE VIEW shop.cascaded AS SELECT * FROM shop.checked WHERE name <> '' WITH CASCADED CHECK OPTION;
ALTER VIEW shop.checked ALTER COLUMN name SET DEFAULT 'from the view';
CREATE RECURSIVE VIEW shop.numbers (n) AS VALUES (1) UNION ALL SELECT n + 1 FROM numbers WHERE n < 10;
CREATE VIEW shop.windows AS SELECT id, row_number() OVER w AS r, sum(id) OVER (PARTITION BY name ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW EXCLUDE TIES) AS s,
    count(*) FILTER (WHERE id > 1) OVER () AS a FROM shop.customer WINDOW w AS (ORDER BY id NULLS FIRST);
CREATE VIEW shop.joined AS SELECT a.id, b.c, t.* FROM shop.a LEFT JOIN shop.b USING (id) CROSS JOIN LATERAL (SELECT a.x + 1 AS x1) t WHERE a.id = ANY (ARRAY[1, 2]) AND EXISTS (SELECT FROM shop.c WHERE c.a = a.id);
CREATE VIEW shop.grouped AS SELECT region, day, GROUPING(region) AS g, sum(total) FROM shop.orders GROUP BY GROUPING SETS ((region, day), CUBE (region), ()) HAVING count(*) > 0;
CREATE VIEW public.no_columns_view AS SELECT;
COMMENT ON VIEW shop.counted IS 'a view';
COMMENT ON COLUMN shop.counted.n IS 'of a view';
ALTER VIEW shop.counted OWNER TO everything_owner;
GRANT SELECT ON shop.counted TO PUBLIC;

-- A view that needs another, which needs it: by a rule.
CREATE TABLE shop.ring (id int);
CREATE VIEW shop.ring_1 AS SELECT id FROM shop.ring;
CREATE VIEW shop.ring_2 AS SELECT id FROM shop.ring_1;
CREATE OR REPLACE VIEW shop.ring_1 AS SELECT id FROM shop.ring WHERE id IN (SELECT 1);
CREATE RULE insert_1 AS ON INSERT TO shop.ring_1 DO INSTEAD INSERT INTO shop.ring SELECT NEW.id FROM shop.ring_2 LIMIT 1;
CREATE RULE several AS ON UPDATE TO shop.ring_2 DO INSTEAD (INSERT INTO shop.log (what) VALUES ('a;b'); UPDATE shop.ring SET id = NEW.id WHERE id = OLD.id; NOTIFY "it's");
CREATE RULE "nothing; at all" AS ON DELETE TO shop.ring WHERE OLD.id > 5 DO INSTEAD NOTHING;
CREATE RULE also AS ON INSERT TO shop.ring DO ALSO INSERT INTO shop.log (what) VALUES (CASE WHEN NEW.id > 1 THEN 'x' ELSE 'y;' END);
ALTER TABLE shop.ring DISABLE RULE also;
COMMENT ON RULE several ON shop.ring_2 IS 'several; statements';
-- A view that groups by a table's key depends on the key.
CREATE VIEW shop.by_key AS SELECT id, name, count(*) FROM shop.customer GROUP BY id;

CREATE MATERIALIZED VIEW shop.m1 AS SELECT id, name FROM shop.customer WHERE id > 10;
CREATE UNIQUE INDEX m1_id ON shop.m1 (id);
CREATE MATERIALIZED VIEW shop.m2 TABLESPACE "everything space" AS SELECT count(*) AS n FROM shop.m1;
CREATE MATERIALIZED VIEW shop.a_first AS SELECT n FROM shop.m2;
CREATE MATERIALIZED VIEW shop.m_empty AS SELECT id FROM shop.m1 WITH NO DATA;
CREATE INDEX m_empty_id ON shop.m_empty (id);
ALTER MATERIALIZED VIEW shop.m1 OWNER TO everything_owner;
ALTER MATERIALIZED VIEW shop.m1 CLUSTER ON m1_id;
COMMENT ON MATERIALIZED VIEW shop.m1 IS 'kept';
CREATE VIEW shop.over_m AS SELECT * FROM shop.m2;

CREATE FUNCTION shop.trigger_fn() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN COALESCE(NEW, OLD); END $$;
CREATE TRIGGER before_row BEFORE INSERT OR UPDATE OF name, mail ON shop.customer FOR EACH ROW WHEN (NEW.name <> ';') EXECUTE FUNCTION shop.trigger_fn('arg', 'it''s', 'a;b', '\', '');
CREATE TRIGGER "odd ""name"";" AFTER DELETE OR TRUNCATE ON shop.customer FOR EACH STATEMENT EXECUTE FUNCTION shop.trigger_fn();
CREATE TRIGGER transitions AFTER UPDATE ON shop.customer REFERENCING OLD TABLE AS before NEW TABLE AS "after;" FOR EACH STATEMENT EXECUTE FUNCTION shop.trigger_fn();
CREATE CONSTRAINT TRIGGER deferred AFTER INSERT ON shop.a FROM shop.b DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION shop.trigger_fn();
CREATE TRIGGER instead INSTEAD OF INSERT ON shop.counted FOR EACH ROW EXECUTE FUNCTION shop.trigger_fn();
CREATE TRIGGER off BEFORE INSERT ON shop.a FOR EACH ROW EXECUTE FUNCTION shop.trigger_fn();
ALTER TABLE shop.a DISABLE TRIGGER off;
CREATE TRIGGER always BEFORE INSERT ON shop.b FOR EACH ROW EXECUTE FUNCTION shop.trigger_fn();
ALTER TABLE shop.b ENABLE ALWAYS TRIGGER always;
CREATE TRIGGER on_replica BEFORE INSERT ON shop.c FOR EACH ROW EXECUTE FUNCTION shop.trigger_fn();
ALTER TABLE shop.c ENABLE REPLICA TRIGGER on_replica;
CREATE TRIGGER partitioned AFTER INSERT ON shop.orders FOR EACH ROW EXECUTE FUNCTION shop.trigger_fn();
ALTER TABLE shop.orders_2023 DISABLE TRIGGER partitioned;
-- Would double every row if it ran before the data came.
CREATE FUNCTION shop.doubles() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF pg_trigger_depth() = 1 THEN INSERT INTO shop.serials VALUES (NEW.a + 1000, NEW.b, NEW.c); END IF; RETURN NEW; END $$;
CREATE TRIGGER doubles AFTER INSERT ON shop.serials FOR EACH ROW EXECUTE FUNCTION shop.doubles();
COMMENT ON TRIGGER before_row ON shop.customer IS 'with arguments';

ALTER TABLE shop.customer ENABLE ROW LEVEL SECURITY;
ALTER TABLE shop.a ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY readers ON shop.customer FOR SELECT TO "everything reader", everything_owner USING (name = CURRENT_USER OR name = ';');
CREATE POLICY "it's a; policy" ON shop.customer AS RESTRICTIVE FOR UPDATE USING (true) WITH CHECK (CASE WHEN id > 0 THEN true ELSE false END);
CREATE POLICY everyone ON shop.a USING (EXISTS (SELECT FROM shop.b WHERE b.a = a.id));
COMMENT ON POLICY readers ON shop.customer IS 'who reads';
