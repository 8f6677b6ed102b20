//! The session of a legacy client: its stream, another one in its place when the server has lost it, and its end.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hyper::Method;
use tokio::time::{sleep, timeout};

use super::{
    bridge::{BridgedSession, McpBridge, McpMessage},
    fault::BridgeFault,
    relay::{AnswerTaker, StreamCursor, get, post, relay},
};
use crate::{
    connect::{call::part_of, error::ConnectError, say::say},
    limits::{CONNECT_MCP_TRIES_MAX, CONNECT_TIME_MAX, RESTART_MAX, RETURN_MIN, SHUTDOWN_ANSWER},
};

/// The notification behind the answer to `initialize`.
const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

/// The shortest pause before a return to a stream, however short a one the server asks for.
const PAUSE_MIN: Duration = Duration::from_millis(100);

/// Reads the stream of the session in a task of its own, from now on.
pub(super) fn listen(bridge: &Arc<McpBridge>) {
    let task = tokio::spawn(read_stream(Arc::clone(bridge), bridge.session()));
    bridge.listen_with(Some(task.abort_handle()));
}

/// Reads the stream of a session, and returns to it when it ends. A server without one answers 405, which is fine.
async fn read_stream(bridge: Arc<McpBridge>, session: BridgedSession) {
    let asker = AnswerTaker { request: None, is_hidden: false };
    let (mut cursor, mut pause) = (StreamCursor::default(), RETURN_MIN);
    loop {
        let seen = cursor.messages;
        match get(&bridge, &session, cursor.last_id.as_deref()).await {
            Ok(answer) if answer.head.status.is_success() && answer.is_stream() => {
                let _ = relay(&bridge, answer, &asker, &mut cursor).await;
                pause = if cursor.messages > seen { RETURN_MIN } else { pause };
            }
            Ok(answer) if is_busy(answer.head.status.as_u16()) => {}
            Ok(answer) if answer.head.status.as_u16() == 405 || answer.head.status.is_success() => return,
            Ok(answer) => {
                let fault = BridgeFault::of(answer, &bridge.wire.place).await;
                if fault.is_lost_session && session.has_id() {
                    // The new session has a stream and a task of its own, and ends this one.
                    tokio::spawn(async move { renew(&bridge, &session).await });
                } else if let Some(error) = fault.told {
                    say(&format!("there is no stream for messages of the server's own: {}", error.message()));
                }
                return;
            }
            Err(_) => {}
        }
        sleep(pause_of(cursor.retry, pause)).await;
        pause = (2 * pause).min(RESTART_MAX);
    }
}

/// Returns the pause before a return to a stream: the one that the server asks for, else a part of the client's `own`.
fn pause_of(asked: Option<Duration>, own: Duration) -> Duration {
    asked.unwrap_or_else(|| part_of(own)).max(PAUSE_MIN)
}

/// Whether a status is one that may pass.
fn is_busy(status: u16) -> bool {
    matches!(status, 408 | 409 | 425 | 429 | 500..=504)
}

/// Passes on the answer to a request of a legacy client, and returns to its stream when that ends too early.
pub(super) async fn follow(
    bridge: &Arc<McpBridge>,
    session: &BridgedSession,
    asker: &AnswerTaker<'_>,
    mut cursor: StreamCursor,
    first: Result<(), BridgeFault>,
) -> Result<(), BridgeFault> {
    let (mut outcome, mut tries) = (first, 0);
    while !cursor.is_answered {
        if cursor.last_id.is_none() || tries == CONNECT_MCP_TRIES_MAX {
            outcome?;
            return Err(unanswered(bridge).into());
        }
        tries += 1;
        sleep(pause_of(cursor.retry, RETURN_MIN * tries)).await;
        let seen = cursor.messages;
        outcome = match get(bridge, session, cursor.last_id.as_deref()).await {
            Ok(answer) if answer.head.status.is_success() && answer.is_stream() => {
                relay(bridge, answer, asker, &mut cursor).await
            }
            Ok(answer) if !is_busy(answer.head.status.as_u16()) => return Err(unanswered(bridge).into()),
            Ok(_) => Ok(()),
            Err(error) => Err(error.into()),
        };
        if cursor.messages > seen
            || cursor.retry.is_some_and(|retry| retry >= Duration::from_secs(1)) && outcome.is_ok()
        {
            tries = 0;
        }
    }
    Ok(())
}

/// Returns the error for a stream that ended too early.
pub(super) fn unanswered(bridge: &McpBridge) -> ConnectError {
    ConnectError::new(format!("cannot get an answer of {}: the stream ended without one", bridge.wire.place))
}

/// Begins another session in place of one that the server has lost, by the client's own `initialize`. Returns it.
pub(super) async fn renew(bridge: &Arc<McpBridge>, lost: &BridgedSession) -> Result<BridgedSession, BridgeFault> {
    let _turn = bridge.renewing.acquire().await;
    let now = bridge.session();
    if now.number != lost.number {
        return Ok(now);
    }
    let refused = |cause: &str| ConnectError::new(format!("the server has lost the session, and {cause}"));
    let request = bridge.initialize().ok_or_else(|| refused("the client has not begun one"))?;
    let answer = post(bridge, &request, lost).await?;
    if !answer.head.status.is_success() {
        let status = answer.head.status;
        return Err(refused(&format!("answers {status} to the request for another one")).into());
    }
    let (asker, mut cursor) = (AnswerTaker { request: Some(&request), is_hidden: true }, StreamCursor::default());
    relay(bridge, answer, &asker, &mut cursor).await?;
    if !cursor.is_answered {
        return Err(refused("does not answer the request for another one").into());
    }
    let session = bridge.session();
    let initialized = McpMessage::read(INITIALIZED.into()).expect("it is a message");
    post(bridge, &initialized, &session).await?.finish();
    say("the server has lost the session; the client has begun another one");
    listen(bridge);
    Ok(session)
}

/// Ends the session. The server may not know how to.
pub(super) async fn end(bridge: &Arc<McpBridge>) {
    let session = bridge.session();
    bridge.listen_with(None);
    if session.has_id() {
        let ending = bridge.wire.send(Method::DELETE, session.headers(), Bytes::new());
        let _ = timeout(SHUTDOWN_ANSWER, ending).await;
    }
}

/// Sends a message that no answer comes to. Tells a failure on standard error.
pub(super) async fn notify(bridge: &Arc<McpBridge>, message: &McpMessage) {
    let sending = async {
        let session = bridge.session();
        let mut answer = post(bridge, message, &session).await?;
        if !answer.head.status.is_success() {
            let fault = BridgeFault::of(answer, &bridge.wire.place).await;
            // An answer to a request of a lost session has nobody who waits for it.
            let is_worth = session.has_id() && !message.parts.method.is_empty();
            if !fault.is_lost_session || !is_worth {
                return Err(fault);
            }
            let session = renew(bridge, &session).await?;
            answer = post(bridge, message, &session).await?;
            if !answer.head.status.is_success() {
                return Err(BridgeFault::of(answer, &bridge.wire.place).await);
            }
        }
        answer.finish();
        if message.parts.method == "notifications/initialized" && !message.is_modern() {
            listen(bridge);
        }
        Ok(())
    };
    match timeout(CONNECT_TIME_MAX, sending).await {
        Ok(Ok(())) => {}
        Ok(Err(BridgeFault { told: Some(error), .. })) => say(&error.to_string()),
        Ok(Err(fault)) => {
            say(&format!("the server refused a message: {}", String::from_utf8_lossy(&fault.line(b"null"))));
        }
        Err(_) => say(&format!("the server has not taken a message in {} s", CONNECT_TIME_MAX.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_asks_for_no_pause_gets_a_short_one() {
        let own = Duration::from_secs(1);
        assert_eq!(pause_of(Some(Duration::ZERO), own), PAUSE_MIN);
        assert_eq!(pause_of(Some(Duration::from_secs(5)), own), Duration::from_secs(5));
        assert!((own / 2..=own).contains(&pause_of(None, own)));
    }
}
