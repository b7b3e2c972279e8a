"""A pooler between Django and the server that gives each transaction another server connection.

There a SET would reach other clients and not stay with us, so that the settings go into every transaction, by SET
LOCAL; a statement outside a transaction gets one of its own, which differs in nothing for a single statement.

Absent here: a pooler that keeps a server connection for each client (session pooling), which is as good as none; and
statements that cannot run inside a transaction: nothing is in force for those.
"""

import contextlib
import queue
import re
import threading

OUTSIDE = re.compile(r"\s*(?:VACUUM|REINDEX|CLUSTER|(?:CREATE|DROP|ALTER)\s+(?:DATABASE|TABLESPACE|SYSTEM|SUBSCRIPTION)"
                     r"|(?:CREATE|DROP)\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY|BEGIN|START|COMMIT|END|ROLLBACK|ABORT)\b",
                     re.I)


def backend_pid(raw):
    return first_of(raw, "SELECT pg_backend_pid()")


def first_of(raw, sql):
    with raw.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0] if cursor.description else None


def pools_transactions(connection, pid):
    """Whether server connections go from client to client; `pid` is the backend that answered.

    The pid of the cancel key differs where anything stands in between that makes up keys of its own, in session pooling
    too. What tells them apart is a second client: it is given the backend that this one has just had, or this one is
    given another as soon as the second holds it in a transaction. Where a second client does not get a server
    connection at all while this one keeps its own, the pool is full of sessions.
    """
    raw = connection.connection
    if raw.info.backend_pid == pid:
        return False
    rival = Rival(connection)
    try:
        for _ in range(3):
            before, other = backend_pid(raw), rival.pid()
            if other == before or backend_pid(raw) != before:
                return True
            if other is None:
                return False
        return False
    except Exception:
        return True  # what cannot be told is taken for the worse
    finally:
        rival.words.put(False)


class Rival:
    """A second client of the pooler, in a thread of its own since it may have to wait for a server connection."""

    PATIENCE = 3

    def __init__(self, connection):
        self.connect = lambda: connection.Database.connect(**connection.get_connection_params())
        self.words = queue.SimpleQueue()
        self.pids = queue.SimpleQueue()
        threading.Thread(target=self.live, daemon=True).start()

    def pid(self):
        """Its backend, which it keeps in a transaction until it is asked again; None where it gets none."""
        self.words.put(True)
        try:
            found = self.pids.get(timeout=self.PATIENCE)
        except queue.Empty:
            return None
        if isinstance(found, Exception):
            raise found
        return found

    def live(self):
        try:
            with contextlib.closing(self.connect()) as raw:
                raw.autocommit = True
                while self.words.get():
                    first_of(raw, "ROLLBACK")
                    first_of(raw, "BEGIN")
                    self.pids.put(backend_pid(raw))
                first_of(raw, "ROLLBACK")
        except Exception as exc:
            self.pids.put(exc)


class Pool:
    """The settings of one alias, put into each of its transactions."""

    def __init__(self, connection, settings, entered):
        with connection.connection.cursor() as cursor:
            cursor.execute("SELECT lower(name) FROM pg_settings WHERE lower(name) = ANY(%s::text[])",
                           [[name.lower() for name in settings]])
            known = {row[0] for row in cursor.fetchall()}
        self.settings = {name: value for name, value in settings.items() if name.lower() in known}
        self.entered = entered  # called with (connection, backend pid, settings read back) in each transaction

    def run(self, execute, sql, params, many, context):
        """As an execute wrapper."""
        with self.around(context["connection"], str(sql)):
            return execute(sql, params, many, context)

    @contextlib.contextmanager
    def around(self, connection, sql):
        raw = connection.connection
        alone = not in_transaction(connection) and not OUTSIDE.match(sql)
        if alone:
            self.tell(connection, "BEGIN")
        try:
            if alone or (in_transaction(connection) and transaction_status(raw) == IDLE):
                self.enter(connection)
            yield
        except BaseException:
            if alone and transaction_status(raw) in (INTRANS, INERROR):
                with contextlib.suppress(Exception):
                    first_of(raw, "ROLLBACK")
            raise
        if alone:
            self.tell(connection, "COMMIT")

    def tell(self, connection, sql):
        with connection.wrap_database_errors:
            first_of(connection.connection, sql)

    def enter(self, connection):
        settings = put_in_force(connection, self.settings, True)
        if self.entered:
            with connection.wrap_database_errors:
                pid = backend_pid(connection.connection)
            self.entered(connection, pid, settings)
