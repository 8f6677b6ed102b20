//! The address of its own for whoever watches wsd (`--metrics=ADDR:PORT`, `--metrics=unix:PATH`): metrics and health.
//!
//! It takes part in no limit of clients, and it answers until wsd ends: a shutdown can be watched.

use std::{ffi::OsString, net::IpAddr, sync::Arc};

use hyper::body::Incoming;
use tokio::sync::{Semaphore, watch};

use super::{
    listen::{Addresses, bind_tcp},
    listener::{BindError, Listener},
    next,
    unix::{self, SocketFile, UnixOptions},
};
use crate::{
    answer::{health::Readiness, routes::Routes},
    budget::Budget,
    event::Event,
    http::{self, proxies::Proxies},
    limits::WATCHERS_MAX,
    peer::{Accepted, Connection},
    shutdown::Shutdown,
    socket::stream::Stream,
};

/// The flag, for errors.
const FLAG: &str = "--metrics";

/// A place to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WatchPlace {
    /// The addresses of a name, and a port.
    Tcp(Vec<IpAddr>, u16),
    /// A Unix socket.
    Unix(OsString),
}

/// The open place. Dropping it removes the file of a Unix socket.
#[derive(Debug)]
pub(crate) struct WatchListeners(Vec<Listener>, Option<SocketFile>);

/// Listens on the place.
pub(crate) fn bind(place: &WatchPlace) -> Result<WatchListeners, BindError> {
    match place {
        WatchPlace::Tcp(addresses, port) => {
            let bound = bind_tcp(&Addresses::These(vec![addresses.clone()]), *port);
            Ok(WatchListeners(bound.map_err(|error| BindError { flag: FLAG, ..error })?, None))
        }
        WatchPlace::Unix(path) => {
            let failed =
                |cause| BindError { place: path.to_string_lossy().into_owned(), flag: FLAG, is_file: true, cause };
            let (listener, file) = unix::bind(&UnixOptions { path: path.clone(), mode: None }).map_err(failed)?;
            Ok(WatchListeners(vec![Listener::Unix(listener)], file))
        }
    }
}

impl WatchListeners {
    /// Answers until wsd ends. Returns the file of the Unix socket, to be kept until then.
    pub(crate) fn open(self, readiness: &Readiness, routes: &watch::Receiver<Arc<Routes>>) -> Option<SocketFile> {
        let slots = Arc::new(Semaphore::new(WATCHERS_MAX));
        for listener in self.0 {
            let url = listener.url("http", "/metrics");
            Event::MetricsReady { url: url.trim_end_matches('/') }.emit();
            // No task of the shutdown: that would wait for it.
            tokio::spawn(accept(listener, readiness.clone(), routes.clone(), Arc::clone(&slots)));
        }
        self.1
    }
}

/// Accepts connections; does not return.
async fn accept(listener: Listener, readiness: Readiness, routes: watch::Receiver<Arc<Routes>>, slots: Arc<Semaphore>) {
    loop {
        let (stream, peer) = next(&listener).await;
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        let (readiness, routes) = (readiness.clone(), routes.clone());
        tokio::spawn(async move {
            let connection = Connection::new(Accepted { peer, is_proxy: false }, None, slot);
            let respond = |_, request: hyper::Request<Incoming>| {
                let routes = Arc::clone(&routes.borrow());
                let (path, method, headers) = (request.uri().path(), request.method(), request.headers());
                std::future::ready(readiness.answer_alone(path, method, headers, &routes))
            };
            // Its answers count against no budget, and its connections end with wsd.
            let (budget, never, nobody) = (Budget::new(None), Shutdown::default(), Proxies::default());
            let client = (&connection, &nobody);
            http::connection::serve(Stream::Left(stream), client, &budget, &never, respond).await;
        });
    }
}
