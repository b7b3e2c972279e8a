"""The statements collected so far, followed: how each changes what look-ups will find.

Absent here: statements that are not followed; they cast doubt instead.
"""

import re


class Catalogue(Lookups):
    """Look-ups that follow statements."""

    def run(self, sql):
        """Follows one collected string, which may hold several statements."""
        sketch = Sketch(sql)
        for text in sketch.text.split(";"):
            text = text.strip()
            if text and not self.follow(sketch, text):
                self.cast_doubt("a statement before it could not be followed: %s" % " ".join(sql.split())[:120])

    def follow(self, sketch, text):
        """True where the statement was understood."""
        for pattern, follow in ((CREATE_TABLE, self.create_table), (ALTER_TABLE, self.alter_table),
                                (DROP_TABLE, self.drop_table), (CREATE_INDEX, self.create_index),
                                (DROP_INDEX, self.drop_index), (RENAME_INDEX, self.rename_index),
                                (DROP_SEQUENCE, self.drop_sequence), (EXTENSION, self.extension),
                                (COLLATION, self.collation)):
            match = pattern.match(text)
            if match:
                follow(sketch, match)
                return True
        return bool(NEUTRAL.match(text))

    def own(self, sketch, text):
        """The name, or None where it lies in another schema, which Django's look-ups do not see."""
        schema, name = sketch.qualified(text)
        return name if schema in (None, self.schema) else None

    def create_table(self, sketch, match):
        table = self.own(sketch, match[1])
        if table is None:
            return
        self.tables[table] = Table()
        self.present[table] = True
        if self.taken is not None:
            self.taken.add(table)
        body = Sketch(sketch.group(match[2]))
        uniques = []
        for item in filter(None, map(str.strip, body.text.split(","))):
            if not TABLE_CONSTRAINT.match(item):
                column, _, definition = item.partition(" ")
                uniques += self.column(table, body, body.name(column), definition, defer_unique=True)
            elif not self.table_constraint(table, body, item):
                self.cast_doubt("CREATE TABLE %s: %s" % (table, item), table)
        for column in uniques:  # PostgreSQL names the key first, then the other indexes
            self.add_unique(table, column)

    def table_constraint(self, table, sketch, item):
        match = re.match(r"CONSTRAINT (%s) (.*)$" % ID, item, re.I)
        if match:
            return self.constraint(table, sketch, sketch.name(match[1]), match[2])
        match = re.match(r"PRIMARY KEY \((\d+)\)", item, re.I)
        if match:
            name = self.name_for(table, None, "pkey")
            return self.constraint(table, sketch, name, item)
        return False

    def constraint(self, table, sketch, name, text):
        """A named table constraint; False where it is of no kind known here."""
        match = re.match(r"(UNIQUE|PRIMARY KEY)(?: NULLS (?:NOT )?DISTINCT)? ?\((\d+)\)(?: INCLUDE \((\d+)\))?", text,
                         re.I)
        if match:
            columns, _ = index_columns(sketch.group(match[2]))
            extra = index_columns(sketch.group(match[3]))[0] if match[3] else []
            self.add(table, name, constraint_entry(columns, extra, unique=True,
                                                   primary_key=match[1].upper() == "PRIMARY KEY"))
            return True
        match = re.match(r"(UNIQUE|PRIMARY KEY) USING INDEX (%s)" % ID, text, re.I)
        if match:
            index = self.table(table).constraints.get(sketch.name(match[2]))
            if index is None:
                return False
            self.keep(table, lambda key, _: key != sketch.name(match[2]))
            self.add(table, name, constraint_entry(index["columns"], index["_uses"], unique=True,
                                                   primary_key=match[1].upper() == "PRIMARY KEY"))
            return True
        match = re.match(r"CHECK ?\((\d+)\)", text, re.I)
        if match:
            columns = check_columns(sketch.group(match[1]))
            if columns is None:
                return False
            self.add(table, name, constraint_entry(columns, check=True))
            return True
        match = re.match(r"FOREIGN KEY ?\((\d+)\) REFERENCES (%s) ?(?:\((\d+)\))?" % QUALIFIED, text, re.I)
        if match:
            columns, _ = index_columns(sketch.group(match[1]))
            to = index_columns(sketch.group(match[3]))[0] if match[3] else ["id"]
            self.add(table, name, constraint_entry(columns, foreign_key=(sketch.qualified(match[2])[1], to[0])))
            return True
        match = re.match(r"EXCLUDE (?:USING \w+ )?\((\d+)\)(.*)$", text, re.I)
        if match:
            uses = quoted_names(sketch.group(match[1]))
            self.add(table, name, constraint_entry(uses, index_uses(sketch, match[2])))
            return True
        return False

    def column(self, table, sketch, column, definition, defer_unique=False):
        """What a column definition makes; returns the columns whose UNIQUE is still to be named."""
        if re.search(r"\bGENERATED (BY DEFAULT|ALWAYS) AS IDENTITY|^(small|big)?serial\b", definition, re.I):
            self.add_sequence(table, column)
        if re.search(r"\bPRIMARY KEY\b", definition, re.I):
            self.add(table, self.name_for(table, None, "pkey"),
                     constraint_entry([column], unique=True, primary_key=True))
        for match in re.finditer(r"(?:CONSTRAINT (%s) )?CHECK ?\((\d+)\)" % ID, definition, re.I):
            columns = check_columns(sketch.group(match[2]))
            if columns is None:
                self.cast_doubt("a check of column %s" % column, table)
                continue
            name = sketch.name(match[1]) if match[1] else self.name_for(
                table, columns[0] if len(columns) == 1 else None, "check")
            self.add(table, name, constraint_entry(columns, check=True))
        match = re.search(r"(?:CONSTRAINT (%s) )?REFERENCES (%s) ?(?:\((\d+)\))?" % (ID, QUALIFIED), definition, re.I)
        if match:
            name = sketch.name(match[1]) if match[1] else self.name_for(table, column, "fkey")
            to = index_columns(sketch.group(match[3]))[0] if match[3] else ["id"]
            self.add(table, name, constraint_entry([column], foreign_key=(sketch.qualified(match[2])[1], to[0])))
        if re.search(r"\bUNIQUE\b", definition, re.I):
            if defer_unique:
                return [column]
            self.add_unique(table, column)
        return []

    def add_unique(self, table, column):
        self.add(table, self.name_for(table, column, "key"), constraint_entry([column], unique=True))

    def add_sequence(self, table, column):
        name = self.name_for(table, column, "seq")
        if self.taken is not None:
            self.taken.add(name)
        self.put(table, sequences={**self.table(table).sequences, column: name})

    def alter_table(self, sketch, match):
        table = self.own(sketch, match[1])
        if table is None:
            return
        for action in filter(None, map(str.strip, match[2].split(","))):
            if not self.alter_action(table, sketch, action):
                self.cast_doubt("ALTER TABLE %s %s" % (table, action), table)

    def alter_action(self, table, sketch, action):
        name = sketch.name
        if match := RENAME_TABLE.match(action):
            self.rename_table(table, name(match[1]))
        elif match := RENAME_CONSTRAINT.match(action):
            self.rename_entry(table, name(match[1]), name(match[2]))
        elif match := RENAME_COLUMN.match(action):
            self.rename_column(table, name(match[1]), name(match[2]))
        elif match := ADD_CONSTRAINT.match(action):
            return self.constraint(table, sketch, name(match[1]), match[2])
        elif TABLE_CONSTRAINT.match(action[4:]) and action[:4].upper() == "ADD ":
            return False  # unnamed: PostgreSQL's rule for the name depends on more than is known here
        elif match := ADD_COLUMN.match(action):
            self.column(table, sketch, name(match[1]), match[2])
        elif match := DROP_CONSTRAINT.match(action):
            self.keep(table, lambda key, _: key != name(match[1]))
        elif match := DROP_COLUMN.match(action):
            self.drop_column(table, name(match[1]))
        elif match := ADD_IDENTITY.match(action):
            self.add_sequence(table, name(match[1]))
        elif match := DROP_IDENTITY.match(action):
            # Only an identity goes; the sequence of a serial column stays, as DROP IDENTITY IF EXISTS says nothing.
            self.drop_identity(table, name(match[1]))
        else:
            return bool(NEUTRAL_ACTION.match(action))
        return True

    def drop_identity(self, table, column):
        sequences = dict(self.table(table).sequences)
        if column in sequences and not self.is_serial(sequences[column]):
            del sequences[column]
            self.put(table, sequences=sequences)

    def is_serial(self, sequence):
        """The sequence exists and belongs to a serial column (dependency `a`), not to an identity (`i`)."""
        with self.connection.cursor() as cursor:
            cursor.execute("SELECT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND deptype = 'a'"
                           " AND objid = to_regclass(quote_ident(%s)) AND refobjsubid > 0)", [sequence])
            return cursor.fetchone()[0]

    def drop_column(self, table, column):
        self.keep(table, lambda _, entry: column not in entry["_uses"])
        sequences = {key: name for key, name in self.table(table).sequences.items() if key != column}
        self.put(table, sequences=sequences)
        self.drop_references(lambda to: to == (table, column))

    def drop_references(self, gone):
        """CASCADE takes the foreign keys of other tables with it."""
        for other in list(self.tables):
            if any(entry["foreign_key"] and gone(entry["foreign_key"])
                   for entry in self.tables[other].constraints.values()):
                self.keep(other, lambda _, entry: not (entry["foreign_key"] and gone(entry["foreign_key"])))

    def rename_table(self, old, new):
        self.tables[new] = self.table(old)
        self.tables[old] = Table()
        self.present.update({old: False, new: True})
        if self.taken is not None:
            self.taken.discard(old)
            self.taken.add(new)

    def rename_entry(self, table, old, new):
        entries = self.table(table).constraints
        if old in entries:
            self.put(table, constraints={new if name == old else name: entry for name, entry in entries.items()})

    def rename_column(self, table, old, new):
        entries = {}
        for name, entry in self.table(table).constraints.items():
            if old in entry["_uses"]:
                entry = dict(entry, columns=[new if column == old else column for column in entry["columns"]],
                             _uses={new if column == old else column for column in entry["_uses"]})
            entries[name] = entry
        sequences = {new if column == old else column: name for column, name in self.table(table).sequences.items()}
        self.put(table, constraints=entries, sequences=sequences)

    def drop_table(self, sketch, match):
        for item in match[1].split(","):
            table = self.own(sketch, item)
            if table is not None:
                self.keep(table, lambda *_: False)
                self.tables[table] = Table()
                self.present[table] = False
                self.drop_references(lambda to: to[0] == table)
                if self.taken is not None:
                    self.taken.discard(table)

    def create_index(self, sketch, match):
        table, name = self.own(sketch, match[3]), sketch.qualified(match[2])[1]
        if table is None:
            return
        columns, orders = index_columns(sketch.group(match[5]))
        method = (match[4] or "btree").lower()
        plain = method == "btree" and not name.endswith("_btree") and not re.search(r"\bWITH ?\(", match[6], re.I)
        include = re.search(r"INCLUDE ?\((\d+)\)", match[6], re.I)
        uses = quoted_names(sketch.group(match[5])) + index_uses(sketch, match[6])
        expression = None in columns
        columns += index_columns(sketch.group(include[1]))[0] if include else []
        self.add(table, name, constraint_entry(
            [] if columns == [None] else columns, uses, index=True, unique=bool(match[1]), orders=orders,
            type="idx" if plain else method, definition=" ".join(sketch.text.split()) if expression else None))

    def drop_index(self, sketch, match):
        for item in match[1].split(","):
            self.replace_index(sketch.qualified(item)[1], None)

    def rename_index(self, sketch, match):
        self.replace_index(sketch.qualified(match[1])[1], sketch.name(match[2]))

    def replace_index(self, old, new):
        for table, known in list(self.tables.items()):
            if old in known.constraints:
                if new is None:
                    self.keep(table, lambda key, _: key != old)
                else:
                    self.rename_entry(table, old, new)
                return
        self.renamed[old] = new  # of a table that nobody asked for yet

    def drop_sequence(self, sketch, match):
        name = self.own(sketch, match[1])
        for table, known in list(self.tables.items()):
            if name in known.sequences.values():
                self.put(table, sequences={key: value for key, value in known.sequences.items() if value != name})

    def extension(self, sketch, match):
        self.extensions[sketch.name(match[2])] = match[1].upper() == "CREATE"

    def collation(self, sketch, match):
        name = sketch.qualified(match[2])[1]
        options = sketch.group(match[3]) if match[3] else ""
        deterministic = not re.search(r"deterministic\s*=\s*'?(false|no|off|0)", options, re.I)
        self.collations[name] = deterministic if match[1].upper() == "CREATE" else None
