//! The buffers of a thread, lent to whichever session has something to read: an idle session needs none.

use std::{cell::RefCell, hint};

use crate::limits::{FREED_BYTES_KEPT, READ_BYTES, SENT_HEADER_BYTES_MAX};

/// Two buffers: one to read into, one to collect what is to be written.
#[derive(Debug)]
pub(crate) struct Buffers {
    /// [`READ_BYTES`] long, and before them room for a header.
    pub(crate) read: Vec<u8>,
    /// Empty when lent.
    pub(crate) write: Vec<u8>,
}

thread_local! {
    static BUFFERS: RefCell<Buffers> = RefCell::new(Buffers { read: untouched(), write: Vec::new() });
}

/// A buffer to read into that takes up memory only as far as it is used.
///
/// A block larger than what the allocator keeps comes from the kernel, which has zeroed it; what nobody touches of it
/// costs nothing.
fn untouched() -> Vec<u8> {
    let mut buffer = vec![0; 2 * FREED_BYTES_KEPT];
    buffer.truncate(SENT_HEADER_BYTES_MAX + READ_BYTES);
    buffer
}

/// Has the allocator keep what is freed for the next message, up to twice [`FREED_BYTES_KEPT`] a thread.
///
/// glibc gives back to the kernel what is freed at the end of a heap, and takes it anew, page by page, for the next large
/// message: a third of the time of an echo of 1 MiB. How much it keeps follows the largest block that was ever freed
/// (mallopt(3), `M_MMAP_THRESHOLD`). The block is never touched, so it costs no memory; other allocators do not care.
pub(crate) fn keep_freed_memory() {
    drop(hint::black_box(Vec::<u8>::with_capacity(FREED_BYTES_KEPT)));
}

/// Lends the thread's buffers to `work`, which must not ask for them again.
pub(crate) fn with<T>(work: impl FnOnce(&mut Buffers) -> T) -> T {
    BUFFERS.with_borrow_mut(|buffers| {
        buffers.write.clear();
        // One giant message must not stay for ever.
        buffers.write.shrink_to(2 * READ_BYTES);
        work(buffers)
    })
}
