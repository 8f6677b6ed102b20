//! A session in a room: what is on its seat to the client, what the client says to the worker.

use std::{
    collections::VecDeque,
    future::poll_fn,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use tokio::time::{Instant, Interval};
use tracing::info;

use super::{
    Options,
    bridge::Counts,
    end::End,
    farewell::{Client, Farewell},
    lost::Lost,
    patrol::{Patrol, ticks},
    stall::Stall,
};
use crate::{
    budget::Share,
    buffers::{self, Buffers},
    limits::{READ_BYTES_WHEN_FULL, READS_PER_TURN},
    peer::Connection,
    room::{
        Member,
        inbox::Spoken,
        seat::{ITEMS_KEPT, Parting},
    },
    shutdown::Shutdown,
    socket::{
        Read, Socket,
        close::Close,
        keepalive::{Keepalive, Tick},
        reader::Event,
        writer,
    },
    turn,
    worker::status::Status,
};

/// Runs the session of a room's member to its end.
pub(crate) async fn run(
    connection: Connection,
    path: String,
    socket: Socket,
    member: Member,
    options: &Options,
    shutdown: Shutdown,
) {
    let (conn, began) = (connection.id, Instant::now());
    info!(conn, peer = %connection.peer, path, "session started");
    let mut seated = Seated::new(socket, member, options);
    let poll = |cx: &mut Context<'_>| {
        seated.lost.log_now_and_then(conn, &seated.member);
        seated.poll(cx)
    };
    let end = tokio::select! {
        end = poll_fn(poll) => end,
        () = shutdown.begun() => End::Shutdown,
    };
    Box::pin(async move {
        let Seated { socket, member, counts, sending, sent, close_reason, parting, mut lost, share, .. } = seated;
        let rest = member.seat.take_rest();
        let (close, status) = match parting {
            Some(Parting::Exit(status)) => (end.close(Some(status)), Some(status)),
            Some(Parting::Dismissed(code, reason)) => (Some(Close::new(code, reason)), None),
            Some(Parting::Slow) | None => (end.close(None), None),
        };
        let code = close.as_ref().map_or(Close::ABNORMAL, |close| close.code.unwrap_or(Close::NO_STATUS));
        lost.log(conn, &member);
        let mut farewell = Farewell::new(connection, socket, Client::after(end), member.owner.clone());
        farewell.counts = counts;
        farewell.queue_rest(sending, sent, rest, matches!(end, End::Slow | End::Overload));
        drop(share);
        tokio::select! {
            biased;
            () = member.leave(code, close_reason.as_deref().unwrap_or_default()) => {}
            never = poll_fn(|cx| farewell.poll_meanwhile(cx)) => match never {},
        }
        let secs = format!("{:.1}", began.elapsed().as_secs_f64());
        let Counts { input, output } = farewell.counts;
        let status = status.map(Status::shell);
        info!(conn, end = end.word(), status, code, secs, "in" = input, out = output, "session ended");
        farewell.tell(close).await;
        farewell.take_leave(&shutdown).await;
    })
    .await;
}

/// A client and its place in a room.
#[derive(Debug)]
struct Seated {
    socket: Socket,
    member: Member,
    counts: Counts,
    /// Frames on their way to the client; the first `sent` bytes of the first have gone.
    sending: VecDeque<Bytes>,
    sent: usize,
    /// The client cannot be written to any more.
    is_mute: bool,
    /// What the client said and the room had no room for.
    said: Spoken,
    /// The payload of the last Ping that came while frames waited.
    late_pong: Option<Vec<u8>>,
    /// The client's side is over, for this reason.
    leaving: Option<End>,
    /// What the client gave for a reason.
    close_reason: Option<String>,
    /// The room's side is over, for this reason.
    parting: Option<Parting>,
    lost: Lost,
    keepalive: Keepalive,
    pings: Option<Interval>,
    /// Looks after a client that cannot be read.
    patrol: Option<Patrol>,
    /// Runs while the client takes nothing of what waits for it, where its room waits for it.
    stall: Option<Stall>,
    share: Share,
}

impl Seated {
    fn new(socket: Socket, member: Member, options: &Options) -> Self {
        Self {
            stall: member.slow_wait().map(Stall::new),
            share: member.owner.share(),
            socket,
            member,
            counts: Counts::default(),
            sending: VecDeque::new(),
            sent: 0,
            is_mute: false,
            said: Spoken::default(),
            late_pong: None,
            leaving: None,
            close_reason: None,
            parting: None,
            lost: Lost::default(),
            keepalive: Keepalive::default(),
            pings: options.ping_interval.map(ticks),
            patrol: None,
        }
    }

    /// Ready with the reason once either side is over.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        if self.member.owner.is_asked(cx) {
            return Poll::Ready(End::Overload);
        }
        let polled = self.poll_all(cx);
        if self.sending.is_empty() && self.sending.capacity() > ITEMS_KEPT {
            self.sending = VecDeque::new();
        }
        let on_the_way: usize = self.sending.iter().map(Bytes::len).sum();
        let own = self.socket.held() + self.said.held() + self.sending.capacity() * size_of::<Bytes>();
        self.share.set(own, on_the_way + self.member.posted());
        polled
    }

    fn poll_all(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        if let Poll::Ready(end) = self.poll_output(cx) {
            return Poll::Ready(end);
        }
        if let Poll::Ready(end) = self.poll_input(cx) {
            return Poll::Ready(end);
        }
        self.poll_clock(cx)
    }

    /// Seat to client. Once the session is to end, the rest is sent by the farewell, which has a limit of time.
    fn poll_output(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        for _ in 0..READS_PER_TURN {
            if let Some(parting) = self.member.seat.parting() {
                return self.part(parting);
            }
            if self.is_mute {
                self.sending.clear();
            } else {
                // Also when nothing is on its way: TLS may still hold some of the last frames itself.
                ready!(self.poll_send(cx));
            }
            match ready!(self.member.seat.poll_take(cx, &mut self.sending)) {
                Ok(messages) => self.counts.output += messages,
                Err(parting) => return self.part(parting),
            }
        }
        turn::over(cx)
    }

    /// The room's side is over; the client's may have been before, and its last words found no room.
    fn part(&mut self, parting: Parting) -> Poll<End> {
        let end = if parting == Parting::Slow { End::Slow } else { End::Exit };
        self.parting = Some(parting);
        Poll::Ready(self.leaving.unwrap_or(end))
    }

    /// Sends what is on its way; ready when nothing is.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let before = (self.socket.unsent().len(), self.sending.len(), self.sent);
        let sent = self.poll_send_on(cx);
        if before != (self.socket.unsent().len(), self.sending.len(), self.sent) {
            // A client that takes what is sent lives, though no Ping can be sent in between.
            self.keepalive.hear();
            self.stall.as_mut().map(Stall::stop);
        }
        if let Some(stall) = &mut self.stall
            && sent.is_pending()
        {
            stall.start();
        }
        sent
    }

    fn poll_send_on(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.socket.send_on(cx).is_err() {
            return self.go_mute();
        }
        if !self.socket.unsent().is_empty() {
            self.member.seat.block(cx);
            return Poll::Pending;
        }
        match self.socket.poll_send_shared(cx, &mut self.sending, &mut self.sent) {
            Poll::Ready(Ok(())) => {
                if let Some(payload) = self.late_pong.take() {
                    let mut frame = Vec::new();
                    writer::pong(&payload, &mut frame);
                    let _ = self.socket.send(cx, &frame);
                }
                Poll::Ready(())
            }
            Poll::Ready(Err(_)) => self.go_mute(),
            Poll::Pending => {
                self.member.seat.block(cx);
                Poll::Pending
            }
        }
    }

    /// The client cannot be written to any more; the read side tells what there is to say of it.
    fn go_mute(&mut self) -> Poll<()> {
        self.is_mute = true;
        self.sending.clear();
        self.sent = 0;
        self.socket.unsent().clear();
        Poll::Ready(())
    }

    /// Client to room.
    fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        for _ in 0..READS_PER_TURN {
            if !self.said.is_empty() && self.member.poll_post(cx, &mut self.said).is_pending() {
                self.patrol.get_or_insert_with(Patrol::new);
                return Poll::Pending;
            }
            self.patrol = None;
            if let Some(end) = self.leaving {
                return Poll::Ready(end);
            }
            ready!(buffers::with(|buffers| self.poll_input_once(cx, buffers)));
        }
        turn::over(cx)
    }

    fn poll_input_once(&mut self, cx: &mut Context<'_>, buffers: &mut Buffers) -> Poll<()> {
        let is_busy = self.is_mute || !self.sending.is_empty() || !self.socket.unsent().is_empty();
        let (mut replies, mut closed) = (Vec::new(), None);
        let mut on = |event: Event<'_>| match event {
            Event::Message(kind, payload) => {
                self.counts.input += 1;
                self.said.add(kind, payload);
            }
            Event::Ping(payload) if is_busy => self.late_pong = Some(payload.to_vec()),
            Event::Ping(payload) => writer::pong(payload, &mut replies),
            Event::Pong => {}
            Event::Close(code, reason) => closed = Some((code, reason.to_owned())),
        };
        let is_full = self.member.owner.budget().is_full();
        let portion = if is_full { READ_BYTES_WHEN_FULL } else { buffers.read.len() };
        let read = ready!(self.socket.poll_read(cx, &mut buffers.read[..portion], &mut on));
        self.keepalive.hear();
        if !self.is_mute {
            let _ = self.socket.send(cx, &replies);
        }
        self.leaving = match (closed, read) {
            (Some((code, reason)), _) => {
                self.close_reason = Some(reason);
                Some(End::Closed(code))
            }
            (None, Read::Fault(fault)) => Some(End::Fault(fault)),
            (None, Read::End) => Some(End::Left),
            (None, Read::Some) => None,
        };
        Poll::Ready(())
    }

    fn poll_clock(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        while let Some(Poll::Ready(())) = self.stall.as_mut().map(|stall| stall.poll(cx)) {
            if self.member.seat.is_waited_for() {
                return self.part(Parting::Slow);
            }
        }
        while let Some(Poll::Ready(_)) = self.pings.as_mut().map(|pings| pings.poll_tick(cx)) {
            if !self.said.is_empty() {
                // Nothing is read of the client, so nothing can be heard.
                self.keepalive.hear();
            }
            match self.keepalive.tick() {
                Tick::Gone => return Poll::Ready(End::Silent),
                Tick::Ping if self.is_mute || !self.sending.is_empty() => {}
                Tick::Ping => {
                    let mut frame = Vec::new();
                    writer::ping(&mut frame);
                    let _ = self.socket.send(cx, &frame);
                }
            }
        }
        while let Some(patrol) = &mut self.patrol {
            ready!(patrol.poll_next(cx));
            let end = self.leaving.or_else(|| self.socket.is_gone().then_some(End::Left));
            if patrol.finds_stall(self.member.progress(), end) {
                return Poll::Ready(end.unwrap_or(End::Left));
            }
            if end.is_none() && !self.is_mute && self.sending.is_empty() && self.socket.unsent().is_empty() {
                // See `Bridge`: the kernel of a client that left answers with a reset.
                let mut frame = Vec::new();
                writer::probe(&mut frame);
                let _ = self.socket.send(cx, &frame);
            }
        }
        Poll::Pending
    }
}
