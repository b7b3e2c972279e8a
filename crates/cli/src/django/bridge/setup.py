"""Settings, then django.setup(), and a description of what was started; the secrets that are known by then.

Absent here: connections; the settings are read and nothing is opened.
"""

import importlib.util
import os
import re
import time


def start_django(bridge, argv, entry_seconds):
    """Settings, then setup, each error in its own class; then says what was started."""
    import django

    if django.VERSION[:2] < OLDEST_DJANGO:
        bridge.problem("entry", "django-too-old", django.get_version())
        raise Answered
    honour_command_line(argv)
    apply_options(bridge.request)
    from django.conf import settings

    began = time.perf_counter()
    with starting(bridge, "settings", "settings-failed"):
        settings.INSTALLED_APPS
        learn_secrets(bridge, settings)
    limit_connect_time()
    read = time.perf_counter()
    with starting(bridge, "setup", "setup-failed"):
        django.setup()
    done = time.perf_counter()
    describe_django(bridge, settings, entry_seconds=rounded(entry_seconds), settings_seconds=rounded(read - began),
                    setup_seconds=rounded(done - read))


def limit_connect_time():
    """A host that never answers ends after seconds, where neither environment, service file nor settings say else.

    Without it libpq waits for as long as the kernel does, about two minutes for each address; pgdriver has the same
    limit. Set after the settings are read: a .env file that they load may have it, and would not override.
    """
    os.environ.setdefault("PGCONNECT_TIMEOUT", "10")


class starting:
    """Turns what the project raises while it starts into a problem, and ends the call."""

    def __init__(self, bridge, phase, kind):
        self.bridge, self.phase, self.kind = bridge, phase, kind

    def __enter__(self):
        return self

    def __exit__(self, cls, exc, tb):
        if exc is None or isinstance(exc, (Answered, KeyboardInterrupt)):
            return False
        if isinstance(exc, SystemExit):
            self.bridge.problem(self.phase, "project-exited", "it called sys.exit(%r)" % (exc.code,), exc=exc)
        elif no_driver(exc):
            self.bridge.problem(self.phase, "driver-missing", text_of(exc), exc=exc)
        else:
            self.bridge.problem(self.phase, self.kind, "%s: %s" % (type(exc).__name__, text_of(exc)), exc=exc)
        raise Answered from exc


def learn_environment_secrets(answers):
    """What the settings are probably made of, known before they are read."""
    from urllib.parse import unquote, urlsplit

    for name, value in os.environ.items():
        if re.search(r"PASSWORD|PASSWD|SECRET|TOKEN", name, re.I):
            answers.keep_secret(value)
        elif "://" in value:
            try:
                password = urlsplit(value).password
            except ValueError:
                continue
            answers.keep_secret(password and unquote(password))


def learn_secrets(bridge, settings):
    for database in (getattr(settings, "DATABASES", None) or {}).values():
        options = database.get("OPTIONS") or {}
        for value in (database.get("PASSWORD"), options.get("password"), options.get("sslpassword")):
            bridge.answers.keep_secret(value)


def describe_django(bridge, settings, **times):
    import django
    from django.apps import apps

    bridge.send("django", version=django.get_version(), settings_module=os.environ.get("DJANGO_SETTINGS_MODULE"),
                apps=[describe_app(config) for config in apps.get_app_configs()],
                routers=[str(r) if isinstance(r, str) else dotted(type(r)) for r in settings.DATABASE_ROUTERS],
                use_tz=bool(settings.USE_TZ), **times)


def describe_app(config):
    parts = os.path.normpath(config.path).split(os.sep)
    return {"label": config.label, "name": config.name, "path": str(config.path), "migrated": has_migrations(config),
            "own": "site-packages" not in parts and "dist-packages" not in parts}


def has_migrations(config):
    from django.db.migrations.loader import MigrationLoader

    module, _ = MigrationLoader.migrations_module(config.label)
    try:
        return module is not None and importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False
