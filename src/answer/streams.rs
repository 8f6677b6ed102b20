//! Answers the requests of a session over an event stream: the stream, messages for the program, and the client's leave.

use super::ask::{Answered, Ask};
use crate::http::gate::Visitor;

/// Answers a request of a session over an event stream.
pub(super) async fn answer(_ask: &mut Ask, _visitor: &Visitor) -> Answered {
    Ok(None)
}
