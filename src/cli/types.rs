//! The types of flag values, except words from a list.

use std::ffi::{OsStr, OsString};
use std::{num::NonZero, slice, time::Duration};

use serde::{Deserialize, Deserializer, de::Error};
use toml::Value as Toml;

use super::value::{Flag, FlagValue};

/// A duration in whole milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Millis(pub(crate) Duration);
/// A duration in seconds, whole or not, or with a unit: `60`, `0.5`, `90s`, `5m`, `2h`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Secs(pub(crate) Duration);
/// A number of seconds, 0 to a year, or a time with a unit.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SecsFromZero(pub(crate) Duration);
/// A number of bytes, also with `k`, `M` or `G`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bytes(pub(crate) usize);
/// Bytes of the shortest message to compress, as [`Bytes`]; `true` or `false` in place of a number.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum CompressWord {
    /// On, with the default, or off.
    Switch(bool),
    /// The shortest message.
    From(usize),
}
/// A limit; 0 and, as in websocketd, negative numbers mean no limit.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Limit(pub(crate) i64);
/// The permissions of a file, 1 to 0o777.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mode(pub(crate) u32);
/// Texts separated by commas; TOML may have a list instead.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Items(pub(crate) Vec<String>);
/// Texts of the form `NAME=VALUE`, not checked; TOML may have a list or a table instead, or a boolean in place of a word.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Assignments(pub(crate) Vec<String>);
/// A priority of the kernel's scheduler, -20 to 19.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Nice(pub(crate) i32);
/// A program and its arguments; never empty.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CommandWords(pub(crate) Vec<OsString>);
/// A path, and the program to serve at it.
#[derive(Clone, Debug)]
pub(crate) struct RouteWords(pub(crate) String, pub(crate) CommandWords);

impl Limit {
    /// Returns the limit; `None` is no limit.
    pub(crate) fn count(&self) -> Option<usize> {
        self.0.try_into().ok().filter(|limit| *limit > 0)
    }
}

/// Implements [`FlagValue`]: the function that turns a word into TOML, the expected values, and the reader of TOML.
macro_rules! values {
    ($($type:ty: $spelled:expr, $expected:literal, |$toml:ident| $read:expr;)*) => {$(
        impl FlagValue for $type {
            fn expected() -> String {
                $expected.to_owned()
            }

            fn of_toml($toml: &Toml) -> Option<Self> {
                $read
            }

            fn of_word(word: &OsStr) -> Option<Self> {
                Self::of_toml(&$spelled(word.to_str()?)?)
            }
        }
    )*};
}

values! {
    bool: boolean, "true or false", |toml| toml.as_bool();
    u16: integer, "a number from 0 to 65535", |toml| toml.as_integer()?.try_into().ok();
    usize: integer, "a whole number, 0 or more", |toml| toml.as_integer()?.try_into().ok();
    Bytes: integer_or_text, "a number of bytes, such as 65536, 64k or 1M", |toml| {
        let number = toml.as_integer().map(|number| number.to_string());
        bytes(number.as_deref().or_else(|| toml.as_str())?)?.try_into().ok().map(Self)
    };
    CompressWord: switch_or_number, "true, false or a number of bytes, such as 64 or 1k", |toml| {
        toml.as_bool().map(Self::Switch).or_else(|| Bytes::of_toml(toml).map(|bytes| Self::From(bytes.0)))
    };
    Limit: integer, "a whole number", |toml| toml.as_integer().map(Self);
    NonZero<usize>: integer, "a number from 1 to 512", |toml| {
        NonZero::new(toml.as_integer()?.try_into().ok().filter(|count| *count <= 512)?)
    };
    Millis: integer, "a whole number of milliseconds, 0 or more", |toml| {
        toml.as_integer()?.try_into().ok().map(|millis| Self(Duration::from_millis(millis)))
    };
    Secs: number_or_text, "a number of seconds above 0, or a time such as 90s, 5m or 2h, at most a year", |toml| {
        seconds(toml).filter(|secs| !secs.is_zero()).map(Self)
    };
    SecsFromZero: number_or_text, "a number of seconds, or a time such as 90s, 5m or 2h, at most a year", |toml| seconds(toml).map(Self);
    Mode: text, "permissions in octal, 1 to 777, such as 660", |toml| {
        let mode = u32::from_str_radix(toml.as_str().filter(|text| !text.starts_with('+'))?, 8).ok()?;
        (1..=0o777).contains(&mode).then_some(Self(mode))
    };
    String: text, "text", |toml| toml.as_str().map(str::to_owned);
    Items: text, "text or a list of texts", |toml| {
        Some(Self(texts(toml)?.iter().flat_map(|text| text.split(',')).map(str::to_owned).collect()))
    };
    Vec<String>: text, "text or a list of texts", |toml| texts(toml);
    Assignments: text, "NAME=VALUE, a list of such texts, or a table", |toml| assignments(toml).map(Self);
    Nice: integer, "a number from -20 to 19", |toml| {
        toml.as_integer()?.try_into().ok().filter(|nice| (-20..=19).contains(nice)).map(Self)
    };
    CommandWords: text, "a list of texts, such as [\"./counter\", \"10\"]", |toml| {
        let words: Vec<_> = toml.as_array().and_then(|_| texts(toml))?.into_iter().map(Into::into).collect();
        (!words.is_empty()).then_some(Self(words))
    };
    RouteWords: text, "/PATH=COMMAND without quotes, such as '/count=./counter 10'; for quotes use a file with --config", |toml| {
        let (path, command) = toml.as_str().filter(|text| !text.contains(['\'', '"']))?.split_once('=')?;
        let words: Vec<_> = command.split_whitespace().map(Into::into).collect();
        (!words.is_empty()).then(|| Self(path.to_owned(), CommandWords(words)))
    };
}

/// A path. It may be empty, because scripts pass variables that are empty; wsd then treats the flag as absent.
impl FlagValue for OsString {
    fn expected() -> String {
        String::expected()
    }

    fn of_toml(toml: &Toml) -> Option<Self> {
        toml.as_str().map(Into::into)
    }

    fn of_word(word: &OsStr) -> Option<Self> {
        Some(word.to_owned())
    }
}

/// Reads a number of seconds, or a text of a number and its unit, at most a year.
fn seconds(toml: &Toml) -> Option<Duration> {
    let secs = match toml {
        Toml::String(text) => {
            let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
            let secs = match unit {
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                _ => return None,
            };
            number.parse::<f64>().ok()? * secs
        }
        Toml::Integer(number) => f64::from(i32::try_from(*number).ok()?),
        _ => toml.as_float()?,
    };
    Duration::try_from_secs_f64(secs).ok().filter(|secs| *secs <= Duration::from_hours(24 * 365))
}

/// Reads a number of bytes, with `k`, `M` or `G` for powers of 1024.
pub(crate) fn bytes(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(['k', 'K', 'M', 'G']);
    let shift = match &text[digits.len()..] {
        "" => 0,
        "k" | "K" => 10,
        "M" => 20,
        "G" => 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// Reads the key of a repeatable flag.
pub(super) fn repeated<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Flag<String>>>, D::Error> {
    let Flag { value, at } = Flag::<Vec<String>>::deserialize(deserializer)?;
    Ok(Some(value.into_iter().map(|value| Flag { value, at }).collect()))
}

/// Reads the key of a flag whose values are words, in a text with commas or in a list.
pub(super) fn listed<'de, D, T>(deserializer: D) -> Result<Option<Vec<Flag<T>>>, D::Error>
where
    D: Deserializer<'de>,
    T: FlagValue,
{
    let Flag { value: Items(words), at } = Flag::deserialize(deserializer)?;
    let read = |word: &String| {
        let wrong = || D::Error::custom(format!("expected {}, got `{word}`", T::expected()));
        T::of_word(word.trim().as_ref()).map(|value| Flag { value, at }).ok_or_else(wrong)
    };
    if words.is_empty() {
        return Err(D::Error::custom(format!("expected {}", T::expected())));
    }
    words.iter().map(read).collect::<Result<_, _>>().map(Some)
}

/// Returns a text, the texts of a list, or the entries of a table as `NAME=VALUE`.
fn assignments(toml: &Toml) -> Option<Vec<String>> {
    let plain = |value: &Toml| match value {
        Toml::String(text) => Some(text.clone()),
        Toml::Integer(number) => Some(number.to_string()),
        Toml::Float(number) => Some(number.to_string()),
        _ => None,
    };
    match toml {
        Toml::Boolean(is) => Some(vec![is.to_string()]),
        Toml::Table(table) => table.iter().map(|(name, value)| Some(format!("{name}={}", plain(value)?))).collect(),
        _ => texts(toml),
    }
}

/// Returns one text, or the texts of a list.
fn texts(toml: &Toml) -> Option<Vec<String>> {
    let list = toml.as_array().map_or_else(|| slice::from_ref(toml), Vec::as_slice);
    list.iter().map(|text| text.as_str().map(str::to_owned)).collect()
}

#[expect(clippy::unnecessary_wraps, reason = "each text spells a text")]
fn text(word: &str) -> Option<Toml> {
    Some(Toml::String(word.to_owned()))
}

fn switch_or_number(word: &str) -> Option<Toml> {
    boolean(word).or_else(|| integer_or_text(word))
}

fn integer_or_text(word: &str) -> Option<Toml> {
    integer(word).or_else(|| text(word))
}

fn number_or_text(word: &str) -> Option<Toml> {
    word.parse().ok().map(Toml::Float).or_else(|| text(word))
}

/// Reads a boolean as Go spells it.
fn boolean(word: &str) -> Option<Toml> {
    match word {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(Toml::Boolean(true)),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(Toml::Boolean(false)),
        _ => None,
    }
}

/// Reads an integer as Go spells it: `8080`, `0x1F90`, `8_080`. Unlike in Go, a leading zero is not octal.
fn integer(word: &str) -> Option<Toml> {
    let (sign, digits) = word.strip_prefix('-').map_or((1, word), |digits| (-1, digits));
    let digits = digits.replace('_', "").to_ascii_lowercase();
    let (radix, digits) = match digits.split_at_checked(2) {
        Some(("0x", digits)) => (16, digits),
        Some(("0o", digits)) => (8, digits),
        Some(("0b", digits)) => (2, digits),
        _ => (10, &*digits),
    };
    let is_number = digits.starts_with(|c: char| c.is_digit(radix));
    i64::from_str_radix(digits, radix).ok().filter(|_| is_number).map(|number| Toml::Integer(sign * number))
}
