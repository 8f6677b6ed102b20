//! A session: a client and its partner, from the first message to the close.

mod carry;
mod end;
mod inflow;
pub(crate) mod terms;
#[cfg(test)]
mod tests;

use std::{future::poll_fn, task::Poll, time::Instant};

use crate::{
    client::Client,
    close::Close,
    deflate::BothTraffic,
    event::{self, Event},
    partner::Partner,
    peer::Connection,
    shutdown::Shutdown,
    status::Status,
};
use carry::Session;
use end::End;
use terms::Terms;

/// Runs a session to its end, for any kind of client and partner; `terms` may end it. `path` is for the log.
pub(crate) async fn run(
    connection: &Connection,
    path: String,
    client: impl Client + Send,
    partner: impl Partner + Send,
    terms: Option<Box<Terms>>,
    shutdown: &Shutdown,
) {
    let (conn, began) = (connection.id, Instant::now());
    Event::SessionStarted { conn, peer: connection.peer, pid: partner.pid(), path: &path }.emit();
    // A path may have 32 KiB, and an idle session must not keep them.
    drop(path);
    let mut session = Session::new(conn, client, partner, terms);
    let end = tokio::select! {
        end = poll_fn(|cx| session.poll(cx)) => end,
        () = shutdown.begun() => End::Shutdown,
    };
    // This future is large; in a box it adds nothing to the memory of an idle session.
    Box::pin(close(session, &end, conn, began, shutdown)).await;
}

/// Ends the partner, sends the client a close, and does the closing handshake.
async fn close(session: Session<impl Client, impl Partner>, end: &End, conn: u64, began: Instant, shutdown: &Shutdown) {
    let Session { mut client, mut partner, input, output, share, has_given_up, .. } = session;
    drop(share);
    client.begin_close(!has_given_up && *end != End::Silent);
    if end.is_cut() {
        client.discard();
    }
    let (_, close) = end.report(None);
    if *end == End::Shutdown {
        send_close(&mut client, close.as_ref()).await;
    }
    // Biased: if the process has ended already, the close need not wait for it.
    let status = tokio::select! {
        biased;
        status = partner.end(code(close.as_ref()), end.reason()) => status,
        never = poll_fn(|cx| client.poll_closing(cx)) => match never {},
    };
    let status = status.or(end.status());
    let (end, close) = end.report(status);
    send_close(&mut client, close.as_ref()).await;
    // Drops the partner before the client's handshake, which may take long.
    drop(partner);
    let (code, limit) = (code(close.as_ref()), status.and_then(Status::limit));
    let (status, secs) = (status.map(Status::shell), &event::seconds(began.elapsed()));
    let traffic = client.traffic();
    let traffic = |value: fn(&BothTraffic) -> u64| traffic.as_ref().map(value);
    let (bytes_in, packed_in) = (traffic(|both| both.input.bytes), traffic(|both| both.input.packed));
    let (bytes_out, packed_out) = (traffic(|both| both.output.bytes), traffic(|both| both.output.packed));
    Event::SessionEnded {
        conn,
        end,
        status,
        limit,
        code,
        secs,
        input,
        output,
        bytes_in,
        packed_in,
        bytes_out,
        packed_out,
    }
    .emit();
    client.finish(shutdown).await;
}

/// Appends the close behind all that waits, and sends as much as the client takes at once.
async fn send_close(client: &mut impl Client, close: Option<&Close>) {
    poll_fn(|cx| {
        client.send_close(cx, close);
        Poll::Ready(())
    })
    .await;
}

fn code(close: Option<&Close>) -> u16 {
    close.map_or(Close::ABNORMAL, |close| close.code.unwrap_or(Close::NO_STATUS))
}
