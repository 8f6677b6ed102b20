//! The names under which wsd runs: its own, and `websocketd`, with fewer pages.

use crate::{
    answer::builtin::OwnPages,
    cli::{site::ServedFlags, value::is_on},
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
