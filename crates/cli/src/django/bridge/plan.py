"""What `migrate` would do for the wanted target, in the order in which it would do it.

Absent here: what the migrations consist of.
"""


def make_plan(bridge, executor):
    """The plan in the order in which Django's executor would run it."""
    if bridge.request["back"] is not None:
        return plan_back(bridge, executor)
    targets = plan_targets(bridge, executor.loader)
    try:
        plan = executor.migration_plan(targets)
    except Exception as exc:
        kind, message, members = graph_problem(exc)
        bridge.problem("plan", kind, message, members, exc)
        raise Answered from exc
    backward = [migration for migration, backwards in plan if backwards]
    if backward:
        bridge.problem("plan", "backwards", "The target is behind what is applied: it would unapply %s" % ", ".join(
            map(str, backward)), map(str, backward))
        return plan
    wanted = {migration for migration, _ in plan}
    everything = executor.migration_plan(executor.loader.graph.leaf_nodes(), clean_start=True)
    return [(migration, False) for migration, _ in everything if migration in wanted]


def plan_back(bridge, executor):
    """Those of `back` that are applied and in the graph, the last first: what depends on another goes before it.

    No target of Django's says just these: `migrate APP NAME` takes along whatever depends on them.
    """
    wanted, loader = set(bridge.request["back"]), executor.loader
    everything = executor.migration_plan(loader.graph.leaf_nodes(), clean_start=True)
    keys = [((migration.app_label, migration.name), migration) for migration, _ in everything]
    return [(migration, True) for key, migration in reversed(keys)
            if named(key) in wanted and key in loader.applied_migrations]


def plan_targets(bridge, loader):
    """The targets as the `migrate` command takes them, each refusal a problem."""
    app, prefix = bridge.request["app"], bridge.request["migration"]
    if not app:
        return loader.graph.leaf_nodes()
    check_app(bridge, loader, app)
    if not prefix:
        return [key for key in loader.graph.leaf_nodes() if key[0] == app]
    if prefix == "zero":
        return [(app, None)]
    target = (app, find_migration(bridge, loader, app, prefix).name)
    if target not in loader.graph.nodes and target in loader.replacements:
        # A squash that is applied in part is not in the graph; its last replaced migration stands for it.
        return [tuple(loader.replacements[target].replaces[-1])]
    return [target]


def check_app(bridge, loader, app):
    from django.apps import apps

    try:
        apps.get_app_config(app)
    except LookupError as exc:
        bridge.problem("plan", "unknown-app", text_of(exc), [app])
        raise Answered from exc
    if app not in loader.migrated_apps:
        bridge.problem("plan", "app-without-migrations", "App '%s' does not have migrations." % app, [app])
        raise Answered


def find_migration(bridge, loader, app, prefix):
    from django.db.migrations.exceptions import AmbiguityError

    try:
        return loader.get_migration_by_prefix(app, prefix)
    except AmbiguityError as exc:
        names = sorted(name for label, name in loader.disk_migrations if label == app and name.startswith(prefix))
        bridge.problem("plan", "ambiguous-migration", "More than one migration matches '%s' in app '%s'. Please be"
                       " more specific." % (prefix, app), [named((app, name)) for name in names])
        raise Answered from exc
    except KeyError as exc:
        bridge.problem("plan", "unknown-migration", "Cannot find a migration matching '%s' from app '%s'." % (
            prefix, app), [named((app, prefix))])
        raise Answered from exc
