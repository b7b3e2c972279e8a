//! What is open inside a statement, and whether it is a COPY with data behind it: told by its first words.
//!
//! Absent: what else the words mean.

/// What is open inside a statement: parentheses, and in `CREATE FUNCTION` and `CREATE PROCEDURE` the body from BEGIN
/// ATOMIC to its END, with each CASE … END in it. psql takes any BEGIN for one; the server, which decides, does not.
#[derive(Default)]
pub(super) struct Shape {
    parentheses: usize,
    blocks: usize,
    head: Head,
    before: Before,
    is_from_stdin: bool,
}

/// How far the first words have got.
#[derive(Default, Clone, Copy, PartialEq)]
enum Head {
    #[default]
    Nothing,
    Create,
    CreateOr,
    CreateOrReplace,
    Routine,
    Copy,
    Other,
}

/// What stands before a word, and changes what it is.
#[derive(Default, Clone, Copy, PartialEq)]
enum Before {
    #[default]
    Nothing,
    Begin,
    From,
    /// AS or a point: any word behind it is a name.
    Naming,
}

impl Shape {
    pub(super) fn is_closed(&self) -> bool {
        self.parentheses == 0 && self.blocks == 0
    }

    pub(super) fn is_copy_from_stdin(&self) -> bool {
        self.head == Head::Copy && self.is_from_stdin
    }

    /// A token that is no word, by its first byte.
    pub(super) fn other(&mut self, byte: u8) {
        match byte {
            b'(' => self.parentheses += 1,
            b')' => self.parentheses = self.parentheses.saturating_sub(1),
            _ => {}
        }
        self.before = match byte {
            b'.' => Before::Naming,
            _ => Before::Nothing,
        };
    }

    pub(super) fn word(&mut self, word: &[u8]) {
        let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
        let before = std::mem::take(&mut self.before);
        match self.head {
            Head::Other => {}
            Head::Routine if before == Before::Naming => {}
            Head::Routine => match before {
                Before::Begin if is(b"atomic") && self.blocks == 0 => self.blocks = 1,
                _ if self.blocks > 0 && is(b"case") => self.blocks += 1,
                _ if is(b"end") => self.blocks = self.blocks.saturating_sub(1),
                _ if is(b"begin") => self.before = Before::Begin,
                _ if is(b"as") => self.before = Before::Naming,
                _ => {}
            },
            Head::Copy if self.parentheses == 0 => {
                self.is_from_stdin |= before == Before::From && is(b"stdin");
                if is(b"from") {
                    self.before = Before::From;
                }
            }
            Head::Copy => {}
            Head::Nothing if is(b"create") => self.head = Head::Create,
            Head::Nothing if is(b"copy") => self.head = Head::Copy,
            Head::Create if is(b"or") => self.head = Head::CreateOr,
            Head::CreateOr if is(b"replace") => self.head = Head::CreateOrReplace,
            Head::Create | Head::CreateOrReplace if is(b"function") || is(b"procedure") => {
                self.head = Head::Routine;
            }
            _ => self.head = Head::Other,
        }
    }
}
