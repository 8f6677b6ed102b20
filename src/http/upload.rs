//! Reads the body of a request that wsd needs as a whole, and limits how long its client takes.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Incoming};
use tokio::time::{Instant, timeout};

use crate::limits::{BODY_RATE_MIN, BODY_STALL_MAX, BODY_TIME_MIN};

/// A body that comes.
#[derive(Debug)]
pub(crate) struct Upload<B = Incoming> {
    body: B,
    /// The time for which wsd still waits; each byte adds to it.
    left: Duration,
}

/// Why a body is not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UploadFault {
    /// The client takes too long.
    Late,
    /// It has left, or its encoding is wrong.
    Broken,
}

impl<B: Body<Data = Bytes> + Unpin> Upload<B> {
    /// Returns a body of which nothing has been read.
    pub(crate) fn new(body: B) -> Self {
        Self { body, left: BODY_TIME_MIN }
    }

    /// Waits for the next bytes; `None` at the end. Only the time of this wait counts, not that between two.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, UploadFault> {
        loop {
            let began = Instant::now();
            let frame = timeout(self.left.min(BODY_STALL_MAX), self.body.frame()).await;
            self.left = self.left.saturating_sub(began.elapsed());
            let Some(frame) = frame.map_err(|_| UploadFault::Late)? else { return Ok(None) };
            if let Ok(data) = frame.map_err(|_| UploadFault::Broken)?.into_data() {
                self.left += Duration::from_secs(data.len() as u64) / BODY_RATE_MIN;
                return Ok(Some(data));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{Channel, channel::Sender};
    use tokio::time::sleep;

    use super::*;

    /// Sends `size` bytes after each of `pauses`, and reads them. Returns the result, and how long it took.
    async fn upload(pauses: &[Duration], size: usize) -> (Result<usize, UploadFault>, Duration) {
        let (mut sender, body): (Sender<Bytes>, _) = Channel::new(1);
        let (mut upload, began) = (Upload::new(body), Instant::now());
        let send = async move {
            for pause in pauses {
                sleep(*pause).await;
                if sender.send_data(vec![b'x'; size].into()).await.is_err() {
                    return;
                }
            }
        };
        let read = async {
            let mut bytes = 0;
            loop {
                match upload.next().await {
                    Ok(Some(data)) => bytes += data.len(),
                    Ok(None) => return Ok(bytes),
                    Err(fault) => return Err(fault),
                }
            }
        };
        let read = async {
            let read = read.await;
            (read, began.elapsed())
        };
        tokio::select! {
            biased;
            done = read => done,
            never = async { send.await; std::future::pending().await } => never,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_stops_is_late() {
        let (result, took) = upload(&[Duration::ZERO, Duration::from_mins(5)], 1).await;

        assert_eq!((result, took), (Err(UploadFault::Late), BODY_STALL_MAX));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_drips_is_late_too() {
        let (result, took) = upload(&[Duration::from_secs(1); 100], 1).await;

        assert_eq!((result, took.as_secs()), (Err(UploadFault::Late), BODY_TIME_MIN.as_secs()));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_slow_but_fast_enough_is_waited_for() {
        let rounds = 1000;

        let (result, took) = upload(&vec![Duration::from_secs(1); rounds], BODY_RATE_MIN as usize).await;

        assert_eq!((result, took.as_secs()), (Ok(rounds * BODY_RATE_MIN as usize), rounds as u64));
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_in_which_wsd_does_not_read_is_not_the_clients() {
        let (mut sender, body): (Sender<Bytes>, _) = Channel::new(2);
        let mut upload = Upload::new(body);
        for _ in 0..2 {
            sender.send_data(Bytes::from_static(b"x")).await.expect("a reader");
        }

        for _ in 0..2 {
            sleep(2 * BODY_TIME_MIN).await;
            assert_eq!(upload.next().await, Ok(Some(Bytes::from_static(b"x"))));
        }
    }
}
