//! The loop of every session: the partner's messages to the client, the client's to the partner.
//!
//! It reads what is available from one side, hands it to the other, and has that send it. What the other side does not take
//! waits there, and until it has gone nothing more is read: a slow reader slows its writer, and memory stays flat.

use std::{
    task::{Context, Poll, ready},
    time::Duration,
};

use super::end::End;
use crate::{
    budget::Share,
    client::{Client, Departure, Heard},
    limits::READS_PER_TURN,
    partner::{Partner, Said, Verdict},
    stall::StallWatch,
    turn,
};

/// How often a side that takes nothing is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// For how long the partner may take nothing of what a vanished client left, before that is given up: a client gone is
/// noticed within a second.
const GONE_STALL_MAX: Duration = Duration::from_millis(490);

/// The same of what a client left that closed in good order.
const CLOSED_STALL_MAX: Duration = Duration::from_secs(5);

/// A client and its partner, while both have something to say.
#[derive(Debug)]
pub(super) struct Session<C, P> {
    pub(super) client: C,
    pub(super) partner: P,
    pub(super) counts: Counts,
    /// The bytes that wait on either side.
    pub(super) share: Share,
    /// The client took nothing for so long that it is not waited for any more.
    pub(super) has_given_up: bool,
    /// Why the client will say nothing more; the partner is still owed what it said before.
    departure: Option<Departure>,
    /// What waits is the last that the partner said: it may leave together with the close.
    holds_back: bool,
    /// Runs while the partner takes nothing, so that the client cannot be read.
    partner_watch: Option<StallWatch>,
    /// Runs while the client takes nothing, so that the partner cannot be read.
    client_watch: Option<StallWatch>,
}

/// Messages that a session has carried.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    /// From the client.
    pub(super) input: u64,
    /// To the client.
    pub(super) output: u64,
}

impl<C: Client, P: Partner> Session<C, P> {
    /// A session in which nothing was said yet.
    pub(super) fn new(client: C, partner: P) -> Self {
        Self {
            share: partner.owner().share(),
            client,
            partner,
            counts: Counts::default(),
            has_given_up: false,
            departure: None,
            holds_back: false,
            partner_watch: None,
            client_watch: None,
        }
    }

    /// Carries messages both ways. Ready with the reason once either side is over and all owed has been carried.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        if self.partner.owner().is_asked(cx) {
            return Poll::Ready(End::Overload);
        }
        let polled = self.poll_sides(cx);
        let ((client, client_shared), (partner, partner_shared)) = (self.client.held(), self.partner.held());
        self.share.set(client + partner, client_shared + partner_shared);
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

    /// Partner to client.
    fn poll_output(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        for _ in 0..READS_PER_TURN {
            let said = if !self.holds_back && self.client.poll_flush(cx).is_pending() {
                self.client_watch.get_or_insert_with(|| StallWatch::new(LOOK_INTERVAL));
                ready!(self.partner.poll_blocked(cx, &mut self.client))
            } else {
                self.client_watch = None;
                ready!(self.partner.poll_read(cx, &mut self.client))
            };
            let (Said::Some(messages) | Said::Much(messages) | Said::Last(messages) | Said::End(messages, _)) = said;
            self.counts.output += messages;
            match said {
                Said::Some(_) => {}
                Said::Much(_) => break,
                // A client that leaves gets at once what it still can.
                Said::Last(_) => self.holds_back = self.departure.is_none(),
                Said::End(_, verdict) => {
                    return Poll::Ready(self.departure.take().map_or(End::Partner(verdict), End::Client));
                }
            }
        }
        if !self.holds_back {
            let _ = self.client.poll_flush(cx);
        }
        turn::yield_turn(cx)
    }

    /// Client to partner.
    fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        for _ in 0..READS_PER_TURN {
            if self.partner.poll_flush(cx).is_pending() {
                self.partner_watch.get_or_insert_with(|| StallWatch::new(LOOK_INTERVAL));
                return Poll::Pending;
            }
            self.partner_watch = None;
            if let Some(departure) = self.departure.take() {
                return Poll::Ready(End::Client(departure));
            }
            let Self { client, partner, counts, .. } = self;
            let heard = ready!(client.poll_read(cx, &mut |kind, payload| {
                counts.input += 1;
                partner.write(kind, payload);
            }));
            if let Heard::End(departure) = heard {
                if partner.lets_go_at_once() {
                    client.send_close(cx, End::Client(departure.clone()).close(None));
                }
                self.departure = Some(departure);
            }
        }
        let _ = self.partner.poll_flush(cx);
        turn::yield_turn(cx)
    }

    fn poll_clock(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        if self.client.poll_upkeep(cx, self.partner_watch.is_none()).is_ready() {
            return Poll::Ready(End::Silent);
        }
        while let Some(watch) = &mut self.partner_watch
            && watch.poll_look(cx).is_ready()
        {
            let is_over = self.departure.is_some() || self.client.probe(cx);
            let is_closed = matches!(self.departure, Some(Departure::Closed(..)));
            let limit = if is_closed { CLOSED_STALL_MAX } else { GONE_STALL_MAX };
            if watch.stalled(self.partner.progress(), is_over) >= limit {
                return Poll::Ready(End::Client(self.departure.take().unwrap_or(Departure::Left)));
            }
        }
        while let Some(watch) = &mut self.client_watch
            && watch.poll_look(cx).is_ready()
        {
            let stalled = watch.stalled(self.client.progress(), true);
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
