//! The banner: what is served, from where, and who may connect.

use std::fmt::Write;

use super::file::{Route, Setting};
use crate::{
    cli::{self, Flags},
    http::origin::Policy,
    server::{
        listen::{self, Addresses},
        systemd,
    },
    worker::environ::VERSION,
};

/// A few lines for the reader at the terminal.
pub(super) fn banner(flags: &Flags, routes: &[Route], listen: &listen::Options, origin: &Policy) -> String {
    let mut banner = format!("wsd {VERSION}\n");
    let mut line = |what: &str, is: &str| {
        // Writing to a string cannot fail.
        let _ = writeln!(banner, "  {what:<8} {is}");
    };
    if !flags.command.is_empty() {
        let words: Vec<_> = flags.command.iter().map(|word| word.to_string_lossy()).collect();
        let how = match flags.shared.as_deref() {
            None | Some("false") => "one for each WebSocket",
            Some("path") => "one for each path",
            Some(_) => "one for all",
        };
        line("program", &format!("{}, {how}", words.join(" ").escape_debug()));
    }
    let folders = [
        ("programs", &flags.dir, ", by the path of the URL"),
        ("scripts", &flags.cgidir, ", by CGI"),
        ("files", &flags.staticdir, ""),
    ];
    for (what, folder, how) in folders {
        if let Some(folder) = folder {
            line(what, &format!("in {}{how}", folder.display()));
        }
    }
    for route in routes {
        let of_folder = |setting: &Setting| matches!(&*setting.name, "dir" | "staticdir" | "cgidir");
        let folders = route.settings.iter().filter(|setting| of_folder(setting)).flat_map(|setting| &setting.words);
        let words: Vec<_> = route.command.iter().chain(folders).map(|word| word.to_string_lossy()).collect();
        line("route", &format!("{} {}", route.path, words.join(" ").escape_debug()));
    }
    if flags.devconsole {
        line("console", "where nothing else answers");
    }
    line("clients", &clients(flags, listen));
    line("pages", pages(origin, flags));
    if let Some(flag) = cli::misplaced(&flags.command) {
        line("hint", &format!("--{flag} after COMMAND belongs to it; wsd's own flags stand before"));
    }
    banner
}

fn clients(flags: &Flags, listen: &listen::Options) -> String {
    let mut who = match &listen.tcp {
        None => "of this machine only, by the Unix socket".to_owned(),
        Some((Addresses::Loopback, _)) => "of this machine only; --address=0.0.0.0 admits others".to_owned(),
        Some((Addresses::All, _)) => "that reach any address of this machine".to_owned(),
        Some((Addresses::These(names), _)) => {
            let addresses: Vec<_> = names.iter().flatten().map(ToString::to_string).collect();
            format!("that reach {}", addresses.join(", "))
        }
    };
    if systemd::hands_over() {
        let sockets = "that reach the sockets handed over";
        who = if listen.is_default { sockets.to_owned() } else { format!("{who}, or {sockets}") };
    }
    if flags.sslca.as_ref().is_some_and(|file| !file.is_empty()) {
        who += ", with a certificate";
    }
    who
}

fn pages(origin: &Policy, flags: &Flags) -> &'static str {
    match origin {
        Policy::Same | Policy::Sameorigin => "of the same origin; --origin admits others",
        Policy::Listed { .. } => "of the origins in --origin",
        Policy::Any if flags.anyorigin => "of any origin",
        Policy::Any => UNASKED,
    }
}

/// What is said about pages when any may connect and nobody has asked for that.
const UNASKED: &str = "of ANY origin, the whole web: --sameorigin, --origin or --anyorigin says what is meant";

/// What is said in place of the banner where the level of the log leaves that out.
pub(super) fn warning(flags: &Flags, origin: &Policy) -> String {
    let is_unasked = pages(origin, flags) == UNASKED;
    if is_unasked { format!("wsd: pages {UNASKED}\n") } else { String::new() }
}
