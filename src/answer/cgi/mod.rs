//! `--cgidir`: scripts that answer HTTP requests (CGI/1.1, RFC 3875).

pub(super) mod answer;
pub(crate) mod folder;
mod run;
mod talk;

use super::ask::Ask;
use crate::http::gate::Visitor;
use answer::Answer;
use folder::Found;

/// Answers with the script that was found for a request.
pub(super) async fn answer(ask: &mut Ask, visitor: &Visitor, found: &Found<'_>) -> Answer {
    run::run(ask, visitor, found).await
}
