//! The ids of the requests of a server. Pure.
//!
//! Each process of a session counts its requests from the same number. A client that answers one late would answer a request of the
//! next process: so the ids of all processes but the first name the process.

/// Returns the id for the client, as JSON. `process` counts those before it in the session.
pub(super) fn shown(id: &[u8], process: u64) -> Vec<u8> {
    if process == 0 {
        return id.into();
    }
    serde_json::Value::from(format!("{process}~{}", String::from_utf8_lossy(id))).to_string().into_bytes()
}

/// Returns the process's own id, as JSON; `None` if another process has asked.
pub(super) fn own(id: &[u8], process: u64) -> Option<Vec<u8>> {
    if process == 0 {
        return Some(id.into());
    }
    let text: String = serde_json::from_slice(id).ok()?;
    text.strip_prefix(&format!("{process}~")).map(|id| id.as_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_comes_back_to_the_process_that_has_asked() {
        for id in ["1", "\"1\"", "1.0", "\"a\\\"\\u00e9~\""] {
            for process in [0, 1, 12] {
                let shown = shown(id.as_bytes(), process);
                assert_eq!(own(&shown, process).as_deref(), Some(id.as_bytes()), "{id} {process}");
                assert_eq!(own(&shown, process + 1), None, "{id} {process}");
            }
        }
        assert_eq!(shown(b"\"a\"", 3), br#""3~\"a\"""#);
    }
}
