//! A program that wsd starts ahead (`--mcp-spare`): it waits for the next session, which begins at once.
//!
//! It belongs to nobody, so its environment has nothing of a client. It has a fork slot, which others may have, and ends after the
//! time without use (`--mcp-idle`).

use std::{convert::Infallible, future::poll_fn, sync::Mutex, task::Poll};

use tokio::{sync::oneshot, time::sleep};
use tokio_util::sync::CancellationToken;

use super::{
    ending::end,
    lock::lock,
    terms::{Launching, McpOptions},
};
use crate::{
    admission::Permit,
    buffers,
    event::Event,
    metrics::mcp::McpSpareShown,
    peer::Connection,
    shutdown::Shutdown,
    worker::{Worker, outputs::Outputs},
};

/// The place of the program that waits; empty without one.
#[derive(Debug, Default)]
pub(crate) struct SpareSeat(Mutex<Option<oneshot::Sender<SpareTaker>>>);

/// The session that takes the program.
type SpareTaker = oneshot::Sender<(Worker, Permit)>;

/// Why a program ends that nobody has taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SpareEnd {
    /// It has ended by itself.
    Exit,
    /// No session has taken it for long enough.
    Idle,
    /// Another program needs its fork slot.
    Slot,
    /// The settings were loaded again, and may have another program.
    Reload,
    /// The session that was to have it has gone.
    Left,
    /// wsd itself ends.
    Shutdown,
}

impl SpareEnd {
    /// Returns the word for the log.
    fn word(self) -> &'static str {
        match self {
            Self::Exit => "exit",
            Self::Idle => "idle",
            Self::Slot => "slot",
            Self::Reload => "reload",
            Self::Left => "left",
            Self::Shutdown => "shutdown",
        }
    }
}

impl SpareSeat {
    /// Takes the program that waits, if there is one.
    pub(crate) async fn take(&self) -> Option<(Worker, Permit)> {
        let waiting = lock(&self.0).take()?;
        let (tell, told) = oneshot::channel();
        waiting.send(tell).ok()?;
        told.await.ok()
    }

    /// Starts the next program, unless one waits. `launching` has none if there is no fork slot, or if it cannot start.
    pub(crate) fn fill<F>(&self, launching: Launching<F>, options: &McpOptions)
    where
        F: Future<Output = Option<(Worker, Permit)>> + Send + 'static,
    {
        let mut seat = lock(&self.0);
        if seat.as_ref().is_some_and(|waiting| !waiting.is_closed()) {
            return;
        }
        let (ask, asked) = oneshot::channel();
        *seat = Some(ask);
        let Launching { start, path, shutdown, .. } = launching;
        let (options, tasks) = (options.clone(), shutdown.clone());
        tasks.spawn(async move {
            if let Some((worker, permit)) = start.await {
                wait((worker, permit), asked, &options, &path, &shutdown).await;
            }
        });
    }

    /// Ends the program that waits.
    pub(crate) fn clear(&self) {
        lock(&self.0).take();
    }
}

/// Lets the program wait until a session takes it, or until it ends.
async fn wait(
    (mut worker, mut permit): (Worker, Permit),
    asked: oneshot::Receiver<SpareTaker>,
    options: &McpOptions,
    path: &str,
    shutdown: &Shutdown,
) {
    let connection = Connection::none().renumbered();
    let (conn, pid) = (connection.id, worker.child.pid());
    Event::McpSpareStarted { conn, pid, path }.emit();
    let shown = McpSpareShown::of(&options.process.route, pid);
    let wanted = permit.offer();
    let why = watch(&mut worker, asked, &wanted, (&connection, options, shutdown)).await;
    drop(shown);
    let why = match why {
        Ok(taker) => {
            permit.withdraw();
            match taker.send((worker, permit)) {
                Ok(()) => return,
                Err(back) => {
                    (worker, permit) = back;
                    SpareEnd::Left
                }
            }
        }
        Err(why) => why,
    };
    let Worker { child, input, output, stderr, silence, tape: _ } = worker;
    let outputs = Outputs::new(&child, output, stderr, silence, false);
    let (status, _) = end((child, input, outputs), &connection, options.process.patience).await;
    drop(permit);
    Event::McpSpareEnded { conn, pid, end: why.word(), status: status.shell() }.emit();
}

/// Returns the session that takes the program, or why it ends. Its standard output waits for the session.
async fn watch(
    worker: &mut Worker,
    asked: oneshot::Receiver<SpareTaker>,
    wanted: &CancellationToken,
    (connection, options, shutdown): (&Connection, &McpOptions, &Shutdown),
) -> Result<SpareTaker, SpareEnd> {
    let leader = worker.child.leader();
    let log = poll_fn(|cx| {
        let _ = buffers::with_read(|buffer| worker.stderr.poll_log(cx, buffer, connection));
        Poll::<Infallible>::Pending
    });
    tokio::select! {
        biased;
        () = shutdown.begun() => Err(SpareEnd::Shutdown),
        asked = asked => match asked {
            Ok(_) if leader.status().is_some() => Err(SpareEnd::Exit),
            Ok(taker) => Ok(taker),
            Err(_) => Err(SpareEnd::Reload),
        },
        () = leader.gone() => Err(SpareEnd::Exit),
        () = wanted.cancelled() => Err(SpareEnd::Slot),
        () = sleep(options.idle) => Err(SpareEnd::Idle),
        never = log => match never {},
    }
}
