//! `preview`: SQL of every pending migration with locks, rewrites, scans, hazards. Changes nothing, asks nothing.

use super::previous::{self, Asked, Place};
use super::{Context, findings, steps};
use crate::args::{FindingFormat, PreviewArgs, RunDirArgs};
use crate::database;
use crate::django::Django;
use crate::django::wire::Part;
use crate::execute::resume;
use crate::exit::Class;
use crate::failure::Failure;
use crate::gates;
use crate::plan::Plan;
use crate::preview::{self, Described, Preview};
use crate::settings::{self, FailOn, Layers};
use crate::ui::{self, out};

pub(crate) async fn preview(
    args: PreviewArgs,
    mut layers: Layers,
    context: &Context,
) -> Result<u8, Failure> {
    let PreviewArgs {
        target,
        django,
        findings,
        format,
    } = args;
    let target = settings::target_of(target, &mut layers)?;
    let fail_on = settings::fail_on(findings, FailOn::Never, &mut layers)?;
    let runs = settings::run_dir(RunDirArgs { run_dir: None }, &mut layers)?;
    let django = Django::locate(&settings::django(django, &mut layers)?)?;
    steps::tell_settings(&layers, context);
    let mut parts = vec![Part::Checks, Part::Graph, Part::Sql];
    if !matches!(format, FindingFormat::Text | FindingFormat::Json) {
        parts.push(Part::Lines);
    }
    let (facts, observed) = steps::working(
        context,
        "reading the project and rendering its SQL",
        async {
            let facts = steps::inspect(&django, &target, &parts, context).await?;
            gates::pass(&facts)?;
            let observed = steps::observe(&facts, &django, context).await?;
            Ok::<_, Failure>((facts, observed))
        },
    )
    .await?;
    let plan = Plan::of(&facts);
    let known = database::context(&observed.observer).await?;
    let mut preview = preview::preview(&plan, &facts.sql, &known)?;
    preview.count(&database::count_stakes(&observed.observer, &preview.stakes(), &known).await);
    database::look(&observed.observer, &known, &mut preview).await;
    let target = observed.reach.describe();
    let root = django.settings.root.as_path();
    let place = Place {
        runs: root.join(runs),
        root,
        ours: None,
        host: &context.host,
        alias: &django.settings.database,
        database: Some(Asked {
            target: &target,
            name: &observed.server.database,
            session: &observed.observer,
        }),
    };
    // a journal that cannot be read proves nothing
    let journals = previous::journals(&place).await.unwrap_or_default();
    let earlier = journals.not_ended_well;
    resume::foresee(&observed.observer, &earlier, &plan, &mut preview).await?;
    let unused = layers
        .policy()
        .judge_plan(&mut preview, crate::policy::today());
    unused
        .iter()
        .for_each(|waiver| out::talk(format!("note: {waiver}")));
    match format {
        FindingFormat::Json => {
            let described = Described {
                alias: django.settings.database.clone(),
                name: observed.server.database.clone(),
                server_version: observed.server.version_num,
            };
            out::document(&preview::document(&preview, described));
        }
        FindingFormat::Text => {
            let detail = match context.is_verbose() {
                true => ui::Detail::Whole,
                false => ui::Detail::Shortened,
            };
            out::answer(ui::preview(&preview, detail, ui::Rescue::Backup));
            out::answer(format!("\n{}", ui::verdict(&preview)));
        }
        _ => drop(findings::tell(format, fail_on, || {
            ui::in_plan(&preview, root)
        })),
    }
    Ok(over(&preview, fail_on).map_or(0, |class| class.code(crate::exit::Changed::No)))
}

/// 12 where a finding is as grave as `--fail-on`.
fn over(preview: &Preview, fail_on: FailOn) -> Option<Class> {
    let worst = preview
        .migrations
        .iter()
        .flat_map(|m| m.all_findings())
        .map(crate::hazards::Finding::counts)
        .max()?;
    findings::reaches(worst, fail_on).then_some(Class::Findings)
}
