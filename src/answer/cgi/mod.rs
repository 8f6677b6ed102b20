//! `--cgidir`: scripts that answer HTTP requests (CGI/1.1, RFC 3875).

pub(crate) mod folder;
pub(super) mod run;
mod talk;
