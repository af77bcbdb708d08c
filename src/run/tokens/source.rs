//! The places where people's own tokens are found.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

use async_trait::async_trait;

use crate::{
    config::kept::{self, UnusableTokens},
    model::{
        id::{PersonId, SystemName},
        own_token::KeptToken,
        secret::Secret,
    },
    wire::Renewal,
};

/// Where the tokens of one system are.
pub(crate) enum Place {
    /// A file, which is read anew each time.
    File {
        path: PathBuf,
        /// True for those of a lab: anybody may read them, and there may be none.
        is_made_up: bool,
    },
}

/// Why the tokens of a system cannot be had at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unfound {
    #[error(transparent)]
    File(UnusableTokens),
}

impl Unfound {
    /// What to do about it.
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::File(error) => error.hint(),
        }
    }
}

impl Place {
    /// What is kept under these names.
    pub(super) async fn look_up(
        &self,
        system: &SystemName,
        names: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, KeptToken>, Unfound> {
        let _ = system;
        match self {
            Self::File { path, is_made_up } => {
                if *is_made_up && !path.exists() {
                    return Ok(BTreeMap::new());
                }
                let mut tokens = kept::file(path, *is_made_up)?;
                tokens.retain(|name, _| names.contains(name));
                Ok(tokens)
            }
        }
    }
}

/// A renewal that knows somebody under the name by which her token is kept.
pub(super) struct Renamed {
    pub(super) name: PersonId,
    pub(super) renewal: Arc<dyn Renewal>,
}

#[async_trait]
impl Renewal for Renamed {
    async fn renew(&self, _: &PersonId, stale: &Secret) -> Option<Secret> {
        self.renewal.renew(&self.name, stale).await
    }
}
