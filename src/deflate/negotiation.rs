//! The negotiation of permessage-deflate (RFC 7692, section 7.1): offers, answers, and what they agree on. Pure.

use std::fmt::Write as _;

/// The name of the extension.
const NAME: &str = "permessage-deflate";

/// Bits that wsd lets the window of a client have which asks for a number: less than the most saves the client memory.
const CLIENT_WINDOW_BITS: u8 = 12;

/// The fewest bits of a window that a stream of DEFLATE without a header can have, and the most.
pub(super) const WINDOW_BITS_MIN: u8 = 9;
const WINDOW_BITS_MAX: u8 = 15;

/// The offer of `wsd connect`.
pub(crate) const OFFER: &str = "permessage-deflate; client_max_window_bits";

/// The agreement for the messages of one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Agreement {
    /// Bits at most of the sender's window.
    pub(crate) window_bits: u8,
    /// Whether the window may keep a message for the next one ("context takeover").
    pub(crate) keeps: bool,
}

/// The parameters of an offer or an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Parameters {
    server_forgets: bool,
    client_forgets: bool,
    server_bits: Option<u8>,
    client_bits: Option<ClientBits>,
}

/// The value of `client_max_window_bits`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClientBits {
    /// An offer may leave the number to the server.
    Any,
    AtMost(u8),
}

/// Chooses the first of a client's offers that wsd can accept. Returns the agreement for wsd's messages, and the answer.
///
/// `lists` are the values of the headers. The client may not keep its window, so that wsd needs no inflater between messages.
pub(crate) fn answer<'a>(lists: impl IntoIterator<Item = &'a str>) -> Option<(Agreement, String)> {
    let mut offers = lists.into_iter().flat_map(|list| split(list, ',')).filter_map(parameters);
    let offer = offers.find(|offer| offer.server_bits.is_none_or(|bits| bits >= WINDOW_BITS_MIN))?;
    let agreement =
        Agreement { window_bits: offer.server_bits.unwrap_or(WINDOW_BITS_MAX), keeps: !offer.server_forgets };
    let mut answer = format!("{NAME}; client_no_context_takeover");
    if offer.server_forgets {
        answer.push_str("; server_no_context_takeover");
    }
    if let Some(bits) = offer.server_bits {
        let _ = write!(answer, "; server_max_window_bits={bits}");
    }
    if let Some(bits) = offer.client_bits {
        let bits = if let ClientBits::AtMost(bits) = bits { bits.min(CLIENT_WINDOW_BITS) } else { CLIENT_WINDOW_BITS };
        let _ = write!(answer, "; client_max_window_bits={bits}");
    }
    Some((agreement, answer))
}

/// Reads a server's answer to [`OFFER`]. Returns the agreement for the client's messages; `None` if the answer breaks the rules.
pub(crate) fn accept(answer: &str) -> Option<Agreement> {
    let Parameters { client_forgets, client_bits, .. } = parameters(answer)?;
    let window_bits = match client_bits {
        None => WINDOW_BITS_MAX,
        Some(ClientBits::AtMost(bits)) => bits,
        Some(ClientBits::Any) => return None,
    };
    Some(Agreement { window_bits, keeps: !client_forgets })
}

/// Reads an offer; `None` if it is another extension, or has a parameter that is unknown, repeated or out of range.
fn parameters(offer: &str) -> Option<Parameters> {
    let mut parts = split(offer, ';').map(str::trim_ascii);
    if parts.next()? != NAME {
        return None;
    }
    let mut read = Parameters::default();
    for part in parts {
        let (name, value) = match part.split_once('=') {
            Some((name, value)) => (name.trim_ascii(), Some(unquoted(value.trim_ascii()))),
            None => (part, None),
        };
        let is_new = match (name, value) {
            ("server_no_context_takeover", None) => !std::mem::replace(&mut read.server_forgets, true),
            ("client_no_context_takeover", None) => !std::mem::replace(&mut read.client_forgets, true),
            ("server_max_window_bits", Some(value)) => read.server_bits.replace(bits(value)?).is_none(),
            ("client_max_window_bits", Some(value)) => {
                read.client_bits.replace(ClientBits::AtMost(bits(value)?)).is_none()
            }
            ("client_max_window_bits", None) => read.client_bits.replace(ClientBits::Any).is_none(),
            _ => false,
        };
        if !is_new {
            return None;
        }
    }
    Some(read)
}

/// Reads 8 to 15, in decimal without leading zeros.
fn bits(value: &str) -> Option<u8> {
    let is_decimal = value.bytes().all(|digit| digit.is_ascii_digit()) && !value.starts_with('0');
    value.parse().ok().filter(|bits| is_decimal && (8..=WINDOW_BITS_MAX).contains(bits))
}

/// Returns the token in a quoted string (RFC 6455, section 9.1).
fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value)
}

/// Splits a text at each `separator` outside of quotes.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    text.split(move |character| {
        is_quoted ^= character == '"';
        character == separator && !is_quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the parameters of the answer to offers, in short; `-` without an agreement.
    fn answered(offers: &[&str]) -> String {
        let offers: Vec<_> = offers.iter().map(|offer| offer.replace("p-d", NAME)).collect();
        let Some((Agreement { window_bits, keeps }, answer)) = answer(offers.iter().map(String::as_str)) else {
            return "-".to_owned();
        };
        let parameters = answer.strip_prefix("permessage-deflate; client_no_context_takeover").expect("the extension");
        assert_eq!(!keeps, parameters.contains("server_no_context_takeover"), "{answer}");
        assert_eq!(window_bits != 15, parameters.contains("server_max_window_bits"), "{answer}");
        parameters.to_owned()
    }

    #[test]
    fn an_offer_is_answered_by_the_letter() {
        let table = [
            ("p-d", ""),
            ("p-d; client_no_context_takeover", ""),
            ("p-d; server_no_context_takeover", "; server_no_context_takeover"),
            ("p-d;server_no_context_takeover;client_no_context_takeover", "; server_no_context_takeover"),
            ("p-d; server_max_window_bits=9", "; server_max_window_bits=9"),
            ("p-d; server_max_window_bits=\"10\"", "; server_max_window_bits=10"),
            ("p-d ; server_max_window_bits = 14", "; server_max_window_bits=14"),
            ("p-d; client_max_window_bits", "; client_max_window_bits=12"),
            ("p-d; client_max_window_bits=15", "; client_max_window_bits=12"),
            ("p-d; client_max_window_bits=8", "; client_max_window_bits=8"),
            (
                "p-d; server_max_window_bits=12; client_max_window_bits=10; server_no_context_takeover",
                "; server_no_context_takeover; server_max_window_bits=12; client_max_window_bits=10",
            ),
        ];
        for (offer, want) in table {
            assert_eq!(answered(&[offer]), want, "{offer}");
        }
    }

    #[test]
    fn an_offer_with_an_unknown_repeated_or_impossible_parameter_is_declined() {
        let table = [
            "",
            "x-webkit-deflate-frame",
            "permessage-bzip2",
            "permessage-deflate2",
            "p-d; ",
            "p-d; mem_level=1",
            "p-d; server_no_context_takeover=1",
            "p-d; client_no_context_takeover=\"\"",
            "p-d; server_max_window_bits",
            "p-d; server_max_window_bits=7",
            "p-d; server_max_window_bits=8",
            "p-d; server_max_window_bits=16",
            "p-d; server_max_window_bits=09",
            "p-d; server_max_window_bits=+9",
            "p-d; server_max_window_bits=",
            "p-d; client_max_window_bits=7",
            "p-d; client_max_window_bits=16",
            "p-d; client_max_window_bits=1O",
            "p-d; server_no_context_takeover; server_no_context_takeover",
            "p-d; client_no_context_takeover; client_no_context_takeover",
            "p-d; server_max_window_bits=10; server_max_window_bits=10",
            "p-d; client_max_window_bits; client_max_window_bits=10",
            "p-d; x=\",p-d\"",
        ];
        for offer in table {
            assert_eq!(answered(&[offer]), "-", "{offer}");
        }
    }

    #[test]
    fn the_first_offer_that_can_be_accepted_is_taken() {
        let table: [(&[&str], &str); 4] = [
            (&["p-d; server_max_window_bits=8, p-d; client_max_window_bits, p-d"], "; client_max_window_bits=12"),
            (&["permessage-bzip2, p-d; what; server_max_window_bits=10", "p-d"], ""),
            (&["p-d; server_max_window_bits=9,p-d"], "; server_max_window_bits=9"),
            (&["x; y=\"a, p-d\", z", "w"], "-"),
        ];
        for (offers, want) in table {
            assert_eq!(answered(offers), want, "{offers:?}");
        }
    }

    #[test]
    fn a_client_takes_an_answer_that_keeps_the_rules() {
        let agreed = |window_bits, keeps| Some(Agreement { window_bits, keeps });
        let table = [
            ("p-d", agreed(15, true)),
            ("p-d; client_no_context_takeover; server_no_context_takeover", agreed(15, false)),
            ("p-d; client_max_window_bits=12; server_max_window_bits=9", agreed(12, true)),
            ("p-d; client_max_window_bits", None),
            ("p-d; client_max_window_bits=7", None),
            ("p-d; what", None),
            ("p-d, p-d", None),
            ("permessage-bzip2", None),
        ];
        for (answer, want) in table {
            assert_eq!(accept(&answer.replace("p-d", NAME)), want, "{answer}");
        }
        assert!(answer([OFFER]).is_some_and(|(_, answer)| accept(&answer) == agreed(12, false)));
    }
}
