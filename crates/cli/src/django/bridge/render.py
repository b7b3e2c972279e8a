"""One direction of one migration through a collecting schema editor, with errors kept for each operation.

Absent here: the order of migrations and directions.
"""


class FullStates:
    """Django's own incremental states, rendered: dear, and right for any operation."""

    def __init__(self, walk):
        from django.db.migrations.state import ProjectState

        self.state = ProjectState(models={key: model.clone() for key, model in walk.state.models.items()},
                                  real_apps=walk.state.real_apps)

    def steps(self, walked):
        self.state.apps
        steps = []
        for index, (op, _, _) in enumerate(walked.moves):
            old = self.state
            self.state = old.clone()
            op.state_forwards(walked.migration.app_label, self.state)
            steps += leaf_steps(index, op, walked.migration.app_label, old, self.state)
        return steps


class NoRenames(dict):
    """Django 6.1 and later look a renamed table up under its old name while collecting; the catalogue knows the new."""

    def __setitem__(self, new, old):
        pass


class Pass:
    """One direction of one migration through a collecting schema editor."""

    def __init__(self, collector, migration, render):
        self.collector = collector
        self.connection = collector.connection
        self.catalogue = collector.catalogue
        self.migration = migration
        self.render = render
        self.editor = None
        self.followed = 0
        self.failed = None
        collector.follow_collected = self.follow_collected

    def run(self, steps, way):
        """(results by step, deferred statements)"""
        self.open()
        try:
            results = [self.step(step, way) for step in steps]
            at = len(self.editor.collected_sql)
            self.close()
            deferred = [str(sql) for sql in self.editor.collected_sql[at:]]
            self.follow_collected()
        except BaseException:
            self.close(failed=True)
            raise
        finally:
            self.collector.follow_collected = lambda: None
        return results, deferred

    def open(self, deferred=()):
        self.editor = self.connection.schema_editor(collect_sql=True, atomic=self.migration.atomic)
        self.editor._is_collation_deterministic = self.is_deterministic
        self.editor.collected_table_renames = NoRenames()
        self.editor.__enter__()
        self.editor.deferred_sql.extend(deferred)
        self.is_open = True
        self.followed = 0

    def close(self, failed=False):
        if not self.is_open:
            return
        self.is_open = False
        if not failed:
            self.editor.__exit__(None, None, None)
            return
        try:
            self.editor.__exit__(RuntimeError, RuntimeError("failed"), None)
        except Exception:
            pass  # rolling back a connection that is gone

    def reopen(self, deferred):
        """After an error: its transaction may be unusable, the deferred statements are still wanted."""
        self.close(failed=True)
        self.open(deferred)

    def follow_collected(self):
        new = self.editor.collected_sql[self.followed:]
        self.followed = len(self.editor.collected_sql)
        self.collector.quiet += 1
        try:
            for sql in new:
                self.catalogue.run(str(sql))
                self.catalogue.content_types.follow(str(sql))
        finally:
            self.collector.quiet -= 1

    def is_deterministic(self, name):
        self.follow_collected()
        if name in self.catalogue.collations:
            return self.catalogue.collations[name]
        self.collector.quiet += 1
        try:
            return type(self.editor)._is_collation_deterministic(self.editor, name)
        finally:
            self.collector.quiet -= 1

    # One operation

    def step(self, step, way):
        result = empty_result(step.index)
        if not step.op.reduces_to_sql:
            return self.opaque(step, way, result)
        self.follow_collected()
        self.catalogue.asked, self.catalogue.consulted = None, False
        del self.collector.own_queries[:]
        at, deferred = len(self.editor.collected_sql), list(self.editor.deferred_sql)
        exc = self.attempt(step, way, self.states(step))
        if exc is not None and self.render == "stub" and not is_database_error(exc):
            # It may have looked for what the stub left out.
            del self.editor.collected_sql[at:]
            self.followed = min(self.followed, at)
            self.editor.deferred_sql[:] = deferred
            exc = self.attempt(step, way, self.full_states(step))
        result["statements"] = [str(sql) for sql in self.editor.collected_sql[at:]]
        result["missing"] = self.missing(step)
        if exc is not None:
            self.judge(step, way, exc, result)
            self.follow_collected()
            self.reopen(list(self.editor.deferred_sql))
        elif renames_content_type(self.migration, step, self.connection.alias):
            self.rename_content_type(step, way, result)
        return result

    def rename_content_type(self, step, way, result):
        """Adds what the operation that contenttypes injects behind this one will send, or says that it is not known."""
        names = [step.op.old_name_lower, step.op.new_name_lower]
        forward = way == "database_forwards"
        self.collector.quiet += 1
        try:
            row = self.catalogue.content_types.rename(self.migration.app_label, *(names if forward else names[::-1]))
            known = not self.collector.opaque and (forward or row is not None)  # after the run there is one
        except KeyError:
            known = False
        finally:
            self.collector.quiet -= 1
        if not known:
            result["missing"] = result["missing"] or "`migrate` also renames its row in django_content_type"
        elif row is not None:
            update = 'UPDATE "django_content_type" SET "model" = %s WHERE "django_content_type"."id" = %s;' % (
                self.editor.quote_value(names[1] if forward else names[0]), row)
            result["statements"][len(result["statements"]) if forward else 0:0] = [update]

    def opaque(self, step, way, result):
        if self.does_something(step.op, way):
            result["opaque"] = True
            result["missing"] = "what it runs is only known when it runs: %s" % (
                code_name(getattr(step.op, "code" if way == "database_forwards" else "reverse_code", None))
                or dotted(type(step.op)))
            if way == "database_forwards":
                self.collector.opaque = self.collector.opaque or "%s runs code before it" % self.migration
            code = getattr(step.op, "code" if way == "database_forwards" else "reverse_code", None)
            for table in touched_tables(code):
                self.catalogue.cast_doubt("code of %s before it can change the schema" % self.migration, table)
        return result

    def does_something(self, op, way):
        from django.db import router
        from django.db.migrations.operations.special import RunPython

        if not isinstance(op, RunPython):
            return True
        code = op.code if way == "database_forwards" else op.reverse_code
        return code is not RunPython.noop and router.allow_migrate(
            self.connection.alias, self.migration.app_label, **op.hints)

    def states(self, step):
        stubs = stub_states(step, self.migration.app_label) if self.render == "stub" else None
        return stubs or self.full_states(step)

    def full_states(self, step):
        if self.render == "full":
            return step.old, step.new
        # Snapshots share model states: a rendering of its own must not be left on them.
        return step.old.clone(), step.new.clone()

    def attempt(self, step, way, states):
        """Runs the operation; returns what it raised."""
        from django.db.transaction import atomic

        op, migration = step.op, self.migration
        old, new = states if way == "database_forwards" else states[::-1]
        call = getattr(op, way)
        self.answer_for_extensions(op)
        try:
            # As Migration.apply() and unapply() do it.
            wrapped = op.atomic or (migration.atomic and op.atomic is not False)
            if not self.editor.atomic_migration and wrapped:
                with atomic(self.connection.alias):
                    call(migration.app_label, self.editor, old, new)
            else:
                call(migration.app_label, self.editor, old, new)
        except (Exception, SystemExit) as exc:
            return exc
        finally:
            op.__dict__.pop("extension_exists", None)
        return None

    def answer_for_extensions(self, op):
        real = getattr(op, "extension_exists", None)
        if real is not None:
            op.__dict__["extension_exists"] = lambda editor, name: self.catalogue.has_extension(
                name, lambda: real(editor, name))

    def missing(self, step):
        """Why statements may be missing although nothing was raised."""
        op = step.op
        if self.catalogue.asked:
            return "it asks for names of constraints, and %s" % self.catalogue.asked
        if self.collector.own_queries and not type(op).__module__.startswith("django.contrib.postgres.operations"):
            return "it depends on what the database answers when it runs: %s" % self.collector.own_queries[0][:160]
        return None

    def judge(self, step, way, exc, result):
        """Sets exception, missing and broken, and keeps later look-ups from trusting what was not collected."""
        message = "%s: %s" % (type(exc).__name__, text_of(exc))
        result["exception"] = described(exc)
        code = sqlstate(exc)
        if code == "25006":
            result["missing"] = "it writes while its SQL is made, which a preview does not allow: %s" % message
        elif is_database_error(exc):
            result["missing"] = "it asks the database for something that may be pending: %s" % message
        else:
            excuse = self.excuse(exc)
            result["broken"] = excuse is None
            result["missing"] = message if excuse is None else "it failed, perhaps only since %s: %s" % (
                excuse, message)
        table = described_model(self.connection, step.op, self.migration.app_label, step.old, step.new)[1]
        why = "the SQL of %s before it is not known" % self.migration
        self.catalogue.cast_doubt(why, table)
        if result["broken"]:
            self.failed = "an operation of %s before it is broken" % self.migration
            if way == "database_forwards":
                self.collector.broken = self.failed

    def excuse(self, exc):
        """Why an error need not be the migration's own fault: only what the database answers can change by then."""
        if self.failed or self.collector.broken:
            return self.failed or self.collector.broken
        if is_driver_error(exc):
            # "cannot adapt type 'dict'": Django registers hstore with the driver where the extension is there
            self.collector.follow_collected()
            created = sorted(name for name, there in self.catalogue.extensions.items() if there)
            if created:
                return "the driver knows the values of an extension once it is there: %s" % ", ".join(created)
        if self.collector.own_queries:
            return "the database answers differently by then"
        return self.catalogue.consulted and (self.catalogue.asked or self.collector.opaque) or None
