//! The kinds of credentials.

use std::path::Path;

use super::{basic::Basic, bearer::Bearer, command::AuthScript, forward::Forward, jwt::Jwt};

/// A kind of credentials that a site accepts.
#[derive(Debug)]
pub(crate) enum Check {
    /// `basic:FILE`.
    Basic(Basic),
    /// `bearer:FILE`.
    Bearer(Bearer),
    /// `jwt:FILE`.
    Jwt(Jwt),
    /// `cert`.
    Cert,
    /// `url:URL`.
    Forward(Forward),
    /// `command:PROG`.
    Script(Box<AuthScript>),
}

impl Check {
    /// Reads its file again, if it has one. Blocks.
    pub(super) fn reload(&self) {
        match self {
            Self::Basic(basic) => basic.0.reload(),
            Self::Bearer(bearer) => bearer.0.reload(),
            Self::Jwt(jwt) => jwt.file.reload(),
            Self::Cert | Self::Forward(_) | Self::Script(_) => {}
        }
    }

    /// Returns its file, if that has secrets.
    pub(super) fn secret_file(&self) -> Option<&Path> {
        match self {
            Self::Basic(basic) => Some(&basic.0.path),
            Self::Bearer(bearer) => Some(&bearer.0.path),
            Self::Jwt(jwt) => jwt.is_secret().then_some(&*jwt.file.path),
            Self::Cert | Self::Forward(_) | Self::Script(_) => None,
        }
    }

    /// Whether its verdict depends on the path of a request.
    pub(super) fn depends_on_path(&self) -> bool {
        matches!(self, Self::Forward(_) | Self::Script(_))
    }
}
