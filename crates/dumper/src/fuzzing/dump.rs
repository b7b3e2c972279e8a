//! Any text in any chunks: Scanner and Splitter say the same of it, however it is cut, and no byte of a statement is
//! lost.
//!
//! Absent: what a server would say.

use crate::scan::{
    CopyStart, Piece, Rows, Scan, Scanner, SplitError, SplitRefusal, Splitter, Statement,
};

const STATEMENT: usize = 2048;
const ROWS: usize = 48;

/// The first byte says how the rest is cut.
///
/// # Panics
/// Where a promise of the reader's is broken.
pub fn dump(bytes: &[u8]) {
    let Some((&seed, text)) = bytes.split_first() else {
        return;
    };
    let (pieces, whole) = split(text, text.len().max(1), 0);
    let (cut_pieces, cut) = split(text, usize::from(seed) % 32 + 1, usize::from(seed) / 32);
    assert_eq!(whole, cut, "where it is cut matters");
    assert_eq!(pieces, cut_pieces, "where it is cut matters");
    check_scanner(text, usize::from(seed) % 7 + 1, &whole);
    check_rows(&pieces, &whole);
    check_statements(text, &pieces);
}

fn split(text: &[u8], size: usize, first: usize) -> (Vec<Piece>, Result<Scan, SplitError>) {
    let mut splitter = Splitter::with_rows(STATEMENT, ROWS);
    let mut pieces = Vec::new();
    let (begin, rest) = text.split_at(first.min(text.len()));
    for chunk in std::iter::once(begin).chain(rest.chunks(size)) {
        let fed = splitter.feed(chunk, &mut |piece| pieces.push(piece));
        if let Err(error) = fed {
            let again = splitter.feed(b"SELECT 1;", &mut |_| panic!("a piece after the error"));
            assert_eq!(again.as_ref(), Err(&error));
            return (pieces, Err(error));
        }
    }
    (pieces, splitter.finish())
}

/// The Scanner keeps only the beginning of a statement, so that nothing is too long for it.
fn check_scanner(text: &[u8], size: usize, split: &Result<Scan, SplitError>) {
    let mut scanner = Scanner::default();
    for chunk in text.chunks(size) {
        scanner.feed(chunk);
        assert!(scanner.raw_bytes() <= text.len() as u64);
    }
    let scanned = scanner.finish();
    if let Err(error) = split
        && matches!(error.refusal, SplitRefusal::TooLong { .. })
    {
        return;
    }
    assert_eq!(&scanned, split, "Scanner and Splitter differ");
}

fn check_rows(pieces: &[Piece], outcome: &Result<Scan, SplitError>) {
    let mut tables = Vec::new();
    let mut block: Option<(CopyStart, u64, u64)> = None;
    let mut inside = false;
    for piece in pieces {
        match piece {
            Piece::Copy(copy) => {
                assert!(block.is_none());
                block = Some((copy.clone(), 0, 0));
                inside = false;
            }
            Piece::Rows(Rows {
                bytes,
                rows,
                ends_row,
            }) => {
                let (_, counted, length) = block.as_mut().expect("rows stand in a COPY block");
                assert!(!bytes.is_empty() && bytes.len() <= ROWS);
                let newlines = bytes.iter().filter(|&&byte| byte == b'\n').count() as u64;
                assert_eq!(newlines, *rows);
                assert_eq!(bytes.ends_with(b"\n"), *ends_row);
                assert!(*ends_row || (bytes.len() == ROWS && *rows == 0));
                assert!(!inside || *rows <= 1 || *ends_row);
                inside = !ends_row;
                *counted += rows;
                *length += bytes.len() as u64;
            }
            Piece::CopyEnd { rows, .. } => {
                let (copy, counted, length) = block.take().expect("a block ends once");
                assert_eq!(counted, *rows);
                assert!(!inside);
                tables.push((copy.table, counted, length));
            }
            Piece::Statement(_) | Piece::Meta(_) | Piece::Entry(_) => assert!(block.is_none()),
        }
    }
    if let Ok(scan) = outcome {
        assert_eq!(scan.tables.len(), tables.len());
        for (scanned, (table, rows, bytes)) in scan.tables.iter().zip(&tables) {
            assert_eq!(
                (&scanned.schema, &scanned.name),
                (&table.schema, &table.name)
            );
            assert_eq!((scanned.rows, scanned.bytes), (*rows, *bytes));
        }
        assert_eq!(
            scan.rows,
            tables.iter().map(|(_, rows, _)| rows).sum::<u64>()
        );
    }
}

/// Each statement stands in the text, in order, at its line, with its semicolon behind it; between them is nothing that
/// a server would want.
fn check_statements(text: &[u8], pieces: &[Piece]) {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut at = 0;
    for piece in pieces {
        let (line, statement) = match piece {
            Piece::Statement(Statement { line, text }) => (*line, text),
            Piece::Copy(copy) => (copy.line, &copy.statement),
            Piece::Rows(rows) => {
                let found = memchr::memmem::find(&text[at..], &rows.bytes);
                at += found.expect("rows stand in the text") + rows.bytes.len();
                continue;
            }
            Piece::CopyEnd { .. } => {
                let end = memchr::memchr(b'\n', &text[at..]).expect("the end line has an end");
                assert!(text[at..at + end].trim_ascii_end().ends_with(b"\\."));
                at += end + 1;
                continue;
            }
            Piece::Meta(_) | Piece::Entry(_) => continue,
        };
        assert!(statement.len() <= STATEMENT && !statement.is_empty());
        at += nothing(&text[at..]);
        assert!(
            text[at..].starts_with(statement),
            "a byte of a statement is lost"
        );
        let lines = memchr::memchr_iter(b'\n', &text[..at]).count() as u64;
        assert_eq!(line, lines + 1, "{:?}", String::from_utf8_lossy(statement));
        at += statement.len();
        assert_eq!(text[at], b';');
        at += 1;
        if matches!(piece, Piece::Copy(_)) {
            at += memchr::memchr(b'\n', &text[at..]).map_or(0, |end| end + 1);
        }
    }
}

/// The length of what no server would want: space, comments, empty statements, lines for psql.
fn nothing(text: &[u8]) -> usize {
    let mut at = 0;
    loop {
        let rest = &text[at..];
        at += match rest {
            [b' ' | b'\t' | b'\n' | b'\r' | b'\x0b' | b'\x0c' | b';', ..] => 1,
            [b'-', b'-', ..] => memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len()),
            [b'\\', ..] => memchr::memchr(b'\n', rest).unwrap_or(rest.len()),
            [b'/', b'*', ..] => block_comment(rest),
            _ => return at,
        };
    }
}

fn block_comment(text: &[u8]) -> usize {
    let (mut at, mut depth) = (0, 0_u32);
    while at < text.len() {
        match &text[at..(at + 2).min(text.len())] {
            b"/*" => depth += 1,
            b"*/" => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return at;
        }
    }
    at
}
