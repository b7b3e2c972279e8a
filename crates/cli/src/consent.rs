//! Consent: what must be agreed to, by which words, and the witness that it was.
//!
//! `rule` is pure; `obtain` asks. Absent here: what is destructive, and how a question looks.

use crate::event::EventKind;
use crate::exit::Class;
use crate::failure::Failure;
use crate::plan::Direction;
use crate::reporter::Reporter;
use crate::settings::{ConsentSettings, Mode};
use crate::signal::Signals;
use crate::ui::out;
use crate::ui::prompt::{self, Interaction};

/// The phrase for DROP and the like. The customer's word, to the letter.
pub(crate) const DESTRUCTIVE_PHRASE: &str = "I understand";
/// The phrase for a run without a way back.
pub(crate) const NO_BACKUP_PHRASE: &str = "no backup";

/// Something that needs a person's agreement.
///
/// `unseen` is what a person must have read to answer, where the screen has not shown it: `-q` and `--format json` keep
/// the talk away, never what a question is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Need {
    Parameters {
        mode: Mode,
        unseen: Vec<String>,
    },
    NoBackup {
        acknowledged: bool,
    },
    Apply {
        direction: Direction,
        migrations: usize,
        /// What asks, but for what destroys.
        asks: usize,
        next: Next,
        unseen: Vec<String>,
    },
    Destructive {
        unseen: Vec<String>,
    },
}

/// What is asked after a plan is agreed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    Nothing,
    /// The phrase for what it destroys.
    Phrase,
}

/// Proof that the plan with this fingerprint was agreed to.
#[derive(Debug)]
pub(crate) struct Approved {
    fingerprint: String,
}

impl Approved {
    pub(crate) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

/// What is to be done about a need.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Ruling {
    Granted {
        by: &'static str,
    },
    AskYes {
        question: String,
        default: Answer,
    },
    AskPhrase {
        question: String,
        phrase: &'static str,
    },
    Refused {
        class: Class,
        message: String,
        hint: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Yes,
    No,
}

fn rule(need: &Need, consent: &ConsentSettings, interaction: Interaction) -> Ruling {
    match need {
        Need::Parameters { mode, .. } => parameters(*mode, consent, interaction),
        Need::NoBackup { acknowledged: true } => Ruling::Granted {
            by: "--acknowledge-no-backup",
        },
        Need::NoBackup {
            acknowledged: false,
        } => phrase(
            NO_BACKUP_PHRASE,
            "There will be no backup to go back to.",
            "skipping the backup was not acknowledged",
            "--acknowledge-no-backup acknowledges it; --backup-first takes the backup",
            interaction,
        ),
        Need::Apply {
            direction,
            migrations,
            asks,
            next,
            ..
        } => {
            let what = match direction {
                Direction::Forward => ["Apply", "applying"],
                Direction::Back => ["Roll back", "rolling back"],
            };
            apply(what, *migrations, *asks, *next, consent, interaction)
        }
        Need::Destructive { .. } => destructive(consent, interaction),
    }
}

fn parameters(mode: Mode, consent: &ConsentSettings, interaction: Interaction) -> Ruling {
    if consent.yes {
        return Ruling::Granted { by: "--yes" };
    }
    match (interaction, mode) {
        (Interaction::Terminal, _) => Ruling::AskYes {
            question: "Go on with these parameters? [Y/n]".to_owned(),
            default: Answer::Yes,
        },
        (Interaction::None, Mode::DryRun) => Ruling::Granted {
            by: "a dry run without a terminal",
        },
        (Interaction::None, Mode::Apply) => Ruling::Refused {
            class: Class::NotConfirmed,
            message: "the parameters were not confirmed, and there is no terminal to ask on"
                .to_owned(),
            hint: "--yes confirms them".to_owned(),
        },
    }
}

fn apply(
    [does, doing]: [&str; 2],
    migrations: usize,
    asks: usize,
    next: Next,
    consent: &ConsentSettings,
    interaction: Interaction,
) -> Ruling {
    if consent.yes {
        return Ruling::Granted { by: "--yes" };
    }
    let s = if migrations == 1 { "" } else { "s" };
    let despite = match asks {
        0 => String::new(),
        1 => " despite 1 finding that asks".to_owned(),
        n => format!(" despite {n} findings that ask"),
    };
    let next = match next {
        Next::Phrase => " (what it destroys is asked next)",
        Next::Nothing => "",
    };
    match interaction {
        Interaction::Terminal => Ruling::AskYes {
            question: format!("{does} {migrations} migration{s}{despite}{next}? [y/N]"),
            default: Answer::No,
        },
        Interaction::None => Ruling::Refused {
            class: Class::NotConfirmed,
            message: format!("{doing} {migrations} migration{s}{despite} was not confirmed"),
            hint: "--yes accepts every `ask` that is not destructive".to_owned(),
        },
    }
}

fn destructive(consent: &ConsentSettings, interaction: Interaction) -> Ruling {
    match (consent.confirm_destructive.as_deref(), interaction) {
        (Some(DESTRUCTIVE_PHRASE), Interaction::None) if consent.plan.is_none() => {
            Ruling::Refused {
                class: Class::NotConfirmed,
                message:
                    "without a terminal, --confirm-destructive needs the plan that it is about"
                        .to_owned(),
                hint: "make a dry run, read it, and pass its fingerprint with --plan".to_owned(),
            }
        }
        (Some(DESTRUCTIVE_PHRASE), _) => Ruling::Granted {
            by: "--confirm-destructive",
        },
        (Some(other), _) => Ruling::Refused {
            class: Class::Declined,
            message: format!(
                "--confirm-destructive says \"{other}\", not exactly \"{DESTRUCTIVE_PHRASE}\""
            ),
            hint: "nothing was changed".to_owned(),
        },
        (None, interaction) => phrase(
            DESTRUCTIVE_PHRASE,
            "This destroys data.",
            "destructive statements were not confirmed",
            "make a dry run, read it, then pass --plan FINGERPRINT and --confirm-destructive \"I understand\"",
            interaction,
        ),
    }
}

fn phrase(
    phrase: &'static str,
    what: &str,
    refusal: &str,
    hint: &str,
    interaction: Interaction,
) -> Ruling {
    match interaction {
        Interaction::Terminal => Ruling::AskPhrase {
            question: format!("{what} Type exactly \"{phrase}\" to go on:"),
            phrase,
        },
        Interaction::None => Ruling::Refused {
            class: Class::NotConfirmed,
            message: format!("{refusal}, and there is no terminal to ask on"),
            hint: hint.to_owned(),
        },
    }
}

/// Settles one need, by a flag or by asking.
pub(crate) async fn settle(
    need: &Need,
    consent: &ConsentSettings,
    interaction: Interaction,
    signals: &Signals,
    reporter: &Reporter,
) -> Result<(), Failure> {
    let (question, answer, by) = match rule(need, consent, interaction) {
        Ruling::Granted { by } => (need.name().to_owned(), "yes".to_owned(), by.to_owned()),
        Ruling::Refused {
            class,
            message,
            hint,
        } => return Err(Failure::new(class, message).hint(hint)),
        Ruling::AskYes { question, default } => {
            need.show();
            let answer = prompt::line(&question, signals).await?;
            if read_yes(&answer, default) == Answer::No {
                return Err(declined(&question, &answer));
            }
            (question, "yes".to_owned(), "typed".to_owned())
        }
        Ruling::AskPhrase { question, phrase } => {
            need.show();
            let answer = prompt::line(&question, signals).await?;
            if answer != phrase {
                return Err(declined(&question, &answer));
            }
            (question, answer, "typed".to_owned())
        }
    };
    reporter.emit(EventKind::Answered {
        question,
        answer,
        by,
    });
    Ok(())
}

/// Settles everything that applying a plan needs, in order, and gives the witness.
pub(crate) async fn obtain(
    needs: &[Need],
    fingerprint: &str,
    consent: &ConsentSettings,
    interaction: Interaction,
    signals: &Signals,
    reporter: &Reporter,
) -> Result<Approved, Failure> {
    for need in needs {
        settle(need, consent, interaction, signals, reporter).await?;
    }
    Ok(Approved {
        fingerprint: fingerprint.to_owned(),
    })
}

fn declined(question: &str, answer: &str) -> Failure {
    let answer: String = answer.chars().take(40).collect();
    Failure::new(
        Class::Declined,
        format!("declined: \"{answer}\" was the answer to: {question}"),
    )
    .hint("nothing was changed")
}

fn read_yes(answer: &str, default: Answer) -> Answer {
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Answer::Yes,
        "" => default,
        _ => Answer::No,
    }
}

impl Need {
    fn unseen(&self) -> &[String] {
        match self {
            Self::Parameters { unseen, .. }
            | Self::Apply { unseen, .. }
            | Self::Destructive { unseen } => unseen,
            Self::NoBackup { .. } => &[],
        }
    }

    /// Before the question, whatever the volume and the format.
    fn show(&self) {
        self.unseen().iter().for_each(out::talk);
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Parameters { .. } => "parameters",
            Self::NoBackup { .. } => "no backup",
            Self::Apply { .. } => "apply",
            Self::Destructive { .. } => "destructive statements",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Interaction::{None as Nobody, Terminal};

    fn consent(yes: bool, phrase: Option<&str>, plan: Option<&str>) -> ConsentSettings {
        ConsentSettings {
            yes,
            confirm_destructive: phrase.map(Into::into),
            plan: plan.map(Into::into),
        }
    }

    #[track_caller]
    fn check(need: &Need, consent: &ConsentSettings, interaction: Interaction, expected: &str) {
        let found = match rule(need, consent, interaction) {
            Ruling::Granted { by } => format!("granted by {by}"),
            Ruling::AskYes { .. } => "asks yes".to_owned(),
            Ruling::AskPhrase { phrase, .. } => format!("asks {phrase}"),
            Ruling::Refused { class, .. } => format!("refused {}", class.name()),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn yes_never_stands_in_for_a_phrase() {
        let yes = consent(true, None, Some("aa"));
        check(
            &Need::Destructive { unseen: vec![] },
            &yes,
            Terminal,
            "asks I understand",
        );
        check(
            &Need::Destructive { unseen: vec![] },
            &yes,
            Nobody,
            "refused not-confirmed",
        );
        check(
            &Need::NoBackup {
                acknowledged: false,
            },
            &yes,
            Nobody,
            "refused not-confirmed",
        );
        check(
            &Need::NoBackup {
                acknowledged: false,
            },
            &yes,
            Terminal,
            "asks no backup",
        );
        check(
            &Need::NoBackup { acknowledged: true },
            &yes,
            Nobody,
            "granted by --acknowledge-no-backup",
        );
    }

    #[test]
    fn the_phrase_is_exact_and_without_a_terminal_bound_to_a_plan() {
        check(
            &Need::Destructive { unseen: vec![] },
            &consent(true, Some("i understand"), Some("aa")),
            Nobody,
            "refused declined",
        );
        check(
            &Need::Destructive { unseen: vec![] },
            &consent(true, Some("I understand"), None),
            Nobody,
            "refused not-confirmed",
        );
        let bound = consent(true, Some("I understand"), Some("aa"));
        check(
            &Need::Destructive { unseen: vec![] },
            &bound,
            Nobody,
            "granted by --confirm-destructive",
        );
        check(
            &Need::Destructive { unseen: vec![] },
            &consent(false, Some("I understand"), None),
            Terminal,
            "granted by --confirm-destructive",
        );
    }

    #[test]
    fn a_dry_run_asks_nobody_where_nobody_sits() {
        let none = consent(false, None, None);
        check(
            &Need::Parameters {
                mode: Mode::DryRun,
                unseen: vec![],
            },
            &none,
            Nobody,
            "granted by a dry run without a terminal",
        );
        check(
            &Need::Parameters {
                mode: Mode::Apply,
                unseen: vec![],
            },
            &none,
            Nobody,
            "refused not-confirmed",
        );
        check(
            &Need::Parameters {
                mode: Mode::DryRun,
                unseen: vec![],
            },
            &none,
            Terminal,
            "asks yes",
        );
        check(
            &Need::Apply {
                direction: Direction::Forward,
                migrations: 2,
                asks: 1,
                next: Next::Nothing,
                unseen: vec![],
            },
            &none,
            Nobody,
            "refused not-confirmed",
        );
        check(
            &Need::Apply {
                direction: Direction::Forward,
                migrations: 2,
                asks: 1,
                next: Next::Nothing,
                unseen: vec![],
            },
            &consent(true, None, None),
            Nobody,
            "granted by --yes",
        );
    }

    #[test]
    fn only_yes_is_yes() {
        for (answer, default, expected) in [
            ("", Answer::Yes, Answer::Yes),
            ("", Answer::No, Answer::No),
            ("YES", Answer::No, Answer::Yes),
            ("sure", Answer::Yes, Answer::No),
        ] {
            assert_eq!(read_yes(answer, default), expected, "{answer}");
        }
    }
}
