//! One Python process that runs the script of `bridge/`: start, answers, words, end.
//!
//! Spawn failure, crash and bad JSON are separate errors that show what the process said last, scrubbed of every
//! secret that is known. Absent here: what an answer means.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use pgdriver::Secret;
use rustix::process::Signal;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc;

use super::python::PythonCommand;
use super::scrub::Scrubber;
use super::wire::{Action, Answer, PROTOCOL, Request, Word};
use crate::exit::Class;
use crate::failure::Failure;
use crate::process::{Group, forward};

/// The parts of one script, in reading order. At run time they share one namespace; only the order of a class and its
/// base (`lookups` before `catalogue`) and of the last (`main` starts it all) is needed.
const SCRIPT: &str = concat!(
    include_str!("bridge/wire.py"),
    include_str!("bridge/errors.py"),
    include_str!("bridge/keepalive.py"),
    include_str!("bridge/session.py"),
    include_str!("bridge/entry.py"),
    include_str!("bridge/setup.py"),
    include_str!("bridge/databases.py"),
    include_str!("bridge/checks.py"),
    include_str!("bridge/graph.py"),
    include_str!("bridge/plan.py"),
    include_str!("bridge/states.py"),
    include_str!("bridge/stubs.py"),
    include_str!("bridge/operations.py"),
    include_str!("bridge/sketch.py"),
    include_str!("bridge/contenttypes.py"),
    include_str!("bridge/lookups.py"),
    include_str!("bridge/catalogue.py"),
    include_str!("bridge/code.py"),
    include_str!("bridge/render.py"),
    include_str!("bridge/collect.py"),
    include_str!("bridge/drift.py"),
    include_str!("bridge/schema.py"),
    include_str!("bridge/inspect.py"),
    include_str!("bridge/transaction.py"),
    include_str!("bridge/pooler.py"),
    include_str!("bridge/stop.py"),
    include_str!("bridge/words.py"),
    include_str!("bridge/statements.py"),
    include_str!("bridge/attempts.py"),
    include_str!("bridge/migrate.py"),
    include_str!("bridge/main.py"),
);
const BOOTSTRAP: &str = include_str!("bootstrap.py");
/// Lines of stderr kept for an error.
const TAIL: usize = 30;

/// A running bridge. Dropped, its process group is killed.
#[derive(Debug)]
pub(crate) struct Bridge {
    command: String,
    child: Child,
    group: Group,
    words: Option<ChildStdin>,
    lines: mpsc::Receiver<Heard>,
    nonce: String,
    tail: VecDeque<String>,
    secrets: Scrubber,
    held: Held,
    said_bye: bool,
}

/// Lines of the project from before its passwords were known. They are shown once they can be scrubbed.
#[derive(Debug)]
enum Held {
    /// Until the databases are described.
    Back {
        lines: VecDeque<String>,
        left_out: usize,
        databases: bool,
    },
    /// Nothing is held back any more.
    No,
}

/// Lines that are held back at the most: the last of them.
const HELD: usize = 500;

impl Held {
    /// A migration's passwords are known before it starts.
    fn during(action: Action) -> Self {
        match action {
            Action::Inspect => Self::Back {
                lines: VecDeque::new(),
                left_out: 0,
                databases: false,
            },
            Action::Migrate => Self::No,
        }
    }

    /// Whether the line has to wait.
    fn keep(&mut self, line: &str) -> bool {
        let Self::Back {
            lines, left_out, ..
        } = self
        else {
            return false;
        };
        if lines.len() == HELD {
            lines.pop_front();
            *left_out += 1;
        }
        lines.push_back(line.to_owned());
        true
    }

    /// Whether every password is known: databases were described, and now comes something else.
    fn is_over(&mut self, answer: &Answer) -> bool {
        match (self, answer) {
            (Self::Back { databases, .. }, Answer::Database(_)) => {
                *databases = true;
                false
            }
            (Self::Back { databases, .. }, _) => *databases,
            (Self::No, _) => false,
        }
    }

    fn release(&mut self, secrets: &Scrubber, hear: &dyn Fn(&str)) {
        if let Self::Back {
            lines, left_out, ..
        } = std::mem::replace(self, Self::No)
        {
            if left_out > 0 {
                hear(&format!("({left_out} earlier lines are left out)"));
            }
            lines.iter().for_each(|line| hear(&secrets.scrub(line)));
        }
    }
}

#[derive(Debug)]
enum Heard {
    Out(String),
    Talk(String),
}

/// What can go wrong with the process itself.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BridgeError {
    #[error("`{command}` cannot be started: {source}")]
    Spawn {
        command: String,
        source: std::io::Error,
    },
    #[error("`{command}` ended early ({status})")]
    Crashed {
        command: String,
        status: String,
        tail: Vec<String>,
    },
    #[error("`{command}` gave an answer that cannot be read: {why}")]
    BadAnswer {
        command: String,
        why: String,
        tail: Vec<String>,
    },
    #[error("`{command}` speaks protocol {found}, not {PROTOCOL}")]
    Protocol { command: String, found: u32 },
}

impl BridgeError {
    pub(crate) fn failure(self) -> Failure {
        let message = self.to_string();
        match self {
            Self::Spawn { .. } => Failure::new(Class::PythonMissing, message)
                .hint("say how to start the project's Python: --python .venv/bin/python"),
            Self::Crashed { tail, .. } => Failure::new(Class::ProjectFailed, with_tail(&message, &tail))
                .hint("`manage.py check` should fail in the same way; -v shows all that the project prints"),
            Self::BadAnswer { tail, .. } => Failure::new(Class::Bug, with_tail(&message, &tail)),
            Self::Protocol { .. } => Failure::new(Class::Bug, message),
        }
    }
}

fn with_tail(message: &str, tail: &[String]) -> String {
    if tail.is_empty() {
        return format!("{message}; it said nothing");
    }
    format!("{message}; it said last:\n{}", tail.join("\n"))
}

impl Bridge {
    pub(crate) async fn start(
        python: &PythonCommand,
        root: &Path,
        request: &Request,
    ) -> Result<Self, BridgeError> {
        let shown = python.to_string();
        let spawn = |source| BridgeError::Spawn {
            command: shown.clone(),
            source,
        };
        let (program, arguments) = python.words.split_first().ok_or_else(|| {
            spawn(std::io::Error::new(
                std::io::ErrorKind::InvalidInput,
                "it is empty",
            ))
        })?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .args(["-c", BOOTSTRAP.trim_end(), &SCRIPT.len().to_string()])
            .current_dir(root)
            .env("PYTHONUNBUFFERED", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        if let Some(seed) = hash_seed(
            request.action,
            std::env::var_os("PYTHONHASHSEED").as_deref(),
        ) {
            command.env("PYTHONHASHSEED", seed);
        }
        let mut child = command.spawn().map_err(spawn)?;
        let (sender, lines) = mpsc::channel(1024);
        if let Some(out) = child.stdout.take() {
            forward(out, sender.clone(), Heard::Out);
        }
        if let Some(err) = child.stderr.take() {
            forward(err, sender, Heard::Talk);
        }
        let group = Group::of(&child);
        let words = child.stdin.take();
        let mut bridge = Self {
            command: shown,
            child,
            group,
            words,
            lines,
            nonce: request.nonce.clone(),
            tail: VecDeque::new(),
            secrets: Scrubber::of_process(),
            held: Held::during(request.action),
            said_bye: false,
        };
        bridge.send_request(request).await;
        Ok(bridge)
    }

    /// A broken pipe is not an error here: the process is gone, and its end will say why.
    async fn send_request(&mut self, request: &Request) {
        let Ok(mut line) = serde_json::to_vec(request) else {
            return;
        };
        line.push(b'\n');
        if let Some(stdin) = &mut self.words {
            let _ = stdin.write_all(SCRIPT.as_bytes()).await;
            let _ = stdin.write_all(&line).await;
            let _ = stdin.flush().await;
        }
    }

    /// The next answer; none after the last. Cancel safe. `hear` is told each line that the project prints.
    pub(crate) async fn next(
        &mut self,
        hear: &dyn Fn(&str),
    ) -> Result<Option<Answer>, BridgeError> {
        let mark = format!("\u{1e}{} ", self.nonce);
        while let Some(heard) = self.lines.recv().await {
            match heard {
                Heard::Out(line) => match line.strip_prefix(&mark) {
                    Some(json) => {
                        let answer = self.answer(json);
                        if !answer.as_ref().is_ok_and(|a| !self.held.is_over(a)) {
                            self.held.release(&self.secrets, hear);
                        }
                        return answer.map(Some);
                    }
                    None => self.talk(&line, hear),
                },
                Heard::Talk(line) => self.talk(&line, hear),
            }
        }
        self.held.release(&self.secrets, hear);
        Ok(None)
    }

    fn answer(&mut self, json: &str) -> Result<Answer, BridgeError> {
        let answer = serde_json::from_str(json).map_err(|e| BridgeError::BadAnswer {
            command: self.command.clone(),
            why: format!("{e} in {}", json.chars().take(200).collect::<String>()),
            tail: self.tail(),
        })?;
        match &answer {
            Answer::Hello(hello) if hello.protocol != PROTOCOL => {
                return Err(BridgeError::Protocol {
                    command: self.command.clone(),
                    found: hello.protocol,
                });
            }
            Answer::Bye { .. } => self.said_bye = true,
            _ => {}
        }
        Ok(answer)
    }

    fn talk(&mut self, line: &str, hear: &dyn Fn(&str)) {
        let line = self.secrets.scrub(line);
        if !self.held.keep(&line) {
            hear(&line);
        }
        if self.tail.len() == TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back(line);
    }

    /// From now on this never shows in what the process said.
    pub(crate) fn scrub(&mut self, secret: &Secret) {
        self.secrets.add(secret.expose());
        for line in &mut self.tail {
            *line = self.secrets.scrub(line);
        }
    }

    /// What the process said last.
    pub(crate) fn tail(&self) -> Vec<String> {
        self.tail.iter().cloned().collect()
    }

    /// Says a word. A process that is gone does not hear; its end says why.
    pub(crate) async fn say(&mut self, word: Word) {
        let Ok(mut line) = serde_json::to_vec(&word) else {
            return;
        };
        line.push(b'\n');
        if let Some(stdin) = &mut self.words {
            let _ = stdin.write_all(&line).await;
            let _ = stdin.flush().await;
        }
    }

    /// Waits for the end. It is a crash unless the bridge said `bye`.
    pub(crate) async fn finish(mut self) -> Result<(), BridgeError> {
        drop(self.words.take());
        let status = self.child.wait().await;
        if self.said_bye {
            return Ok(());
        }
        let status = status.map_or_else(|e| e.to_string(), describe);
        Err(BridgeError::Crashed {
            command: self.command.clone(),
            status,
            tail: self.tail(),
        })
    }

    /// Asks the whole process group to stop, then makes it stop. The answers read so far stay valid.
    pub(crate) async fn stop(&mut self, patience: Duration) {
        self.group.signal(Signal::TERM);
        drop(self.words.take());
        if tokio::time::timeout(patience, self.child.wait())
            .await
            .is_err()
        {
            self.group.signal(Signal::KILL);
            let _ = self.child.wait().await;
        }
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            self.group.signal(Signal::KILL);
        }
    }
}

/// Sets in migrations iterate in hash order, and a preview should read the same twice. The real run is the project's
/// own, as it is without this tool.
fn hash_seed(action: Action, own: Option<&OsStr>) -> Option<&'static str> {
    match action {
        Action::Inspect if own.is_none() => Some("0"),
        Action::Inspect | Action::Migrate => None,
    }
}

fn describe(status: ExitStatus) -> String {
    status.to_string()
}

/// A mark that a stranger on the same stream cannot guess by accident.
pub(super) fn nonce() -> String {
    use std::hash::{BuildHasher, RandomState};
    format!("{:016x}", RandomState::new().hash_one(std::process::id()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_preview_gets_a_hash_seed_and_never_over_the_users_own() {
        assert_eq!(hash_seed(Action::Inspect, None), Some("0"));
        assert_eq!(hash_seed(Action::Inspect, Some(OsStr::new("random"))), None);
        assert_eq!(hash_seed(Action::Migrate, None), None);
    }

    #[test]
    fn lines_wait_for_the_passwords_and_are_scrubbed_by_them() {
        let shown = std::cell::RefCell::new(Vec::new());
        let hear = |line: &str| shown.borrow_mut().push(line.to_owned());
        let answer = |json: &str| serde_json::from_str::<Answer>(json).expect("an answer");
        let database = answer(
            r#"{"kind":"database","alias":"default","selected":true,"engine":"e","vendor":"v","name":"n",
                "driver":null,"parameters":{},"password":"tr0ub4dor","resolved":true,
                "test":{"name":"t","mirror":null},"server":null}"#,
        );
        let other = answer(r#"{"kind":"checks_done","count":0,"seconds":0.1}"#);
        let mut held = Held::during(Action::Inspect);
        let mut secrets = Scrubber::default();
        for _ in 0..HELD {
            assert!(held.keep("earlier"));
        }
        assert!(held.keep("login tr0ub4dor"));
        assert!(!held.is_over(&other), "no database was described yet");
        assert!(!held.is_over(&database), "another may follow");
        secrets.add("tr0ub4dor");
        assert!(held.is_over(&other));
        held.release(&secrets, &hear);
        assert!(!held.keep("now at once"));
        let shown = shown.into_inner();
        assert_eq!(
            shown.first().map(String::as_str),
            Some("(1 earlier lines are left out)")
        );
        assert_eq!(shown.last().map(String::as_str), Some("login ***"));
        assert_eq!(shown.len(), HELD + 1);
        assert!(!Held::during(Action::Migrate).keep("at once"));
    }

    #[test]
    fn every_file_is_a_part_of_the_script_and_main_is_its_end() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/django/bridge");
        for entry in std::fs::read_dir(folder).expect("the folder") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|kind| kind == "py") {
                let text = std::fs::read_to_string(&path).expect("a file");
                assert!(
                    SCRIPT.contains(&text),
                    "{} is not in the list",
                    path.display()
                );
            }
        }
        assert!(SCRIPT.ends_with(include_str!("bridge/main.py")));
    }
}
