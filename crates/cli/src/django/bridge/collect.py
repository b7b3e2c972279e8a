"""The SQL of every planned migration, forward and backward, in one pass over one shared state.

Absent here: whether a gap matters; `missing` only says that there may be one, and why.
"""

import re
import time


def collect_sql(bridge, connection, executor, plan):
    """Says each planned migration and, where asked for, its SQL."""
    if not plan:
        if "sql" in bridge.parts:
            bridge.send("sql_done", statements=0, seconds=0.0, cpu_seconds=0.0)
        return
    if bridge.request["back"] is not None:
        return collect_back(bridge, connection, executor, plan)
    if any(backward for _, backward in plan):
        for migration, backward in plan:
            walked = Walked.__new__(Walked)
            walked.migration, walked.moves, walked.failure = migration, [], None
            say_planned(bridge, connection, walked, backward)
        return
    began, cpu = time.perf_counter(), cpu_seconds()
    walk = StateWalk(executor)
    collector = Collector(bridge, connection, walk) if "sql" in bridge.parts else None
    try:
        for migration, _ in plan:
            walked = Walked(migration, walk)
            say_planned(bridge, connection, walked, False)
            if collector:
                collector.collect(walked)
        if collector:
            collector.finish()
    finally:
        if collector:
            collector.unhook()
    if collector:
        bridge.send("sql_done", statements=collector.statements, seconds=rounded(time.perf_counter() - began),
                    cpu_seconds=rounded(cpu_seconds() - cpu))


def collect_back(bridge, connection, executor, plan):
    """Says each applied migration that is to go back and, where asked for, the SQL of its way back, in running order."""
    began, cpu = time.perf_counter(), cpu_seconds()
    back = {migration for migration, _ in plan}
    walk = StateWalk(executor, back)
    collector = Collector(bridge, connection, walk) if "sql" in bridge.parts else None
    try:
        walked = {migration: Walked(migration, walk) for migration in walk.rest}
        for migration, _ in plan:
            say_planned(bridge, connection, walked[migration], True)
            if collector:
                collector.collect_back(walked[migration])
    finally:
        if collector:
            collector.unhook()
    if collector:
        bridge.send("sql_done", statements=collector.statements, seconds=rounded(time.perf_counter() - began),
                    cpu_seconds=rounded(cpu_seconds() - cpu))


class Collector:
    """The SQL of each planned migration, by operation, in one pass over one shared state, and in one back again.

    The way back starts where the whole plan is applied, since names depend on it: a foreign key that a later
    migration made again has another name from then on, also after that migration is taken back. Full rendering takes
    each migration back at once instead, since all those rendered states would not fit into memory.
    """

    def __init__(self, bridge, connection, walk):
        self.bridge = bridge
        self.connection = connection
        self.render = bridge.request["render"]
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_schema()")
            self.catalogue = Catalogue(connection, cursor.fetchone()[0])
        self.full = FullStates(walk) if self.render != "stub" else None
        self.statements = 0
        self.waiting = []  # (migration, its steps, its answer) until the way back is known
        self.own_queries = []
        self.quiet = 0
        self.opaque = None  # code that ran before and may have changed what look-ups find
        self.broken = None  # what is broken before, so that later errors may only follow from it
        self.hook()

    def hook(self):
        """Look-ups go to the catalogue, and what operations ask the database themselves is noticed."""
        introspection = self.connection.introspection
        introspection.get_constraints = self.quietly("constraints")
        introspection.get_sequences = self.quietly("sequences")
        introspection.get_table_list = self.quietly("table_list")
        self.connection.execute_wrappers.append(self.notice)

    def unhook(self):
        self.connection.execute_wrappers.remove(self.notice)
        for name in ("get_constraints", "get_sequences", "get_table_list"):
            delattr(self.connection.introspection, name)

    def quietly(self, name):
        """The catalogue's answer; the catalogue itself is another one in each pass."""
        def quiet_call(*args, **kwargs):
            self.follow_collected()
            self.quiet += 1
            try:
                return getattr(self.catalogue, name)(*args, **kwargs)
            finally:
                self.quiet -= 1
        return quiet_call

    def notice(self, execute, sql, params, many, context):
        if not self.quiet and not str(sql).lstrip().upper().startswith(("SAVEPOINT", "RELEASE", "ROLLBACK")):
            self.own_queries.append(" ".join(str(sql).split()))
        return execute(sql, params, many, context)

    # One migration

    def collect(self, walked):
        began = time.perf_counter()
        if self.render == "stub":
            steps = self.steps(walked)
            answer = self.forward(walked, steps, "stub")
            self.waiting.append((walked, steps, answer))
        else:
            answer = self.collect_full(walked)
            self.say(walked, answer)
        answer["seconds"] += time.perf_counter() - began

    def finish(self):
        """The way back, last migration first; then says all in the order of the plan."""
        for walked, steps, answer in reversed(self.waiting):
            began = time.perf_counter()
            self.backward(walked, steps, answer)
            answer["seconds"] += time.perf_counter() - began
        for walked, _, answer in self.waiting:
            self.say(walked, answer)

    def collect_back(self, walked):
        """What is applied goes back from the database as it is; the catalogue follows, the last migration first."""
        began = time.perf_counter()
        answer = empty_answer(walked.migration, "stub")
        self.backward(walked, self.steps(walked), answer)
        answer["seconds"] = time.perf_counter() - began
        self.statements += sum(len(item["statements"]) for item in answer["backward"] or [])
        self.say(walked, answer)

    def say(self, walked, answer):
        self.statements += sum(len(item["statements"]) for item in answer["forward"]) + len(answer["forward_deferred"])
        self.bridge.send("sql", app=walked.migration.app_label, name=walked.migration.name,
                         **dict(answer, seconds=rounded(answer["seconds"])))

    def collect_full(self, walked):
        """Both ways at once by full rendering, and by stubs too where the two are to be compared."""
        before = self.catalogue
        full = self.there_and_back(walked, self.full.steps(walked), "full")
        if self.render == "compare":
            after = self.catalogue
            self.catalogue = before
            self.compare(walked.migration, self.there_and_back(walked, self.steps(walked), "stub"), full)
            self.catalogue = after
        return full

    def there_and_back(self, walked, steps, render):
        answer = self.forward(walked, steps, render)
        after = self.catalogue
        self.backward(walked, steps, answer)
        self.catalogue = after
        return answer

    def steps(self, walked):
        steps = []
        for index, (op, old, new) in enumerate(walked.moves):
            steps += leaf_steps(index, op, walked.migration.app_label, old, new)
        return steps

    def forward(self, walked, steps, render):
        """Leaves the catalogue as it is after the migration."""
        migration = walked.migration
        self.catalogue = self.catalogue.copy()
        results, deferred = Pass(self, migration, render).run(steps, "database_forwards")
        return dict(empty_answer(migration, render), forward_deferred=deferred,
                    forward=by_operation(results) + self.not_reached(migration, walked))

    def backward(self, walked, steps, answer):
        """Leaves the catalogue as it is before the migration."""
        self.catalogue = self.catalogue.copy()
        if answer["irreversible"] or walked.failure is not None:
            self.catalogue.cast_doubt("%s after it has no way back" % walked.migration)
            return
        results, answer["backward_deferred"] = Pass(self, walked.migration, answer["render"]).run(
            steps[::-1], "database_backwards")
        answer["backward"] = by_operation(results)

    def not_reached(self, migration, walked):
        """The operation whose states could not be made, and those after it."""
        if walked.failure is None:
            return []
        at = len(walked.moves)
        exc = walked.failure
        first = dict(empty_result(at), exception=described(exc), broken=self.broken is None,
                     missing="its project state cannot be made: %s: %s" % (type(exc).__name__, text_of(exc)))
        why = "operation %d of %s before it is broken" % (at, migration)
        self.broken = self.broken or "%s before it is broken" % migration
        self.catalogue.cast_doubt("%s could not be rendered" % migration)
        return [first] + [dict(empty_result(index), missing=why)
                          for index in range(at + 1, len(migration.operations))]

    def compare(self, migration, stub, full):
        for way in ("forward", "backward"):
            one, other = comparable(stub, way), comparable(full, way)
            if one != other:
                self.bridge.problem("sql", "render-differs", "%s, %s: stub rendering gives %s, full rendering %s" % (
                    migration, way, [x for x in one if x not in other], [x for x in other if x not in one]),
                    [str(migration)])

    # What a pass asks for

    def follow_collected(self):
        """Set by the running pass: brings the catalogue up to the last collected statement."""


def empty_answer(migration, render):
    return {"forward": [], "forward_deferred": [], "backward": None, "backward_deferred": [], "render": render,
            "seconds": 0.0, "irreversible": [described_text(op) for op in migration.operations if not is_reversible(op)]}


def comparable(answer, way):
    """The statements without literals, which may be random or the current time, and without their order.

    Django sorts the models that point to a renamed one by name, and where those are equal by when they were rendered.
    """
    statements = [sql for item in answer[way] or [] for sql in item["statements"]] + answer[way + "_deferred"]
    return sorted(re.sub(r"'(?:[^']|'')*'", "''", sql) for sql in statements)


def empty_result(index):
    return {"operation": index, "statements": [], "opaque": False, "missing": None, "exception": None,
            "broken": False}


def by_operation(results):
    """One result for each operation of the migration: parts of a SeparateDatabaseAndState come together."""
    merged = {}
    for result in results:
        known = merged.setdefault(result["operation"], result)
        if known is not result:
            known["statements"] += result["statements"]
            known["opaque"] = known["opaque"] or result["opaque"]
            known["broken"] = known["broken"] or result["broken"]
            known["missing"] = known["missing"] or result["missing"]
            known["exception"] = known["exception"] or result["exception"]
    return list(merged.values())
