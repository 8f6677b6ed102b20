//! The facts of a session that both of its directions share.

use std::{cell::Cell, future::pending, time::Duration};

use tokio::{
    sync::Notify,
    time::{Instant, sleep, sleep_until},
};

use super::{end::Finish, watched::WatchedStream};
use crate::{cli::connect::Wait, limits::CONNECT_WAIT};

/// The time between two looks: whether a program that has ended has left output, and whether a message has arrived.
const LOOK: Duration = Duration::from_millis(20);

/// The time that nothing more comes of a program that has ended, if another process holds its output open.
const OUTPUT_REST: Duration = Duration::from_millis(500);

/// The state of a link.
#[derive(Clone, Copy, Debug)]
pub(super) struct LinkSight {
    /// Whether the server's end does not have all that was sent: the connection is slow, or lost for now.
    pub(super) is_behind: bool,
    /// The number of the message of the server that is arriving.
    pub(super) arriving: Option<u64>,
    /// The time of the last byte of the server.
    pub(super) heard_at: Instant,
}

impl LinkSight {
    /// Returns the state of a connection that has taken all.
    pub(super) fn of(stream: &WatchedStream) -> Self {
        Self { is_behind: false, arriving: stream.arriving(), heard_at: stream.heard_at() }
    }
}

/// The state of both directions. They run in one task.
#[derive(Debug)]
pub(super) struct Flow {
    /// The time of the last message of the server that was written.
    message_at: Cell<Instant>,
    /// The time of the last sign of life of the server.
    heard_at: Cell<Instant>,
    /// Whether a message of the server is being written. The client does not read the server then.
    is_writing: Cell<bool>,
    /// Whether the server's end does not have all that was sent: the connection is slow, or lost for now.
    is_behind: Cell<bool>,
    /// The time at which the link was last seen.
    seen_at: Cell<Instant>,
    /// The number of the message of the server that is arriving.
    arriving: Cell<Option<u64>>,
    /// The time since which the client waits for input; `None` while it sends.
    reading_since: Cell<Option<Instant>>,
    /// Whether any input has come.
    has_input: Cell<bool>,
    /// Whether the input has ended and was sent.
    has_ended: Cell<bool>,
    ended: Notify,
}

impl Flow {
    /// Returns the state at the start of a session.
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            message_at: Cell::new(now),
            heard_at: Cell::new(now),
            is_writing: Cell::new(false),
            is_behind: Cell::new(false),
            seen_at: Cell::new(now),
            arriving: Cell::new(None),
            reading_since: Cell::new(None),
            has_input: Cell::new(false),
            has_ended: Cell::new(false),
            ended: Notify::new(),
        }
    }

    /// Notes the state of the link.
    pub(super) fn follow(&self, sight: LinkSight) {
        let LinkSight { is_behind, arriving, heard_at } = sight;
        let now = Instant::now();
        let since = self.seen_at.replace(now);
        if self.is_behind.replace(is_behind) {
            // The time in which the server could not be heard is no part of its silence, which goes on after it.
            self.message_at.set(now.min(self.message_at.get() + (now - since)));
        }
        self.arriving.set(arriving);
        self.heard_at.set(self.heard_at.get().max(heard_at));
    }

    /// Begins another session. Its input goes on where that of the last one was.
    pub(super) fn begin_again(&self) {
        self.is_writing.set(false);
        self.has_ended.set(false);
        self.heard_at.set(Instant::now());
    }

    /// Notes that a message of the server is being written, or has been.
    pub(super) fn write(&self, is_writing: bool) {
        self.is_writing.set(is_writing);
        self.message_at.set(Instant::now());
        self.heard_at.set(Instant::now());
    }

    /// Notes that the client waits for input.
    pub(super) fn await_input(&self) {
        self.reading_since.set(Some(Instant::now()));
    }

    /// Notes that input has come.
    pub(super) fn take_input(&self) {
        self.reading_since.set(None);
        self.has_input.set(true);
    }

    /// Notes that the input has ended, and that the server's end has it all.
    pub(super) fn end_input(&self) {
        if self.has_ended.replace(true) {
            return;
        }
        self.message_at.set(Instant::now());
        self.ended.notify_one();
    }

    /// Whether the server has been silent for `limit`. While the client does not read it, silence proves nothing.
    pub(super) fn is_silent_for(&self, limit: Duration) -> bool {
        !self.is_writing.get() && !self.is_behind.get() && self.heard_at.get().elapsed() >= limit
    }

    /// Returns once the client is to close after the end of its input.
    pub(super) async fn patience(&self, wait: Option<Wait>) -> Finish {
        self.ended.notified().await;
        let limit = match wait {
            Some(Wait::Silence(limit)) => limit,
            None if self.has_input.get() => CONNECT_WAIT,
            Some(Wait::Close) | None => pending().await,
        };
        loop {
            // Without patience, a part of an answer is as good as none.
            let is_arriving = self.arriving.get().is_some() && !limit.is_zero();
            let is_busy = self.is_writing.get() || is_arriving;
            let until = if is_busy { Instant::now() } else { self.message_at.get() } + limit;
            if !is_busy && !self.is_behind.get() && until <= Instant::now() {
                return Finish::Done;
            }
            sleep_until(until.max(Instant::now() + LOOK)).await;
        }
    }

    /// Returns once `limit` has passed behind the message of the server that is arriving, if there is one. Its parts have as long
    /// to come.
    pub(super) async fn arrival(&self, limit: Duration) {
        let Some(number) = self.arriving.get() else { return };
        while self.arriving.get() == Some(number) {
            let until = self.heard_at.get() + limit;
            if until <= Instant::now() {
                return;
            }
            sleep_until(until.min(Instant::now() + LOOK)).await;
        }
        sleep(limit).await;
    }

    /// Returns once all output of a program that has ended was sent.
    pub(super) async fn input_taken(&self) {
        let is_quiet = || self.reading_since.get().is_some_and(|since| since.elapsed() >= OUTPUT_REST);
        while !self.has_ended.get() && !is_quiet() {
            sleep(LOOK).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_return_does_not_begin_the_silence_again() {
        let (flow, start) = (Flow::new(), Instant::now());
        let see = |is_behind| flow.follow(LinkSight { is_behind, arriving: None, heard_at: start });
        let cuts = async {
            for _ in 0..10 {
                sleep(Duration::from_millis(600)).await;
                see(true);
                sleep(Duration::from_millis(500)).await;
                see(false);
            }
        };
        flow.end_input();

        tokio::select! {
            _ = flow.patience(Some(Wait::Silence(Duration::from_secs(1)))) => {}
            () = cuts => panic!("the silence never ends"),
        }

        // 600 ms of silence, 500 ms away, and the other 400 ms.
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(1500) && took < Duration::from_millis(1500) + 2 * LOOK, "{took:?}");
    }
}
