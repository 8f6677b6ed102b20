//! Tells a client how its session ended, even if it has to return for that.

use std::{
    future::poll_fn,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::sleep;

use super::{client::Resumable, ring::Ring};
use crate::{
    client::Client,
    event::Event,
    limits::{ENDED_SESSION_BYTES, READS_PER_TURN},
    shutdown::Shutdown,
    turn,
};

/// The time after which wsd gives freed memory back: many sessions end at a time.
const TRIM_DELAY: Duration = Duration::from_secs(1);

impl Resumable {
    /// Sends what waits. Ready when the client has been told the end, or will not return.
    pub(super) fn poll_told(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.owner.is_asked(cx) {
            (self.ring, self.is_final) = (Ring::default(), true);
            self.owner.settle();
        }
        let _ = self.poll_feed(cx);
        let held = self.held();
        self.ending().share.set(held.0 + ENDED_SESSION_BYTES, held.1);
        if self.is_final {
            return Poll::Ready(());
        }
        for read in 0.. {
            match self.poll_read(cx, &mut |_, _| false) {
                Poll::Ready(Some(_)) => return Poll::Ready(()),
                Poll::Ready(None) if read < READS_PER_TURN => {}
                Poll::Ready(None) => {
                    let _ = turn::yield_turn::<()>(cx);
                    break;
                }
                Poll::Pending => break,
            }
        }
        if self.poll_upkeep(cx, true).is_ready() {
            return Poll::Ready(());
        }
        if self.door.is_given_up() {
            Event::SessionExpired { conn: self.conn }.emit();
            return Poll::Ready(());
        }
        let progress = self.progress();
        if self.link.is_some() && self.ending().poll_stall(cx, progress).is_ready() {
            self.detach(cx);
        }
        if self.ending().is_overdue() {
            self.door.hide();
        }
        Poll::Pending
    }

    /// Waits until the client has been told the end, and closes its connection.
    ///
    /// While the client is away, a task of its own waits: that of the session is large.
    pub(super) async fn tell_end(mut self, shutdown: &Shutdown) {
        let is_over = tokio::select! {
            biased;
            () = shutdown.begun() => true,
            is_over = poll_fn(|cx| match self.poll_told(cx) {
                Poll::Ready(()) => Poll::Ready(true),
                Poll::Pending if self.is_away() => Poll::Ready(false),
                Poll::Pending => Poll::Pending,
            }) => is_over,
        };
        if is_over {
            return self.close_up(shutdown).await;
        }
        let (client, end) = (Box::new(self), shutdown.clone());
        shutdown.spawn(async move {
            client.wait_and_tell(&end).await;
        });
    }

    async fn wait_and_tell(mut self: Box<Self>, shutdown: &Shutdown) {
        let number = self.door.begin_waiting();
        tokio::select! {
            biased;
            () = shutdown.begun() => {}
            () = poll_fn(|cx| self.poll_told(cx)) => {}
        }
        let is_much = self.door.end_waiting(number);
        let budget = self.owner.budget().clone();
        Box::pin(self.close_up(shutdown)).await;
        if is_much {
            tokio::select! {
                () = shutdown.begun() => {}
                () = sleep(TRIM_DELAY) => budget.trim(),
            }
        }
    }

    /// Sends what is left, and closes the connection, if there is one.
    async fn close_up(self, shutdown: &Shutdown) {
        let Self { link, mut ring, ending, door, connection, .. } = self;
        drop(door);
        let Some(mut link) = link else { return };
        while ring.feed(&mut link, usize::MAX) {}
        drop(ring);
        let close = ending.and_then(|ending| ending.close);
        link.finish(close.as_ref(), shutdown).await;
        drop(connection);
    }
}
