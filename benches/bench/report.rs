//! The report: a table for people, and JSON for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use serde::Serialize;

use crate::measure::{Figure, Sample, median};
use crate::scenarios::{Goal, Row, Scenario};
use crate::server::Contender;

/// The part of a figure that a run may miss because of noise.
const NOISE: f64 = 0.1;

/// Everything that a run of the benchmark found out.
#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    /// The versions of the contenders, in their own words.
    pub(crate) versions: BTreeMap<Contender, String>,
    pub(crate) rounds: u32,
    pub(crate) seconds: f64,
    /// Whether times were taken at all seriously.
    pub(crate) quick: bool,
    pub(crate) lines: Vec<Line>,
    pub(crate) failures: Vec<Failure>,
}

/// The machine, as far as it matters to the figures.
#[derive(Serialize)]
pub(crate) struct Machine {
    processor: String,
    cores: usize,
    kernel: String,
    /// Running tasks, mean of the minute before the benchmark.
    load: f64,
}

/// A line of the table.
#[derive(Serialize)]
pub(crate) struct Line {
    pub(crate) label: &'static str,
    pub(crate) figure: Figure,
    /// Medians, and the rounds they are of; seconds, bytes, or per second.
    pub(crate) results: BTreeMap<Contender, Rounds>,
    /// wsd against websocketd.
    pub(crate) times: Option<f64>,
    pub(crate) must: Option<Verdict>,
    /// Processor seconds and system calls of the server for one message, where the line is the first of its scenario.
    pub(crate) cpu: BTreeMap<Contender, f64>,
    pub(crate) calls: BTreeMap<Contender, f64>,
}

#[derive(Serialize)]
pub(crate) struct Rounds {
    pub(crate) median: f64,
    pub(crate) rounds: Vec<f64>,
}

/// A figure asked for, and whether it was reached; `None` if it could not be told.
#[derive(Serialize)]
pub(crate) struct Verdict {
    pub(crate) asked: String,
    /// Returns the figure as a multiple of websocketd's.
    pub(crate) times: Option<f64>,
    pub(crate) reached: Option<bool>,
}

/// A run that went wrong.
#[derive(Serialize)]
pub(crate) struct Failure {
    pub(crate) scenario: &'static str,
    pub(crate) contender: Contender,
    pub(crate) error: String,
}

impl Machine {
    pub(crate) fn look() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let processors = read("/proc/cpuinfo");
        let model = processors.lines().find(|line| line.starts_with("model name"));
        Self {
            processor: model.and_then(|line| line.split(": ").nth(1)).unwrap_or("unknown").to_owned(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            load: read("/proc/loadavg").split(' ').next().and_then(|load| load.parse().ok()).unwrap_or_default(),
        }
    }
}

impl Line {
    /// Sums up the samples of all rounds for one row of a scenario.
    pub(crate) fn new(scenario: &Scenario, row: &Row, samples: &BTreeMap<Contender, Vec<Sample>>) -> Self {
        let all = |figure| -> BTreeMap<Contender, Rounds> {
            samples.iter().filter_map(|(&contender, samples)| Some((contender, rounds(samples, figure)?))).collect()
        };
        let results = all(row.figure);
        let is_first = scenario.rows.first().is_some_and(|first| first.figure == row.figure);
        let beside = |figure| {
            let found = if is_first { all(figure) } else { BTreeMap::new() };
            found.into_iter().map(|(contender, rounds)| (contender, rounds.median)).collect()
        };
        let own = results.get(&Contender::Wsd).map(|rounds| rounds.median);
        let theirs = results.get(&Contender::Websocketd).map(|rounds| rounds.median);
        let times = own.zip(theirs).map(|(own, theirs)| own / theirs).filter(|times| times.is_finite());
        let others = results.iter().filter(|(contender, _)| **contender != Contender::Wsd);
        let others = others.map(|(_, rounds)| rounds.median);
        let best = others.reduce(if row.figure.is_better_high() { f64::max } else { f64::min });
        let must = row.goal.map(|goal| goal.judge(row.figure, own, theirs, best));
        Self {
            label: row.label,
            figure: row.figure,
            results,
            times,
            must,
            cpu: beside(Figure::Cpu),
            calls: beside(Figure::Calls),
        }
    }
}

fn rounds(samples: &[Sample], figure: Figure) -> Option<Rounds> {
    let values = samples.iter().flatten().filter(|(found, _)| *found == figure).map(|(_, value)| *value);
    let rounds: Vec<f64> = values.collect();
    Some(Rounds { median: median(&rounds)?, rounds })
}

impl Goal {
    /// Returns whether wsd's `own` figure reaches the goal, beside websocketd's, `theirs`, and the best of others, but for [`NOISE`].
    fn judge(self, figure: Figure, own: Option<f64>, theirs: Option<f64>, best: Option<f64>) -> Verdict {
        let ratio = |value: Option<f64>| Some(value? / theirs?);
        let (must, value, is_high) = match self {
            Self::TimesAtLeast(must) => (Some(must), ratio(own), true),
            Self::TimesAtMost(must) => (Some(must), ratio(own), false),
            Self::AtLeast(must) => (Some(must), own, true),
            Self::AtMost(must) => (Some(must), own, false),
            Self::Ahead => (best, own, figure.is_better_high()),
            Self::AheadBy(times) => (best.map(|best| best * times), own, true),
        };
        let is_reached = |(value, must): (f64, f64)| {
            if is_high { value >= must * (1.0 - NOISE) } else { value <= must * (1.0 + NOISE) }
        };
        let (asked, times) = match self {
            Self::TimesAtLeast(must) | Self::TimesAtMost(must) => (format!("{must} ×"), Some(must)),
            Self::AtLeast(must) | Self::AtMost(must) => (shown(figure, must), ratio(Some(must))),
            Self::Ahead => ("ahead".to_owned(), None),
            Self::AheadBy(times) => (format!("{times} × the next"), None),
        };
        Verdict { asked, times, reached: value.zip(must).map(is_reached) }
    }
}

impl Report {
    /// The whole report as text.
    pub(crate) fn text(&self) -> String {
        let mut text = self.head();
        text.push_str(&table(&self.cells()));
        for Failure { scenario, contender, error } in &self.failures {
            let _ = writeln!(text, "\n{scenario}, {}: {error}", contender.name());
        }
        text
    }

    /// Returns the summary for the README, as Markdown.
    pub(crate) fn summary(&self) -> String {
        const WANTED: [&str; 5] = ["work", "websocketd", "wsd", "×", "CPU a message"];
        let cells = self.cells();
        let wanted: Vec<usize> =
            (0..cells[0].len()).filter(|&column| WANTED.contains(&cells[0][column].as_str())).collect();
        let rows = cells.iter().map(|row| wanted.iter().map(|&column| row[column].clone()).collect());
        self.head() + &table(&rows.collect::<Vec<_>>())
    }

    /// Where, of what and how the figures were taken.
    fn head(&self) -> String {
        let mut text = String::new();
        let machine = &self.machine;
        let _ = writeln!(
            text,
            "{}, {} cores, Linux {}, load before {}",
            machine.processor, machine.cores, machine.kernel, machine.load
        );
        for version in self.versions.values() {
            let _ = writeln!(text, "{version}");
        }
        let rounds =
            if self.rounds == 1 { "one round".to_owned() } else { format!("medians of {} rounds", self.rounds) };
        let _ = writeln!(
            text,
            "{rounds} of {} s; × is wsd against websocketd; CPU and calls are the server's own, wsd / websocketd\n",
            self.seconds
        );
        text
    }

    fn cells(&self) -> Vec<Vec<String>> {
        let mut heads = vec!["work", "websocketd", "wsd", "×", "must", "", "CPU a message", "calls a message"];
        let mut besides = Contender::ALL.to_vec();
        besides.retain(|contender| !contender.is_bridge());
        besides.retain(|contender| self.versions.contains_key(contender));
        heads.extend(besides.iter().map(|contender| contender.name()));

        let mut cells = vec![heads.into_iter().map(str::to_owned).collect()];
        for line in &self.lines {
            let result = |contender| {
                line.results.get(&contender).map_or_else(String::new, |rounds| shown(line.figure, rounds.median))
            };
            let mut row = vec![line.label.to_owned(), result(Contender::Websocketd), result(Contender::Wsd)];
            row.push(line.times.map_or_else(String::new, shown_times));
            row.push(line.must.as_ref().map_or_else(String::new, |must| must.asked.clone()));
            let reached = line.must.as_ref().and_then(|must| must.reached).filter(|_| !self.quick);
            row.push(reached.map_or("", |reached| if reached { "yes" } else { "no" }).to_owned());
            row.push(pair(&line.cpu, |cpu| shown(Figure::Cpu, cpu)));
            row.push(pair(&line.calls, |calls| shown(Figure::Calls, calls)));
            row.extend(besides.iter().map(|&contender| result(contender)));
            cells.push(row);
        }
        cells
    }
}

/// "wsd / websocketd" of a figure shown beside another; wsd's alone if websocketd has none.
fn pair(values: &BTreeMap<Contender, f64>, show: impl Fn(f64) -> String) -> String {
    let shown = |contender| values.get(&contender).map(|&value| show(value));
    match (shown(Contender::Wsd), shown(Contender::Websocketd)) {
        (Some(own), Some(theirs)) => format!("{own} / {theirs}"),
        (None, Some(theirs)) => format!("? / {theirs}"),
        (own, None) => own.unwrap_or_default(),
    }
}

/// A Markdown table with columns as wide as their widest cell; the first row is its head.
fn table(cells: &[Vec<String>]) -> String {
    let columns = cells.first().map_or(0, Vec::len);
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0).max(2);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for (number, row) in cells.iter().enumerate() {
        for (column, cell) in row.iter().enumerate() {
            let width = widths[column];
            let _ = if column == 0 { write!(text, "| {cell:<width$} ") } else { write!(text, "| {cell:>width$} ") };
        }
        text.push_str("|\n");
        if number == 0 {
            for (column, &width) in widths.iter().enumerate() {
                let dashes = "-".repeat(width);
                let _ = if column == 0 { write!(text, "| {dashes} ") } else { write!(text, "| {}: ", &dashes[1..]) };
            }
            text.push_str("|\n");
        }
    }
    text
}

/// A value with the unit of its figure.
pub(crate) fn shown(figure: Figure, value: f64) -> String {
    match figure {
        Figure::Rate => scaled(value, 1000.0, &["/s", "k/s", "M/s"]),
        Figure::Throughput => scaled(value, 1000.0, &["B/s", "kB/s", "MB/s", "GB/s"]),
        Figure::P50
        | Figure::P99
        | Figure::Connect
        | Figure::Cpu
        | Figure::CpuOfRedis
        | Figure::Start
        | Figure::Teardown
        | Figure::Resume => scaled(value * 1e9, 1000.0, &["ns", "µs", "ms", "s"]),
        Figure::MemoryAlone | Figure::MemoryPerSession | Figure::MemoryOfTree => {
            scaled(value, 1024.0, &["B", "KiB", "MiB", "GiB"])
        }
        Figure::Calls => digits(value),
        Figure::Sessions | Figure::SessionsLost | Figure::ProcessesLeft => format!("{value:.0}"),
        Figure::Slowdown | Figure::Shrinking => shown_times(value),
    }
}

/// A ratio as the table has it.
pub(crate) fn shown_times(times: f64) -> String {
    format!("{} ×", digits(times))
}

fn scaled(mut value: f64, step: f64, units: &[&str]) -> String {
    let mut units = units.iter();
    let mut unit = units.next();
    while value >= step && units.len() > 0 {
        value /= step;
        unit = units.next();
    }
    format!("{} {}", digits(value), unit.unwrap_or(&""))
}

/// Three digits that mean something.
fn digits(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        0.0..0.1 => format!("{value:.4}"),
        0.1..10.0 => format!("{value:.2}"),
        10.0..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}
