//! Forward authentication: `--auth=url:URL` asks a server, as Caddy and Traefik do.
//!
//! The server gets the headers of the request with `X-Forwarded-*`. A 2xx admits the client; any other answer goes to the
//! client, such as a redirect to a page for the login. A server without a valid answer admits nobody.

use std::{error::Error, path::PathBuf};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::{
    HeaderMap, Method, Request, StatusCode, Uri,
    client::conn::http1,
    header::{
        ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, EXPECT, FORWARDED, HOST, HeaderName,
        HeaderValue, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE,
    },
    http::request::Parts,
    rt::{Read, Write},
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpStream, UnixStream},
    time::timeout,
};

use super::{
    asked::{failed, is_of_connection, verdict},
    asks::Asks,
    credentials::Credentials,
    proof::AuthOutcome,
};
use crate::{
    limits::auth::{AUTH_BODY_BYTES_MAX, AUTH_HEAD_BYTES_MAX, AUTH_SERVER_TIME_MAX},
    peer::Connection,
};

/// Headers of a request that are not for the server: about its body, about a part or an earlier version of the answer, or by which a
/// client could name another address, path or method as its own.
const LEFT_OUT: [HeaderName; 24] = [
    ACCEPT_ENCODING,
    CONTENT_ENCODING,
    CONTENT_TYPE,
    EXPECT,
    FORWARDED,
    IF_MATCH,
    IF_MODIFIED_SINCE,
    IF_NONE_MATCH,
    IF_RANGE,
    IF_UNMODIFIED_SINCE,
    RANGE,
    HeaderName::from_static("cf-connecting-ip"),
    HeaderName::from_static("client-ip"),
    HeaderName::from_static("fly-client-ip"),
    HeaderName::from_static("forwarded-for"),
    HeaderName::from_static("fastly-client-ip"),
    HeaderName::from_static("true-client-ip"),
    HeaderName::from_static("x-azure-clientip"),
    HeaderName::from_static("x-client-ip"),
    HeaderName::from_static("x-cluster-client-ip"),
    HeaderName::from_static("x-envoy-external-address"),
    HeaderName::from_static("x-http-method-override"),
    HeaderName::from_static("x-originating-ip"),
    HeaderName::from_static("x-rewrite-url"),
];

/// The front of headers that wsd sets, and of those about a WebSocket.
const LEFT_OUT_FRONTS: [&str; 5] = ["x-forwarded-", "x-original-", "x-real-", "x-remote-", "sec-websocket-"];

/// An authentication server.
#[derive(Debug)]
pub(crate) struct Forward {
    place: ServerPlace,
    /// The path and the query that are asked for.
    target: Uri,
    /// The URL, for the log.
    url: String,
    asks: Asks,
}

/// The address of a server.
#[derive(Debug, PartialEq, Eq)]
enum ServerPlace {
    /// Host and port.
    Tcp(String, u16),
    /// The path of a socket.
    Unix(PathBuf),
}

/// A failure to get an answer.
type AskFailure = Box<dyn Error + Send + Sync>;

impl Forward {
    /// Reads a URL: `http://HOST[:PORT][/PATH]` or `unix:SOCKET[:/PATH]`.
    pub(crate) fn parse(url: &str) -> Result<Self, &'static str> {
        let (place, target) = parse(url)?;
        Ok(Self { place, target, url: url.to_owned(), asks: Asks::new() })
    }

    /// Asks the server about a request.
    pub(super) async fn check(
        &self,
        connection: &Connection,
        request: &Parts,
        credentials: &Credentials,
    ) -> AuthOutcome {
        let _place = match self.asks.take(connection, &self.url) {
            Ok(place) => place,
            Err(refusal) => return AuthOutcome::refused(refusal),
        };
        let question = question(&self.target, connection, request, credentials);
        let answer = async {
            let (status, headers, body) = match &self.place {
                ServerPlace::Tcp(host, port) => ask(TcpStream::connect((&**host, *port)).await?, question).await?,
                ServerPlace::Unix(path) => ask(UnixStream::connect(path).await?, question).await?,
            };
            Ok::<_, AskFailure>(verdict(status, headers, body)?)
        };
        match timeout(AUTH_SERVER_TIME_MAX, answer).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(cause)) => AuthOutcome::refused(failed(connection, &self.url, &cause)),
            Err(_) => AuthOutcome::refused(failed(connection, &self.url, &"it did not answer in time")),
        }
    }
}

/// Sends a request over a new connection. Returns the answer, without the body of a 2xx.
async fn ask(
    stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    question: Request<Empty<Bytes>>,
) -> Result<(StatusCode, HeaderMap, Bytes), AskFailure> {
    exchange(TokioIo::new(stream), question).await
}

async fn exchange(
    stream: impl Read + Write + Unpin + Send + 'static,
    question: Request<Empty<Bytes>>,
) -> Result<(StatusCode, HeaderMap, Bytes), AskFailure> {
    let mut builder = http1::Builder::new();
    builder.max_buf_size(AUTH_HEAD_BYTES_MAX).title_case_headers(true);
    let (mut sender, connection) = builder.handshake(stream).await?;
    let answer = async {
        let (head, body) = sender.send_request(question).await?.into_parts();
        let body = if head.status.is_success() {
            Bytes::new()
        } else {
            Limited::new(body, AUTH_BODY_BYTES_MAX).collect().await?.to_bytes()
        };
        Ok((head.status, head.headers, body))
    };
    let mut answer = std::pin::pin!(answer);
    tokio::select! {
        biased;
        answer = &mut answer => answer,
        _ = connection => answer.await,
    }
}

/// Returns the request to the server.
fn question(
    target: &Uri,
    connection: &Connection,
    request: &Parts,
    credentials: &Credentials,
) -> Request<Empty<Bytes>> {
    let mut question = Request::new(Empty::new());
    (*question.method_mut(), *question.uri_mut()) = (Method::GET, target.clone());
    let headers = question.headers_mut();
    let is_left_out = |name: &HeaderName| {
        is_of_connection(name, &request.headers)
            || LEFT_OUT.contains(name)
            // A server of WSGI, CGI or PHP would take it for the header with hyphens.
            || name.as_str().contains('_')
            || LEFT_OUT_FRONTS.iter().any(|front| name.as_str().starts_with(front))
    };
    for (name, value) in request.headers.iter().filter(|(name, _)| !is_left_out(name)) {
        headers.append(name, value.clone());
    }
    if let Some(header) = &credentials.header {
        headers.insert(AUTHORIZATION, header.clone());
    }
    let uri = request.uri.path_and_query().map_or("/", |target| target.as_str());
    let host = request.headers.get(HOST).cloned().unwrap_or(HeaderValue::from_static("localhost"));
    headers.entry(HOST).or_insert_with(|| host.clone());
    let proto = if connection.is_secure { "https" } else { "http" };
    let text = |text: &str| HeaderValue::from_str(text).ok();
    let own = [
        ("x-forwarded-method", text(request.method.as_str())),
        ("x-forwarded-proto", text(proto)),
        ("x-forwarded-host", Some(host)),
        ("x-forwarded-uri", text(uri)),
        ("x-forwarded-for", text(&connection.peer.address())),
        ("x-original-uri", text(uri)),
    ];
    for (name, value) in own {
        headers.extend(value.map(|value| (HeaderName::from_static(name), value)));
    }
    question
}

fn parse(url: &str) -> Result<(ServerPlace, Uri), &'static str> {
    let path = |text: &str| match text {
        "" => Ok(Uri::from_static("/")),
        text => text.parse().map_err(|_| "its path is no path of a URL"),
    };
    if let Some(rest) = url.strip_prefix("unix:") {
        let (socket, target) =
            rest.split_once(":/").map_or((rest, String::new()), |(socket, rest)| (socket, format!("/{rest}")));
        if socket.is_empty() {
            return Err("it names no socket");
        }
        return Ok((ServerPlace::Unix(socket.into()), path(&target)?));
    }
    let rest = match url.split_once("://") {
        Some(("http", rest)) => rest,
        Some(("https", _)) => return Err("wsd asks over plain HTTP, on this machine or in a network of your own"),
        _ => return Err("it is not http://HOST[:PORT][/PATH] or unix:SOCKET[:/PATH]"),
    };
    let (authority, target) = rest.find(['/', '?']).map_or((rest, ""), |at| rest.split_at(at));
    if authority.contains('@') {
        return Err("it has a user or a password, which every user of this machine could read");
    }
    let authority: hyper::http::uri::Authority = authority.parse().map_err(|_| "it names no host")?;
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let target = if target.starts_with('?') { format!("/{target}") } else { target.to_owned() };
    Ok((ServerPlace::Tcp(host.to_owned(), authority.port_u16().unwrap_or(80)), path(&target)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read() {
        let tcp = |host: &str, port| ServerPlace::Tcp(host.to_owned(), port);
        let table = [
            ("http://auth", tcp("auth", 80), "/"),
            ("http://127.0.0.1:4180/oauth2/auth?x=1", tcp("127.0.0.1", 4180), "/oauth2/auth?x=1"),
            ("http://[::1]:1/a", tcp("::1", 1), "/a"),
            ("http://auth?x", tcp("auth", 80), "/?x"),
            ("unix:/run/a.sock", ServerPlace::Unix("/run/a.sock".into()), "/"),
            ("unix:/run/a.sock:/check?x", ServerPlace::Unix("/run/a.sock".into()), "/check?x"),
        ];
        for (url, place, target) in table {
            let read = parse(url).expect(url);
            assert_eq!((read.0, read.1.to_string()), (place, target.to_owned()), "{url}");
        }
        for bad in ["", "auth", "https://auth", "http://", "http://a:b@auth/", "http://auth/\u{7f}", "unix:", "ftp://a"]
        {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
