//! A site: what is served at a path, checked and ready.

use std::sync::Arc;

use super::{cgi::folder::Cgi, launch::Launcher, scripts::Scripts};
use crate::{
    http::{gate::Gate, headers::Headers, path::Root},
    room::registry::Rooms,
    socket::SocketOptions,
};

/// What the settings say of a path.
#[derive(Debug)]
pub(crate) struct Site {
    /// Who may ask.
    pub(crate) gate: Gate,
    /// The programs behind WebSockets.
    pub(crate) scripts: Option<Scripts>,
    /// The rooms, where clients share a program or it is told who speaks.
    pub(crate) rooms: Option<Arc<Rooms>>,
    /// The scripts of `--cgidir`.
    pub(crate) cgi: Option<Cgi>,
    /// The folder of `--staticdir`.
    pub(crate) files: Option<Root>,
    /// Whether the page of `--devconsole` is shown.
    pub(crate) has_console: bool,
    /// The subprotocols that may be chosen, the best first.
    pub(crate) subprotocols: Vec<String>,
    /// The headers that every answer has besides its own.
    pub(crate) headers: Headers,
    /// Whether the shared worker is started before any client.
    pub(crate) is_eager: bool,
    /// How WebSockets are run.
    pub(crate) socket: SocketOptions,
    /// Starts programs.
    pub(crate) launcher: Launcher,
}
