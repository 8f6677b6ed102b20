//! The framings of `--framing`, as the workers of the benchmark write and read them.

use std::io::{self, BufRead};

use crate::result::Result;

/// A framing of messages on the streams of a worker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Framing {
    Lines,
    Nul,
    Length,
    JsonRpc,
    Lsp,
}

impl Framing {
    const ALL: [Self; 5] = [Self::Lines, Self::Nul, Self::Length, Self::JsonRpc, Self::Lsp];

    /// Returns the framing of that name.
    pub(crate) fn of(name: &str) -> Result<Self> {
        let framing = Self::ALL.into_iter().find(|framing| framing.name() == name);
        framing.ok_or_else(|| format!("no framing is called `{name}`").into())
    }

    /// The word for `--framing`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Lines => "lines",
            Self::Nul => "nul",
            Self::Length => "length",
            Self::JsonRpc => "jsonrpc",
            Self::Lsp => "lsp",
        }
    }

    /// Returns a message as a worker sees it.
    pub(crate) fn encode(self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Lines | Self::JsonRpc => [message, b"\n"].concat(),
            Self::Nul => [message, b"\0"].concat(),
            Self::Length => [&u32::try_from(message.len()).unwrap_or_default().to_be_bytes(), message].concat(),
            Self::Lsp => [format!("Content-Length: {}\r\n\r\n", message.len()).as_bytes(), message].concat(),
        }
    }

    /// Bytes before a message of 10 to 99 bytes begins.
    pub(crate) fn head_bytes(self) -> usize {
        match self {
            Self::Lines | Self::Nul | Self::JsonRpc => 0,
            Self::Length => size_of::<u32>(),
            Self::Lsp => "Content-Length: 10\r\n\r\n".len(),
        }
    }

    /// Reads a message; `None` at the end of the input.
    pub(crate) fn read(self, input: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
        let mut message = Vec::new();
        match self {
            Self::Lines | Self::JsonRpc => input.read_until(b'\n', &mut message)?,
            Self::Nul => input.read_until(0, &mut message)?,
            Self::Lsp => {
                let mut header = String::new();
                if input.read_line(&mut header)? == 0 {
                    return Ok(None);
                }
                input.read_line(&mut String::new())?;
                let length = header.trim_end().strip_prefix("Content-Length: ").and_then(|length| length.parse().ok());
                message.resize(length.ok_or(io::ErrorKind::InvalidData)?, 0);
                input.read_exact(&mut message)?;
                return Ok(Some(message));
            }
            Self::Length => {
                let mut length = [0; size_of::<u32>()];
                if input.fill_buf()?.is_empty() {
                    return Ok(None);
                }
                input.read_exact(&mut length)?;
                message.resize(u32::from_be_bytes(length).try_into().unwrap_or_default(), 0);
                input.read_exact(&mut message)?;
                return Ok(Some(message));
            }
        };
        Ok(message.pop().map(|_| message))
    }
}
