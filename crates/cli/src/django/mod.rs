//! Django as this tool sees it: the only place that starts Python.
//!
//! The script of `bridge/` reads, renders and runs what it is told; it decides nothing. Absent here: what a fact means
//! for a run (see [`crate::gates`] and [`crate::plan`]).

#[allow(
    dead_code,
    reason = "the shapes mirror the protocol whole, whoever reads a field today"
)]
pub(crate) mod wire;

mod bridge;
mod facts;
mod project;
mod python;
mod scrub;

pub(crate) use bridge::{Bridge, BridgeError};
pub(crate) use facts::ProjectFacts;
pub(crate) use project::Project;
pub(crate) use python::PythonCommand;
pub(crate) use scrub::Scrubber;

use crate::failure::Failure;
use crate::names::MigrationId;
use crate::plan::{Direction, Plan};
use crate::settings::{DjangoSettings, Target};
use wire::{Action, Answer, Entry, Part, Render, Request};

/// A project with the Python that starts it: what every call of the bridge needs.
#[derive(Debug, Clone)]
pub(crate) struct Django {
    pub(crate) project: Project,
    pub(crate) python: PythonCommand,
    pub(crate) settings: DjangoSettings,
}

impl Django {
    /// Finds manage.py (or takes `--entry`) and the interpreter. Starts nothing.
    pub(crate) fn locate(settings: &DjangoSettings) -> Result<Self, Failure> {
        let project = Project::locate(settings)?;
        let python = PythonCommand::find(settings, &project.root)?;
        Ok(Self {
            project,
            python,
            settings: settings.clone(),
        })
    }

    /// One read-only call that answers `parts`, about what is pending or what goes back. `hear` is told what the project prints.
    pub(crate) async fn inspect(
        &self,
        target: &Target,
        back: Option<&[MigrationId]>,
        parts: &[Part],
        session: Vec<(String, String)>,
        hear: &dyn Fn(&str),
    ) -> Result<ProjectFacts, Failure> {
        let mut request = self.request(Action::Inspect, target);
        request.back = back.map(names);
        request.parts = parts.to_vec();
        request.session = session;
        let mut bridge = Bridge::start(&self.python, &self.project.root, &request)
            .await
            .map_err(BridgeError::failure)?;
        let mut facts = ProjectFacts::default();
        while let Some(answer) = bridge.next(hear).await.map_err(BridgeError::failure)? {
            if let Answer::Database(database) = &answer
                && let Some(password) = &database.password
            {
                bridge.scrub(password);
            }
            facts.absorb(answer);
        }
        bridge.finish().await.map_err(BridgeError::failure)?;
        Ok(facts)
    }

    /// Starts the project's own `migrate`, with hooks, which asks before each step. Nothing but the plan will run.
    pub(crate) async fn migrate(
        &self,
        target: &Target,
        plan: &Plan,
        session: Vec<(String, String)>,
    ) -> Result<Bridge, BridgeError> {
        let mut request = self.request(Action::Migrate, target);
        request.agreed = Some(plan.agreed());
        request.back = match plan.direction {
            Direction::Forward => None,
            Direction::Back => Some(plan.ids().map(ToString::to_string).collect()),
        };
        request.session = session;
        request.stepwise = true;
        Bridge::start(&self.python, &self.project.root, &request).await
    }

    fn request(&self, action: Action, target: &Target) -> Request {
        let entry = self.project.entry.clone();
        let program = match &entry {
            Entry::Manage { path } => path.clone(),
            Entry::Function { function, .. } => function.clone(),
        };
        let mut argv = vec![program, "migrate".to_owned()];
        argv.extend(target.app.clone());
        argv.extend(target.migration.clone());
        argv.push("--noinput".to_owned());
        argv.push(format!("--database={}", self.settings.database));
        Request {
            protocol: wire::PROTOCOL,
            nonce: bridge::nonce(),
            action,
            entry,
            settings: self.settings.settings.clone(),
            pythonpath: self.settings.pythonpath.clone(),
            argv,
            database: self.settings.database.clone(),
            app: target.app.clone(),
            migration: target.migration.clone(),
            parts: Vec::new(),
            render: Render::Stub,
            session: Vec::new(),
            agreed: None,
            back: None,
            stepwise: false,
        }
    }
}

fn names(ids: &[MigrationId]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}
