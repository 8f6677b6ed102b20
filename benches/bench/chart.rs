//! The chart: how many times better wsd is than websocketd, a bar for every line of the table that can tell.

use std::path::Path;

use plotters::backend::SVGBackend;
use plotters::chart::ChartBuilder;
use plotters::coord::combinators::{BindKeyPoints as _, LogCoord};
use plotters::coord::ranged1d::{IntoSegmentedCoord as _, SegmentValue};
use plotters::drawing::IntoDrawingArea as _;
use plotters::element::{EmptyElement, PathElement, Rectangle, Text};
use plotters::prelude::IntoLogRange as _;
use plotters::style::{Color as _, IntoFont as _, RGBColor, WHITE};

use crate::measure::Figure;
use crate::report::{Line, Report, shown, shown_times};
use crate::result::Result;
use crate::server::Contender;

/// Pixels: as wide as a README is shown.
const WIDTH: u32 = 880;
const ROW: u32 = 25;
const AROUND_ROWS: u32 = 90;
const LABELS: u32 = 275;
/// Room for the words behind the longest bar.
const WORDS: u32 = 190;

const BETTER: RGBColor = RGBColor(0x2f, 0x6f, 0xb3);
const WORSE: RGBColor = RGBColor(0xd0, 0x78, 0x2a);
const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
const GRID: RGBColor = RGBColor(0xdd, 0xdd, 0xdd);

/// A line of the table, turned so that more is always better.
struct Bar<'r> {
    label: &'r str,
    times: f64,
    must: Option<f64>,
    words: String,
}

/// Draws `report` into the file at `path`; nothing if there is nothing to compare.
pub(crate) fn draw(report: &Report, path: &Path) -> Result<()> {
    // The vertical axis counts upwards.
    let bars: Vec<Bar> = report.lines.iter().rev().filter_map(bar).collect();
    if bars.is_empty() {
        return Ok(());
    }
    let count = bars.len();
    let size = (WIDTH, AROUND_ROWS + ROW * u32::try_from(count)?);
    let root = SVGBackend::new(path, size).into_drawing_area();
    root.fill(&WHITE)?;

    let all = || bars.iter().flat_map(|bar| [Some(bar.times), bar.must]).flatten();
    let (low, high) = (all().fold(0.8, f64::min) / 1.1, all().fold(10.0, f64::max) * 1.1);
    let marks = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0];
    let marks: Vec<f64> = marks.into_iter().filter(|mark| (low..high).contains(mark)).collect();
    let scale = LogCoord::from((low..high).log_scale()).with_key_points(marks);
    let mut chart = ChartBuilder::on(&root)
        .caption("How many times better than websocketd", ("sans-serif", 22).into_font().color(&INK))
        .margin(10)
        .margin_right(WORDS)
        .x_label_area_size(42)
        .y_label_area_size(LABELS)
        .build_cartesian_2d(scale, (0..count).into_segmented())?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .bold_line_style(GRID)
        .light_line_style(WHITE)
        .axis_style(GRID)
        .label_style(("sans-serif", 16).into_font().color(&INK))
        .y_labels(count)
        .x_label_formatter(&|times| format!("{times} ×"))
        .y_label_formatter(&|row| match row {
            SegmentValue::CenterOf(row) => bars.get(*row).map_or_else(String::new, |bar| bar.label.to_owned()),
            SegmentValue::Exact(_) | SegmentValue::Last => String::new(),
        })
        .x_desc("log scale; 1 is websocketd; a dark mark is what wsd has to reach")
        .draw()?;

    let edges = |row: usize| (SegmentValue::Exact(row), SegmentValue::Exact(row + 1));
    chart.draw_series(bars.iter().enumerate().map(|(row, bar)| {
        let (bottom, top) = edges(row);
        let color = if bar.times < 1.0 { WORSE } else { BETTER };
        let mut rectangle = Rectangle::new([(1.0, bottom), (bar.times, top)], color.filled());
        rectangle.set_margin(5, 5, 0, 0);
        rectangle
    }))?;
    chart.draw_series(bars.iter().enumerate().filter_map(|(row, bar)| {
        let (bottom, top) = edges(row);
        let must = bar.must?;
        Some(PathElement::new([(must, bottom), (must, top)], INK.stroke_width(2)))
    }))?;
    chart.draw_series(bars.iter().enumerate().map(|(row, bar)| {
        let end = bar.times.max(1.0).max(bar.must.unwrap_or(1.0));
        let words = Text::new(bar.words.clone(), (7, -6), ("sans-serif", 16).into_font().color(&INK));
        EmptyElement::at((end, SegmentValue::CenterOf(row))) + words
    }))?;
    root.present()?;
    Ok(())
}

fn bar(line: &Line) -> Option<Bar<'_>> {
    let better = |times: f64| if line.figure.is_better_high() { times } else { 1.0 / times };
    if matches!(line.figure, Figure::Sessions | Figure::SessionsLost | Figure::Slowdown | Figure::Shrinking) {
        return None;
    }
    let value = |contender| line.results.get(&contender).map(|rounds| shown(line.figure, rounds.median));
    let (own, theirs) = value(Contender::Wsd).zip(value(Contender::Websocketd))?;
    let times = better(line.times?);
    let must = line.must.as_ref().and_then(|must| must.times).map(better);
    Some(Bar { label: line.label, times, must, words: format!("{}  ({own}, not {theirs})", shown_times(times)) })
}
