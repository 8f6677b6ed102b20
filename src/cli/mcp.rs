//! Flags of the gateway for MCP.

use clap::Args;
use serde::Deserialize;

use super::{
    types::{Bytes, Secs},
    value::{Flag, words},
};

/// The gateway for MCP.
#[derive(Args, Clone, Debug, Default, Deserialize, PartialEq)]
#[command(next_help_heading = "MCP")]
pub(crate) struct McpFlags {
    /// Serve a server of the Model Context Protocol over Streamable HTTP, too: session is a process for each client of the
    /// versions with sessions, shared is one process for clients of 2026-07-28, both is the default
    #[arg(long, value_name = "HOW", num_args = 0..=1, require_equals = true, default_missing_value = "both")]
    pub(crate) mcp: Option<Flag<McpWord>>,
    /// With --mcp, end a server that nobody has used for this many seconds; a session goes on with a new one [default: 600]
    #[arg(long, value_name = "SECS")]
    pub(crate) mcp_idle: Option<Flag<Secs>>,
    /// With --mcp, keep a server started ahead for the next session, which begins at once; the servers of sessions then learn
    /// nothing of their clients
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) mcp_spare: Option<Flag<bool>>,
    /// With --mcp, limit the body of a request to this many bytes, also with k, M or G; 0 is no limit [default: 4194304]
    #[arg(long, value_name = "BYTES")]
    pub(crate) maxbody: Option<Flag<Bytes>>,
}

impl McpFlags {
    /// Returns the switch, if it is on.
    pub(crate) fn switch(&self) -> Option<&Flag<McpWord>> {
        self.mcp.as_ref().filter(|mcp| mcp.value != McpWord::Off)
    }
}

words! {
    /// The clients of the gateway.
    McpWord { Both = "both" | "true", Session = "session", Shared = "shared", Off = "false" }
}
