//! Flags for recordings of sessions.

use std::ffi::{OsStr, OsString};

use clap::{Args, ValueHint};
use serde::Deserialize;
use toml::Value as Toml;

use super::{
    types::Bytes,
    value::{Flag, FlagValue},
};

/// Recordings of sessions and rooms.
#[derive(Args, Clone, Debug, Default, Deserialize, PartialEq)]
#[command(next_help_heading = "Recording")]
pub(crate) struct RecordFlags {
    /// Record what each program gets and gives to a file in DIR, for `wsd replay`; false records nothing
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) record: Option<Flag<RecordPlace>>,
    /// Cut a recording at this many bytes, also with k, M or G; 0 is no limit [default: 16M]
    #[arg(long, value_name = "BYTES")]
    pub(crate) record_bytes: Option<Flag<Bytes>>,
}

/// The folder of recordings; `None` is none.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RecordPlace(pub(crate) Option<OsString>);

impl RecordFlags {
    /// Returns the folder, if the site is to be recorded.
    pub(crate) fn folder(&self) -> Option<&OsStr> {
        self.record.as_deref().and_then(|place| place.0.as_deref())
    }
}

impl FlagValue for RecordPlace {
    fn expected() -> String {
        "a folder, or false".to_owned()
    }

    fn of_toml(value: &Toml) -> Option<Self> {
        match value {
            Toml::Boolean(false) => Some(Self(None)),
            _ => Self::of_word(value.as_str()?.as_ref()),
        }
    }

    fn of_word(word: &OsStr) -> Option<Self> {
        Some(Self((word != "false").then(|| word.to_owned())))
    }
}
