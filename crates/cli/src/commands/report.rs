//! `report`: a finished or broken run, from its journal.

use crate::args::{ReportArgs, ReportFormat};
use crate::exit::Class;
use crate::failure::Failure;
use crate::journal::RunFolder;
use crate::report;
use crate::settings::{self, Layers};
use crate::ui::out;

pub(crate) fn report(args: ReportArgs, mut layers: Layers) -> Result<u8, Failure> {
    let ReportArgs {
        run,
        run_dir,
        format,
    } = args;
    let run_dir = settings::run_dir(run_dir, &mut layers)?;
    let runs = layers.root().join(run_dir);
    let folder = RunFolder::find(&runs, &run)?;
    let report = report::fold(&folder.read()?).ok_or_else(|| {
        Failure::new(
            Class::UnknownRun,
            format!(
                "the journal of {} does not begin with a run",
                folder.path.display()
            ),
        )
    })?;
    match format {
        ReportFormat::Text => out::answer(report::text(&report, report::Detail::Whole)),
        ReportFormat::Markdown => out::answer(report::markdown(&report).trim_end()),
        ReportFormat::Json => out::document(&report::document(&report)),
    }
    Ok(0)
}
