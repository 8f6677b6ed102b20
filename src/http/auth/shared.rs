//! Values that sites share by name: sites with the same settings have one, as long as one of them uses it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

/// The values in use.
#[derive(Debug)]
pub(super) struct ByName<T>(Mutex<HashMap<Vec<u8>, Weak<T>>>);

impl<T> Default for ByName<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> ByName<T> {
    /// Returns the value of this name: that of another site, or the one that `open` returns.
    pub(super) fn get_or_open<E>(&self, name: &[u8], open: impl FnOnce() -> Result<Arc<T>, E>) -> Result<Arc<T>, E> {
        if let Some(known) = self.values().get(name).and_then(Weak::upgrade) {
            return Ok(known);
        }
        let value = open()?;
        let mut values = self.values();
        values.retain(|_, known| known.strong_count() > 0);
        values.insert(name.to_owned(), Arc::downgrade(&value));
        Ok(value)
    }

    /// Lists the values in use.
    pub(super) fn all(&self) -> Vec<Arc<T>> {
        self.values().values().filter_map(Weak::upgrade).collect()
    }

    fn values(&self) -> MutexGuard<'_, HashMap<Vec<u8>, Weak<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
