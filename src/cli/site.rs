//! Flags of a site: what wsd serves, to which clients, and how. A route may set them, too.

use std::ffi::OsString;

use clap::{ArgAction, Args, ValueHint};
use serde::{Deserialize, de::DeserializeOwned};
use toml::Spanned;
use toml::de::{DeString, DeTable, Deserializer, Error};

use super::{
    auth::AuthFlags,
    confine::ConfineFlags,
    limits::LimitFlags,
    mcp::McpFlags,
    record::RecordFlags,
    types::{Bytes, CompressWord, Items, Limit, Millis, Secs, SecsFromZero, listed, repeated},
    value::{Flag, words},
};

/// The flags of a site, by subject.
#[derive(Args, Clone, Debug, Default, PartialEq)]
pub(crate) struct SiteFlags {
    /// The served programs and folders.
    #[command(flatten)]
    pub(crate) served: ServedFlags,
    /// How programs run.
    #[command(flatten)]
    pub(crate) programs: ProgramFlags,
    /// The bounds of programs.
    #[command(flatten)]
    pub(crate) confine: ConfineFlags,
    /// Shared programs.
    #[command(flatten)]
    pub(crate) rooms: RoomFlags,
    /// The gateway for MCP.
    #[command(flatten)]
    pub(crate) mcp: McpFlags,
    /// The limits of connections.
    #[command(flatten)]
    pub(crate) clients: ClientFlags,
    /// The limits of each client and session.
    #[command(flatten)]
    pub(crate) limits: LimitFlags,
    /// The pages and addresses that may connect.
    #[command(flatten)]
    pub(crate) pages: PageFlags,
    /// Authentication of clients.
    #[command(flatten)]
    pub(crate) auth: AuthFlags,
    /// HTTP responses.
    #[command(flatten)]
    pub(crate) answers: AnswerFlags,
    /// Recordings.
    #[command(flatten)]
    pub(crate) record: RecordFlags,
}

/// The served programs and folders, and the limit of programs. A route inherits none of these flags.
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
    /// Serve a page for talking to the programs at each path that nothing else serves
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) devconsole: Option<Flag<bool>>,
    /// Let whoever sees the status page, /.wsd/, end sessions there
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) admin: Option<Flag<bool>>,
    /// Limit the number of programs that run at a time; 0 is no limit [default: 1024]
    #[arg(long, value_name = "N")]
    pub(crate) maxforks: Option<Flag<Limit>>,
}

/// How programs and CGI scripts run.
#[derive(Args, Clone, Debug, Default, Deserialize, PartialEq)]
#[command(next_help_heading = "Programs")]
pub(crate) struct ProgramFlags {
    /// Choose how messages are delimited on stdin and stdout: chunks are raw bytes, json has client IDs, nul is texts that end
    /// with NUL, length is bytes after their length, jsonrpc is JSON-RPC in lines (MCP), lsp is language servers; of several
    /// words, separated by commas, a client chooses one by the subprotocol wsd.WORD [default: lines]
    #[arg(long, value_name = "HOW", action = ArgAction::Set, value_delimiter = ',')]
    #[serde(default, deserialize_with = "listed")]
    pub(crate) framing: Option<Vec<Flag<FramingWord>>>,
    /// Serve an agent of the Agent Client Protocol: --framing=jsonrpc, the header Acp-Connection-Id, no binary messages,
    /// and --closems=2000
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) acp: Option<Flag<bool>>,
    /// Send and receive raw bytes; short for --framing=chunks
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) binary: Option<Flag<bool>>,
    /// Connect stdout of programs to a raw terminal, so that programs which buffer their output to a pipe send each line at once
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) unbuffer: Option<Flag<bool>>,
    /// Run each program in a terminal of its own, for pages with a terminal; the query sets its size: ?cols=80&rows=24
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) pty: Option<Flag<bool>>,
    /// With --pty, show the terminal but take no input
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) readonly: Option<Flag<bool>>,
    /// Pass these environment variables to programs, separated by commas [default: PATH,LD_LIBRARY_PATH]
    #[arg(long, value_name = "NAMES")]
    pub(crate) passenv: Option<Flag<Items>>,
    /// Send standard error to clients, too: each line of either stream is a JSON object with `stream` and `data`
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) passstderr: Option<Flag<bool>>,
    /// Wait this many extra milliseconds before each of SIGINT, SIGTERM and SIGKILL [default: 0]
    #[arg(long, value_name = "MS")]
    pub(crate) closems: Option<Flag<Millis>>,
    /// Stop a CGI script that prints nothing for this many seconds, before or within its response [default: 60]
    #[arg(long, value_name = "SECS")]
    pub(crate) cgi_timeout: Option<Flag<Secs>>,
    /// Look up the host names of clients for REMOTE_HOST
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) reverselookup: Option<Flag<bool>>,
}

/// Rooms: each is a program that several clients share.
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
    /// Keep a shared program and its history for this many seconds after its last client has left [default: 5]
    #[arg(long, value_name = "SECS")]
    pub(crate) linger: Option<Flag<SecsFromZero>>,
    /// Choose what to do when a client in a room falls behind: close it, drop its oldest messages, or wait [default: close]
    #[arg(long, value_name = "HOW")]
    pub(crate) slow: Option<Flag<SlowWord>>,
    /// With --slow=wait, close a client that reads nothing for this many seconds [default: 60]
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
    /// Limit each message of a client to this many bytes, also with k, M or G; 0 is no limit [default: 1048576]
    #[arg(long, value_name = "BYTES")]
    pub(crate) maxframesize: Option<Flag<Bytes>>,
    /// Ping each client at this interval, in milliseconds; 0 sends no pings [default: 30000]
    #[arg(long, value_name = "MS")]
    pub(crate) pingms: Option<Flag<Millis>>,
    /// Compress messages of at least this many bytes, for clients that offer it (permessage-deflate); without a number 64
    #[arg(long, value_name = "BYTES", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) compress: Option<Flag<CompressWord>>,
    /// Keep a session for this many seconds after its connection is lost, for clients that can return, such as wsd.js; 0 keeps
    /// none; with --http at least 15 [default: 0]
    #[arg(long, value_name = "SECS")]
    pub(crate) resume: Option<Flag<SecsFromZero>>,
    /// Serve programs over plain HTTP, too: one POST runs a program (curl), and an event stream with POST for input is a session
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) http: Option<Flag<bool>>,
    /// With --resume or --http, keep up to this many bytes of messages that a client has not acknowledged, also with k, M or G; beyond,
    /// the program waits [default: 1048576]
    #[arg(long, value_name = "BYTES")]
    pub(crate) replay: Option<Flag<Bytes>>,
    /// Accept these subprotocols, separated by commas; wsd chooses the first of the client's that is among them
    #[arg(long, value_name = "NAMES")]
    pub(crate) subprotocol: Option<Flag<Items>>,
}

/// The pages whose scripts may connect, and the addresses.
#[derive(Args, Clone, Debug, Default, Deserialize, PartialEq)]
#[command(next_help_heading = "Who may connect")]
pub(crate) struct PageFlags {
    /// Let only pages of these origins connect, separated by commas: [scheme://]host[:port]; port * is any
    #[arg(long, value_name = "ORIGINS")]
    pub(crate) origin: Option<Flag<Items>>,
    /// Let only pages of the same origin connect, and no client without an Origin header
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) sameorigin: Option<Flag<bool>>,
    /// Let pages of any origin connect [default: only those that wsd itself serves]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) anyorigin: Option<Flag<bool>>,
    /// Let only clients at these addresses or networks connect, separated by commas; unix is the Unix socket, @FILE a file with one
    /// in each line, which wsd reads again on SIGHUP
    #[arg(long, value_name = "CIDRS")]
    pub(crate) allow: Option<Flag<Items>>,
    /// Refuse clients at these addresses or networks, which may be in --allow; written like those
    #[arg(long, value_name = "CIDRS")]
    pub(crate) deny: Option<Flag<Items>>,
}

/// Headers that wsd adds to its responses.
#[derive(Args, Clone, Debug, Default, Deserialize, PartialEq)]
#[command(next_help_heading = "Responses")]
pub(crate) struct AnswerFlags {
    /// Add this header to every response; repeatable
    #[arg(long, value_name = "HEADER")]
    #[serde(default, deserialize_with = "repeated")]
    pub(crate) header: Option<Vec<Flag<String>>>,
    /// Add this header to responses that open a WebSocket; CGI variables may be in its value, as in 'X-Session: ${UNIQUE_ID}';
    /// repeatable
    #[arg(long, value_name = "HEADER")]
    #[serde(default, deserialize_with = "repeated")]
    pub(crate) header_ws: Option<Vec<Flag<String>>>,
    /// Add this header to all other responses; repeatable
    #[arg(long, value_name = "HEADER")]
    #[serde(default, deserialize_with = "repeated")]
    pub(crate) header_http: Option<Vec<Flag<String>>>,
}

words! {
    /// The delimiting of messages on stdin and stdout.
    FramingWord {
        Lines = "lines", Chunks = "chunks", Json = "json", Nul = "nul", Length = "length", JsonRpc = "jsonrpc", Lsp = "lsp"
    }

    /// The clients that share a program.
    SharingWord { All = "all" | "true", Path = "path", Off = "false" }

    /// The treatment of a client of a room that falls behind.
    SlowWord { Close = "close", Drop = "drop", Wait = "wait" }
}

impl SiteFlags {
    /// Reads the flags of a table. `all` holds the keys of the table and the keys that it inherits.
    pub(crate) fn read(table: &DeTable<'_>, all: &DeTable<'_>) -> Result<Self, Error> {
        Ok(Self {
            served: read(table)?,
            programs: read(all)?,
            confine: read(all)?,
            rooms: read(all)?,
            mcp: read(all)?,
            clients: read(all)?,
            limits: read(all)?,
            pages: read(all)?,
            auth: read(all)?,
            answers: read(all)?,
            record: read(all)?,
        })
    }
}

/// Reads the keys of one subject from a table and ignores the others. A field is spelled with `_` where its key has `-`.
pub(crate) fn read<T: DeserializeOwned>(table: &DeTable<'_>) -> Result<T, Error> {
    let field = |key: &Spanned<DeString<'_>>| Spanned::new(key.span(), key.get_ref().replace('-', "_").into());
    let fields = table.iter().map(|(key, value)| (field(key), value.clone())).collect();
    T::deserialize(Deserializer::from(Spanned::new(0..0, fields)))
}
