//! Every flag: text in, [`Flags`] out. Opens nothing, binds nothing.
//!
//! The spelling is that of Go's flag package, which websocketd uses: `-x` is `--x`, a boolean takes a value only after
//! `=`, and everything from the first word that is no flag belongs to COMMAND.

#![expect(clippy::doc_markdown, reason = "the doc comments of flags are the text of `--help`")]
#![expect(clippy::struct_excessive_bools, reason = "flags are what they are")]

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{ArgAction, CommandFactory, FromArgMatches, Parser, error::ErrorKind};
use clap_complete::Shell;

use crate::limits::{CGI_SECS, FORKS_MAX, MESSAGE_BYTES_MAX, PING_MS};

/// Turns any program that reads standard input and writes standard output into a WebSocket service.
///
/// Each WebSocket connection gets its own process of COMMAND: each line that it prints is a message, each message that
/// it receives is a line of its standard input.
#[derive(Clone, Debug, Parser)]
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

    /// Address to listen on, may be repeated; by default those of this machine only (127.0.0.1 and ::1); 0.0.0.0 is all
    #[arg(long, value_name = "ADDR", help_heading = "Where to listen")]
    pub(crate) address: Vec<String>,

    /// Unix socket to listen on, without --port and --address on nothing else; @NAME is one without a file (Linux)
    #[arg(long, value_name = "PATH", help_heading = "Where to listen")]
    pub(crate) unixsocket: Option<OsString>,

    /// Permissions of the Unix socket, such as 660 [default: what the umask leaves]
    #[arg(long, value_name = "OCTAL", help_heading = "Where to listen")]
    pub(crate) socketmode: Option<String>,

    /// Port whose clients are sent to the one of --port
    #[arg(long, value_name = "N", value_parser = port, help_heading = "Where to listen")]
    pub(crate) redirport: Option<u16>,

    /// Bytes as they come, instead of lines of text
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

    /// Seconds for a CGI script to answer
    #[arg(long = "cgi-timeout", value_name = "SECS", value_parser = seconds, default_value = CGI_SECS, help_heading = "Programs")]
    pub(crate) cgi_timeout: Duration,

    /// Look up the names of clients for REMOTE_HOST
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          default_value_t = false, hide_default_value = true, value_parser = boolean, action = ArgAction::Set,
          help_heading = "Programs")]
    pub(crate) reverselookup: bool,

    /// Bytes of the longest message a client may send; 0 is no limit
    #[arg(long, value_name = "BYTES", value_parser = integer, default_value_t = MESSAGE_BYTES_MAX as i64, allow_negative_numbers = true,
          help_heading = "Connections")]
    pub(crate) maxframesize: i64,

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
    pub(crate) sslcert: Option<PathBuf>,

    /// Its private key, PEM
    #[arg(long, value_name = "FILE", help_heading = "TLS")]
    pub(crate) sslkey: Option<PathBuf>,

    /// Ask clients for a certificate that one of these has signed, PEM
    #[arg(long, value_name = "FILE", help_heading = "TLS")]
    pub(crate) sslca: Option<PathBuf>,

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

    /// Print this help
    #[arg(long, action = ArgAction::HelpShort, help_heading = "Other")]
    help: Option<bool>,

    /// Print the licence
    #[arg(long, action = ArgAction::SetTrue, help_heading = "Other")]
    license: bool,

    /// Print the manual page, or what completes the flags in a shell: man, bash, zsh or fish
    #[arg(long, value_name = "WHAT", hide = true)]
    generate: Option<String>,

    /// Print the version
    #[arg(long, action = ArgAction::Version, help_heading = "Other")]
    version: Option<bool>,

    /// COMMAND and its arguments.
    #[arg(skip)]
    pub(crate) command: Vec<OsString>,

    /// wsd was started under the name `websocketd`, whose defaults hold.
    #[arg(skip)]
    pub(crate) is_websocketd: bool,
}

/// The name that brings websocketd's defaults with it.
const OLD_NAME: &str = "websocketd";

/// The text of the licence.
const LICENSE: &str = include_str!("../LICENSE");

/// What became of the arguments if not flags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Text for standard output, and success: `--help`, `--version`.
    Text(String),
    /// What is wrong with them, for standard error.
    Wrong(String),
}

/// Reads the arguments, the name of the program first.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Flags, Answer> {
    let mut args = args.into_iter().peekable();
    let own_name = args.peek().and_then(|name| Path::new(name).file_name()).and_then(|name| name.to_str());
    let is_websocketd = own_name == Some(OLD_NAME);
    let name = if is_websocketd { OLD_NAME } else { "wsd" };
    let definition = Flags::command().name(name);
    let (flags, command) = split(&definition, args);
    let matches = definition.clone().try_get_matches_from(flags).map_err(|error| answer(&error))?;
    let mut flags = Flags::from_arg_matches(&matches).map_err(|error| answer(&error))?;
    if flags.license {
        return Err(Answer::Text(LICENSE.to_owned()));
    }
    if let Some(what) = &flags.generate {
        return Err(generate(definition, what));
    }
    flags.command = command;
    flags.is_websocketd = is_websocketd;
    Ok(flags)
}

/// The manual page and the completions, made from the definition of the flags.
fn generate(mut definition: clap::Command, what: &str) -> Answer {
    let mut text = Vec::new();
    let shell = match what {
        "man" => {
            return match clap_mangen::Man::new(definition).render(&mut text) {
                Ok(()) => Answer::Text(String::from_utf8_lossy(&text).into_owned()),
                Err(error) => Answer::Wrong(error.to_string()),
            };
        }
        "bash" => Shell::Bash,
        "zsh" => Shell::Zsh,
        "fish" => Shell::Fish,
        _ => return Answer::Wrong(format!("--generate: there is no `{what}`\nhint: it is man, bash, zsh or fish")),
    };
    clap_complete::generate(shell, &mut definition, "wsd", &mut text);
    Answer::Text(String::from_utf8_lossy(&text).into_owned())
}

fn answer(error: &clap::Error) -> Answer {
    let text = error.render().to_string();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Answer::Text(text.trim_end().to_owned() + "\n"),
        _ => Answer::Wrong(text.strip_prefix("error: ").unwrap_or(&text).to_owned()),
    }
}

/// Parts the flags, each in its long spelling, from COMMAND and its arguments.
fn split(definition: &clap::Command, args: impl IntoIterator<Item = OsString>) -> (Vec<OsString>, Vec<OsString>) {
    let mut args = args.into_iter();
    let mut flags: Vec<OsString> = args.next().into_iter().collect();
    while let Some(word) = args.next() {
        let Some(flag) = word.to_str().filter(|word| word.starts_with('-') && *word != "-" && *word != "--") else {
            let is_border = word == "--";
            let command = (!is_border).then_some(word).into_iter().chain(args).collect();
            return (flags, command);
        };
        let body = flag.strip_prefix("--").or_else(|| flag.strip_prefix('-')).unwrap_or(flag);
        let body = if body == "h" { "help" } else { body };
        flags.push(format!("--{body}").into());
        let takes_next = definition.get_arguments().any(|argument| {
            argument.get_long() == Some(body)
                && argument.get_action().takes_values()
                && argument.get_num_args().is_none_or(|count| count.min_values() > 0)
        });
        if takes_next {
            flags.extend(args.next());
        }
    }
    (flags, Vec::new())
}

/// Go's booleans.
fn boolean(text: &str) -> Result<bool, &'static str> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("it is `true` or `false`"),
    }
}

/// Go's integers, except that a leading zero is no octal: `8080`, `0x1F90`, `8_080`.
fn integer(text: &str) -> Result<i64, &'static str> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let digits = digits.replace('_', "").to_ascii_lowercase();
    let (radix, digits) = match digits.split_at_checked(2) {
        Some(("0x", digits)) => (16, digits),
        Some(("0o", digits)) => (8, digits),
        Some(("0b", digits)) => (2, digits),
        _ => (10, &*digits),
    };
    let is_number = digits.starts_with(|c: char| c.is_digit(radix));
    i64::from_str_radix(digits, radix)
        .ok()
        .filter(|_| is_number)
        .map(|number| sign * number)
        .ok_or("it is a whole number")
}

fn natural(text: &str) -> Result<u64, &'static str> {
    integer(text)?.try_into().map_err(|_| "it is 0 or more")
}

fn port(text: &str) -> Result<u16, &'static str> {
    integer(text)?.try_into().map_err(|_| "a port is 0 to 65535")
}

/// Seconds, whole or not: `60`, `0.5`.
fn seconds(text: &str) -> Result<Duration, &'static str> {
    let seconds = text.parse().ok().and_then(|seconds: f64| Duration::try_from_secs_f64(seconds).ok());
    seconds.filter(|seconds| !seconds.is_zero()).ok_or("it is a number of seconds above 0")
}
