//! What a command line that clap refuses still tells: which command was meant, and whether a script is listening.
//!
//! Absent here: anything that clap can read.

/// The command and the format of words that could not be parsed as a whole.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Meant {
    /// Empty where no command of ours stands in it.
    pub(crate) command: String,
    pub(crate) json: bool,
}

/// Reads the arguments after the program's name.
pub(crate) fn meant(words: &[String]) -> Meant {
    let tree = super::tree();
    // the word behind a global flag that takes one may be called like a command
    let flags = tree.get_arguments();
    let takes_value: Vec<String> = flags
        .filter(|flag| flag.get_action().takes_values())
        .filter_map(|flag| flag.get_long().map(|name| format!("--{name}")))
        .collect();
    let behind_flag = |at: usize| at > 0 && takes_value.contains(&words[at - 1]);
    let mut commands = words.iter().enumerate().filter(|(at, _)| !behind_flag(*at));
    let command = commands.find(|(_, word)| tree.find_subcommand(word).is_some());
    let json = words.iter().any(|word| word == "--format=json")
        || words.windows(2).any(|pair| pair == ["--format", "json"]);
    Meant {
        command: command.map(|(_, word)| word.clone()).unwrap_or_default(),
        json,
    }
}

/// clap's own words for a screen as a message and a hint: without `error:`, the usage and where to read more.
pub(crate) fn words(rendered: &str) -> (String, Option<String>) {
    let rendered = rendered.trim();
    let text = rendered.strip_prefix("error: ").unwrap_or(rendered);
    let (mut message, mut hint) = (Vec::new(), Vec::new());
    for paragraph in text.split("\n\n") {
        let lines: Vec<&str> = paragraph.lines().map(str::trim).collect();
        let line = lines.join(" ");
        match line.strip_prefix("tip: ") {
            Some(tip) => hint.push(tip.to_owned()),
            None if line.starts_with("Usage:") || line.starts_with("For more information") => {}
            None => message.push(line),
        }
    }
    let hint = (!hint.is_empty()).then(|| hint.join("; "));
    (message.join("; "), hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_for_a_screen_is_no_part_of_a_message() {
        let of = |line: &str| {
            let error = super::super::tree()
                .try_get_matches_from(line.split(' '))
                .expect_err("no command line");
            words(&error.render().to_string())
        };
        let (message, hint) = of("django-migrate check --databse x");
        assert_eq!(message, "unexpected argument '--databse' found");
        assert_eq!(
            hint.as_deref(),
            Some("a similar argument exists: '--database'")
        );
        let (message, hint) = of("django-migrate check --format xml");
        assert_eq!(
            message,
            "invalid value 'xml' for '--format <FORMAT>' [possible values: text, json]"
        );
        assert_eq!(hint, None);
        let (message, _) = of("django-migrate backup verify");
        assert_eq!(
            message,
            "the following required arguments were not provided: <FILE>"
        );
    }

    #[track_caller]
    fn check(line: &str, command: &str, json: bool) {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let command = command.to_owned();
        assert_eq!(meant(&words), Meant { command, json });
    }

    #[test]
    fn the_command_and_the_format_are_found() {
        check("check --nope --format json", "check", true);
        check("--project check status --format=json", "status", true);
        check("--nope run", "run", false);
        check("frobnicate --format text", "", false);
        check("--format", "", false);
    }
}
