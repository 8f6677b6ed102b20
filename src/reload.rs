//! What is read again while wsd serves: settings and certificates.
//!
//! Disks may be slow: nobody but a thread of its own waits for them.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::{
    config::Loader,
    http::routes::Routes,
    server::{systemd::Manager, tls::Reloader},
    shutdown::Shutdown,
    turn::aside,
};

/// Reads again when it is told to.
pub(crate) struct Reload {
    subjects: Arc<Mutex<Subjects>>,
    has_certificates: bool,
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
        Self { subjects: Arc::new(Mutex::new(subjects)), has_certificates }
    }

    /// Settings and certificates.
    pub(crate) fn all(&self) {
        let subjects = Arc::clone(&self.subjects);
        if aside(move || subjects.lock().unwrap_or_else(PoisonError::into_inner).load()).is_none() {
            tracing::error!(cause = "no thread left", "settings not loaded, the old ones stay");
        }
    }

    /// Certificates, if they have changed. If the last look is still under way, this one is not needed.
    pub(crate) fn look(&self) {
        if self.has_certificates {
            let subjects = Arc::clone(&self.subjects);
            aside(move || subjects.try_lock().ok()?.certificates.as_mut().map(Reloader::look));
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
                tracing::info!("settings loaded");
                if !changed.is_empty() {
                    let hint = "these have an effect when wsd is started again";
                    tracing::warn!(keys = changed.join(","), hint, "settings need a restart");
                }
            }
            Err(cause) => tracing::error!(%cause, "settings not loaded, the old ones stay"),
        }
    }
}
