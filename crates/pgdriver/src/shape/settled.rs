//! An expression as the server writes it once it has read its own words.
//!
//! `v IN ('a', 'b')` on a varchar is kept with one cast around the array, and written so: `(ARRAY['a'::character varying,
//! …])::text[]`. Read back, the cast goes to each element (`transformArrayExpr` in src/backend/parser/parse_expr.c):
//! `ARRAY[('a'::character varying)::text, …]`, which stays. Both say the same; a database and its restored dump differ by
//! it. Of some ninety forms of expressions in checks, indexes, views, defaults, policies, rules, triggers and statistics
//! this was the only one that PostgreSQL 14, 17 and 18 wrote in another way the second time.
//!
//! Absent: any understanding of the expression.

use std::borrow::Cow;

const OPENS: &str = "ARRAY[";

/// With each cast of an array written at its elements.
pub fn settled(definition: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(definition);
    let mut from = 0;
    // an inner array stands behind its outer one, and is looked at when that is settled
    while let Some(at) = text[from..].find(OPENS).map(|at| from + at) {
        from = at + OPENS.len();
        if let Some(other) = Cast::at(&text, at).map(|cast| cast.at_elements(&text)) {
            text = Cow::Owned(other);
        }
    }
    text
}

/// `(ARRAY[…])::type[]`, or `ARRAY[…]::type[]` as the server writes it prettily.
struct Cast<'a> {
    /// Of its first byte, of its elements, of what is behind it.
    start: usize,
    elements: Vec<&'a str>,
    end: usize,
    type_name: &'a str,
    in_parentheses: bool,
}

impl<'a> Cast<'a> {
    /// Of the array that begins here.
    fn at(text: &'a str, at: usize) -> Option<Self> {
        let inner = at + OPENS.len();
        let (elements, close) = elements(text, inner)?;
        let behind = &text[close + 1..];
        let in_parentheses = text[..at].ends_with('(') && behind.starts_with(")::");
        let prefix = if in_parentheses { ")::" } else { "::" };
        let rest = behind.strip_prefix(prefix)?;
        let length = rest.find("[]").filter(|length| is_type(&rest[..*length]))?;
        Some(Self {
            start: if in_parentheses { at - 1 } else { at },
            elements,
            end: text.len() - rest.len() + length + "[]".len(),
            type_name: &rest[..length],
            in_parentheses,
        })
    }

    fn at_elements(&self, text: &str) -> String {
        let Self { type_name, .. } = self;
        let element = |element: &&str| match self.in_parentheses {
            true => format!("({element})::{type_name}"),
            false => format!("{element}::{type_name}"),
        };
        let elements: Vec<String> = self.elements.iter().map(element).collect();
        let (before, behind) = (&text[..self.start], &text[self.end..]);
        format!("{before}{OPENS}{}]{behind}", elements.join(", "))
    }
}

/// `character varying(10)`, `other."Name"`
fn is_type(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_alphanumeric() || " _.\"(),$".contains(c))
}

/// From here to the bracket that closes; none where there is none, or nothing in it.
fn elements(text: &str, from: usize) -> Option<(Vec<&str>, usize)> {
    let bytes = text.as_bytes();
    let (mut at, mut depth, mut begins) = (from, 0_u32, from);
    let mut elements = Vec::new();
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\'' | b'"' => at = end_of_quoted(bytes, at)?,
            b'(' | b'[' => depth += 1,
            b']' if depth == 0 => {
                elements.push(text[begins..at].trim());
                let some = elements.iter().all(|element| !element.is_empty());
                return some.then_some((elements, at));
            }
            b')' | b']' => depth = depth.checked_sub(1)?,
            b',' if depth == 0 => {
                elements.push(text[begins..at].trim());
                begins = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// The closing quote of a string or a name; two in a row are one of the text, and after E a backslash takes the next along.
fn end_of_quoted(bytes: &[u8], open: usize) -> Option<usize> {
    let quote = bytes[open];
    let escapes = quote == b'\'' && open > 0 && matches!(bytes[open - 1], b'E' | b'e');
    let mut at = open + 1;
    loop {
        match bytes.get(at)? {
            b'\\' if escapes => at += 1,
            byte if *byte == quote && bytes.get(at + 1) == Some(&quote) => at += 1,
            byte if *byte == quote => return Some(at),
            _ => {}
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::settled;

    #[test]
    fn the_cast_of_an_array_goes_to_its_elements() {
        let cases = [
            (
                "CHECK (((v)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[])))",
                "CHECK (((v)::text = ANY (ARRAY[('a'::character varying)::text, ('b'::character varying)::text])))",
            ),
            (
                "ON (a::text = ANY (ARRAY['a'::character varying, 'b'::character varying]::text[])), upper(a)",
                "ON (a::text = ANY (ARRAY['a'::character varying::text, 'b'::character varying::text])), upper(a)",
            ),
            (
                "(ARRAY['it''s, ]'::x, f(a, b[1]), E'\\',]', \"odd,\"\"]\"])::other.\"T\"[] || (ARRAY[a])::character varying(10)[]",
                "ARRAY[('it''s, ]'::x)::other.\"T\", (f(a, b[1]))::other.\"T\", (E'\\',]')::other.\"T\", (\"odd,\"\"]\")::other.\"T\"] || ARRAY[(a)::character varying(10)]",
            ),
            (
                "(ARRAY[(ARRAY['a'::x])::y[], b])::z[]",
                "ARRAY[(ARRAY[('a'::x)::y])::z, (b)::z]",
            ),
        ];
        for (written, other) in cases {
            assert_eq!(settled(written), other);
            assert_eq!(settled(other), other);
        }
    }

    #[test]
    fn everything_else_stays() {
        for text in [
            "",
            "ARRAY[1, 2]",
            "ARRAY[]::text[]",
            "(ARRAY[1, 2, 3])[i]",
            "(ARRAY[1, 2])::text",
            "(ARRAY[1",
            "(ARRAY['1])::text[]",
            "ARRAY[1)]::text[]",
            "x = ANY (ARRAY[('a'::character varying)::text])",
        ] {
            assert_eq!(settled(text), text);
        }
    }
}
