//! Text that must not be seen. It cannot be printed, serialised or compared, and is wiped where it is no longer needed.

use std::{fmt, sync::Arc};

use zeroize::Zeroizing;

/// A token, password or key. `Debug` shows `Secret(..)`; there is no `Display`, `Serialize` or `PartialEq`.
///
/// The last one that holds it wipes it. What was copied out of it, into a header for example, is gone only when that
/// memory is used again.
#[derive(Clone)]
pub(crate) struct Secret(Arc<Zeroizing<String>>);

impl Secret {
    /// Hides a copy of `text`.
    #[must_use]
    pub(crate) fn new(text: &str) -> Self {
        Self::from(text.to_owned())
    }

    /// Hands out the text. Every caller is a line worth reviewing: `wire`, and what checks signatures.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(Arc::new(Zeroizing::new(text)))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_in_what_a_panic_says() {
        let secret = Secret::new("c4nary-token");
        let caught = std::panic::catch_unwind(|| panic!("with {secret:?} and {:#?}", Some(&secret)));
        let said = caught.unwrap_err().downcast::<String>().unwrap();
        assert_eq!(*said, "with Secret(..) and Some(\n    Secret(..),\n)");
    }
}
