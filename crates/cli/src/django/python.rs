//! Which Python starts the project: `--python`, else VIRTUAL_ENV, .venv, venv, uv, poetry, pipenv, PATH.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::exit::Class;
use crate::failure::Failure;
use crate::settings::DjangoSettings;

/// A program and its first arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PythonCommand {
    pub(crate) words: Vec<String>,
    /// How it was found: `--python`, `.venv`, `uv.lock`, `PATH`.
    pub(crate) found_by: &'static str,
}

impl fmt::Display for PythonCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words.join(" "))
    }
}

/// What the choice depends on, so that it can be tested without a machine.
struct Surroundings<'a> {
    root: &'a Path,
    virtual_env: Option<PathBuf>,
    is_file: &'a dyn Fn(&Path) -> bool,
    /// The program on PATH, if it is there.
    on_path: &'a dyn Fn(&str) -> Option<PathBuf>,
}

impl PythonCommand {
    pub(crate) fn find(settings: &DjangoSettings, root: &Path) -> Result<Self, Failure> {
        if let Some(command) = &settings.python {
            let words = words(command).ok_or_else(|| {
                Failure::new(
                    Class::Settings,
                    format!("--python has an open quote: {command}"),
                )
                .hint("a path with a space stands in quotes: --python \"'/opt/my env/bin/python'\"")
            })?;
            return Ok(Self {
                words: relative_to(root, words),
                found_by: "--python",
            });
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let surroundings = Surroundings {
            root,
            virtual_env: std::env::var_os("VIRTUAL_ENV").map(PathBuf::from),
            is_file: &|p| p.is_file(),
            on_path: &|program| {
                std::env::split_paths(&path)
                    .map(|dir| dir.join(program))
                    .find(|p| p.is_file())
            },
        };
        choose(&surroundings).ok_or_else(|| {
            Failure::new(
                Class::PythonMissing,
                "no Python: neither VIRTUAL_ENV, .venv, venv nor python3 on PATH",
            )
            .source("project", root.display().to_string())
            .hint("say how to start the project's Python: --python .venv/bin/python")
        })
    }
}

/// A program given as a path is meant from the project's root, where it will run.
/// Words as a shell would read them, as far as quotes and backslashes go; none where a quote stays open.
fn words(command: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = command.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => word.get_or_insert_default().extend(chars.next()),
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

fn relative_to(root: &Path, mut words: Vec<String>) -> Vec<String> {
    if let Some(program) = words.first_mut()
        && program.contains('/')
        && root.join(&*program).exists()
    {
        *program = root.join(&*program).to_string_lossy().into_owned();
    }
    words
}

fn choose(s: &Surroundings<'_>) -> Option<PythonCommand> {
    let command = |words: Vec<String>, found_by| Some(PythonCommand { words, found_by });
    let interpreter = |venv: &Path| {
        let path = venv.join("bin").join("python");
        (s.is_file)(&path).then(|| path.to_string_lossy().into_owned())
    };
    if let Some(python) = s.virtual_env.as_deref().and_then(interpreter) {
        return command(vec![python], "VIRTUAL_ENV");
    }
    for (folder, found_by) in [(".venv", ".venv"), ("venv", "venv")] {
        if let Some(python) = interpreter(&s.root.join(folder)) {
            return command(vec![python], found_by);
        }
    }
    // --no-sync: a migration must not start by changing the environment
    for (lock, program, arguments) in [
        ("uv.lock", "uv", &["run", "--no-sync", "python"][..]),
        ("poetry.lock", "poetry", &["run", "python"]),
        ("Pipfile.lock", "pipenv", &["run", "python"]),
    ] {
        if (s.is_file)(&s.root.join(lock)) && (s.on_path)(program).is_some() {
            let words = std::iter::once(program).chain(arguments.iter().copied());
            return command(words.map(str::to_owned).collect(), lock);
        }
    }
    let python = ["python3", "python"]
        .into_iter()
        .find_map(|p| (s.on_path)(p))?;
    command(vec![python.to_string_lossy().into_owned()], "PATH")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(files: &[&str], programs: &[&str], virtual_env: Option<&str>, expected: Option<&str>) {
        let files: Vec<PathBuf> = files.iter().map(PathBuf::from).collect();
        let surroundings = Surroundings {
            root: Path::new("/shop"),
            virtual_env: virtual_env.map(PathBuf::from),
            is_file: &|p| files.iter().any(|f| f == p),
            on_path: &|program| {
                programs
                    .contains(&program)
                    .then(|| PathBuf::from("/usr/bin").join(program))
            },
        };
        assert_eq!(
            choose(&surroundings).map(|c| c.to_string()).as_deref(),
            expected
        );
    }

    #[test]
    fn a_command_is_read_as_a_shell_would() {
        let check = |command: &str, expected: Option<&[&str]>| {
            let found = words(command);
            let found: Option<Vec<&str>> = found
                .as_ref()
                .map(|w| w.iter().map(String::as_str).collect());
            assert_eq!(found.as_deref(), expected, "{command}");
        };
        check(" uv  run python ", Some(&["uv", "run", "python"]));
        check(
            "'/opt/my env/python' -X dev",
            Some(&["/opt/my env/python", "-X", "dev"]),
        );
        check(r#"/opt/my\ env/py"th o"n"#, Some(&["/opt/my env/pyth on"]));
        check(
            r#"sh -c 'exec "$@"' --"#,
            Some(&["sh", "-c", "exec \"$@\"", "--"]),
        );
        check("python ''", Some(&["python", ""]));
        check("python 'open", None);
    }

    #[test]
    fn the_order_of_look_up() {
        let all = [
            "/env/bin/python",
            "/shop/.venv/bin/python",
            "/shop/venv/bin/python",
            "/shop/uv.lock",
        ];
        check(
            &all,
            &["uv", "python3"],
            Some("/env"),
            Some("/env/bin/python"),
        );
        check(
            &all[1..],
            &["uv", "python3"],
            Some("/env"),
            Some("/shop/.venv/bin/python"),
        );
        check(
            &all[2..],
            &["uv", "python3"],
            None,
            Some("/shop/venv/bin/python"),
        );
        check(
            &all[3..],
            &["uv", "python3"],
            None,
            Some("uv run --no-sync python"),
        );
        check(&all[3..], &["python3"], None, Some("/usr/bin/python3"));
        check(
            &["/shop/poetry.lock"],
            &["poetry"],
            None,
            Some("poetry run python"),
        );
        check(
            &["/shop/Pipfile.lock"],
            &["pipenv"],
            None,
            Some("pipenv run python"),
        );
        check(&[], &["python"], None, Some("/usr/bin/python"));
        check(&[], &[], None, None);
    }
}
