//! Scenarios about static files: one after the other on a connection that is kept.

use std::fs::{self, Permissions};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Instant;

use crate::client::{FLOOD, head_bytes};
use crate::count::Check;
use crate::measure::{Figure, Sample, as_f64, measured};
use crate::result::Result;
use crate::server::{Contender, Job, Server};
use crate::settings::{PATIENCE, Settings};
use crate::text::Text;

/// Connections in [`small`]; one alone would mostly tell how fast the machine wakes a thread.
const CONNECTIONS: usize = 4;

/// A file of 1 KiB, on several connections.
pub(crate) fn small(settings: &Settings, contender: Contender) -> Result<Sample> {
    fetches(settings, contender, 1 << 10, CONNECTIONS)
}

/// A file of 10 MiB, on one connection.
pub(crate) fn large(settings: &Settings, contender: Contender) -> Result<Sample> {
    fetches(settings, contender, 10 << 20, 1)
}

fn fetches(settings: &Settings, contender: Contender, file_bytes: usize, connections: usize) -> Result<Sample> {
    let text = Text::of_one(file_bytes);
    let folder = settings.scratch().join("files");
    fs::create_dir_all(&folder)?;
    // nginx reads it as another user.
    fs::set_permissions(settings.scratch(), Permissions::from_mode(0o755))?;
    fs::write(folder.join("file.txt"), text.bytes())?;
    let server = Server::start(contender, Job::Files(&folder), settings)?;
    let request = format!("GET /file.txt HTTP/1.1\r\nHost: {}\r\n\r\n", server.address());
    let mut streams = Vec::new();
    for _ in 0..connections {
        let stream = TcpStream::connect(server.address())?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        streams.push(stream);
    }

    let mut run = |time| fetch_until(&mut streams, &request, &text, settings.check, Instant::now() + time);
    run(settings.time / 4)?;
    let mut sample = measured(settings, &server, || run(settings.time))?;
    if contender == Contender::Nginx {
        // Its workers are processes of their own, which are not looked at.
        sample.retain(|(figure, _)| *figure != Figure::Cpu);
    }
    if let Some(&(_, rate)) = sample.iter().find(|(figure, _)| *figure == Figure::Rate) {
        sample.push((Figure::Throughput, rate * as_f64(file_bytes as u64)));
    }
    Ok(sample)
}

/// Goes round the connections; each asks again as soon as it is found to have its last answer.
fn fetch_until(streams: &mut [TcpStream], request: &str, text: &Text, check: Check, deadline: Instant) -> Result<u64> {
    let mut buffer = vec![0; FLOOD];
    let mut count = 0;
    for stream in &mut *streams {
        stream.write_all(request.as_bytes())?;
    }
    loop {
        let is_over = Instant::now() >= deadline;
        for stream in &mut *streams {
            read_file(stream, &mut buffer, text, check)?;
            count += 1;
            if !is_over {
                stream.write_all(request.as_bytes())?;
            }
        }
        if is_over {
            return Ok(count);
        }
    }
}

/// Reads one answer, which must be a whole `text` and nothing more.
fn read_file(stream: &mut TcpStream, buffer: &mut [u8], text: &Text, check: Check) -> Result<()> {
    let mut filled = 0;
    let head = loop {
        match stream.read(&mut buffer[filled..])? {
            0 => return Err("the connection ended inside an answer".into()),
            length => filled += length,
        }
        if let Some(head) = head_bytes(&buffer[..filled]) {
            break head;
        }
    };
    if !buffer.starts_with(b"HTTP/1.1 200 ") {
        return Err(format!("answered with: {}", String::from_utf8_lossy(&buffer[..head])).into());
    }
    let mut arrived = 0;
    let mut piece = head..filled;
    loop {
        if check == Check::Bytes && !text.has(arrived, &buffer[piece.clone()]) {
            return Err("the file arrived changed".into());
        }
        arrived += piece.len() as u64;
        let left = (text.message_bytes() as u64).checked_sub(arrived).ok_or("more than the file arrived")?;
        if left == 0 {
            return Ok(());
        }
        match stream.read(buffer)? {
            0 => return Err("the connection ended inside the file".into()),
            length => piece = 0..length,
        }
    }
}
