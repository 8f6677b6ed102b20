//! Standard output: one message a line.

use std::io;

use tokio::{
    io::{AsyncWriteExt as _, stdout},
    sync::{mpsc, oneshot},
};

use crate::limits::CONNECT_MCP_WAITING_MAX;

/// A line, or the wish to know when all lines before it are written.
enum OutputItem {
    Line(Vec<u8>),
    Mark(oneshot::Sender<()>),
}

/// The sending end of standard output.
#[derive(Clone)]
pub(super) struct McpOutput(mpsc::Sender<OutputItem>);

/// The lines that wait.
pub(super) struct OutputLines(mpsc::Receiver<OutputItem>);

/// Returns both ends.
pub(super) fn output() -> (McpOutput, OutputLines) {
    let (sender, receiver) = mpsc::channel(CONNECT_MCP_WAITING_MAX);
    (McpOutput(sender), OutputLines(receiver))
}

impl McpOutput {
    /// Writes a message, which is one line. Waits while too many do.
    pub(super) async fn send(&self, mut line: Vec<u8>) {
        line.push(b'\n');
        // Fails if standard output is gone, of which the reader tells.
        let _ = self.0.send(OutputItem::Line(line)).await;
    }

    /// Waits until all lines are written.
    pub(super) async fn flush(&self) {
        let (mark, reached) = oneshot::channel();
        if self.0.send(OutputItem::Mark(mark)).await.is_ok() {
            let _ = reached.await;
        }
    }
}

impl OutputLines {
    /// Writes lines, each at once, until that fails.
    pub(super) async fn write(mut self) -> io::Error {
        let mut stdout = stdout();
        loop {
            match self.0.recv().await {
                Some(OutputItem::Line(line)) => {
                    let written = async {
                        stdout.write_all(&line).await?;
                        stdout.flush().await
                    };
                    if let Err(cause) = written.await {
                        return cause;
                    }
                }
                Some(OutputItem::Mark(mark)) => drop(mark.send(())),
                None => return std::future::pending().await,
            }
        }
    }
}
