//! Flags of the server: those of the site, and those that no route may have.

use std::{ffi::OsString, num::NonZero};

use clap::{Args, ValueHint};
use serde::Deserialize;

use super::{
    site::SiteFlags,
    types::{Bytes, Items, Mode, repeated},
    value::{Flag, words},
};

/// All flags that the top of a file may set, by subject.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Flags {
    /// Addresses and ports.
    #[command(flatten)]
    pub(crate) listen: ListenFlags,
    /// TLS.
    #[command(flatten)]
    pub(crate) tls: TlsFlags,
    /// Reverse proxies.
    #[command(flatten)]
    pub(crate) proxies: ProxyFlags,
    /// The site at the top of the file.
    #[command(flatten)]
    pub(crate) site: SiteFlags,
    /// Memory and threads.
    #[command(flatten)]
    pub(crate) resources: ResourceFlags,
    /// Rooms across machines.
    #[command(flatten)]
    pub(crate) bus: BusFlags,
    /// The log.
    #[command(flatten)]
    pub(crate) log: LogFlags,
    /// Metrics.
    #[command(flatten)]
    pub(crate) metrics: MetricsFlags,
}

/// Addresses and ports.
#[derive(Args, Clone, Debug, Default, Deserialize, PartialEq)]
#[command(next_help_heading = "Where to listen")]
pub(crate) struct ListenFlags {
    /// Listen on this port; 0 picks a free one [default: 8080, with --ssl 8443]
    #[arg(long, value_name = "N")]
    pub(crate) port: Option<Flag<u16>>,
    /// Listen on this address; repeatable [default: loopback only; 0.0.0.0 for all IPv4, :: for all]
    #[arg(long, value_name = "ADDR")]
    #[serde(default, deserialize_with = "repeated")]
    pub(crate) address: Option<Vec<Flag<String>>>,
    /// Listen on this Unix socket instead of TCP; add --port to use both; @NAME is abstract (Linux)
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(crate) unixsocket: Option<Flag<OsString>>,
    /// Set the permissions of the Unix socket, such as 660 [default: from the umask]
    #[arg(long, value_name = "OCTAL")]
    pub(crate) socketmode: Option<Flag<Mode>>,
    /// Redirect HTTP requests on this port to --port; 0 redirects none
    #[arg(long, value_name = "N")]
    pub(crate) redirport: Option<Flag<u16>>,
}

/// TLS.
#[derive(Args, Clone, Debug, Default, Deserialize, PartialEq)]
#[command(next_help_heading = "TLS")]
pub(crate) struct TlsFlags {
    /// Serve over TLS; needs --sslcert and --sslkey
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) ssl: Option<Flag<bool>>,
    /// Use this certificate (PEM); wsd reloads it when it changes, and on SIGHUP
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) sslcert: Option<Flag<OsString>>,
    /// Use this private key of the certificate (PEM)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) sslkey: Option<Flag<OsString>>,
    /// Require client certificates signed by one of these authorities (PEM)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) sslca: Option<Flag<OsString>>,
}

/// Reverse proxies in front of wsd.
#[derive(Args, Clone, Debug, Default, Deserialize, PartialEq)]
#[command(next_help_heading = "Behind a proxy")]
pub(crate) struct ProxyFlags {
    /// Trust proxies at these addresses or networks, separated by commas, to name their clients in X-Forwarded-For and the like;
    /// unix is a proxy at the Unix socket
    #[arg(long, value_name = "CIDRS")]
    pub(crate) trust_proxy: Option<Flag<Items>>,
    /// Admit only proxies of --trust-proxy, which begin each connection with the PROXY protocol, version 1 or 2
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) proxy_protocol: Option<Flag<bool>>,
    /// Serve everything below this path, which a proxy passes on, such as /live
    #[arg(long, value_name = "PATH")]
    pub(crate) base: Option<Flag<String>>,
}

/// Memory and processors.
#[derive(Args, Clone, Debug, Default, Deserialize, PartialEq)]
#[command(next_help_heading = "Resources")]
pub(crate) struct ResourceFlags {
    /// Limit the bytes that wait in wsd for clients and programs, also with k, M or G; 0 is no limit [default: 268435456]
    #[arg(long, value_name = "BYTES")]
    pub(crate) maxbuffer: Option<Flag<Bytes>>,
    /// Limit the memory of compressors that sessions hold (--compress), in bytes, also with k, M or G; beyond, messages go plain
    /// [default: 67108864]
    #[arg(long, value_name = "BYTES")]
    pub(crate) compress_memory: Option<Flag<Bytes>>,
    /// Serve with this many threads, 1 to 512 [default: one for every two cores]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<Flag<NonZero<usize>>>,
}

/// Rooms across machines.
#[derive(Args, Clone, Debug, Default, Deserialize, PartialEq)]
#[command(next_help_heading = "Rooms across machines")]
pub(crate) struct BusFlags {
    /// Share the programs of --shared with other nodes over Redis or Valkey: redis://HOST:6379, rediss://HOST, unix:/PATH, nodes of a
    /// cluster separated by commas, or sentinel://HOST:26379/NAME
    #[arg(long, value_name = "URLS")]
    pub(crate) bus: Option<Flag<Items>>,
    /// Show this client certificate (PEM) to Redis; needs --bus-key and rediss://
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) bus_cert: Option<Flag<OsString>>,
    /// Use this private key of --bus-cert (PEM)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) bus_key: Option<Flag<OsString>>,
    /// Begin all keys in Redis with this word [default: wsd]
    #[arg(long, value_name = "WORD")]
    pub(crate) bus_prefix: Option<Flag<String>>,
    /// Call this node so in events and in the log [default: random]
    #[arg(long, value_name = "NAME")]
    pub(crate) node: Option<Flag<String>>,
}

/// The log.
#[derive(Args, Clone, Debug, Default, Deserialize, PartialEq)]
#[command(next_help_heading = "Log")]
pub(crate) struct LogFlags {
    /// Log events of this level and above; trace shows each message, too [default: access]
    #[arg(long, value_name = "LEVEL")]
    pub(crate) loglevel: Option<Flag<LevelWord>>,
    /// Write lines of this format; json is an object for each line [default: text]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) logformat: Option<Flag<LogFormatWord>>,
    /// Append the log to this file; SIGUSR1 opens it again, for logrotate [default: standard error]
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(crate) logfile: Option<Flag<OsString>>,
}

/// Metrics.
#[derive(Args, Clone, Debug, Default, Deserialize, PartialEq)]
#[command(next_help_heading = "Metrics")]
pub(crate) struct MetricsFlags {
    /// Serve metrics for Prometheus: at /metrics of this ADDR:PORT or unix:PATH, without credentials, or at this /PATH of the server
    /// itself, for clients that pass --auth [default: nowhere]
    #[arg(long, value_name = "WHERE")]
    pub(crate) metrics: Option<Flag<String>>,
}

words! {
    /// A level of the log: websocketd's names and `warn`. `info` shows sessions here, although websocketd's `info` hides them.
    LevelWord { Trace = "trace", Debug = "debug", Info = "access" | "info", Warn = "warn", Error = "error", Off = "fatal" | "none" }

    /// The formats of the log.
    LogFormatWord { Text = "text", Json = "json" }
}
