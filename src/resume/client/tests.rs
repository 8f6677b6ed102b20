//! Tests how long a session waits for its client, with a paused clock, and which bytes it counts.

use std::future::poll_fn;

use tokio::{net::UnixStream, time::timeout};

use super::*;
use crate::{
    budget::{Budget, OwnerKind},
    client::Client,
    close::Close,
    limits::ANSWER_STALL_MAX,
    message::{Kind, Piece},
    resume::door::Doors,
    socket::{
        SocketOptions,
        stream::{Plain, Stream},
    },
};

const KEEP: Duration = Duration::from_mins(10);

/// Returns a client, and the other end of its connection.
fn client(doors: &Doors) -> (Resumable, UnixStream) {
    let (own, other) = UnixStream::pair().expect("a pair of sockets");
    let socket = SocketOptions { message_bytes_max: 1000, ping_interval: None };
    let owner = Owner::new(&Budget::new(None), OwnerKind::Client);
    let link = Link::Socket(Socket::new(Stream::Left(Plain::Right(own)), Vec::new(), (&socket, None), &owner));
    let options =
        ResumeOptions { keep: KEEP, replay_bytes_max: 1000, message_bytes_max: 1000, socket, doors: doors.clone() };
    let (options, shutdown) = (Arc::new(options), Shutdown::default());
    let client = Resumable::new(1, link, doors.open(0, false), (&options, Overflow::Block), (&owner, &shutdown), false);
    (client, other)
}

/// Waits until the session is over. Returns the time that it took.
async fn expiry(client: &mut Resumable) -> Duration {
    let began = Instant::now();
    timeout(10 * KEEP, poll_fn(|cx| client.poll_expiry(cx))).await.expect("the session does not wait for ever");
    began.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_takes_its_101_does_not_keep_the_session() {
    let doors = Doors::default();
    let (mut client, _other) = client(&doors);
    client.lose();
    let _claim = doors.claim(client.door.token(), 0, None).expect("the session is known");

    let time = expiry(&mut client).await;

    assert!(time >= KEEP && time < KEEP + ANSWER_STALL_MAX + Duration::from_secs(1), "{time:?}");
    assert!(doors.claim(client.door.token(), 0, None).is_none());
}

#[tokio::test(start_paused = true)]
async fn no_return_extends_the_time_of_a_session_that_has_ended() {
    let doors = Doors::default();
    let (mut client, _other) = client(&doors);
    let mut ending = Ending::new(&client.owner);
    ending.set_close(&Close::new(1000, ""), KEEP);
    client.ending = Some(Box::new(ending));

    tokio::time::advance(KEEP / 2).await;
    client.lose();
    let first = expiry(&mut client).await;
    client.lose();
    let _claim = doors.claim(client.door.token(), 0, None);
    let second = expiry(&mut client).await;

    assert!(first >= KEEP / 2 && first < KEEP / 2 + Duration::from_secs(1), "{first:?}");
    assert!(second < Duration::from_secs(1), "{second:?}");
}

#[tokio::test]
async fn bytes_count_that_a_client_acknowledges_before_it_takes_them() {
    const LARGE: usize = 1 << 20;
    let (mut client, _other) = client(&Doors::default());
    // The second message ends the chunk of the first one, so that the connection takes that without a copy.
    for payload in [&vec![b'a'; LARGE][..], b"b"] {
        client.append(Piece::whole(Kind::Text, payload));
    }
    poll_fn(|cx| Poll::Ready(client.poll_feed(cx).is_pending())).await;

    client.ring.acknowledge(1).expect("it was sent");

    // The system has the rest.
    assert!(client.held().0 > LARGE / 2, "{:?}", client.held());
}
