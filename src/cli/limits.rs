//! Flags that limit each source of requests, and each session.

use std::{ffi::OsStr, time::Duration};

use clap::Args;
use serde::Deserialize;
use toml::Value as Toml;

use super::{
    types::{Limit, SecsFromZero, bytes},
    value::{Flag, FlagValue},
};
use crate::{limits::RATE_IN_BURST, rate::FlowRate};

/// The limits of each source (an address of IPv4, a /64 of IPv6), and of each session.
#[derive(Args, Clone, Debug, Default, Deserialize, PartialEq)]
#[command(next_help_heading = "Limits of each client")]
pub(crate) struct LimitFlags {
    /// Limit the programs and seats in rooms that a client's address uses at a time; 0 is no limit [default: 0]
    #[arg(long, value_name = "N")]
    pub(crate) maxforks_per_client: Option<Flag<Limit>>,
    /// Limit the new sessions and CGI scripts of a client's address: N/s, N/m or N/h, and with a comma how many at once; 0 is no
    /// limit [default: 0]
    #[arg(long, value_name = "N/s[,BURST]")]
    pub(crate) rate: Option<Flag<RateWord>>,
    /// Limit the requests of a client's address that wsd answers at a time; 0 is no limit [default: 2048]
    #[arg(long, value_name = "N")]
    pub(crate) requests_per_client: Option<Flag<Limit>>,
    /// Close a session that has no message either way for this many seconds; 0 closes none [default: 0]
    #[arg(long, value_name = "SECS")]
    pub(crate) idle: Option<Flag<SecsFromZero>>,
    /// Close each session after this many seconds; 0 closes none [default: 0]
    #[arg(long, value_name = "SECS")]
    pub(crate) lifetime: Option<Flag<SecsFromZero>>,
    /// Read a client no faster than this: bytes of messages, also with k, M or G, and, after a comma, messages a second; 0/s is no limit
    /// [default: 0/s,0/s]
    #[arg(long, value_name = "BYTES/s[,N/s]")]
    pub(crate) rate_in: Option<Flag<RateInWords>>,
}

/// A rate of sessions; `None` is no limit.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RateWord(pub(crate) Option<FlowRate>);

/// The rates of bytes and of messages; `None` is no limit.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RateInWords {
    /// Bytes of messages.
    pub(crate) bytes: Option<FlowRate>,
    /// Messages.
    pub(crate) messages: Option<FlowRate>,
}

impl FlagValue for RateWord {
    fn expected() -> String {
        "a rate such as 5/s, 30/m or 100/h, or 5/s,20 with the number at once".to_owned()
    }

    fn of_toml(value: &Toml) -> Option<Self> {
        match value {
            Toml::Integer(0) => Some(Self(None)),
            _ => Self::of_word(value.as_str()?.as_ref()),
        }
    }

    fn of_word(word: &OsStr) -> Option<Self> {
        let word = word.to_str()?;
        let (rate, burst) = word.split_once(',').map_or((word, None), |(rate, burst)| (rate, Some(burst)));
        let (count, unit) = rate.trim().split_once('/').map_or((rate, "s"), |(count, unit)| (count, unit));
        let per = match unit {
            "s" => Duration::from_secs(1),
            "m" => Duration::from_mins(1),
            "h" => Duration::from_hours(1),
            _ => return None,
        };
        let count = whole(count)?;
        if count == 0 {
            return burst.is_none().then_some(Self(None));
        }
        // A rate is written with its unit.
        let burst = burst.map_or(Some(count), |burst| whole(burst.trim()).filter(|burst| *burst > 0))?;
        rate.contains('/').then(|| Self(Some(FlowRate::new(count, per, burst))))
    }
}

impl FlagValue for RateInWords {
    fn expected() -> String {
        "bytes a second such as 65536/s or 64k/s, or 65536/s,10/s with messages a second".to_owned()
    }

    fn of_toml(value: &Toml) -> Option<Self> {
        match value {
            Toml::Integer(0) => Some(Self { bytes: None, messages: None }),
            Toml::Array(rates) => {
                let rates: Option<Vec<_>> = rates.iter().map(Toml::as_str).collect();
                Self::of_word(rates?.join(",").as_ref())
            }
            _ => Self::of_word(value.as_str()?.as_ref()),
        }
    }

    fn of_word(word: &OsStr) -> Option<Self> {
        let word = word.to_str()?;
        let (bytes, messages) = word.split_once(',').map_or((word, "0"), |(bytes, messages)| (bytes, messages.trim()));
        Some(Self { bytes: a_second(bytes, byte_count)?, messages: a_second(messages, whole)? })
    }
}

/// The largest number in a rate.
const WHOLE_MAX: u64 = 1_000_000_000;

/// Reads `N/s`, N with `read`, and returns the rate, whose burst is that of a second; `None` within is no limit.
#[expect(clippy::option_option, reason = "a word that is no rate, and a rate without a limit")]
fn a_second(word: &str, read: fn(&str) -> Option<u64>) -> Option<Option<FlowRate>> {
    if word == "0" {
        return Some(None);
    }
    let count = read(word.strip_suffix("/s")?)?;
    Some((count > 0).then(|| FlowRate::new(count, RATE_IN_BURST, count)))
}

/// Reads a number of bytes, also with `k`, `M` or `G`, at most a thousand millions.
fn byte_count(text: &str) -> Option<u64> {
    let is_number = text.starts_with(|first: char| first.is_ascii_digit());
    bytes(text).filter(|number| is_number && *number <= WHOLE_MAX)
}

/// Reads a whole number of digits, at most a thousand millions.
fn whole(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    digits.parse().ok().filter(|number| is_number && *number <= WHOLE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn rates_are_read_with_their_burst() {
        let rate = |count, secs, burst| Some(RateWord(Some(FlowRate::new(count, SECOND * secs, burst))));
        let table = [
            ("5/s", rate(5, 1, 5)),
            ("30/m,1", rate(30, 60, 1)),
            ("100/h, 20", rate(100, 3600, 20)),
            ("0", Some(RateWord(None))),
            ("0/s", Some(RateWord(None))),
            ("5", None),
            ("5/d", None),
            ("/s", None),
            ("-1/s", None),
            ("+1/s", None),
            ("1.5/s", None),
            ("5/s,", None),
            ("5/s,0", None),
            ("5/s,1,2", None),
            ("0/s,5", None),
            ("1000000001/s", None),
            ("", None),
        ];
        for (word, want) in table {
            assert_eq!(RateWord::of_word(word.as_ref()), want, "{word}");
        }
    }

    #[test]
    fn the_rate_of_a_client_has_bytes_and_messages() {
        let rate = |count| Some(FlowRate::new(count, SECOND, count));
        let both = |bytes, messages| Some(RateInWords { bytes, messages });
        let table = [
            ("65536/s", both(rate(65_536), None)),
            ("65536/s,10/s", both(rate(65_536), rate(10))),
            ("64k/s", both(rate(65_536), None)),
            ("1M/s,10/s", both(rate(1 << 20), rate(10))),
            ("1/s,1k/s", None),
            ("1G/s", None),
            ("0/s, 10/s", both(None, rate(10))),
            ("0", both(None, None)),
            ("65536", None),
            ("65536/m", None),
            ("10/s,", None),
            ("10/s,10", None),
            ("1/s,2/s,3/s", None),
            ("", None),
        ];
        for (word, want) in table {
            assert_eq!(RateInWords::of_word(word.as_ref()), want, "{word}");
        }
        let list = Toml::Array(vec!["1/s".into(), "2/s".into()]);
        assert_eq!(RateInWords::of_toml(&list), both(rate(1), rate(2)));
    }
}
