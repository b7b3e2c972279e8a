//! One root: who it is, what it has, what ends it, and below it everybody who waits.

use super::{ROWS, remedy};
use crate::locks::{Hold, Node, Root, Snapshot, what, words};
use crate::ui::style::{Look, paint};
use crate::ui::{count, fitted, hanging, one_line, wrapped};

/// Characters of a query on a screen.
pub(super) const QUERY: usize = 120;

pub(super) fn root(snapshot: &Snapshot, root: &Root) -> String {
    let mut lines = vec![wrapped("", &title(snapshot, root))];
    lines.push(wrapped("  ", &stands_in_the_way(root)));
    if let Some(query) = snapshot.session(root.pid()).and_then(query) {
        lines.push(format!("  {}", paint(Look::Faint, fitted("  ", &query))));
    }
    lines.extend(remedy("  ", &root.remedy));
    below(&mut lines, snapshot, &root.tree, "  ");
    if root.tree.children.is_empty() {
        lines.push(format!(
            "  {}",
            paint(
                Look::Faint,
                "those who wait stand under another root, which blocks them too"
            )
        ));
    }
    lines.join("\n")
}

fn title(snapshot: &Snapshot, root: &Root) -> String {
    let mark = paint(Look::Bad, "●");
    if root.deadlock {
        let pids: Vec<String> = root.pids.iter().map(ToString::to_string).collect();
        return format!(
            "{mark} {} wait for each other",
            paint(Look::Name, pids.join(", "))
        );
    }
    match snapshot.session(root.pid()) {
        Some(session) => format!(
            "{mark} {} {}  {}",
            paint(Look::Name, session.pid),
            words::who(session),
            paint(Look::Warning, words::doing(session))
        ),
        None if root.pid() <= 0 => format!(
            "{mark} {}",
            paint(Look::Name, words::prepared(root.prepared.as_ref()))
        ),
        None => format!("{mark} {}", paint(Look::Name, root.pid())),
    }
}

fn stands_in_the_way(root: &Root) -> String {
    let holds: Vec<String> = root.holds.iter().take(3).map(hold).collect();
    let rest = root.holds.len().saturating_sub(3);
    let rest = if rest > 0 {
        format!(" and {rest} more")
    } else {
        String::new()
    };
    let held = match holds.is_empty() {
        true => "in the way".to_owned(),
        false => format!("holds {}{rest}", holds.join(", ")),
    };
    let verb = if root.waiting.len() == 1 {
        "waits"
    } else {
        "wait"
    };
    let longest = root
        .longest
        .map(|age| format!(", the longest for {}", words::age_text(age)));
    format!(
        "{held}: {} {verb}{}",
        count(root.waiting.len() as u64, "session"),
        longest.unwrap_or_default()
    )
}

fn hold(hold: &Hold) -> String {
    match hold.mode {
        Some(mode) => format!("{mode} on {}", hold.what),
        None => hold.what.clone(),
    }
}

fn below(lines: &mut Vec<String>, snapshot: &Snapshot, node: &Node, indent: &str) {
    let shown = node.children.len().min(ROWS);
    let rest = &node.children[shown..];
    let mut before = None;
    for (at, child) in node.children[..shown].iter().enumerate() {
        let last = at + 1 == shown && rest.is_empty();
        let (branch, trunk) = if last {
            ("└─ ", "   ")
        } else {
            ("├─ ", "│  ")
        };
        let (first, deeper) = (format!("{indent}{branch}"), format!("{indent}{trunk}"));
        lines.push(hanging(
            &first,
            &format!("{deeper}  "),
            &waiter(snapshot, child),
        ));
        // the same page of a site waits many times
        let query = snapshot.session(child.pid).and_then(query);
        if let Some(query) = query.as_ref().filter(|_| query != before) {
            let query = fitted(&deeper, query);
            lines.push(format!("{deeper}{}", paint(Look::Faint, query)));
        }
        before = query;
        below(lines, snapshot, child, &deeper);
    }
    if !rest.is_empty() {
        let many: usize = rest.iter().map(|node| 1 + node.below()).sum();
        lines.push(format!(
            "{indent}└─ {}",
            paint(
                Look::Faint,
                format!("… and {}", count(many as u64, "more session"))
            )
        ));
    }
}

fn waiter(snapshot: &Snapshot, node: &Node) -> String {
    let who = snapshot
        .session(node.pid)
        .map(words::who)
        .unwrap_or_default();
    let mut text = format!("{} {who}", paint(Look::Name, node.pid));
    if let Some(wait) = snapshot
        .waiter(node.pid)
        .and_then(|waiter| waiter.wait.as_ref())
    {
        if let Some(age) = wait.waited {
            text.push_str(&format!(
                "  {}",
                paint(Look::Warning, format!("waits {}", words::age_text(age)))
            ));
        }
        let mode = match (&wait.target, wait.lock_mode()) {
            (pgdriver::activity::Target::Relation, Some(mode)) => format!("{mode} on "),
            _ => String::new(),
        };
        text.push_str(&format!(" for {mode}{}", what(wait)));
    }
    match node.also.as_slice() {
        [] => {}
        [one] => text.push_str(&format!(", also behind {}", one.max(&0))),
        many => text.push_str(&format!(
            ", also behind {}",
            count(many.len() as u64, "other")
        )),
    }
    text
}

/// Its query on one line: what it runs, or ran last.
pub(super) fn query(session: &pgdriver::activity::SessionInfo) -> Option<String> {
    let detail = session.detail.seen()?;
    let text = one_line(&detail.query, QUERY);
    let prefix = if detail.state.as_deref() == Some("active") {
        ""
    } else {
        "last: "
    };
    (!text.is_empty()).then(|| format!("{prefix}{text}"))
}
