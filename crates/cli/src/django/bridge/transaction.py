"""The driver's side of a connection: which transaction it is in, and the settings that are in force there.

Both drivers have libpq's answers under the same names. Absent here: Django's own idea of a transaction, except where it
has to be brought back to the truth.
"""

import re

IDLE, ACTIVE, INTRANS, INERROR, UNKNOWN = range(5)  # libpq's PGTransactionStatusType


def transaction_status(raw):
    """Asks nobody: libpq knows from the last answer."""
    try:
        return UNKNOWN if raw.closed else int(raw.info.transaction_status)
    except Exception:
        return UNKNOWN


def is_gone(connection, exc=None):
    """The server's last word comes before the end of the connection is noticed: shut down, or class 08."""
    return (connection.connection is None or transaction_status(connection.connection) == UNKNOWN
            or bool(re.match("57P|08", exc and sqlstate(exc) or "")))


def in_transaction(connection):
    """What runs next can be rolled back: in atomic(), without autocommit, or since somebody said BEGIN."""
    raw = connection.connection
    return bool(connection.in_atomic_block or not raw.autocommit or transaction_status(raw) in (INTRANS, INERROR))


def is_untouched(connection):
    """No transaction is open, and only atomic() begins one."""
    raw = connection.connection
    return raw is None or (not connection.in_atomic_block and bool(raw.autocommit) and transaction_status(raw) == IDLE)


def leave_transaction(connection):
    """Rolls back what an exception left open, and makes Django know it.

    Django leaves a transaction open where deferred SQL fails: the schema editor's __exit__ raises before it comes to
    the __exit__ of its atomic(). It does not mind, since the process ends then.
    """
    if is_untouched(connection) or is_gone(connection):
        return
    raw = connection.connection
    try:
        raw.rollback()
        raw.autocommit = True
    except Exception:
        connection.close()
        return
    connection.autocommit = connection.commit_on_exit = True
    connection.in_atomic_block = connection.needs_rollback = connection.closed_in_transaction = False
    connection.run_commit_hooks_on_set_autocommit_on = False
    connection.savepoint_ids, connection.atomic_blocks, connection.run_on_commit = [], [], []


def put_in_force(connection, settings, pooled):
    """Sets them for what runs next on this very connection, and returns them as SHOW reads them back.

    Only utility statements: they take no snapshot, so that SET TRANSACTION may still follow. Nothing is said to a
    transaction that is aborted already, and nothing outside one through a pooler, which may give the SET to one server
    connection and the statement to another.
    """
    raw = connection.connection
    if not settings or transaction_status(raw) == INERROR:
        return {}
    local = in_transaction(connection)
    if pooled and not local:
        return {}
    sets = [set_words(name, value, local) for name, value in settings.items()]
    shows = ["SHOW %s" % setting_name(name) for name in settings]
    with connection.wrap_database_errors, raw.cursor() as cursor:
        read = one_by_one if connection.Database.__name__ == "psycopg2" else all_at_once
        return dict(zip(settings, read(cursor, sets, shows)))


def all_at_once(cursor, sets, shows):
    cursor.execute("; ".join(sets + shows), prepare=False)
    found = []
    while True:
        if cursor.description:
            found.append(cursor.fetchone()[0])
        if not cursor.nextset():
            return found


def one_by_one(cursor, sets, shows):
    """psycopg 2 keeps only the last result of several statements."""
    found = []
    for show in shows:
        cursor.execute("; ".join(sets + [show]))
        found.append(cursor.fetchone()[0])
        sets = []
    return found


def set_words(name, value, local):
    return "SET %s%s TO '%s'" % ("LOCAL " if local else "", setting_name(name), str(value).replace("'", "''"))


def setting_name(name):
    if not re.fullmatch(r"[A-Za-z_][\w.]*", name):
        raise ValueError("not the name of a setting: %r" % name)
    return name


# What ends a transaction, where a statement begins; `ROLLBACK TO` does not.
ENDS = re.compile(r"(?:^|;)\s*(?:COMMIT\b|END\b|ABORT\b|PREPARE\s+TRANSACTION\b"
                  r"|ROLLBACK\b(?!\s+(?:(?:WORK|TRANSACTION)\s+)?TO\b))", re.I)


def may_end_transaction(sql):
    """SQL of a RunSQL or of code that says COMMIT itself. Rather too often than not: the body of a function in
    standard SQL (BEGIN ATOMIC … END) looks the same."""
    return bool(re.search(r"COMMIT|END|ABORT|TRANSACTION|ROLLBACK", sql, re.I) and ENDS.search(Sketch(sql).text))
