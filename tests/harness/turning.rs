//! A link that is turned to one thing after another, as fast as may be.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, spawn};

use crate::tree::Tree;

/// Something in a tree that another thread replaces all the time. Dropped, that is over.
pub struct Turning {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Turning {
    /// Has the link `name` lead to each of `targets` in turn.
    pub fn link(tree: &Tree, name: &str, targets: &[&str]) -> Self {
        let (link, fresh) = (tree.path(name), tree.path(&format!("{name}.fresh")));
        let targets: Vec<_> = targets.iter().map(|target| (*target).to_owned()).collect();
        let mut targets = targets.into_iter().cycle();
        let mut turn = move || {
            symlink(targets.next().unwrap(), &fresh)?;
            fs::rename(&fresh, &link)
        };
        turn().unwrap();
        Self::start(turn)
    }

    /// Has the folder `name` and a link to `target` take each other's place.
    pub fn folder(tree: &Tree, name: &str, target: &str) -> Self {
        let (folder, link, aside) =
            (tree.path(name), tree.path(&format!("{name}.link")), tree.path(&format!("{name}.aside")));
        symlink(target, &link).unwrap();
        Self::start(move || {
            fs::rename(&folder, &aside)?;
            fs::rename(&link, &folder)?;
            fs::rename(&folder, &link)?;
            fs::rename(&aside, &folder)
        })
    }

    fn start(mut turn: impl FnMut() -> io::Result<()> + Send + 'static) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let work = move || {
            while !over.load(Ordering::Relaxed) {
                turn()?;
            }
            Ok(())
        };
        Self { is_over, thread: Some(spawn(work)) }
    }
}

impl Drop for Turning {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        let ended = self.thread.take().unwrap().join();
        if !std::thread::panicking() {
            ended.unwrap().unwrap();
        }
    }
}
