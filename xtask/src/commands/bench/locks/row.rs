//! One line of the table: what the clients suffered and how long it took, by run and side. Pure.
//!
//! Absent here: what is promised of it.

use std::time::Duration;

use super::super::measure::middle;

/// One run of one side.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Run {
    /// Client-seconds.
    pub(super) blocked: f64,
    /// Seconds.
    pub(super) worst: f64,
    /// From when the statement was due to when it was recorded, or else to the end of the command.
    pub(super) over: Option<f64>,
    /// From when the statement was due to when whoever held the table was gone.
    pub(super) held: Option<f64>,
    pub(super) exit: i32,
}

/// All runs of one side.
#[derive(Debug, Clone)]
pub(super) struct Row {
    side: &'static str,
    runs: Vec<Run>,
}

impl Row {
    pub(super) const HEAD: &'static str = "| scenario | | blocked, client-s | worst stall, s | holder gone, s | over, s | exit code |\n\
                                           |---|---|---:|---:|---:|---:|---:|";

    pub(super) fn new(side: &'static str) -> Self {
        Self {
            side,
            runs: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, run: Run) {
        self.runs.push(run);
    }

    pub(super) fn blocked(&self) -> f64 {
        middle(self.runs.iter().map(|run| run.blocked))
    }

    pub(super) fn worst(&self) -> f64 {
        middle(self.runs.iter().map(|run| run.worst))
    }

    /// How often it took as long as the holder did; none where there is no holder, or an end is missing.
    pub(super) fn times_held(&self) -> Option<f64> {
        let times = |run: &Run| Some(run.over? / run.held?);
        let times: Option<Vec<f64>> = self.runs.iter().map(times).collect();
        Some(middle(times?.into_iter()))
    }

    /// Every run ended so.
    pub(super) fn all(&self, exit: i32) -> bool {
        self.runs.iter().all(|run| run.exit == exit)
    }

    pub(super) fn exits(&self) -> Vec<i32> {
        let mut exits: Vec<i32> = self.runs.iter().map(|run| run.exit).collect();
        exits.sort_unstable();
        exits.dedup();
        exits
    }

    pub(super) fn markdown(&self, scenario: &str) -> String {
        let of = |field: fn(&Run) -> Option<f64>, digits: usize| {
            let values: Vec<f64> = self.runs.iter().filter_map(field).collect();
            let most = values.iter().copied().fold(f64::NAN, f64::max);
            match values.as_slice() {
                [] => "—".to_owned(),
                [one] => format!("{one:.digits$}"),
                _ => format!(
                    "{:.digits$} ({most:.digits$})",
                    middle(values.iter().copied())
                ),
            }
        };
        let exits: Vec<String> = self.exits().iter().map(ToString::to_string).collect();
        format!(
            "| {scenario} | {} | {} | {} | {} | {} | {} |",
            self.side,
            of(|run| Some(run.blocked), 2),
            of(|run| Some(run.worst), 3),
            of(|run| run.held, 2),
            of(|run| run.over, 2),
            exits.join(", ")
        )
    }
}

pub(super) fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_stand_in_the_table_and_the_worst_beside_them() {
        let mut row = Row::new("guard");
        for (blocked, exit) in [(3.0, 0), (1.0, 0), (2.0, 53)] {
            row.add(Run {
                blocked,
                worst: 0.1,
                over: Some(7.7),
                held: Some(7.0),
                exit,
            });
        }
        assert_eq!(
            row.markdown("queue"),
            "| queue | guard | 2.00 (3.00) | 0.100 (0.100) | 7.00 (7.00) | 7.70 (7.70) | 0, 53 |"
        );
        assert!((row.times_held().unwrap_or_default() - 1.1).abs() < 1e-9);
        assert!(!row.all(0));
        row.add(Run::default());
        assert_eq!(row.times_held(), None);
    }
}
