//! Ends a program of the gateway.

use std::{convert::Infallible, future::poll_fn, task::Poll, time::Duration};

use crate::{
    buffers,
    peer::Connection,
    status::Status,
    sys::ResourceUsage,
    worker::{child::Child, input::Input, outputs::Outputs, stop::stop},
};

/// Closes the program's input, stops it and logs the rest of its standard error. `patience` is that of [`stop`].
pub(super) async fn end(
    (mut child, input, mut outputs): (Child, Input, Outputs),
    connection: &Connection,
    patience: Duration,
) -> (Status, Option<ResourceUsage>) {
    child.remember();
    drop(input);
    let drain = poll_fn(|cx| {
        buffers::with_read(|buffer| outputs.drain(cx, buffer, connection));
        Poll::<Infallible>::Pending
    });
    let status = tokio::select! {
        biased;
        status = stop(&mut child, patience, connection, None) => status,
        never = drain => match never {},
    };
    let usage = child.usage();
    drop(child);
    outputs.log_to_the_end(connection).await;
    (status, usage)
}
