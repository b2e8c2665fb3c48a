//! A part of the catalogue that is read when it is first asked for.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, LazyLock};

/// One part, shared between a catalogue and its clones. Reading all of the catalogue takes longer than many a command, and most
/// need a part of it or none.
pub(crate) struct Part<T>(Arc<LazyLock<T, Box<dyn FnOnce() -> T + Send>>>);

impl<T> Part<T> {
    /// A part that `read` gives when it is first asked for, at most once.
    pub(super) fn later(read: impl FnOnce() -> T + Send + 'static) -> Self {
        Self(Arc::new(LazyLock::new(Box::new(read))))
    }
}

impl<T: Send + 'static> Part<T> {
    /// A part that is there already.
    pub(super) fn of(value: T) -> Self {
        Self::later(move || value)
    }
}

impl<T> Deref for Part<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> Clone for Part<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: fmt::Debug> fmt::Debug for Part<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}
