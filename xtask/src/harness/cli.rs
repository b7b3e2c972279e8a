//! One invocation of the tool.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context as _, Result};

use super::{Filters, Terminal};
use crate::project::Project;

/// The tool in a project's folder, with a clean environment: of the caller's only the system's paths stay.
#[derive(Debug, Clone)]
pub struct TestCli {
    program: PathBuf,
    folder: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    stdin: Option<String>,
    filters: Filters,
}

impl TestCli {
    /// The program in a folder. PATH has the system's folders only.
    pub fn new(program: impl AsRef<Path>, folder: &Path) -> Self {
        let home = folder.display().to_string();
        let environment = [
            ("PATH", "/usr/local/bin:/usr/bin:/bin"),
            ("HOME", &home),
            ("LC_ALL", "C.UTF-8"),
            ("TZ", "UTC"),
        ];
        Self {
            program: program.as_ref().to_owned(),
            folder: folder.to_owned(),
            arguments: Vec::new(),
            environment: environment
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
            stdin: None,
            filters: Filters::default(),
        }
    }

    /// The program in a project: its environment's Python is active, the programs of its database's server are on PATH
    /// with the libraries that they need, and what is the project's own is filtered.
    pub fn in_project(program: impl AsRef<Path>, project: &Project) -> Self {
        let (venv, install) = (project.venv(), project.server().install());
        let path = format!(
            "{}:{}:/usr/local/bin:/usr/bin:/bin",
            venv.bin().display(),
            install.bin_dir.display()
        );
        let mut cli = Self::new(program, project.folder());
        cli = cli
            .env("PATH", &path)
            .env("VIRTUAL_ENV", &venv.folder.display().to_string());
        cli = cli.env("PYTHONDONTWRITEBYTECODE", "1");
        if let Some((name, value)) = install.library_variable() {
            cli = cli.env(name, &value);
        }
        cli.filters = Filters::of(project);
        cli
    }

    /// One more argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<str>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// More arguments.
    #[must_use]
    pub fn args<S: AsRef<str>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.arguments.extend(
            arguments
                .into_iter()
                .map(|argument| argument.as_ref().to_owned()),
        );
        self
    }

    /// A variable of its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Without a variable that is set by default.
    #[must_use]
    pub fn env_remove(mut self, name: &str) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self
    }

    /// The folder that it runs in.
    #[must_use]
    pub fn current_dir(mut self, folder: &Path) -> Self {
        folder.clone_into(&mut self.folder);
        self
    }

    /// What it reads; nothing otherwise.
    #[must_use]
    pub fn stdin(mut self, text: &str) -> Self {
        self.stdin = Some(text.to_owned());
        self
    }

    /// One more filter: every match of the pattern becomes the replacement.
    #[must_use]
    pub fn filter(mut self, pattern: &str, replacement: &str) -> Self {
        self.filters.add(pattern, replacement);
        self
    }

    /// The command, for callers who start it in their own way.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .current_dir(&self.folder)
            .env_clear();
        command.envs(
            self.environment
                .iter()
                .map(|(name, value)| (OsStr::new(name), OsStr::new(value))),
        );
        command
    }

    /// Runs it to the end.
    ///
    /// # Panics
    /// When it cannot be started.
    #[track_caller]
    pub fn run(&self) -> Ran {
        self.try_run().unwrap_or_else(|why| panic!("{why:#}"))
    }

    fn try_run(&self) -> Result<Ran> {
        let mut command = self.command();
        command.stdin(if self.stdin.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start {}", self.program.display()))?;
        if let (Some(text), Some(mut pipe)) = (&self.stdin, child.stdin.take()) {
            // a tool that reads nothing closes the pipe, which is its right
            let _ = pipe.write_all(text.as_bytes());
        }
        let output = child.wait_with_output()?;
        Ok(Ran {
            status: output.status,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            filters: self.filters.clone(),
        })
    }

    /// Runs it at a terminal of 80 columns and 40 rows, to type answers and read the screen.
    ///
    /// # Panics
    /// When it cannot be started.
    #[track_caller]
    pub fn tty(&self) -> Terminal {
        self.tty_of(80, 40)
    }

    /// Runs it at a terminal of any size.
    ///
    /// # Panics
    /// When it cannot be started.
    #[track_caller]
    pub fn tty_of(&self, columns: u16, rows: u16) -> Terminal {
        let mut command = self.command();
        command.env("TERM", "xterm-256color");
        Terminal::start(command, columns, rows, self.filters.clone())
            .unwrap_or_else(|why| panic!("{why:#}"))
    }
}

/// What a finished invocation did.
#[derive(Debug)]
pub struct Ran {
    status: ExitStatus,
    /// As it was written.
    pub stdout: String,
    /// As it was written.
    pub stderr: String,
    filters: Filters,
}

impl Ran {
    /// The exit code; for a signal, 128 and its number, as shells say.
    pub fn code(&self) -> i32 {
        use std::os::unix::process::ExitStatusExt as _;
        self.status
            .code()
            .unwrap_or_else(|| 128 + self.status.signal().unwrap_or_default())
    }

    /// Fails the test, with all that was said, unless the exit code is this.
    ///
    /// # Panics
    /// When it is another.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert!(
            self.code() == code,
            "expected exit code {code}\n{}",
            self.snapshot()
        );
        self
    }

    /// Exit code, stdout and stderr in one text, filtered: for `insta::assert_snapshot!`.
    pub fn snapshot(&self) -> String {
        let mut text = format!("exit code: {}\n", self.code());
        for (name, stream) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            let _ = write!(text, "----- {name} -----\n{}", self.filters.apply(stream));
            if !stream.is_empty() && !stream.ends_with('\n') {
                text.push_str("[no newline at the end]\n");
            }
        }
        text
    }

    /// stdout as one JSON document.
    ///
    /// # Panics
    /// When it is none.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|why| panic!("no JSON: {why}\n{}", self.snapshot()))
    }

    /// stdout as JSON lines.
    ///
    /// # Panics
    /// When a line is none.
    #[track_caller]
    pub fn json_lines(&self) -> Vec<serde_json::Value> {
        let parse = |line| {
            serde_json::from_str(line)
                .unwrap_or_else(|why| panic!("no JSON: {why}: {line}\n{}", self.snapshot()))
        };
        self.stdout.lines().map(parse).collect()
    }
}
