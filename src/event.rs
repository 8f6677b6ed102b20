//! The list of events: everything that wsd tells its log, each with its level and its keys.
//!
//! This is the one place where events are told, so whatever else wants to know of them, such as a counter, is told here. The
//! table in the documentation is checked against this list.

use std::{fmt::Display, time::Duration};

use tracing::field::{DisplayValue, display};

use crate::peer::Peer;

/// Defines the events: a variant each, its level, its name in the log, and its keys in order. `None` is not logged.
macro_rules! events {
    ($($(#[$doc:meta])* $level:ident $event:ident = $name:literal { $($field:ident $(as $key:literal)? : $type:ty),* })+) => {
        /// Something that the log is told. Each field is a key.
        #[derive(Clone, Copy)]
        pub(crate) enum Event<'a> {
            $($(#[$doc])* $event { $($field: $type),* }),+
        }

        impl Event<'_> {
            /// Tells the log.
            pub(crate) fn emit(self) {
                match self {
                    $(Self::$event { $($field),* } =>
                        tracing::$level!($({ events!(@key $field $($key)?) } = $field.tell(),)* $name),)+
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

events! {
    /// wsd listens at an address.
    info ServerReady = "server ready" { url: &'a str }
    /// wsd was told to end.
    info ServerStopping = "server stopping" {}

    /// A session began; `pid` is its own process, if it has one.
    info SessionStarted = "session started" { conn: u64, peer: Peer, pid: Option<i32>, path: &'a str }
    /// A session ended.
    info SessionEnded = "session ended" {
        conn: u64, end: &'a str, status: Option<u16>, code: u16, secs: &'a str, input as "in": u64, output as "out": u64
    }
    /// A request for a session, a script or a file was refused.
    warn SessionRefused = "session refused" {
        peer: Peer, why: &'a str, origin: Option<&'a str>, host: Option<&'a str>, hint: Option<&'a str>
    }
    /// A handshake of TLS failed.
    info ConnectionRefused = "connection refused" { peer: Peer, why: &'a str, cause: &'a dyn Display }
    /// No connection can be accepted for now.
    warn ConnectionsWait = "connections wait" { cause: &'a dyn Display, hint: &'a str }

    /// A room's worker was started.
    info RoomStarted = "room started" { pid: i32, path: &'a str }
    /// A room's worker has ended.
    info RoomEnded = "room ended" { pid: i32, path: &'a str, status: u16, secs: &'a str }
    /// A slow client of a room missed messages.
    warn MessagesLost = "messages lost" { conn: u64, lost: u64, hint: &'a str }

    /// A program could not be started.
    error WorkerNotStarted = "worker not started" {
        peer: Option<Peer>, program: &'a dyn Display, cause: &'a dyn Display, hint: Option<&'a str>
    }
    /// An `--eager` program is started again after a pause.
    warn WorkerRestarts = "worker starts again" { program: &'a dyn Display, secs: u64 }
    /// A line of a program's standard error.
    info WorkerStderr = "worker stderr" { conn: u64, line: &'a str }
    /// A program's output was not UTF-8.
    warn WorkerNotText = "worker output not UTF-8" { conn: u64, hint: &'a str }
    /// A line of a program was not a command.
    warn LineSkipped = "worker line skipped" { conn: u64, line: &'a str, why: &'a str }
    /// So many more lines were not commands.
    warn LinesSkipped = "worker lines skipped" { conn: u64, lines: u64 }
    /// A program goes on after SIGKILL.
    error WorkerOutlives = "worker outlives SIGKILL" { conn: u64, pid: i32 }
    /// A CGI script gave no answer, or not all of it.
    warn ScriptFailed = "script failed" { conn: u64, program: &'a dyn Display, cause: &'a str, status: u16 }

    /// A secret file lies in a folder that is served; it is not.
    warn FileNotServed = "file not served" {
        file: &'a dyn Display, named: &'a str, folder: &'a dyn Display, hint: &'a str
    }
    /// The bytes that wait came near `--maxbuffer`.
    warn BuffersNearlyFull = "buffers nearly full" { bytes: usize, limit: usize, hint: &'a str }

    /// The certificates were loaded again.
    info CertificatesLoaded = "certificates loaded" {}
    /// The certificates could not be loaded again.
    error CertificatesNotLoaded = "certificates not loaded, the old ones stay" { cause: &'a dyn Display, hint: &'a str }
    /// The file of settings was loaded again.
    info SettingsLoaded = "settings loaded" {}
    /// The file of settings could not be loaded again.
    error SettingsNotLoaded = "settings not loaded, the old ones stay" { cause: &'a dyn Display }
    /// Settings have changed that have no effect before the next start.
    warn SettingsNeedRestart = "settings need a restart" { keys: &'a str, hint: &'a str }
}

/// A value of a key, as the log takes it.
trait Tell {
    /// The type that the log takes.
    type Told;

    /// Returns the value for the log: a number is a number, all else is text.
    fn tell(self) -> Self::Told;
}

macro_rules! tell_as_is {
    ($($type:ty),+) => {$(
        impl Tell for $type {
            type Told = Self;

            fn tell(self) -> Self {
                self
            }
        }
    )+};
}

tell_as_is!(u64, i32, u16, usize, &str);

impl Tell for Peer {
    type Told = DisplayValue<Self>;

    fn tell(self) -> Self::Told {
        display(self)
    }
}

impl<'a> Tell for &'a dyn Display {
    type Told = DisplayValue<&'a dyn Display>;

    fn tell(self) -> Self::Told {
        display(self)
    }
}

impl<T: Tell> Tell for Option<T> {
    type Told = Option<T::Told>;

    fn tell(self) -> Self::Told {
        self.map(T::tell)
    }
}

/// Returns a time as the log shows it.
pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of events in the documentation: name, level and keys of each row.
    fn documented() -> Vec<(String, String, Vec<String>)> {
        let text = include_str!("../README.md");
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
        // The log itself tells these: it leaves lines out of its own.
        let of_log = [("lines left out", "", &["event", "lines"][..]), ("lines lost", "error", &["lines"])];
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
