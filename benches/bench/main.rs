//! wsd beside websocketd, socat, nginx, ws, gateways of MCP and Socket.IO, where they are installed: `cargo bench`, Linux only.
//!
//! One server runs at a time, each gets the same work on 127.0.0.1, and the turns go round, so that whatever else the
//! machine does hits all alike. The way: `scenarios` is the table; `flows`, `rooms`, `clusters`, `sessions`, `resume`, `streams`, `mcp`
//! and `files` do the work with `client` (built on `text` and `count`) against a `server`, which may be one of `gateways`, as
//! the `settings` say; `measure` puts clocks around it; `report` and `chart` show medians. `worker` is the other side: this
//! binary again, behind the server.

mod chart;
mod client;
mod clusters;
mod count;
mod files;
mod flows;
mod framing;
mod gateways;
mod herald;
mod mcp;
mod measure;
mod packed;
mod report;
mod result;
mod resume;
mod rooms;
mod scenarios;
mod server;
mod sessions;
mod settings;
mod streams;
mod text;
mod worker;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;

use crate::count::Check;
use crate::measure::Sample;
use crate::report::{Failure, Line, Machine, Report};
use crate::result::Result;
use crate::scenarios::{CLUSTERED, Repeat, SCENARIOS, Scenario};
use crate::server::Contender;
use crate::settings::Settings;

/// The arguments after `cargo bench --`.
#[derive(clap::Parser)]
#[command(name = "cargo bench --")]
struct Flags {
    /// One short round that compares every byte and judges no times: a smoke test of less than two minutes.
    #[arg(long)]
    quick: bool,
    /// Rounds to take the medians of.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Only scenarios whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// Seconds of one run.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Threads of wsd's event loop; without it wsd chooses.
    #[arg(long)]
    threads: Option<usize>,
    /// Given by `cargo bench`; without it (`cargo test --benches`) the run is a quick one.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().collect();
    if let [_, first, name] = &arguments[..]
        && first == worker::WORKER
    {
        return worker::run(name);
    }
    match run(&Flags::parse()) {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(io::stderr(), "bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the scenarios, round by round, and reports.
fn run(flags: &Flags) -> Result<ExitCode> {
    let quick = flags.quick || !flags.bench;
    let (rounds, seconds) = if quick { (1, 0.2) } else { (flags.rounds, flags.seconds) };
    let machine = Machine::look();
    Contender::ALL.into_iter().for_each(Contender::forget);
    let installed = Contender::ALL.into_iter().filter_map(|contender| Some((contender, contender.version()?)));
    let versions: BTreeMap<Contender, String> = installed.collect();
    let scenarios = SCENARIOS.iter().chain(if clusters::can_run() { CLUSTERED } else { &[] });
    let scenarios: Vec<&Scenario> = scenarios.filter(|scenario| scenario.name.contains(&flags.only)).collect();
    sessions::raise_descriptor_limit()?;
    let settings = settings(quick, seconds, flags.threads)?;

    let mut results = Results::default();
    for round in 1..=rounds {
        for scenario in scenarios.iter().filter(|scenario| round == 1 || scenario.repeat != Repeat::Once) {
            results.add(scenario, &versions, &settings, &format!("round {round} of {rounds}"));
        }
    }
    if !quick && measure::can_trace() {
        let settings = Settings { trace: true, time: settings.time / 4, ..settings };
        for scenario in scenarios.iter().filter(|scenario| scenario.repeat == Repeat::RoundsTraced) {
            results.add(scenario, &versions, &settings, "strace");
        }
    }

    let lines = scenarios.iter().flat_map(|scenario| results.lines(scenario)).collect();
    finish(&Report { machine, versions, rounds, seconds, quick, lines, failures: results.failures })
}

fn settings(quick: bool, seconds: f64, threads: Option<usize>) -> Result<Settings> {
    Ok(Settings {
        time: Duration::try_from_secs_f64(seconds)?,
        check: if quick { Check::Bytes } else { Check::Lengths },
        trace: false,
        threads,
        idle_sessions: if quick { 100 } else { 1000 },
        crowd_sessions: if quick { 500 } else { 10_000 },
        mcp_visits: if quick { 12 } else { 50 },
        own_binary: env::current_exe()?.to_str().ok_or("the path of the benchmark is not UTF-8")?.to_owned(),
        scratch: tempfile::Builder::new().prefix("wsd-bench-").tempdir()?,
    })
}

/// Samples by scenario and contender, as they come in.
#[derive(Default)]
struct Results {
    samples: BTreeMap<&'static str, BTreeMap<Contender, Vec<Sample>>>,
    failures: Vec<Failure>,
}

impl Results {
    /// Gives every contender its turn.
    fn add(&mut self, scenario: &Scenario, versions: &BTreeMap<Contender, String>, settings: &Settings, round: &str) {
        let is_in =
            |contender: &&Contender| versions.contains_key(contender) && (!settings.trace || contender.is_bridge());
        for &contender in scenario.contenders.iter().filter(is_in) {
            let _ = write!(io::stderr(), "{round}: {}, {}: ", scenario.name, contender.name());
            let said = match (scenario.run)(settings, contender) {
                Ok(sample) => {
                    let said = sample.iter().map(|&(figure, value)| report::shown(figure, value)).collect::<Vec<_>>();
                    self.samples.entry(scenario.name).or_default().entry(contender).or_default().push(sample);
                    said.join(", ")
                }
                // strace may be forbidden, and is not what this is about.
                Err(error) if settings.trace => format!("not counted: {error}"),
                Err(error) => {
                    let error = format!("{error}\n{}", log_end(contender, settings)).trim_end().to_owned();
                    let said = format!("failed: {error}");
                    self.failures.push(Failure { scenario: scenario.name, contender, error });
                    said
                }
            };
            let _ = writeln!(io::stderr(), "{said}");
        }
    }

    fn lines(&self, scenario: &Scenario) -> Vec<Line> {
        let Some(samples) = self.samples.get(scenario.name) else { return Vec::new() };
        scenario.rows.iter().map(|row| Line::new(scenario, row, samples)).collect()
    }
}

/// The last lines of what a server wrote to its log, where the reason mostly stands.
fn log_end(contender: Contender, settings: &Settings) -> String {
    let log = fs::read_to_string(contender.log(settings.scratch())).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(5)..].join("\n")
}

/// Writes the files, prints the table, and says whether wsd did all that was asked; the others may fail.
fn finish(report: &Report) -> Result<ExitCode> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().ok_or("no target folder")?;
    fs::write(target.join("bench.json"), serde_json::to_vec_pretty(report)?)?;
    fs::write(target.join("bench.md"), report.summary())?;
    chart::draw(report, &target.join("bench.svg"))?;
    io::stdout().write_all(report.text().as_bytes())?;
    let has_failed = report.failures.iter().any(|failure| failure.contender == Contender::Wsd);
    Ok(if has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
