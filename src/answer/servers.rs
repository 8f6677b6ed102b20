//! Lists the servers of MCP, for the console's page with the lines to paste into clients.

use serde::Serialize;

use super::{
    ask::Ask,
    paths::{known_sites, mcp_path},
};
use crate::http::gate::Visitor;

/// A server of MCP.
#[derive(Debug, Serialize)]
struct McpServer {
    /// Its path, percent-encoded.
    path: String,
    /// Whether its clients need credentials.
    has_auth: bool,
}

/// Returns the servers that the client may know as a JSON array.
///
/// A console of the main site lists all of them; one that only routes have, those of these routes.
pub(super) fn json(ask: &Ask, visitor: &Visitor) -> String {
    let has_console = ask.routes.otherwise.pages.has_console;
    let sites = known_sites(ask, visitor).into_iter().filter(|(_, site)| has_console || site.pages.has_console);
    let servers = sites.filter(|(_, site)| site.mcp.is_some()).map(|(pattern, site)| McpServer {
        path: mcp_path(&ask.routes, &pattern, &site),
        has_auth: site.gate.auth.is_some(),
    });
    serde_json::to_string(&servers.collect::<Vec<_>>()).expect("strings become JSON")
}
