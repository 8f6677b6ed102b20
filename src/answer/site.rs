//! A site: the checked settings of a path.

use std::sync::{Arc, Once};

use super::{builtin::OwnPages, cgi::folder::Cgi, launch::Launcher, mcp::endpoint::Mcp, scripts::Scripts};
use crate::{
    deflate::options::CompressOptions,
    framing::choice::Framings,
    http::{gate::Gate, headers::Headers, path::Root},
    resume::ResumeOptions,
    room::registry::Rooms,
    session::terms::SessionLimits,
    socket::SocketOptions,
};

/// The settings of a path.
#[derive(Debug)]
pub(crate) struct Site {
    /// Decides which requests wsd answers.
    pub(crate) gate: Gate,
    /// The programs behind WebSockets.
    pub(crate) scripts: Option<Scripts>,
    /// The rooms, if clients share a program or the program learns which client speaks.
    pub(crate) rooms: Option<Arc<Rooms>>,
    /// The scripts of `--cgidir`.
    pub(crate) cgi: Option<Cgi>,
    /// The folder of `--staticdir`.
    pub(crate) files: Option<Root>,
    /// The pages of wsd's own.
    pub(crate) pages: OwnPages,
    /// The framings of the programs.
    pub(crate) framings: Framings,
    /// Whether `--framing` may name further framings; a program in a room or with a terminal has one.
    pub(crate) takes_framings: bool,
    /// The subprotocols that wsd accepts, beside those that choose a framing.
    pub(crate) subprotocols: Vec<String>,
    /// Runs once, for the warning that a client offers others only.
    pub(crate) subprotocol_warning: Once,
    /// The user's headers, which wsd adds to every answer.
    pub(crate) headers: Headers,
    /// Whether the shared worker is started before any client.
    pub(crate) is_eager: bool,
    /// The options of WebSockets.
    pub(crate) socket: SocketOptions,
    /// The compression of messages; `None` is none.
    pub(crate) compress: Option<Arc<CompressOptions>>,
    /// The limits of each session.
    pub(crate) session: SessionLimits,
    /// The settings of sessions to which clients can return; `None` if they cannot.
    pub(crate) resume: Option<Arc<ResumeOptions>>,
    /// The settings of sessions over event streams; `None` without `--http`.
    pub(crate) http: Option<Arc<ResumeOptions>>,
    /// The gateway for MCP; `None` without `--mcp`.
    pub(crate) mcp: Option<Mcp>,
    /// Starts programs.
    pub(crate) launcher: Launcher,
}
