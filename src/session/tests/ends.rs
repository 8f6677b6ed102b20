//! A scripted client and a scripted partner: they send what a test sets, and record what they get.

use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, Waker},
    time::Duration,
};

use crate::{
    budget::{Budget, Owner, OwnerKind},
    client::{Client, Departure},
    close::Close,
    framing::{Heard, Rejected},
    message::{Batch, Kind, Piece},
    metrics::live::Traffic,
    partner::{Delivery, Partner, Verdict},
    shutdown::Shutdown,
    status::Status,
};

/// The test's handle on one side of a session. Clones share one side.
#[derive(Clone, Debug)]
pub(super) struct ScriptedEnd<T>(Arc<Mutex<ScriptedState<T>>>);

impl<T> Default for ScriptedEnd<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

#[derive(Debug)]
struct ScriptedState<T> {
    /// The lines that it sends next.
    says: VecDeque<ScriptedLine<T>>,
    /// The texts that it has taken.
    taken: Vec<String>,
    /// The texts that wait for it to take them.
    waiting: Vec<String>,
    takes_nothing: bool,
    is_gone: bool,
    held: usize,
    patience: Option<(Duration, Verdict)>,
    wakers: Vec<Waker>,
    reads: usize,
}

/// A line of the script: a message, or the reason of the end.
#[derive(Clone, Debug)]
pub(super) enum ScriptedLine<T> {
    /// A message.
    Message(&'static str),
    /// A message and the end in one read.
    MessageAndEnd(&'static str, T),
    /// The end, with its reason.
    End(T),
}

impl<T> Default for ScriptedState<T> {
    fn default() -> Self {
        Self {
            says: VecDeque::new(),
            taken: Vec::new(),
            waiting: Vec::new(),
            takes_nothing: false,
            is_gone: false,
            held: 0,
            patience: None,
            wakers: Vec::new(),
            reads: 0,
        }
    }
}

impl<T: Clone> ScriptedEnd<T> {
    /// Adds a line to the script.
    pub(super) fn say(&self, line: ScriptedLine<T>) {
        self.change(|state| state.says.push_back(line));
    }

    /// Lets messages to this side wait.
    pub(super) fn take_nothing(&self) {
        self.change(|state| state.takes_nothing = true);
    }

    /// Takes the messages that wait, and further ones.
    pub(super) fn take_again(&self) {
        self.change(|state| state.takes_nothing = false);
    }

    /// Lets the next probe find the connection broken.
    pub(super) fn vanish(&self) {
        self.change(|state| state.is_gone = true);
    }

    /// Counts so many bytes as waiting here.
    pub(super) fn hold(&self, bytes: usize) {
        self.change(|state| state.held = bytes);
    }

    /// Sets how long the partner bears a client that takes nothing, and the verdict after that.
    pub(super) fn set_patience(&self, patience: Duration, verdict: Verdict) {
        self.change(|state| state.patience = Some((patience, verdict)));
    }

    /// Returns the texts that it has taken.
    pub(super) fn taken(&self) -> Vec<String> {
        self.state().taken.clone()
    }

    /// Returns how often the session has read a line of it.
    pub(super) fn reads(&self) -> usize {
        self.state().reads
    }

    fn state(&self) -> MutexGuard<'_, ScriptedState<T>> {
        self.0.lock().expect("no test panics with it")
    }

    fn change(&self, change: impl FnOnce(&mut ScriptedState<T>)) {
        let mut state = self.state();
        change(&mut state);
        state.wakers.drain(..).for_each(Waker::wake);
    }

    fn poll_say(&self, cx: &mut Context<'_>) -> Poll<ScriptedLine<T>> {
        let mut state = self.state();
        if let Some(line) = state.says.pop_front() {
            state.reads += 1;
            return Poll::Ready(line);
        }
        state.wakers.push(cx.waker().clone());
        Poll::Pending
    }

    fn tell(&self, text: String) {
        self.state().waiting.push(text);
    }

    fn poll_take(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if state.takes_nothing && !state.waiting.is_empty() {
            state.wakers.push(cx.waker().clone());
            return Poll::Pending;
        }
        let waiting = std::mem::take(&mut state.waiting);
        // Texts that leave in one piece become one text.
        state.taken.extend((!waiting.is_empty()).then(|| waiting.join("+")));
        Poll::Ready(())
    }
}

/// The client's side.
pub(super) type ScriptedClient = ScriptedEnd<Departure>;

impl Client for ScriptedClient {
    fn poll_read(&mut self, cx: &mut Context<'_>, on: &mut impl FnMut(Kind, &[u8]) -> bool) -> Poll<Option<Departure>> {
        self.poll_say(cx).map(|line| match line {
            ScriptedLine::Message(text) => {
                on(Kind::Text, text.as_bytes());
                None
            }
            ScriptedLine::MessageAndEnd(text, departure) => {
                on(Kind::Text, text.as_bytes());
                Some(departure)
            }
            ScriptedLine::End(departure) => Some(departure),
        })
    }

    fn append(&mut self, piece: Piece<'_>) {
        self.tell(String::from_utf8_lossy(piece.payload).into_owned());
    }

    fn append_batch(&mut self, batch: &Arc<Batch>) {
        batch.messages().for_each(|(_, payload)| self.tell(String::from_utf8_lossy(payload).into_owned()));
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_take(cx)
    }

    fn progress(&self) -> u64 {
        self.state().taken.len() as u64
    }

    fn poll_upkeep(&mut self, _: &mut Context<'_>, _: bool) -> Poll<()> {
        Poll::Pending
    }

    fn probe(&mut self, _: &mut Context<'_>) -> bool {
        self.state().is_gone
    }

    fn held(&self) -> (usize, usize) {
        (self.state().held, 0)
    }

    fn forget_messages(&mut self) {}

    fn begin_close(&mut self, is_reachable: bool) {
        if !is_reachable {
            self.change(|state| state.waiting.push("given up".to_owned()));
        }
    }

    fn send_close(&mut self, cx: &mut Context<'_>, close: Option<&Close>) {
        if let Some(close) = close {
            self.tell(format!("close {} {}", close.code.unwrap_or_default(), close.reason));
        }
        let _ = self.poll_take(cx);
    }

    fn poll_closing(&mut self, cx: &mut Context<'_>) -> Poll<Infallible> {
        let _ = self.poll_take(cx);
        Poll::Pending
    }

    fn discard(&mut self) {
        self.state().waiting.clear();
    }

    async fn finish(self, _: &Shutdown) {
        self.change(|state| state.taken.append(&mut state.waiting));
    }
}

/// The partner's side.
#[derive(Debug)]
pub(super) struct ScriptedPartner {
    end: ScriptedEnd<Verdict>,
    status: Option<Status>,
    owner: Owner,
}

impl ScriptedPartner {
    /// Returns a partner that the test controls by `end`.
    pub(super) fn new(end: &ScriptedEnd<Verdict>, status: Option<Status>, budget: &Budget) -> Self {
        Self { end: end.clone(), status, owner: Owner::new(budget, OwnerKind::Client) }
    }
}

impl Partner for ScriptedPartner {
    fn pid(&self) -> Option<i32> {
        None
    }

    fn owner(&self) -> &Owner {
        &self.owner
    }

    fn answers_close_at_once(&self) -> bool {
        false
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, client: &mut impl Client) -> Poll<Delivery> {
        let line = std::task::ready!(self.end.poll_say(cx));
        if let ScriptedLine::Message(text) | ScriptedLine::MessageAndEnd(text, _) = &line {
            client.append(Piece::whole(Kind::Text, text.as_bytes()));
        }
        Poll::Ready(match line {
            ScriptedLine::Message(_) => Delivery::Messages(super::ONE),
            ScriptedLine::MessageAndEnd(_, verdict) => Delivery::Ended(super::ONE, verdict),
            ScriptedLine::End(verdict) => Delivery::Ended(Traffic::default(), verdict),
        })
    }

    fn poll_blocked(&mut self, _: &mut Context<'_>, _: &mut impl Client) -> Poll<Delivery> {
        Poll::Pending
    }

    fn patience(&self) -> Option<(Duration, Verdict)> {
        self.end.state().patience.clone()
    }

    fn write(&mut self, _: Kind, payload: &[u8]) -> Result<Heard, Rejected> {
        self.end.tell(String::from_utf8_lossy(payload).into_owned());
        Ok(Heard::Message)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.end.poll_take(cx)
    }

    fn progress(&self) -> u64 {
        self.end.state().taken.len() as u64
    }

    fn held(&mut self) -> (usize, usize) {
        (0, 0)
    }

    fn tidy(&mut self) {}

    async fn end(&mut self, code: u16, reason: &str) -> Option<Status> {
        self.end.change(|state| state.taken.push(format!("end {code} {reason}")));
        self.status
    }
}
