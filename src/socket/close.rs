//! Close codes and reasons (RFC 6455, section 7.4).

use std::borrow::Cow;

/// What a Close frame says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Close {
    /// RFC 6455, section 7.4.1; `None` is a Close frame without a body.
    pub(crate) code: Option<u16>,
    /// At most 123 bytes.
    pub(crate) reason: Cow<'static, str>,
}

impl Close {
    /// 1000, the purpose is fulfilled.
    pub(crate) const NORMAL: u16 = 1000;
    /// 1001, the server goes down.
    pub(crate) const GOING_AWAY: u16 = 1001;
    /// 1002, the peer broke the protocol.
    pub(crate) const PROTOCOL: u16 = 1002;
    /// 1005, never sent: the peer's Close frame had no code.
    pub(crate) const NO_STATUS: u16 = 1005;
    /// 1006, never sent: the connection ended without a Close frame.
    pub(crate) const ABNORMAL: u16 = 1006;
    /// 1007, text that is not UTF-8.
    pub(crate) const INVALID: u16 = 1007;
    /// 1009, a message over the limit.
    pub(crate) const TOO_BIG: u16 = 1009;
    /// 1013, try again later (IANA's registry).
    pub(crate) const TRY_LATER: u16 = 1013;

    /// A Close frame with a code and a reason.
    pub(crate) fn new(code: u16, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { code: Some(code), reason: reason.into() }
    }

    /// An answer to a Close frame: its code, no reason.
    pub(crate) fn echo(code: Option<u16>) -> Self {
        Self { code, reason: Cow::Borrowed("") }
    }
}

/// Whether a peer may send `code` in a Close frame: those of the RFC's table and of IANA's registry that are not for local
/// use, and those for libraries and private use.
pub(crate) fn is_allowed(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}
