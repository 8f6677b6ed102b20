//! The framings of one program. A client chooses among them by a subprotocol.

use super::Framing;

/// The framings that a client may choose, and the one for clients that choose none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Framings {
    default: Framing,
    offered: Vec<Framing>,
}

impl Framings {
    /// Returns a framing that clients need not know of, so that none may choose it.
    pub(crate) fn only(default: Framing) -> Self {
        Self { default, offered: Vec::new() }
    }

    /// Returns framings to choose from; the first is for clients that choose none. `None` if there is none.
    pub(crate) fn of(offered: Vec<Framing>) -> Option<Self> {
        Some(Self { default: *offered.first()?, offered })
    }

    /// Returns the framing for clients that choose none. In a room it is the only one.
    pub(crate) fn default(&self) -> Framing {
        self.default
    }

    /// Returns the framing that a client chooses by this subprotocol.
    pub(crate) fn chosen(&self, subprotocol: &str) -> Option<Framing> {
        self.offered.iter().copied().find(|framing| framing.subprotocol() == Some(subprotocol))
    }
}

impl Framing {
    /// Returns the word for this framing in a recording.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Lines => "lines",
            Self::Chunks => "chunks",
            Self::Nul => "nul",
            Self::Length => "length",
            Self::Json => "json",
            Self::Streams => "streams",
            Self::JsonRpc => "jsonrpc",
            Self::Acp => "acp",
            Self::Lsp => "lsp",
            Self::Tty => "tty",
            #[cfg(test)]
            Self::Picky => "picky",
        }
    }

    /// Returns the framing of a word in a recording. A terminal is never recorded.
    pub(crate) fn of_word(word: &str) -> Option<Self> {
        use Framing::{Acp, Chunks, Json, JsonRpc, Length, Lines, Lsp, Nul, Streams};
        let all = [Lines, Chunks, Nul, Length, Json, Streams, JsonRpc, Acp, Lsp];
        all.into_iter().find(|framing| framing.word() == word)
    }

    /// Whether each line of a text that stands for several messages is one of them.
    pub(crate) fn has_lines(self) -> bool {
        matches!(self, Self::Lines | Self::Streams)
    }

    /// Returns the byte that ends each message in the input of a program; `None` if a message has no such end.
    pub(crate) fn delimiter(self) -> Option<u8> {
        match self {
            Self::Lines | Self::Json | Self::Streams | Self::JsonRpc | Self::Acp => Some(b'\n'),
            Self::Nul => Some(0),
            _ => None,
        }
    }
}

/// Returns the framing that a subprotocol names, whether a program has it or not.
pub(crate) fn named(subprotocol: &str) -> Option<Framing> {
    use Framing::{Chunks, Json, JsonRpc, Length, Lines, Lsp, Nul, Tty};
    let all = [Lines, Chunks, Json, Nul, Length, JsonRpc, Lsp, Tty];
    all.into_iter().find(|framing| framing.subprotocol() == Some(subprotocol))
}
