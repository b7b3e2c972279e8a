//! What a command costs: wall time, and CPU of the process and all its descendants that were waited for.
//!
//! Absent here: the CPU of the server, which works in processes of its own.

use std::process::{Command, Output, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike as _};

/// Seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cost {
    pub(super) wall: f64,
    pub(super) cpu: f64,
}

/// Runs it to the end, nothing on stdin. The kernel adds up what ended children used, so nothing else may end meanwhile.
pub(super) fn measure(command: &mut Command) -> Result<(Cost, Output)> {
    command.stdin(Stdio::null());
    let (before, begun) = (children_cpu()?, Instant::now());
    let output = command
        .output()
        .with_context(|| format!("cannot start {}", command.get_program().display()))?;
    let wall = begun.elapsed().as_secs_f64();
    let cost = Cost {
        wall,
        cpu: children_cpu()? - before,
    };
    Ok((cost, output))
}

fn children_cpu() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    Ok(seconds(usage.user_time()) + seconds(usage.system_time()))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "microseconds of a run fit into 52 bits"
)]
fn seconds(time: TimeVal) -> f64 {
    time.num_microseconds() as f64 / 1e6
}

/// The medians of wall and CPU, each on its own.
pub(super) fn median(costs: &[Cost]) -> Cost {
    Cost {
        wall: middle(costs.iter().map(|cost| cost.wall)),
        cpu: middle(costs.iter().map(|cost| cost.cpu)),
    }
}

/// The median.
pub(super) fn middle(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => values[odd / 2],
        even => f64::midpoint(values[even / 2 - 1], values[even / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_between_the_two_in_the_middle() {
        assert_eq!(middle([3.0, 1.0, 9.0].into_iter()), 3.0);
        assert_eq!(middle([3.0, 1.0, 9.0, 4.0].into_iter()), 3.5);
    }

    #[test]
    fn work_of_a_grandchild_counts_and_sleep_does_not() -> Result<()> {
        let busy = "sh -c 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done'; sleep 0.3";
        let (cost, output) = measure(Command::new("sh").args(["-c", busy]))?;
        assert!(output.status.success());
        assert!(cost.cpu > 0.01, "{cost:?}");
        assert!(cost.wall >= 0.3 && cost.cpu < cost.wall, "{cost:?}");
        Ok(())
    }
}
