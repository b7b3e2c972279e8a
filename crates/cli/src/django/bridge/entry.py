"""The project's own entry, run until it calls Django.

Absent here: any import of Django, which is the project's to do first.
"""

import importlib.util
import os
import runpy
import sys


class ManagementHook:
    """Replaces the way into Django at the moment that the project imports it.

    Not by importing Django first: manage.py may have to extend sys.path for that, or to monkeypatch before it.
    """

    NAME = "django.core.management"

    def __init__(self, name, entered):
        self.name = name
        self.entered = entered
        self.originals = None

    def install(self):
        if self.NAME in sys.modules:
            self.replace(sys.modules[self.NAME])
        else:
            sys.meta_path.insert(0, self)

    def find_spec(self, name, path=None, target=None):
        if name != self.NAME:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            self.replace(module)

        spec.loader.exec_module = exec_module
        return spec

    def replace(self, module):
        self.originals = (module, module.execute_from_command_line, module.ManagementUtility.execute)
        module.execute_from_command_line = self.from_command_line
        module.ManagementUtility.execute = lambda utility: self.from_command_line(utility.argv)

    def restore(self):
        module, from_command_line, execute = self.originals
        module.execute_from_command_line = from_command_line
        module.ManagementUtility.execute = execute
        return from_command_line

    def from_command_line(self, argv=None):
        real = self.restore()
        sys.argv[0] = self.name  # runpy puts the whole path there
        return self.entered(list(sys.argv if argv is None else argv), real)


def run_entry(bridge, entered):
    """Runs the project's entry until it calls Django, which calls `entered(argv, real)` instead."""
    request = bridge.request
    entry = request["entry"]
    hook = ManagementHook(request["argv"][0], entered)
    prepare_interpreter(request, entry)
    hook.install()
    try:
        if entry["kind"] == "manage":
            runpy.run_path(os.path.abspath(entry["path"]), run_name="__main__")
        else:
            module = importlib.import_module(entry["module"])
            getattr(module, entry["function"])()
    except SystemExit as exc:
        if not bridge.finished:
            bridge.problem("entry", "project-exited", "it called sys.exit(%r) before it called Django" % (exc.code,))
    except Exception as exc:
        if bridge.finished:
            raise
        entry_failed(bridge, exc)
    else:
        if not bridge.finished:
            bridge.problem("entry", "entry-failed", "it returned without calling"
                           " django.core.management.execute_from_command_line")


def entry_failed(bridge, exc):
    version = old_django()
    if no_django(exc):
        bridge.problem("entry", "django-missing", "Django is not installed for this Python", exc=exc)
    elif version:
        bridge.problem("entry", "django-too-old", version, exc=exc)
    else:
        bridge.problem("entry", "entry-failed", "%s: %s" % (type(exc).__name__, text_of(exc)), exc=exc)


def prepare_interpreter(request, entry):
    """What the interpreter would have set up for `python manage.py …`."""
    if sys.path and sys.path[0] == "":
        del sys.path[0]  # what -c adds
    if entry["kind"] == "manage":
        first = os.path.dirname(os.path.abspath(entry["path"]))
    else:
        first = os.getcwd()
    if not getattr(sys.flags, "safe_path", False):
        sys.path.insert(0, first)
    sys.argv = list(request["argv"])
    apply_options(request)


def apply_options(request):
    if request["pythonpath"] and request["pythonpath"] not in sys.path:
        sys.path.insert(0, request["pythonpath"])
    if request["settings"]:
        os.environ["DJANGO_SETTINGS_MODULE"] = request["settings"]


def honour_command_line(argv):
    """--settings and --pythonpath in the arguments that the project passed on, as ManagementUtility reads them."""
    from django.core.management.base import CommandParser, handle_default_options

    parser = CommandParser(usage="", add_help=False, allow_abbrev=False)
    parser.add_argument("--settings")
    parser.add_argument("--pythonpath")
    parser.add_argument("args", nargs="*")
    try:
        options, _ = parser.parse_known_args(argv[2:])
        handle_default_options(options)
    except Exception:
        pass  # ManagementUtility ignores these too
