"""What an operation sees: the project states before and after it, made without rendering a model.

Absent here: SQL.
"""

DJANGO_OPERATIONS = ("django.db.migrations.operations.", "django.contrib.postgres.operations")
ABSTRACT_OPERATIONS = {"Operation", "ModelOperation", "FieldOperation", "IndexOperation", "ModelOptionOperation",
                       "AlterTogetherOptionOperation", "CollationOperation", "NotInTransactionMixin"}


def is_djangos(op):
    return type(op).__module__.startswith(DJANGO_OPERATIONS)


def base_name(op):
    """The Django operation that this is or derives from."""
    for cls in type(op).__mro__:
        if cls.__module__.startswith(DJANGO_OPERATIONS) and cls.__name__ not in ABSTRACT_OPERATIONS:
            return cls.__name__
    return None


def model_names(op):
    """The lower-case names of the models that the operation names itself, the old one first."""
    from django.db.migrations.operations.models import ModelOperation

    if isinstance(getattr(op, "model_name", None), str):
        return [op.model_name.lower()]
    if not isinstance(op, ModelOperation):
        return []
    names = [getattr(op, "old_name", None) or op.name, getattr(op, "new_name", None)]
    return [name.lower() for name in names if isinstance(name, str)]


class Step:
    """One operation that touches the database, with the states before and after it.

    `index` is that of the migration's own operation: the parts of a SeparateDatabaseAndState share it.
    """

    def __init__(self, index, op, old, new):
        self.index, self.op, self.old, self.new = index, op, old, new


class StateWalk:
    """The project state from what is applied, forward through the plan; renders nothing.

    With `back`, it stands before the first of those, and `rest` are they and what else is applied after it.

    Snapshots share what does not change: before an operation runs, only the model states that it can change are
    replaced by clones, so a model state that a snapshot holds is never written to again.
    """

    def __init__(self, executor, back=()):
        from django.db.migrations.state import ProjectState

        loader, self.rest = executor.loader, []
        self.state = ProjectState(real_apps=loader.unmigrated_apps)
        applied = {loader.graph.nodes[key] for key in loader.applied_migrations if key in loader.graph.nodes}
        # The order of MigrationExecutor._create_project_state, which is not that of the history.
        for migration, _ in executor.migration_plan(loader.graph.leaf_nodes(), clean_start=True):
            if migration not in applied:
                continue
            if self.rest or migration in back:
                self.rest.append(migration)
            else:
                migration.mutate_state(self.state, preserve=False)
        self.last = self.snapshot()

    def snapshot(self):
        from django.db.migrations.state import ProjectState

        return ProjectState(models=dict(self.state.models), real_apps=self.state.real_apps)

    def advance(self, op, app_label):
        """Runs state_forwards and returns the states before and after."""
        before = self.last
        for key in changed_models(op, app_label, self.state):
            self.state.models[key] = self.state.models[key].clone()
        try:
            op.state_forwards(app_label, self.state)
        finally:
            self.last = self.snapshot()
        return before, self.last


def changed_models(op, app_label, state):
    """The models whose state the operation may write to in place; all of them where that is not known."""
    name = type(op).__name__
    if not is_djangos(op) or name in ("RenameModel", "RenameField"):
        return list(state.models)
    if name in ("SeparateDatabaseAndState", "RunSQL"):
        parts = [changed_models(part, app_label, state) for part in op.state_operations or []]
        # A model that one part makes and the next changes is not in the state yet: nobody else holds it.
        return list(dict.fromkeys(key for part in parts for key in part))
    return [(app_label, model) for model in model_names(op) if (app_label, model) in state.models]


class Walked:
    """A migration with, for each operation, (operation, before, after), as far as its states could be made."""

    def __init__(self, migration, walk):
        self.migration = migration
        self.moves = []
        self.failure = None
        for op in migration.operations:
            try:
                before, after = walk.advance(op, migration.app_label)
            except (Exception, SystemExit) as exc:
                self.failure = exc
                break
            self.moves.append((op, before, after))


def separate_parts(op, app_label, old):
    """The database operations of a SeparateDatabaseAndState with states of their own, as Django computes them."""
    parts = []
    for part in op.database_operations:
        new = old.clone()
        part.state_forwards(app_label, new)
        parts.append((part, old, new))
        old = new
    return parts


def leaf_steps(index, op, app_label, old, new):
    """The operation itself, or what a SeparateDatabaseAndState consists of.

    Taken apart here since its own database_forwards() would run a RunPython inside it, even while SQL is only
    collected.
    """
    from django.db.migrations.operations.special import SeparateDatabaseAndState

    own = type(op).database_forwards is SeparateDatabaseAndState.database_forwards \
        and type(op).database_backwards is SeparateDatabaseAndState.database_backwards \
        if isinstance(op, SeparateDatabaseAndState) else False
    if not own:
        return [Step(index, op, old, new)]
    return [step for part, before, after in separate_parts(op, app_label, old)
            for step in leaf_steps(index, part, app_label, before, after)]
