//! The page that the command writes: the table, what it means, and every form that somebody got wrong.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::rules::{ALL, left_out};
use super::tools::Answer;
use super::truth::{Form, Group};
use super::{Verdict, is_false_alarm, is_missed};

const MEANING: &str = include_str!("meaning.md");

pub(super) fn page(forms: &[Form], results: &[Verdict], server: &str) -> String {
    let count = |group| forms.iter().filter(|form| form.group() == group).count();
    let (hazards, gone, brief, free) = (
        count(Group::Hazard),
        count(Group::Gone),
        count(Group::Brief),
        count(Group::Free),
    );
    let mut page = format!(
        "<!-- written by `cargo xtask bench linters --write`; do not edit -->\n\n# Linters side by side\n\n\
         {} forms of statements, each measured on PostgreSQL {server} and shown to each linter, in one run of \
         `cargo xtask bench linters` on {}.\n\n{}\n",
        forms.len(),
        jiff::Zoned::now().date(),
        table(forms, results, hazards, brief, free)
    );
    let meaning = MEANING
        .replace("{hazards}", &hazards.to_string())
        .replace("{gone}", &gone.to_string())
        .replace("{brief}", &brief.to_string())
        .replace("{free}", &free.to_string());
    page.push_str(&meaning);
    page.push_str(&rules_left_out(results));
    page.push_str("\n## What each got wrong\n");
    for verdict in results {
        if let Verdict::Judged { name, answers, .. } = verdict {
            page.push_str(&wrong(name, forms, answers));
        }
    }
    page
}

fn table(forms: &[Form], results: &[Verdict], hazards: usize, brief: usize, free: usize) -> String {
    let mut table = format!(
        "| linter | version | hazards caught, of {hazards} | false alarms, of {} | of these where nobody waits at all, \
         of {free} | could not read or tell, of {} |\n|---|---|---:|---:|---:|---:|\n",
        brief + free,
        forms.len()
    );
    for verdict in results {
        let row = match verdict {
            Verdict::Absent { name, why } => {
                let why = why.lines().next().unwrap_or_default();
                format!("| {name} | absent: {why} | | | | |")
            }
            Verdict::Judged {
                name,
                version,
                answers,
                ..
            } => {
                let count = |wanted: &dyn Fn(&Form, &Answer) -> bool| {
                    let judged = forms.iter().zip(answers);
                    judged.filter(|(form, answer)| wanted(form, answer)).count()
                };
                format!(
                    "| {name} | {version} | {} | {} | {} | {} |",
                    hazards - count(&is_missed),
                    count(&is_false_alarm),
                    count(
                        &|form, answer| form.group() == Group::Free && is_false_alarm(form, answer)
                    ),
                    count(&|_, answer| answer.unread)
                )
            }
        };
        table.push_str(&row);
        table.push('\n');
    }
    table
}

fn rules_left_out(results: &[Verdict]) -> String {
    let mut tools = Vec::new();
    for verdict in results {
        if let Verdict::Judged { tool, .. } = verdict
            && !tools.contains(tool)
        {
            tools.push(*tool);
        }
    }
    let mut text = String::from("\n| linter | about | rules that do not count |\n|---|---|---|\n");
    for tool in tools {
        for why in ALL {
            let rules = left_out(tool).iter().filter(|(reason, _)| *reason == why);
            let rules: Vec<String> = rules
                .flat_map(|(_, rules)| rules.iter().map(|rule| format!("`{rule}`")))
                .collect();
            if !rules.is_empty() {
                let (tool, why) = (tool.name(), why.words());
                writeln!(text, "| {tool} | {why} | {} |", rules.join(", ")).ok();
            }
        }
    }
    text
}

/// Its false alarms by rule, then every form of both kinds, folded.
fn wrong(name: &str, forms: &[Form], answers: &[Answer]) -> String {
    let judged = || forms.iter().zip(answers);
    let missed: Vec<_> = judged()
        .filter(|(form, answer)| is_missed(form, answer))
        .collect();
    let alarmed: Vec<_> = judged()
        .filter(|(form, answer)| is_false_alarm(form, answer))
        .collect();
    let mut text = format!("\n### {name}\n\n");
    if missed.is_empty() && alarmed.is_empty() {
        text.push_str("Nothing.\n");
        return text;
    }
    let mut by_rule: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, answer) in &alarmed {
        for rule in &answer.rules {
            *by_rule.entry(rule).or_default() += 1;
        }
    }
    let by_rule: Vec<String> = by_rule
        .iter()
        .map(|(rule, times)| format!("`{rule}` {times}"))
        .collect();
    if !by_rule.is_empty() {
        writeln!(text, "False alarms by rule: {}.\n", by_rule.join(", ")).ok();
    }
    if !missed.is_empty() {
        writeln!(
            text,
            "<details><summary>{} missed</summary>\n",
            missed.len()
        )
        .ok();
        for (form, answer) in missed {
            let unread = if answer.unread {
                " (it said that it cannot tell)"
            } else {
                ""
            };
            writeln!(text, "- {}: {}{unread}", code(&form.sql), form.measured()).ok();
        }
        text.push_str("\n</details>\n\n");
    }
    if !alarmed.is_empty() {
        writeln!(
            text,
            "<details><summary>{} false alarms</summary>\n",
            alarmed.len()
        )
        .ok();
        for (form, answer) in alarmed {
            let rules: Vec<&str> = answer.rules.iter().map(String::as_str).collect();
            writeln!(text, "- {}: {}", code(&form.sql), rules.join(", ")).ok();
        }
        text.push_str("\n</details>\n");
    }
    text
}

/// As code, whatever backticks it has.
fn code(sql: &str) -> String {
    match sql.contains('`') {
        true => format!("`` {sql} ``"),
        false => format!("`{sql}`"),
    }
}
