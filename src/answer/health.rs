//! Answers whoever watches wsd: whether it lives, whether it is ready for clients, and its metrics. The first two ask for no
//! credentials.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use hyper::{
    HeaderMap, Method, Response, StatusCode,
    header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS},
};
use rustix::{
    fs::{Mode, OFlags, open},
    io::Errno,
};

use super::{ask::Ask, routes::Routes};
use crate::{
    http::{
        connection::{AnswerKind, HttpReply},
        page::{Body, not_found, page, text_body},
    },
    metrics::{bus::BUS, text::Exposition},
    shutdown::Shutdown,
};

/// The facts by which wsd is ready for clients, or not. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Readiness {
    /// The shutdown of wsd.
    pub(crate) shutdown: Shutdown,
    /// The number of accepted connections that wait for a descriptor.
    pub(crate) waiting: Arc<AtomicUsize>,
}

impl Readiness {
    /// Returns why wsd is not ready; `None` if it is.
    fn fault(&self, routes: &Routes) -> Option<&'static str> {
        let is_short = || {
            let opened = open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
            self.waiting.load(Ordering::Relaxed) > 0 || matches!(opened, Err(Errno::MFILE | Errno::NFILE))
        };
        match () {
            () if self.shutdown.is_announced() => Some("stopping"),
            () if is_short() => Some("out of descriptors"),
            () if routes.have_program_down() => Some("program down"),
            () => None,
        }
    }

    /// Answers at the paths of health, relative to `--base`; `None` at any other path.
    pub(super) fn answer(&self, path: &str, method: &Method, routes: &Routes) -> Option<HttpReply> {
        let (fault, bus) = match path {
            "/.wsd/live" => (None, None),
            "/.wsd/ready" => (self.fault(routes), BUS.word()),
            _ => return None,
        };
        let response = match method {
            &Method::GET | &Method::HEAD => status(fault, bus),
            _ => not_allowed(),
        };
        Some(HttpReply::new(response, AnswerKind::Watched))
    }

    /// Answers at an address of its own (`--metrics=ADDR:PORT`): nothing else is there.
    pub(crate) fn answer_alone(&self, path: &str, method: &Method, headers: &HeaderMap, routes: &Routes) -> HttpReply {
        self.answer(path, method, routes).unwrap_or_else(|| {
            let response = match path {
                "/metrics" => scrape(method, headers),
                _ => not_found("Here are /metrics, /.wsd/live and /.wsd/ready."),
            };
            HttpReply::new(response, AnswerKind::Watched)
        })
    }
}

/// Answers a request for the metrics at a path of the server itself (`--metrics=/path`).
pub(super) fn metrics(ask: &Ask) -> Option<Response<Body>> {
    let is_metrics = ask.routes.metrics.as_deref() == Some(ask.own_path());
    is_metrics.then(|| scrape(&ask.request.method, &ask.request.headers))
}

/// Answers with the metrics, in the format that the client accepts.
fn scrape(method: &Method, headers: &HeaderMap) -> Response<Body> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return not_allowed();
    }
    let accepted: Vec<_> = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let format = Exposition::accepted(&accepted.join(","));
    let mut response = Response::new(text_body(format.scrape()));
    add_headers(&mut response, format.content_type());
    response
}

/// Returns the status of wsd, and that of its bus if it has one, as JSON.
fn status(fault: Option<&'static str>, bus: Option<&'static str>) -> Response<Body> {
    // A bus that is lost is no fault: all nodes would be out of service, whose rooms go on.
    let bus = bus.map(|word| format!(",\"bus\":\"{word}\"")).unwrap_or_default();
    let mut response = Response::new(text_body(format!("{{\"status\":\"{}\"{bus}}}\n", fault.unwrap_or("ok"))));
    if fault.is_some() {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    add_headers(&mut response, "application/json");
    response
}

fn add_headers(response: &mut Response<Body>, kind: &'static str) {
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

fn not_allowed() -> Response<Body> {
    let mut response = page(StatusCode::METHOD_NOT_ALLOWED, "This page is read with GET or HEAD.");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}
