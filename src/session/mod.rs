//! A session: a client and its partner, from the first message to the close.

mod carry;
mod end;
pub(crate) mod inflow;
mod telling;
pub(crate) mod terms;
#[cfg(test)]
mod tests;
pub(crate) mod traffic;

use std::{future::poll_fn, sync::Arc, task::Poll};

use futures_util::future::Either;

use crate::{
    client::Client,
    close::Close,
    event::Event,
    metrics::live::{LiveSession, SessionFacts},
    partner::Partner,
    shutdown::Shutdown,
};
use carry::Session;
use end::End;
use terms::Terms;
use traffic::Shown;

/// Begins a session and returns its run to the end, for any kind of client and partner; `terms` may end it. `path` is for the log.
pub(crate) fn run<'a>(
    facts: SessionFacts,
    path: String,
    client: impl Client + Send + 'a,
    partner: impl Partner + Send + 'a,
    terms: Option<Box<Terms>>,
    shutdown: &'a Shutdown,
) -> impl Future<Output = ()> + Send + 'a {
    if traffic::is_shown() {
        // In a box, so that the usual future does not become larger.
        let client = Shown::new(client, facts.conn);
        Either::Left(Box::pin(run_to_end(facts, path, client, partner, terms, shutdown)))
    } else {
        Either::Right(run_to_end(facts, path, client, partner, terms, shutdown))
    }
}

/// Begins a session and returns its run to the end.
///
/// No `async fn`: its future would hold the client and the partner twice, as arguments and in the session.
fn run_to_end(
    facts: SessionFacts,
    path: String,
    client: impl Client + Send,
    partner: impl Partner + Send,
    terms: Option<Box<Terms>>,
    shutdown: &Shutdown,
) -> impl Future<Output = ()> + Send {
    let live = LiveSession::new(facts, partner.pid(), partner.room());
    let SessionFacts { conn, peer, .. } = live.facts;
    Event::SessionStarted { conn, peer, pid: live.pid, path: &path, session: &live }.emit();
    // A path may have 32 KiB, and an idle session must not keep them.
    drop(path);
    let mut session = Session::new(Arc::clone(&live), client, partner, terms);
    async move {
        let end = tokio::select! {
            end = poll_fn(|cx| session.poll(cx)) => end,
            () = live.dismissed() => End::Admin,
            () = shutdown.begun() => End::Shutdown,
        };
        session.end_waits();
        drop(live);
        // This future is large; in a box it adds nothing to the memory of an idle session.
        Box::pin(close(session, &end, shutdown)).await;
    }
}

/// Ends the partner, sends the client a close, and does the closing handshake.
async fn close(session: Session<impl Client, impl Partner>, end: &End, shutdown: &Shutdown) {
    let Session { live, mut client, mut partner, share, has_given_up, .. } = session;
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
    let usage = partner.usage();
    // Drops the partner before the client's handshake, which may take long, and before the line in the log: this counts the exit of
    // its program.
    drop(partner);
    telling::ended(&live, end, code(close.as_ref()), status, usage, client.traffic());
    drop(live);
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
