//! What the linker is told besides, so that the program starts faster and takes less memory; without it all works as well.

use std::{env, path::Path, process::Command};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=WSD_PORTABLE");
    let is = |name, value| env::var(name).is_ok_and(|found| found == value);
    let is_at_home = env::var("HOST") == env::var("TARGET");
    if !is_at_home || !is("CARGO_CFG_TARGET_OS", "linux") || !is("CARGO_CFG_TARGET_ENV", "gnu") {
        return;
    }
    if env::var_os("WSD_PORTABLE").is_some() {
        // Either of these may need a glibc as new as this machine's where the program runs: 2.36 and 2.35.
        return;
    }
    unwind_without_library();
    if glibc() >= Some((2, 36)) {
        // Packed relocations (`DT_RELR`), which glibc understands since 2.36: 300 KiB less of the program are read at each
        // start.
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// Takes what unwinds the stack at a panic into the program, as far as the compiler's static library is there. The shared
/// one is a file more to load, and asks the processor a dozen times what it can do: for a virtual machine a tenth of the
/// time to start.
fn unwind_without_library() {
    // A path, or the mere name if there is none.
    let library = output(Command::new("cc").arg("-print-file-name=libgcc_eh.a"));
    if library.is_some_and(|library| Path::new(&library).is_absolute()) {
        println!("cargo:rustc-link-lib=static:-bundle=gcc_eh");
    }
}

/// The version of this machine's glibc (getconf(1): `glibc 2.36`).
fn glibc() -> Option<(u32, u32)> {
    let text = output(Command::new("getconf").arg("GNU_LIBC_VERSION"))?;
    let (major, minor) = text.strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn output(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
