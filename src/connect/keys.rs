//! The keys of a person at a terminal in raw mode, and the escape by which they leave: Enter, `~`, `.`, as with ssh.

/// The place in the escape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Keys {
    /// At the start of a line.
    #[default]
    Start,
    /// After a `~` at the start of a line, which waits for the next key.
    Tilde,
    /// Within a line.
    Within,
}

impl Keys {
    /// Appends the keys for the server. Returns false once the person leaves.
    pub(super) fn take(&mut self, keys: &[u8], typed: &mut Vec<u8>) -> bool {
        for &key in keys {
            match (*self, key) {
                (Self::Tilde, b'.') => return false,
                (Self::Start, b'~') => {
                    *self = Self::Tilde;
                    continue;
                }
                // `~~` is one `~`.
                (Self::Tilde, b'~') => {}
                (Self::Tilde, _) => typed.push(b'~'),
                _ => {}
            }
            typed.push(key);
            *self = if matches!(key, b'\r' | b'\n') { Self::Start } else { Self::Within };
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_tilde_and_a_dot_at_the_start_of_a_line_leave() {
        let table: [(&[u8], &[u8], bool); 7] = [
            (b"ls\r", b"ls\r", true),
            (b"~.", b"", false),
            (b"ls\r~.x", b"ls\r", false),
            (b"a~.", b"a~.", true),
            (b"~~.\r", b"~.\r", true),
            (b"~a\r", b"~a\r", true),
            (b"\r~\r~.", b"\r~\r", false),
        ];
        for (keys, want, goes_on) in table {
            for size in [1, keys.len()] {
                let (mut state, mut typed) = (Keys::default(), Vec::new());
                let went_on = keys.chunks(size).all(|keys| state.take(keys, &mut typed));
                assert_eq!((&*typed, went_on), (want, goes_on), "{} by {size}", keys.escape_ascii());
            }
        }
    }
}
