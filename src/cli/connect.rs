//! The flags of `wsd connect`, the client.

use std::{ffi::OsStr, ffi::OsString, path::Path, time::Duration};

use clap::{ArgAction, Args, Command, CommandFactory, FromArgMatches, Parser, ValueHint};
use toml::Value as Toml;

use super::{
    error::{Answer, answer},
    split::split,
    types::{CompressWord, Items, SecsFromZero},
    value::{Flag, FlagValue, is_on, words},
};

/// Connects standard input and output, or those of a program, to a WebSocket.
///
/// Every line of standard input becomes a message to the server, and every message of the server becomes a line on
/// standard output. With COMMAND it is the program's standard output that goes to the server.
#[derive(Parser)]
#[command(
    name = "wsd connect",
    override_usage = "wsd connect [FLAGS] URL [COMMAND [ARGS]]",
    args_override_self = true,
    disable_help_flag = true,
    disable_version_flag = true,
    max_term_width = 80,
    after_help = "URL: ws://HOST[:PORT][/PATH], wss://..., http(s)://..., or unix:SOCKET[:/PATH].\nA proxy comes from \
                  http_proxy, https_proxy, all_proxy and no_proxy.\nThe exit status is 0 after close code 1000, N \
                  after 4000 + N, the status of COMMAND if that ends first, 1 after anything else, 2 invalid flag, 128 + N after \
                  signal N."
)]
struct ConnectDefinition {
    #[command(flatten)]
    flags: ConnectFlags,
    /// Print this help
    #[arg(long, action = ArgAction::HelpShort, help_heading = "Flags of wsd connect")]
    help: Option<bool>,
}

/// The flags of the client.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Flags of wsd connect")]
pub(crate) struct ConnectFlags {
    /// Choose how messages are delimited on standard input and output: chunks are raw bytes [default: lines]
    #[arg(long, value_name = "HOW")]
    pub(crate) framing: Option<Flag<ClientFramingWord>>,
    /// Offer these subprotocols, separated by commas; the server must choose one
    #[arg(long, value_name = "NAMES")]
    pub(crate) subprotocol: Option<Flag<Items>>,
    /// Send this Origin header, for servers that ask for one
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) origin: Option<Flag<String>>,
    /// Send this header with the request; repeatable
    #[arg(long, value_name = "HEADER")]
    pub(crate) header: Vec<Flag<String>>,
    /// Trust servers signed by one of these authorities (PEM) instead of the system's
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) sslca: Option<Flag<OsString>>,
    /// Show this client certificate (PEM) to servers that ask for one; needs --sslkey
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) sslcert: Option<Flag<OsString>>,
    /// Use this private key of the client certificate (PEM)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) sslkey: Option<Flag<OsString>>,
    /// Offer to compress messages of at least this many bytes (permessage-deflate); without a number 64
    #[arg(long, value_name = "BYTES", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) compress: Option<Flag<CompressWord>>,
    /// Return to the session when the connection is lost, for as long as the server keeps it (wsd --resume): no message is lost
    /// or doubled
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) resume: Option<Flag<bool>>,
    /// Try again, with growing pauses, until the server can be reached for the first time; with --resume also begin another
    /// session when the server has lost the last one
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) retry: Option<Flag<bool>>,
    /// After the end of standard input, close once the server has been silent for this many seconds; `close` waits until
    /// the server closes [default: 1, or close if standard input is empty]
    #[arg(long, value_name = "SECS")]
    pub(crate) wait: Option<Flag<Wait>>,
    /// Be a server of MCP on standard input and output, in front of the server at URL, which speaks Streamable HTTP
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) mcp: Option<Flag<bool>>,
    /// Make the terminal one of the server's (a route with --pty); Enter ~ . leaves it
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) pty: Option<Flag<bool>>,
}

words! {
    /// The delimiting of messages on the client's standard input and output.
    ClientFramingWord {
        Lines = "lines", Chunks = "chunks", Nul = "nul", Length = "length", JsonRpc = "jsonrpc", Lsp = "lsp"
    }
}

/// The time from the end of standard input to the client's close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// The server closes.
    Close,
    /// The client closes after this silence of the server.
    Silence(Duration),
}

impl FlagValue for Wait {
    fn expected() -> String {
        format!("`close` or {}", SecsFromZero::expected())
    }

    fn of_toml(toml: &Toml) -> Option<Self> {
        Self::of_word(toml.as_str()?.as_ref())
    }

    fn of_word(word: &OsStr) -> Option<Self> {
        if word == "close" {
            return Some(Self::Close);
        }
        SecsFromZero::of_word(word).map(|secs| Self::Silence(secs.0))
    }
}

/// A command line of `wsd connect`.
#[derive(Clone, Debug)]
pub(crate) struct ConnectLine {
    /// The flags.
    pub(crate) flags: ConnectFlags,
    /// The URL, as it was written.
    pub(crate) url: String,
    /// COMMAND and its arguments; empty without one.
    pub(crate) command: Vec<OsString>,
}

/// Reads a command line of `wsd connect`; `None` if the arguments are not one.
///
/// The word is `connect` as the first argument. Under the name of websocketd, where it is a program, there is no such word.
pub(crate) fn parse(args: &[OsString]) -> Option<Result<ConnectLine, Answer>> {
    let is_websocketd = Path::new(args.first()?).file_name().is_some_and(|name| name == "websocketd");
    (!is_websocketd && args.get(1)? == "connect").then(|| read(&args[1..]))
}

/// Reads the arguments from the word `connect` on. Flags may also stand behind the URL.
fn read(args: &[OsString]) -> Result<ConnectLine, Answer> {
    let mut definition = definition();
    let (mut flags, rest) = split(&definition, args.iter().cloned());
    let (behind, command) = split(&definition, rest.iter().cloned());
    flags.extend(behind.into_iter().skip(1));
    let matches = definition.try_get_matches_from_mut(flags).map_err(|error| answer(&definition, &error, args))?;
    let ConnectDefinition { flags, .. } =
        ConnectDefinition::from_arg_matches(&matches).map_err(|error| answer(&definition, &error, args))?;
    let wrong = |message: &str, hint: &str| Err(Answer::Wrong(format!("{message}\nhint: {hint}")));
    let Some(url) = rest.first() else {
        let example = if is_on(&flags.mcp) { "--mcp http://localhost:8080/mcp" } else { "ws://localhost:8080/" };
        return wrong("cannot connect without a URL", &format!("write it after the flags: wsd connect {example}"));
    };
    let Some(url) = url.to_str() else {
        return wrong("cannot use a URL that is not UTF-8", "write its bytes as %XX");
    };
    Ok(ConnectLine { flags, url: url.to_owned(), command })
}

/// Returns the definition of the flags.
pub(super) fn definition() -> Command {
    ConnectDefinition::command()
}
