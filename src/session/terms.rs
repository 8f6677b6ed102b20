//! The terms of a session: the times at which wsd ends it, whatever its sides do, and the rate of its client.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

use super::inflow::Inflow;
use crate::{close::Close, rate::FlowRate};

/// The limits of each session of a site.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SessionLimits {
    /// The time without a message either way (`--idle`).
    pub(crate) idle: Option<Duration>,
    /// The time from the beginning (`--lifetime`).
    pub(crate) lifetime: Option<Duration>,
    /// The bytes of messages that the client may send (`--rate-in`).
    pub(crate) bytes_in: Option<FlowRate>,
    /// The messages that the client may send (`--rate-in`).
    pub(crate) messages_in: Option<FlowRate>,
}

/// The terms of a session. A session without any has no [`Terms`], which costs it a pointer.
#[derive(Debug)]
pub(crate) struct Terms {
    deadlines: Vec<Deadline>,
    idle: Option<IdleClock>,
    /// Wakes the session at the first of the deadlines; `None` if there is none.
    timer: Option<Pin<Box<Sleep>>>,
    /// The rate of the client; `None` without a limit.
    pub(super) inflow: Option<Inflow>,
}

/// A time at which the session ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Deadline {
    /// The time.
    pub(crate) at: Instant,
    /// The close for the client.
    pub(crate) close: Close,
    /// The end in the log.
    pub(crate) word: &'static str,
}

/// The deadline that each message puts off.
#[derive(Debug)]
struct IdleClock {
    limit: Duration,
    /// The messages so far, and the time of the last one.
    messages: u64,
    since: Instant,
}

impl IdleClock {
    fn deadline(&self) -> Deadline {
        Deadline { at: self.since + self.limit, close: Close::new(Close::IDLE, "idle"), word: "idle" }
    }
}

impl Terms {
    /// Returns the terms with these deadlines and limits, which begin now; `None` if there is none.
    pub(crate) fn new(mut deadlines: Vec<Deadline>, limits: &SessionLimits) -> Option<Box<Self>> {
        if *limits == SessionLimits::default() && deadlines.is_empty() {
            return None;
        }
        let since = Instant::now();
        deadlines.extend(limits.lifetime.map(|lifetime| Deadline {
            at: since + lifetime,
            close: Close::new(Close::LIFETIME, "lifetime"),
            word: "lifetime",
        }));
        let idle = limits.idle.map(|limit| IdleClock { limit, messages: 0, since });
        let inflow = Inflow::new(limits.bytes_in, limits.messages_in);
        let mut terms = Self { deadlines, idle, timer: None, inflow };
        terms.timer = terms.first().map(|first| Box::pin(sleep_until(first.at)));
        Some(Box::new(terms))
    }

    /// Takes out the rate of the client, for an exchange that reads the client elsewhere.
    pub(crate) fn take_inflow(&mut self) -> Option<Inflow> {
        self.inflow.take()
    }

    /// Resolves with the first deadline once its time has come. `progress` returns a number that grows with what is carried
    /// either way, and whether wsd makes the client wait. The task that carries it must wait for this, too.
    pub(crate) async fn over(&mut self, progress: impl Fn() -> (u64, bool)) -> Deadline {
        poll_fn(|cx| {
            let (carried, is_shut) = progress();
            self.poll_clock(cx, carried, is_shut)
        })
        .await
    }

    /// Ready with the first deadline once its time has come. `messages` is the number of messages either way so far.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, messages: u64) -> Poll<Deadline> {
        let is_shut = self.inflow.as_ref().is_some_and(Inflow::is_shut);
        self.poll_clock(cx, messages, is_shut)
    }

    fn poll_clock(&mut self, cx: &mut Context<'_>, messages: u64, is_shut: bool) -> Poll<Deadline> {
        // While wsd itself makes the client wait, the session is not idle.
        if let Some(idle) = &mut self.idle
            && (idle.messages != messages || is_shut)
        {
            (idle.messages, idle.since) = (messages, Instant::now());
        }
        while let Some(timer) = &mut self.timer
            && timer.as_mut().poll(cx).is_ready()
            && let Some(first) = self.first()
        {
            if first.at <= Instant::now() {
                return Poll::Ready(first);
            }
            // A message has put off the deadline for which the timer was set.
            self.timer = Some(Box::pin(sleep_until(first.at)));
        }
        Poll::Pending
    }

    fn first(&self) -> Option<Deadline> {
        let idle = self.idle.as_ref().map(IdleClock::deadline);
        self.deadlines.iter().cloned().chain(idle).min_by_key(|deadline| deadline.at)
    }
}
