//! The metrics of wsd's own process, by the names that all of Prometheus's clients use. From `/proc` (`proc(5)`).

use std::{fmt, fs, sync::LazyLock};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter},
};
use rustix::{
    param::{clock_ticks_per_second, page_size},
    process::{Resource, getrlimit},
};

use super::present::gauge;

/// Whether `/proc` shows this process under its own id. Within a container it may show the processes outside.
static IS_OWN: LazyLock<bool> = LazyLock::new(|| {
    fs::read_link("/proc/self").is_ok_and(|own| own.to_str() == Some(&std::process::id().to_string()))
});

/// Reads `/proc` at each scrape; encodes nothing where there is none.
#[derive(Debug)]
pub(super) struct ProcessCollector;

impl Collector for ProcessCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        if let Some((cpu, resident)) = stat() {
            let help = "Seconds of the processor that wsd has used, without its programs.";
            let counter = encoder.encode_descriptor("process_cpu_seconds", help, None, MetricType::Counter)?;
            ConstCounter::new(cpu).encode(counter)?;
            gauge(&mut encoder, "process_resident_memory_bytes", "Memory of wsd, without its programs", resident)?;
        }
        if let Some(open) = open_files() {
            gauge(&mut encoder, "process_open_fds", "Open files of wsd", open)?;
        }
        match getrlimit(Resource::Nofile).current {
            Some(limit) => gauge(&mut encoder, "process_max_fds", "The limit of open files", limit),
            None => Ok(()),
        }
    }
}

/// Returns the seconds of the processor, and the bytes of resident memory.
#[expect(clippy::cast_precision_loss, reason = "2^53 ticks are three million years")]
fn stat() -> Option<(f64, u64)> {
    let text = fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the process, in brackets, may have spaces.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    // Fields 14, 15 and 24 of the page; the first here is field 3.
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    let ticks = number(14)? + number(15)?;
    Some((ticks as f64 / clock_ticks_per_second() as f64, number(24)? * page_size() as u64))
}

/// Returns the number of open files.
fn open_files() -> Option<u64> {
    // Since Linux 6.2 the size of the folder is their number.
    match fs::metadata("/proc/self/fd").ok()?.len() {
        0 => Some(fs::read_dir("/proc/self/fd").ok()?.count() as u64),
        count => Some(count),
    }
}

/// Returns the bytes of resident memory of a process; `None` if there is no such process, or no `/proc`.
pub(super) fn memory_of(pid: i32) -> Option<u64> {
    let text = IS_OWN.then(|| fs::read_to_string(format!("/proc/{pid}/statm")).ok())??;
    let pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
    Some(pages * page_size() as u64)
}
