//! Answers a POST with a program of its own: the body is its standard input, the answer is its standard output.

use super::ask::{Answered, Ask};
use crate::http::gate::Visitor;

/// Answers a POST without a session.
pub(super) async fn answer(_ask: &mut Ask, _visitor: &Visitor) -> Answered {
    Ok(None)
}
