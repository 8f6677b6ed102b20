//! The opening handshake (RFC 6455, section 4.1): the request, and why a server refuses it.

use std::{fmt, sync::Arc};

use data_encoding::BASE64;
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        Error,
        client::IntoClientRequest as _,
        error::{ProtocolError, SubProtocolError},
        handshake::client::{Request, Response},
        http::{HeaderName, HeaderValue, Uri, header},
        protocol::{Role, WebSocketConfig},
    },
};
use tokio_util::io::InspectReader;

use super::{
    destination::Destination,
    dial::ByteStream,
    error::ConnectError,
    socket::{ClientSocket, agreed},
    tls::explained,
    unpacked::UnpackedStream,
    watched::WatchedStream,
};
use crate::{
    cli::{connect::ConnectFlags, value::is_on},
    deflate::{
        negotiation::{self, Agreement},
        options::CompressOptions,
    },
    framing::Framing,
    limits::{CONNECT_MESSAGE_BYTES_MAX, FRAME_BYTES_MAX},
    resume::{door::Token, offer::offers},
};

/// The subprotocols that a client offers.
pub(super) struct SubprotocolOffer {
    /// The subprotocols of the application.
    names: Vec<String>,
    /// Whether the client can return to its session.
    resumes: bool,
}

impl SubprotocolOffer {
    /// Returns the offer that `flags` ask for.
    pub(super) fn new(flags: &ConnectFlags) -> Result<Self, ConnectError> {
        let tty = is_on(&flags.pty).then(|| Framing::Tty.subprotocol()).flatten();
        let asked = flags.subprotocol.iter().flat_map(|names| names.0.iter().map(|name| name.trim()));
        let names = tty.into_iter().chain(asked).map(str::to_owned).collect();
        let offer = Self { names, resumes: is_on(&flags.resume) };
        offer.value(None).map(|_| offer)
    }

    /// Returns the value of the header; with the token and the number of messages of a client that returns.
    fn value(&self, returning: Option<(&Token, u64)>) -> Result<Option<HeaderValue>, ConnectError> {
        let names: Vec<_> = self.names.iter().map(String::as_str).collect();
        let offers = if self.resumes { offers(&names, returning).join(", ") } else { names.join(", ") };
        if offers.is_empty() {
            return Ok(None);
        }
        HeaderValue::from_str(&offers).map(Some).map_err(|_| unfit("--subprotocol"))
    }

    fn is_tty_only(&self) -> bool {
        self.names == ["tty"]
    }
}

fn unfit(flag: &str) -> ConnectError {
    ConnectError::new(format!("invalid value for {flag}: it has characters that no header may have"))
}

/// Another reason for which a server takes a handshake for a plain request.
const OR_PROXY: &str = "or a proxy in between drops Upgrade";

/// The end of an answer's head.
const HEAD_END: &[u8] = b"\r\n\r\n";

/// Characters of the server's text in an error.
const TEXT_CHARS_MAX: usize = 300;

/// Returns the request for a session.
pub(super) fn request(server: &Destination, flags: &ConnectFlags) -> Result<Request, ConnectError> {
    let uri: Uri = format!("ws://{}{}", server.authority, server.resource)
        .parse()
        .map_err(|cause| ConnectError::new(format!("invalid URL: {cause}")))?;
    let mut request = uri.into_client_request().map_err(|cause| ConnectError::new(format!("invalid URL: {cause}")))?;
    let headers = request.headers_mut();
    let mut set = |flag: &str, name: HeaderName, value: &str| match HeaderValue::from_str(value) {
        // A server may have another name than the URL.
        Ok(value) if name == header::HOST => {
            headers.insert(name, value);
            Ok(())
        }
        Ok(value) => {
            headers.append(name, value);
            Ok(())
        }
        Err(_) => Err(unfit(flag)),
    };
    if let Some(credentials) = &server.credentials {
        set("the URL", header::AUTHORIZATION, &format!("Basic {}", BASE64.encode(credentials.as_bytes())))?;
    }
    if let Some(origin) = &flags.origin {
        set("--origin", header::ORIGIN, origin)?;
    }
    for line in &flags.header {
        let invalid = || {
            ConnectError::new(format!("invalid value `{}` for --header", line.value))
                .hint("write it as --header='Name: value'")
        };
        let (name, value) = line.split_once(':').ok_or_else(invalid)?;
        let name: HeaderName = name.trim().parse().map_err(|_| invalid())?;
        if is_of_handshake(&name) {
            let taken = format!("cannot set {name} with --header: the handshake sets it");
            return Err(ConnectError::new(taken).hint("leave it out; --subprotocol offers subprotocols"));
        }
        set("--header", name, value.trim())?;
    }
    Ok(request)
}

/// Whether the handshake itself sets this header.
fn is_of_handshake(name: &HeaderName) -> bool {
    [header::CONNECTION, header::UPGRADE].contains(name) || name.as_str().starts_with("sec-websocket-")
}

/// Asks for a session on a byte stream. Returns the subprotocol that the server has chosen, too.
pub(super) async fn open(
    wire: ByteStream,
    (mut request, offer, compress): (Request, &SubprotocolOffer, Option<&Arc<CompressOptions>>),
    returning: Option<(&Token, u64)>,
    place: &str,
) -> Result<(ClientSocket, Option<String>), ConnectError> {
    let config = WebSocketConfig::default()
        .read_buffer_size(16 << 10)
        .write_buffer_size(FRAME_BYTES_MAX)
        .max_message_size(Some(CONNECT_MESSAGE_BYTES_MAX))
        .max_frame_size(Some(CONNECT_MESSAGE_BYTES_MAX));
    if let Some(value) = offer.value(returning)? {
        request.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, value);
    }
    if compress.is_some() {
        request.headers_mut().insert(header::SEC_WEBSOCKET_EXTENSIONS, HeaderValue::from_static(negotiation::OFFER));
    }
    // tungstenite gives up a connection whose server chooses none of the subprotocols, and the bytes behind the answer with it. A
    // client that only offers to return goes on without.
    let mut head = Vec::new();
    let mut recorder = InspectReader::new(wire, |read| head.extend_from_slice(read));
    let chosen = match client_async_with_config(request, &mut recorder, Some(config)).await {
        Ok((_, response)) => response.headers().get(header::SEC_WEBSOCKET_PROTOCOL).cloned(),
        // A server that does not know the offer to return.
        Err(error) if is_no_choice(&error) && offer.names.is_empty() => None,
        Err(error) => return Err(refused(place, error, offer)),
    };
    let wire = recorder.into_inner();
    let rest = split_head(&mut head);
    let agreement = agreement(&head, compress.is_some())
        .map_err(|rule| not_websocket(&format!("cannot open a session at {place}"), &rule))?;
    let wire = WatchedStream::new(wire, &rest);
    let agreed = compress.zip(agreement).map(|(options, agreement)| agreed(options, agreement));
    let (wire, rest) = if agreed.is_some() {
        (UnpackedStream::inflating(wire, &rest), Vec::new())
    } else {
        (UnpackedStream::plain(wire), rest)
    };
    let socket = WebSocketStream::from_partially_read(wire, rest, Role::Client, Some(config)).await;
    Ok((ClientSocket::new(socket, agreed), chosen.and_then(|chosen| chosen.to_str().ok().map(str::to_owned))))
}

/// Splits the bytes behind the head of an answer off.
fn split_head(head: &mut Vec<u8>) -> Vec<u8> {
    let end = head.windows(HEAD_END.len()).position(|bytes| bytes == HEAD_END);
    head.split_off(end.map_or(head.len(), |at| at + HEAD_END.len()))
}

/// Returns the agreement on compression in an answer; or the rule that it breaks, of those that tungstenite does not check.
fn agreement(head: &[u8], is_offered: bool) -> Result<Option<Agreement>, &'static str> {
    let lines = head
        .split(|&byte| byte == b'\n')
        .filter_map(|line| Some(line.split_at(line.iter().position(|&byte| byte == b':')?)));
    let values = |name: HeaderName| {
        let of_name = lines.clone().filter(move |(known, _)| known.eq_ignore_ascii_case(name.as_str().as_bytes()));
        of_name.map(|(_, value)| value[1..].trim_ascii())
    };
    if values(header::SEC_WEBSOCKET_ACCEPT).count() > 1 {
        return Err("it has Sec-WebSocket-Accept twice");
    }
    let extensions: Vec<_> = values(header::SEC_WEBSOCKET_EXTENSIONS).collect();
    match extensions[..] {
        [] => Ok(None),
        [extension] if is_offered => {
            let agreement = str::from_utf8(extension).ok().and_then(negotiation::accept);
            agreement.map(Some).ok_or("it has an extension with parameters that break its rules")
        }
        _ => Err("it has an extension that nobody asked for"),
    }
}

fn not_websocket(doing: &str, cause: &dyn fmt::Display) -> ConnectError {
    ConnectError::new(format!("{doing}: the answer is not one of a WebSocket server: {cause}"))
        .hint("check host, port and path")
}

fn is_no_choice(error: &Error) -> bool {
    matches!(error, Error::Protocol(ProtocolError::SecWebSocketSubProtocolError(SubProtocolError::NoSubProtocol)))
}

/// Describes why there is no session.
fn refused(place: &str, error: Error, offer: &SubprotocolOffer) -> ConnectError {
    let doing = format!("cannot open a session at {place}");
    match error {
        Error::Http(response) => answered(&doing, &response),
        Error::Io(cause) => explained(&doing, &cause)
            .unwrap_or_else(|| ConnectError::passing(format!("{doing}: the connection broke: {cause}"))),
        error if is_no_choice(&error) && offer.is_tty_only() => {
            ConnectError::new(format!("{doing}: the program there has no terminal"))
                .hint("serve the program with wsd --pty, or connect without --pty")
        }
        error if is_no_choice(&error) => {
            ConnectError::new(format!("{doing}: the server chose none of the subprotocols"))
                .hint("offer one that the server takes, or none")
        }
        Error::Protocol(ProtocolError::HandshakeIncomplete) => {
            ConnectError::passing(format!("{doing}: the server closed the connection without an answer"))
                .hint("use wss:// if the server speaks TLS")
        }
        Error::Protocol(ProtocolError::HttparseError(_)) => {
            ConnectError::new(format!("{doing}: the server does not speak HTTP")).hint("check host and port")
        }
        other => not_websocket(&doing, &other),
    }
}

/// Returns the seconds after which a server wants to be asked again.
fn retry_after(response: &Response) -> Option<u64> {
    response.headers().get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()
}

/// Describes an answer that opens no session, with the text of the server.
fn answered(doing: &str, response: &Response) -> ConnectError {
    let status = response.status();
    let text = response.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default();
    let is_plain =
        response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/plain"));
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && *line != status.to_string());
    let text: String =
        lines.collect::<Vec<_>>().join(" ").chars().take(TEXT_CHARS_MAX).filter(|c| !c.is_control()).collect();
    let told = if is_plain && !text.is_empty() { format!(": {text}") } else { String::new() };
    let told = match retry_after(response) {
        Some(secs) => format!("{told} (Retry-After: {secs} s)"),
        None => told,
    };
    let error = ConnectError::new(format!("{doing}: the server answered {status}{told}"));
    let location = response.headers().get(header::LOCATION).and_then(|place| place.to_str().ok());
    match status.as_u16() {
        200..=299 => error.hint(format!("check the path: no WebSocket is there, {OR_PROXY}")),
        300..=399 => match location {
            Some(place) => error.hint(format!("use the URL to which it redirects: {place}")),
            None => error,
        },
        401 => error.hint("name the user in the URL, ws://USER:PASSWORD@HOST/, or use --header='Authorization: ...'"),
        403 if text.contains("address may not connect") => {
            error.hint("connect from another address, or let the server admit this one: see its --allow and --deny")
        }
        403 if text.contains("`Host`") => {
            error.hint("connect by a name of the server, or let it go by this one: see its --origin")
        }
        403 => error.hint("set --origin to an origin that the server admits"),
        404 => error.hint(format!("check the path of the URL, {OR_PROXY}")),
        426 => error.hint(format!("the server wants another version of WebSockets, {OR_PROXY}")),
        408 | 425 | 429 | 502..=504 => {
            let error = if told.is_empty() { error.hint("try again later; --retry does") } else { error };
            error.that_may_pass()
        }
        _ => error,
    }
}
