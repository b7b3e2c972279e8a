//! The parameters that the dump has set so far, and what a session lacks of them.
//!
//! A statement that runs on another session, or later than it stands, needs the parameters of its place in the file: a
//! `SET default_tablespace` between two indexes counts for the second one only.
//!
//! Absent: what the parameters mean.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Each parameter with the statement that set it last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Settings(Arc<BTreeMap<String, String>>);

impl Settings {
    pub(super) fn put(&mut self, parameter: String, statement: String) {
        Arc::make_mut(&mut self.0).insert(parameter, statement);
    }

    /// The statements that bring a session from these settings to those; empty where nothing is to do.
    pub(super) fn towards(&self, wanted: &Self) -> String {
        if Arc::ptr_eq(&self.0, &wanted.0) {
            return String::new();
        }
        let back = self.0.keys().filter(|name| !wanted.0.contains_key(*name));
        let back = back.map(|name| format!("RESET {name};"));
        let on = wanted
            .0
            .iter()
            .filter(|(name, statement)| self.0.get(*name) != Some(*statement));
        let on = on.map(|(_, statement)| format!("{statement};"));
        back.chain(on).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        let mut settings = Settings::default();
        for (name, statement) in pairs {
            settings.put((*name).to_owned(), (*statement).to_owned());
        }
        settings
    }

    #[test]
    fn only_what_differs_is_set() {
        let none = settings(&[]);
        let one = settings(&[("a", "SET a = 1"), ("b", "SET b = 1")]);
        let other = settings(&[("a", "SET a = 2"), ("b", "SET b = 1"), ("c", "SET c = 1")]);
        assert_eq!(none.towards(&none), "");
        assert_eq!(none.towards(&one), "SET a = 1;SET b = 1;");
        assert_eq!(one.towards(&other), "SET a = 2;SET c = 1;");
        assert_eq!(other.towards(&one), "RESET c;SET a = 1;");
        assert_eq!(one.towards(&one.clone()), "");
    }

    #[test]
    fn a_copy_stays_as_it_was() {
        let mut now = settings(&[("a", "SET a = 1")]);
        let then = now.clone();
        now.put("a".to_owned(), "SET a = 2".to_owned());
        assert_eq!(now.towards(&then), "SET a = 1;");
    }
}
