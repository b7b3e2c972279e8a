"""Stub rendering: the part of a project state that one operation's SQL can depend on.

Full rendering of every state is what makes `sqlmigrate` slow. Absent here: states for operations that are not
Django's own; those are rendered in full.
"""

# Which models the SQL of Django's own operations can depend on: the named model with what it points to (`forth`),
# also what points to it (`back`), or no model at all (`none`). What is not listed here is rendered in full.
SEES = {
    "CreateModel": "forth", "DeleteModel": "forth", "RenameModel": "back", "AlterModelTable": "forth",
    "AlterModelTableComment": "forth", "AlterUniqueTogether": "forth", "AlterIndexTogether": "forth",
    "AlterOrderWithRespectTo": "forth", "AlterModelOptions": "none", "AlterModelManagers": "none",
    "AddField": "forth", "RemoveField": "back", "AlterField": "back", "RenameField": "back",
    "AddIndex": "forth", "RemoveIndex": "forth", "RenameIndex": "forth",
    "AddConstraint": "forth", "RemoveConstraint": "forth", "AlterConstraint": "forth",
    "AddConstraintNotValid": "forth", "ValidateConstraint": "forth",
    "AddIndexConcurrently": "forth", "RemoveIndexConcurrently": "forth",
    "RunSQL": "none", "RunPython": "none", "CreateExtension": "none", "BloomExtension": "none",
    "BtreeGinExtension": "none", "BtreeGistExtension": "none", "CITextExtension": "none", "CryptoExtension": "none",
    "HStoreExtension": "none", "TrigramExtension": "none", "UnaccentExtension": "none", "CreateCollation": "none",
    "RemoveCollation": "none",
}
STUB_OPTIONS = {"db_table", "managed", "proxy", "abstract", "swappable", "app_label", "db_tablespace", "apps"}


def model_key(reference, app_label, own):
    """(app, model) of what a relation or base names; None where it names no model."""
    if hasattr(reference, "_meta"):
        return reference._meta.app_label, reference._meta.model_name
    if not isinstance(reference, str):
        return None
    if reference == "self":
        return own
    app, dot, model = reference.rpartition(".")
    return (app if dot else app_label), model.lower()


def field_targets(key, field):
    """The models that a field's relation names: the target, and the `through` of a many-to-many."""
    relation = getattr(field, "remote_field", None)
    if relation is None:
        return []
    named_models = [getattr(relation, "model", None), getattr(relation, "through", None)]
    return [model_key(reference, key[0], key) for reference in named_models if reference]


def base_keys(key, model):
    return [found for found in (model_key(base, key[0], key) for base in model.bases) if found]


def model_targets(key, model):
    """Every model that this one's fields or bases name; kept on the state object, which is not written to again."""
    kept = model.__dict__.get("_bridge_targets")
    if kept is None:
        kept = set(base_keys(key, model))
        for field in model.fields.values():
            kept.update(target for target in field_targets(key, field) if target)
        model.__dict__["_bridge_targets"] = kept
    return kept


class Stub:
    """The part of a state that one operation's SQL can depend on.

    The named models are whole, with their bases and the `through` models of their many-to-manys. What they point to
    has only what a REFERENCES clause needs; what points to them (for `back`) only the relations that do, and its key.
    """

    def __init__(self, state, seeds, back):
        self.state = state
        self.models = {}
        self.needed = {}  # key -> names of fields that a kept relation refers to
        self.whole = self.whole_models(seeds)
        self.heads = self.find_heads(seeds) if back else set()
        for key in state.models:  # in the state's order: Django sorts related objects stably by name only
            if key in self.whole or (back and model_targets(key, state.models[key]) & self.heads):
                self.require(key)

    def whole_models(self, seeds):
        whole, todo = set(), [key for key in seeds if key in self.state.models]
        while todo:
            key = todo.pop()
            if key in whole or key not in self.state.models:
                continue
            whole.add(key)
            model = self.state.models[key]
            todo += base_keys(key, model)
            if key in seeds:
                throughs = [getattr(getattr(field, "remote_field", None), "through", None)
                            for field in model.fields.values()]
                todo += [model_key(through, key[0], key) for through in throughs if through]
        return whole

    def find_heads(self, seeds):
        """The seeds, and what shares its key with them: a changed key changes the types of all their columns."""
        heads = set(seeds)
        grown = True
        while grown:
            grown = False
            for key, model in self.state.models.items():
                if key in heads or not model_targets(key, model) & heads:
                    continue
                if any((field.primary_key or field.unique) and set(field_targets(key, field)) & heads
                       for field in model.fields.values() if not field.many_to_many):
                    heads.add(key)
                    grown = True
        return heads

    def require(self, key):
        """Puts a model in, and what it needs after it."""
        if key not in self.state.models:
            return
        model = self.state.models[key]
        kept = model.fields if key in self.whole else self.kept_fields(key, model)
        if key in self.models and set(self.models[key]) >= set(kept):
            return
        self.models[key] = kept
        for field in kept.values():
            self.require_target(key, field)
        for base in base_keys(key, model):
            self.require(base)

    def kept_fields(self, key, model):
        needed = set(self.needed.get(key, ()))
        composite = model.fields.get("pk")
        needed.update(getattr(composite, "field_names", ()))
        return {name: field for name, field in model.fields.items() if field.primary_key or name in needed
                or getattr(field.remote_field, "parent_link", False)
                or set(field_targets(key, field)) & self.heads
                or (key in self.heads and field.remote_field is not None)}

    def require_target(self, key, field):
        targets = [target for target in field_targets(key, field) if target]
        if targets:
            names = [*(getattr(field, "to_fields", None) or ()), getattr(field.remote_field, "field_name", None)]
            self.needed.setdefault(targets[0], set()).update(name for name in names if isinstance(name, str))
        for target in targets:
            self.require(target)

    def rendered(self):
        from django.db.migrations.state import ModelState, ProjectState

        models = {}
        for key, model in self.state.models.items():
            if key in self.whole:
                models[key] = model
            elif key in self.models:
                options = {name: value for name, value in model.options.items() if name in STUB_OPTIONS}
                models[key] = ModelState(key[0], model.name, list(self.models[key].items()), options, model.bases, [])
        return ProjectState(models=models, real_apps=self.state.real_apps)


def stub_states(step, app_label):
    """The two states of a step as stubs, or None where only full rendering is safe."""
    op = step.op
    sees = SEES.get(type(op).__name__) if is_djangos(op) else None
    if sees == "none":
        return step.old, step.new
    seeds = {(app_label, model) for model in model_names(op)}
    seeds = {key for key in seeds if key in step.old.models or key in step.new.models}
    if sees is None or not seeds:
        return None
    return tuple(Stub(state, seeds, sees == "back").rendered() for state in (step.old, step.new))
