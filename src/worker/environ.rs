//! A worker's environment: the meta-variables of CGI/1.1 (RFC 3875, section 4.1), as websocketd sets them.

use std::{os::unix::ffi::OsStrExt, path::Path};

use data_encoding::HEXLOWER;

use super::variable::Variable;
use crate::{
    peer::{Connection, Tls},
    trace,
};

/// The name and the version of wsd as `SERVER_SOFTWARE` and `--version` show them.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The part that all environments share.
#[derive(Clone, Debug)]
pub(crate) struct EnvironOptions {
    /// `SERVER_SOFTWARE`.
    pub(crate) software: String,
    /// The variables that `--passenv` names, with their values.
    pub(crate) inherited: Vec<Variable>,
}

/// The facts of one request, for the environment of its worker.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    /// `UNIQUE_ID`.
    pub(crate) id: &'a str,
    /// The client.
    pub(crate) connection: &'a Connection,
    /// The client's name; `None` if it is not known.
    pub(crate) remote_host: Option<&'a str>,
    /// `AUTH_TYPE`.
    pub(crate) auth_type: &'a str,
    /// `REMOTE_USER`.
    pub(crate) user: &'a str,
    /// The request's protocol, such as `HTTP/1.1`.
    pub(crate) protocol: &'a str,
    /// The request's method.
    pub(crate) method: &'a str,
    /// The request's target as it was sent: path and query.
    pub(crate) target: &'a str,
    /// The part of the decoded path that named the program.
    pub(crate) script_name: &'a [u8],
    /// The rest of the decoded path.
    pub(crate) path_info: &'a [u8],
    /// The whole decoded path.
    pub(crate) path: &'a [u8],
    /// The query, undecoded, without the `?`.
    pub(crate) query: &'a str,
    /// The request's headers: names in lower case, in the order they came.
    pub(crate) headers: &'a [(&'a str, &'a [u8])],
    /// The subprotocol that wsd chose.
    pub(crate) subprotocol: Option<&'a str>,
    /// The facts for CGI scripts only.
    pub(crate) content: CgiFacts<'a>,
}

/// The facts of a request for CGI scripts only.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CgiFacts<'a> {
    /// `CONTENT_LENGTH`; empty if there is no body, or its length is not known.
    pub(crate) length: &'a str,
    /// `CONTENT_TYPE`.
    pub(crate) kind: &'a str,
    /// `SCRIPT_FILENAME`.
    pub(crate) script_file: Option<&'a Path>,
}

/// Returns the variables for the worker of one request, in no order. No name comes twice.
pub(crate) fn variables(options: &EnvironOptions, facts: &Facts<'_>) -> Vec<Variable> {
    let tls = facts.connection.tls.as_deref();
    let peer = facts.connection.peer;
    let host = header(facts.headers, "host").unwrap_or_default();
    let (server_name, server_port) = split_host(host, if facts.connection.is_secure { "443" } else { "80" });
    // websocketd sets it to the whole path; in CGI it exists only with PATH_INFO (RFC 3875, section 4.1.6).
    let has_none = facts.content.script_file.is_some() && facts.path_info.is_empty();
    let translated = if has_none { b"" } else { facts.path };
    let (address, port) = (peer.address(), peer.port());
    let fixed: [(&str, &[u8]); 19] = [
        ("GATEWAY_INTERFACE", b"CGI/1.1"),
        ("SERVER_PROTOCOL", facts.protocol.as_bytes()),
        ("SERVER_NAME", server_name),
        ("SERVER_PORT", server_port),
        ("REQUEST_METHOD", facts.method.as_bytes()),
        ("REQUEST_URI", facts.target.as_bytes()),
        ("SCRIPT_NAME", facts.script_name),
        ("PATH_INFO", facts.path_info),
        ("PATH_TRANSLATED", translated),
        ("QUERY_STRING", facts.query.as_bytes()),
        ("REMOTE_ADDR", address.as_bytes()),
        ("REMOTE_HOST", facts.remote_host.unwrap_or(&address).as_bytes()),
        ("REMOTE_PORT", port.as_bytes()),
        ("UNIQUE_ID", facts.id.as_bytes()),
        ("CONTENT_LENGTH", facts.content.length.as_bytes()),
        ("CONTENT_TYPE", facts.content.kind.as_bytes()),
        // Set even if empty, since programs for websocketd may rely on them.
        ("AUTH_TYPE", facts.auth_type.as_bytes()),
        ("REMOTE_IDENT", b""),
        ("REMOTE_USER", facts.user.as_bytes()),
    ];
    let file = facts.content.script_file.map(|file| ("SCRIPT_FILENAME", file.as_os_str().as_bytes()));
    let subprotocol = facts.subprotocol.map(|name| ("SEC_WEBSOCKET_PROTOCOL", name.as_bytes()));
    let https = facts.connection.is_secure.then_some(("HTTPS", &b"on"[..]));
    let secure = https.into_iter().chain(tls.into_iter().flat_map(tls_variables));
    let own = fixed.into_iter().chain(file).chain(subprotocol).chain(secure);
    let traced = trace::variables(facts.headers).into_iter().map(|(name, value)| Variable::new(name, value));
    let own = own.map(|(name, value)| Variable::new(name, value)).chain(header_variables(facts.headers)).chain(traced);
    with_inherited(options, own.collect())
}

/// Returns the variables for a worker that many clients share. The request that started it adds only its path, of which
/// `script_name` is the part that named the program.
pub(crate) fn room_variables(options: &EnvironOptions, script_name: &[u8], path_info: &[u8]) -> Vec<Variable> {
    let path = if script_name == b"/" { path_info.to_vec() } else { [script_name, path_info].concat() };
    let id = unique_id();
    let own: [(&str, &[u8]); 6] = [
        ("GATEWAY_INTERFACE", b"CGI/1.1"),
        ("SCRIPT_NAME", script_name),
        ("PATH_INFO", path_info),
        ("PATH_TRANSLATED", &path),
        ("REQUEST_URI", &path),
        ("UNIQUE_ID", id.as_bytes()),
    ];
    with_inherited(options, own.map(|(name, value)| Variable::new(name, value)).into())
}

/// Adds `SERVER_SOFTWARE` and the inherited variables to `own`.
fn with_inherited(options: &EnvironOptions, own: Vec<Variable>) -> Vec<Variable> {
    // An inherited variable may replace SERVER_SOFTWARE only, so that it cannot pose as a fact of the request.
    let mut variables = own;
    let is_known = |variables: &[Variable], new: &Variable| variables.iter().any(|known| known.name() == new.name());
    let software = Variable::new("SERVER_SOFTWARE", &options.software);
    for variable in options.inherited.iter().chain([&software]) {
        if !is_known(&variables, variable) {
            variables.push(variable.clone());
        }
    }
    variables
}

/// Returns the variables of the TLS of a connection, by their names in Apache's `mod_ssl`.
fn tls_variables(tls: &Tls) -> impl Iterator<Item = (&str, &[u8])> {
    let verified: &[u8] = if tls.client.is_some() { b"SUCCESS" } else { b"NONE" };
    let client = tls.client.as_ref().map(|subject| ("SSL_CLIENT_S_DN", subject.as_bytes()));
    let always: [(&str, &[u8]); 3] = [
        ("SSL_PROTOCOL", tls.protocol.as_bytes()),
        ("SSL_CIPHER", tls.cipher.as_bytes()),
        ("SSL_CLIENT_VERIFY", verified),
    ];
    always.into_iter().chain(client)
}

/// Returns the `HTTP_*` variables: one for each name, with repeated headers joined.
///
/// Leaves out `Proxy`, which many programs would take for their proxy setting (httpoxy, CVE-2016-5385), and names with an
/// underscore, which could pose as another header. The length and type of a body have variables of their own.
fn header_variables(headers: &[(&str, &[u8])]) -> Vec<Variable> {
    let (mut variables, mut variable) = (Vec::<Variable>::with_capacity(headers.len()), b"HTTP_".to_vec());
    for (name, value) in headers {
        let is_content = matches!(*name, "content-length" | "content-type");
        if is_content || *name == "proxy" || name.contains('_') {
            continue;
        }
        variable.truncate("HTTP_".len());
        variable.extend(name.bytes().map(|byte| if byte == b'-' { b'_' } else { byte.to_ascii_uppercase() }));
        match variables.iter_mut().find(|known| known.name().as_bytes() == variable) {
            Some(known) => {
                known.append(if *name == "cookie" { b"; " } else { b", " });
                known.append(value.trim_ascii());
            }
            None => variables.push(Variable::new(&variable, value.trim_ascii())),
        }
    }
    variables
}

/// Returns the value of the first header of that name.
fn header<'a>(headers: &[(&str, &'a [u8])], name: &str) -> Option<&'a [u8]> {
    headers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

/// Splits `Host` into its name and its port. With a port, an IPv6 address loses its brackets; without one it keeps them.
/// Returns empty values for an invalid host. All this is as in websocketd.
fn split_host<'a>(host: &'a [u8], default_port: &'a str) -> (&'a [u8], &'a [u8]) {
    let Some(at) = host.iter().rposition(|&byte| byte == b':').filter(|_| !host.ends_with(b"]")) else {
        return (host, default_port.as_bytes());
    };
    let (name, port) = (&host[..at], &host[at + 1..]);
    match name.strip_prefix(b"[").and_then(|name| name.strip_suffix(b"]")) {
        Some(address) => (address, port),
        None if name.contains(&b':') => (b"", b""),
        None => (name, port),
    }
}

/// Returns 128 random bits in hexadecimal. Nobody can guess them, so programs may use them as a name for the session.
pub(crate) fn unique_id() -> String {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits).expect("the system has random numbers");
    HEXLOWER.encode(&bits)
}

#[cfg(test)]
mod tests {
    use super::{super::names::CGI_NAMES, *};

    #[test]
    fn host_is_split_as_websocketd_does() {
        let table = [
            ("example.com", "example.com", "80"),
            ("example.com:8080", "example.com", "8080"),
            ("[::1]", "[::1]", "80"),
            ("[::1]:8080", "::1", "8080"),
            ("a:b:c", "", ""),
            ("", "", "80"),
        ];
        for (host, name, port) in table {
            assert_eq!(split_host(host.as_bytes(), "80"), (name.as_bytes(), port.as_bytes()), "{host}");
        }
    }

    #[test]
    fn every_variable_of_a_session_is_known_by_name() {
        let client = Some("CN=a".to_owned());
        let tls = Tls { protocol: "TLSv1.3", cipher: "x".into(), client, client_name: None };
        let mut connection = Connection::none();
        (connection.tls, connection.is_secure) = (Some(tls.into()), true);
        let options = EnvironOptions { software: "wsd".to_owned(), inherited: Vec::new() };
        let parent = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let facts = Facts {
            id: "",
            connection: &connection,
            remote_host: None,
            auth_type: "",
            user: "",
            protocol: "",
            method: "",
            target: "",
            script_name: b"",
            path_info: b"",
            path: b"",
            query: "",
            headers: &[("traceparent", parent), ("tracestate", b"a=1"), ("baggage", b"a=1")],
            subprotocol: Some("chat"),
            content: CgiFacts::default(),
        };
        let names = variables(&options, &facts).into_iter().map(|variable| variable.name().to_owned());
        let mut names: Vec<_> = names.filter(|name| !name.as_bytes().starts_with(b"HTTP_")).collect();
        let mut known: Vec<std::ffi::OsString> = CGI_NAMES.map(Into::into).into();
        names.sort();
        known.sort();
        assert_eq!(names, known);
    }

    #[test]
    fn headers_become_variables() {
        let headers: [(&str, &[u8]); 8] = [
            ("host", b"h"),
            ("x-one", b" a\tb "),
            ("cookie", b"a=1"),
            ("x-one", b"c"),
            ("cookie", b"b=2"),
            ("proxy", b"http://evil.example"),
            ("x_one", b"posing"),
            ("x.dot", b"d"),
        ];
        let want = [("HTTP_HOST", "h"), ("HTTP_X_ONE", "a\tb, c"), ("HTTP_COOKIE", "a=1; b=2"), ("HTTP_X.DOT", "d")];
        assert_eq!(header_variables(&headers), want.map(|(name, value)| Variable::new(name, value)));
    }
}
