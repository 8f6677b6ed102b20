//! One HTTP connection: requests one after the other, until it is closed or becomes a WebSocket.

use std::pin::pin;

use hyper::{server::conn::http1, service::service_fn, upgrade::Upgraded};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use super::{
    Context,
    pace::{Answering, Paced},
    respond,
};
use crate::{
    limits::{HEAD_BYTES_MAX, HTTP_BUFFER_BYTES_MAX, SHUTDOWN_ANSWER},
    socket::stream::Stream,
};

/// Serves `stream` until it is closed, or handed over to a session.
pub(crate) async fn serve(stream: Stream, context: Context) {
    let answering = Answering::default();
    let paced = Paced::new(stream, answering.clone());
    let shutdown = context.shutdown.clone();
    let service = service_fn(move |request| {
        let answer = answering.begin();
        let response = respond(context.clone(), request);
        async move {
            let response = response.await;
            drop(answer);
            response
        }
    });
    let connection = http1::Builder::new()
        .header_read_timeout(None)
        .max_header_size(HEAD_BYTES_MAX)
        .max_buf_size(HTTP_BUFFER_BYTES_MAX)
        .serve_connection(TokioIo::new(paced), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    // Errors here are the client's: it broke HTTP, was too slow or went away. hyper has answered what can be answered.
    tokio::select! {
        _ = connection.as_mut() => {}
        () = shutdown.begun() => {
            connection.as_mut().graceful_shutdown();
            let _ = timeout(SHUTDOWN_ANSWER, connection).await;
        }
    }
}

/// The connection under an upgraded one, and what the client sent of its first frames with the request.
pub(super) fn into_stream(upgraded: Upgraded) -> (Stream, Vec<u8>) {
    let parts = upgraded.downcast::<TokioIo<Paced>>().expect("every connection is served through Paced");
    // A copy, most often of nothing: the buffer itself would keep hyper's 8 KiB for as long as the session.
    (parts.io.into_inner().into_inner(), parts.read_buf.to_vec())
}
