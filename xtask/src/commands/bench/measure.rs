//! What a command costs: wall time, and CPU of the process and all its descendants that were waited for.
//!
//! Absent here: the CPU of the server, which works in processes of its own.

use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike as _};

/// How often a process's memory is looked at.
const LOOK: Duration = Duration::from_millis(10);

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

/// The same, with the most memory that the process itself had at once, its children's not counted; `None` where the
/// system does not tell.
pub(super) fn measure_with_peak(command: &mut Command) -> Result<(Cost, Output, Option<u64>)> {
    measure_into(command, Stdio::piped())
}

/// The same, with what it writes going to `stdout`: of a file the output is empty.
pub(super) fn measure_into(
    command: &mut Command,
    stdout: impl Into<Stdio>,
) -> Result<(Cost, Output, Option<u64>)> {
    command
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(Stdio::piped());
    let (before, begun) = (children_cpu()?, Instant::now());
    let child = command
        .spawn()
        .with_context(|| format!("cannot start {}", command.get_program().display()))?;
    let (pid, over) = (child.id(), AtomicBool::new(false));
    let (output, peak) = std::thread::scope(|scope| {
        let watching = scope.spawn(|| {
            let mut peak = None;
            while !over.load(Ordering::Relaxed) {
                peak = peak.max(high_water(pid));
                std::thread::sleep(LOOK);
            }
            peak
        });
        let output = child.wait_with_output();
        over.store(true, Ordering::Relaxed);
        (output, watching.join().unwrap_or_default())
    });
    let cost = Cost {
        wall: begun.elapsed().as_secs_f64(),
        cpu: children_cpu()? - before,
    };
    Ok((cost, output?, peak))
}

/// One command's stdout is the other's stdin; both must succeed.
pub(super) fn measure_pipe(mut first: Command, second: &mut Command) -> Result<Cost> {
    let (before, begun) = (children_cpu()?, Instant::now());
    let mut first_child = first.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let between = first_child.stdout.take().context("a pipe")?;
    let second_status = second.stdin(between).status()?;
    let first_status = first_child.wait()?;
    let cost = Cost {
        wall: begun.elapsed().as_secs_f64(),
        cpu: children_cpu()? - before,
    };
    for (command, status) in [(&first, first_status), (&*second, second_status)] {
        let program = command.get_program().display();
        ensure!(status.success(), "{program} ended with {status}");
    }
    Ok(cost)
}

/// The kernel's own high-water mark, so that looking seldom misses little.
fn high_water(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
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
    fn the_peak_of_memory_is_of_the_process_itself() -> Result<()> {
        let large = "head -c 40000000 /dev/zero | tail -c 40000000 >/dev/null; sleep 0.1";
        let (_, _, of_the_shell) = measure_with_peak(Command::new("sh").args(["-c", large]))?;
        // long enough to be looked at often: the kernel copies some GB in a second
        let (_, _, of_dd) = measure_with_peak(
            Command::new("sh").args(["-c", "exec dd if=/dev/zero of=/dev/null bs=40M count=100"]),
        )?;
        assert!(of_the_shell < Some(20_000_000), "{of_the_shell:?}");
        assert!(of_dd > Some(40_000_000), "{of_dd:?}");
        Ok(())
    }

    #[test]
    fn a_pipe_fails_with_either_of_its_ends() {
        let sh = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            command
        };
        assert!(measure_pipe(sh("echo a"), &mut sh("cat > /dev/null")).is_ok());
        assert!(measure_pipe(sh("echo a; exit 3"), &mut sh("cat > /dev/null")).is_err());
        assert!(measure_pipe(sh("echo a"), &mut sh("cat > /dev/null; exit 3")).is_err());
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
