-- Cancels the running query of a backend. True only means that it was told: one that is idle in transaction ignores it.
-- Privileges: the same role, or pg_signal_backend; a superuser's session only by a superuser.
SELECT pg_cancel_backend($1::int4) AS told
