//! `UNIQUE_ID`: the random name of a session, by which wsd knows the processes that belong to it.

/// A `UNIQUE_ID` as programs see it: 128 bits in hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct UniqueId(pub(super) [u8; UniqueId::BYTES]);

impl UniqueId {
    /// The length of its text.
    pub(super) const BYTES: usize = 32;

    /// Finds it in an environment whose entries are `NAME=value`.
    pub(super) fn among<'a>(mut environment: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        environment.find_map(|entry| entry.strip_prefix(b"UNIQUE_ID=")?.try_into().ok().map(Self))
    }
}
