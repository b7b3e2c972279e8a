-- What a dump names and does not hold; the tablespace is made beside it.
SELECT pg_advisory_lock(hashtext('everything'));
DO $$ DECLARE role text; BEGIN
    FOREACH role IN ARRAY ARRAY['everything_owner', 'everything reader', 'Weird "Role"''s'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            EXECUTE format('CREATE ROLE %I', role);
        END IF;
    END LOOP;
END $$;
