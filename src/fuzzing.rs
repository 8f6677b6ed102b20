//! Properties that hold for any input: one function for each target in `fuzz/`, which panics if a property fails.

mod frames;
mod framings;
mod offers;
mod protocols;
mod proxies;

use std::sync::LazyLock;

pub use frames::frames;
pub use framings::{json, length, lines, nul, tty};
pub use offers::offers;
pub use protocols::{jsonrpc, lsp};
pub use proxies::{forwarded_for, proxy_header};

use crate::{
    answer::{self, routes::Routes},
    config,
    http::{
        listed::ListedOrigin,
        origin::{Aim, Policy, RefusedHeader},
    },
};

/// Checks the parser of the head of a CGI script's answer.
pub fn cgi_head(data: &[u8]) {
    answer::fuzzing::cgi_head(data);
}

/// Checks how the target of a request finds its route.
pub fn target(data: &[u8]) {
    static ROUTES: LazyLock<Routes> = LazyLock::new(|| {
        let folder = env!("CARGO_MANIFEST_DIR");
        let route = |path: &str, what: &str| format!("[[route]]\npath = {path:?}\n{what}\n");
        let files = format!("staticdir = {folder:?}");
        let (cgi, programs) = (format!("cgidir = '{folder}/examples'"), format!("dir = '{folder}/packaging'"));
        let all = [
            route("/é/*", &files),
            route("/日本/*", &format!("staticdir = '{folder}/src'")),
            route("/日/*", &programs),
            route("/a b/*", &cgi),
            route("/cat/*", "command = ['/bin/cat']"),
            route("/é/é", "command = ['/bin/cat']"),
            route("/", &format!("staticdir = '{folder}/static'")),
        ];
        config::fuzzing::routes(&all.concat()).expect("good routes")
    });
    answer::fuzzing::target(&ROUTES, data);
}

/// Checks Origin, Host and `--origin`, a line each: a stricter policy admits less, and the case of a host does not matter.
pub fn origin(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.split('\n').map(|line| Some(line).filter(|line| !line.is_empty()));
    let mut next = || lines.next().flatten();
    let (origin, host, list) = (next(), next(), next().unwrap_or_default());
    let entries: Vec<_> = list.split(',').filter_map(|entry| ListedOrigin::parse(entry).ok()).collect();
    let listed = |sameorigin| Policy::Listed { entries: entries.clone(), sameorigin };
    let (origin_up, host_up) = (origin.map(str::to_ascii_uppercase), host.map(str::to_ascii_uppercase));
    for is_loopback in [false, true] {
        let check = |policy: &Policy| policy.check(Aim::Session, origin, host, is_loopback);
        let implies =
            |strict: &Policy, lax: &Policy| assert!(check(strict).is_err() || check(lax).is_ok(), "{strict:?}");
        implies(&listed(true), &listed(false));
        implies(&listed(true), &Policy::Sameorigin);
        assert_eq!(check(&Policy::Any), Ok(()));
        for policy in [Policy::Same, Policy::Sameorigin] {
            let up = policy.check(Aim::Session, origin_up.as_deref(), host_up.as_deref(), is_loopback);
            assert_eq!(up, check(&policy), "{policy:?}");
            let is_passed = policy.check(Aim::Script, origin, host, is_loopback).is_ok();
            assert!(!is_passed || policy.check(Aim::Page, origin, host, is_loopback).is_ok());
        }
    }
    let same = |is_loopback| Policy::Same.check(Aim::Session, origin, host, is_loopback);
    assert!(same(true).is_err() || same(false).is_ok(), "loopback is stricter");
    assert!(same(false) != Err(RefusedHeader::Host), "elsewhere any name will do");
    if origin.is_some() {
        assert_eq!(Policy::Sameorigin.check(Aim::Session, origin, host, false), same(false));
    }
}

/// Checks the parser of a file of settings.
pub fn config(data: &[u8]) {
    if let Ok(text) = str::from_utf8(data) {
        config::fuzzing::config(text);
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    #[test]
    fn the_seeds_of_the_fuzz_targets_break_no_law() {
        type Named = (&'static str, fn(&[u8]));
        const TARGETS: [Named; 15] = [
            ("frames", super::frames),
            ("lines", super::lines),
            ("json", super::json),
            ("nul", super::nul),
            ("length", super::length),
            ("jsonrpc", super::jsonrpc),
            ("lsp", super::lsp),
            ("tty", super::tty),
            ("cgi_head", super::cgi_head),
            ("target", super::target),
            ("origin", super::origin),
            ("forwarded", super::forwarded_for),
            ("proxy_header", super::proxy_header),
            ("offers", super::offers),
            ("config", super::config),
        ];
        for (name, target) in TARGETS {
            let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(name);
            let seeds: Vec<_> = fs::read_dir(seeds).expect("a folder of seeds").collect();
            assert!(!seeds.is_empty(), "{name} has seeds");
            for seed in seeds {
                target(&fs::read(seed.expect("an entry").path()).expect("a seed"));
            }
        }
    }

    /// Returns pseudorandom numbers: xorshift (Marsaglia, 2003).
    fn random(mut state: u64) -> impl FnMut(usize) -> usize {
        move |below| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state % below as u64).expect("a small number")
        }
    }

    #[test]
    fn random_headers_of_such_parts_break_no_law() {
        const OF_LISTS: &[&[u8]] = &[
            b",",
            b";",
            b"\"",
            b"\\",
            b"=",
            b"for=",
            b"1.1.1.1",
            b"[::1]:80",
            b" ",
            b"unknown",
            b"_x",
            b"\xFF",
            b"host",
        ];
        const OF_LINES: &[&[u8]] =
            &[b"PROXY ", b"TCP4 ", b"TCP6 ", b"1.1.1.1 ", b"::1 ", b"80", b" ", b"\r\n", b"UNKNOWN", b"\xFF", b"x"];
        const OF_BLOCKS: &[&[u8]] =
            &[b"\r\n\r\n\0\r\nQUIT\n", b"\x21", b"\x20", b"\x11", b"\0\x0C", b"\0\x24", b"\0\0", b"abc"];
        type Parts = (fn(&[u8]), &'static [&'static [u8]]);
        const OF_OFFERS: &[&[u8]] = &[
            b"permessage-deflate",
            b"; server_no_context_takeover",
            b";client_no_context_takeover",
            b"; server_max_window_bits=10",
            b"; client_max_window_bits",
            b"=\"12\"",
            b"=16",
            b",",
            b";",
            b"\"",
            b" ",
            b"\xFF",
        ];
        let laws: [Parts; 4] = [
            (super::forwarded_for, OF_LISTS),
            (super::proxy_header, OF_LINES),
            (super::proxy_header, OF_BLOCKS),
            (super::offers, OF_OFFERS),
        ];
        for (law, parts) in laws {
            for seed in 1..=2000 {
                let mut random = random(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(seed));
                // Half of the inputs begin as a header does.
                let first = if seed % 2 == 0 { parts[0] } else { &[] };
                let more = (0..random(12)).flat_map(|_| parts[random(parts.len())]);
                law(&first.iter().chain(more).copied().collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn random_output_of_such_parts_breaks_no_law_of_a_framing() {
        type Codec = (fn(&[u8]), &'static [&'static [u8]]);
        const CODECS: [Codec; 7] = [
            (super::lines, &[b"\n", b"\r\n", b"\r", b"a", "é".as_bytes(), "😀".as_bytes(), b"\xF0\x9F", b"\xFF"]),
            (super::json, &[b"{\"text\":\"", b"\"}\n", b"a", b"\\ud83d", b"\xFF", b"\n", b"{\"close\":\"7\"}"]),
            (super::nul, &[b"\0", b"\n", b"\r", b"a", "é".as_bytes(), "😀".as_bytes(), b"\xF0\x9F", b"\xFF"]),
            (super::length, &[b"\0", b"\0\0\0", b"\x01", b"\x02a", b"\0\0\0\x03abc", b"\0\0\x01", b"\xFF"]),
            (
                super::jsonrpc,
                &[
                    b"{",
                    b"}",
                    b"\"a\"",
                    b":1",
                    b"\\",
                    b"\n",
                    b"\r",
                    b"\t",
                    b" ",
                    "😀".as_bytes(),
                    b"\xEF\xBB\xBF",
                    b"\xFF",
                ],
            ),
            (
                super::lsp,
                &[
                    b"Content-Length: 3",
                    b"content-length:1",
                    b"Content-Type: a/b",
                    b"\r\n",
                    b"\n",
                    b"\r\n\r\n",
                    b"{}\n",
                    "é".as_bytes(),
                    b"-",
                    b"\xFF",
                ],
            ),
            (
                super::tty,
                &[
                    b"0",
                    b"1",
                    b"2",
                    b"3",
                    b"\n",
                    b"{\"columns\":80,\"rows\":24}",
                    b"[80,24]",
                    b"{\"rows\":0,\"columns\":1}",
                    b"\xFF",
                ],
            ),
        ];
        for (law, parts) in CODECS {
            for seed in 1..=500 {
                let mut random = random(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(seed));
                // The first bytes set limits and borders of reads.
                let mut input: Vec<u8> = [(); 2].map(|()| u8::try_from(random(256)).expect("a byte")).to_vec();
                (0..random(40)).for_each(|_| input.extend_from_slice(parts[random(parts.len())]));
                law(&input);
            }
        }
    }
}
