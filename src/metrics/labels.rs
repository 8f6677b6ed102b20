//! The labels of metrics. Each has few values: no client can add series without an end.

use std::{
    fmt::{self, Write},
    sync::Arc,
};

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};

use super::route::RouteName;
use crate::close::Close;

/// The name of all paths without a route.
pub(crate) const OTHER_PATHS: &str = "/*";

/// A metric of each route.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OfRoute {
    /// The route.
    pub(crate) route: RouteName,
}

/// The transport of a session.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfTransport {
    pub(super) route: RouteName,
    pub(super) transport: &'static str,
}

/// Why wsd refused a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfWhy {
    pub(super) route: RouteName,
    pub(super) why: &'static str,
}

/// The signal that wsd sent to a program.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfSignal {
    pub(super) route: RouteName,
    pub(super) signal: &'static str,
}

/// The exit status of a program, as a shell shows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfStatus {
    pub(super) route: RouteName,
    pub(super) status: u16,
}

/// How wsd treated a slow client.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfDid {
    pub(super) route: RouteName,
    pub(super) did: &'static str,
}

/// The direction of messages.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfDirection {
    pub(super) route: RouteName,
    pub(super) direction: &'static str,
}

/// The method of requests of MCP.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfMethod {
    pub(super) route: RouteName,
    pub(super) method: &'static str,
}

/// The method of requests of MCP, and the end of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfRequest {
    pub(super) route: RouteName,
    pub(super) method: &'static str,
    pub(super) end: &'static str,
}

/// A tool of MCP, and the end of its calls.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfTool {
    pub(super) route: RouteName,
    pub(super) tool: Arc<str>,
    pub(super) end: &'static str,
}

/// Whether the clients of sessions are there.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfState {
    pub(super) route: RouteName,
    pub(super) state: &'static str,
}

/// The end of a session.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfEnd {
    pub(super) route: RouteName,
    pub(super) end: &'static str,
    pub(super) code: CloseCode,
}

/// An answer over HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfAnswer {
    pub(super) kind: &'static str,
    pub(super) code: u16,
}

/// The result of a reload.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfResult {
    pub(super) result: &'static str,
}

/// The kind of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfKind {
    pub(super) kind: &'static str,
}

/// The place of a room's program: `here` or `elsewhere`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfPlace {
    pub(super) program: &'static str,
}

/// The version of wsd.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfVersion {
    pub(super) version: &'static str,
}

/// A close code as a label. The codes that a client or a program may choose at will are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum CloseCode {
    /// This code.
    Own(u16),
    /// A code for libraries, 3000 to 3999.
    Registered,
    /// A code for private use, 4000 to 4999.
    Private,
}

impl CloseCode {
    /// Returns the label of the code of a session that ended with `end`. The codes for exit statuses, 4000 to 4255, and those of
    /// wsd's limits keep their number.
    pub(super) fn of(end: &str, code: u16) -> Self {
        let is_of_client = end == "closed";
        match code {
            3000..4000 if is_of_client || code != Close::UNAUTHORIZED => Self::Registered,
            4000.. if is_of_client || !is_of_wsd(code) => Self::Private,
            _ => Self::Own(code),
        }
    }
}

/// Whether wsd itself sends a code for private use: for an exit status, or for a limit.
fn is_of_wsd(code: u16) -> bool {
    matches!(code, 4000..=4255 | Close::IDLE | Close::LIFETIME | Close::TAKEN_OVER)
}

impl EncodeLabelValue for CloseCode {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        match self {
            Self::Own(code) => write!(encoder, "{code}"),
            Self::Registered => encoder.write_str("3xxx"),
            Self::Private => encoder.write_str("4xxx"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_that_others_choose_at_will_are_counted_together() {
        use CloseCode::{Own, Private, Registered};
        let table = [
            ("closed", 1000, Own(1000)),
            ("closed", 3000, Registered),
            ("closed", 4003, Private),
            ("closed", 4999, Private),
            ("expired", 3000, Own(3000)),
            ("exit", 4003, Own(4003)),
            ("exit", 4256, Private),
            ("idle", 4408, Own(4408)),
        ];
        for (end, code, want) in table {
            assert_eq!(CloseCode::of(end, code), want, "{end} {code}");
        }
    }
}
