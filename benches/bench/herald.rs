//! A worker that prints one line and exits, small enough to hide nothing of what a server does to start it.
//!
//! `echo` spends three quarters of a millisecond on loading and locales, more than a server needs for a whole session.
//! So this is an ELF file of some 200 bytes: two system calls, no library.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::result::Result;

/// Writes the program into `folder` and returns its path. On processors other than x86-64 it is a shell script.
pub(crate) fn install(folder: &Path, line: &[u8]) -> Result<String> {
    let path = folder.join("herald");
    if !path.exists() {
        let program = if cfg!(target_arch = "x86_64") { elf(line)? } else { [b"#!/bin/sh\necho ", line].concat() };
        fs::write(&path, program)?;
        fs::set_permissions(&path, Permissions::from_mode(0o755))?;
    }
    Ok(path.to_str().ok_or("the path of the temporary folder is not UTF-8")?.to_owned())
}

/// Where the file lies in memory; the customary address.
const BASE: u32 = 0x40_0000;
const HEADER_BYTES: u8 = 64;
const SEGMENT_BYTES: u8 = 56;
const CODE_BYTES: u8 = 28;

/// `write(1, line); exit(0)` as a static executable: header, the one segment (all of the file), code, line.
fn elf(line: &[u8]) -> Result<Vec<u8>> {
    let code_start = u32::from(HEADER_BYTES + SEGMENT_BYTES);
    let line_start = code_start + u32::from(CODE_BYTES);
    let line_bytes = u32::try_from(line.len())?;
    let file_bytes = line_start + line_bytes;

    let mut file = b"\x7fELF\x02\x01\x01".to_vec(); // 64 bits, little endian, version 1
    file.resize(16, 0);
    file.extend([2, 0, 62, 0, 1, 0, 0, 0]); // an executable for x86-64, version 1
    file.extend(u64::from(BASE + code_start).to_le_bytes()); // entry
    file.extend(u64::from(HEADER_BYTES).to_le_bytes()); // where the segments are listed
    file.extend([0; 12]); // no sections, no flags
    file.extend([HEADER_BYTES, 0, SEGMENT_BYTES, 0, 1, 0, 0, 0, 0, 0, 0, 0]); // one segment

    file.extend([1, 0, 0, 0, 5, 0, 0, 0]); // load it, to be read and executed
    for value in [0, BASE, BASE, file_bytes, file_bytes, 0x1000] {
        file.extend(u64::from(value).to_le_bytes()); // offset, addresses, sizes, alignment
    }

    file.extend([0xb8, 1, 0, 0, 0]); // mov eax, 1 (write)
    file.extend([0x89, 0xc7]); // mov edi, eax (standard output)
    file.push(0xbe); // mov esi, line
    file.extend((BASE + line_start).to_le_bytes());
    file.push(0xba); // mov edx, length
    file.extend(line_bytes.to_le_bytes());
    file.extend([0x0f, 0x05]); // syscall
    file.extend([0xb8, 231, 0, 0, 0]); // mov eax, 231 (exit_group)
    file.extend([0x31, 0xff]); // xor edi, edi
    file.extend([0x0f, 0x05]); // syscall

    file.extend(line);
    Ok(file)
}
