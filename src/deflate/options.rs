//! The settings of compression, and what a client has agreed to.

use std::sync::Arc;

use super::{negotiation::Agreement, pool::Pool};

/// The settings of compression.
#[derive(Clone, Debug)]
pub(crate) struct CompressOptions {
    /// Bytes of the shortest message that wsd compresses (`--compress`).
    pub(crate) bytes_min: usize,
    /// The compressors.
    pub(crate) pool: Pool,
}

/// The compression that a client has agreed to.
#[derive(Clone, Debug)]
pub(crate) struct AgreedCompression {
    /// The settings.
    pub(crate) options: Arc<CompressOptions>,
    /// The agreement for wsd's messages.
    pub(crate) agreement: Agreement,
}
