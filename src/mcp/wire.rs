//! The lines on their way to a program, and the signals for the task that writes them.

use std::{
    mem,
    sync::{
        Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::Waker,
};

use futures_util::task::AtomicWaker;
use tokio::sync::{self, Notify};

use super::lock::lock;
use crate::limits::mcp::MCP_INPUT_MAX;

/// The input of a program, before its task has it.
#[derive(Debug, Default)]
pub(super) struct ProgramWire {
    input: Mutex<Vec<u8>>,
    waker: AtomicWaker,
    /// The bytes that its task has and the program has not taken.
    held: AtomicUsize,
    /// Held by the first message that waits for the program to take more.
    turn: sync::Mutex<()>,
    taken: Notify,
    /// The number of the connection that stands for the program in the log.
    conn: AtomicU64,
}

impl ProgramWire {
    /// Waits until a message of a client may come: first come, first served.
    pub(super) async fn room(&self) {
        let _turn = self.turn.lock().await;
        while self.held.load(Ordering::Relaxed) + lock(&self.input).len() > MCP_INPUT_MAX {
            self.taken.notified().await;
        }
    }

    /// Notes the bytes that the program has not taken.
    pub(super) fn note_held(&self, held: usize) {
        self.held.store(held, Ordering::Relaxed);
        self.taken.notify_one();
    }

    /// Appends lines to the input, each with its end.
    pub(super) fn write(&self, lines: &[u8]) {
        if !lines.is_empty() {
            lock(&self.input).extend_from_slice(lines);
            self.wake();
        }
    }

    /// Takes the input so far. The task is woken when there is more.
    pub(super) fn take(&self, waker: &Waker) -> Vec<u8> {
        self.waker.register(waker);
        mem::take(&mut *lock(&self.input))
    }

    /// Drops the input of a program that has ended.
    pub(super) fn clear(&self) {
        lock(&self.input).clear();
        self.note_held(0);
    }

    /// Lets the task look again.
    pub(super) fn wake(&self) {
        self.waker.wake();
    }

    /// Notes the program's number in the log.
    pub(super) fn set_conn(&self, conn: u64) {
        self.conn.store(conn, Ordering::Relaxed);
    }

    /// Returns the program's number in the log.
    pub(super) fn conn(&self) -> u64 {
        self.conn.load(Ordering::Relaxed)
    }
}
