//! Builds the gateway for MCP, and refuses flags that cannot go with it.

use super::error::Error;
use crate::{
    answer::mcp::endpoint::Mcp,
    cli::{
        mcp::McpWord,
        site::{FramingWord, SharingWord, SiteFlags},
        value::is_on,
    },
    limits::{
        REPLAY_BYTES_MAX,
        mcp::{MCP_BODY_BYTES_MAX, MCP_IDLE},
    },
    mcp::{
        gateway::Gateway,
        terms::{McpEras, McpOptions},
    },
    worker::process::ProcessOptions,
};

/// The subprotocol of clients that speak MCP over a WebSocket.
pub(super) const SUBPROTOCOL: &str = "mcp";

/// Builds the gateway of a site, if it has one.
pub(super) fn mcp(flags: &SiteFlags, process: &ProcessOptions) -> Result<Option<Mcp>, Error> {
    let Some(switch) = flags.mcp.switch() else { return Ok(None) };
    if let Some(other) = other(flags) {
        let message =
            format!("cannot combine --mcp and {other}: a server of MCP has a process and a protocol of its own");
        return Err(Error::new(message, "remove one of them").about(switch));
    }
    let options = McpOptions {
        eras: match switch.value {
            McpWord::Session => McpEras::Session,
            McpWord::Shared => McpEras::Shared,
            McpWord::Both | McpWord::Off => McpEras::Both,
        },
        idle: flags.mcp.mcp_idle.as_deref().map_or(MCP_IDLE, |secs| secs.0),
        has_spare: is_on(&flags.mcp.mcp_spare),
        body_bytes_max: flags
            .mcp
            .maxbody
            .as_deref()
            .map_or(MCP_BODY_BYTES_MAX, |bytes| if bytes.0 == 0 { usize::MAX } else { bytes.0 }),
        replay_bytes_max: flags.clients.replay.as_deref().map_or(REPLAY_BYTES_MAX, |bytes| bytes.0),
        process: process.clone(),
    };
    let issuers = flags.auth.jwt_iss.as_deref().map(|names| names.0.clone()).unwrap_or_default();
    Ok(Some(Mcp { gateway: Gateway::new(options), issuers }))
}

/// Returns a flag that cannot go with the gateway.
fn other(flags: &SiteFlags) -> Option<&'static str> {
    let programs = &flags.programs;
    let is_other = |word: &FramingWord| *word != FramingWord::JsonRpc;
    let table = [
        (is_on(&flags.clients.http), "--http"),
        (is_on(&programs.acp), "--acp"),
        (is_on(&programs.pty), "--pty"),
        (is_on(&programs.binary), "--binary"),
        (is_on(&programs.passstderr), "--passstderr"),
        (flags.rooms.sharing() != SharingWord::Off, "--shared"),
        (flags.served.dir.as_ref().is_some_and(|dir| !dir.is_empty()), "--dir"),
        (programs.framing.iter().flatten().any(|word| is_other(&word.value)), "another --framing than jsonrpc"),
    ];
    table.into_iter().find_map(|(is_set, name)| is_set.then_some(name))
}
