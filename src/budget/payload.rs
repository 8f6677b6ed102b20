//! Counts bytes that several owners share once, until the last owner drops them.

use bytes::Bytes;

use super::Budget;

/// Bytes that a shared payload costs beside its own: its vector, its counts and the allocator's rounding.
pub(super) const PAYLOAD_BYTES: usize = 128;

impl Budget {
    /// Makes `payload` shareable, and counts it until the last owner drops it.
    pub(crate) fn bytes(&self, payload: Vec<u8>) -> Bytes {
        let size = payload.capacity();
        self.count(payload, size)
    }

    /// Counts `payload`, which takes up `size` bytes, until the last owner drops it.
    pub(crate) fn count(&self, payload: impl AsRef<[u8]> + Send + 'static, size: usize) -> Bytes {
        struct Counted<T> {
            payload: T,
            size: usize,
            budget: Budget,
        }

        impl<T: AsRef<[u8]>> AsRef<[u8]> for Counted<T> {
            fn as_ref(&self) -> &[u8] {
                self.payload.as_ref()
            }
        }

        impl<T> Drop for Counted<T> {
            fn drop(&mut self) {
                self.budget.change(self.size, 0);
            }
        }

        let size = size + PAYLOAD_BYTES;
        self.change(0, size);
        Bytes::from_owner(Counted { payload, size, budget: self.clone() })
    }
}
