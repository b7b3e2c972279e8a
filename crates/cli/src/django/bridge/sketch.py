"""SQL as it is read here: just enough to follow what a statement does to constraints, indexes and sequences.

The statements are those that Django's schema editor and RunSQL give. Absent here: the real parser, which is Rust's;
and any meaning of a statement.
"""

import re

TOKEN = re.compile(
    r"(?P<string>(?:\b[eEbBxXnN])?'(?:[^'\\]|''|\\.)*')|(?P<name>\"(?:[^\"]|\"\")*\")"
    r"|(?P<dollar>\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)|(?P<comment>--[^\n]*|/\*.*?\*/)|(?P<open>\()|(?P<close>\))", re.S)


class Sketch:
    """SQL with each quoted name as "n", each string as 's' and each group in parentheses as (n): safe to match on."""

    def __init__(self, sql):
        self.names, self.groups, out = [], [], []
        depth = at = start = 0
        for token in TOKEN.finditer(sql):
            kind, before = token.lastgroup, sql[at:token.start()]
            kind = "dollar" if kind == "tag" else kind
            if depth == 0:
                out.append(before)
            at = token.end()
            if kind == "open":
                depth += 1
                if depth == 1:
                    start = at
            elif kind == "close":
                depth -= 1
                if depth == 0:
                    out.append("(%d)" % len(self.groups))
                    self.groups.append(sql[start:token.start()])
                depth = max(depth, 0)
            elif depth == 0 and kind == "name":
                out.append('"%d"' % len(self.names))
                self.names.append(token.group()[1:-1].replace('""', '"'))
            elif depth == 0:
                out.append(" " if kind == "comment" else "'s'")
        if depth == 0:
            out.append(sql[at:])
        self.text = re.sub(r"\s+", " ", "".join(out)).strip()

    def name(self, text):
        """The identifier that a piece of the sketch stands for."""
        text = text.strip()
        return self.names[int(text[1:-1])] if text.startswith('"') else text.lower()

    def qualified(self, text):
        """(schema or None, name)"""
        parts = [self.name(part) for part in text.split(".")]
        return (parts[-2] if len(parts) > 1 else None), parts[-1]

    def group(self, number):
        return self.groups[int(number)]


ID = r'(?:"\d+"|[A-Za-z_][\w$]*)'
QUALIFIED = ID + r"(?:\.%s)?" % ID
CREATE_TABLE = re.compile(r"CREATE (?:UNLOGGED )?TABLE (?:IF NOT EXISTS )?(%s) ?\((\d+)\)( PARTITION BY .*| WITH .*"
                          r"| TABLESPACE .*)?$" % QUALIFIED, re.I)
ALTER_TABLE = re.compile(r"ALTER TABLE (?:IF EXISTS )?(?:ONLY )?(%s) (.*)$" % QUALIFIED, re.I)
DROP_TABLE = re.compile(r"DROP TABLE (?:IF EXISTS )?(.*?)( CASCADE| RESTRICT)?$", re.I)
CREATE_INDEX = re.compile(r"CREATE (UNIQUE )?INDEX (?:CONCURRENTLY )?(?:IF NOT EXISTS )?(%s) ON (?:ONLY )?(%s)"
                          r"(?: USING (\w+))? ?\((\d+)\)(.*)$" % (QUALIFIED, QUALIFIED), re.I)
DROP_INDEX = re.compile(r"DROP INDEX (?:CONCURRENTLY )?(?:IF EXISTS )?(.*?)( CASCADE| RESTRICT)?$", re.I)
RENAME_INDEX = re.compile(r"ALTER INDEX (?:IF EXISTS )?(%s) RENAME TO (%s)$" % (QUALIFIED, ID), re.I)
DROP_SEQUENCE = re.compile(r"DROP SEQUENCE (?:IF EXISTS )?(%s)" % QUALIFIED, re.I)
EXTENSION = re.compile(r"(CREATE|DROP) EXTENSION (?:IF (?:NOT )?EXISTS )?(%s)" % ID, re.I)
COLLATION = re.compile(r"(CREATE|DROP) COLLATION (?:IF (?:NOT )?EXISTS )?(%s)(?: \((\d+)\))?" % QUALIFIED, re.I)
# What changes neither constraints, indexes nor sequences of a table.
NEUTRAL = re.compile(
    r"(SELECT|INSERT|UPDATE|DELETE|WITH|SET|RESET|COMMENT|GRANT|REVOKE|ANALYZE|VACUUM|REINDEX|CLUSTER|LOCK|TRUNCATE"
    r"|BEGIN|COMMIT|NOTIFY|REFRESH|COPY|VALUES|ALTER INDEX|(CREATE|ALTER|DROP)( OR REPLACE)?"
    r"( TEMP| TEMPORARY| RECURSIVE| CONSTRAINT| EVENT| TRUSTED)* (VIEW|MATERIALIZED VIEW|FUNCTION|PROCEDURE|TRIGGER"
    r"|SEQUENCE|TYPE|DOMAIN|SCHEMA|POLICY|ROLE|USER|OPERATOR|AGGREGATE|STATISTICS|RULE|CAST|PUBLICATION|SUBSCRIPTION"
    r"|SERVER|TEXT SEARCH|EXTENSION|COLLATION|DATABASE|LANGUAGE|DEFAULT PRIVILEGES))\b", re.I)
NEUTRAL_ACTION = re.compile(
    r"(ALTER|VALIDATE|SET|RESET|OWNER|ENABLE|DISABLE|CLUSTER|REPLICA|FORCE|NO FORCE|COMMENT|DEPENDS)\b", re.I)
ADD_COLUMN = re.compile(r"ADD (?:COLUMN )?(?:IF NOT EXISTS )?(%s) (.*)$" % ID, re.I)
ADD_CONSTRAINT = re.compile(r"ADD CONSTRAINT (%s) (.*)$" % ID, re.I)
DROP_CONSTRAINT = re.compile(r"DROP CONSTRAINT (?:IF EXISTS )?(%s)" % ID, re.I)
DROP_COLUMN = re.compile(r"DROP (?:COLUMN )?(?:IF EXISTS )?(%s)(?: CASCADE| RESTRICT)?$" % ID, re.I)
RENAME_TABLE = re.compile(r"RENAME TO (%s)$" % ID, re.I)
RENAME_CONSTRAINT = re.compile(r"RENAME CONSTRAINT (%s) TO (%s)$" % (ID, ID), re.I)
RENAME_COLUMN = re.compile(r"RENAME (?:COLUMN )?(%s) TO (%s)$" % (ID, ID), re.I)
ADD_IDENTITY = re.compile(r"ALTER (?:COLUMN )?(%s) ADD GENERATED " % ID, re.I)
DROP_IDENTITY = re.compile(r"ALTER (?:COLUMN )?(%s) DROP IDENTITY" % ID, re.I)
TABLE_CONSTRAINT = re.compile(r"(CONSTRAINT|PRIMARY KEY|UNIQUE|CHECK|FOREIGN KEY|EXCLUDE|LIKE)\b", re.I)


def quoted_names(sql):
    """The quoted names in an expression, without those of collations, in order."""
    names = []
    for match in re.finditer(r"'(?:[^']|'')*'|(COLLATE\s+)?\"((?:[^\"]|\"\")*)\"(?!\s*\.)", sql or "", re.I):
        if match[2] is not None and not match[1] and match[2] not in names:
            names.append(match[2].replace('""', '"'))
    return names


def definition_names(definition):
    """The names in what pg_get_indexdef() gives, which quotes only where it must."""
    inner = (definition or "").partition("(")[2]
    return set(re.findall(r"[A-Za-z_]\w*", inner)) | set(quoted_names(inner))


def check_columns(sql):
    """The columns of a CHECK; None where it is written without quotes, so that columns cannot be told from words."""
    return quoted_names(sql) or None


def index_columns(sql):
    """(columns, orders) of an index or constraint; an expression is None."""
    sketch = Sketch(sql)
    columns, orders = [], []
    for item in map(str.strip, sketch.text.split(",")):
        match = re.match(r"(%s)(?! ?\()(?: |$)" % ID, item)
        columns.append(sketch.name(match[1]) if match else None)
        orders.append("DESC" if re.search(r"\bDESC\b", item, re.I) else "ASC")
    return columns, orders


def index_uses(sketch, rest):
    """The columns in an INCLUDE or WHERE: the index goes when one of them is dropped."""
    used = [name for number in re.findall(r"\((\d+)\)", rest) for name in quoted_names(sketch.group(number))]
    return used + [sketch.name(name) for name in re.findall(r'"\d+"', rest)]
