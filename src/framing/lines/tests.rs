use super::*;

/// Returns the messages of `reads`, each as its pieces.
fn decode<'a>(reads: impl IntoIterator<Item = &'a [u8]>) -> Vec<Vec<Vec<u8>>> {
    let mut lines = Lines::<b'\n'>::default();
    let mut messages: Vec<Vec<Vec<u8>>> = Vec::new();
    let mut is_open = false;
    let mut emit = |piece: Piece<'_>| {
        assert_eq!(piece.first, !is_open, "a message begins exactly where the last one ended");
        assert!(str::from_utf8(piece.payload).is_ok(), "each piece is whole characters");
        if piece.first {
            messages.push(Vec::new());
        }
        messages.last_mut().expect("a first piece came").push(piece.payload.to_vec());
        is_open = !piece.last;
    };
    for read in reads {
        lines.decode(read, &mut emit);
    }
    lines.finish(&mut emit);
    assert!(!is_open, "the last message ends");
    assert!(lines.held.is_empty());
    messages
}

fn whole(messages: Vec<Vec<Vec<u8>>>) -> Vec<String> {
    messages.into_iter().map(|pieces| String::from_utf8(pieces.concat()).expect("text")).collect()
}

#[test]
fn output_becomes_lines() {
    let table: [(&str, &[u8], &[&str]); 13] = [
        ("nothing", b"", &[]),
        ("a line", b"a\n", &["a"]),
        ("two", b"a\nb\n", &["a", "b"]),
        ("no newline at the end", b"a\nb", &["a", "b"]),
        ("empty lines", b"\n\n", &["", ""]),
        ("carriage return and newline", b"a\r\nb\r\n", &["a", "b"]),
        ("carriage return alone", b"a\rb\n", &["a\rb"]),
        ("two carriage returns", b"a\r\r\n", &["a\r"]),
        ("carriage return at the end", b"a\r", &["a\r"]),
        ("characters of all lengths", "é€😀\n".as_bytes(), &["é€😀"]),
        ("a byte that is no text", b"a\xFFb\n", &["a\u{FFFD}b"]),
        ("an unfinished character", b"\xE2\x82\nx\n\xF0\x9F", &["\u{FFFD}", "x", "\u{FFFD}"]),
        ("a lone continuation", b"\x80\n", &["\u{FFFD}"]),
    ];
    for (what, output, want) in table {
        assert_eq!(whole(decode([output])), want, "{what}");
    }
}

#[test]
fn the_borders_of_reads_do_not_matter() {
    let mut output = b"one\r\n\ntwo\rx\nd\xC3\xA9j\xC3\xA0 \xF0\x9F\x98\x80\n\xFF\xE2\x82\n".to_vec();
    output.extend_from_slice("é".repeat(LINE_BYTES_HELD).as_bytes());
    output.extend_from_slice(b"\r\nlast");
    let want = whole(decode([&output[..]]));

    let short = 60;
    for first in 0..short {
        for second in first..short {
            let reads = [&output[..first], &output[first..second], &output[second..]];
            assert_eq!(whole(decode(reads.into_iter().filter(|read| !read.is_empty()))), want, "{first}, {second}");
        }
    }
    for size in [1, 2, 3, 5, 7, 4096, 65_535, 65_536, 65_537] {
        assert_eq!(whole(decode(output.chunks(size))), want, "reads of {size}");
    }
}

#[test]
fn a_line_is_whole_up_to_the_limit_and_in_pieces_beyond() {
    let line = vec![b'x'; LINE_BYTES_HELD];
    let lengths =
        |reads: &[&[u8]]| -> Vec<usize> { decode(reads.iter().copied()).concat().iter().map(Vec::len).collect() };
    assert_eq!(lengths(&[&line, b"\n"]), [LINE_BYTES_HELD]);
    assert_eq!(lengths(&[&line, b"yz", b"!\n"]), [LINE_BYTES_HELD + 2, 1]);
}

#[test]
fn memory_stays_flat_within_an_endless_line() {
    let mut lines = Lines::<b'\n'>::default();
    for _ in 0..100 {
        lines.decode(&vec![b'x'; 60_000], &mut |_| {});
        assert!(lines.held.capacity() <= 2 * LINE_BYTES_HELD);
    }
}

#[test]
fn a_message_becomes_a_line() {
    let mut input = Vec::new();
    for message in [&b"a"[..], b"", b"b\nc", b"d\n", b"e\r\n", b"f\r", b"g\n\n", b"\n"] {
        encode::<b'\n'>(message, &mut input);
    }
    assert_eq!(input, b"a\n\nb\nc\nd\ne\nf\r\ng\n\n\n");
}
