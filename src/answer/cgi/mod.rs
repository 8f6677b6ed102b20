//! `--cgidir`: scripts that answer HTTP requests (CGI/1.1, RFC 3875).

pub(super) mod answer;
pub(crate) mod folder;
mod run;
mod talk;

use super::ask::Ask;
use crate::http::gate::AdmittedClient;
use answer::HttpAnswer;
use folder::CgiScript;

/// Answers a request with the script found for it.
pub(super) async fn answer(ask: &mut Ask, client: &AdmittedClient, found: &CgiScript<'_>) -> HttpAnswer {
    run::run(ask, client, found).await
}
