-- The limits of a role or database that would end a long load, taken off this session: those that this version knows.
-- pg_dump's preamble does the same for most of them.
-- Privileges: none.
SELECT s.name, set_config(s.name, '0', false) AS value
  FROM pg_settings s
 WHERE s.name IN ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout',
                  'transaction_timeout')
   AND s.setting <> '0'
