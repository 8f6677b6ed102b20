//! The loop of every session: carries messages between the client and its partner.
//!
//! It reads one side and hands the messages to the other, which sends them. The bytes that the other side does not take wait
//! there, and the loop reads nothing more until they have gone. This is backpressure, and it limits memory.

use std::{
    mem,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use super::{end::End, inflow::Inflow, terms::Terms};
use crate::{
    budget::Share,
    client::{Client, Departure, Fault},
    event::Event,
    framing::{Heard, Rejected},
    limits::{CLOSED_STALL_MAX, READS_PER_TURN},
    metrics::live::{LiveSession, Stopwatch, Traffic},
    partner::{Delivery, Partner, Verdict},
    stall::StallWatch,
    turn,
};

/// The time that the partner may take nothing of the last messages of a vanished client, before wsd drops them. wsd notices a
/// vanished client within a second. After a Close frame the time is [`CLOSED_STALL_MAX`].
const GONE_STALL_MAX: Duration = Duration::from_millis(490);

/// A session that carries messages both ways.
#[derive(Debug)]
pub(super) struct Session<C, P> {
    /// Its counts, and the facts of its client.
    pub(super) live: Arc<LiveSession>,
    /// The end to which output goes.
    pub(super) client: C,
    /// The end to which input goes.
    pub(super) partner: P,
    /// The bytes that wait on either side.
    pub(super) share: Share,
    /// Whether the session has stopped waiting for the client, which took nothing for too long.
    pub(super) has_given_up: bool,
    /// Whether the partner has ignored a message of the client.
    has_ignored: bool,
    /// Why the client will send nothing more. The partner must still take its earlier messages.
    departure: Option<Departure>,
    /// Runs while the partner takes nothing, so that the session does not read the client.
    partner_watch: Option<StallWatch>,
    /// Runs while the client takes nothing, so that the session does not read the partner.
    client_watch: Option<StallWatch>,
    /// The times at which the session ends, if there are any.
    terms: Option<Box<Terms>>,
}

impl<C: Client, P: Partner> Session<C, P> {
    /// Returns a session without messages so far.
    pub(super) fn new(live: Arc<LiveSession>, client: C, partner: P, terms: Option<Box<Terms>>) -> Self {
        Self {
            live,
            share: partner.owner().share(),
            client,
            partner,
            has_given_up: false,
            has_ignored: false,
            departure: None,
            partner_watch: None,
            client_watch: None,
            terms,
        }
    }

    /// Carries messages both ways. Ready with the reason once either side is over and its messages have been carried.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        if self.partner.owner().is_asked(cx) {
            return Poll::Ready(End::Partner(Verdict::Overload));
        }
        let polled = self.poll_sides(cx);
        let ((client, client_shared), (partner, partner_shared)) = (self.client.held(), self.partner.held());
        let rationed = self.inflow().map_or(0, Inflow::held);
        self.share.set(client + partner + rationed, client_shared + partner_shared);
        self.live.set_replay(self.client.replay_bytes());
        polled
    }

    fn poll_sides(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        for poll_side in [Self::poll_output, Self::poll_input, Self::poll_clock] {
            if let Poll::Ready(end) = poll_side(self, cx) {
                return Poll::Ready(end);
            }
        }
        self.partner.tidy();
        Poll::Pending
    }

    /// Carries messages from the partner to the client.
    fn poll_output(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        for _ in 0..READS_PER_TURN {
            let said = if self.client.poll_flush(cx).is_pending() {
                self.client_watch.get_or_insert_with(StallWatch::new);
                ready!(self.partner.poll_blocked(cx, &mut self.client))
            } else {
                end_wait(&mut self.client_watch, &self.live.client_wait);
                ready!(self.partner.poll_read(cx, &mut self.client))
            };
            let (Delivery::Messages(taken) | Delivery::FullRead(taken) | Delivery::Ended(taken, _)) = said;
            self.live.output.add(taken);
            match said {
                Delivery::Messages(_) => {}
                Delivery::FullRead(_) => break,
                Delivery::Ended(_, verdict) => {
                    return Poll::Ready(self.departure.take().map_or(End::Partner(verdict), End::Client));
                }
            }
        }
        let _ = self.client.poll_flush(cx);
        turn::yield_turn(cx)
    }

    /// Carries messages from the client to the partner.
    fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        for _ in 0..READS_PER_TURN {
            if self.partner.poll_flush(cx).is_pending() {
                self.partner_watch.get_or_insert_with(StallWatch::new);
                if self.departure.is_none() {
                    let _ = self.client.poll_ahead(cx);
                }
                return Poll::Pending;
            }
            end_wait(&mut self.partner_watch, &self.live.partner_wait);
            if self.terms.is_some() {
                match self.poll_rationed(cx) {
                    Poll::Ready(false) => {}
                    // The partner must take them before the session goes on.
                    Poll::Ready(true) => continue,
                    Poll::Pending => {
                        let _ = self.partner.poll_flush(cx);
                        return Poll::Pending;
                    }
                }
            }
            if let Some(departure) = self.departure.take() {
                return Poll::Ready(End::Client(departure));
            }
            let Self { client, partner, live, has_ignored, terms, .. } = self;
            let mut inflow = terms.as_mut().and_then(|terms| terms.inflow.as_mut());
            let (mut rejected, mut read) = (None, Traffic::default());
            let polled = client.poll_read(cx, &mut |kind, payload| {
                if rejected.is_none() && inflow.as_mut().is_none_or(|inflow| inflow.pass(kind, payload)) {
                    read.add(1, payload.len());
                    match partner.write(kind, payload) {
                        Ok(Heard::Message) => return true,
                        heard => rejected = hear(heard, has_ignored, live.facts.conn),
                    }
                }
                rejected.is_none()
            });
            live.input.add(read);
            if let Some(inflow) = &mut inflow {
                inflow.count(client.take_control_bytes(), 0);
            }
            let departure = ready!(polled);
            if let Some(departure) = rejected.or(departure) {
                self.depart(departure, cx);
            }
        }
        let _ = self.partner.poll_flush(cx);
        turn::yield_turn(cx)
    }

    /// Hands the messages to the partner that a read brought beyond the rate of the client. Ready when the session may read the
    /// client, or end; with whether there were such messages.
    ///
    /// When the client has closed or has left, its last messages pass at once: they are those of one read.
    fn poll_rationed(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let Self { partner, live, has_ignored, terms, departure, .. } = self;
        let Some(inflow) = terms.as_mut().and_then(|terms| terms.inflow.as_mut()) else { return Poll::Ready(false) };
        let (mut rejected, mut has_waited) = (None, false);
        loop {
            if departure.is_none() {
                ready!(inflow.poll_open(cx));
            }
            let has_more = inflow.pop(|kind, payload| {
                live.input.add(Traffic { messages: 1, bytes: payload.len() as u64 });
                rejected = hear(partner.write(kind, payload), has_ignored, live.facts.conn);
            });
            if let Some(rejected) = rejected {
                inflow.forget();
                self.depart(rejected, cx);
                return Poll::Ready(true);
            }
            if !has_more {
                return Poll::Ready(has_waited);
            }
            has_waited = true;
        }
    }

    /// Counts the waits that go on, since the session ends.
    pub(super) fn end_waits(&mut self) {
        end_wait(&mut self.client_watch, &self.live.client_wait);
        end_wait(&mut self.partner_watch, &self.live.partner_wait);
    }

    /// Notes why the client will send nothing more, and answers it at once if the partner does not mind.
    fn depart(&mut self, departure: Departure, cx: &mut Context<'_>) {
        if self.partner.answers_close_at_once() {
            let (_, close) = End::Client(departure.clone()).report(None);
            self.client.send_close(cx, close.as_ref());
        }
        self.departure = Some(departure);
    }

    fn inflow(&self) -> Option<&Inflow> {
        self.terms.as_ref()?.inflow.as_ref()
    }

    fn poll_clock(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        if let Some(terms) = &mut self.terms
            && let Poll::Ready(deadline) =
                terms.poll(cx, self.live.input.sum().messages + self.live.output.sum().messages)
        {
            return Poll::Ready(End::Deadline(deadline.close, deadline.word));
        }
        let is_read = self.partner_watch.is_none() && !self.inflow().is_some_and(Inflow::is_shut);
        if self.client.poll_upkeep(cx, is_read).is_ready() {
            return Poll::Ready(End::Silent);
        }
        while let Some(watch) = &mut self.partner_watch
            && watch.poll_look(cx).is_ready()
        {
            let departure = self.departure.clone().or_else(|| self.client.poll_ahead(cx));
            let is_over = departure.is_some() || self.client.probe(cx);
            let is_closed = matches!(departure, Some(Departure::Closed(..)));
            let limit = if is_closed { CLOSED_STALL_MAX } else { GONE_STALL_MAX };
            if watch.stalled(self.partner.progress(), is_over) >= limit {
                return Poll::Ready(End::Client(departure.unwrap_or(Departure::Left)));
            }
        }
        while let Some(watch) = &mut self.client_watch
            && watch.poll_look(cx).is_ready()
        {
            let stalled = watch.stalled(self.client.progress(), !self.client.is_away());
            if let Some((limit, verdict)) = self.partner.patience()
                && stalled >= limit
            {
                self.has_given_up = verdict != Verdict::Slow;
                return Poll::Ready(End::Partner(verdict));
            }
        }
        Poll::Pending
    }
}

/// Ends a wait for a side, if there is one, and counts its time.
fn end_wait(watch: &mut Option<StallWatch>, waited: &Stopwatch) {
    if let Some(watch) = watch.take() {
        waited.add(watch.time());
    }
}

/// Notes how the partner took a message that is not an ordinary one. Returns the fault of a message that it cannot take; logs the
/// first one that it ignored.
#[cold]
fn hear(heard: Result<Heard, Rejected>, has_ignored: &mut bool, conn: u64) -> Option<Departure> {
    match heard {
        Ok(Heard::Message | Heard::Stream | Heard::Resize(_) | Heard::Pause | Heard::Resume) => None,
        Ok(Heard::Ignored(why)) => {
            if !mem::replace(has_ignored, true) {
                Event::MessageIgnored { conn, why }.emit();
            }
            None
        }
        Err(Rejected(why)) => Some(Departure::Fault(Fault::Invalid(why))),
    }
}
