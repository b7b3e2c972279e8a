"""The rows of django_content_type that `migrate` renames along with models.

django.contrib.contenttypes injects an operation after each RenameModel when `migrate` starts (pre_migrate). No
migration has it and no SQL is collected from it, but what it will send is known where the row that it will find is
known: rows are only made after the last migration (post_migrate), or by code.

Absent here: rows after code or SQL that may have changed them; then nothing is claimed, and `missing` says so.
"""

import re

CONTENT_TYPE = ("contenttypes", "contenttype")
# Statements that name the table without changing its rows, such as a foreign key to it.
LEAVES_ROWS = re.compile(r"\s*(ALTER|CREATE|DROP INDEX|COMMENT|SET|LOCK|ANALYZE|VACUUM|GRANT|REVOKE)\b", re.I)


class ContentTypes:
    """The rows as they will be at one point of the plan."""

    def __init__(self, connection):
        self.connection = connection
        self.rows = None  # {(app, model): id}, read when first asked for
        self.known = True

    def copy(self):
        other = ContentTypes(self.connection)
        other.rows, other.known = self.rows, self.known
        return other

    def follow(self, sql):
        if "django_content_type" in sql and not LEAVES_ROWS.match(sql):
            self.known = False

    def rename(self, app, old, new):
        """The id of the row that is renamed, or None where there is none; KeyError where that cannot be told."""
        if self.known and self.rows is None:
            self.rows = self.read()
        if not self.known:
            raise KeyError(old)
        if (app, old) not in self.rows:
            return None
        if (app, new) in self.rows:  # a stale row: the UPDATE fails, and Django only warns
            raise KeyError(new)
        rows = dict(self.rows)
        found = rows[app, new] = rows.pop((app, old))
        self.rows = rows
        return found

    def read(self):
        from django.db import Error
        from django.db.transaction import atomic

        try:
            with atomic(self.connection.alias), self.connection.cursor() as cursor:
                cursor.execute("SELECT to_regclass('django_content_type') IS NOT NULL")
                if not cursor.fetchone()[0]:
                    return {}
                cursor.execute("SELECT app_label, model, id FROM django_content_type")
                return {(app, model): number for app, model, number in cursor.fetchall()}
        except Error:
            self.known = False
            return {}


def renames_content_type(migration, step, alias):
    """As contenttypes decides it: for operations of the migration's own list, not for those inside another."""
    from django.apps import apps
    from django.db import router
    from django.db.migrations.operations import RenameModel

    return (isinstance(step.op, RenameModel) and migration.operations[step.index] is step.op
            and apps.is_installed("django.contrib.contenttypes")
            and (CONTENT_TYPE in step.old.models or CONTENT_TYPE[0] in step.old.real_apps)
            and router.allow_migrate_model(alias, apps.get_model(*CONTENT_TYPE)))
