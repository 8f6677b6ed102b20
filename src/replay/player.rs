//! Plays a recording to a program: feeds each message in its turn, and waits for the output before it.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

use super::{
    checker::Checker,
    differing::Difference,
    masked::Masks,
    script::{Recording, Way},
};
use crate::{
    close::Close,
    framing::Rejected,
    partner::{Delivery, Partner, Verdict},
    status::Status,
    worker::process::Process,
};

/// The time of messages to the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PlaySpeed {
    /// As soon as the output before them has come.
    Full,
    /// Not before their time in the recording.
    Recorded,
}

/// A replay that goes on.
#[derive(Debug)]
pub(super) struct Player<'a> {
    recording: &'a Recording,
    process: Process,
    checker: Checker<'a>,
    speed: PlaySpeed,
    timeout: Duration,
    began: Instant,
    /// The next message for the program; the number of messages if there is none.
    next: usize,
    /// The time of the last message either way.
    last: Instant,
    /// Wakes the replay.
    timer: Pin<Box<Sleep>>,
}

/// The reason for which the messages are over.
#[derive(Debug)]
enum Over {
    /// The recording has no more.
    Played,
    /// The program has ended.
    Ended,
    /// The program differs.
    Differs(Difference),
}

impl<'a> Player<'a> {
    /// Begins a replay to a process that has just started.
    pub(super) fn new(
        recording: &'a Recording,
        process: Process,
        masks: Masks,
        speed: PlaySpeed,
        timeout: Duration,
    ) -> Self {
        let (began, checker) = (Instant::now(), Checker::new(recording, masks));
        let timer = Box::pin(sleep_until(began));
        let mut player = Self { recording, process, checker, speed, timeout, began, next: 0, last: began, timer };
        player.next = player.input_from(0);
        player
    }

    /// Plays to the end. Returns the first difference.
    pub(super) async fn play(mut self) -> Option<Difference> {
        let over = poll_fn(|cx| self.poll(cx)).await;
        if let Over::Differs(difference) = over {
            return Some(difference);
        }
        let rest = self.undone();
        let status = self.process.end(Close::NORMAL, "").await.unwrap_or(Status::UNKNOWN).shell();
        let end = self.recording.end;
        if let (Over::Ended, Some(at)) = (over, rest) {
            let is_of_program = end.is_some_and(|end| end.is_of_program);
            // The client of a program that ends may have sent more than the program has read.
            if self.checker.next().is_some() || !is_of_program {
                return Some(Difference::Ended { at, status });
            }
        }
        end.filter(|end| !end.is_stop() && end.status != status).map(|_| Difference::Status { got: status })
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Over> {
        loop {
            let has_fed = match self.feed(cx) {
                Ok(has_fed) => has_fed,
                Err(difference) => return Poll::Ready(Over::Differs(difference)),
            };
            let came = self.checker.came;
            let said = self.process.poll_read(cx, &mut self.checker);
            if self.checker.came != came {
                self.last = Instant::now();
            }
            if let Some(difference) = self.checker.found.take() {
                return Poll::Ready(Over::Differs(difference));
            }
            match said {
                Poll::Ready(Delivery::Messages(_) | Delivery::FullRead(_)) => {}
                Poll::Ready(Delivery::Ended(_, verdict)) => return Poll::Ready(self.ended(&verdict)),
                Poll::Pending if has_fed => {}
                Poll::Pending if self.is_played() && self.process.poll_flush(cx).is_ready() => {
                    return Poll::Ready(Over::Played);
                }
                Poll::Pending => return self.poll_time(cx),
            }
        }
    }

    /// Feeds the next message if it is its turn. Returns whether it did.
    fn feed(&mut self, cx: &mut Context<'_>) -> Result<bool, Difference> {
        if self.process.poll_flush(cx).is_pending() {
            return Ok(false);
        }
        let (at, Some(message)) = (self.next, self.recording.messages.get(self.next)) else { return Ok(false) };
        let is_late = self.checker.next().is_some_and(|expected| expected < at);
        if is_late || self.input_time().is_some_and(|time| time > Instant::now()) {
            return Ok(false);
        }
        if message.way == Way::Eof {
            self.process.close_input();
        } else {
            let written = self.process.write(message.kind, &message.payload);
            written.map_err(|Rejected(why)| Difference::Garbled { at: Some(at), why })?;
        }
        self.next = self.input_from(at + 1);
        self.last = Instant::now();
        let _ = self.process.poll_flush(cx);
        Ok(true)
    }

    fn ended(&self, verdict: &Verdict) -> Over {
        match *verdict {
            // The session that was recorded may have ended because of it.
            Verdict::Garbled(_) if self.undone().is_none() => Over::Played,
            Verdict::Garbled(why) => Over::Differs(Difference::Garbled { at: self.undone(), why }),
            _ => Over::Ended,
        }
    }

    /// Whether the program has got and given all, and is to be ended by wsd.
    fn is_played(&self) -> bool {
        self.undone().is_none() && !self.recording.end.is_some_and(|end| end.is_of_program)
    }

    /// Ready when the program has kept the replay waiting for too long.
    fn poll_time(&mut self, cx: &mut Context<'_>) -> Poll<Over> {
        let undone = self.undone();
        let input_time = self.input_time().filter(|time| undone == Some(self.next) && *time > Instant::now());
        let time = input_time.unwrap_or(self.last + self.gap(undone) + self.timeout);
        self.timer.as_mut().reset(time);
        ready!(self.timer.as_mut().poll(cx));
        if input_time.is_some() {
            // The time has come in this moment: the next round feeds the message.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let waited = self.last.elapsed();
        Poll::Ready(match undone {
            Some(at) => Over::Differs(Difference::Silent { at, waited }),
            // It has not read its last input, and need not.
            None if self.is_played() => Over::Played,
            None => Over::Differs(Difference::Alive { waited }),
        })
    }

    /// Returns the time in the recording between a message, or the end, and the one before it.
    fn gap(&self, at: Option<usize>) -> Duration {
        let messages = &self.recording.messages;
        let end = self.recording.end.map_or(0, |end| end.us);
        let us = at.map_or(end, |at| messages[at].us);
        let before = at.unwrap_or(messages.len()).checked_sub(1).map_or(0, |before| messages[before].us);
        Duration::from_micros(us.saturating_sub(before))
    }

    /// Returns the time of the next message for the program; `None` if it has none.
    fn input_time(&self) -> Option<Instant> {
        let message = self.recording.messages.get(self.next)?;
        (self.speed == PlaySpeed::Recorded).then(|| self.began + Duration::from_micros(message.us))
    }

    /// Returns the first message that the program has not got or given.
    fn undone(&self) -> Option<usize> {
        let input = Some(self.next).filter(|next| *next < self.recording.messages.len());
        input.into_iter().chain(self.checker.next()).min()
    }

    /// Returns the first message for the program from `at` on.
    fn input_from(&self, at: usize) -> usize {
        let rest = &self.recording.messages[at..];
        at + rest.iter().position(|message| message.way != Way::Out).unwrap_or(rest.len())
    }
}
