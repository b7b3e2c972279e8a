//! What every command has at hand: how loud to be, signals, whether somebody sits there.

use crate::args::GlobalArgs;
use crate::exit::Class;
use crate::failure::Failure;
use crate::signal::Signals;
use crate::ui::prompt::Interaction;
use crate::ui::{Volume, out};

pub(crate) struct Context {
    pub(crate) volume: Volume,
    pub(crate) signals: Signals,
    pub(crate) interaction: Interaction,
    /// The name of this machine.
    pub(crate) host: String,
}

impl Context {
    pub(crate) fn new(global: &GlobalArgs) -> Result<Self, Failure> {
        let GlobalArgs {
            project: _,
            quiet,
            verbose,
            no_color: _,
        } = global;
        let volume = match (quiet, verbose) {
            (true, _) => Volume::Quiet,
            (_, true) => Volume::Verbose,
            _ => Volume::Normal,
        };
        let signals = Signals::install()
            .map_err(|e| Failure::new(Class::Bug, format!("no signal handlers: {e}")))?;
        Ok(Self {
            volume,
            signals,
            interaction: Interaction::here(),
            host: rustix::system::uname()
                .nodename()
                .to_string_lossy()
                .into_owned(),
        })
    }

    /// Said -v.
    pub(crate) fn is_verbose(&self) -> bool {
        self.volume == Volume::Verbose
    }

    /// Where what the project prints goes: to stderr with -v, otherwise nowhere but into errors.
    pub(crate) fn hear_project(&self) -> impl Fn(&str) + use<> {
        let verbose = self.volume == Volume::Verbose;
        move |line: &str| {
            if verbose {
                out::talk(format!("      │ {line}"));
            }
        }
    }
}
