//! One variable of a worker's environment.

use std::{
    ffi::{CString, NulError, OsStr},
    os::unix::ffi::OsStrExt,
};

/// A variable as `execve` takes it: `NAME=value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Variable {
    text: Vec<u8>,
    name_bytes: usize,
}

impl Variable {
    /// Returns the variable `name`, which must not contain a `=`.
    pub(crate) fn new(name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        let (name, value) = (name.as_ref(), value.as_ref());
        // Two bytes more: the `=`, and the NUL at the end.
        let mut text = Vec::with_capacity(name.len() + value.len() + 2);
        text.extend_from_slice(name);
        text.push(b'=');
        text.extend_from_slice(value);
        Self { text, name_bytes: name.len() }
    }

    /// Returns the name.
    pub(crate) fn name(&self) -> &OsStr {
        OsStr::from_bytes(&self.text[..self.name_bytes])
    }

    /// Returns the value.
    pub(crate) fn value(&self) -> &OsStr {
        OsStr::from_bytes(&self.text[self.name_bytes + 1..])
    }

    /// Returns the text: `NAME=value`.
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Appends `more` to the value.
    pub(super) fn append(&mut self, more: &[u8]) {
        self.text.extend_from_slice(more);
    }

    /// Returns the text. Fails if it contains a NUL.
    pub(super) fn into_text(self) -> Result<CString, NulError> {
        CString::new(self.text)
    }
}
