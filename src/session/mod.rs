//! A session: a client and its partner, from the first message to the close.

mod carry;
pub(crate) mod end;
#[cfg(test)]
mod tests;

use std::{future::poll_fn, task::Poll, time::Instant};

use crate::{
    client::Client,
    close::Close,
    event::{self, Event},
    partner::Partner,
    peer::Connection,
    shutdown::Shutdown,
    status::Status,
};
use carry::{Counts, Session};
use end::End;

/// Runs a session to its end, for any kind of client and partner. `path` is for the log.
pub(crate) async fn run(
    connection: &Connection,
    path: String,
    client: impl Client + Send,
    partner: impl Partner + Send,
    shutdown: &Shutdown,
) {
    let (conn, began) = (connection.id, Instant::now());
    Event::SessionStarted { conn, peer: connection.peer, pid: partner.pid(), path: &path }.emit();
    // A path may have 32 KiB, and an idle session must not keep them.
    drop(path);
    let mut session = Session::new(client, partner);
    let end = tokio::select! {
        end = poll_fn(|cx| session.poll(cx)) => end,
        () = shutdown.begun() => End::Shutdown,
    };
    // This future is large; in a box it adds nothing to the memory of an idle session.
    Box::pin(close(session, &end, conn, began, shutdown)).await;
}

/// Ends the partner, sends the client a close, and does the closing handshake.
async fn close(session: Session<impl Client, impl Partner>, end: &End, conn: u64, began: Instant, shutdown: &Shutdown) {
    let Session { mut client, mut partner, counts, share, has_given_up, .. } = session;
    drop(share);
    client.begin_close(partner.owner().clone(), !has_given_up && *end != End::Silent);
    if end.is_cut() {
        client.discard();
    }
    if *end == End::Shutdown {
        send_close(&mut client, end.close(None)).await;
    }
    let (code, reason) = (code(end.close(end.status()).as_ref()), end.reason());
    // Biased: if the process has ended already, the last output and the close leave together.
    let status = tokio::select! {
        biased;
        status = partner.end(code, reason) => status,
        never = poll_fn(|cx| client.poll_closing(cx)) => match never {},
    };
    let status = status.or(end.status());
    let close = end.close(status);
    let code = self::code(close.as_ref());
    send_close(&mut client, close).await;
    // Drops the partner before the client's handshake, which may take long.
    drop(partner);
    let Counts { input, output } = counts;
    let (end, status, secs) = (end.word(), status.map(Status::shell), &event::seconds(began.elapsed()));
    Event::SessionEnded { conn, end, status, code, secs, input, output }.emit();
    client.finish(shutdown).await;
}

/// Appends the close behind all that waits, and sends as much as the client takes at once.
async fn send_close(client: &mut impl Client, close: Option<Close>) {
    let mut close = Some(close);
    poll_fn(|cx| {
        client.send_close(cx, close.take().flatten());
        Poll::Ready(())
    })
    .await;
}

fn code(close: Option<&Close>) -> u16 {
    close.map_or(Close::ABNORMAL, |close| close.code.unwrap_or(Close::NO_STATUS))
}
