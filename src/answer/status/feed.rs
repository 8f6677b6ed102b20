//! The status as an event stream. All watchers share one snapshot a second, and without a watcher there is none.

use std::{
    future::pending,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use futures_util::{StreamExt, stream::unfold};
use http_body_util::{BodyExt, StreamBody};
use hyper::{
    Response, StatusCode,
    body::Frame,
    header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue},
};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval, sleep_until},
};

use super::{super::ask::Ask, turn::make_snapshot};
use crate::{
    http::{gate::Visitor, page::Body, refusal::Refusal},
    limits::{STATUS_INTERVAL, STATUS_WATCHERS_MAX},
    shutdown::Shutdown,
};

/// The latest event; `None` while nobody watches. A watcher that is too slow for some events misses these.
static LATEST: Mutex<Option<Arc<watch::Sender<Bytes>>>> = Mutex::new(None);

/// Answers with an event each second, until the client's proof expires.
pub(super) fn answer(ask: &Ask, visitor: &Visitor) -> Result<Response<Body>, Refusal> {
    let Some(watcher) = watch(ask) else {
        let text = "Too many clients watch the status. Close one, or try again later.";
        return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "watchers", text).with_retry());
    };
    let expiry = visitor.expiry;
    let expired = Box::pin(async move {
        match expiry {
            Some(at) => sleep_until(at).await,
            None => pending().await,
        }
    });
    let events = unfold(watcher, |mut watcher| async move {
        watcher.changed().await.ok()?;
        let event = watcher.borrow_and_update().clone();
        Some((Ok(Frame::data(event)), watcher))
    });
    let mut response = Response::new(StreamBody::new(events.take_until(expired)).boxed_unsync());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store, no-transform"));
    // nginx would hold the events back.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}

/// Returns a receiver of the events; `None` if there are too many. The first watcher starts the task that makes them.
fn watch(ask: &Ask) -> Option<watch::Receiver<Bytes>> {
    let mut latest = lock();
    if let Some(sender) = &*latest {
        if sender.receiver_count() >= STATUS_WATCHERS_MAX {
            return None;
        }
        let mut receiver = sender.subscribe();
        if !receiver.borrow().is_empty() {
            receiver.mark_changed();
        }
        return Some(receiver);
    }
    let (sender, receiver) = watch::channel(Bytes::new());
    let sender = Arc::new(sender);
    *latest = Some(Arc::clone(&sender));
    ask.spawn(tell(sender, ask.shutdown.clone()));
    Some(receiver)
}

/// Makes an event each second while somebody watches.
async fn tell(sender: Arc<watch::Sender<Bytes>>, shutdown: Shutdown) {
    let mut ticks = interval(STATUS_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let is_over = tokio::select! {
            biased;
            () = shutdown.begun() => true,
            () = sender.closed() => false,
            _ = ticks.tick() => false,
        };
        let mut latest = lock();
        // Under the lock: nobody can begin to watch in between.
        if is_over || sender.receiver_count() == 0 {
            *latest = None;
            return;
        }
        drop(latest);
        let json = make_snapshot().await;
        sender.send_replace(format!("data: {json}\n\n").into());
    }
}

fn lock() -> MutexGuard<'static, Option<Arc<watch::Sender<Bytes>>>> {
    LATEST.lock().unwrap_or_else(PoisonError::into_inner)
}
