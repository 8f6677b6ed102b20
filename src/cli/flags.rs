//! The table of flags: their names, their values, their help.

#![expect(clippy::doc_markdown, reason = "the doc comments of flags are the text of `--help`")]
#![expect(rustdoc::broken_intra_doc_links, reason = "brackets in the text of `--help` are no links")]
#![expect(clippy::struct_excessive_bools, reason = "flags are what they are")]

use std::{ffi::OsString, num::NonZero, path::PathBuf, time::Duration};

use clap::{ArgAction, Parser};

use super::values::{boolean, integer, natural, port, seconds, threads};
use crate::limits::{BUFFER_BYTES_MAX, CGI_SECS, FORKS_MAX, MESSAGE_BYTES_MAX, PING_MS, SLOW_WAIT_SECS};

/// Turns any program that reads standard input and writes standard output into a WebSocket service.
///
/// Each WebSocket connection gets its own process of COMMAND: each line that it prints is a message, each message that
/// it receives is a line of its standard input.
#[derive(Clone, Debug, PartialEq, Parser)]
#[command(
    name = "wsd",
    version,
    override_usage = "wsd [FLAGS] COMMAND [ARGS]\n       wsd [FLAGS] --dir=DIR",
    args_override_self = true,
    disable_help_flag = true,
    disable_version_flag = true,
    max_term_width = 80,
    after_help = "Flags end at COMMAND: what comes after it is its own.\nExit status: 0 ended by a signal, 1 bad request, \
                  2 bad flag, 3 cannot start."
)]
pub(crate) struct Flags {
    /// Port to listen on [default: 8080, with --ssl 8443]; 0 picks a free one
    #[arg(long, value_name = "N", value_parser = port, help_heading = "Where to listen")]
    pub(crate) port: Option<u16>,

    /// Address to listen on, may be repeated; by default 127.0.0.1 and ::1, this machine only; 0.0.0.0 is all of IPv4, :: all
    #[arg(long, value_name = "ADDR", help_heading = "Where to listen")]
    pub(crate) address: Vec<String>,

    /// Unix socket to listen on, without --port and --address on nothing else; @NAME is one without a file (Linux)
    #[arg(long, value_name = "PATH", help_heading = "Where to listen")]
    pub(crate) unixsocket: Option<OsString>,

    /// Permissions of the Unix socket, such as 660 [default: what the umask leaves]
    #[arg(long, value_name = "OCTAL", help_heading = "Where to listen")]
    pub(crate) socketmode: Option<String>,

    /// Port whose clients are sent to the one of --port; 0 is none
    #[arg(long, value_name = "N", value_parser = port, help_heading = "Where to listen")]
    pub(crate) redirport: Option<u16>,

    /// How messages stand in the streams: lines, chunks (bytes as they come) or json (with who speaks)
    #[arg(long, value_name = "HOW", help_heading = "What to serve")]
    pub(crate) framing: Option<String>,

    /// The same as --framing=chunks
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          default_value_t = false, hide_default_value = true, value_parser = boolean, action = ArgAction::Set,
          help_heading = "What to serve")]
    pub(crate) binary: bool,

    /// Serve the programs in DIR: the path of the URL picks one
    #[arg(long, value_name = "DIR", help_heading = "What to serve")]
    pub(crate) dir: Option<OsString>,

    /// Serve the files in DIR to plain HTTP requests
    #[arg(long, value_name = "DIR", help_heading = "What to serve")]
    pub(crate) staticdir: Option<OsString>,

    /// Serve the CGI scripts in DIR to plain HTTP requests
    #[arg(long, value_name = "DIR", help_heading = "What to serve")]
    pub(crate) cgidir: Option<OsString>,

    /// Serve a page to talk to the programs with, where nothing else answers
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          default_value_t = false, hide_default_value = true, value_parser = boolean, action = ArgAction::Set,
          help_heading = "What to serve")]
    pub(crate) devconsole: bool,

    /// Environment variables that programs inherit, separated by commas [default: PATH,LD_LIBRARY_PATH]
    #[arg(long, value_name = "NAMES", help_heading = "Programs")]
    pub(crate) passenv: Option<String>,

    /// Send standard error, too: each line of either stream is a JSON object with `stream` and `data`
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          default_value_t = false, hide_default_value = true, value_parser = boolean, action = ArgAction::Set,
          help_heading = "Programs")]
    pub(crate) passstderr: bool,

    /// Programs at a time; 0 is no limit
    #[arg(long, value_name = "N", value_parser = integer, default_value_t = FORKS_MAX as i64, allow_negative_numbers = true,
          help_heading = "Programs")]
    pub(crate) maxforks: i64,

    /// Milliseconds more for a program to end by itself before each signal
    #[arg(long, value_name = "MS", value_parser = natural, default_value_t = 0, help_heading = "Programs")]
    pub(crate) closems: u64,

    /// Seconds for a CGI script to answer, and for each silence in its answer
    #[arg(long = "cgi-timeout", value_name = "SECS", value_parser = seconds, default_value = CGI_SECS, help_heading = "Programs")]
    pub(crate) cgi_timeout: Duration,

    /// Look up the names of clients for REMOTE_HOST
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          default_value_t = false, hide_default_value = true, value_parser = boolean, action = ArgAction::Set,
          help_heading = "Programs")]
    pub(crate) reverselookup: bool,

    /// One program for all clients, or with `path` one for each path
    #[arg(long, value_name = "HOW", num_args = 0..=1, require_equals = true, default_missing_value = "all",
          help_heading = "Rooms")]
    pub(crate) shared: Option<String>,

    /// Start a shared program with wsd, and again whenever it ends
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          default_value_t = false, hide_default_value = true, value_parser = boolean, action = ArgAction::Set,
          help_heading = "Rooms")]
    pub(crate) eager: bool,

    /// Messages that a newcomer gets first
    #[arg(long, value_name = "N", value_parser = natural, default_value_t = 0, help_heading = "Rooms")]
    pub(crate) history: u64,

    /// What happens to a client that does not keep up: close, drop (its oldest messages) or wait (all for it)
    #[arg(long, value_name = "HOW", default_value = "close", help_heading = "Rooms")]
    pub(crate) slow: String,

    /// With --slow=wait, seconds until a client that takes nothing is closed
    #[arg(long = "slow-wait", value_name = "SECS", value_parser = seconds, default_value = SLOW_WAIT_SECS, help_heading = "Rooms")]
    pub(crate) slow_wait: Duration,

    /// Read flags and routes from a TOML file; again on SIGHUP
    #[arg(long, value_name = "FILE", help_heading = "Routes")]
    pub(crate) config: Option<PathBuf>,

    /// Only check the flags and the file of --config
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          default_value_t = false, hide_default_value = true, value_parser = boolean, action = ArgAction::Set,
          help_heading = "Routes")]
    pub(crate) check: bool,

    /// Serve a program at a path, /PATH or /PATH/*; may be repeated
    #[arg(long, value_name = "/PATH=COMMAND", help_heading = "Routes")]
    pub(crate) route: Vec<String>,

    /// Bytes of the longest message a client may send; 0 is no limit
    #[arg(long, value_name = "BYTES", value_parser = integer, default_value_t = MESSAGE_BYTES_MAX as i64, allow_negative_numbers = true,
          help_heading = "Connections")]
    pub(crate) maxframesize: i64,

    /// Bytes that may wait anywhere in wsd for clients and programs; 0 is no limit
    #[arg(long, value_name = "BYTES", value_parser = natural, default_value_t = BUFFER_BYTES_MAX as u64,
          help_heading = "Connections")]
    pub(crate) maxbuffer: u64,

    /// Milliseconds between pings; 0 is none
    #[arg(long, value_name = "MS", value_parser = natural, default_value_t = PING_MS, help_heading = "Connections")]
    pub(crate) pingms: u64,

    /// Subprotocols, separated by commas; the first that a client offers and that is listed is chosen
    #[arg(long, value_name = "NAMES", help_heading = "Connections")]
    pub(crate) subprotocol: Option<String>,

    /// Pages of these origins may connect, separated by commas: [scheme://]host[:port], port * is any
    #[arg(long, value_name = "ORIGINS", help_heading = "Who may connect")]
    pub(crate) origin: Option<String>,

    /// Only pages of the same origin, and no client without an Origin header
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          default_value_t = false, hide_default_value = true, value_parser = boolean, action = ArgAction::Set,
          help_heading = "Who may connect")]
    pub(crate) sameorigin: bool,

    /// Pages of any origin; by default only those that wsd itself serves
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          default_value_t = false, hide_default_value = true, value_parser = boolean, action = ArgAction::Set,
          help_heading = "Who may connect")]
    pub(crate) anyorigin: bool,

    /// Speak TLS; needs --sslcert and --sslkey
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          default_value_t = false, hide_default_value = true, value_parser = boolean, action = ArgAction::Set,
          help_heading = "TLS")]
    pub(crate) ssl: bool,

    /// Certificate, PEM; loaded again when it changes, and on SIGHUP
    #[arg(long, value_name = "FILE", help_heading = "TLS")]
    pub(crate) sslcert: Option<OsString>,

    /// Its private key, PEM
    #[arg(long, value_name = "FILE", help_heading = "TLS")]
    pub(crate) sslkey: Option<OsString>,

    /// Ask clients for a certificate that one of these has signed, PEM
    #[arg(long, value_name = "FILE", help_heading = "TLS")]
    pub(crate) sslca: Option<OsString>,

    /// Header of every answer, may be repeated
    #[arg(long, value_name = "HEADER", help_heading = "Answers")]
    pub(crate) header: Vec<String>,

    /// Header of answers that open a WebSocket, may be repeated
    #[arg(long = "header-ws", value_name = "HEADER", help_heading = "Answers")]
    pub(crate) header_ws: Vec<String>,

    /// Header of all other answers, may be repeated
    #[arg(long = "header-http", value_name = "HEADER", help_heading = "Answers")]
    pub(crate) header_http: Vec<String>,

    /// How much to log: debug, trace, access, info, warn, error, fatal or none
    #[arg(long, value_name = "LEVEL", default_value = "access", help_heading = "Other")]
    pub(crate) loglevel: String,

    /// Threads that serve, 1 to 512 [default: one for every two cores]
    #[arg(long, value_name = "N", value_parser = threads, help_heading = "Other")]
    pub(crate) threads: Option<NonZero<usize>>,

    /// Print this help
    #[arg(long, action = ArgAction::HelpShort, help_heading = "Other")]
    pub(crate) help: Option<bool>,

    /// Print the licence
    #[arg(long, action = ArgAction::SetTrue, help_heading = "Other")]
    pub(crate) license: bool,

    /// Print the manual page, or what completes the flags in a shell: man, bash, zsh or fish
    #[arg(long, value_name = "WHAT", hide = true)]
    pub(crate) generate: Option<String>,

    /// Print the version
    #[arg(long, action = ArgAction::Version, help_heading = "Other")]
    pub(crate) version: Option<bool>,

    /// COMMAND and its arguments.
    #[arg(skip)]
    pub(crate) command: Vec<OsString>,

    /// The flags of the command line as words, each in its long spelling.
    #[arg(skip)]
    pub(crate) words: Vec<OsString>,

    /// `maxforks` of a route's own, within that of the whole.
    #[arg(skip)]
    pub(crate) maxforks_of_route: Option<usize>,

    /// Of `eager` and `history` those that are meant for this program, not taken over from what is for several.
    #[arg(skip)]
    pub(crate) own_of_rooms: Vec<&'static str>,

    /// There are routes beside what these flags serve, which may be nothing.
    #[arg(skip)]
    pub(crate) has_routes: bool,

    /// wsd was started under the name `websocketd`, whose defaults hold.
    #[arg(skip)]
    pub(crate) is_websocketd: bool,
}
