//! An authentication server of the test's own: it answers each request with bytes that the test chooses.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::sync::{Arc, Mutex};
use std::thread;

/// A server, and the heads of the requests that it got. Its thread ends with the test.
pub(super) struct Backend {
    /// The address.
    pub(super) address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

/// Returns the answer to a head; `None` gives none and keeps the connection open.
type Answer = Box<dyn FnMut(&str) -> Option<Vec<u8>> + Send>;

impl Backend {
    /// Starts a server on TCP.
    pub(super) fn start(answer: impl FnMut(&str) -> Option<Vec<u8>> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, heads) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<String>>>::default());
        let (seen, mut answer): (_, Answer) = (Arc::clone(&heads), Box::new(answer));
        thread::spawn(move || {
            let mut kept = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                kept.extend(serve(&mut stream, &seen, &mut answer).then_some(stream));
            }
        });
        Self { address, heads }
    }

    /// Starts a server on a Unix socket.
    pub(super) fn unix(path: &str, answer: impl FnMut(&str) -> Option<Vec<u8>> + Send + 'static) {
        let (listener, mut answer): (_, Answer) = (UnixListener::bind(path).unwrap(), Box::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming() {
                serve(&mut stream.unwrap(), &Mutex::default(), &mut answer);
            }
        });
    }

    /// Starts a server that knows who shows this line.
    pub(super) fn that_knows(line: String) -> Self {
        Self::start(move |head| {
            let is_known = head.to_ascii_lowercase().contains(&line.trim().to_ascii_lowercase());
            let known = "HTTP/1.1 200 OK\r\nRemote-User: ada\r\nContent-Length: 0\r\n\r\n";
            Some(if is_known { known } else { "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n" }.into())
        })
    }

    /// Returns the flag for it.
    pub(super) fn flag(&self) -> String {
        format!("--auth=url:http://{}/check", self.address)
    }

    /// Returns the last head.
    pub(super) fn last(&self) -> String {
        self.heads.lock().unwrap().last().cloned().unwrap_or_default()
    }

    /// Returns the number of requests.
    pub(super) fn count(&self) -> usize {
        self.heads.lock().unwrap().len()
    }
}

/// Reads a head and answers it. Returns whether to keep the connection open.
fn serve(stream: &mut (impl Read + Write), seen: &Mutex<Vec<String>>, answer: &mut Answer) -> bool {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    seen.lock().unwrap().push(head.clone());
    match answer(&head) {
        Some(bytes) => {
            let _ = stream.write_all(&bytes);
            false
        }
        None => true,
    }
}
