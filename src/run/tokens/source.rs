//! The places where people's own tokens are found. What a system says to them is not known here.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;

use super::{
    command::{self, Unanswered},
    renewal::Renewer,
};
use crate::{
    config::kept::{self, Found, UnusableTokens},
    model::{
        id::{PersonId, SystemName},
        secret::Secret,
    },
    state::vault::{Shut, Vault},
    wire::{Renewal, Unrenewed},
};

/// Where the tokens of one system are.
pub(crate) enum Place {
    /// A file, which is read anew each time.
    File {
        path: PathBuf,
        /// True for those of a lab: anybody may read them, and there may be none.
        is_made_up: bool,
    },
    /// A program that is asked.
    Command {
        program: Vec<String>,
        /// The folder it is started in.
        root: PathBuf,
        time: Duration,
    },
    /// The state store.
    Store(Arc<Vault>),
}

/// Why the tokens of a system cannot be had at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unfound {
    #[error(transparent)]
    File(UnusableTokens),
    #[error("the command that knows them, {program}, gave no answer: {cause}")]
    Command { program: String, cause: Unanswered },
    #[error(transparent)]
    Store(Shut),
}

impl Unfound {
    /// What to do about it.
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::File(error) => error.hint(),
            Self::Command { .. } => {
                "it reads lines such as {\"system\": \"chat\", \"person\": \"hr/1001\"} and answers {\"person\": \"hr/1001\", \
                 \"access_token\": \"…\"}; its standard error is not shown, for a token could stand in it"
                    .to_owned()
            }
            Self::Store(shut) => shut.hint(),
        }
    }
}

impl Place {
    /// Everybody of whom a token is kept; `None` where that is not known beforehand.
    pub(super) fn people(&self, system: &SystemName) -> Result<Option<BTreeSet<String>>, Unfound> {
        Ok(match self {
            Self::File { path, is_made_up } if *is_made_up && !path.exists() => Some(BTreeSet::new()),
            Self::File { path, is_made_up } => Some(kept::file(path, *is_made_up)?.tokens.into_keys().collect()),
            Self::Command { .. } => None,
            Self::Store(vault) => Some(vault.people(system).map_err(Unfound::Store)?),
        })
    }

    /// What is kept under these names, at least.
    pub(super) async fn look_up(&self, system: &SystemName, names: &BTreeSet<String>) -> Result<Found, Unfound> {
        match self {
            Self::Command { program, root, time } => {
                let (asked, root, time) = (program.clone(), root.clone(), *time);
                let (system, names) = (system.clone(), names.clone());
                let answer =
                    tokio::task::spawn_blocking(move || command::ask(&asked, &root, time, &system, &names)).await;
                let failed = |cause| Unfound::Command { program: program.first().cloned().unwrap_or_default(), cause };
                answer.unwrap_or_else(|_| Err(Unanswered::Failed("it was given up".to_owned()))).map_err(failed)
            }
            Self::Store(vault) => {
                let opened = vault.find(system, names).map_err(Unfound::Store)?;
                let told = |shut: Shut| format!("{shut}: {}", shut.hint());
                let tokens = opened.into_iter().map(|(name, token)| (name, token.map_err(told))).collect();
                Ok(Found { tokens, unread: None })
            }
            Self::File { path, is_made_up } => {
                if *is_made_up && !path.exists() {
                    return Ok(Found::default());
                }
                Ok(kept::file(path, *is_made_up)?)
            }
        }
    }
}

/// A renewal that knows somebody under the name by which her token is kept.
pub(super) struct Renamed {
    pub(super) name: PersonId,
    pub(super) renewal: Arc<Renewer>,
}

#[async_trait]
impl Renewal for Renamed {
    async fn renew(&self, _: &PersonId, stale: &Secret) -> Result<Secret, Unrenewed> {
        self.renewal.renew(&self.name, stale).await
    }
}
