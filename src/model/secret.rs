//! Text that must not be seen. It cannot be printed, serialised or compared.

use std::{fmt, sync::Arc};

/// A token, password or key. `Debug` shows `Secret(..)`; there is no `Display`, `Serialize` or `PartialEq`.
#[derive(Clone)]
pub(crate) struct Secret(Arc<str>);

impl Secret {
    /// Hides `text`.
    #[must_use]
    pub(crate) fn new(text: &str) -> Self {
        Self(Arc::from(text))
    }

    /// Hands out the text. Every caller is a line worth reviewing: `wire`, and what checks signatures.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}
