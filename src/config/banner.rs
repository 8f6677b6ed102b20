//! The banner: what is served, from where, and who may connect.

use std::fmt::Write;

use crate::{cli::Flags, http::origin::Policy, server::listen, worker::environ::VERSION};

/// A few lines for the reader at the terminal.
pub(super) fn banner(flags: &Flags, listen: &listen::Options, origin: &Policy) -> String {
    let mut banner = format!("wsd {VERSION}\n");
    let mut line = |what: &str, is: &str| {
        // Writing to a string cannot fail.
        let _ = writeln!(banner, "  {what:<8} {is}");
    };
    if !flags.command.is_empty() {
        let words: Vec<_> = flags.command.iter().map(|word| word.to_string_lossy()).collect();
        line("program", &format!("{}, one for each WebSocket", words.join(" ")));
    }
    if let Some(dir) = &flags.dir {
        line("programs", &format!("in {}, by the path of the URL", dir.display()));
    }
    if let Some(dir) = &flags.staticdir {
        line("files", &format!("in {}", dir.display()));
    }
    line("clients", &clients(listen));
    line("pages", pages(origin));
    banner
}

fn clients(listen: &listen::Options) -> String {
    match &listen.addresses {
        None => "of this machine only; --address=0.0.0.0 admits others".to_owned(),
        Some(addresses) => {
            let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
            format!("that reach {}", addresses.join(", "))
        }
    }
}

fn pages(origin: &Policy) -> &'static str {
    match origin {
        Policy::Same | Policy::Sameorigin => "of the same origin; --origin admits others",
        Policy::Listed { .. } => "of the origins in --origin",
        Policy::Any => "of any origin",
    }
}
