//! The connections of a link that may return: loses one, waits, dials, and goes on over the next.

use std::{
    mem,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, sleep};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, frame::coding::CloseCode};

use super::{
    call::{OpenedSession, part_of},
    end::Finish,
    error::ConnectError,
    resumable::{Hearing, LifeCheck, LinkState, Outbox, ResumableLink, keep},
    say::say,
};
use crate::{
    close::Close,
    limits::{CLOSE_ANSWER, CONNECT_STEADY, CONNECT_TIME_MAX, RESTART_MAX, RETURN_MIN},
};

impl ResumableLink {
    /// Does all that can be done at once. Wakes the task of `cx` when there is more to do.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>) {
        loop {
            match &mut self.state {
                LinkState::Open(_) => match self.poll_connection(cx) {
                    Poll::Ready(()) if self.hearing != Hearing::Open => self.state = LinkState::Over,
                    Poll::Ready(()) => self.lose(),
                    Poll::Pending => return,
                },
                LinkState::Waiting(pause) => {
                    if pause.as_mut().poll(cx).is_pending() {
                        return;
                    }
                    self.dial();
                }
                LinkState::Dialing(attempt) => match attempt.as_mut().poll(cx) {
                    Poll::Pending => return,
                    Poll::Ready(Ok(opened)) => self.arrive(opened),
                    Poll::Ready(Err(error)) => self.wait(Some(&error)),
                },
                LinkState::Over => return,
            }
        }
    }

    /// Gives up the connection.
    pub(super) fn give_up(&mut self) {
        if !self.is_away() {
            self.lose();
        }
    }

    /// The connection is lost.
    fn lose(&mut self) {
        if self.has_progress || self.opened_at.elapsed() >= CONNECT_STEADY {
            self.losses = 0;
        }
        self.outbox = Outbox::default();
        if self.check != LifeCheck::Needless {
            self.check = LifeCheck::Due;
        }
        self.intake.count(&mut self.inbound);
        (self.closed_at, self.unacknowledged_since, self.deadline) = (None, None, None);
        self.inbound.forget_debt();
        self.away_since.get_or_insert_with(Instant::now);
        self.wait(None);
    }

    /// Returns the time for which the server still keeps the session.
    fn time_left(&self) -> Duration {
        self.keep.saturating_sub(self.away_since.map_or(Duration::ZERO, |since| since.elapsed()))
    }

    /// Waits before the next attempt. `error` is why the last one failed.
    fn wait(&mut self, error: Option<&ConnectError>) {
        let left = self.time_left();
        if left.is_zero() {
            let cause = error.map_or_else(String::new, |error| format!(": {}", error.message()));
            return self.end(&format!(
                "no return to it in the {} s for which the server keeps it{cause}",
                self.keep.as_secs_f64()
            ));
        }
        let grown = RETURN_MIN.saturating_mul(1 << self.losses.min(10)).min(RESTART_MAX);
        let pause = if self.losses == 0 { Duration::ZERO } else { part_of(grown).min(left) };
        self.losses += 1;
        if let Some(error) = error {
            self.has_told_loss = true;
            say(&format!("{}; trying again in {:.1} s", error.message(), pause.as_secs_f64()));
        }
        self.state = LinkState::Waiting(Box::pin(sleep(pause)));
    }

    fn dial(&mut self) {
        let (call, token, got) = (Rc::clone(&self.call), self.token.clone(), self.inbound.got());
        let time_max = self.time_left().clamp(CLOSE_ANSWER, CONNECT_TIME_MAX);
        self.state = LinkState::Dialing(Box::pin(async move { call.attempt(Some((&token, got)), time_max).await }));
    }

    /// Goes on over a new connection, if the server still has the session.
    fn arrive(&mut self, opened: OpenedSession) {
        let greeting = match opened.greeting {
            Some(greeting) if greeting.resumed => greeting,
            greeting => {
                self.fresh = Some(OpenedSession { greeting, ..opened });
                if self.close.is_some() && self.is_settled() {
                    // The server had all, and has taken the close; its answer is lost.
                    self.state = LinkState::Over;
                    return;
                }
                return self.end("the server does not have it any more");
            }
        };
        let now = Instant::now();
        let away = self.away_since.take().map_or(Duration::ZERO, |since| now - since);
        if mem::take(&mut self.has_told_loss) {
            say(&format!("returned to the session after {:.1} s", away.as_secs_f64()));
        }
        (self.opened_at, self.heard_at, self.has_progress, self.keep) = (now, now, false, keep(&greeting));
        self.state = LinkState::Open(Box::new(opened.socket));
        let before = self.ring.bounds().0;
        if self.ring.rewind(greeting.got).is_none() {
            self.fault("a greeting with an impossible number");
        }
        if self.ring.bounds().0 > before {
            // The last connection was of use.
            self.losses = 1;
        }
    }

    /// The server broke a rule of `wsd.resume.1`.
    pub(super) fn fault(&mut self, rule: &str) {
        self.failure.get_or_insert(Finish::Fault(Close::PROTOCOL, rule.to_owned()));
        self.hearing = Hearing::Deaf;
    }

    /// Returns the text about the messages that the server may not have.
    fn loss(&self) -> String {
        match self.ring.count() {
            0 => String::new(),
            1 => "; the last message sent may be lost".to_owned(),
            count => format!("; the last {count} messages sent may be lost"),
        }
    }

    /// Returns a Close frame of the server whose reason tells the loss, if the server stops.
    pub(super) fn with_loss(&self, frame: Option<CloseFrame>) -> Option<CloseFrame> {
        let mut frame = frame?;
        if matches!(frame.code, CloseCode::Away | CloseCode::Restart) {
            frame.reason = format!("{}{}", frame.reason, self.loss()).into();
        }
        Some(frame)
    }

    /// The session is gone.
    fn end(&mut self, cause: &str) {
        self.failure = Some(Finish::Gone(format!("the session is gone: {cause}{}", self.loss())));
        self.state = LinkState::Over;
    }
}
