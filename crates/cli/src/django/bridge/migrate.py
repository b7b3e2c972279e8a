"""The project's own `migrate`, watched: what is hooked where, and the error that ends it.

Absent here: what is done at a statement (statements.py) and at a migration (attempts.py).
"""

import time


class MigrateHooks:
    """Puts everything that watches in its place, and holds the plan against what was agreed to."""

    def __init__(self, bridge, stop, words):
        self.bridge = bridge
        self.stop = stop
        self.statements = Statements(bridge, stop, words)
        self.attempts = Attempts(bridge, stop, words, self.statements, self.wrap)
        self.back = bridge.request["back"] is not None
        agreed = bridge.request["agreed"]
        self.agreed = None if agreed is None else {named((m["app"], m["name"])): m["source_sha256"] for m in agreed}
        self.command_error = None

    def install(self):
        from django.core.management.base import BaseCommand
        from django.db.backends.base.base import BaseDatabaseWrapper
        from django.db.migrations.executor import MigrationExecutor
        from django.db.migrations.operations import RunPython
        from django.db.migrations.recorder import MigrationRecorder

        self.wrap(MigrationExecutor, "migration_plan", self.planned)
        self.wrap(MigrationExecutor, "migrate", self.plan)
        self.wrap(MigrationExecutor, "apply_migration", self.migration(backward=False))
        self.wrap(MigrationExecutor, "unapply_migration", self.migration(backward=True))
        self.wrap(MigrationExecutor, "record_migration", self.record)
        self.wrap(MigrationRecorder, "record_unapplied", self.record)
        self.wrap(BaseDatabaseWrapper, "_commit", self.commit)
        self.wrap(BaseDatabaseWrapper, "_rollback", self.rollback)
        self.wrap(RunPython, "database_forwards", self.attempts.entered)
        self.wrap(RunPython, "database_backwards", self.attempts.entered)
        self.wrap(BaseCommand, "execute", self.command)

    def wrap(self, cls, name, around):
        real = getattr(cls, name)

        def wrapper(obj, *args, **kwargs):
            return around(real, obj, *args, **kwargs)

        wrapper.__name__ = name
        wrapper.__wrapped__ = real
        setattr(cls, name, wrapper)

    def planned(self, real, executor, targets, clean_start=False):
        """What goes back is no target that the command could be given."""
        if not self.back or clean_start or executor.connection.alias != self.bridge.alias:
            return real(executor, targets, clean_start)
        return plan_back(self.bridge, executor)

    def plan(self, real, executor, targets, plan=None, *args, **kwargs):
        """The whole plan is held against what was agreed to before the first of it runs."""
        if executor.connection.alias == self.bridge.alias:
            for migration, backward in plan or []:
                self.check_agreed(migration, backward)
        return real(executor, targets, plan, *args, **kwargs)

    def check_agreed(self, migration, backward):
        if self.agreed is None:
            return
        name = named((migration.app_label, migration.name))
        if backward != self.back or name not in self.agreed:
            why = "`%s` is not in the plan that was agreed to" % name
        elif self.agreed[name] != source_sha256(migration):
            why = "the file of `%s` is not the one that was agreed to" % name
        else:
            return
        self.bridge.problem("migrate", "plan-changed", why, [name])
        raise CleanStop

    def migration(self, backward):
        watched = self.attempts.around(backward)

        def around(real, executor, state, migration, *args, **kwargs):
            if executor.connection.alias == self.bridge.alias:
                self.check_agreed(migration, backward)
            return watched(real, executor, state, migration, *args, **kwargs)
        return around

    def record(self, real, executor, *args, **kwargs):
        attempt = self.statements.attempt
        if attempt is None or attempt.connection is not executor.connection:
            return real(executor, *args, **kwargs)
        if not in_transaction(attempt.connection):
            self.stop.hold()  # all that the migration does is done
        attempt.recording = True
        try:
            return real(executor, *args, **kwargs)
        finally:
            attempt.recording = False

    def commit(self, real, connection):
        attempt = self.statements.attempt
        if attempt and attempt.connection is connection:
            self.stop.hold()
            attempt.commits += 1
            self.bridge.send("commit_started")
        return real(connection)

    def rollback(self, real, connection):
        """A cancel that came into it would cost the connection."""
        if not runs_migrations(connection):
            return real(connection)
        self.stop.quiet = True
        try:
            return real(connection)
        finally:
            self.stop.quiet = False

    def command(self, real, *args, **kwargs):
        """run_from_argv() turns a CommandError into text and sys.exit(); here it still is an exception."""
        try:
            return real(*args, **kwargs)
        except BaseException as exc:
            self.command_error = self.command_error or exc
            raise


def run_migrate(bridge, sessions, argv, real, reader):
    began = time.perf_counter()
    stop = Stop(bridge)
    words = Words(stop)
    hooks = MigrateHooks(bridge, stop, words)
    hooks.install()
    sessions.opened.append(hooks.statements.watch)
    watch_open_connection(bridge, sessions)
    outcome, error = "done", None
    try:
        stop.listen()
        words.listen(reader)
        real(argv)
    except SystemExit as exc:
        if exc.code not in (None, 0):
            outcome, error = "failed", hooks.command_error or exc
    except BaseException as exc:
        outcome, error = "failed", exc
    bridge.answers.after_write = None
    stop.held = stop.raised = True  # what follows is only talk
    if isinstance(error, CleanStop) or (error is not None and stop.asked == "now"):
        outcome = "stopped"
    elif error is not None and error not in hooks.attempts.reported:
        say_command_error(bridge, error)
    bridge.send("migrate_done", outcome=outcome, seconds=rounded(time.perf_counter() - began))


def watch_open_connection(bridge, sessions):
    """A connection that the project opened before the hooks were there."""
    from django.db import connections

    if bridge.alias not in connections.settings:
        bridge.problem("connect", "unknown-database", "DATABASES has no alias %r" % bridge.alias,
                       members=sorted(connections.settings))
        raise Answered
    connection = connections[bridge.alias]
    if connection.connection is not None:
        sessions.created(type(connection), connection)


def say_command_error(bridge, exc):
    from django.core.management.base import CommandError
    from django.db import OperationalError
    from django.db.migrations.exceptions import InconsistentMigrationHistory

    message = text_of(exc) if isinstance(exc, CommandError) else "%s: %s" % (type(exc).__name__, text_of(exc))
    if isinstance(exc, InconsistentMigrationHistory):
        kind, members = "inconsistent-history", []
    elif isinstance(exc, CommandError) and message.startswith("Conflicting migrations detected"):
        kind, members = "plan-conflict", []
    elif isinstance(exc, OperationalError) and sqlstate(exc) is None:
        kind, members = "connect-failed", []
    else:
        kind, _, members = graph_problem(exc)
    bridge.problem("migrate", kind, message, members, exc)
