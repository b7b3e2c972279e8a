"""Each migration of the selected alias, and the attempts that it takes.

Absent here: whether there is another attempt; a word says so, after what is left of the last one was told.
"""

import time


class Attempt:
    """One call of the executor for one migration, and what it did so far."""

    def __init__(self, connection, migration, number, backward):
        self.backward = backward
        self.connection = connection
        self.names = (migration.app_label, migration.name)
        self.atomic = bool(migration.atomic)
        self.number = number
        self.untouched = is_untouched(connection)
        self.raw = connection.connection
        self.recording = False
        self.commits = 0
        self.code = []  # functions of RunPython that were entered, and operations that are not Django's
        self.began = time.perf_counter()

    def seconds(self):
        return rounded(time.perf_counter() - self.began)

    def enters(self, operation, app_label):
        from django.db import router

        name = code_name(getattr(operation, "reverse_code" if self.backward else "code", None))
        hints = getattr(operation, "hints", {})
        if name and not router.allow_migrate(self.connection.alias, app_label, **hints):
            return
        name = name or dotted(type(operation))
        if name not in self.code:
            self.code.append(name)

    def is_cut_off(self, exc):
        """Where the connection is lost, Django opens another while it leaves atomic()."""
        return is_gone(self.connection, exc) or self.connection.connection is not self.raw

    def is_rolled_back(self):
        """Nothing of it is left in the database, and the next attempt may begin on the same connection."""
        return (self.atomic and self.untouched and not self.commits
                and is_untouched(self.connection) and self.connection.is_usable())


class Attempts:
    """Around the executor's apply_migration() and unapply_migration()."""

    def __init__(self, bridge, stop, words, statements, wrap):
        self.bridge = bridge
        self.wrap = wrap
        self.wrapped = set()
        self.send = bridge.send
        self.stepwise = bridge.request["stepwise"]
        self.stop = stop
        self.words = words
        self.statements = statements
        self.reported = []  # exceptions that were said already

    def around(self, backward):
        def call(real, executor, state, migration, *args, **kwargs):
            connection = executor.connection
            if connection.alias != self.bridge.alias:
                return real(executor, state, migration, *args, **kwargs)
            names = {"app": migration.app_label, "name": migration.name, "backward": backward}
            before = StateBefore(state) if self.stepwise else None
            self.watch(migration.operations)
            number = 1
            while True:
                self.announce(migration, number, names)
                attempt = Attempt(connection, migration, number, backward)
                try:
                    result = self.make(attempt, lambda: real(executor, state, migration, *args, **kwargs))
                    break
                except BaseException as exc:
                    self.over()
                    if not self.again(attempt, exc, names):
                        raise
                state = before.again()
                number += 1
            self.send("migration_applied", seconds=attempt.seconds(), **names)
            self.stop.held = False
            self.stop.check()
            return result
        return call

    def watch(self, operations):
        """An operation of the project's own, or of another package, may do anything, as the functions of RunPython may."""
        for operation in operations:
            self.watch(getattr(operation, "database_operations", None) or [])
            for name in ("database_forwards", "database_backwards"):
                owner = next(cls for cls in type(operation).__mro__ if name in vars(cls))
                if not owner.__module__.startswith("django.") and (owner, name) not in self.wrapped:
                    self.wrapped.add((owner, name))
                    self.wrap(owner, name, self.entered)

    def announce(self, migration, number, names):
        if self.stop.asked == "after":
            raise CleanStop
        self.send("migration_started", atomic=bool(migration.atomic), attempt=number, **names)
        if self.stepwise:
            self.words.wait_for("go", stops=True)

    def make(self, attempt, apply):
        self.statements.attempt = self.stop.attempt = attempt
        try:
            return apply()
        finally:
            self.over()

    def over(self):
        """From here on LetGo is not raised: it was about this attempt."""
        self.stop.attempt = self.statements.attempt = None

    def again(self, attempt, exc, names):
        """Whether there is another attempt; where there is none, the end of the migration is told."""
        self.stop.held = False
        try:
            if self.asks(attempt, exc) and self.answer(attempt, exc, names) == "retry":
                return True
        except BaseException as stopped:
            self.failed(attempt, stopped, names)
            raise
        self.failed(attempt, exc, names)
        return False

    def asks(self, attempt, exc):
        return (self.stepwise and self.stop.asked != "now" and not isinstance(exc, CleanStop)
                and not attempt.is_cut_off(exc))

    def answer(self, attempt, exc, names):
        leave_transaction(attempt.connection)
        self.send("attempt_failed", attempt=attempt.number, seconds=attempt.seconds(), exception=described(exc),
                  rolled_back=attempt.is_rolled_back(), commits=attempt.commits, code=attempt.code, **names)
        return self.words.wait_for("retry", "give_up")["word"]

    def failed(self, attempt, exc, names):
        self.reported.append(exc)
        self.send("migration_failed", seconds=attempt.seconds(), exception=described(exc), **names)

    def entered(self, real, operation, app_label, schema_editor, *args, **kwargs):
        """RunPython.database_forwards() and _backwards(), and others' own: what these do outside the database stays."""
        attempt = self.statements.attempt
        if attempt and schema_editor.connection is attempt.connection:
            attempt.enters(operation, app_label)
        return real(operation, app_label, schema_editor, *args, **kwargs)


class StateBefore:
    """A project state as it is before an attempt, which changes it in place; the rendered models are not kept.

    Model states are cloned as Django clones them, which shares their fields, and RenameField writes into fields of
    other models. So what each field holds is kept too, and put back.
    """

    def __init__(self, state):
        self.models = {key: model.clone() for key, model in state.models.items()}
        self.real_apps = state.real_apps
        fields = [field for model in self.models.values() for field in model.fields.values()]
        parts = fields + [field.remote_field for field in fields if getattr(field, "remote_field", None)]
        self.held = [(part, dict(vars(part))) for part in parts]

    def again(self):
        """Another state like it, rendered: not inside the transaction, where locks are held meanwhile."""
        from django.db.migrations.state import ProjectState

        for part, held in self.held:
            vars(part).clear()
            vars(part).update(held)
        state = ProjectState(models={key: model.clone() for key, model in self.models.items()},
                             real_apps=self.real_apps)
        state.apps
        return state
