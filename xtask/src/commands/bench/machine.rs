//! The machine, in one line that stands under each table: figures mean nothing without it.

use std::process::Command;

use xtask::process;

/// Processor, cores, memory, system, and how busy it is.
pub(super) fn facts() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let mut facts = vec![format!(
        "{cores} × {}",
        processor().unwrap_or_else(|| std::env::consts::ARCH.to_owned())
    )];
    facts.extend(memory().map(|gib| format!("{gib:.0} GiB")));
    facts.extend(process::stdout(Command::new("uname").args(["-s", "-r"])).ok());
    facts.extend(load().map(|load| format!("load {load} at the start")));
    facts.join(", ")
}

fn processor() -> Option<String> {
    let Ok(text) = std::fs::read_to_string("/proc/cpuinfo") else {
        return process::stdout(Command::new("sysctl").args(["-n", "machdep.cpu.brand_string"]))
            .ok();
    };
    value(&text, "model name").map(str::to_owned)
}

#[expect(clippy::cast_precision_loss, reason = "it is rounded to a GiB")]
fn memory() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let kib: u64 = value(&text, "MemTotal")?
        .trim_end_matches(" kB")
        .parse()
        .ok()?;
    Some(kib as f64 / f64::from(1 << 20))
}

fn load() -> Option<String> {
    let text = std::fs::read_to_string("/proc/loadavg").ok()?;
    text.split(' ').next().map(str::to_owned)
}

/// `name : value`, the first of them.
fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let of = |line: &'a str| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then_some(value.trim())
    };
    text.lines().find_map(of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_their_whole_name() {
        let text = "MemTotalHuge:  1 kB\nMemTotal:       16384000 kB\n";
        assert_eq!(value(text, "MemTotal"), Some("16384000 kB"));
        assert_eq!(value(text, "Mem"), None);
    }
}
