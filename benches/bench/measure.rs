//! Figures: what is measured, around what, and how many of them become one.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Serialize;

use crate::result::Result;
use crate::server::Server;
use crate::settings::Settings;

/// The meaning of a number, in base units: seconds, bytes, per second.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Figure {
    /// Messages, sessions or requests in a second.
    Rate,
    /// Payload bytes in a second, one way.
    Throughput,
    /// The time that half of the messages do not exceed, to the worker and back.
    P50,
    /// The 99th percentile of the time one message takes to the worker and back.
    P99,
    /// Processor time of the server process alone, or of all nodes, for one message, session or request.
    Cpu,
    /// Processor time of Redis for one message.
    CpuOfRedis,
    /// System calls of the server process alone for one message or session.
    Calls,
    /// Resident memory of a server that nobody has connected to.
    MemoryAlone,
    /// Resident memory that one more idle session costs.
    MemoryPerSession,
    /// Memory of a server and all processes under it; what several share counts once.
    MemoryOfTree,
    /// Processes under a server that nobody uses any more.
    ProcessesLeft,
    /// From connecting to the end of the handshake of a session.
    Connect,
    /// From starting the server to the first line at a client.
    Start,
    /// From closing all sessions at once until the server has given back all their descriptors.
    Teardown,
    /// Sessions open and answering at once.
    Sessions,
    /// Of the sessions that were wanted and permitted, those that did not open or did not answer.
    SessionsLost,
    /// The 99th percentile of the time from connecting to the first message of a session that goes on.
    Resume,
    /// A time as a multiple of the same in easier circumstances: beside floods, of the quiet server; with `--resume`, without.
    Slowdown,
    /// Bytes of messages for each byte of payload that carried them.
    Shrinking,
}

impl Figure {
    /// Whether more of it is better.
    pub(crate) fn is_better_high(self) -> bool {
        matches!(self, Self::Rate | Self::Throughput | Self::Sessions | Self::Shrinking)
    }
}

/// The result of one run of a scenario.
pub(crate) type Sample = Vec<(Figure, f64)>;

/// Runs `work`, which says how many messages it moved, and puts the clock and the processor time of `server` around it; or
/// strace, if the settings ask for it.
pub(crate) fn measured(settings: &Settings, server: &Server, work: impl FnOnce() -> Result<u64>) -> Result<Sample> {
    if !settings.trace {
        return timed(&[(Figure::Cpu, &|| server.cpu())], work);
    }
    let tracer = Tracer::attach(server.pid(), settings)?;
    let count = as_f64(work()?);
    Ok(vec![(Figure::Calls, tracer.finish()? / count)])
}

/// A figure of processor time, and the clock for it.
pub(crate) type CpuClock<'c> = (Figure, &'c dyn Fn() -> Result<Duration>);

/// Runs `work`, which says how many messages it moved, and puts the clock and clocks of processor time around it.
pub(crate) fn timed(clocks: &[CpuClock], work: impl FnOnce() -> Result<u64>) -> Result<Sample> {
    let read = || clocks.iter().map(|(_, clock)| clock()).collect::<Result<Vec<_>>>();
    let before = read()?;
    let start = Instant::now();
    let count = as_f64(work()?);
    let mut sample = vec![(Figure::Rate, count / start.elapsed().as_secs_f64())];
    for (&(figure, _), (before, after)) in clocks.iter().zip(before.into_iter().zip(read()?)) {
        sample.push((figure, after.saturating_sub(before).as_secs_f64() / count));
    }
    Ok(sample)
}

/// strace beside a server.
struct Tracer {
    child: Child,
    calls: PathBuf,
}

impl Tracer {
    /// Returns once every thread of the server is watched.
    fn attach(server: Pid, settings: &Settings) -> Result<Self> {
        let calls = settings.scratch().join("strace.txt");
        let mut child = Command::new("strace")
            .args(["--follow-forks", "--detach-on=execve", "--raw=all", "--quiet=all", "--signal=none", "--output"])
            .arg(&calls)
            .arg(format!("--attach={server}"))
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        while !is_traced(server)? {
            if child.try_wait()?.is_some() {
                return Err("strace may not look at the server".into());
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(Self { child, calls })
    }

    /// Lets go of the server and returns the number of calls of its threads; not those of children before their `exec`.
    fn finish(mut self) -> Result<f64> {
        kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGINT)?;
        self.child.wait()?;
        let calls = fs::read_to_string(&self.calls)?;
        // A call that another thread's interrupts has two lines; the second begins with `<...`.
        let calls = || {
            calls
                .lines()
                .filter_map(|line| line.split_once(' '))
                .filter(|(_, call)| !call.trim_start().starts_with("<..."))
        };
        let children: HashSet<&str> =
            calls().filter(|(_, call)| call.trim_start().starts_with("execve(")).map(|(thread, _)| thread).collect();
        Ok(as_f64(calls().filter(|(thread, _)| !children.contains(thread)).count() as u64))
    }
}

/// Whether all threads of a process have a tracer.
fn is_traced(process: Pid) -> Result<bool> {
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        let status = fs::read_to_string(thread?.path().join("status"))?;
        if status.contains("TracerPid:\t0\n") {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether strace is installed and does anything here.
pub(crate) fn can_trace() -> bool {
    Command::new("strace").args(["--output=/dev/null", "true"]).status().is_ok_and(|status| status.success())
}

/// The middle of `values`, or the mean of the two middle ones.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = *sorted.get((sorted.len() - 1) / 2)?;
    Some(f64::midpoint(lower, upper))
}

/// Times taken one by one.
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn new() -> Self {
        // A second of the fastest server there is; growing in the middle would show in the times.
        Self(Vec::with_capacity(200_000))
    }

    pub(crate) fn add(&mut self, time: Duration) {
        self.0.push(time);
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.len() as u64
    }

    pub(crate) fn append(&mut self, mut others: Self) {
        self.0.append(&mut others.0);
    }

    /// The time that 99 of a hundred do not exceed, in seconds.
    pub(crate) fn p99(mut self) -> Result<f64> {
        self.percentile(99)
    }

    /// The time that so many of a hundred do not exceed, in seconds.
    pub(crate) fn percentile(&mut self, hundredths: usize) -> Result<f64> {
        self.0.sort_unstable();
        let place = self.0.len() * hundredths / 100;
        Ok(self.0.get(place).ok_or("nothing was timed")?.as_secs_f64())
    }
}

/// So many times `count`, but no fewer.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive count")]
pub(crate) fn multiplied(count: u64, factor: f64) -> u64 {
    (as_f64(count) * factor.max(1.0)) as u64
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
pub(crate) fn as_f64(count: u64) -> f64 {
    count as f64
}
