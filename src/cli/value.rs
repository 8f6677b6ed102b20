//! A flag: a value and its place. Reads it from a word of the command line or from a value of TOML.

use std::{ffi::OsStr, ops::Deref};

use clap::{
    Arg, Command,
    builder::{
        OsStringValueParser, PossibleValue, PossibleValuesParser, TypedValueParser, ValueParser, ValueParserFactory,
    },
};
use serde::{Deserialize, Deserializer, de::Error};
use toml::{Spanned, Value as Toml};

/// A flag's value and its place. Two flags are equal if their values are.
#[derive(Clone, Debug)]
pub(crate) struct Flag<T> {
    /// The value.
    pub(crate) value: T,
    /// The byte of the TOML file at which the value starts; `None` on the command line.
    pub(crate) at: Option<usize>,
}

/// A type of values.
pub(crate) trait FlagValue: Clone + Send + Sync + 'static {
    /// The valid words, if the type has a list. Help, completions and errors take them from here.
    const WORDS: &'static [&'static str] = &[];

    /// Names the valid values; an error puts "expected" before them.
    fn expected() -> String;

    /// Reads a value of TOML.
    fn of_toml(value: &Toml) -> Option<Self>;

    /// Reads a word of the command line.
    fn of_word(word: &OsStr) -> Option<Self>;
}

/// Whether a switch is on.
pub(crate) fn is_on<'a>(switch: impl Into<Option<&'a Flag<bool>>>) -> bool {
    switch.into().is_some_and(|switch| switch.value)
}

impl<T> Deref for Flag<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: PartialEq> PartialEq for Flag<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: FlagValue> ValueParserFactory for Flag<T> {
    type Parser = ValueParser;

    fn value_parser() -> ValueParser {
        let read = |word: &OsStr| match T::of_word(word) {
            Some(value) => Ok(Self { value, at: None }),
            None => Err(format!("expected {}", T::expected())),
        };
        if T::WORDS.is_empty() {
            return ValueParser::new(OsStringValueParser::new().try_map(move |word| read(&word)));
        }
        let words = ValidWords(PossibleValuesParser::new(T::WORDS));
        ValueParser::new(words.try_map(move |word| read(word.as_ref())))
    }
}

/// Reads one of the valid words. In a list with commas, blanks around it do not matter.
#[derive(Clone)]
struct ValidWords(PossibleValuesParser);

impl TypedValueParser for ValidWords {
    type Value = String;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<String, clap::Error> {
        let is_list = arg.is_some_and(|arg| arg.get_value_delimiter().is_some());
        let word = value.to_str().filter(|_| is_list).map_or(value, |word| word.trim().as_ref());
        self.0.parse_ref(command, arg, word)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        self.0.possible_values()
    }
}

impl<'de, T: FlagValue> Deserialize<'de> for Flag<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let given = Spanned::<Toml>::deserialize(deserializer)?;
        if let Some(value) = T::of_toml(given.get_ref()) {
            return Ok(Self { value, at: Some(given.span().start) });
        }
        let got = given.get_ref().as_str().map_or_else(String::new, |text| format!(", got `{text}`"));
        Err(D::Error::custom(format!("expected {}{got}", T::expected())))
    }
}

/// Defines enums whose values are spelled as words. In TOML, `true` and `false` may stand for the words of that name.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($value:ident = $($word:literal)|+),+ })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub(crate) enum $name { $($value),+ }

        impl crate::cli::value::FlagValue for $name {
            const WORDS: &'static [&'static str] = &[$($($word),+),+];

            fn expected() -> String {
                Self::WORDS.join(" or ")
            }

            fn of_word(word: &std::ffi::OsStr) -> Option<Self> {
                match word.to_str()? {
                    $($($word)|+ => Some(Self::$value),)+
                    _ => None,
                }
            }

            fn of_toml(value: &toml::Value) -> Option<Self> {
                let word = value.as_bool().map(|is| if is { "true" } else { "false" });
                Self::of_word(word.or_else(|| value.as_str())?.as_ref())
            }
        }
    )+};
}

pub(super) use words;
