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
    unwind_without_library();
    if env::var_os("WSD_PORTABLE").is_none() && glibc() >= Some((2, 36)) {
        // Packed relocations (`DT_RELR`), which glibc understands since 2.36: 300 KiB less of the program are read at each
        // start. The program then needs such a glibc where it runs; `WSD_PORTABLE` is for one that is to run elsewhere.
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// Takes what unwinds the stack at a panic into the program, as far as the compiler's static library is there. The shared
/// one is a file more to load, and asks the processor a dozen times what it can do: for a virtual machine a tenth of the
/// time to start.
fn unwind_without_library() {
    let Some(library) = output(Command::new("cc").arg("-print-file-name=libgcc_eh.a")) else { return };
    if let Some(folder) = Path::new(&library).parent().filter(|folder| folder.is_absolute()) {
        println!("cargo:rustc-link-search=native={}", folder.display());
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
