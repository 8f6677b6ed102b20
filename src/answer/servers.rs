//! Lists the servers of MCP, for the console's page with the lines to paste into clients.

use std::sync::Arc;

use serde::Serialize;

use super::{
    ask::Ask,
    paths::{known_sites, shown},
    routes::Pattern,
    site::Site,
};
use crate::http::{gate::Visitor, path::decode};

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
    let servers = sites
        .filter(|(_, site)| site.mcp.is_some())
        .map(|(pattern, site)| McpServer { path: path_of(ask, &pattern, &site), has_auth: site.gate.auth.is_some() });
    serde_json::to_string(&servers.collect::<Vec<_>>()).expect("strings become JSON")
}

/// Returns a path of a site: the usual `/mcp` if it has all paths without a route.
fn path_of(ask: &Ask, pattern: &Pattern, site: &Arc<Site>) -> String {
    let usual = (*pattern == ask.routes.everything()).then(|| shown(&format!("{}/mcp", pattern.path())));
    let found = usual.filter(|path| Arc::ptr_eq(ask.routes.find(&decode(path)).0, site));
    found.unwrap_or_else(|| shown(pattern.path()))
}
