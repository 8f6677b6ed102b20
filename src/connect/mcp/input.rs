//! Standard input: each line is a message for the server.

use std::{
    collections::HashMap,
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Stdin, stdin},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::{AbortHandle, JoinHandle},
    time::sleep,
};
use tokio_util::task::TaskTracker;

use super::{
    bridge::{McpBridge, McpMessage},
    fault::{BridgeFault, INVALID_REQUEST, PARSE_ERROR},
    relay::{AnswerTaker, StreamCursor, post, relay},
    session::{follow, notify, renew, unanswered},
    wire::lock,
};
use crate::{
    connect::say::say,
    limits::{CONNECT_MCP_CALLS_MAX, CONNECT_MESSAGE_BYTES_MAX},
    mcp::message::NoMessage,
};

/// A request without its answer.
struct UnansweredCall {
    is_modern: bool,
    task: AbortHandle,
}

/// The requests without their answers, by the text of their ids.
type UnansweredCalls = Mutex<HashMap<Vec<u8>, UnansweredCall>>;

/// Standard input, and the requests that came from it.
pub(super) struct McpInput {
    bridge: Arc<McpBridge>,
    stdin: BufReader<Stdin>,
    pending: Arc<UnansweredCalls>,
    /// The tasks of requests that end by themselves.
    tasks: TaskTracker,
    slots: Arc<Semaphore>,
    has_failed: Arc<AtomicBool>,
}

impl McpInput {
    /// Returns standard input.
    pub(super) fn new(bridge: &Arc<McpBridge>) -> Self {
        Self {
            bridge: Arc::clone(bridge),
            stdin: BufReader::new(stdin()),
            pending: Arc::default(),
            tasks: TaskTracker::new(),
            slots: Arc::new(Semaphore::new(CONNECT_MCP_CALLS_MAX)),
            has_failed: Arc::default(),
        }
    }

    /// Whether a request has failed for another reason than the server's program.
    pub(super) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Relaxed)
    }

    /// Sends all messages, to the end of standard input.
    pub(super) async fn carry(&mut self) -> io::Result<()> {
        loop {
            let mut line = Vec::new();
            let bytes_max = u64::try_from(CONNECT_MESSAGE_BYTES_MAX).unwrap_or(u64::MAX);
            let count = (&mut self.stdin).take(bytes_max).read_until(b'\n', &mut line).await?;
            if count == CONNECT_MESSAGE_BYTES_MAX {
                let text = format!("a message is over the limit of {} MiB", CONNECT_MESSAGE_BYTES_MAX >> 20);
                return Err(io::Error::other(text));
            }
            if count == 0 {
                return Ok(());
            }
            line.truncate(line.trim_ascii_end().len());
            if line.is_empty() {
                continue;
            }
            match McpMessage::read(line) {
                Ok(message) => self.send(message).await,
                Err(why) => {
                    let fault = match why {
                        NoMessage::NotJson => BridgeFault::of_line(PARSE_ERROR, "the line is not JSON"),
                        NoMessage::NotOne(why) => BridgeFault::of_line(INVALID_REQUEST, why),
                    };
                    self.bridge.output.send(fault.line(b"null")).await;
                }
            }
        }
    }

    /// Sends a message. Waits until the server has it, except for a request, of which only `initialize` must come before others.
    async fn send(&mut self, message: McpMessage) {
        let Some(id) = message.request_id().map(<[u8]>::to_vec) else { return self.tell(message).await };
        let Ok(slot) = Arc::clone(&self.slots).acquire_owned().await else { return };
        let is_initialize = message.is_initialize();
        let task = self.begin(id, message, slot);
        if is_initialize {
            let _ = task.await;
        }
    }

    /// Sends a request in a task of its own.
    fn begin(&self, id: Vec<u8>, message: McpMessage, slot: OwnedSemaphorePermit) -> JoinHandle<()> {
        let is_modern = message.is_modern();
        // It has no end of its own.
        let is_listen = message.parts.method == "subscriptions/listen";
        let (bridge, pending, failed, own_id) =
            (Arc::clone(&self.bridge), Arc::clone(&self.pending), Arc::clone(&self.has_failed), id.clone());
        // The task must not look for itself in the table before it is there.
        let mut table = lock(&self.pending);
        let call = async move {
            if let Err(fault) = call(&bridge, &message).await {
                if let Some(error) = &fault.told {
                    failed.store(true, Ordering::Relaxed);
                    say(&error.to_string());
                }
                bridge.output.send(fault.line(&own_id)).await;
            }
            lock(&pending).remove(&own_id);
            drop(slot);
        };
        let task = if is_listen { tokio::spawn(call) } else { self.tasks.spawn(call) };
        table.insert(id, UnansweredCall { is_modern, task: task.abort_handle() });
        task
    }

    /// Sends a message that is no request. A modern request is cancelled by the end of its answer, not by a message.
    async fn tell(&self, message: McpMessage) {
        let cancelled = (message.parts.method == "notifications/cancelled")
            .then(|| message.parts.cancelled.clone().and_then(|id| lock(&self.pending).remove(&message.text[id])));
        match cancelled.flatten() {
            Some(call) if call.is_modern => call.task.abort(),
            Some(call) => {
                notify(&self.bridge, &message).await;
                call.task.abort();
            }
            None => notify(&self.bridge, &message).await,
        }
    }

    /// Waits for the answers to all requests; after such a silence of the server no more.
    pub(super) async fn wait(&self, silence_max: Option<Duration>) {
        self.tasks.close();
        let silent = async {
            let Some(silence_max) = silence_max else { return std::future::pending().await };
            let began = std::time::Instant::now();
            loop {
                let since = self.bridge.wire.heard().max(began).elapsed();
                if since >= silence_max {
                    return;
                }
                sleep(silence_max.saturating_sub(since)).await;
            }
        };
        tokio::select! {
            biased;
            () = self.tasks.wait() => {}
            () = silent => {}
        }
    }

    /// Drops the requests without answers.
    pub(super) fn stop(&self) {
        lock(&self.pending).drain().for_each(|(_, call)| call.task.abort());
    }
}

/// Sends a request, and passes on its answer.
async fn call(bridge: &Arc<McpBridge>, message: &McpMessage) -> Result<(), BridgeFault> {
    let mut session = bridge.session();
    let mut answer = post(bridge, message, &session).await?;
    let is_legacy = !message.is_modern();
    if !answer.head.status.is_success() {
        let fault = BridgeFault::of(answer, &bridge.wire.place).await;
        let is_lost = is_legacy && fault.is_lost_session && session.has_id() && !message.is_initialize();
        if !is_lost {
            return Err(fault);
        }
        session = renew(bridge, &session).await?;
        answer = post(bridge, message, &session).await?;
        if !answer.head.status.is_success() {
            return Err(BridgeFault::of(answer, &bridge.wire.place).await);
        }
    }
    let (asker, mut cursor) = (AnswerTaker { request: Some(message), is_hidden: false }, StreamCursor::default());
    let first = relay(bridge, answer, &asker, &mut cursor).await;
    if is_legacy {
        let session = if message.is_initialize() { bridge.session() } else { session };
        return follow(bridge, &session, &asker, cursor, first).await;
    }
    first?;
    if cursor.is_answered { Ok(()) } else { Err(unanswered(bridge).into()) }
}
