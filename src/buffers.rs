//! The buffers of a thread. A session borrows them to read or to write, so an idle session needs none.

use std::{cell::RefCell, mem};

use crate::{limits::PIPE_BYTES, sys::FREED_BYTES_KEPT};

/// Bytes asked for by one read of a socket or a pipe, and so the most that wsd frames and writes at once.
///
/// 64 KiB, the default size of a pipe, and some more for the headers of a message of that size. A buffer 4 times as large
/// makes one flood a tenth faster, and delays other sessions more than 3 times as long. The buffers belong to the thread,
/// not to the session.
const READ_BYTES: usize = PIPE_BYTES + (1 << 10);

/// Bytes of the largest buffer to write from that a thread keeps: the memory of a giant message must not stay for ever.
const WRITE_BYTES_KEPT: usize = 2 * READ_BYTES;

/// Buffers to write from that a thread keeps: one for each direction of a session.
const WRITE_BUFFERS_KEPT: usize = 2;

thread_local! {
    static READ: RefCell<Vec<u8>> = RefCell::new(untouched());
    static WRITE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Returns a buffer to read into, which takes up memory only as far as it is used.
///
/// A block larger than the allocator keeps comes zeroed from the kernel; pages of it that nobody touches cost no memory.
fn untouched() -> Vec<u8> {
    let mut buffer = vec![0; FREED_BYTES_KEPT];
    buffer.truncate(READ_BYTES);
    buffer
}

/// Calls `work` with the thread's buffer to read into, [`READ_BYTES`] long. `work` must not call this function again.
pub(crate) fn with_read<T>(work: impl FnOnce(&mut [u8]) -> T) -> T {
    READ.with_borrow_mut(|buffer| work(buffer))
}

/// Takes an empty buffer to write from.
pub(crate) fn take() -> Vec<u8> {
    WRITE.with_borrow_mut(Vec::pop).unwrap_or_default()
}

/// Gives back a buffer, and leaves an empty one in its place that takes up no memory.
pub(crate) fn give_back(buffer: &mut Vec<u8>) {
    let mut buffer = mem::take(buffer);
    if buffer.capacity() == 0 || buffer.capacity() > WRITE_BYTES_KEPT {
        return;
    }
    WRITE.with_borrow_mut(|kept| {
        if kept.len() < WRITE_BUFFERS_KEPT {
            buffer.clear();
            kept.push(buffer);
        }
    });
}
