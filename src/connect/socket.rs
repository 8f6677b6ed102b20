//! The client's end of a WebSocket: tungstenite's, with compression above and below it.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::{Sink, SinkExt as _, Stream, StreamExt as _};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        protocol::{
            CloseFrame,
            frame::{
                Frame,
                coding::{Data, OpCode},
            },
        },
    },
};

use super::{unpacked::UnpackedStream, watched::WatchedStream};
use crate::{
    cli::types::CompressWord,
    deflate::{
        negotiation::Agreement,
        options::{AgreedCompression, CompressOptions},
        packer::Packer,
        pool::Pool,
    },
    limits::COMPRESS_BYTES_MIN,
};

/// The client's end of a WebSocket.
pub(super) struct ClientSocket {
    socket: WebSocketStream<UnpackedStream>,
    /// Compresses messages, if the server agreed.
    packer: Option<Box<Packer>>,
}

impl ClientSocket {
    /// Returns a socket; `agreed` is what the server has agreed to.
    pub(super) fn new(socket: WebSocketStream<UnpackedStream>, agreed: Option<AgreedCompression>) -> Self {
        Self { socket, packer: agreed.map(|agreed| Box::new(Packer::new(agreed))) }
    }

    /// Returns the byte stream with the server's own frames.
    pub(super) fn get_ref(&self) -> &WatchedStream {
        self.socket.get_ref().watched()
    }

    /// Sends a Close frame.
    pub(super) async fn close(&mut self, close: Option<CloseFrame>) -> Result<(), Error> {
        self.socket.close(close).await
    }

    /// Compresses a frame of a message, if that pays. Control messages are messages of tungstenite's, and stay plain.
    fn pack(&mut self, message: Message) -> Message {
        let (Some(packer), Message::Frame(frame)) = (&mut self.packer, &message) else { return message };
        let header = frame.header();
        let (opcode, is_final) = (header.opcode, header.is_final);
        let OpCode::Data(data) = opcode else { return message };
        let mut smaller = None;
        packer.pack(data != Data::Continue, is_final, frame.payload(), |payload, is_packed| {
            if is_packed {
                let mut frame = Frame::message(payload.to_vec(), opcode, is_final);
                frame.header_mut().rsv1 = data != Data::Continue;
                smaller = Some(Message::Frame(frame));
            }
        });
        smaller.unwrap_or(message)
    }
}

/// Returns the settings of `--compress`; `None` without it.
pub(super) fn compression(word: Option<&CompressWord>) -> Option<Arc<CompressOptions>> {
    let bytes_min = match word? {
        CompressWord::Switch(false) => return None,
        CompressWord::Switch(true) => COMPRESS_BYTES_MIN,
        CompressWord::From(bytes) => *bytes,
    };
    Some(Arc::new(CompressOptions { bytes_min, pool: Pool::new(usize::MAX) }))
}

/// Joins the client's settings and a server's agreement.
pub(super) fn agreed(options: &Arc<CompressOptions>, agreement: Agreement) -> AgreedCompression {
    AgreedCompression { options: Arc::clone(options), agreement }
}

impl Stream for ClientSocket {
    type Item = Result<Message, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.socket.poll_next_unpin(cx)
    }
}

impl Sink<Message> for ClientSocket {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.socket.poll_ready_unpin(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        let message = self.pack(message);
        self.socket.start_send_unpin(message)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.socket.poll_flush_unpin(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.socket.poll_close_unpin(cx)
    }
}
