//! Which command runs the project's tests. Pure over a view of the project's files.

use std::path::Path;

use crate::settings::TestSettings;

/// What customers asked for where pytest is configured: the tests about the database.
const PYTEST_SELECTION: &str = "db or database or model";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Choice {
    Skipped,
    /// Nothing that looks like a test.
    NoneFound,
    Run(TestCommand),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TestCommand {
    pub(crate) words: Vec<String>,
    pub(crate) found_by: String,
}

impl TestCommand {
    pub(crate) fn text(&self) -> String {
        let quoted = |w: &String| {
            if w.contains(' ') {
                format!("\"{w}\"")
            } else {
                w.clone()
            }
        };
        self.words.iter().map(quoted).collect::<Vec<_>>().join(" ")
    }
}

/// What the choice looks at.
pub(crate) trait ProjectFiles {
    /// None where the file is not there.
    fn read(&self, name: &str) -> Option<String>;
    fn is_folder(&self, name: &str) -> bool;
    /// Whether any of the project's own apps, or its `tests` folder, holds a test module.
    fn has_tests(&self) -> bool;
}

pub(crate) fn choose(
    settings: &TestSettings,
    python: &[String],
    entry: Option<&str>,
    files: &dyn ProjectFiles,
) -> Choice {
    if settings.skip {
        return Choice::Skipped;
    }
    if let Some(command) = &settings.command {
        return Choice::Run(TestCommand {
            words: split(command),
            found_by: "--test-command".to_owned(),
        });
    }
    if !files.has_tests() {
        return Choice::NoneFound;
    }
    if let Some(file) = pytest_configured(files) {
        let mut words: Vec<String> = python.to_vec();
        words.extend(["-m", "pytest"].map(str::to_owned));
        if files.is_folder("tests") {
            words.push("tests/".to_owned());
        }
        words.extend(["-v", "--tb=short", "-k", PYTEST_SELECTION].map(str::to_owned));
        return Choice::Run(TestCommand {
            words,
            found_by: format!("pytest is configured in {file}"),
        });
    }
    let mut words: Vec<String> = python.to_vec();
    match entry {
        Some(manage) => words.push(manage.to_owned()),
        None => words.extend(["-m".to_owned(), "django".to_owned()]),
    }
    words.extend(["test".to_owned(), "--noinput".to_owned()]);
    Choice::Run(TestCommand {
        words,
        found_by: "no pytest configuration".to_owned(),
    })
}

/// The file in which pytest would find its configuration, in pytest's own order.
fn pytest_configured(files: &dyn ProjectFiles) -> Option<&'static str> {
    let has = |name: &str, marker: &str| {
        files
            .read(name)
            .is_some_and(|text| text.lines().any(|line| line.trim().starts_with(marker)))
    };
    if files.read("pytest.ini").is_some() {
        return Some("pytest.ini");
    }
    [
        ("pyproject.toml", "[tool.pytest"),
        ("tox.ini", "[pytest]"),
        ("setup.cfg", "[tool:pytest]"),
    ]
    .into_iter()
    .find(|(name, marker)| has(name, marker))
    .map(|(name, _)| name)
}

/// Words as a shell splits them: quotes and backslashes, nothing else. No shell is started.
pub(crate) fn split(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut chars = command.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (Some('\''), c) => word.get_or_insert_default().push(c),
            (_, '\\') => word.get_or_insert_default().extend(chars.next()),
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// The project's files on disk.
pub(crate) struct OnDisk<'a> {
    pub(crate) root: &'a Path,
    /// Folders of the project's own apps.
    pub(crate) apps: Vec<&'a Path>,
}

impl ProjectFiles for OnDisk<'_> {
    fn read(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.root.join(name)).ok()
    }

    fn is_folder(&self, name: &str) -> bool {
        self.root.join(name).is_dir()
    }

    fn has_tests(&self) -> bool {
        let tests = self.root.join("tests");
        self.apps
            .iter()
            .copied()
            .chain([tests.as_path()])
            .any(|folder| holds_test(folder, 3))
    }
}

/// A `test*.py` with something that a runner would collect; Django's startapp leaves an empty tests.py.
fn holds_test(folder: &Path, depth: usize) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return false;
    };
    entries.flatten().map(|e| e.path()).any(|path| {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if path.is_dir() {
            return depth > 0
                && !name.starts_with('.')
                && name != "migrations"
                && holds_test(&path, depth - 1);
        }
        let module =
            name.ends_with(".py") && (name.starts_with("test") || name.ends_with("_test.py"));
        module && std::fs::read_to_string(&path).is_ok_and(|text| text.contains("def test"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::time::Duration;

    struct Files(BTreeMap<&'static str, &'static str>, bool);

    impl ProjectFiles for Files {
        fn read(&self, name: &str) -> Option<String> {
            self.0.get(name).map(|s| (*s).to_owned())
        }
        fn is_folder(&self, name: &str) -> bool {
            self.0.contains_key(format!("{name}/").as_str())
        }
        fn has_tests(&self) -> bool {
            self.1
        }
    }

    #[track_caller]
    fn check(
        files: &[(&'static str, &'static str)],
        has_tests: bool,
        command: Option<&str>,
        expected: &str,
    ) {
        let settings = TestSettings {
            command: command.map(Into::into),
            timeout: Duration::from_secs(1),
            skip: false,
        };
        let files = Files(files.iter().copied().collect(), has_tests);
        let found = match choose(&settings, &["python".to_owned()], Some("manage.py"), &files) {
            Choice::Skipped => "skipped".to_owned(),
            Choice::NoneFound => "none".to_owned(),
            Choice::Run(command) => command.text(),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn pytest_where_it_is_configured_else_manage_py() {
        let selection = "-v --tb=short -k \"db or database or model\"";
        check(
            &[("pytest.ini", ""), ("tests/", "")],
            true,
            None,
            &format!("python -m pytest tests/ {selection}"),
        );
        check(
            &[("pyproject.toml", "[tool.pytest.ini_options]\n")],
            true,
            None,
            &format!("python -m pytest {selection}"),
        );
        check(
            &[("setup.cfg", "[tool:pytest]\n")],
            true,
            None,
            &format!("python -m pytest {selection}"),
        );
        check(
            &[("tox.ini", "[tox]\n")],
            true,
            None,
            "python manage.py test --noinput",
        );
        check(&[], false, None, "none");
        check(
            &[],
            false,
            Some("pytest 'a b' -k \"x y\" c\\ d"),
            "pytest \"a b\" -k \"x y\" \"c d\"",
        );
    }
}
