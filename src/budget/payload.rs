//! Counts bytes that several owners share once, until the last owner drops them.

use bytes::Bytes;

use super::Budget;

/// Bytes that a shared payload costs beside its own: its vector, its counts and the allocator's rounding.
pub(super) const PAYLOAD_BYTES: usize = 128;

/// Bytes that count against a budget until this is dropped.
#[derive(Debug)]
pub(crate) struct Counted {
    bytes: usize,
    budget: Budget,
}

impl Budget {
    /// Counts the `size` bytes of a shared payload, until its last owner drops the result.
    pub(crate) fn hold(&self, size: usize) -> Counted {
        let bytes = size + PAYLOAD_BYTES;
        self.change(0, bytes);
        Counted { bytes, budget: self.clone() }
    }

    /// Makes `payload` shareable, and counts it until the last owner drops it.
    pub(crate) fn bytes(&self, payload: Vec<u8>) -> Bytes {
        let size = payload.capacity();
        self.count(payload, size)
    }

    /// Counts `payload`, which takes up `size` bytes, until the last owner drops it.
    pub(crate) fn count(&self, payload: impl AsRef<[u8]> + Send + 'static, size: usize) -> Bytes {
        struct Payload<T> {
            payload: T,
            _counted: Counted,
        }

        impl<T: AsRef<[u8]>> AsRef<[u8]> for Payload<T> {
            fn as_ref(&self) -> &[u8] {
                self.payload.as_ref()
            }
        }

        Bytes::from_owner(Payload { payload, _counted: self.hold(size) })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.budget.change(self.bytes, 0);
    }
}
