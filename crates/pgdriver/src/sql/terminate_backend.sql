-- Ends a backend's session.
-- Privileges: the same role, or pg_signal_backend; a superuser's session only by a superuser.
SELECT pg_terminate_backend($1::int4) AS told
