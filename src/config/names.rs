//! The names under which wsd runs: its own, and `websocketd`, with fewer pages; and the names of a route in the status.

use std::{path::Path, sync::Arc};

use crate::{
    answer::{builtin::OwnPages, scripts::Scripts, site::Site},
    cli::{site::ServedFlags, value::is_on},
    metrics::live::RouteFacts,
    worker::environ,
};

/// Returns the pages that a site shows.
pub(super) fn pages(served: &ServedFlags, is_websocketd: bool) -> OwnPages {
    let has_welcome = !is_websocketd;
    OwnPages { has_console: is_on(&served.devconsole), has_admin: is_on(&served.admin), has_welcome }
}

/// Returns the name and the version that programs see as `SERVER_SOFTWARE`.
pub(super) fn software(is_websocketd: bool) -> String {
    let name = if is_websocketd { "websocketd" } else { "wsd" };
    format!("{name}/{}", environ::VERSION)
}

/// Returns the facts of a route for the status; `None` if it serves nothing.
pub(super) fn route_facts(site: &Site) -> Option<RouteFacts> {
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let program = match &site.scripts {
        Some(Scripts::Command(program)) => name(&program.path),
        Some(Scripts::Dir(folder, _)) => name(folder.path()).map(|name| name + "/"),
        None => None,
    };
    let serves = program.is_some() || site.cgi.is_some() || site.files.is_some();
    serves.then(|| RouteFacts { route: Arc::clone(&site.launcher.process.route), program, is_eager: site.is_eager })
}
