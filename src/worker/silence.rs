//! Names programs that most likely hold their output back: they get messages and print nothing.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    num::NonZeroU64,
    path::PathBuf,
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use tokio::time::{Sleep, sleep};

use super::{program::Program, stdio::Stdio};
use crate::{event::Event, limits::SILENCE_MAX, peer::Connection};

/// The programs that wsd has started, by their [`key`]. `None` once a program was named.
static PROGRAMS: Mutex<BTreeMap<NonZeroU64, Option<PathBuf>>> = Mutex::new(BTreeMap::new());

/// Watches a program whose standard output is a pipe, from its start to its first output.
///
/// It has a timer from the first message to the first output only, so an idle session has none.
#[derive(Debug)]
pub(crate) struct Silence {
    key: NonZeroU64,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Silence {
    /// Returns a watch; `None` if standard output is no pipe, or if the program was named before.
    pub(super) fn watch(program: &Program) -> Option<Self> {
        if program.stdio != Stdio::Pipes {
            return None;
        }
        let key = key(program);
        let is_new = with_programs(|known| known.entry(key).or_insert_with(|| Some(program.path.clone())).is_some());
        is_new.then_some(Self { key, timer: None })
    }

    /// Notes that the program was sent a message.
    pub(super) fn expect_output(&mut self) {
        self.timer.get_or_insert_with(|| Box::pin(sleep(SILENCE_MAX)));
    }

    /// Ready when the program has printed nothing for [`SILENCE_MAX`] after a message. Logs a program the first time.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, connection: &Connection) -> Poll<()> {
        let Some(timer) = &mut self.timer else { return Poll::Pending };
        ready!(timer.as_mut().poll(cx));
        if let Some(path) = with_programs(|known| known.get_mut(&self.key).and_then(Option::take)) {
            let hint = "if it prints: it holds output to a pipe back; add --unbuffer, or see Nothing arrives in docs/programs.md";
            Event::WorkerSilent { conn: connection.id, program: &path.display(), hint }.emit();
        }
        Poll::Ready(())
    }
}

fn with_programs<T>(look: impl FnOnce(&mut BTreeMap<NonZeroU64, Option<PathBuf>>) -> T) -> T {
    look(&mut PROGRAMS.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Returns a number for the program and its arguments: one interpreter may run many programs.
fn key(program: &Program) -> NonZeroU64 {
    let mut hasher = DefaultHasher::new();
    (&program.path, &program.args).hash(&mut hasher);
    NonZeroU64::MIN | hasher.finish()
}
