//! The names of the variables that sessions have.

/// The variables of a session, besides those of its request's headers (`HTTP_*`). A program has the last nine only if they
/// apply: with a chosen subprotocol, with TLS, with a client's certificate, with the context of a trace.
pub(crate) const CGI_NAMES: [&str; 29] = [
    "UNIQUE_ID",
    "REMOTE_ADDR",
    "REMOTE_HOST",
    "REMOTE_PORT",
    "REMOTE_USER",
    "REMOTE_IDENT",
    "AUTH_TYPE",
    "PATH_INFO",
    "PATH_TRANSLATED",
    "QUERY_STRING",
    "REQUEST_URI",
    "REQUEST_METHOD",
    "SCRIPT_NAME",
    "SERVER_NAME",
    "SERVER_PORT",
    "SERVER_PROTOCOL",
    "SERVER_SOFTWARE",
    "GATEWAY_INTERFACE",
    "CONTENT_LENGTH",
    "CONTENT_TYPE",
    "SEC_WEBSOCKET_PROTOCOL",
    "HTTPS",
    "SSL_PROTOCOL",
    "SSL_CIPHER",
    "SSL_CLIENT_VERIFY",
    "SSL_CLIENT_S_DN",
    "TRACEPARENT",
    "TRACESTATE",
    "BAGGAGE",
];

/// Whether a session may have a variable of this name.
pub(crate) fn is_cgi_name(name: &str) -> bool {
    let is_of_header = |rest: &str| {
        let is_known = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"_.".contains(&byte);
        !rest.is_empty() && rest.bytes().all(is_known)
    };
    CGI_NAMES.contains(&name) || name.strip_prefix("HTTP_").is_some_and(is_of_header)
}
