//! The size of a terminal.

use crate::limits::WINDOW_MAX;

/// The size of a terminal: 1 to [`WINDOW_MAX`] columns and rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WindowSize {
    /// Characters in a line.
    pub(crate) columns: u16,
    /// Lines.
    pub(crate) rows: u16,
}

impl WindowSize {
    /// The size of a terminal for which the client asks for none.
    pub(crate) const DEFAULT: Self = Self { columns: 80, rows: 24 };

    /// Returns the size; `None` if it is over a limit.
    pub(crate) fn new(columns: u16, rows: u16) -> Option<Self> {
        let is_meant = |count| (1..=WINDOW_MAX).contains(&count);
        (is_meant(columns) && is_meant(rows)).then_some(Self { columns, rows })
    }
}
