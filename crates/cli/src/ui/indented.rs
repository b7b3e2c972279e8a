//! JSON as `serde_json` indents it, byte for byte, with one write for each line's beginning: it writes two spaces at a time,
//! which is a tenth of the time of a large document. And JSON in lines, for documents of which indentation is a third.
//!
//! Absent: any other width.

use std::io::{Result, Write};

use serde_json::ser::Formatter;

/// A line end, and the spaces of any depth that our documents have.
const LINE: &[u8] = b"\n                                                                ";

#[derive(Default)]
pub(super) struct Indented {
    depth: usize,
    /// What was opened last has something in it.
    is_filled: bool,
}

impl Indented {
    fn line<W: ?Sized + Write>(&self, writer: &mut W) -> Result<()> {
        let width = 1 + 2 * self.depth;
        match LINE.get(..width) {
            Some(line) => writer.write_all(line),
            None => {
                writer.write_all(LINE)?;
                (LINE.len()..width).try_for_each(|_| writer.write_all(b" "))
            }
        }
    }

    fn open<W: ?Sized + Write>(&mut self, writer: &mut W, with: &[u8]) -> Result<()> {
        self.depth += 1;
        self.is_filled = false;
        writer.write_all(with)
    }

    fn close<W: ?Sized + Write>(&mut self, writer: &mut W, with: &[u8]) -> Result<()> {
        self.depth -= 1;
        if self.is_filled {
            self.line(writer)?;
        }
        writer.write_all(with)
    }

    fn next<W: ?Sized + Write>(&mut self, writer: &mut W, is_first: bool) -> Result<()> {
        if !is_first {
            writer.write_all(b",")?;
        }
        self.line(writer)
    }
}

impl Formatter for Indented {
    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> Result<()> {
        self.open(writer, b"[")
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> Result<()> {
        self.close(writer, b"]")
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> Result<()> {
        self.next(writer, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, _writer: &mut W) -> Result<()> {
        self.is_filled = true;
        Ok(())
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> Result<()> {
        self.open(writer, b"{")
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> Result<()> {
        self.close(writer, b"}")
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> Result<()> {
        self.next(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> Result<()> {
        writer.write_all(b": ")
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, _writer: &mut W) -> Result<()> {
        self.is_filled = true;
        Ok(())
    }
}

/// Compact, with each value of the outer arrays on a line of its own: of `lint`, each statement and each finding.
#[derive(Default)]
pub(super) struct InLines {
    depth: usize,
}

impl InLines {
    /// A document, its files, a file, its statements.
    const OUTER: usize = 4;
}

impl Formatter for InLines {
    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> Result<()> {
        self.depth += 1;
        writer.write_all(b"[")
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> Result<()> {
        self.depth -= 1;
        writer.write_all(b"]")
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> Result<()> {
        writer.write_all(match (first, self.depth <= Self::OUTER) {
            (true, true) => b"\n",
            (true, false) => b"",
            (false, true) => b",\n",
            (false, false) => b",",
        })
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> Result<()> {
        self.depth += 1;
        writer.write_all(b"{")
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> Result<()> {
        self.depth -= 1;
        writer.write_all(b"}")
    }
}

#[cfg(test)]
mod tests {
    use super::{InLines, Indented};
    use serde::Serialize as _;
    use serde_json::{Value, json};

    #[test]
    fn it_is_what_serde_json_writes() {
        let mut deep = json!([1]);
        for _ in 0..40 {
            deep = json!({ "a": deep });
        }
        let documents = [
            json!([]),
            json!({}),
            json!(null),
            json!([[], {}, [[]], [{}], "a\"b", {"c": [], "d": [1, 2.5, true], "e": {}}]),
            deep,
        ];
        for document in documents {
            let mut written = Vec::new();
            let mut serializer =
                serde_json::Serializer::with_formatter(&mut written, Indented::default());
            Value::serialize(&document, &mut serializer).unwrap();
            let expected = serde_json::to_string_pretty(&document).unwrap();
            assert_eq!(String::from_utf8(written).unwrap(), expected);
        }
    }

    #[test]
    fn a_line_is_a_statement() {
        let statement =
            json!({ "sql": "a", "findings": [{ "code": "b" }, { "code": "c" }], "scans": [] });
        let document = json!({ "files": [{ "path": "-", "statements": [statement, statement] }] });
        let mut written = Vec::new();
        let mut serializer =
            serde_json::Serializer::with_formatter(&mut written, InLines::default());
        Value::serialize(&document, &mut serializer).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&written).unwrap(), document);
        let written = String::from_utf8(written).unwrap();
        let lines: Vec<&str> = written.lines().collect();
        assert_eq!(
            lines[..2],
            ["{\"files\":[", "{\"path\":\"-\",\"statements\":["]
        );
        assert_eq!(lines[2], format!("{statement},"));
        assert_eq!(lines[3], format!("{statement}]}}]}}"));
    }
}
