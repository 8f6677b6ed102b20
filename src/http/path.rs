//! Paths of requests, and the root folders that they must not leave.

use std::{
    borrow::Cow,
    fs, io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use percent_encoding::percent_decode_str;
use rustix::fs::{Access, access};

/// Percent-decodes the path of a request.
pub(crate) fn decode(path: &str) -> Cow<'_, [u8]> {
    percent_decode_str(path).into()
}

/// Whether `path` (decoded) is canonical: no `.`, no `..`, no NUL, no empty part except after the last slash.
pub(crate) fn is_clean(path: &[u8]) -> bool {
    let inner = path.strip_prefix(b"/").unwrap_or(path);
    let inner = inner.strip_suffix(b"/").unwrap_or(inner);
    let is_clean = |part: &[u8]| !matches!(part, b"" | b"." | b"..") && !part.contains(&0);
    matches!(path, b"" | b"/") || inner.split(|&byte| byte == b'/').all(is_clean)
}

/// The absolute path of a folder. If it is a link, somebody may point it to another folder at any time.
#[derive(Clone, Debug)]
pub(crate) struct Root(PathBuf);

impl Root {
    /// Checks that `path` is a folder that this user may search; fails with `NotADirectory` if it is none.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        if !fs::metadata(path)?.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        access(path, Access::EXEC_OK)?;
        Ok(Self(std::path::absolute(path)?))
    }

    /// Returns the absolute path.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Returns the path of `other` below this folder, such as `/cgi-bin`; empty if they are the same, `None` if it is outside.
    pub(crate) fn path_of(&self, other: &Self) -> Option<Vec<u8>> {
        let (root, other) = (fs::canonicalize(&self.0).ok()?, fs::canonicalize(&other.0).ok()?);
        let inner = other.strip_prefix(root).ok()?;
        Some(inner.iter().flat_map(|name| [b"/", name.as_bytes()].concat()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clean_path_has_one_spelling() {
        for clean in ["", "/", "*", "/a", "/a/", "/a/b.c", "/.a", "/...", "/a..b/"] {
            assert!(is_clean(clean.as_bytes()), "{clean:?}");
        }
        for unclean in ["//", "///", "//a", "/a//", "/a//b", "/.", "/./", "/..", "/../a", "/a/..", "/a/./b", "/a\0"] {
            assert!(!is_clean(unclean.as_bytes()), "{unclean:?}");
        }
    }
}
