//! A hazard as a page of the documentation, in Markdown.

use super::{Hazard, policy};

/// Title, code and severity, then what happens, why it hurts, and what to do.
pub(crate) fn page(hazard: &Hazard) -> String {
    let Hazard {
        code,
        title,
        happens,
        hurts,
        safer,
        bad,
        good,
        ..
    } = hazard;
    let severity = policy::describe(code);
    format!(
        "## {code}\n\n{title}. Severity: {severity}.\n\n**What happens.** {happens}\n\n**Why it hurts.** {hurts}\n\n\
         **Safer.** {safer}\n\n```python\n# hurts\n{bad}\n\n# safer\n{good}\n```\n"
    )
}
