//! `wsd connect --pty`: a person at a terminal, in a terminal of the server.

use std::fs::File;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use crate::harness::cutting::{Cut, Cutting, Way};
use crate::harness::lines::Lines;
use crate::harness::server::{Server, wsd};
use crate::harness::{DEADLINE, eventually, within};

/// The streams that are on a screen.
#[derive(Clone, Copy)]
enum Screen {
    /// Standard output.
    Output,
    /// Standard error, too.
    All,
}

/// A terminal with `wsd connect --pty` in it.
struct Desk {
    screen: File,
    slave: OwnedFd,
    child: Child,
    errors: Option<Arc<Lines>>,
    shown: Arc<Mutex<Vec<u8>>>,
}

impl Desk {
    fn sit_at(server: &Server, size: (u16, u16)) -> Self {
        Self::with(server.address, &[], size)
    }

    fn with(address: SocketAddr, more: &[&str], size: (u16, u16)) -> Self {
        Self::start(address, more, size, Screen::Output)
    }

    fn start(address: SocketAddr, more: &[&str], size: (u16, u16), screen: Screen) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).unwrap();
        unlockpt(&master).unwrap();
        let slave = ioctl_tiocgptpeer(&master, flags).unwrap();
        resize(&slave, size);
        let mut command = wsd(&[&["connect", "--pty", &format!("ws://{address}/")], more].concat());
        command.stdin(Stdio::from(slave.try_clone().unwrap())).stdout(Stdio::from(slave.try_clone().unwrap()));
        command.stderr(match screen {
            Screen::Output => Stdio::piped(),
            Screen::All => Stdio::from(slave.try_clone().unwrap()),
        });
        let mut child = command.spawn().unwrap();
        let errors = child.stderr.take().map(Lines::of);
        let (screen, shown) = (File::from(master), Arc::<Mutex<Vec<u8>>>::default());
        let (mut reader, writer) = (screen.try_clone().unwrap(), Arc::clone(&shown));
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut bytes) {
                writer.lock().unwrap().extend_from_slice(&bytes[..count]);
            }
        });
        Self { screen, slave, child, errors, shown }
    }

    /// Types once the terminal is raw: it shows keys by itself before.
    fn types(&mut self, keys: &str) {
        eventually("the terminal is raw", || self.is_raw().then_some(()));
        self.screen.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until this text is on the screen, and clears that.
    fn sees(&mut self, text: &str) {
        let look = || self.shown.lock().unwrap().windows(text.len()).position(|window| window == text.as_bytes());
        let Some(at) = within(DEADLINE, look) else {
            panic!("no {text:?} on the screen: {}", self.shown.lock().unwrap().escape_ascii());
        };
        self.shown.lock().unwrap().drain(..at + text.len());
    }

    fn is_raw(&self) -> bool {
        !tcgetattr(&self.slave).unwrap().local_modes.contains(LocalModes::ICANON)
    }

    fn ends(&mut self) -> (Option<i32>, String) {
        let status = eventually("the client ends", || self.child.try_wait().unwrap());
        assert!(!self.is_raw(), "the terminal is as it was");
        (status.code(), self.errors.as_ref().unwrap().wait_for_end())
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn resize(terminal: &OwnedFd, (columns, rows): (u16, u16)) {
    tcsetwinsize(terminal, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
}

#[test]
fn a_shell_there_has_the_keys_the_size_and_the_status() {
    let server = Server::command(&["--pty"], &["sh", "-c", "PS1='ready> ' exec sh -i"]);
    let mut desk = Desk::sit_at(&server, (93, 31));
    desk.sees("ready> ");
    assert!(desk.is_raw());

    desk.types("stty size\r");
    desk.sees("31 93");
    resize(&desk.slave, (70, 20));
    kill_process(Pid::from_child(&desk.child), Signal::WINCH).unwrap();
    desk.types("while [ \"$(stty size)\" != '20 70' ]; do :; done; echo re''sized\r");
    desk.sees("resized");
    // Ctrl-C is the program's.
    desk.types("trap 'echo inter''rupted' INT; echo wait''ing; sleep 1000\r");
    desk.sees("waiting");
    desk.types("\x03");
    desk.sees("interrupted");
    desk.types("exit 4\r");

    assert_eq!(desk.ends(), (Some(4), String::new()));
}

#[test]
fn a_terminal_survives_a_cut_with_resume() {
    let server = Server::command(&["--pty", "--resume=60"], &["cat"]);
    let mut cut = Some(Cut { down: 1000, up: usize::MAX, way: Way::Reset });
    let whole = Cut { down: usize::MAX, up: usize::MAX, way: Way::Fin };
    let proxy = Cutting::to(server.address, move || cut.take().unwrap_or(whole));
    let mut desk = Desk::with(proxy.address, &["--resume"], (80, 24));

    for number in 0..60 {
        desk.types(&format!("line {number}\r"));
        desk.sees(&format!("line {number}\r\nline {number}\r\n"));
    }
    server.expect_log("session resumed");
    desk.types("~.");

    assert_eq!(desk.ends(), (Some(0), String::new()));
    assert!(server.expect_log("session ended").text.contains(" code=1000 "));
}

#[test]
fn a_message_on_a_terminal_in_raw_mode_begins_at_the_left() {
    let mut server = Server::command(&["--pty", "--resume=1"], &["cat"]);
    let mut desk = Desk::start(server.address, &["--resume"], (80, 24), Screen::All);
    desk.types("a\r");
    desk.sees("a\r\na\r\n");

    server.signal(Signal::KILL);
    server.wait();

    desk.sees("\r\nwsd: cannot connect to ");
    desk.sees(" s\r\n");
    assert_eq!(eventually("the client ends", || desk.child.try_wait().unwrap()).code(), Some(1));
    desk.sees("wsd: the session is gone: ");
}

#[test]
fn enter_tilde_dot_leaves() {
    let server = Server::command(&["--pty"], &["cat"]);
    let mut desk = Desk::sit_at(&server, (80, 24));
    desk.types("a\r");
    desk.sees("a\r\na\r\n");

    desk.types("~.");

    assert_eq!(desk.ends(), (Some(0), String::new()));
    assert!(server.expect_log("session ended").text.contains(" code=1000 "));
}

#[test]
fn a_program_without_a_terminal_is_told_as_that() {
    let server = Server::command(&[], &["cat"]);
    let mut desk = Desk::sit_at(&server, (80, 24));

    let (status, errors) = desk.ends();

    assert_eq!(status, Some(1));
    assert!(errors.contains("the program there has no terminal\nhint: serve the program with wsd --pty"), "{errors}");
}
