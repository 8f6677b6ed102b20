//! The session: carries messages both ways, and ends in good order.
//!
//! Each direction reads nothing more until the other side has taken what it read. This is backpressure, and it limits memory.

use std::{future::pending, pin::pin, time::Duration};

use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    signal::unix::{Signal, SignalKind},
    time::{Instant, interval_at, sleep, timeout},
};
use tokio_tungstenite::tungstenite::Message;

use super::{
    codec::{Inward, Outward, size_message},
    end::Finish,
    flow::Flow,
    interrupts::Interrupts,
    link::ServerLink,
    local::{FromHere, Local, ToHere},
    terminal,
};
use crate::{
    cli::connect::Wait,
    close::Close,
    limits::{CLOSE_ANSWER, PING_INTERVAL, PIPE_BYTES, SHUTDOWN_ANSWER},
    message::Kind,
    status::Status,
    worker::command::CommandProcess,
};

/// The codecs of a session, and its rule for the end of input.
#[derive(Debug)]
pub(super) struct Manner {
    /// From standard input to frames.
    pub(super) outward: Outward,
    /// From messages to standard output.
    pub(super) inward: Inward,
    /// The value of `--wait`.
    pub(super) wait: Option<Wait>,
}

/// Runs a session to its end. Returns why it ended, and how the server answered the client's close, if it did.
pub(super) async fn carry(
    link: &ServerLink,
    local: &mut Local,
    manner: &mut Manner,
    flow: &Flow,
    interrupts: &mut Interrupts,
) -> (Finish, Option<Finish>) {
    let Local { from, to, program } = local;
    let Manner { outward, inward, wait } = manner;
    let (has_program, is_terminal) = (program.is_some(), matches!(outward, Outward::Typed(_)));
    // It lives on while the client closes, so that no message which it has read is lost.
    let mut receive = pin!(receive(link.clone(), to, inward, flow, has_program));
    let (finish, has_received) = {
        let send = pin!(send(link.clone(), from, outward, flow, has_program));
        tokio::select! {
            biased;
            finish = &mut receive => (finish, true),
            () = link.pump(flow) => unreachable!("it never ends"),
            finish = send => (finish, false),
            signal = interrupts.next() => (Finish::Signal(signal), false),
            status = program_end(program.as_ref(), flow) => (Finish::Program(status), false),
            finish = flow.patience(*wait), if !has_program => (finish, false),
        }
    };
    let Some(close) = finish.close() else { return (finish, None) };
    if has_received {
        // Standard output has failed, or the server broke a rule: nobody takes its messages any more.
        let mut link = link.clone();
        let handshake = async {
            link.close_soon(close).await;
            while let Some(Ok(_)) = link.next().await {}
        };
        let _ = timeout(SHUTDOWN_ANSWER, handshake).await;
        return (finish, None);
    }
    let is_signal = matches!(finish, Finish::Signal(_));
    if link.is_away() && (is_signal || is_terminal) {
        // Nobody is there to be told, and a person waits.
        return (finish, None);
    }
    let mut closed = link.clone();
    let closing = async {
        if is_signal {
            closed.close_soon(close).await;
        } else {
            closed.close(close).await;
        }
        pending::<()>().await;
    };
    let limit = async {
        if is_signal {
            return sleep(SHUTDOWN_ANSWER).await;
        }
        link.overdue(CLOSE_ANSWER).await;
        flow.arrival(CLOSE_ANSWER).await;
    };
    tokio::select! {
        answer = receive => (finish, Some(answer)),
        () = closing => unreachable!("it never ends"),
        () = limit => (finish, None),
        // The first signal tells the exit status.
        signal = interrupts.next() => (if is_signal { finish } else { Finish::Signal(signal) }, None),
        () = link.pump(flow) => unreachable!("it never ends"),
    }
}

/// Returns once the program has ended and its output was sent. Never, without a program.
async fn program_end(program: Option<&CommandProcess>, flow: &Flow) -> Status {
    let Some(program) = program else { return pending().await };
    let status = program.ended().await;
    flow.input_taken().await;
    status
}

/// Sends input until it cannot be read. After its end, it still sends Pings.
async fn send(
    mut link: ServerLink,
    from: &mut FromHere,
    outward: &mut Outward,
    flow: &Flow,
    has_program: bool,
) -> Finish {
    let mut buffer = vec![0; PIPE_BYTES];
    let mut frames = Vec::new();
    let mut pings = interval_at(Instant::now() + PING_INTERVAL, PING_INTERVAL);
    let mut resizes = matches!(outward, Outward::Typed(_)).then(window_changes).flatten();
    let mut is_open = true;
    if resizes.is_some() {
        frames.push(size_message(terminal::size(), true));
    }
    loop {
        if send_frames(&mut link, &mut frames).await.is_err() {
            // The other half reads why: a Close frame, or the end of the connection.
            return pending().await;
        }
        if !is_open {
            if !has_program {
                // The answers cannot come before that.
                link.settled().await;
            }
            flow.end_input();
        }
        flow.await_input();
        tokio::select! {
            read = from.read(&mut buffer), if is_open => {
                match read {
                    Ok(0) => is_open = false,
                    Ok(_) => flow.take_input(),
                    Err(cause) => return Finish::Unread(cause),
                }
                let taken = match read {
                    Ok(count) if count > 0 => outward.take(&buffer[..count], &mut frames),
                    _ => outward.finish(&mut frames).map(|()| true),
                };
                match taken {
                    Ok(true) => {}
                    Ok(false) => return Finish::Done,
                    Err(garbled) => {
                        // The messages before that place are whole.
                        let _ = send_frames(&mut link, &mut frames).await;
                        return Finish::Garbled(garbled.0);
                    }
                }
            }
            _ = pings.tick() => {
                if flow.is_silent_for(2 * PING_INTERVAL) && !link.give_up() {
                    return Finish::Silent;
                }
                frames.push(Message::Ping(Vec::new().into()));
            }
            Some(()) = next_change(&mut resizes) => frames.push(size_message(terminal::size(), false)),
        }
    }
}

/// Sends frames, and returns once the kernel has them all.
async fn send_frames(link: &mut ServerLink, frames: &mut Vec<Message>) -> Result<(), ()> {
    for frame in frames.drain(..) {
        link.feed(frame).await?;
    }
    link.flush().await
}

/// Listens to changes of the terminal's size.
fn window_changes() -> Option<Signal> {
    tokio::signal::unix::signal(SignalKind::window_change()).ok()
}

async fn next_change(resizes: &mut Option<Signal>) -> Option<()> {
    match resizes {
        Some(resizes) => resizes.recv().await,
        None => pending().await,
    }
}

/// Writes the server's messages until it ends. A program that takes no more is no end: it may still print.
async fn receive(mut link: ServerLink, to: &mut ToHere, inward: &mut Inward, flow: &Flow, has_program: bool) -> Finish {
    let (mut output, mut finish, mut is_taken) = (Vec::new(), None, true);
    loop {
        let mut next = Some(link.next().await);
        while let Some(message) = next {
            finish = received(message, inward, &mut output);
            let is_full = finish.is_some() || output.len() >= PIPE_BYTES;
            next = if is_full { None } else { link.next().now_or_never() };
        }
        if !output.is_empty() && is_taken {
            flow.write(true);
            let written = async { to.write_all(&output).await.and(to.flush().await) }.await;
            flow.write(false);
            match written {
                Err(_) if has_program => is_taken = false,
                Err(cause) => return Finish::Unwritten(cause),
                Ok(()) => {}
            }
        }
        if let Some(finish) = finish {
            // The answer to a Close frame leaves with the next read.
            let rest = async { while let Some(Ok(_)) = link.next().await {} };
            if matches!(finish, Finish::Closed(..)) {
                let _ = timeout(Duration::from_secs(1), rest).await;
            }
            return finish;
        }
        output.clear();
        output.shrink_to(2 * PIPE_BYTES);
    }
}

/// Appends a message to the output, or returns the end that has come in its place.
fn received(message: Option<Result<Message, Finish>>, inward: &mut Inward, output: &mut Vec<u8>) -> Option<Finish> {
    let (kind, payload) = match message {
        Some(Ok(Message::Text(text))) => (Kind::Text, text.into()),
        Some(Ok(Message::Binary(payload))) => (Kind::Binary, payload),
        Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => return None,
        Some(Ok(Message::Close(close))) => {
            let code = close.as_ref().map(|close| close.code.into());
            return Some(Finish::Closed(code, close.map(|close| close.reason.to_string()).unwrap_or_default()));
        }
        Some(Err(finish)) => return Some(finish),
        None => return Some(Finish::Lost(String::new())),
    };
    let rejected = inward.take(kind, &payload, output).err()?;
    Some(Finish::Fault(Close::INVALID, rejected.0.to_owned()))
}
