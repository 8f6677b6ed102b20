//! The buffers of a thread. A session borrows them to read or to write, so an idle session needs none.

use std::{cell::RefCell, hint, mem};

use crate::limits::READ_BYTES;

/// Half of the freed memory that a thread's allocator keeps for the next message: a session that carries one of the largest
/// messages both ways holds more than 4 MiB, since vectors grow by doubling.
const FREED_BYTES_KEPT: usize = 4 << 20;

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
    let mut buffer = vec![0; 2 * FREED_BYTES_KEPT];
    buffer.truncate(READ_BYTES);
    buffer
}

/// Makes the allocator keep freed memory for the next message, up to twice [`FREED_BYTES_KEPT`] a thread.
///
/// glibc gives freed memory at the end of a heap back to the kernel, and takes it again, page by page, for the next large
/// message: a third of the time of an echo of 1 MiB. The amount that it keeps follows the largest block that was ever freed
/// (mallopt(3), `M_MMAP_THRESHOLD`). wsd never touches that block, so it costs no memory. Other allocators ignore it.
pub(crate) fn keep_freed_memory() {
    drop(hint::black_box(Vec::<u8>::with_capacity(FREED_BYTES_KEPT)));
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
