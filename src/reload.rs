//! Reads settings and certificates again while wsd serves.
//!
//! Disks may be slow, so a thread of its own waits for them.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use tokio::sync::watch;

use crate::{
    answer::routes::Routes,
    config::Loader,
    event::Event,
    server::{Acceptor, systemd::Manager, tls::Reloader},
    shutdown::Shutdown,
    turn::run_blocking,
};

/// Reads settings and certificates again on request.
pub(crate) struct Reload {
    subjects: Arc<Mutex<Subjects>>,
    has_certificates: bool,
    /// Whether a load waits that has read nothing yet.
    is_due: Arc<AtomicBool>,
}

/// The sources of settings and certificates, and their receivers.
pub(crate) struct Subjects {
    /// Reads the file of settings.
    pub(crate) loader: Loader,
    /// Hands new routes to the server.
    pub(crate) routes: watch::Sender<Arc<Routes>>,
    /// Sets descriptors aside for the programs of new routes.
    pub(crate) acceptor: Acceptor,
    /// Reads certificates; `None` without TLS.
    pub(crate) certificates: Option<Reloader>,
    /// Tells systemd when a load begins and ends.
    pub(crate) manager: Manager,
    /// The shutdown of wsd, after which nothing is loaded.
    pub(crate) shutdown: Shutdown,
}

impl Reload {
    /// Returns a reload of these subjects, which loads nothing before it is asked to.
    pub(crate) fn new(subjects: Subjects) -> Self {
        let has_certificates = subjects.certificates.is_some();
        Self { subjects: Arc::new(Mutex::new(subjects)), has_certificates, is_due: Arc::default() }
    }

    /// Loads settings and certificates. However often this is called, at most one load runs and one more waits for its end.
    pub(crate) fn load_all(&self) {
        if self.is_due.swap(true, Ordering::AcqRel) {
            // The load that waits will read the newest files.
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
            Event::SettingsNotLoaded { cause: &"no thread left", hint: None }.emit();
        }
    }

    /// Loads certificates if they have changed. Does nothing while the last check or a load runs.
    pub(crate) fn check_certificates(&self) {
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
        self.routes.borrow().reload_auth();
        self.routes.borrow().end_spares();
        if self.loader.has_file() {
            self.load_settings();
        }
        self.manager.ready();
    }

    fn load_settings(&mut self) {
        match self.loader.load() {
            Ok((routes, changed)) => {
                // Each program tells of a failure when it starts.
                let _ = routes.prepare_cgroups();
                routes.warn_of_secrets();
                self.acceptor.set_aside(&routes);
                routes.start_eager(&self.shutdown);
                self.routes.send_replace(Arc::new(routes));
                Event::SettingsLoaded {}.emit();
                if !changed.is_empty() {
                    let hint = "restart wsd to apply these keys";
                    Event::SettingsNeedRestart { keys: &changed.join(","), hint }.emit();
                }
            }
            Err(error) => Event::SettingsNotLoaded { cause: &error.message, hint: Some(&error.hint) }.emit(),
        }
    }
}
