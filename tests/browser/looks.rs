//! How the pages of the demos look: on phones, in the dark, and where the system forces its colours.

use serde_json::json;

use crate::demos::{Demos, PAGES, one, two};
use crate::harness::browser::Browser;
use crate::harness::skip::has;

/// The pages with a header of one session.
fn pages_with_a_session() -> impl Iterator<Item = &'static str> {
    PAGES.into_iter().filter(|page| !page.is_empty())
}

/// How far two colours are apart, from 1 to 21 (WCAG 2.2).
fn contrast(one: [u8; 3], other: [u8; 3]) -> f64 {
    let luminance = |colour: [u8; 3]| {
        let [red, green, blue] = colour.map(|part| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    };
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

const MIDDLE: (f64, f64) = (0.5, 0.5);

fn colour(browser: &mut Browser, selector: &str, point: (f64, f64)) -> [u8; 3] {
    browser.colours(selector, &[point])[0]
}

#[track_caller]
fn assert_told_apart(what: &str, one: [u8; 3], other: [u8; 3]) {
    assert!(contrast(one, other) >= 3.0, "{what}: {one:?} and {other:?}");
}

#[test]
fn the_header_is_one_line_on_phones_whatever_it_says() {
    let Some((mut browser, demos)) = one() else { return };
    for page in pages_with_a_session().chain(["console"]) {
        for width in [320, 390] {
            browser.resize(width, 844);
            browser.open(&demos.url(page));
            for said in ["Open", "Closed 4137 · signal 9 — the program was killed by SIGKILL, for it took too long"]
            {
                browser.evaluate(&format!("document.querySelector('#state').textContent = {said:?}"));
                let parts = "[...document.querySelectorAll('.bar > *')].map(part => part.getBoundingClientRect())";
                let overlap = format!("Math.min(...{parts}.map(r => r.bottom)) - Math.max(...{parts}.map(r => r.top))");
                assert!(browser.evaluate(&overlap).as_f64().unwrap() > 0.0, "{page} at {width}: {said}");
                let height = browser.evaluate("document.querySelector('.bar').offsetHeight").as_i64().unwrap();
                assert!(height <= 52, "{page} at {width}: the header has {height} pixels: {said}");
            }
            if page == "console" {
                continue; // its log tells the rest
            }
            browser.click("#state");
            let height = browser.evaluate("document.querySelector('.bar').offsetHeight").as_i64().unwrap();
            assert!(height > 52, "{page} at {width}: a tap shows all of it");
        }
    }
}

#[test]
fn a_touch_screen_is_told_of_no_keys() {
    let Some((mut browser, demos)) = one() else { return };
    for (page, help) in [("connect4.html", "#help"), ("draw.html", "#keys"), ("console", "#keys")] {
        browser.open(&demos.url(page));
        let is_shown = format!("document.querySelector({help:?}).offsetHeight > 0");
        assert_eq!(browser.evaluate(&is_shown), true, "{page}");

        browser.touch();

        assert_eq!(browser.evaluate(&is_shown), false, "{page}");
        let mut other = browser.another();
        std::mem::swap(&mut browser, &mut other);
    }
}

#[test]
fn a_drawing_has_one_look_in_both_colour_schemes() {
    let Some((mut light, mut dark, demos)) = two() else { return };
    dark.prefer("dark");
    light.prefer("light");
    demos.open(&mut light, "draw.html");
    demos.open(&mut dark, "draw.html");
    let mut stranger = demos.server.connect("/draw");
    for colour in 0..7 {
        let x = 100 + 150 * colour;
        stranger.text(&format!(r#"{{"colour":{colour},"width":2,"points":[{x},100,{x},1100]}}"#));
    }
    let is_drawn = "document.querySelector('#drawn').getContext('2d').getImageData(1000, 600, 1, 1).data[3] === 255";
    let points: Vec<_> = (0..8).map(|stroke| ((25.0 + 150.0 * f64::from(stroke)) / 1200.0, 0.5)).collect();
    let strokes: Vec<_> = points.iter().map(|(x, y)| (x + 75.0 / 1200.0, *y)).take(7).collect();
    let pens: Vec<_> = (1..=7).map(|nth| format!("#colours label:nth-of-type({nth}) span")).collect();

    for page in [&mut light, &mut dark] {
        page.bring_to_front();
        page.expect(is_drawn);
    }
    light.bring_to_front();
    let seen = light.colours("#paper", &[points.clone(), strokes.clone()].concat());
    let inks: Vec<_> = pens.iter().map(|pen| colour(&mut light, pen, MIDDLE)).collect();
    dark.bring_to_front();
    assert_eq!(dark.colours("#paper", &[points, strokes].concat()), seen);
    assert_eq!(pens.iter().map(|pen| colour(&mut dark, pen, MIDDLE)).collect::<Vec<_>>(), inks);
    assert_eq!(seen[8..], inks, "a pen draws in the colour that it shows");

    let page = colour(&mut dark, ".foot", (0.99, 0.5));
    assert_told_apart("paper and page in the dark", seen[0], page);
}

#[test]
fn the_paper_is_larger_on_phones() {
    let Some((mut browser, demos)) = one() else { return };
    demos.open(&mut browser, "draw.html");

    browser.resize(390, 844);

    browser.expect("innerWidth === 390");
    let size = browser
        .evaluate("(({ width, height }) => [width, height])(document.querySelector('#paper').getBoundingClientRect())");
    assert_eq!(size, json!([390, 390]));
}

#[test]
fn forced_colours_leave_board_and_discs_visible() {
    let Some((mut ada, mut bob, demos)) = two() else { return };
    demos.open(&mut ada, "connect4.html");
    ada.expect_text("#news", "Waiting for an opponent");
    demos.open(&mut bob, "connect4.html");
    let cell = |column: u32, from_above: u32| format!(".column:nth-child({column}) .cell:nth-child({from_above})");
    for (turn, column) in (1..).zip(["4", "4", "3", "3", "5", "5"]) {
        let [player, other] = if turn % 2 == 1 { [&mut ada, &mut bob] } else { [&mut bob, &mut ada] };
        player.expect_text("#news", "Your turn");
        player.press(column);
        other.expect(&format!("document.querySelectorAll('[data-disc=\"1\"], [data-disc=\"2\"]').length === {turn}"));
    }
    ada.bring_to_front();
    ada.resize(1280, 844);
    for scheme in ["light", "dark"] {
        ada.force_colours(scheme);

        let page = colour(&mut ada, ".foot", (0.99, 0.5));
        let edge = (0.5, 0.02);
        assert_told_apart("board and page", colour(&mut ada, "#board", (0.5, 0.003)), page);
        let [empty, one, two] = [cell(1, 6), cell(4, 6), cell(4, 5)]
            .map(|cell| [edge, MIDDLE, (0.08, 0.5)].map(|point| colour(&mut ada, &cell, point)));
        assert_told_apart("the edge of an empty cell", empty[0], empty[1]);
        assert_told_apart("a disc of player one and an empty cell", one[1], empty[1]);
        assert_told_apart("the ring of player two and an empty cell", two[2], empty[2]);
        assert_told_apart("the discs of both", one[1], two[1]);
        assert_told_apart("the last disc", colour(&mut ada, &cell(5, 5), MIDDLE), two[1]);
        assert_told_apart("the sample of the own discs", colour(&mut ada, "#seat", (0.02, 0.5)), page);
    }
    ada.expect_text("#news", "Your turn");
    ada.press("6");
    ada.expect_text("#news", "You win");
    let [winning, other] = [cell(3, 6), cell(1, 6)].map(|cell| {
        let above = ada.evaluate(&format!(
            "(() => {{
                const [board, cell] = ['#board', {cell:?}].map(one => document.querySelector(one).getBoundingClientRect());
                return [(cell.x + cell.width / 2 - board.x) / board.width, (cell.y - board.y) / board.height];
            }})()"
        ));
        colour(&mut ada, "#board", serde_json::from_value(above).unwrap())
    });
    assert_told_apart("the ring of a winning disc and no ring", winning, other);
}

#[test]
fn forced_colours_leave_paper_pens_and_the_selection_visible() {
    let Some((mut browser, demos)) = one() else { return };
    demos.open(&mut browser, "draw.html");
    let plain: Vec<_> =
        (1..=7).map(|nth| colour(&mut browser, &format!("#colours label:nth-of-type({nth}) span"), MIDDLE)).collect();
    for scheme in ["light", "dark"] {
        browser.force_colours(scheme);

        let page = colour(&mut browser, ".foot", (0.99, 0.5));
        assert_told_apart("the edge of the paper", colour(&mut browser, "#paper", (0.0, 0.5)), page);
        for (nth, plain) in (1..).zip(&plain) {
            let pen = format!("#colours label:nth-of-type({nth}) span");
            assert_eq!(colour(&mut browser, &pen, MIDDLE), *plain, "the sample of colour {nth} shows its colour");
            assert_told_apart("the edge of a sample", colour(&mut browser, &pen, (0.5, 0.02)), page);
        }
        for nth in 1..=3 {
            let pen = format!("#widths label:nth-of-type({nth}) span");
            assert_told_apart("a pen", colour(&mut browser, &pen, MIDDLE), page);
        }
        for (tools, count) in [("#colours", 7), ("#widths", 3)] {
            for chosen in [2, 1] {
                browser.click(&format!("{tools} label:nth-of-type({chosen}) input"));
                for nth in 1..=count {
                    let ring = colour(&mut browser, &format!("{tools} label:nth-of-type({nth})"), (0.5, 0.03));
                    let is_marked = contrast(ring, page) >= 3.0;
                    assert_eq!(is_marked, nth == chosen, "{tools} {nth} of which {chosen} is chosen: {ring:?}");
                }
            }
        }
    }
}

#[test]
fn forced_colours_leave_what_is_marked_marked() {
    if !has("bc") {
        return;
    }
    let Some((mut browser, demos)) = one() else { return };
    demos.open(&mut browser, "calculator.html");
    browser.enter("#line", "1/0");
    browser.enter("#line", "6*7");
    browser.expect_text("#log .answer", "42");
    let mut counter = browser.another();
    demos.open(&mut counter, "counter.html");
    counter.enter("#line", "hello");
    counter.expect_text("#log .sent", "hello");
    browser.bring_to_front();
    browser.force_colours("dark");
    let page = colour(&mut browser, ".foot", (0.99, 0.5));
    assert_told_apart("an error", colour(&mut browser, "#log .bad", (0.002, 0.5)), page);
    assert_eq!(colour(&mut browser, "#log .answer", (0.002, 0.5)), page, "an answer has no bar");

    counter.bring_to_front();
    counter.force_colours("dark");
    let edges = [0.0, 0.002, 0.004].map(|x| (x, 0.5));
    assert!(counter.colours("#log .sent", &edges).iter().any(|edge| contrast(*edge, page) >= 3.0), "a sent line");
}

#[test]
fn forced_colours_leave_the_choices_of_the_console_visible() {
    let Some((mut browser, demos)) = one() else { return };
    browser.open(&demos.url("console"));
    browser.resize(1280, 844);
    browser.click("#pause");
    browser.expect("document.querySelector('#pause').ariaPressed === 'true'");
    // What comes late moves the rest.
    browser.expect("!document.querySelector('.program').hidden && document.querySelector('#count').innerText !== ''");
    for scheme in ["light", "dark"] {
        browser.force_colours(scheme);

        let corner = (0.5, 0.15);
        let choice = |nth: u32| format!("#direction label:nth-of-type({nth}) span");
        let [all, received] = [choice(1), choice(2)].map(|choice| colour(&mut browser, &choice, corner));
        assert_told_apart("a choice and another", all, received);
        let [pause, clear] = ["#pause", "#clear"].map(|button| colour(&mut browser, button, corner));
        assert_told_apart("a pressed button and another", pause, clear);
    }
}

#[test]
fn every_look_leaves_the_marks_under_problems_visible() {
    if !has("pylsp") {
        return;
    }
    let Some((mut browser, demos)) = one() else { return };
    demos.open(&mut browser, "lsp.html");
    browser.expect("!!document.querySelector('#marks .bad') && !!document.querySelector('#marks .wait')");
    let below: Vec<_> = (0..40).map(|step| (f64::from(step % 10) / 10.0, 0.85 + f64::from(step / 10) * 0.05)).collect();
    for look in ["light", "dark", "forced light", "forced dark"] {
        match look.strip_prefix("forced ") {
            Some(scheme) => browser.force_colours(scheme),
            None => browser.prefer(look),
        }

        let panel = colour(&mut browser, "#text", (0.9, 0.9));
        for mark in [".bad", ".wait"] {
            let seen = browser.colours(&format!("#marks {mark}"), &below);
            assert!(seen.iter().any(|point| contrast(*point, panel) >= 3.0), "{look}, {mark}: {seen:?} on {panel:?}");
        }
    }
}

/// With `WSD_PICTURES=1` it writes each look to `target/pictures`, for people: `cargo test --test browser every_page_fits`.
#[test]
fn every_page_fits_its_window_in_every_look() {
    let Some(mut browser) = Browser::start() else { return };
    let demos = Demos::start(Vec::new());
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/pictures");
    let is_for_people = std::env::var_os("WSD_PICTURES").is_some();
    if is_for_people {
        std::fs::create_dir_all(&folder).unwrap();
    }
    for page in PAGES.into_iter().chain(["console"]) {
        let name = if page.is_empty() { "index" } else { page.trim_end_matches(".html") };
        browser.prefer("light");
        browser.open(&demos.url(page));
        for width in [390, 1280] {
            browser.resize(width, 844);
            for look in ["light", "dark", "forced"] {
                if look == "forced" {
                    browser.force_colours("dark");
                } else {
                    browser.prefer(look);
                }
                let overflow = browser.evaluate("document.documentElement.scrollWidth - innerWidth").as_i64().unwrap();
                assert!(overflow <= 0, "{name}, {width} pixels, {look}: {overflow} pixels too wide");
                if is_for_people {
                    let picture = data_encoding::BASE64.decode(browser.picture_of("body").as_bytes()).unwrap();
                    std::fs::write(folder.join(format!("{name}-{width}-{look}.png")), picture).unwrap();
                }
            }
        }
    }
}
