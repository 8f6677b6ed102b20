//! The requests that a program has not answered. Pure.
//!
//! The program sees numbers of wsd's own as ids and progress tokens: so clients may use equal ones, and each gets its own back,
//! byte for byte. One number stands for both.

use std::collections::{HashMap, VecDeque};

use super::message::{Form, MessageParts, TextPlace, splice};
use crate::limits::mcp::MCP_TASKS_MAX;

/// A request in flight, and the owner's facts about it.
#[derive(Debug)]
pub(super) struct PendingCall<T> {
    /// The client's id, as JSON.
    pub(super) id: Box<[u8]>,
    /// The client's progress token, as JSON.
    token: Option<Box<[u8]>>,
    /// The facts.
    pub(super) facts: T,
}

/// The requests in flight, by number.
#[derive(Debug)]
pub(super) struct Calls<T> {
    last: u64,
    known: HashMap<u64, PendingCall<T>>,
    /// The progress tokens of the latest requests that have become tasks, by number.
    tasks: VecDeque<(u64, Box<[u8]>)>,
}

impl<T> Default for Calls<T> {
    fn default() -> Self {
        Self { last: 0, known: HashMap::new(), tasks: VecDeque::new() }
    }
}

impl<T> Calls<T> {
    /// Notes a request. Returns its line for the program.
    pub(super) fn begin(&mut self, text: &[u8], parts: &MessageParts, facts: T) -> Vec<u8> {
        self.last += 1;
        let number = self.last.to_string();
        let places = parts.id.iter().chain(&parts.asked_progress);
        let mut line = splice(text, places.map(|place| (place.clone(), number.as_bytes())).collect());
        line.push(b'\n');
        let id = parts.id_text(text).unwrap_or_default().into();
        let token = parts.asked_progress.clone().map(|place| text[place].into());
        self.known.insert(self.last, PendingCall { id, token, facts });
        line
    }

    /// Returns the number of the next request.
    pub(super) fn next(&self) -> u64 {
        self.last + 1
    }

    /// Returns the next number, for a request of wsd's own.
    pub(super) fn reserve(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Removes a request.
    pub(super) fn end(&mut self, number: u64) -> Option<PendingCall<T>> {
        self.known.remove(&number)
    }

    /// Keeps the progress token of a request that has become a task, which goes on after its answer.
    pub(super) fn note_task(&mut self, number: u64, call: &PendingCall<T>) {
        if let Some(token) = &call.token {
            self.tasks.truncate(MCP_TASKS_MAX - 1);
            self.tasks.push_front((number, token.clone()));
        }
    }

    /// Returns a notification about the progress of a task with the client's token.
    pub(super) fn task_progress(&self, number: u64, text: &[u8], parts: &MessageParts) -> Option<Vec<u8>> {
        let (_, token) = self.tasks.iter().find(|(task, _)| *task == number)?;
        Some(splice(text, vec![(parts.told_progress.clone()?, token)]))
    }

    /// Removes all requests.
    pub(super) fn end_all(&mut self) -> Vec<PendingCall<T>> {
        self.tasks.clear();
        self.known.drain().map(|(_, call)| call).collect()
    }

    /// Gives memory back.
    pub(super) fn shrink(&mut self) {
        self.known.shrink_to_fit();
    }

    /// Returns a request.
    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut PendingCall<T>> {
        self.known.get_mut(&number)
    }

    /// Lists all requests.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &PendingCall<T>)> {
        self.known.iter().map(|(number, call)| (*number, call))
    }

    /// Returns the number of the latest fit request with this id, which is a client's.
    pub(super) fn find(&self, id: &[u8], is_fit: impl Fn(&T) -> bool) -> Option<u64> {
        let fit = self.iter().filter(|(_, call)| *call.id == *id && is_fit(&call.facts));
        fit.map(|(number, _)| number).max()
    }

    /// Returns the number of requests.
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }
}

impl<T> PendingCall<T> {
    /// Returns the program's answer with the client's id.
    pub(super) fn answer(&self, text: &[u8], parts: &MessageParts) -> Vec<u8> {
        let id = parts.id.iter().map(|place| (place.clone(), &*self.id));
        // A subscription has the id of its request.
        let subscription = parts.subscription.iter().map(|place| (place.clone(), &*self.id));
        splice(text, id.chain(subscription).collect())
    }

    /// Returns a notification about progress with the client's token; `None` if the client asked for none.
    pub(super) fn progress(&self, text: &[u8], parts: &MessageParts) -> Option<Vec<u8>> {
        let (place, token) = (parts.told_progress.clone()?, self.token.as_deref()?);
        Some(splice(text, vec![(place, token)]))
    }

    /// Returns a notification of a subscription with the client's id.
    pub(super) fn of_subscription(&self, text: &[u8], parts: &MessageParts) -> Vec<u8> {
        splice(text, parts.subscription.iter().map(|place| (place.clone(), &*self.id)).collect())
    }
}

/// Returns the number that a program says, as a number or in a string.
pub(super) fn number(text: &[u8], place: Option<&TextPlace>) -> Option<u64> {
    let said = str::from_utf8(text.get(place?.clone())?).ok()?;
    said.trim_matches('"').parse().ok()
}

/// Whether a message tells of the progress of a request.
pub(super) fn is_progress(parts: &MessageParts) -> bool {
    parts.form == Form::Notification && parts.method == "notifications/progress"
}
