//! What is read again while wsd serves: settings and certificates.
//!
//! Disks may be slow: nobody but a thread of its own waits for them.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use tokio::sync::watch;

use crate::{
    answer::routes::Routes,
    config::Loader,
    event::Event,
    server::{systemd::Manager, tls::Reloader},
    shutdown::Shutdown,
    turn::run_blocking,
};

/// Reads again when it is told to.
pub(crate) struct Reload {
    subjects: Arc<Mutex<Subjects>>,
    has_certificates: bool,
    /// A load is to begin that has read nothing yet.
    is_due: Arc<AtomicBool>,
}

/// Where settings and certificates come from, and where they go.
pub(crate) struct Subjects {
    pub(crate) loader: Loader,
    pub(crate) routes: watch::Sender<Arc<Routes>>,
    pub(crate) certificates: Option<Reloader>,
    pub(crate) manager: Manager,
    pub(crate) shutdown: Shutdown,
}

impl Reload {
    pub(crate) fn new(subjects: Subjects) -> Self {
        let has_certificates = subjects.certificates.is_some();
        Self { subjects: Arc::new(Mutex::new(subjects)), has_certificates, is_due: Arc::default() }
    }

    /// Settings and certificates. However often this is called, one load is under way at most, and one waits for its end.
    pub(crate) fn all(&self) {
        if self.is_due.swap(true, Ordering::AcqRel) {
            // The load that waits will read what there is by then.
            return;
        }
        let (subjects, is_due) = (Arc::clone(&self.subjects), Arc::clone(&self.is_due));
        let load = move || {
            let mut subjects = subjects.lock().unwrap_or_else(PoisonError::into_inner);
            is_due.swap(false, Ordering::AcqRel);
            subjects.load();
        };
        if run_blocking(load).is_none() {
            self.is_due.store(false, Ordering::Release);
            Event::SettingsNotLoaded { cause: &"no thread left" }.emit();
        }
    }

    /// Certificates, if they have changed. If the last look is still under way, this one is not needed.
    pub(crate) fn look(&self) {
        if self.has_certificates {
            let subjects = Arc::clone(&self.subjects);
            run_blocking(move || subjects.try_lock().ok()?.certificates.as_mut().map(Reloader::look));
        }
    }
}

impl Subjects {
    fn load(&mut self) {
        self.manager.reloading();
        if let Some(certificates) = &mut self.certificates {
            certificates.reload();
        }
        if self.loader.has_file() {
            self.load_settings();
        }
        self.manager.ready();
    }

    fn load_settings(&mut self) {
        match self.loader.load() {
            Ok((routes, changed)) => {
                routes.warn_of_secrets();
                routes.start_eager(&self.shutdown);
                self.routes.send_replace(Arc::new(routes));
                Event::SettingsLoaded {}.emit();
                if !changed.is_empty() {
                    let hint = "these have an effect when wsd is started again";
                    Event::SettingsNeedRestart { keys: &changed.join(","), hint }.emit();
                }
            }
            Err(cause) => Event::SettingsNotLoaded { cause: &cause }.emit(),
        }
    }
}
