//! Paths of requests, and how they are kept inside a root.

use std::{
    borrow::Cow,
    fs, io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use percent_encoding::percent_decode_str;

/// The path of a request, percent-decoded.
pub(crate) fn decode(path: &str) -> Cow<'_, [u8]> {
    percent_decode_str(path).into()
}

/// Whether `path` (decoded) is its own only spelling: no `.`, no `..`, no NUL, nothing empty but after the last slash.
pub(crate) fn is_clean(path: &[u8]) -> bool {
    let inner = path.strip_prefix(b"/").unwrap_or(path);
    let inner = inner.strip_suffix(b"/").unwrap_or(inner);
    let is_clean = |part: &[u8]| !matches!(part, b"" | b"." | b"..") && !part.contains(&0);
    matches!(path, b"" | b"/") || inner.split(|&byte| byte == b'/').all(is_clean)
}

/// A folder, absolute. If it is a link it may be turned to another folder at any time.
#[derive(Clone, Debug)]
pub(crate) struct Root(PathBuf);

impl Root {
    /// The folder at `path`, if that is one.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        if !fs::metadata(path)?.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Self(std::path::absolute(path)?))
    }

    /// Its path.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The path that leads to `other` from this folder, if it lies within it: `/cgi-bin`, or nothing if it is the same.
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
