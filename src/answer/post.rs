//! Answers a POST to a room: its body is messages to the room, and nobody waits for an answer.

use hyper::{Response, StatusCode};

use super::{
    ask::{Answered, Ask, HttpAnswer},
    carried::Carried,
    input,
    overdue::{self, overdue},
    partner::Start,
    ration::Ration,
};
use crate::{
    http::{gate::Visitor, page::text_body, refusal::Refusal},
    room::member::post::NotPosted,
    session::traffic::{self, Direction},
};

/// Hands the messages of the body to the room, within the terms of a session.
pub(super) async fn answer(ask: &mut Ask, visitor: &Visitor) -> Answered {
    let (mut terms, carried) = (visitor.terms(&ask.site.session), Carried::default());
    let ration = Ration::new(&mut terms, None);
    tokio::select! {
        biased;
        answered = post(ask, visitor, ration, &carried) => answered,
        deadline = overdue(&mut terms, &carried) => Err(overdue::refusal(&deadline, &carried)),
    }
}

/// Joins the room, hands it the messages of the body, and leaves: the program may need a room's members by name.
async fn post(ask: &mut Ask, visitor: &Visitor, ration: Ration, carried: &Carried) -> Answered {
    // Before the room: an invalid body must start no program.
    let framing = ask.site.framings.default();
    let letter = input::letter(ask, framing.has_lines(), ration, carried).await?;
    let start = Start::prepare(ask, visitor, None).await?;
    let Some(member) = start.partner(ask, visitor, framing).await?.into_member() else { return Ok(None) };
    let unavailable = |why, text| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, why, text).with_retry();
    if traffic::is_shown() {
        let messages = letter.messages(framing.has_lines());
        messages.for_each(|message| traffic::show(visitor.connection.id, Direction::In, letter.kind, message));
    }
    let messages = letter.messages(framing.has_lines());
    member.post(letter.kind, messages).await.map_err(|why| match why {
        NotPosted::Rejected => {
            Refusal::unlogged(StatusCode::BAD_REQUEST, "The program cannot take such a message: see its framing.")
        }
        NotPosted::Late => {
            let text = "The program takes no messages now. Try again later.";
            Refusal::new(StatusCode::TOO_MANY_REQUESTS, "busy", text).with_retry()
        }
        NotPosted::Over => unavailable("down", "The program has ended. Try again soon."),
        NotPosted::Overload => unavailable("maxbuffer", "The server is out of buffers. Try again later."),
    })?;
    let mut response = Response::new(text_body(""));
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(Some(HttpAnswer::Page(response)))
}
