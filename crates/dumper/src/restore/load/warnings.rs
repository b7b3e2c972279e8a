//! What the server warned of during a load: a REVOKE without effect is no error, and not what the dump says either.
//!
//! Absent: which statement it was of. The server does not say.

use std::collections::BTreeMap;

use pgdriver::Notice;

/// Different ones that are told.
const TOLD: usize = 20;

/// Each once, with how often it came.
pub(super) fn told(notices: &[Notice]) -> Vec<String> {
    let mut counted: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for notice in notices.iter().filter(|notice| notice.is_warning) {
        *counted
            .entry((&notice.message, &notice.sqlstate))
            .or_default() += 1;
    }
    let more = counted.len().saturating_sub(TOLD);
    let told = counted.into_iter().take(TOLD);
    let mut told: Vec<String> = told.map(one).collect();
    if more > 0 {
        told.push(format!("the server warned of {more} other things"));
    }
    told
}

fn one(((message, sqlstate), count): ((&str, &str), u64)) -> String {
    let times = match count {
        1 => String::new(),
        _ => format!(", {count} times"),
    };
    format!("the server warned: {message} (SQLSTATE {sqlstate}){times}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(message: String, is_warning: bool) -> Notice {
        Notice {
            severity: "WARNUNG".to_owned(),
            is_warning,
            sqlstate: "01006".to_owned(),
            message,
        }
    }

    #[test]
    fn warnings_are_told_once_and_notices_not() {
        let heard = [("b", true), ("a", false), ("b", true), ("a", true)]
            .map(|(message, is_warning)| notice(message.to_owned(), is_warning));
        assert_eq!(
            told(&heard),
            [
                "the server warned: a (SQLSTATE 01006)",
                "the server warned: b (SQLSTATE 01006), 2 times"
            ]
        );
        let many: Vec<Notice> = (0..25).map(|i| notice(format!("{i:02}"), true)).collect();
        let told = told(&many);
        assert_eq!(told.len(), 21);
        assert_eq!(told[20], "the server warned of 5 other things");
    }
}
