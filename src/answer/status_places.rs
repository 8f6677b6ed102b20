//! The paths of the status, below `--base`.

/// The page.
pub(super) const PAGE: &str = "/.wsd/";

/// The facts.
pub(super) const FACTS: &str = "/.wsd/status";

/// The place that ends a session: `POST /.wsd/end?conn=N`.
pub(super) const END: &str = "/.wsd/end";

/// Whether a path is one of the status, below `base`: no request there is for a program.
pub(super) fn is_status_place(path: &str, base: &str) -> bool {
    path.strip_prefix(base).is_some_and(|own| [PAGE, FACTS, END].contains(&own))
}
