//! The body of a POST as messages of a client (`--http`).

use http_body_util::BodyExt;
use hyper::{
    StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use tokio::time::timeout;

use super::ask::Ask;
use crate::{
    budget::{Owner, Share},
    framing::Framing,
    http::refusal::Refusal,
    limits::POST_TIME_MAX,
    message::Kind,
};

/// A whole body, and its bytes in the budget.
#[derive(Debug)]
pub(super) struct MessageBody {
    bytes: Vec<u8>,
    is_binary: bool,
    _share: Option<Share>,
}

impl MessageBody {
    /// Reads the body of a request, of the size of one message at most (`--maxframesize`).
    pub(super) async fn read(ask: &mut Ask) -> Result<Self, Refusal> {
        let headers = &ask.request.headers;
        let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let is_binary = kind.split(';').next().is_some_and(|kind| kind.trim() == "application/octet-stream");
        let bytes_max = ask.site.socket.message_bytes_max;
        let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok()).unwrap_or(0);
        if length > bytes_max {
            return Err(too_long());
        }
        let mut share = ask.request.extensions.get::<Owner>().map(Owner::share);
        let mut bytes = Vec::new();
        let whole = async {
            let Some(mut body) = ask.body.take() else { return Ok(()) };
            while let Some(frame) = body.frame().await {
                let broken = |_| Refusal::unlogged(StatusCode::BAD_REQUEST, "The body of the request is broken.");
                let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
                if data.len() > bytes_max - bytes.len() {
                    return Err(too_long());
                }
                bytes.extend_from_slice(&data);
                if let Some(share) = &mut share {
                    share.set(bytes.capacity(), 0);
                }
            }
            Ok(())
        };
        let late = |_| Refusal::unlogged(StatusCode::REQUEST_TIMEOUT, "The body of the request did not come in time.");
        timeout(POST_TIME_MAX, whole).await.map_err(late)??;
        Ok(Self { bytes, is_binary, _share: share })
    }

    /// Splits the body into messages for a program with this framing, as a client with a WebSocket would send them.
    ///
    /// `application/octet-stream` is one binary message. Any other type is text: with a framing by lines each line is a
    /// message, whether the last ends with a newline or not; with any other the body is one message. An empty body has none.
    pub(super) fn split(&self, framing: Framing) -> Result<Vec<(Kind, &[u8])>, Refusal> {
        if self.bytes.is_empty() {
            return Ok(Vec::new());
        }
        if self.is_binary {
            return Ok(vec![(Kind::Binary, &self.bytes)]);
        }
        if std::str::from_utf8(&self.bytes).is_err() {
            let text = "The body is not UTF-8. For other bytes send `Content-Type: application/octet-stream`.";
            return Err(Refusal::unlogged(StatusCode::BAD_REQUEST, text));
        }
        if !matches!(framing, Framing::Lines | Framing::Streams) {
            return Ok(vec![(Kind::Text, &self.bytes)]);
        }
        let body = self.bytes.strip_suffix(b"\n").unwrap_or(&self.bytes);
        let lines = body.split(|&byte| byte == b'\n');
        Ok(lines.map(|line| (Kind::Text, line.strip_suffix(b"\r").unwrap_or(line))).collect())
    }
}

fn too_long() -> Refusal {
    let text = "The body is too long: one message is the most (`--maxframesize`).";
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "body", text).with_hint("raise --maxframesize")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(bytes: &[u8], is_binary: bool, framing: Framing) -> Vec<String> {
        let body = MessageBody { bytes: bytes.to_vec(), is_binary, _share: None };
        let messages = body.split(framing).expect("messages");
        messages.iter().map(|(kind, payload)| format!("{kind:?} {}", String::from_utf8_lossy(payload))).collect()
    }

    #[test]
    fn lines_are_messages_where_the_framing_has_lines_and_else_the_body_is_one() {
        let table: [(&[u8], _, _, &[&str]); 9] = [
            (b"a", false, Framing::Lines, &["Text a"]),
            (b"a\n", false, Framing::Lines, &["Text a"]),
            (b"a\r\n\nb", false, Framing::Lines, &["Text a", "Text ", "Text b"]),
            (b"\n", false, Framing::Lines, &["Text "]),
            (b"", false, Framing::Lines, &[]),
            (b"a\nb\n", true, Framing::Lines, &["Binary a\nb\n"]),
            (b"a\nb\n", false, Framing::Json, &["Text a\nb\n"]),
            (b"a\nb\n", false, Framing::JsonRpc, &["Text a\nb\n"]),
            (b"a\nb\n", true, Framing::Chunks, &["Binary a\nb\n"]),
        ];
        for (body, is_binary, framing, want) in table {
            assert_eq!(split(body, is_binary, framing), want, "{body:?} {framing:?}");
        }
    }

    #[test]
    fn text_is_utf_8() {
        let body = MessageBody { bytes: vec![0xFF], is_binary: false, _share: None };

        assert_eq!(body.split(Framing::Lines).map_err(|refusal| refusal.status), Err(StatusCode::BAD_REQUEST));
    }
}
