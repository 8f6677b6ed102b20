//! The picture of the README, `docs/demo.svg`: a terminal beside the console, recorded from a real run of both.
//!
//! To record it anew: `WSD_BLESS=1 cargo test --test browser the_picture`. The texts and the screens are those of the run; only
//! the pauses between them are longer.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::browser::Browser;
use crate::harness::lines::Lines;
use crate::harness::pages::{root, text};
use crate::harness::places::free_port;
use crate::harness::server::wsd;

/// The words of the command, after its port.
const COMMAND: [&str; 2] = ["--devconsole", "./examples/greeter.sh"];

/// Pixels of the console's window, and of its place in the picture.
const WINDOW: (u32, u32) = (640, 640);
const PLACE: (u32, u32) = (480, 480);
/// The columns of the terminal, and the pixels of one and of a row.
const COLUMNS: usize = 71;
const COLUMN: f64 = 6.9;
const ROW: f64 = 16.0;
/// Seconds until the picture begins again.
const LENGTH: f64 = 16.0;

/// One run: what came, and when the picture shows it.
#[derive(Default)]
struct Recording {
    /// The words of the command, as they are typed.
    words: Vec<(f64, String)>,
    /// The lines of the terminal below the command.
    lines: Vec<(f64, String)>,
    /// The screens of the console, as WebP in base64.
    screens: Vec<(f64, String)>,
}

/// The terminal: `wsd`, with both streams on one pipe, as they are on one screen.
struct Terminal {
    child: Child,
    output: Arc<Lines>,
    shown: usize,
}

impl Terminal {
    fn start(port: u16) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", "exec 2>&1; exec \"$0\" \"$@\""]).arg(wsd(&[]).get_program());
        shell.args(["--port", &port.to_string()]).args(COMMAND).current_dir(root());
        let mut child = shell.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let output = Lines::of(child.stdout.take().unwrap());
        Self { child, output, shown: 0 }
    }

    /// Waits for a line with this text, and records all lines up to it.
    fn record(&mut self, recording: &mut Recording, second: f64, text: &str) {
        assert!(self.output.wait_for(text, 1).is_some(), "`{text}` did not come:\n{}", self.output.text());
        let lines = self.output.so_far();
        let last = lines.iter().rposition(|line| line.contains(text)).unwrap();
        for line in lines.iter().take(last + 1).skip(self.shown) {
            // The files of the console come in any order, and would fill the terminal.
            if !line.contains("http request") {
                recording.lines.push((second, line.clone()));
            }
        }
        self.shown = last + 1;
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }
}

/// Runs wsd and the console once: connects, says a name, reads the greeting, and ends wsd with Ctrl-C.
fn record(browser: &mut Browser, port: u16) -> Recording {
    let mut recording = Recording::default();
    let number = port.to_string();
    let words = [&["$ wsd", "--port", &number], &COMMAND[..]].concat();
    for (at, word) in (1..).zip(words) {
        recording.words.push((0.3 * f64::from(at), format!("{word} ")));
    }
    let mut terminal = Terminal::start(port);
    terminal.record(&mut recording, 2.4, "server ready url=http://127.0.0.1:");

    browser.prefer("light");
    browser.open(&format!("http://localhost:{port}/"));
    browser.expect("document.querySelector('#state').dataset.state === 'idle'");
    recording.screens.push((3.6, browser.picture(WINDOW.0, WINDOW.1)));
    browser.click("#connect");
    browser.expect("document.querySelector('#state').dataset.state === 'open'");
    browser.expect_text("#messages [data-way=received] .body", "What is your name?");
    terminal.record(&mut recording, 5.0, "session started");
    recording.screens.push((5.0, browser.picture(WINDOW.0, WINDOW.1)));
    browser.evaluate("document.querySelector('#line').focus()");
    browser.write("Ada");
    recording.screens.push((7.0, browser.picture(WINDOW.0, WINDOW.1)));
    browser.press("Enter");
    browser.expect_text("#messages", "Hello, Ada!");
    recording.screens.push((8.2, browser.picture(WINDOW.0, WINDOW.1)));

    // As the terminal does it at Ctrl-C.
    recording.lines.push((11.0, "^C".to_owned()));
    kill_process(Pid::from_child(&terminal.child), Signal::INT).unwrap();
    browser.expect("document.querySelector('#state').dataset.state !== 'open'");
    browser.expect_text("#messages", "1001");
    terminal.record(&mut recording, 11.4, "session ended");
    recording.screens.push((11.4, browser.picture(WINDOW.0, WINDOW.1)));
    recording
}

/// Writes a recording as an animated SVG. Without animation it shows the last moment.
fn svg(recording: &Recording) -> String {
    let rows: usize = 1 + recording.lines.iter().map(|(_, line)| wrapped(line).len()).sum::<usize>();
    let screen = f64::from(PLACE.1).max(f64::from(u32::try_from(rows).unwrap()) * ROW + 24.0);
    #[expect(clippy::cast_precision_loss, reason = "a number of columns is small")]
    let terminal = COLUMNS as f64 * COLUMN + 24.0;
    let (width, height) = (terminal + 16.0 + f64::from(PLACE.0) + 16.0, screen + 46.0);
    let mut moments: Vec<f64> = Vec::new();
    let mut class = |second: f64| {
        let at = moments.iter().position(|moment| (moment - second).abs() < 0.001);
        at.unwrap_or_else(|| {
            moments.push(second);
            moments.len() - 1
        })
    };
    let mut body = String::new();

    let mut x = 20.0;
    let mut y = 52.0;
    for (second, word) in &recording.words {
        let _ = writeln!(body, "{}", line(word, x, y, class(*second)));
        x += columns(word);
    }
    for (second, text) in &recording.lines {
        for part in wrapped(text) {
            y += ROW;
            let _ = writeln!(body, "{}", line(&part, 20.0, y, class(*second)));
        }
    }
    let left = terminal + 16.0;
    let (console_width, console_height) = PLACE;
    for (second, picture) in &recording.screens {
        let _ = writeln!(
            body,
            "<image class='m{}' x='{left}' y='38' width='{console_width}' height='{console_height}' \
             href='data:image/webp;base64,{picture}'/>",
            class(*second)
        );
    }

    let mut style = String::new();
    for (at, moment) in moments.iter().enumerate() {
        let percent = moment / LENGTH * 100.0;
        let _ = write!(style, ".m{at}{{animation:m{at} {LENGTH}s step-end infinite}}");
        let _ = writeln!(style, "@keyframes m{at}{{0%{{visibility:hidden}}{percent:.2}%{{visibility:visible}}}}");
    }
    format!(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' role='img' aria-labelledby='title'>\n\
         <title id='title'>wsd serves a program: a terminal beside the console</title>\n\
         <desc>Recorded from a real run by tests/browser/picture.rs; only the pauses are longer, and the log of HTTP requests is left out.</desc>\n\
         <style>text{{font:11.5px ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;fill:#d6e2de;white-space:pre}}\n\
         .name{{font-family:system-ui,sans-serif;font-size:12px;fill:#5f6f6a}}\n{style}\
         @media (prefers-reduced-motion:reduce){{*{{animation:none!important}}}}</style>\n\
         <rect width='{width}' height='{height}' rx='12' fill='#dfe7e4'/>\n\
         <text class='name' x='20' y='24'>Terminal</text><text class='name' x='{}' y='24'>Browser</text>\n\
         <rect x='8' y='36' width='{terminal}' height='{}' rx='8' fill='#13201c'/>\n\
         <rect x='{left}' y='38' width='{console_width}' height='{console_height}' fill='#fff'/>\n{body}</svg>\n",
        left + 4.0,
        screen + 2.0,
    )
}

/// A piece of a line in the terminal, as wide as its columns whatever the font.
fn line(text: &str, x: f64, y: f64, class: usize) -> String {
    let text = text.trim_end();
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!(
        "<text class='m{class}' x='{x:.1}' y='{y:.0}' textLength='{:.1}' xml:space='preserve'>{escaped}</text>",
        columns(text)
    )
}

fn columns(text: &str) -> f64 {
    f64::from(u32::try_from(text.chars().count()).unwrap()) * COLUMN
}

/// The line in pieces as wide as the terminal.
fn wrapped(line: &str) -> Vec<String> {
    let chars: Vec<char> = line.chars().collect();
    if chars.is_empty() {
        return vec![String::new()];
    }
    chars.chunks(COLUMNS).map(|piece| piece.iter().collect()).collect()
}

/// The texts of the terminal without what differs from run to run: numbers, the client's address, and IPv6.
fn gist(svg: &str) -> String {
    let texts = svg.split("xml:space='preserve'>").skip(1).map(|rest| rest.split("</text>").next().unwrap());
    let text: String = texts.collect();
    let words = text.replace('\n', " ");
    let words = words.split([' ', '=', '/']).filter(|word| !word.contains("[::1]") && !word.contains("127.0.0.1"));
    words
        .map(|word| word.chars().filter(|c| !c.is_ascii_digit()).collect::<String>())
        .filter(|word| !word.is_empty())
        .collect()
}

#[test]
fn the_picture_of_the_readme_is_what_wsd_and_the_console_show() {
    let Some(mut browser) = Browser::start() else { return };
    let is_blessed = env::var_os("WSD_BLESS").is_some();

    let recording = record(&mut browser, if is_blessed { 8080 } else { free_port() });

    let new = svg(&recording);
    if is_blessed {
        fs::write(root().join("docs/demo.svg"), &new).unwrap();
    }
    let old = text("docs/demo.svg");
    assert_eq!(
        gist(&old),
        gist(&new),
        "docs/demo.svg is old; to record it anew, with port 8080 free:\nWSD_BLESS=1 cargo test --test browser the_picture"
    );
    assert_eq!(old.matches("<image ").count(), recording.screens.len());
    assert_eq!(browser.complaints(), [""; 0]);
}
