//! The list of events: everything that wsd logs, each with its level and its keys.
//!
//! All events pass through this file: the log writes them, and [`counting`] counts them. A test checks the table in the
//! documentation against this list.

mod counting;
mod value;

use std::{fmt::Display, sync::Arc};

use tracing::Span;

pub(crate) use crate::metrics::shown::seconds;
use crate::{
    metrics::{
        live::{LiveRoom, LiveSession},
        route::RouteName,
    },
    peer::Peer,
};
use value::IntoValue;
pub(crate) use value::processor_seconds;

/// Defines the events: variant, level, name in the log, and keys in order. The log leaves out a key that is `None`. The field
/// after `=>` is for the counts only.
macro_rules! events {
    ($($(#[$doc:meta])* $level:ident $event:ident = $name:literal
        { $($field:ident $(as $key:literal)? : $type:ty),* } $(=> $counted:ident: $subject:ty)?)+) => {
        /// An event for the log. Each field is a key, except the subject that is counted.
        #[derive(Clone, Copy)]
        pub(crate) enum Event<'a> {
            $($(#[$doc])* $event { $($field: $type,)* $($counted: $subject)? }),+
        }

        impl Event<'_> {
            /// Counts the event, then logs it: the reader of the line finds the event counted.
            pub(crate) fn emit(self) {
                self.count();
                match self {
                    $(Self::$event { $($field,)* .. } =>
                        tracing::$level!($({ events!(@key $field $($key)?) } = $field.into_value(),)* $name),)+
                }
            }
        }

        /// The events: name, level and keys.
        #[cfg(test)]
        const EVENTS: &[(&str, &str, &[&str])] =
            &[$(($name, stringify!($level), &[$(events!(@key $field $($key)?)),*])),+];
    };
    (@key $field:ident) => { stringify!($field) };
    (@key $field:ident $key:literal) => { $key };
}

/// Returns a span whose events have the key `trace` with this id; without an id it has no effect.
///
/// Its level is the highest one: the level of the log decides about events, and a span has no line.
pub(crate) fn trace_span(id: Option<&str>) -> Span {
    id.map_or_else(Span::none, |id| tracing::error_span!("trace", trace = %id))
}

events! {
    /// wsd listens at an address.
    info ServerReady = "server ready" { url: &'a str }
    /// wsd serves its metrics at an address of their own.
    info MetricsReady = "metrics ready" { url: &'a str }
    /// wsd got a signal to end.
    info ServerStopping = "server stopping" {}

    /// A session began; `pid` is its own process, if it has one.
    info SessionStarted = "session started" {
        conn: u64, peer: Peer, pid: Option<i32>, path: &'a str
    } => session: &'a Arc<LiveSession>
    /// A session ended.
    info SessionEnded = "session ended" {
        conn: u64, end: &'static str, status: Option<u16>, limit: Option<&'a str>, code: u16, secs: f64,
        input as "in": u64, output as "out": u64, in_bytes: u64, out_bytes: u64, packed_in: Option<u64>,
        packed_out: Option<u64>, cpu: Option<f64>, memory: Option<u64>, client_wait: Option<f64>, program_wait: Option<f64>
    } => session: &'a LiveSession
    /// A program began that answers one POST (`--http`).
    info PostStarted = "post started" {
        conn: u64, peer: Peer, pid: i32, path: &'a str
    } => session: &'a Arc<LiveSession>
    /// A program that answered one POST has ended.
    info PostEnded = "post ended" {
        conn: u64, end: &'static str, status: u16, secs: f64, input as "in": u64, output as "out": u64,
        cpu: Option<f64>, memory: Option<u64>
    } => session: &'a LiveSession
    /// The connection of a resumable session was lost; the session waits for its client.
    info SessionDetached = "session detached" { conn: u64 }
    /// A client returned to its session, after `away` milliseconds.
    info SessionResumed = "session resumed" { conn: u64, peer: Peer, away: u64, replayed: u64 }
    /// A client did not return to its session in time.
    info SessionExpired = "session expired" { conn: u64 }
    /// The administrator ends a session (`--admin`); `peer` and `user` are the administrator's.
    info SessionDismissed = "session dismissed" { conn: u64, peer: Peer, user: Option<&'a str> }
    /// A message of a session; `data` is its beginning.
    trace Message = "message" { conn: u64, direction: &'a str, kind as "type": &'a str, bytes: u64, data: &'a str }
    /// A client sent a message that its framing drops; once a session.
    warn MessageIgnored = "message ignored" { conn: u64, why: &'a str }
    /// wsd refused a request for a session, a script or a file.
    warn SessionRefused = "session refused" {
        peer: Peer, path: &'a str, why: &'static str, origin: Option<&'a str>, host: Option<&'a str>, hint: Option<&'a str>
    } => route: &'a RouteName
    /// A client offered only subprotocols that the site does not list; once for each site.
    warn SubprotocolNotListed = "subprotocol not listed" { peer: Peer, offered: &'a str, hint: &'a str }
    /// wsd left a header of `--header-ws` out of a 101.
    warn HeaderDropped = "header dropped" { conn: u64, name: &'a str, why: &'a str }
    /// A handshake of TLS failed, or the header of the PROXY protocol is missing or of nobody that wsd trusts.
    info ConnectionRefused = "connection refused" {
        peer: Peer, why: &'a str, cause: &'a dyn Display, hint: Option<&'a str>
    }
    /// A request looks like one for a WebSocket that has lost `Upgrade` on its way; once for each route.
    warn UpgradeDropped = "upgrade dropped" { peer: Peer, path: &'a str, hint: &'a str }
    /// A peer that wsd does not trust sent the headers of a proxy, which change nothing; once.
    warn ProxyNotTrusted = "proxy not trusted" { peer: Peer, header: &'a str, hint: &'a str }
    /// A trusted proxy sent a header that breaks its grammar; once.
    warn ForwardedMalformed = "forwarded header malformed" { peer: Peer, header: &'a str, hint: &'a str }
    /// wsd could not read a request as HTTP.
    info RequestUnreadable = "request not readable" { peer: Peer, cause: &'a dyn Display, hint: Option<&'a str> }
    /// wsd answered a request, other than with a session.
    info HttpRequest = "http request" {
        peer: Peer, method: &'a str, path: &'a str, status: u16, bytes: u64, ms: u64
    } => kind: &'static str
    /// The limit of open files is low and allows fewer programs than `--maxforks`.
    warn DescriptorsScarce = "few open files allowed" { limit: usize, programs: usize, maxforks: usize, hint: &'a str }
    /// wsd cannot accept connections for now.
    warn ConnectionsWait = "connections wait" { cause: &'a dyn Display, hint: Option<&'a str> }

    /// wsd started a room's worker.
    info RoomStarted = "room started" { pid: i32, path: &'a str } => room: &'a Arc<LiveRoom>
    /// A room's worker has ended.
    info RoomEnded = "room ended" {
        pid: i32, path: &'a str, status: u16, limit: Option<&'a str>, secs: f64, input as "in": u64, output as "out": u64,
        in_bytes: u64, out_bytes: u64, cpu: Option<f64>, memory: Option<u64>
    } => room: &'a Arc<LiveRoom>
    /// A slow client of a room missed messages.
    warn MessagesLost = "messages lost" { conn: u64, lost: u64, hint: &'a str }
    /// The bus of the rooms is there.
    info BusReady = "bus ready" { node: &'a str }
    /// Redis does not answer.
    warn BusLost = "bus lost" { cause: &'a dyn Display, hint: Option<&'a str> }
    /// Redis refuses a step of a room; wsd tries again.
    warn BusRefused = "bus refuses" { cause: &'a dyn Display, hint: Option<&'a str> }
    /// Redis drops keys when its memory is full.
    warn BusDropsKeys = "bus drops keys" { policy: &'a str, hint: &'a str }
    /// Redis answers again.
    info BusBack = "bus back" { secs: f64 }
    /// This node has taken a room: it runs its program.
    info RoomTaken = "room taken" { path: &'a str, epoch: u64 }
    /// Another node has taken a room of this node.
    warn RoomFenced = "room fenced" { path: &'a str, epoch: u64 }
    /// Records of a room were trimmed or dropped before this node had them.
    warn RoomGap = "room gap" { path: &'a str, cause: &'a dyn Display }

    /// wsd started a server of MCP; `kind` is `session` or `shared`.
    info McpStarted = "mcp started" {
        conn: u64, peer: Peer, pid: i32, path: &'a str, kind: &'a str
    } => session: &'a Arc<LiveSession>
    /// A server of MCP has ended.
    info McpEnded = "mcp ended" {
        conn: u64, pid: i32, end: &'static str, status: u16, limit: Option<&'a str>, secs: f64, input as "in": u64,
        output as "out": u64, in_bytes: u64, out_bytes: u64, cpu: Option<f64>, memory: Option<u64>
    } => session: &'a LiveSession
    /// wsd started a server of MCP for the next session (`--mcp-spare`).
    info McpSpareStarted = "mcp spare started" { conn: u64, pid: i32, path: &'a str }
    /// Such a server has ended, and no session had it.
    info McpSpareEnded = "mcp spare ended" { conn: u64, pid: i32, end: &'static str, status: u16 }
    /// A server of MCP wrote a line that is no message; once for each server.
    warn McpOutputUnclean = "mcp output unclean" { conn: u64, hint: &'a str }
    /// A server of MCP answered a request that nobody waits for.
    info McpAnswerUnmatched = "worker answer unmatched" { conn: u64 }
    /// A server of MCP wrote a message that belongs to no client.
    info McpMessageDropped = "mcp message dropped" { conn: u64, method: &'a str, why: &'a str }
    /// The file of a recording is there.
    info RecordingStarted = "recording started" { conn: u64, file: &'a dyn Display }
    /// A recording is complete.
    info RecordingEnded = "recording ended" { conn: u64, file: &'a dyn Display, bytes: u64 }
    /// A recording breaks off; its session goes on.
    warn RecordingCut = "recording cut" { conn: u64, file: &'a dyn Display, cause: &'a str, hint: &'a str }

    /// wsd could not start a program.
    error WorkerNotStarted = "worker not started" {
        peer: Option<Peer>, program: &'a dyn Display, cause: &'a dyn Display, hint: Option<&'a str>
    }
    /// wsd starts an `--eager` program again after a pause.
    warn WorkerRestarts = "worker starts again" { program: &'a dyn Display, secs: u64 }
    /// A line of a program's standard error.
    info WorkerStderr = "worker stderr" { conn: u64, line: &'a str }
    /// A line of a program's standard output that is no message.
    info WorkerJunk = "worker junk" { conn: u64, line: &'a str }
    /// A program printed nothing after a message; once for each program.
    warn WorkerSilent = "worker silent" { conn: u64, program: &'a dyn Display, hint: &'a str }
    /// A program's output was not UTF-8.
    warn WorkerNotText = "worker output not UTF-8" { conn: u64, hint: &'a str }
    /// A program wrote an invalid line.
    warn LineSkipped = "worker line skipped" { conn: u64, line: &'a str, why: &'a str }
    /// A program wrote so many more invalid lines.
    warn LinesSkipped = "worker lines skipped" { conn: u64, lines: u64 }
    /// A program still runs after SIGKILL, or wsd may not kill it.
    error WorkerOutlives = "worker outlives SIGKILL" {
        conn: u64, pid: i32, cause: Option<&'a dyn Display>, hint: Option<&'a str>
    }
    /// The process that ends all programs if wsd is killed has ended.
    error GuardLost = "guard lost" { hint: &'a str }
    /// A CGI script gave no answer, or not all of it.
    warn ScriptFailed = "script failed" {
        conn: u64, program: &'a dyn Display, cause: &'a str, status: u16, limit: Option<&'a str>
    }

    /// An authentication server or script gave no valid answer; wsd refused the request.
    warn AuthNotAnswered = "auth not answered" { peer: Peer, asked: &'a str, cause: &'a dyn Display }
    /// wsd loaded a file of `--auth` again.
    info AuthFileLoaded = "auth file loaded" { file: &'a dyn Display }
    /// wsd could not load a file of `--auth` again.
    warn AuthFileNotLoaded = "auth file not loaded, the old one stays" {
        file: &'a dyn Display, cause: &'a str, hint: &'a str
    }

    /// A secret file lies in a served folder; wsd does not serve it.
    warn FileNotServed = "file not served" {
        file: &'a dyn Display, named: &'a str, folder: &'a dyn Display, hint: &'a str
    }
    /// The bytes that wait came near `--maxbuffer`.
    warn BuffersNearlyFull = "buffers nearly full" { bytes: usize, limit: usize, hint: &'a str }

    /// wsd loaded the certificates again.
    info CertificatesLoaded = "certificates loaded" {}
    /// A certificate of the server or of an authority has expired, or is not yet valid.
    warn CertificateNotValid = "certificate not valid now" {
        file: &'a dyn Display, cause: &'a str, from: &'a dyn Display, to: &'a dyn Display, hint: &'a str
    }
    /// wsd could not load the certificates again.
    error CertificatesNotLoaded = "certificates not loaded, the old ones stay" { cause: &'a dyn Display, hint: &'a str }
    /// Settings work, but the administrator may not want what they do. Told in the log only if nothing else may be told.
    warn SettingsDoubtful = "settings doubtful" { why: &'a str }
    /// wsd loaded the file of settings again.
    info SettingsLoaded = "settings loaded" {}
    /// wsd could not load the file of settings again.
    error SettingsNotLoaded = "settings not loaded, the old ones stay" { cause: &'a dyn Display, hint: Option<&'a str> }
    /// Settings have changed that take effect at the next start only.
    warn SettingsNeedRestart = "settings need a restart" { keys: &'a str, hint: &'a str }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the name, level and keys of each row in the documentation's table of events.
    fn documented() -> Vec<(String, String, Vec<String>)> {
        let text = include_str!("../docs/log.md");
        let rows = text.lines().skip_while(|line| *line != "| event | level | keys |").skip(2);
        let rows = rows.take_while(|line| line.starts_with('|'));
        rows.map(|row| {
            let cells: Vec<_> = row.trim_matches('|').splitn(3, '|').map(str::trim).collect();
            let keys = cells[2].split(';').next().unwrap_or_default().split(' ').filter(|key| !key.is_empty());
            let bare = |text: &str| text.trim_matches('`').to_owned();
            (bare(cells[0]), cells[1].to_owned(), keys.map(bare).collect())
        })
        .collect()
    }

    #[test]
    fn the_documented_events_are_those_that_there_are() {
        // The log itself writes these.
        let of_log = [
            ("lines left out", "", &["event", "why", "origin", "lines"][..]),
            ("lines lost", "error", &["lines"]),
            ("log file opened", "info", &["file"]),
            ("log file not opened, the old one stays", "error", &["file", "cause", "hint"]),
        ];
        let mut want: Vec<_> = EVENTS
            .iter()
            .chain(&of_log)
            .map(|(name, level, keys)| {
                ((*name).to_owned(), (*level).to_owned(), keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>())
            })
            .collect();
        let mut documented = documented();
        documented.sort();
        want.sort();
        assert_eq!(documented, want);
    }
}
