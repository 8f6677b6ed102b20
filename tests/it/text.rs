//! Text mode: a line a message, in both directions, and nothing lost.

use crate::harness::DEADLINE;
use crate::harness::process::gone_within;
use crate::harness::server::{Server, program};
use crate::harness::tree::Tree;
use crate::harness::websocket::{BINARY, CONTINUATION, Client, Close, Frame, TEXT};

/// A program that prints what `printf` makes of its argument.
fn printing(format: &str) -> Server {
    Server::command(&[], &["printf", format])
}

/// Sends what `say` sends, closes, and gives all that the program read up to the end of its input.
fn input_of(say: impl FnOnce(&mut Client)) -> Vec<u8> {
    let tree = Tree::new();
    let server = Server::command(&[], &[&program("collect.sh"), &tree.path("input")]);
    let mut client = server.connect("/");
    say(&mut client);
    client.close(1000);
    server.expect_log("session ended");
    tree.read("input")
}

#[test]
fn a_line_is_a_message_both_ways() {
    let server = Server::command(&[], &["cat"]);
    let mut client = server.connect("/");

    client.text("hello");
    assert_eq!(client.frame(), Frame::new(TEXT, "hello"));
    client.text("again");
    assert_eq!(client.frame(), Frame::new(TEXT, "again"));
}

#[test]
fn every_connection_gets_its_own_process() {
    let server = Server::shell(&[], "echo $$; cat", &[]);
    let (mut one, mut other) = (server.connect("/"), server.connect("/"));

    assert_ne!(one.line(), other.line());
    one.text("for one");
    other.text("for the other");

    assert_eq!((one.line(), other.line()), ("for one".to_owned(), "for the other".to_owned()));
}

#[test]
fn a_line_leaves_before_the_next_is_there() {
    let server = Server::shell(&[], "echo first; read -r _; echo second", &[]);
    let mut client = server.connect("/");

    assert_eq!(client.line(), "first");
    client.text("go on");
    assert_eq!(client.line(), "second");
}

#[test]
fn output_is_cut_at_line_ends() {
    let table: [(&str, &str, &[&str]); 9] = [
        ("lines", "a\\nb\\n", &["a", "b"]),
        ("empty lines are empty messages", "\\n\\na\\n\\n", &["", "", "a", ""]),
        ("the carriage return before a line end goes with it", "a\\r\\nb\\r\\n", &["a", "b"]),
        ("one of two carriage returns stays", "a\\r\\r\\n", &["a\r"]),
        ("a lone carriage return is text", "a\\rb\\n", &["a\rb"]),
        ("an empty line of the other kind", "\\r\\n", &[""]),
        ("the last line needs no end", "a\\nlast", &["a", "last"]),
        ("a carriage return at the very end is text", "a\\r", &["a\r"]),
        ("no output, no message", "", &[]),
    ];
    for (law, format, want) in table {
        let (lines, close) = printing(format).connect("/").rest();

        assert_eq!(lines, want, "{law}: {format}");
        assert_eq!(close, Close::new(1000, ""), "{law}: {format}");
    }
}

#[test]
fn a_line_end_split_over_two_writes_is_one_line_end() {
    let server = Server::shell(&[], "printf 'a\\r'; read -r _; printf '\\nb\\n'", &[]);
    let mut client = server.connect("/");

    client.text("go on");

    assert_eq!(client.rest().0, ["a", "b"]);
}

#[test]
fn invalid_utf8_becomes_the_replacement_character() {
    let table = [
        ("a byte that is never valid", "a\\377b", &b"a\xFFb"[..]),
        ("a sequence cut short by a letter", "\\342\\202A", b"\xE2\x82A"),
        ("a sequence cut short by the line end", "\\360\\237\\230", b"\xF0\x9F\x98"),
        ("a continuation byte alone", "\\200x", b"\x80x"),
        ("an overlong form", "\\300\\257", b"\xC0\xAF"),
        ("half of a surrogate pair", "\\355\\240\\200", b"\xED\xA0\x80"),
        ("beyond the last code point", "\\364\\220\\200\\200", b"\xF4\x90\x80\x80"),
        ("valid text stays as it is", "\\303\\251\\342\\202\\254\\360\\237\\230\\200", "é€😀".as_bytes()),
    ];
    for (law, format, bytes) in table {
        for end in ["\\n", ""] {
            let (lines, _) = printing(&format!("{format}{end}")).connect("/").rest();

            assert_eq!(lines, [String::from_utf8_lossy(bytes)], "{law}: {format}{end}");
        }
    }
}

#[test]
fn a_character_split_over_two_writes_stays_whole() {
    let server = Server::shell(&[], "printf 'a\\342\\202'; read -r _; printf '\\254b\\n'", &[]);
    let mut client = server.connect("/");

    client.text("go on");

    assert_eq!(client.rest().0, ["a€b"]);
}

#[test]
fn a_long_line_of_wide_characters_stays_whole_wherever_it_is_cut() {
    // Three bytes a character, begun at each of three offsets: whatever the size of a read, one of them is cut inside.
    for offset in 0..3 {
        let script = "printf '%*s' \"$1\" ''; yes '€' | head -n 200000 | tr -d '\\n'";
        let server = Server::shell(&[], script, &[&offset.to_string()]);
        let mut client = server.connect("/");

        let message = String::from_utf8(client.message().payload).unwrap();

        assert!(message == " ".repeat(offset) + &"€".repeat(200_000), "offset {offset}: {} bytes", message.len());
    }
}

#[test]
fn invalid_utf8_is_one_warning_a_session() {
    let server = Server::shell(&[], "yes \"$(printf 'x\\377')\" | head -n 1000", &[]);

    let (lines, _) = server.connect("/").rest();
    server.expect_log("session ended");

    assert_eq!(lines.len(), 1000);
    let warnings = server.log().iter().filter(|line| line.contains(" WARN ") && line.contains(" conn=")).count();
    assert_eq!(warnings, 1);
}

#[test]
fn input_is_the_message_and_a_line_end() {
    let table = [
        ("a message is a line", "hello", "hello\n"),
        ("an empty message is an empty line", "", "\n"),
        ("a line end inside is one more line", "a\nb", "a\nb\n"),
        ("a line end at the end is that of the line", "a\n", "a\n"),
        ("so are both of its characters", "a\r\n", "a\n"),
        ("a second line end is an empty line more", "a\n\n", "a\n\n"),
        ("a carriage return is text", "a\r", "a\r\n"),
        ("characters beyond ASCII", "é€😀", "é€😀\n"),
    ];
    for (law, message, want) in table {
        let input = input_of(|client| client.text(message));

        assert_eq!(String::from_utf8(input).unwrap(), want, "{law}");
    }
}

#[test]
fn a_binary_message_is_a_line_too() {
    assert_eq!(input_of(|client| client.binary(b"\x00\xFF")), b"\x00\xFF\n");
}

#[test]
fn fragments_are_one_line() {
    let input = input_of(|client| {
        client.send(&Frame::new(TEXT, "one ").unfinished());
        client.send(&Frame::new(CONTINUATION, "two ").unfinished());
        client.send(&Frame::new(CONTINUATION, "three"));
    });

    assert_eq!(input, b"one two three\n");
}

#[test]
fn all_that_was_sent_before_the_close_is_read_before_the_end() {
    let mut want = String::new();
    let input = input_of(|client| {
        let mut frames = Vec::new();
        for number in 1..=1000 {
            frames.extend(Frame::new(TEXT, number.to_string()).masked());
            want += &number.to_string();
            want.push('\n');
        }
        client.raw(frames);
    });

    assert_eq!(String::from_utf8(input).unwrap(), want);
}

#[test]
fn megabytes_sent_before_the_close_are_read_before_the_end() {
    let message = vec![b'x'; 1 << 20];

    let input = input_of(|client| (0..8).for_each(|_| client.binary(&message)));

    assert_eq!(input.len(), 8 * (message.len() + 1));
}

#[test]
fn all_that_was_sent_before_the_connection_broke_off_is_read_before_the_end() {
    let tree = Tree::new();
    let server = Server::command(&[], &[&program("collect.sh"), &tree.path("input")]);
    let mut client = server.connect("/");

    for number in 1..=1000 {
        client.text(&number.to_string());
    }
    drop(client);

    server.expect_log("session ended");
    assert_eq!(String::from_utf8(tree.read("input")).unwrap().lines().count(), 1000);
}

#[test]
fn a_program_that_ends_at_once_is_heard_by_a_client_that_reads_late() {
    let server = Server::shell(&[], "printf 'a\\nlast'; exit 3", &[]);
    let mut client = server.connect("/");

    assert!(gone_within(server.expect_worker(1), DEADLINE));

    assert_eq!(client.rest(), (vec!["a".to_owned(), "last".to_owned()], Close::new(4003, "exit 3")));
}

#[test]
fn two_hundred_thousand_lines_arrive_at_a_slow_reader() {
    let server = Server::command(&[], &["perl", &program("flood.pl"), "200000", "100"]);
    let mut client = server.connect("/");
    server.expect_log("blocked at ");

    let (lines, close) = client.rest();

    assert_eq!(lines.len(), 200_000);
    assert!(lines.iter().zip(1..).all(|(line, number)| line.trim_end() == number.to_string()));
    assert_eq!(close, Close::new(1000, ""));
}

#[test]
fn small_messages_are_single_frames() {
    let server = Server::shell(&[], "printf '%01000d\\n' 7; printf '%04096d\\n' 7", &[]);
    let mut client = server.connect("/");

    for length in [1000, 4096] {
        let frame = client.frame();
        assert_eq!((frame.fin, frame.opcode, frame.payload.len()), (true, TEXT, length));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_line_of_any_length_streams_through_in_flat_memory() {
    use crate::harness::process::linux::peak_memory;
    const LINE_BYTES: usize = 64 << 20;
    let server =
        Server::shell(&[], "head -c \"$1\" /dev/zero | tr '\\0' x; echo; echo next", &[&LINE_BYTES.to_string()]);
    let mut client = server.connect("/");
    let before = peak_memory(server.pid());

    let (mut bytes, mut fragments) = (0, 0);
    loop {
        let frame = client.frame();
        assert_eq!(frame.opcode, if fragments == 0 { TEXT } else { CONTINUATION });
        assert!(frame.payload.iter().all(|byte| *byte == b'x'));
        bytes += frame.payload.len();
        fragments += 1;
        if frame.fin {
            break;
        }
    }

    assert_eq!(bytes, LINE_BYTES);
    assert!(fragments > 1);
    assert_eq!(client.line(), "next");
    let growth_kib = peak_memory(server.pid()) - before;
    assert!(growth_kib < 8 << 10, "memory grew by {growth_kib} KiB");
}

#[test]
fn a_long_line_begins_to_arrive_before_it_ends() {
    let server = Server::shell(&[], "head -c 1000000 /dev/zero | tr '\\0' x; read -r _; echo", &[]);
    let mut client = server.connect("/");

    assert!(!client.frame().fin);
    client.text("go on");

    while !client.frame().fin {}
    assert_eq!(client.expect_close(), Close::new(1000, ""));
}

#[test]
fn a_client_hears_no_opcode_but_text() {
    let server = Server::shell(&[], "printf '\\000\\001\\377\\n'", &[]);
    let message = server.connect("/").message();

    assert_ne!(message.opcode, BINARY);
    assert_eq!(message, Frame::new(TEXT, "\0\u{1}\u{FFFD}"));
}

#[cfg(target_os = "linux")]
#[test]
fn many_messages_at_once_cost_few_system_calls() {
    const MESSAGES: usize = 10_000;
    let server = Server::command(&[], &["cat"]);
    let mut client = server.connect("/");
    let before = calls(&server);

    client.raw(b"\x81\x81\0\0\0\0x".repeat(MESSAGES));
    (0..MESSAGES).for_each(|_| assert_eq!(client.line(), "x"));

    let calls = calls(&server) - before;
    assert!(calls < MESSAGES / 10, "{calls} reads and writes");
}

/// Reads and writes of pipes and files so far (proc(5), `/proc/pid/io`).
#[cfg(target_os = "linux")]
fn calls(server: &Server) -> usize {
    let text = std::fs::read_to_string(format!("/proc/{}/io", server.pid())).unwrap();
    let counts = text.lines().filter_map(|line| line.strip_prefix("syscr: ").or(line.strip_prefix("syscw: ")));
    counts.map(|count| count.parse::<usize>().unwrap()).sum()
}

#[test]
fn no_frame_has_more_than_64_kib() {
    let script = "read -r _; perl -e 'print \"\\xC3\\xA9\" x 200_000, \"\\n\", \"x\" x 65_536, \"\\n\", \"y\" x 65_537, \"\\n\"'";
    for flags in [&[][..], &["--shared", "--slow=wait"]] {
        let server = Server::shell(flags, script, &[]);
        let mut client = server.connect("/");
        client.text("go");

        for want in ["é".repeat(200_000), "x".repeat(65_536), "y".repeat(65_537)] {
            let mut message = Vec::new();
            loop {
                let frame = client.frame();
                assert!(frame.payload.len() <= 65_536, "{flags:?}: a frame of {} bytes", frame.payload.len());
                assert!(str::from_utf8(&frame.payload).is_ok(), "{flags:?}: a frame ends within a character");
                message.extend_from_slice(&frame.payload);
                if frame.fin {
                    break;
                }
            }
            assert!(message == want.as_bytes(), "{flags:?}: {} bytes", message.len());
        }
    }
}
