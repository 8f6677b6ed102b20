//! The place through which events go from a session to the answer that carries them.

use std::{
    future::poll_fn,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

/// Bytes of events that may wait for the answer without stopping the session: it need not be woken for each message.
const WAITING_BYTES: usize = 16 << 10;

/// Events on their way.
#[derive(Debug, Default)]
pub(super) struct Outlet(Mutex<OutletState>);

#[derive(Debug, Default)]
struct OutletState {
    /// Whole events that the answer has not taken.
    events: Vec<u8>,
    /// Whether the session sends nothing more.
    is_ended: bool,
    /// Whether the client has left.
    is_gone: bool,
    /// Whether the session waits for the answer to take events.
    is_awaited: bool,
    /// How often the answer has taken events.
    taken: u64,
    session: Option<Waker>,
    answer: Option<Waker>,
}

/// The answer's half of an event stream. Dropping it means that the client has left.
#[derive(Debug)]
pub(crate) struct Events(Arc<Outlet>);

impl Outlet {
    fn lock(&self) -> MutexGuard<'_, OutletState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over all of `events`. Ready unless many bytes wait for the answer. It drops them if the client has left.
    pub(super) fn poll_put(&self, cx: &mut Context<'_>, events: &mut Vec<u8>, is_ended: bool) -> Poll<()> {
        let mut state = self.lock();
        if state.is_gone {
            *events = Vec::new();
            return Poll::Ready(());
        }
        let has_news = !events.is_empty() || is_ended && !state.is_ended;
        if state.events.is_empty() {
            state.events = mem::take(events);
        } else {
            state.events.append(events);
            *events = Vec::new();
        }
        state.is_ended |= is_ended;
        let answer = if has_news { state.answer.take() } else { None };
        let polled = if state.events.len() < WAITING_BYTES { Poll::Ready(()) } else { state.wait(cx) };
        drop(state);
        answer.into_iter().for_each(Waker::wake);
        polled
    }

    /// Ready once the answer has taken all, or the client has left.
    pub(super) fn poll_empty(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.is_gone || state.events.is_empty() { Poll::Ready(()) } else { state.wait(cx) }
    }

    /// Ready once the client has left.
    pub(super) fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.is_gone {
            return Poll::Ready(());
        }
        register(&mut state.session, cx);
        Poll::Pending
    }

    pub(super) fn is_gone(&self) -> bool {
        self.lock().is_gone
    }

    pub(super) fn taken(&self) -> u64 {
        self.lock().taken
    }

    pub(super) fn held(&self) -> usize {
        self.lock().events.capacity()
    }

    pub(super) fn discard(&self) {
        self.lock().events = Vec::new();
    }

    /// Ends the answer, after the events that are here.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        state.is_ended = true;
        let answer = state.answer.take();
        drop(state);
        answer.into_iter().for_each(Waker::wake);
    }
}

impl OutletState {
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.is_awaited = true;
        register(&mut self.session, cx);
        Poll::Pending
    }
}

impl Events {
    pub(super) fn new(outlet: Arc<Outlet>) -> Self {
        Self(outlet)
    }

    /// Takes the events that are there. Ready with `None` at the end.
    pub(crate) fn poll_take(&mut self, cx: &mut Context<'_>) -> Poll<Option<Vec<u8>>> {
        let mut state = self.0.lock();
        if state.events.is_empty() {
            if state.is_ended {
                return Poll::Ready(None);
            }
            register(&mut state.answer, cx);
            return Poll::Pending;
        }
        let events = mem::take(&mut state.events);
        state.taken += 1;
        let session = if mem::take(&mut state.is_awaited) { state.session.take() } else { None };
        drop(state);
        session.into_iter().for_each(Waker::wake);
        Poll::Ready(Some(events))
    }

    /// Waits for the first events. Returns whether there are any.
    pub(crate) async fn begun(&self) -> bool {
        poll_fn(|cx| {
            let mut state = self.0.lock();
            if state.events.is_empty() && !state.is_ended {
                register(&mut state.answer, cx);
                return Poll::Pending;
            }
            Poll::Ready(!state.events.is_empty())
        })
        .await
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        (state.is_gone, state.events) = (true, Vec::new());
        let session = state.session.take();
        drop(state);
        session.into_iter().for_each(Waker::wake);
    }
}

fn register(place: &mut Option<Waker>, cx: &Context<'_>) {
    match place {
        Some(waker) if waker.will_wake(cx.waker()) => {}
        _ => *place = Some(cx.waker().clone()),
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use futures_util::task::noop_waker_ref;

    use super::*;

    #[test]
    fn the_session_waits_until_the_answer_has_taken_what_is_much() {
        let cx = &mut Context::from_waker(noop_waker_ref());
        let outlet = Arc::<Outlet>::default();
        let mut events = Events::new(Arc::clone(&outlet));

        assert_eq!(outlet.poll_put(cx, &mut vec![b'a'; WAITING_BYTES - 1], false), Poll::Ready(()));
        assert_eq!(outlet.poll_put(cx, &mut b"b".to_vec(), false), Poll::Pending);
        assert_eq!(outlet.poll_empty(cx), Poll::Pending);
        let taken = events.poll_take(cx).map(|events| events.map(|events| events.len()));

        assert_eq!(taken, Poll::Ready(Some(WAITING_BYTES)));
        assert_eq!(outlet.poll_put(cx, &mut Vec::new(), false), Poll::Ready(()));
        assert_eq!((outlet.poll_empty(cx), outlet.held()), (Poll::Ready(()), 0));
        assert_eq!(events.poll_take(cx), Poll::Pending);
    }

    #[test]
    fn an_end_comes_after_the_events_and_a_client_that_left_gets_none() {
        let cx = &mut Context::from_waker(noop_waker_ref());
        let outlet = Arc::<Outlet>::default();
        let mut events = Events::new(Arc::clone(&outlet));
        assert_eq!(outlet.poll_put(cx, &mut b"a".to_vec(), true), Poll::Ready(()));
        assert_eq!(events.poll_take(cx), Poll::Ready(Some(b"a".to_vec())));
        assert_eq!(events.poll_take(cx), Poll::Ready(None));
        assert_eq!(outlet.poll_gone(cx), Poll::Pending);

        drop(events);

        assert_eq!(outlet.poll_gone(cx), Poll::Ready(()));
        assert_eq!(outlet.poll_put(cx, &mut vec![0; 2 * WAITING_BYTES], false), Poll::Ready(()));
        assert_eq!(outlet.held(), 0);
    }
}
