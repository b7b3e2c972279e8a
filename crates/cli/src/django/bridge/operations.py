"""Planned migrations, told operation by operation, with fields before and after.

Absent here: SQL, and rendered models: columns and types are worked out from the states.
"""

import ast
import dis
import hashlib
import sys
import types


def say_planned(bridge, connection, walked, backward):
    migration = walked.migration
    module = sys.modules.get(type(migration).__module__)
    operations = [describe_operation(connection, op, migration.app_label, old, new) for op, old, new in walked.moves]
    for op in migration.operations[len(operations):]:
        operations.append(describe_operation(connection, op, migration.app_label, None, None))
    bridge.send("planned", source_sha256=source_sha256(migration), app=migration.app_label, name=migration.name, backward=backward,
                initial=bool(migration.initial), atomic=bool(migration.atomic), file=getattr(module, "__file__", None),
                dependencies=[named(parent) for parent in migration.dependencies],
                replaces=[named(item) for item in migration.replaces], operations=operations,
                lines=operation_lines(migration, module) if "lines" in bridge.parts else [])


def source_sha256(migration):
    """Of the file that the migration was imported from: what its operations say is less than what they do."""
    module = sys.modules.get(type(migration).__module__)
    try:
        with open(module.__file__, "rb") as source:
            return hashlib.sha256(source.read()).hexdigest()
    except (AttributeError, TypeError, OSError):
        return None  # no file: frozen, or in an archive


def operation_lines(migration, module):
    """The first line of each operation in the migration's file, from 1; none where `operations` is no plain list."""
    try:
        with open(module.__file__, "rb") as source:
            tree = ast.parse(source.read())
    except (AttributeError, TypeError, OSError, SyntaxError, ValueError):
        return []
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == type(migration).__name__:
            for statement in node.body:
                targets = getattr(statement, "targets", None) or [getattr(statement, "target", None)]
                if getattr(targets[0], "id", None) == "operations":
                    elements = getattr(statement.value, "elts", [])
                    plain = not any(isinstance(element, ast.Starred) for element in elements)
                    if plain and len(elements) == len(migration.operations):
                        return [element.lineno for element in elements]
    return []


def describe_operation(connection, op, app_label, old, new):
    from django.db.migrations.operations.special import SeparateDatabaseAndState

    model, table = described_model(connection, op, app_label, old, new)
    name = field_name(op)
    inner, states = [], []
    if isinstance(op, SeparateDatabaseAndState):
        inner = described_parts(connection, op.database_operations, app_label, old)
        states = described_parts(connection, op.state_operations, app_label, old)
    elif getattr(op, "state_operations", None):
        states = described_parts(connection, op.state_operations, app_label, old)
    return {
        "class": dotted(type(op)), "base": base_name(op), "describe": described_text(op),
        "reversible": is_reversible(op), "reverse_is_noop": reverse_is_noop(op), "reduces_to_sql": reduces_to_sql(op), "elidable": bool(op.elidable),
        "atomic": None if op.atomic is None else bool(op.atomic), "model": model, "table": table, "field": name,
        "field_before": described_field(connection, op, app_label, old, 0),
        "field_after": described_field(connection, op, app_label, new, -1),
        "code": code_name(getattr(op, "code", None)), "models_of_today": models_of_today(op), "database_operations": inner, "state_operations": states,
    }


def described_text(op):
    try:
        return str(op.describe())
    except Exception as exc:
        return "%s (describe() raised %s: %s)" % (type(op).__name__, type(exc).__name__, text_of(exc))


def described_parts(connection, ops, app_label, old):
    """Operations inside an operation; their states follow from the one before it."""
    described_ops = []
    for op in ops:
        new = None
        if old is not None:
            new = old.clone()
            try:
                op.state_forwards(app_label, new)
            except Exception:
                new = None
        described_ops.append(describe_operation(connection, op, app_label, old, new))
        old = new
    return described_ops


def is_reversible(op):
    parts = getattr(op, "database_operations", None)
    return bool(op.reversible) and all(map(is_reversible, parts or []))


def reverse_is_noop(op):
    """Its way back was written as doing nothing, while the way forward does something."""
    from django.db.migrations.operations.special import RunPython, RunSQL

    if isinstance(op, RunPython):
        return op.reverse_code is RunPython.noop and op.code is not RunPython.noop
    return isinstance(op, RunSQL) and op.reverse_sql == RunSQL.noop and op.sql != RunSQL.noop


def reduces_to_sql(op):
    parts = getattr(op, "database_operations", None)
    return bool(op.reduces_to_sql) and all(map(reduces_to_sql, parts or []))


def code_name(code):
    if code is None or not callable(code):
        return None
    return "%s.%s" % (getattr(code, "__module__", "?"), getattr(code, "__qualname__", None) or repr(code))


def models_of_today(op):
    """Models that the functions of RunPython name themselves, where they should ask the state's `apps` for them."""
    found = set()
    for code in (getattr(op, "code", None), getattr(op, "reverse_code", None)):
        while hasattr(code, "func") or hasattr(code, "__wrapped__") or hasattr(code, "__func__"):
            code = getattr(code, "func", None) or getattr(code, "__wrapped__", None) or code.__func__
        if isinstance(code, types.FunctionType):
            found.update(models_named(code.__code__, code.__globals__))
    return sorted(found)


def models_named(code, names):
    module = None
    for instruction in dis.get_instructions(code):
        value = None
        if instruction.opname == "IMPORT_NAME":
            module = sys.modules.get(instruction.argval)
            continue
        if instruction.opname in ("IMPORT_FROM", "LOAD_ATTR", "LOAD_METHOD") and module is not None:
            value = getattr(module, instruction.argval, None)
        elif instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            value = names.get(instruction.argval)
        if is_model_of_today(value):
            yield value._meta.label
        # `from a import b, c` takes each from one module, `a.b.c` one from the other
        if isinstance(value, types.ModuleType) and instruction.opname != "IMPORT_FROM":
            module = value
        elif instruction.opname not in ("IMPORT_FROM", "STORE_FAST", "STORE_DEREF"):
            module = None
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            yield from models_named(inner, names)


def is_model_of_today(value):
    from django.apps import apps
    from django.db.models import Model

    return isinstance(value, type) and issubclass(value, Model) and not value._meta.abstract and value._meta.apps is apps


def field_name(op):
    """The field that a field operation names, by its name before the operation."""
    from django.db.migrations.operations.fields import FieldOperation

    if not isinstance(op, FieldOperation):
        return None
    return getattr(op, "old_name", None) or op.name


def find_model(op, app_label, state):
    for model in model_names(op):
        if state is not None and (app_label, model) in state.models:
            return (app_label, model), state.models[app_label, model]
    return None, None


def described_model(connection, op, app_label, old, new):
    for state in (old, new):
        key, model = find_model(op, app_label, state)
        if model is not None:
            return "%s.%s" % (app_label, model.name), table_of(connection, state, key, model)
    return ("%s.%s" % (app_label, model_names(op)[0]) if model_names(op) else None), None


def table_of(connection, state, key, model):
    """db_table as Options.contribute_to_class() makes it, without rendering the model."""
    from django.db.backends.utils import truncate_name

    if model.options.get("proxy"):
        for base in base_keys(key, model):
            if base in state.models:
                return table_of(connection, state, base, state.models[base])
    table = model.options.get("db_table")
    return str(table) if table else truncate_name("%s_%s" % key, connection.ops.max_name_length())


def described_field(connection, op, app_label, state, which):
    """The field as the state has it; `which` picks the old or the new name of a RenameField."""
    name = field_name(op)
    key, model = find_model(op, app_label, state)
    if name is None or model is None:
        return None
    names = [name, getattr(op, "new_name", None) or name]
    field = model.fields.get(names[which])
    return None if field is None else field_state(connection, state, key, names[which], field)


def field_state(connection, state, key, name, field):
    from django.db.models import NOT_PROVIDED

    bound = field.clone()
    bound.set_attributes_from_name(name)
    targets = field_targets(key, field)
    target = state.models.get(targets[0]) if targets and targets[0] else None
    related = None
    if targets and targets[0]:
        related = "%s.%s" % (targets[0][0], target.name if target else targets[0][1])
    many = bool(field.many_to_many)
    return {
        "class": dotted(type(field)), "column": None if many else bound.column,
        "db_type": None if many else column_type(connection, state, key, field, bound), "null": bool(field.null),
        "unique": bool(field.unique), "db_index": bool(field.db_index), "primary_key": bool(field.primary_key),
        "has_default": field.has_default(),
        "has_db_default": getattr(field, "db_default", NOT_PROVIDED) is not NOT_PROVIDED, "related": related,
    }


def column_type(connection, state, key, field, bound, depth=0):
    """db_type() without rendering: a foreign key has the type of the key that it refers to."""
    try:
        targets = field_targets(key, field)
        if not targets:
            return (getattr(field, "output_field", None) or bound).db_type(connection) \
                if getattr(field, "generated", False) else bound.db_type(connection)
        target = state.models.get(targets[0])
        if target is None or depth > 10:
            return None
        wanted = [name for name in getattr(field, "to_fields", None) or () if name]
        for name, candidate in target.fields.items():
            if name in wanted or (not wanted and candidate.primary_key):
                if field_targets(targets[0], candidate):
                    return column_type(connection, state, targets[0], candidate, candidate, depth + 1)
                return candidate.rel_db_type(connection)
        parents = [base for base in base_keys(targets[0], target) if base in state.models]
        if not parents:  # an implicit key
            from django.apps import apps

            return apps.get_app_config(targets[0][0])._get_default_pk_class()("x").rel_db_type(connection)
        return None
    except Exception:
        return None
