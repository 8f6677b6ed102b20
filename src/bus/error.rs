//! Errors of the bus, with advice.

use std::{
    fmt, io,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::{event::Event, limits::BUS_PATIENCE};

/// The advice about credentials.
const PASSWORD: &str = "check the password in --bus: redis://:PASSWORD@HOST, or redis://USER:PASSWORD@HOST";
const OTHER_PREFIX: &str = "another program uses these keys: set another --bus-prefix";

/// Why Redis did not do what wsd asked for.
#[derive(Clone, Debug)]
pub(crate) enum BusError {
    /// It does not answer, or it refuses all.
    Redis(RedisError),
    /// Another node owns the room.
    Fenced,
    /// It has been away for a while.
    Away,
    /// It cannot do what rooms need.
    Unfit(&'static str),
    /// A key or a record of a room is not wsd's.
    Strange,
    /// The program of the room has not read too many messages.
    Full,
    /// It is of another kind than the URL says.
    Misnamed {
        /// Its kind.
        what: &'static str,
        /// How to name it.
        hint: &'static str,
    },
}

impl From<RedisError> for BusError {
    fn from(error: RedisError) -> Self {
        match error.code() {
            Some("FENCED") => Self::Fenced,
            Some("FULL") => Self::Full,
            _ => Self::Redis(error),
        }
    }
}

impl BusError {
    /// Whether the connection is of no use any more.
    pub(super) fn is_of_connection(&self) -> bool {
        let Self::Redis(error) = self else { return false };
        let server = matches!(
            error.kind(),
            ErrorKind::Server(
                ServerErrorKind::ReadOnly
                    | ServerErrorKind::BusyLoading
                    | ServerErrorKind::MasterDown
                    | ServerErrorKind::ClusterDown
            ) | ErrorKind::ClusterConnectionNotFound
        );
        server || error.is_io_error() || error.is_timeout() || error.is_connection_dropped()
    }

    /// Logs it, unless the log has it as a loss of the bus, or has had such an error in the last seconds.
    pub(crate) fn log(&self) {
        static LOGGED: Mutex<Option<Instant>> = Mutex::new(None);
        if matches!(self, Self::Fenced | Self::Away | Self::Full) || self.is_of_connection() {
            return;
        }
        let mut logged = LOGGED.lock().unwrap_or_else(PoisonError::into_inner);
        if logged.is_none_or(|logged| logged.elapsed() >= BUS_PATIENCE) {
            *logged = Some(Instant::now());
            Event::BusRefused { cause: self, hint: self.hint() }.emit();
        }
    }

    /// Returns advice, if wsd has any.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        let error = match self {
            Self::Redis(error) => error,
            Self::Unfit(_) => return Some("rooms need Redis 6.2 or Valkey"),
            Self::Misnamed { hint, .. } => return Some(hint),
            Self::Strange => return Some(OTHER_PREFIX),
            Self::Fenced | Self::Away | Self::Full => return None,
        };
        let text = error.to_string();
        let has = |word: &str| text.contains(word);
        Some(match error.kind() {
            ErrorKind::AuthenticationFailed => PASSWORD,
            ErrorKind::MasterNameNotFoundBySentinel => {
                "end --bus with the name that the sentinels know: see redis-cli -p 26379 sentinel masters"
            }
            ErrorKind::Server(ServerErrorKind::ReadOnly) => "this is a replica: name the primary, or the sentinels",
            ErrorKind::Server(ServerErrorKind::NoPerm) => {
                "allow the user of --bus the keys and channels of --bus-prefix, and scripts"
            }
            _ if has("CertificateRequired") => "Redis wants a certificate of wsd: add --bus-cert and --bus-key",
            _ if has("read PEM") => "name a readable file in SSL_CERT_FILE",
            _ if has("certificate") || has("Certificate") => {
                "wsd trusts the authorities of the system; SSL_CERT_FILE names a file with others"
            }
            _ if ["NOAUTH", "WRONGPASS", "AUTH", "unauthenticated"].into_iter().any(has) => PASSWORD,
            _ if ["NOPERM", "no permissions", "No permissions", "can't publish", "user executing the script"]
                .into_iter()
                .any(has) =>
            {
                "allow the user of --bus the keys and channels of --bus-prefix, and scripts"
            }
            _ if has("READONLY") => "this is a replica: name the primary, or the sentinels",
            _ if has("OOM") => "raise maxmemory of Redis",
            _ if has("MISCONF") => "Redis cannot write its snapshots: see its log",
            _ if has("WRONGTYPE") => OTHER_PREFIX,
            _ if ["unknown command", "Unknown command", "Unknown Redis command"].into_iter().any(has) => {
                "rooms need Redis 6.2 or Valkey"
            }
            _ if has("cluster support disabled") => "several URLs are nodes of a cluster: name this server alone",
            _ if has("switch database") => "name a database that this Redis has, such as redis://HOST/0",
            _ if has("Parse error") => "is Redis running there? another program answers",
            _ if error.is_io_error() || error.is_timeout() => {
                "is Redis running there? rediss:// is for a port with TLS; try: redis-cli -u URL ping"
            }
            _ => return None,
        })
    }

    /// Returns an error for an address that takes too long.
    pub(super) fn late() -> Self {
        Self::Redis(io::Error::new(io::ErrorKind::TimedOut, "no answer in time").into())
    }
}

impl fmt::Display for BusError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Redis(error) => error.fmt(f),
            Self::Fenced => f.write_str("another node owns the room"),
            Self::Away => f.write_str("no answer"),
            Self::Unfit(what) | Self::Misnamed { what, .. } => f.write_str(what),
            Self::Strange => f.write_str("a key of the room has something that is not wsd's"),
            Self::Full => f.write_str("the program does not read"),
        }
    }
}
