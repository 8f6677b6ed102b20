//! Checks which pages may connect: `--origin`, `--sameorigin`, `--anyorigin`.

use super::error::Error;
use crate::{
    cli::{site::PageFlags, value::is_on},
    http::{listed::ListedOrigin, origin::Policy},
};

/// Returns the rule for pages. Under the name of websocketd the default is any page.
pub(super) fn origin(flags: &PageFlags, is_websocketd: bool) -> Result<Policy, Error> {
    let PageFlags { origin, sameorigin, anyorigin, .. } = flags;
    let list = origin.as_ref().filter(|list| !list.0.is_empty() && list.0 != [""]);
    match (list, is_on(sameorigin), is_on(anyorigin)) {
        (Some(_), _, true) => Err(Error::contradiction("--anyorigin", "--origin").about(anyorigin).about(origin)),
        (None, true, true) => {
            Err(Error::contradiction("--anyorigin", "--sameorigin").about(anyorigin).about(sameorigin))
        }
        (None, false, true) => Ok(Policy::Any),
        (None, false, false) => Ok(if is_websocketd { Policy::Any } else { Policy::Same }),
        (None, true, false) => Ok(Policy::Sameorigin),
        (Some(list), sameorigin, false) => {
            let parse = |text: &String| {
                if let Some((scheme, rest)) = text.split_once("://")
                    && let Some(meant) = ["http", "https", "file"].into_iter().find(|known| is_near(scheme, known))
                {
                    let message = format!("invalid origin `{text}` in --origin: unknown scheme `{scheme}`");
                    return Err(Error::new(message, format!("did you mean {meant}://{rest}?")).about(list));
                }
                ListedOrigin::parse(text).map_err(|why| {
                    Error::new(format!("invalid origin `{text}` in --origin: {why}"), hint_for_entry(text)).about(list)
                })
            };
            let entries = list.0.iter().map(parse).collect::<Result<_, _>>()?;
            Ok(Policy::Listed { entries, sameorigin })
        }
    }
}

/// Returns advice for an entry that can never match.
fn hint_for_entry(text: &str) -> String {
    let rest = text.find("://").map_or(0, |at| at + 3);
    let end = text[rest..].find(['/', '?', '#']).map(|at| rest + at);
    match end.map(|end| &text[..end]).filter(|origin| ListedOrigin::parse(origin).is_ok()) {
        Some(origin) => format!("did you mean {origin}?"),
        None if text == "*" => "use --anyorigin: it lets pages of any origin connect".to_owned(),
        None => "write [scheme://]host[:port], as in --origin=https://example.com,localhost:8080".to_owned(),
    }
}

/// Whether a word is most likely a misspelt one.
fn is_near(word: &str, known: &str) -> bool {
    word != known
        && word.len() > 2
        && strsim::osa_distance(word, known) == 1
        && ![("http", "https"), ("https", "http")].contains(&(word, known))
}
