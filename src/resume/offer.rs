//! A client's offers of `wsd.resume.1`, and the one with which it returns. Pure.

use super::door::Token;

/// The subprotocol.
pub(crate) const RESUME: &str = "wsd.resume.1";

/// The beginning of the offer with which a client returns.
const RETURN: &str = "wsd.resume.1~";

/// The wish to return to a session.
#[derive(Clone, Debug)]
pub(crate) struct Returning {
    /// The token of the session; `None` if it cannot be one.
    pub(crate) token: Option<Token>,
    /// The number of messages that the client has.
    pub(crate) got: u64,
}

/// Returns the application's own subprotocol in an offer of `wsd.resume.1`; empty if there is none.
pub(crate) fn application(offer: &str) -> Option<&str> {
    let rest = offer.strip_prefix(RESUME)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('+').filter(|name| !name.is_empty()) }
}

/// Returns the offers of a client of which the application offers `names`; with the token and the number of messages with which
/// it returns.
pub(crate) fn offers(names: &[&str], returning: Option<(&Token, u64)>) -> Vec<String> {
    let mut offers: Vec<_> = names.iter().map(|name| format!("{RESUME}+{name}")).collect();
    offers.extend(names.iter().map(ToString::to_string));
    if names.is_empty() {
        offers.push(RESUME.to_owned());
    }
    offers.extend(returning.map(|(token, got)| format!("{RETURN}{token}~{got}")));
    offers
}

/// Whether an offer holds a token. It must reach neither a program nor the log.
pub(crate) fn is_return(offer: &[u8]) -> bool {
    offer.starts_with(RETURN.as_bytes())
}

impl Returning {
    /// Reads `wsd.resume.1~TOKEN~GOT`. An invalid one is like an unknown token.
    pub(crate) fn parse(offer: &[u8]) -> Self {
        let parts = str::from_utf8(offer).ok().and_then(|offer| offer.strip_prefix(RETURN)?.split_once('~'));
        let number = |got: &str| got.bytes().all(|byte| byte.is_ascii_digit()).then(|| got.parse().ok()).flatten();
        let read = parts.and_then(|(token, got)| Some((Token::parse(token)?, number(got)?)));
        Self { token: read.as_ref().map(|(token, _)| token.clone()), got: read.map_or(0, |(_, got)| got) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_may_hold_the_subprotocol_of_the_application() {
        let table = [
            ("wsd.resume.1", Some("")),
            ("wsd.resume.1+chat", Some("chat")),
            ("wsd.resume.1+wsd.jsonrpc", Some("wsd.jsonrpc")),
            ("wsd.resume.1+", None),
            ("wsd.resume.12", None),
            ("wsd.resume.1~x~0", None),
            ("chat", None),
        ];
        for (offer, want) in table {
            assert_eq!(application(offer), want, "{offer}");
        }
    }

    #[test]
    fn a_client_offers_the_subprotocols_of_the_application_with_and_without_a_return() {
        let token = Token::parse(&"A".repeat(43)).expect("a token");
        assert_eq!(offers(&[], None), ["wsd.resume.1"]);
        assert_eq!(offers(&["a", "b"], None), ["wsd.resume.1+a", "wsd.resume.1+b", "a", "b"]);
        let last = offers(&[], Some((&token, 17))).pop().expect("an offer");
        assert_eq!(Returning::parse(last.as_bytes()).got, 17);
        assert_eq!(Returning::parse(last.as_bytes()).token, Some(token));
    }

    #[test]
    fn a_client_returns_with_a_token_and_a_number() {
        let token = "A".repeat(43);
        let table = [
            (format!("wsd.resume.1~{token}~17"), Some(17)),
            (format!("wsd.resume.1~{token}~"), None),
            (format!("wsd.resume.1~{token}~+1"), None),
            (format!("wsd.resume.1~{token}~-1"), None),
            (format!("wsd.resume.1~{token}~99999999999999999999"), None),
            (format!("wsd.resume.1~{token}A~1"), None),
            (format!("wsd.resume.1~{}~1", &token[1..]), None),
            (format!("wsd.resume.1~{token}"), None),
        ];
        for (offer, want) in table {
            assert!(is_return(offer.as_bytes()), "{offer}");
            let Returning { token, got } = Returning::parse(offer.as_bytes());
            assert_eq!(token.map(|_| got), want, "{offer}");
        }
    }
}
