//! The layers under the flags, and where each value came from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::{policy, table};
use crate::exit::Class;
use crate::failure::Failure;
use crate::policy::Policy;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    Flag(&'static str),
    Environment(String),
    File(PathBuf),
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// Environment and pyproject.toml, and a record of what was taken from where.
#[derive(Debug)]
pub(crate) struct Layers {
    root: PathBuf,
    environment: BTreeMap<String, String>,
    file: BTreeMap<String, String>,
    policy: Policy,
    file_path: PathBuf,
    taken: Vec<(&'static str, String, Origin)>,
}

impl Layers {
    /// Reads the environment and the pyproject.toml of the project at `root`.
    pub(crate) fn read(root: &Path) -> Result<Self, Failure> {
        let environment = std::env::vars_os()
            .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
            .filter(|(k, _)| k.starts_with("DJANGO_MIGRATE_"))
            .collect();
        let file_path = root.join("pyproject.toml");
        let text = match std::fs::read_to_string(&file_path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
            // a folder that is not there is for `locate` to report, with its own words
            Err(e) if e.kind() == std::io::ErrorKind::NotADirectory => String::new(),
            Err(e) => {
                return Err(Failure::new(
                    Class::Settings,
                    format!("{} cannot be read: {e}", file_path.display()),
                ));
            }
        };
        Self::from_parts(root, environment, &text, file_path)
    }

    #[cfg(test)]
    pub(crate) fn of(environment: &[(&str, &str)], file: &str) -> Result<Self, Failure> {
        let environment = environment
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        Self::from_parts(
            Path::new("."),
            environment,
            file,
            PathBuf::from("pyproject.toml"),
        )
    }

    fn from_parts(
        root: &Path,
        environment: BTreeMap<String, String>,
        file: &str,
        file_path: PathBuf,
    ) -> Result<Self, Failure> {
        let (file, policy) = section(file, &file_path)?;
        Ok(Self {
            root: root.to_path_buf(),
            environment,
            file,
            policy,
            file_path,
            taken: Vec::new(),
        })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// What the project says about findings.
    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// A note for each `DJANGO_MIGRATE_*` variable that is no setting: a typo would be silence otherwise.
    pub(crate) fn strangers(&self) -> impl Iterator<Item = String> {
        let known = || table::TABLE.iter().map(|row| table::variable(row.key));
        self.environment
            .keys()
            .filter(move |name| known().all(|k| k != **name))
            .filter_map(move |name| {
                let nearest = known().min_by_key(|k| distance(name, k))?;
                Some(format!(
                    "{name} in the environment is no setting; the nearest is {nearest}"
                ))
            })
    }

    /// What was taken, in order: key, value as it would be typed, origin.
    pub(crate) fn taken(&self) -> &[(&'static str, String, Origin)] {
        &self.taken
    }

    /// The value of `key`, which has a default.
    pub(crate) fn pick<T>(
        &mut self,
        key: &'static str,
        flag: Option<String>,
        parse: fn(&str) -> Result<T, String>,
    ) -> Result<T, Failure> {
        let value = self.pick_optional(key, flag, parse)?;
        value.ok_or_else(|| Failure::new(Class::Bug, format!("the setting `{key}` has no default")))
    }

    pub(crate) fn pick_optional<T>(
        &mut self,
        key: &'static str,
        flag: Option<String>,
        parse: fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Failure> {
        let row = table::find(key)
            .ok_or_else(|| Failure::new(Class::Bug, format!("`{key}` is in no table")))?;
        let variable = table::variable(key);
        let found = flag
            .map(|v| (v, Origin::Flag(row.flag)))
            .or_else(|| {
                self.environment
                    .get(&variable)
                    .map(|v| (v.clone(), Origin::Environment(variable.clone())))
            })
            .or_else(|| {
                self.file
                    .get(key)
                    .map(|v| (v.clone(), Origin::File(self.file_path.clone())))
            })
            .or_else(|| row.default.map(|v| (v.to_owned(), Origin::Default)));
        let Some((text, origin)) = found else {
            return Ok(None);
        };
        let value = parse(&text).map_err(|why| {
            Failure::new(
                Class::Settings,
                format!("`{key}` is \"{text}\" ({origin}): {why}"),
            )
            .hint(format!("{}: {}", row.flag, row.meaning))
        })?;
        // a DSN may hold a password
        let shown = if key == "dsn" {
            "(set)".to_owned()
        } else {
            text
        };
        // a setting may be looked at before it is taken
        self.taken.retain(|(key, ..)| *key != row.key);
        self.taken.push((row.key, shown, origin));
        Ok(Some(value))
    }
}

/// Letters to change, add or take out to make one of the other.
pub(super) fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let changed = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// `[tool.django-migrate]` as texts, and its policy; unknown keys are refused with the nearest that is known.
fn section(text: &str, path: &Path) -> Result<(BTreeMap<String, String>, Policy), Failure> {
    let document: toml::Table = text.parse().map_err(|e: toml::de::Error| {
        Failure::new(
            Class::Settings,
            format!("{} is no valid TOML: {}", path.display(), e.message()),
        )
    })?;
    let section = document.get("tool").and_then(|t| t.get("django-migrate"));
    let Some(section) = section else {
        return Ok(Default::default());
    };
    let Some(mut section) = section.as_table().cloned() else {
        return Err(Failure::new(
            Class::Settings,
            format!("tool.django-migrate in {} is no table", path.display()),
        ));
    };
    let [rules, waivers] = policy::KEYS.map(|key| section.remove(key));
    let policy = policy::policy(rules, waivers)?;
    let mut values = BTreeMap::new();
    for (key, value) in &section {
        let key = key.replace('-', "_");
        if table::find(&key).is_none() {
            let known: Vec<_> = table::TABLE.iter().map(|row| row.key).collect();
            return Err(Failure::new(
                Class::Settings,
                format!(
                    "[tool.django-migrate] in {} has `{key}`, which is no setting",
                    path.display()
                ),
            )
            .hint(format!("known: {}, policy, waivers", known.join(", "))));
        }
        let text = match value {
            toml::Value::String(s) => s.clone(),
            toml::Value::Integer(_) | toml::Value::Boolean(_) => value.to_string(),
            toml::Value::Array(list) if list.iter().all(toml::Value::is_str) => {
                let texts: Vec<&str> = list.iter().filter_map(toml::Value::as_str).collect();
                texts.join(",")
            }
            _ => {
                return Err(Failure::new(
                    Class::Settings,
                    format!(
                        "`{key}` in {} must be a string, a number, a boolean or a list of strings",
                        path.display()
                    ),
                ));
            }
        };
        values.insert(key, text);
    }
    Ok((values, policy))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_refused_by_name() {
        let f = Layers::of(&[], "[tool.django-migrate]\nlock_timeut = \"2s\"\n").unwrap_err();
        assert!(f.message.contains("lock_timeut"), "{}", f.message);
        assert!(f.hint.unwrap().contains("lock_timeout"));
    }

    #[test]
    fn a_variable_that_is_no_setting_is_told_with_the_nearest() {
        let environment = [
            ("DJANGO_MIGRATE_LOCK_TIMEUT", "2s"),
            ("DJANGO_MIGRATE_DATABASE", "default"),
        ];
        let layers = Layers::of(&environment, "").unwrap();
        let notes: Vec<String> = layers.strangers().collect();
        assert_eq!(notes.len(), 1, "{notes:?}");
        assert!(
            notes[0].contains("DJANGO_MIGRATE_LOCK_TIMEUT")
                && notes[0].ends_with("nearest is DJANGO_MIGRATE_LOCK_TIMEOUT"),
            "{notes:?}"
        );
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn broken_toml_is_an_error_and_not_silence() {
        assert_eq!(
            Layers::of(&[], "[tool.django-migrate\n").unwrap_err().class,
            Class::Settings
        );
    }

    #[test]
    fn every_origin_is_remembered() {
        let mut layers = Layers::of(&[("DJANGO_MIGRATE_DATABASE", "replica")], "").unwrap();
        assert_eq!(
            layers.pick("database", None, |s| Ok(s.to_owned())).unwrap(),
            "replica"
        );
        assert_eq!(
            layers.taken()[0].2,
            Origin::Environment("DJANGO_MIGRATE_DATABASE".into())
        );
    }
}
