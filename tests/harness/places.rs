//! Ports and addresses that no other test uses, for flags that take no 0.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A port on which nobody listens, and that the system gives to nobody who asks for any: those begin at 32768.
pub fn free_port() -> u16 {
    const FIRST: u32 = 20_000;
    const COUNT_MAX: u32 = 12_000;
    // Far apart for suites that run at the same time.
    let start = std::process::id().wrapping_mul(101);
    let mut ports = std::iter::repeat_with(|| {
        let step = COUNT.fetch_add(1, Ordering::Relaxed);
        u16::try_from(FIRST + start.wrapping_add(step) % COUNT_MAX).unwrap()
    });
    ports.find(|port| TcpListener::bind((Ipv4Addr::UNSPECIFIED, *port)).is_ok()).unwrap()
}

/// An address of the loopback network, all of which Linux answers to.
#[cfg(target_os = "linux")]
pub fn own_address() -> Ipv4Addr {
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let step = COUNT.fetch_add(1, Ordering::Relaxed);
    Ipv4Addr::new(127, u8::try_from(100 + step % 100).unwrap(), high, low)
}
