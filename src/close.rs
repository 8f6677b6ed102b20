//! The close codes and reasons of RFC 6455, section 7.4, which wsd sends to every kind of client.

use std::borrow::Cow;

/// A close code and its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Close {
    /// The code (RFC 6455, section 7.4.1); `None` is a close without one.
    pub(crate) code: Option<u16>,
    /// The reason, at most 123 bytes.
    pub(crate) reason: Cow<'static, str>,
}

impl Close {
    /// 1000: a normal end.
    pub(crate) const NORMAL: u16 = 1000;
    /// 1001: the server stops.
    pub(crate) const GOING_AWAY: u16 = 1001;
    /// 1002: the peer broke the protocol.
    pub(crate) const PROTOCOL: u16 = 1002;
    /// 1005, which wsd never sends: the peer closed without a code.
    pub(crate) const NO_STATUS: u16 = 1005;
    /// 1006, which wsd never sends: the connection ended without a close.
    pub(crate) const ABNORMAL: u16 = 1006;
    /// 1007: text that is not UTF-8, or a message that its framing cannot take.
    pub(crate) const INVALID: u16 = 1007;
    /// 1008: the administrator has ended the session.
    pub(crate) const POLICY: u16 = 1008;
    /// 1009: a message over the limit.
    pub(crate) const TOO_BIG: u16 = 1009;
    /// 1011: the server cannot go on.
    pub(crate) const SERVER_ERROR: u16 = 1011;
    /// 1012: the server starts again (IANA's registry).
    pub(crate) const RESTART: u16 = 1012;
    /// 1013: try again later (IANA's registry).
    pub(crate) const TRY_LATER: u16 = 1013;

    /// 3000: the client may no longer be here (IANA's registry: Unauthorized).
    pub(crate) const UNAUTHORIZED: u16 = 3000;

    /// 4408: no message has passed for too long (`--idle`).
    pub(crate) const IDLE: u16 = 4408;

    /// 4410: the session has lasted as long as it may (`--lifetime`).
    pub(crate) const LIFETIME: u16 = 4410;

    /// 4409: the client has returned over another connection (`wsd.resume.1`).
    pub(crate) const TAKEN_OVER: u16 = 4409;

    /// Returns a close with a code and a reason.
    pub(crate) fn new(code: u16, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { code: Some(code), reason: reason.into() }
    }

    /// Whether a peer may send `code` in a Close frame. It may send codes of the RFC's table and of IANA's registry that are not
    /// for local use, and codes for libraries and private use.
    pub(crate) fn is_allowed(code: u16) -> bool {
        matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }

    /// Returns the answer to a client's close: its code, without a reason.
    pub(crate) fn echo(code: Option<u16>) -> Self {
        Self { code, reason: Cow::Borrowed("") }
    }
}
