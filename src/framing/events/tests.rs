use super::*;

fn told(tell: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut input = Vec::new();
    tell(&mut input);
    String::from_utf8(input).expect("JSON is text")
}

#[test]
fn events_are_lines() {
    let env = [("REMOTE_ADDR", "::1"), ("QUERY_STRING", "a\"b")];
    assert_eq!(
        told(|input| open("7", None, env.into_iter(), input)),
        "{\"event\":\"open\",\"client\":\"7\",\"env\":{\"QUERY_STRING\":\"a\\\"b\",\"REMOTE_ADDR\":\"::1\"}}\n"
    );
    assert_eq!(
        told(|input| message("7", Kind::Text, "a\nb\"é".as_bytes(), input)),
        "{\"event\":\"message\",\"client\":\"7\",\"text\":\"a\\nb\\\"é\"}\n"
    );
    assert_eq!(
        told(|input| message("7", Kind::Binary, &[0, 255], input)),
        "{\"event\":\"message\",\"client\":\"7\",\"binary\":\"AP8=\"}\n"
    );
    assert_eq!(
        told(|input| close("7", 1001, "bye", input)),
        "{\"event\":\"close\",\"client\":\"7\",\"code\":1001,\"reason\":\"bye\"}\n"
    );
}

#[test]
fn lines_are_commands() {
    let send = |to| Command::Send { kind: Kind::Text, payload: b"x".to_vec(), to };
    let table = [
        (r#"{"text":"x"}"#, send(Receivers::All)),
        (r#"{"to":"7","text":"x"}"#, send(Receivers::Only(vec!["7".into()]))),
        (r#"{"text":"x","to":["7","8"]}"#, send(Receivers::Only(vec!["7".into(), "8".into()]))),
        (r#"{"text":"x","to":["8","7","8"]}"#, send(Receivers::Only(vec!["7".into(), "8".into()]))),
        (r#"{"text":"x","except":"7"}"#, send(Receivers::Except("7".into()))),
        (r#"{"binary":"AP8="}"#, Command::Send { kind: Kind::Binary, payload: vec![0, 255], to: Receivers::All }),
        (r#"{"close":"7"}"#, Command::Close { client: "7".into(), code: 1000, reason: String::new() }),
        (
            r#"{"close":"7","code":4001,"reason":"no"}"#,
            Command::Close { client: "7".into(), code: 4001, reason: "no".into() },
        ),
    ];
    for (line, want) in table {
        assert_eq!(command(line.as_bytes()), Ok(want), "{line}");
    }
    for line in [
        "",
        "hello",
        "[]",
        r#"["x"]"#,
        "{}",
        r#"{"text":1}"#,
        r#"{"text":"x","binary":"AA=="}"#,
        r#"{"text":"x","to":"7","except":"8"}"#,
        r#"{"binary":"?"}"#,
        r#"{"close":"7","code":1001}"#,
        r#"{"close":"7","code":5000}"#,
        r#"{"close":"7","to":"8"}"#,
        r#"{"text":"x","code":4000}"#,
        r#"{"text":"x","hue":"blue"}"#,
        r#"{"text":"x","to":7}"#,
        r#"{"text":"x","to":["7",8]}"#,
        r#"{"text":"x","to":["7",null]}"#,
        r#"{"text":"x","except":["7"]}"#,
        r#"{"text":"x","to":"7","to":"8"}"#,
    ] {
        assert!(command(line.as_bytes()).is_err(), "{line}");
    }
}

#[test]
fn an_invalid_character_costs_itself_only() {
    let table: [(&[u8], &str); 10] = [
        (b"\xef\xbb\xbf{\"text\":\"mark\"}", "mark"),
        (b"{\"text\":\"no UTF-8 \xff\"}", "no UTF-8 \u{fffd}"),
        (br#"{"text":"high \ud83d"}"#, "high \u{fffd}"),
        (br#"{"text":"low \uDC00!"}"#, "low \u{fffd}!"),
        (br#"{"text":"pair \ud83d\ude00 half \ud83d"}"#, "pair \u{1f600} half \u{fffd}"),
        (br#"{"text":"wrong way \ude00\ud83d"}"#, "wrong way \u{fffd}\u{fffd}"),
        (br#"{"text":"two highs \ud83d\ud83d\ude00"}"#, "two highs \u{fffd}\u{1f600}"),
        (br#"{"text":"escaped \\ud83d \ud83d"}"#, "escaped \\ud83d \u{fffd}"),
        (b"{\"text\":\"both \xc3 \\ud83d\"}", "both \u{fffd} \u{fffd}"),
        (br#"{"text":"newline \n \ud83d"}"#, "newline \n \u{fffd}"),
    ];
    for (line, want) in table {
        let send = Command::Send { kind: Kind::Text, payload: want.into(), to: Receivers::All };
        assert_eq!(command(line), Ok(send), "{want}");
    }
    for cut in [br#"{"text":"\"#.as_slice(), br#"{"text":"\u"#, br#"{"text":"\ud83"#, "{\"text\":\"\\é".as_bytes()] {
        assert!(command(cut).is_err(), "{}", cut.escape_ascii());
    }
}

#[test]
fn a_null_is_no_value() {
    let table = [
        ("text", r#"{"text":null}"#),
        ("binary", r#"{"text":"x","binary":null}"#),
        ("to", r#"{"text":"secret","to":null}"#),
        ("except", r#"{"text":"x","except":null}"#),
        ("close", r#"{"text":"x","close":null}"#),
        ("code", r#"{"close":"7","code":null}"#),
        ("reason", r#"{"close":"7","reason":null}"#),
    ];
    for (key, line) in table {
        let why = command(line.as_bytes()).expect_err(line);
        assert_eq!(why, format!("`{key}` is null: leave the key out, or give it a value"));
    }
}

#[test]
fn the_borders_of_reads_do_not_matter() {
    let output = "{\"text\":\"a\"}\n\nrubbish\n{\"text\":\"é\"}\n{\"close\":\"7\"}".as_bytes();
    let said = |size: usize| {
        let (mut said, mut commands) = (Vec::new(), Commands::default());
        let mut on = |what: ParsedLine<'_>| said.push(format!("{what:?}"));
        for read in output.chunks(size) {
            commands.decode(read, &mut on);
        }
        commands.finish(&mut on);
        said
    };
    assert_eq!(said(output.len()).len(), 4);
    for size in 1..output.len() {
        assert_eq!(said(size), said(output.len()), "reads of {size}");
    }
}

#[test]
fn a_line_over_the_limit_is_skipped_and_the_next_one_counts() {
    let (mut said, mut commands) = (Vec::new(), Commands::default());
    let mut on = |what: ParsedLine<'_>| said.push(matches!(what, ParsedLine::Command(_)));
    commands.decode(&vec![b'x'; COMMAND_BYTES_MAX + 1], &mut on);
    commands.decode(b"y\n{\"text\":\"a\"}\n", &mut on);
    assert_eq!(said, [false, true]);
    assert!(commands.held.is_empty());
}

#[test]
fn the_bytes_of_a_message_are_known_before_it_is_encoded() {
    for text in ["", "plain", "\u{1}\n\t\u{1f}", "\"\\\"", "äöü\u{2028}", "\u{7f}/"] {
        for kind in [Kind::Text, Kind::Binary] {
            let mut input = Vec::new();
            message("client", kind, text.as_bytes(), &mut input);
            let most = message_bytes("client", kind, text.as_bytes());
            assert!((input.len()..=input.len() + 4 * text.len() + 4).contains(&most), "{text:?} {kind:?}: {most}");
        }
    }
}
