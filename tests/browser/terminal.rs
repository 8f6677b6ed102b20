//! The page of the terminal: xterm.js against a shell, and against the adventure that it shows.

use std::time::{Duration, Instant};

use crate::demos::{Demos, one, settings, text};
use crate::harness::browser::Browser;
use crate::harness::eventually;
#[cfg(target_os = "linux")]
use crate::harness::process::linux::peak_memory;
use crate::harness::time::at_latest;

/// The visible text.
const SCREEN: &str = "document.querySelector('.xterm-rows').innerText.replaceAll('\\u00a0', ' ')";

/// The page of the terminal with a shell in the place of the adventure. Its prompt is `> `.
fn shell() -> Option<(Browser, Demos)> {
    let (command, shell) = (r#"["./examples/adventure.py"]"#, r#"["env", "PS1=> ", "sh"]"#);
    assert!(settings().contains(command));
    let mut browser = Browser::start()?;
    let demos = Demos::start_with(&settings().replace(command, shell), Vec::new());
    demos.open(&mut browser, "terminal.html");
    expect(&mut browser, ">");
    Some((browser, demos))
}

/// Types a line into the terminal, which has the focus.
fn enter(browser: &mut Browser, line: &str) {
    browser.write(line);
    browser.press("Enter");
}

/// Waits for a line of the screen.
fn expect(browser: &mut Browser, line: &str) {
    browser.expect(&format!("{SCREEN}.split('\\n').some(line => line.trimEnd() === {line:?})"));
}

#[test]
fn the_terminal_shows_what_is_typed_and_what_the_program_writes() {
    let Some((mut browser, _demos)) = shell() else { return };

    enter(&mut browser, "echo \"é$((6 * 7))\"; printf '\\033[31mred\\033[0m\\n'");

    expect(&mut browser, "é42");
    browser.expect("[...document.querySelectorAll('.xterm-rows .xterm-fg-1')].some(part => part.innerText === 'red')");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn the_program_knows_the_size_of_the_window_and_each_change_of_it() {
    let Some((mut browser, _demos)) = shell() else { return };
    let mut sizes = Vec::new();
    for (width, height) in [(1280, 844), (390, 844), (844, 390)] {
        browser.resize(width, height);
        browser.expect(&format!("innerWidth === {width} && innerHeight === {height}"));
        browser.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done())))");

        enter(&mut browser, &format!("clear; echo at {width}: $(stty size)"));

        let found = format!("{SCREEN}.trimStart().match(/^at {width}: ([0-9]+) ([0-9]+)/)");
        browser.expect(&format!("{found} !== null"));
        let rows = browser.evaluate("document.querySelector('.xterm-rows').childElementCount");
        let shown = browser.evaluate(&format!("{found}.slice(1)"));
        let size: Vec<u64> =
            shown.as_array().unwrap().iter().map(|side| side.as_str().unwrap().parse().unwrap()).collect();
        assert_eq!(size[0], rows.as_u64().unwrap(), "{width} x {height}");
        sizes.push(size);
    }
    assert!(sizes[0][1] > 100 && (40..60).contains(&sizes[1][1]), "{sizes:?}");
    assert!(sizes[1][0] > 20 && sizes[2][0] < sizes[0][0], "{sizes:?}");
}

#[test]
fn control_c_interrupts_and_shift_tab_leaves_the_terminal() {
    let Some((mut browser, _demos)) = shell() else { return };
    enter(&mut browser, "cat");
    enter(&mut browser, "repeat");
    browser.expect(&format!("{SCREEN}.split('\\n').filter(line => line.trimEnd() === 'repeat').length === 2"));

    browser.press_control("c");
    browser.expect(&format!("{SCREEN}.trimEnd().endsWith('\\n>')"));
    browser.press_shift("Tab");

    browser.expect("document.activeElement.id === 'reconnect'");
    browser.press("Tab");
    browser.expect("document.activeElement.classList.contains('xterm-helper-textarea')");
}

#[test]
fn the_end_of_the_program_is_told_and_another_starts_with_a_clean_screen() {
    let Some((mut browser, _demos)) = shell() else { return };

    for (line, told) in
        [("exit 3", "The program exited with status 3."), ("kill -9 $$", "The program was killed by SIGKILL.")]
    {
        enter(&mut browser, line);

        browser.expect("!document.querySelector('#over').hidden");
        assert_eq!(text(&mut browser, "#end"), told);
        assert!(browser.evaluate(SCREEN).as_str().unwrap().contains(line), "the screen stays");
        browser.expect("document.activeElement.id === 'fresh'");
        browser.press("Enter");
        browser.expect("document.querySelector('#over').hidden");
        browser.expect(&format!("{SCREEN}.trim() === '>'"));
        browser.expect("document.activeElement.classList.contains('xterm-helper-textarea')");
    }
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn the_terminal_comes_back_with_the_server_but_not_after_an_end() {
    let Some((mut browser, mut demos)) = shell() else { return };

    demos.server.stop();
    browser.expect_text("#state", "Waiting");
    assert_eq!(browser.evaluate("document.querySelector('#over').hidden"), true);
    demos.start_again();

    browser.expect_text("#state", "Open");
    enter(&mut browser, "exit 1");
    browser.expect_text("#state", "Closed 4001");
}

/// 50 MB in lines of 200 bytes.
#[test]
fn a_flood_leaves_the_page_and_wsd_responsive_and_their_memory_flat() {
    let Some((mut browser, demos)) = shell() else { return };

    enter(&mut browser, "yes \"$(printf %0199d 7)\" | head -n 250000; echo \"the e\"nd");
    let mut most: f64 = 0.0;
    let mut slowest = Duration::ZERO;
    loop {
        let start = Instant::now();
        let is_over = browser.evaluate(&format!("{SCREEN}.includes('the end')")) == true;
        slowest = slowest.max(start.elapsed());
        most = most.max(browser.script_memory());
        if is_over {
            break;
        }
    }

    assert!(most < 20.0, "the page held {most} MiB");
    assert!(slowest < at_latest(Duration::from_secs(2)), "the page took {slowest:?} to answer");
    #[cfg(target_os = "linux")]
    assert!(peak_memory(demos.server.pid()) < 60 << 10, "{} KiB", peak_memory(demos.server.pid()));
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn a_slow_page_pauses_a_flood_that_it_cannot_draw_and_resumes_it() {
    let Some((mut browser, _demos)) = shell() else { return };
    browser.slow_down(10);

    enter(&mut browser, "yes \"$(printf %0199d 7)\"");
    eventually("the page has paused and resumed the flood", || {
        browser.evaluate("0"); // brings what has been sent
        let asked: Vec<_> = browser.sent().iter().filter(|sent| ["2", "3"].contains(&sent.as_str())).collect();
        asked.starts_with(&[&"2".to_owned(), &"3".to_owned()]).then_some(())
    });
    browser.press_control("c");

    browser.expect(&format!("{SCREEN}.trimEnd().endsWith('\\n>')"));
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn the_keys_on_the_screen_of_a_phone_type() {
    let Some((mut browser, _demos)) = shell() else { return };
    let is_shown = "document.querySelector('#touch-keys').offsetHeight > 0";
    assert_eq!(browser.evaluate(is_shown), false, "who has a keyboard needs none");
    browser.resize(390, 844);
    browser.expect(is_shown);
    // The shell gives the terminal to the job before the job says so.
    enter(&mut browser, "sh -c 'echo u''p; exec cat >/dev/null'");
    expect(&mut browser, "up");

    for key in ["[data-key=Escape]", "[data-key=ArrowUp]", "[data-key=ArrowLeft]", "#control", "[data-key=ArrowRight]"]
    {
        browser.click(&format!(".touch-keys {key}"));
    }
    browser.expect(&format!("{SCREEN}.includes('^[^[[A^[[D^[[1;5C')"));
    // Ctrl is for one key.
    browser.click("#control");
    browser.expect("document.querySelector('#control').ariaPressed === 'true'");
    browser.press("c");

    browser.expect(&format!("{SCREEN}.trimEnd().endsWith('\\n>')"));
    assert_eq!(browser.evaluate("document.querySelector('#control').ariaPressed"), "false");
}

#[test]
fn the_terminal_has_the_colours_of_the_page_in_every_look() {
    let Some((mut browser, demos)) = one() else { return };
    demos.open(&mut browser, "terminal.html");
    let ground = "getComputedStyle(document.querySelector('.xterm-scrollable-element')).backgroundColor";
    let panel = "getComputedStyle(document.querySelector('.screen')).backgroundColor";
    let mut grounds = Vec::new();
    for look in ["light", "dark", "forced"] {
        if look == "forced" {
            browser.force_colours("dark");
        } else {
            browser.prefer(look);
        }

        browser.expect(&format!("{ground} === {panel}"));

        grounds.push(browser.evaluate(ground));
    }
    assert!(grounds[0] != grounds[1] && grounds[1] != grounds[2], "{grounds:?}");
}

#[test]
fn the_adventure_fills_the_window_and_walks_with_the_arrows() {
    let Some((mut browser, demos)) = one() else { return };
    browser.resize(1280, 844);
    demos.open(&mut browser, "terminal.html");
    let title = "document.querySelector('.xterm-rows').firstChild.innerText.replaceAll('\\u00a0', ' ').trimEnd()";
    browser.expect(&format!("{title}.endsWith('q quits')"));
    let wide = browser.evaluate(&format!("{title}.length")).as_u64().unwrap();

    browser.resize(390, 844);

    browser.expect(&format!("{title}.endsWith('q quits') && {title}.length < {wide} / 2"));
    browser.press("ArrowRight");
    browser.expect(&format!("{SCREEN}.includes('Short grass')"));
    for _ in 0..6 {
        browser.press("ArrowUp");
    }
    browser.expect(&format!("{SCREEN}.includes('The sea is cold')"));
    browser.press("q");
    browser.expect_text("#end", "The program exited with status 0.");
    assert_eq!(browser.complaints(), [""; 0]);
}
