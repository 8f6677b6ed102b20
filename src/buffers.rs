//! The buffers of a thread, lent to whichever session has something to read: an idle session needs none.

use std::cell::RefCell;

use crate::limits::READ_BYTES;

/// Two buffers: one to read into, one to collect what is to be written.
#[derive(Debug)]
pub(crate) struct Buffers {
    /// Always [`READ_BYTES`] long.
    pub(crate) read: Box<[u8]>,
    /// Empty when lent.
    pub(crate) write: Vec<u8>,
}

thread_local! {
    static BUFFERS: RefCell<Buffers> =
        RefCell::new(Buffers { read: vec![0; READ_BYTES].into_boxed_slice(), write: Vec::new() });
}

/// Lends the thread's buffers to `work`, which must not ask for them again.
pub(crate) fn with<T>(work: impl FnOnce(&mut Buffers) -> T) -> T {
    BUFFERS.with_borrow_mut(|buffers| {
        buffers.write.clear();
        // One giant message must not stay for ever.
        buffers.write.shrink_to(4 * READ_BYTES);
        work(buffers)
    })
}
