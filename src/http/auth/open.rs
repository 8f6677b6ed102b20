//! Sites that ask for no credentials. If another one does, no program gets those of a client.

use hyper::http::request::Parts;

use super::{
    credentials::{Carriers, Credentials},
    state::AuthState,
};
use crate::http::refusal::Refusal;

/// The rule of a site that asks for no credentials: if another site does, no program gets those of a client.
#[derive(Clone, Debug)]
pub(crate) struct OpenAccess {
    /// Whether programs get `Authorization` nevertheless (`--passauth`).
    pub(crate) passes: bool,
    /// The state of authentication.
    pub(crate) state: AuthState,
}

impl OpenAccess {
    /// Removes the credentials from a request, if another site asks for some. A local redirect may lead there.
    pub(crate) fn hide_credentials(&self, request: &mut Parts) -> Result<(), Refusal> {
        if self.hides_credentials() {
            let carriers = Carriers { has_query: false, passes: self.passes };
            Credentials::take(request, carriers, self.state.hides_query())?;
        }
        Ok(())
    }

    /// Whether another site asks for credentials.
    pub(crate) fn hides_credentials(&self) -> bool {
        self.state.is_used()
    }
}
