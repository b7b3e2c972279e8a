"""What `makemigrations --check` would find.

Absent here: writing a migration.
"""

import time


def say_drift(bridge):
    """What `makemigrations --check` would find, with the project's own autodetector and without a question."""
    from django.apps import apps
    from django.db.migrations.loader import MigrationLoader
    from django.db.migrations.state import ProjectState

    began = time.perf_counter()
    try:
        loader = MigrationLoader(None, ignore_no_migrations=True)
        detector = autodetector()(loader.project_state(), ProjectState.from_apps(apps), silent_questioner())
        changes = detector.changes(graph=loader.graph)
        # what the live schema is measured against where the models say more than the migrations do
        bridge.drifted_from = loader if changes else None
    except (Exception, SystemExit) as exc:
        kind, message, members = graph_problem(exc)
        bridge.problem("drift", kind, message, members, exc)
        return
    bridge.send("drift", seconds=rounded(time.perf_counter() - began), changes=[
        {"app": app, "operations": [described_text(op) for migration in migrations for op in migration.operations]}
        for app, migrations in sorted(changes.items())])


def autodetector():
    """Django 5.2 and later: a project can replace it on its makemigrations command."""
    from django.core.management import get_commands, load_command_class
    from django.db.migrations.autodetector import MigrationAutodetector

    try:
        command = get_commands()["makemigrations"]
        if isinstance(command, str):
            command = load_command_class(command, "makemigrations")
        return getattr(command, "autodetector", MigrationAutodetector)
    except Exception:
        return MigrationAutodetector


def silent_questioner():
    from django.db.migrations.questioner import MigrationQuestioner
    from django.db.models import NOT_PROVIDED
    from django.utils import timezone

    class Silent(MigrationQuestioner):
        """Asked for a default, it gives none: the change is only named, never written."""

        def ask_not_null_addition(self, field_name, model_name):
            return NOT_PROVIDED

        def ask_not_null_alteration(self, field_name, model_name):
            return NOT_PROVIDED

        def ask_auto_now_add_addition(self, field_name, model_name):
            return timezone.now()

        def ask_unique_callable_default_addition(self, field_name, model_name):
            return NOT_PROVIDED

    return Silent(specified_apps=set(), dry_run=True)
