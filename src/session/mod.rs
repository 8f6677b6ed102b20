//! A session: one client and its worker, from the upgrade to the close.

pub(crate) mod bridge;
mod busy;
pub(crate) mod end;
mod farewell;
mod lost;
mod patrol;
pub(crate) mod seated;
mod stall;

use std::{
    future::poll_fn,
    time::{Duration, Instant},
};

use tracing::info;

use crate::{
    admission::Permit,
    budget::Budget,
    framing::Framing,
    peer::Connection,
    shutdown::Shutdown,
    socket::{Socket, close::Close},
    worker::{Worker, stop::stop},
};
use bridge::{Bridge, Counts};
use end::End;

/// What a session is told to do.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// How messages stand in the worker's streams.
    pub(crate) framing: Framing,
    /// Bytes of one message of a client, at most.
    pub(crate) message_bytes_max: usize,
    /// Between two Pings; `None` is none at all.
    pub(crate) ping_interval: Option<Duration>,
    /// Added to each wait of the ladder (`--closems`).
    pub(crate) patience: Duration,
    /// What all that waits counts against (`--maxbuffer`).
    pub(crate) budget: Budget,
}

/// Runs a session to its end.
///
/// `permit` is given back once the worker has ended and all that it said is logged, before the client is told: it may come
/// again at once.
pub(crate) async fn run(
    connection: Connection,
    path: String,
    socket: Socket,
    worker: Worker,
    options: &Options,
    permit: Permit,
    shutdown: Shutdown,
) {
    let Worker { child, input, output, stderr } = worker;
    let (conn, pid, began) = (connection.id, child.pid(), Instant::now());
    info!(conn, peer = %connection.peer, pid, path, "session started");

    let mut bridge = Bridge::new(connection.clone(), socket, (input, output, stderr), options);
    let end = tokio::select! {
        end = poll_fn(|cx| bridge.poll(cx)) => end,
        () = shutdown.begun() => End::Shutdown,
    };

    // Rare, and large beside the bridge: an idle session does not pay for it.
    Box::pin(async move {
        let mut farewell = bridge.into_farewell(end);
        if end == End::Shutdown {
            farewell.queue_close(end.close(None));
        }
        // Of a worker that has ended already, the last words and the Close frame leave in one piece.
        let status = tokio::select! {
            biased;
            status = stop(&child, options.patience, &connection) => status,
            never = poll_fn(|cx| farewell.poll_meanwhile(cx)) => match never {},
        };
        farewell.log_to_the_end().await;
        drop(permit);

        let close = end.close(Some(status));
        let code = close.as_ref().map_or(Close::ABNORMAL, |close| close.code.unwrap_or(Close::NO_STATUS));
        farewell.tell(close).await;
        // The client does not wait for these.
        child.reap();
        farewell.outputs = None;
        let secs = format!("{:.1}", began.elapsed().as_secs_f64());
        let Counts { input, output } = farewell.counts;
        info!(conn, end = end.word(), status = status.shell(), code, secs, "in" = input, out = output, "session ended");
        farewell.take_leave(&shutdown).await;
    })
    .await;
}
