//! The door: accepts connections until the end, whatever happens to one of them.

pub(crate) mod listen;

use std::{io, net::SocketAddr, sync::Arc};

use rustix::io::Errno;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::sleep,
};
use tracing::warn;

use crate::{
    http::{self, Context, Site},
    limits::{ACCEPT_PAUSE, CONNECTIONS_MAX},
    peer::{Connection, Peer},
    shutdown::Shutdown,
    socket::stream::Stream,
};

/// Serves `site` to all who come to `listeners`, in tasks of `shutdown`, until it begins.
pub(crate) fn serve(listeners: Vec<TcpListener>, site: &Arc<Site>, shutdown: &Shutdown) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    for listener in listeners {
        let (site, slots, end) = (Arc::clone(site), Arc::clone(&slots), shutdown.clone());
        shutdown.spawn(async move {
            tokio::select! {
                () = accept(listener, site, slots, end.clone()) => {}
                () = end.begun() => {}
            }
        });
    }
}

/// Accepts for ever.
async fn accept(listener: TcpListener, site: Arc<Site>, slots: Arc<Semaphore>, shutdown: Shutdown) {
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        let (stream, address) = next(&listener).await;
        let connection = Connection::new(Peer::Tcp(address));
        let context = Context { site: Arc::clone(&site), connection, shutdown: shutdown.clone() };
        shutdown.spawn(async move {
            http::connection::serve(Stream::Tcp(stream), context).await;
            drop(slot);
        });
    }
}

/// The next connection. Without descriptors or memory it waits a little and tries again: some will be free some time.
async fn next(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    let mut has_warned = false;
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if is_shortage(&error) => {
                if !std::mem::replace(&mut has_warned, true) {
                    warn!(cause = %error, hint = "raise the limit of open files: ulimit -n", "connections wait");
                }
                sleep(ACCEPT_PAUSE).await;
            }
            // The client went away before it was accepted.
            Err(_) => {}
        }
    }
}

fn is_shortage(error: &io::Error) -> bool {
    let shortages = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    shortages.into_iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}
