//! The gateway of a site, with its facts for clients.

use crate::mcp::gateway::Gateway;

/// The gateway of a site.
#[derive(Debug)]
pub(crate) struct Mcp {
    /// The gateway.
    pub(crate) gateway: Gateway,
    /// The issuers of tokens for this site (`--jwt-iss`), for clients that get theirs there.
    pub(crate) issuers: Vec<String>,
}
