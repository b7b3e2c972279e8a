"""What the database will hold by then, as Django's schema editor asks for it.

The schema editor asks the database for the names of constraints, indexes and sequences, and where it finds none it
mostly says nothing and leaves the statement out. While SQL is collected, what earlier statements of the plan made is
not there to be found. So the answers come from here: the database's own answer for a table, changed by each statement
collected since. A statement that cannot be read casts doubt on what it names, and whoever looks that up afterwards is
told so (`missing`), instead of getting a silent gap.

Absent here: what a statement changes; that is the catalogue's.
"""


def object_name(first, second, label):
    """makeObjectName() of PostgreSQL's indexcmds.c: the longer part is cut until all fits into 63 bytes."""
    parts = [first.encode(), second.encode() if second else b""]
    room = 63 - len(label) - 1 - (1 if second else 0)
    while len(parts[0]) + len(parts[1]) > room:
        longer = 0 if len(parts[0]) > len(parts[1]) else 1
        parts[longer] = parts[longer][:-1]
    pieces = [part.decode("utf-8", "ignore") for part in parts]
    return "_".join([piece for piece in pieces if piece] + [label])


def constraint_entry(columns, uses=(), **given):
    """One entry of introspection.get_constraints(); `uses` are all the columns that it depends on."""
    entry = {"columns": list(columns), "primary_key": False, "unique": False, "foreign_key": None, "check": False,
             "index": False, "definition": None, "options": None}
    entry.update(given)
    entry["_uses"] = set(uses) | set(columns)
    return entry


class Table:
    """What is known of one table. Never changed once a catalogue holds it: `with_` makes the next one."""

    def __init__(self, constraints=None, sequences=None, doubt=None):
        self.constraints = constraints or {}
        self.sequences = sequences or {}
        self.doubt = doubt

    def with_(self, **changes):
        return Table(changes.get("constraints", self.constraints), changes.get("sequences", self.sequences),
                     changes.get("doubt", self.doubt))


class Lookups:
    """Answers to the schema editor, and the changes that statements make to them."""

    def __init__(self, connection, schema):
        self.connection = connection
        self.schema = schema
        self.tables = {}
        self.taken = None  # names in use in the schema; PostgreSQL's own names avoid them
        self.extensions = {}
        self.collations = {}
        self.present = {}  # table: is it there, for those that were created, dropped or renamed
        self.renamed = {}  # index: new name or None, where its table was not read yet
        self.content_types = ContentTypes(connection)
        self.doubt = None
        self.asked = None  # the doubt that a look-up met since it was last cleared
        self.consulted = False  # there was a look-up since it was last cleared
        introspection = connection.introspection
        self.real = (introspection.get_constraints, introspection.get_sequences, introspection.get_table_list)

    def copy(self):
        other = type(self).__new__(type(self))
        other.__dict__.update(self.__dict__)
        for name in ("tables", "extensions", "collations", "present", "renamed"):
            setattr(other, name, dict(getattr(self, name)))
        other.content_types = self.content_types.copy()
        other.taken = None if self.taken is None else set(self.taken)
        return other

    # Answers to the schema editor

    def constraints(self, cursor, table_name):
        table = table_name
        if '"' in table:  # the "schema"."table" trick: Django finds nothing for it, here as in `migrate`
            return self.real[0](cursor, table)
        known = self.table(table)
        self.met(known.doubt)
        # As the database answers: constraints as they were made, then indexes by name.
        order = sorted(known.constraints.items(), key=lambda item: (item[1]["index"], item[0] * item[1]["index"]))
        return {name: dict(entry) for name, entry in order}

    def sequences(self, cursor, table_name, table_fields=()):
        table = table_name
        known = self.table(table)
        self.met(known.doubt)
        return [{"name": name, "table": table, "column": column} for column, name in known.sequences.items()]

    def met(self, doubt):
        self.consulted = True
        self.asked = self.asked or self.doubt or doubt

    def table_list(self, cursor):
        from django.db.backends.base.introspection import TableInfo

        self.met(None)
        listed = self.real[2](cursor)
        kind = type(listed[0]) if listed else TableInfo
        there = [info for info in listed if self.present.get(info.name, True)]
        known = {info.name for info in there}
        rest = [None] * (len(kind._fields) - 2)  # PostgreSQL's own adds a comment
        return there + [kind(name, "t", *rest) for name in self.present if self.present[name] and name not in known]

    def has_extension(self, name, really):
        return self.extensions[name] if name in self.extensions else really()

    # What is there to begin with

    def table(self, name):
        if name not in self.tables:
            self.tables[name] = self.read(name)
        return self.tables[name]

    def read(self, name):
        with self.connection.cursor() as cursor:
            found = self.real[0](cursor, name)
            sequences = {row["column"]: row["name"] for row in self.real[1](cursor, name)}
        constraints = {}
        for key, entry in found.items():
            key = self.renamed.get(key, key)
            if key is not None:
                names = definition_names(entry.get("definition"))
                constraints[key] = dict(entry, _uses=set(filter(None, entry["columns"] or ())) | names)
        return Table(constraints, sequences)

    def name_for(self, first, second, label):
        """The name that PostgreSQL itself chooses: with a number where the plain one is taken."""
        if self.taken is None:
            with self.connection.cursor() as cursor:
                cursor.execute("SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace UNION"
                               " SELECT conname FROM pg_constraint WHERE connamespace = current_schema()::regnamespace")
                self.taken = {row[0] for row in cursor.fetchall()}
            for table in self.tables.values():
                self.taken.update(table.constraints)
        number = 0
        while True:
            name = object_name(first, second, label + (str(number) if number else ""))
            if name not in self.taken:
                return name
            number += 1

    # Changes

    def put(self, table, **changes):
        self.tables[table] = self.table(table).with_(**changes)

    def add(self, table, name, entry):
        self.put(table, constraints={**self.table(table).constraints, name: entry})
        if self.taken is not None:
            self.taken.add(name)

    def keep(self, table, wanted):
        """Keeps the entries of a table for which wanted(name, entry)."""
        old = self.table(table).constraints
        new = {name: entry for name, entry in old.items() if wanted(name, entry)}
        self.put(table, constraints=new)
        if self.taken is not None:
            self.taken.difference_update(set(old) - set(new))

    def cast_doubt(self, why, table=None):
        if table is None:
            self.doubt = self.doubt or why
        else:
            self.put(table, doubt=self.table(table).doubt or why)
