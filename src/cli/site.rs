//! Flags of a site: what to serve, to whom, and how. A route may have them, too.

use std::ffi::OsString;

use clap::{Args, ValueHint};
use serde::{Deserialize, de::DeserializeOwned};
use toml::Spanned;
use toml::de::{DeString, DeTable, Deserializer, Error};

use super::{
    types::{Items, Limit, Millis, Secs, repeated},
    value::{Flag, words},
};

/// The flags of a site, by subject.
#[derive(Args, Clone, Debug, Default, PartialEq)]
pub(crate) struct SiteFlags {
    #[command(flatten)]
    pub(crate) served: ServedFlags,
    #[command(flatten)]
    pub(crate) programs: ProgramFlags,
    #[command(flatten)]
    pub(crate) rooms: RoomFlags,
    #[command(flatten)]
    pub(crate) clients: ClientFlags,
    #[command(flatten)]
    pub(crate) pages: PageFlags,
    #[command(flatten)]
    pub(crate) answers: AnswerFlags,
}

/// What is served, and by how many programs: a route inherits none of it.
#[derive(Args, Clone, Debug, Default, Deserialize, PartialEq)]
#[command(next_help_heading = "What to serve")]
pub(crate) struct ServedFlags {
    /// Serve the programs in DIR; the path of the URL selects one
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) dir: Option<Flag<OsString>>,
    /// Serve the files in DIR to plain HTTP requests
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) staticdir: Option<Flag<OsString>>,
    /// Serve the CGI scripts in DIR to plain HTTP requests
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) cgidir: Option<Flag<OsString>>,
    /// Serve a page to talk to the programs with, where nothing else answers
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) devconsole: Option<Flag<bool>>,
    /// Programs that may run at a time; 0 is no limit [default: 1024]
    #[arg(long, value_name = "N")]
    pub(crate) maxforks: Option<Flag<Limit>>,
}

/// How programs and CGI scripts run.
#[derive(Args, Clone, Debug, Default, Deserialize, PartialEq)]
#[command(next_help_heading = "Programs")]
pub(crate) struct ProgramFlags {
    /// How messages are delimited on stdin and stdout: chunks are raw bytes, json has client IDs [default: lines]
    #[arg(long, value_name = "HOW")]
    pub(crate) framing: Option<Flag<FramingWord>>,
    /// Short for --framing=chunks
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) binary: Option<Flag<bool>>,
    /// Environment variables that programs inherit, separated by commas [default: PATH,LD_LIBRARY_PATH]
    #[arg(long, value_name = "NAMES")]
    pub(crate) passenv: Option<Flag<Items>>,
    /// Send standard error, too: each line of either stream is a JSON object with `stream` and `data`
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) passstderr: Option<Flag<bool>>,
    /// Extra milliseconds to wait before each of SIGINT, SIGTERM and SIGKILL [default: 0]
    #[arg(long, value_name = "MS")]
    pub(crate) closems: Option<Flag<Millis>>,
    /// Seconds that a CGI script may be silent, before its answer and within it [default: 60]
    #[arg(long, value_name = "SECS")]
    pub(crate) cgi_timeout: Option<Flag<Secs>>,
    /// Look up the names of clients for REMOTE_HOST
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) reverselookup: Option<Flag<bool>>,
}

/// Rooms: programs that several clients share.
#[derive(Args, Clone, Debug, Default, Deserialize, PartialEq)]
#[command(next_help_heading = "Rooms")]
pub(crate) struct RoomFlags {
    /// Run one program for all clients, or one for each path
    #[arg(long, value_name = "HOW", num_args = 0..=1, require_equals = true, default_missing_value = "all")]
    pub(crate) shared: Option<Flag<SharingWord>>,
    /// Start the shared program at startup and restart it when it exits
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) eager: Option<Flag<bool>>,
    /// Send each new client the last N messages of its room [default: 0]
    #[arg(long, value_name = "N")]
    pub(crate) history: Option<Flag<usize>>,
    /// What to do when a client of a room falls behind: close it, drop its oldest messages, or wait for it [default: close]
    #[arg(long, value_name = "HOW")]
    pub(crate) slow: Option<Flag<SlowWord>>,
    /// With --slow=wait, seconds until wsd closes a client that takes nothing [default: 60]
    #[arg(long, value_name = "SECS")]
    pub(crate) slow_wait: Option<Flag<Secs>>,
}

impl RoomFlags {
    /// Returns which clients share a program.
    pub(crate) fn sharing(&self) -> SharingWord {
        self.shared.as_deref().copied().unwrap_or(SharingWord::Off)
    }
}

/// Connections of clients.
#[derive(Args, Clone, Debug, Default, Deserialize, PartialEq)]
#[command(next_help_heading = "Connections")]
pub(crate) struct ClientFlags {
    /// Bytes of the longest message that a client may send; 0 is no limit [default: 1048576]
    #[arg(long, value_name = "BYTES")]
    pub(crate) maxframesize: Option<Flag<usize>>,
    /// Milliseconds between pings; 0 is no pings [default: 30000]
    #[arg(long, value_name = "MS")]
    pub(crate) pingms: Option<Flag<Millis>>,
    /// Subprotocols, separated by commas; wsd chooses the first that a client offers and that is one of them
    #[arg(long, value_name = "NAMES")]
    pub(crate) subprotocol: Option<Flag<Items>>,
}

/// Pages that may connect.
#[derive(Args, Clone, Debug, Default, Deserialize, PartialEq)]
#[command(next_help_heading = "Who may connect")]
pub(crate) struct PageFlags {
    /// Let pages of these origins connect, separated by commas: [scheme://]host[:port]; port * is any
    #[arg(long, value_name = "ORIGINS")]
    pub(crate) origin: Option<Flag<Items>>,
    /// Let only pages of the same origin connect, and no client without an Origin header
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) sameorigin: Option<Flag<bool>>,
    /// Let pages of any origin connect [default: only those that wsd itself serves]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) anyorigin: Option<Flag<bool>>,
}

/// Headers of answers.
#[derive(Args, Clone, Debug, Default, Deserialize, PartialEq)]
#[command(next_help_heading = "Answers")]
pub(crate) struct AnswerFlags {
    /// Header of every answer; repeatable
    #[arg(long, value_name = "HEADER")]
    #[serde(default, deserialize_with = "repeated")]
    pub(crate) header: Option<Vec<Flag<String>>>,
    /// Header of answers that open a WebSocket; repeatable
    #[arg(long, value_name = "HEADER")]
    #[serde(default, deserialize_with = "repeated")]
    pub(crate) header_ws: Option<Vec<Flag<String>>>,
    /// Header of all other answers; repeatable
    #[arg(long, value_name = "HEADER")]
    #[serde(default, deserialize_with = "repeated")]
    pub(crate) header_http: Option<Vec<Flag<String>>>,
}

words! {
    /// How messages are delimited.
    FramingWord { Lines = "lines", Chunks = "chunks", Json = "json" }

    /// Which clients share a program.
    SharingWord { All = "all" | "true", Path = "path", Off = "false" }

    /// What happens to a client of a room that falls behind.
    SlowWord { Close = "close", Drop = "drop", Wait = "wait" }
}

impl SiteFlags {
    /// Reads the flags of a table; `all` has those that the table inherits, too.
    pub(crate) fn read(table: &DeTable<'_>, all: &DeTable<'_>) -> Result<Self, Error> {
        Ok(Self {
            served: read(table)?,
            programs: read(all)?,
            rooms: read(all)?,
            clients: read(all)?,
            pages: read(all)?,
            answers: read(all)?,
        })
    }
}

/// Reads the keys of one subject from a table, and ignores the others. A field has `_` where its key has `-`.
pub(crate) fn read<T: DeserializeOwned>(table: &DeTable<'_>) -> Result<T, Error> {
    let field = |key: &Spanned<DeString<'_>>| Spanned::new(key.span(), key.get_ref().replace('-', "_").into());
    let fields = table.iter().map(|(key, value)| (field(key), value.clone())).collect();
    T::deserialize(Deserializer::from(Spanned::new(0..0, fields)))
}
