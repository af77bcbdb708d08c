//! Trading a token that has ended for a newer one, once: whoever else waits for the same gets what came of it.
//!
//! A server that rotates spends the old refresh token with the first request. So two processes never send the same one: the
//! store is locked and read again first, and the new pair is durable before anything is done with it. Where tokens come
//! from a file or a command nobody can keep the new pair, and it lives only as long as this process.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use tracing::{info, warn};

use crate::{
    config::kept::is_token,
    model::{
        id::{PersonId, SystemName},
        own_token::KeptToken,
        secret::Secret,
    },
    state::vault::{self, Vault},
    wire::{Client, Granted, Line, Renewal, Ungranted},
};

/// Whoever renews the tokens of one system.
pub(crate) struct Renewer {
    system: SystemName,
    /// Leads to the address that gives tokens.
    line: Line,
    client: Client,
    /// Where the new pair is kept; `None`: nowhere.
    vault: Option<Arc<Vault>>,
    /// The file of the store, beside which the locks are.
    store: PathBuf,
    /// The pairs that only this process knows: what was kept, and what came of it.
    passing: Mutex<BTreeMap<PersonId, (Secret, KeptToken)>>,
    turns: Mutex<BTreeMap<PersonId, Arc<tokio::sync::Mutex<()>>>>,
}

impl Renewer {
    /// One that sends refresh tokens along this line.
    pub(crate) fn new(
        system: SystemName,
        line: Line,
        client: Client,
        vault: Option<Arc<Vault>>,
        store: PathBuf,
    ) -> Self {
        let (passing, turns) = (Mutex::default(), Mutex::default());
        Self { system, line, client, vault, store, passing, turns }
    }

    /// What is known of somebody's token beyond what is kept.
    pub(super) fn newest(&self, person: &PersonId, kept: &KeptToken) -> KeptToken {
        if self.vault.is_some() {
            return kept.clone();
        }
        let mut passing = self.passing.lock().unwrap_or_else(PoisonError::into_inner);
        match passing.get(person) {
            // The same as the last time: what came of it is newer.
            Some((origin, newer)) if origin.expose() == kept.access.expose() => newer.clone(),
            _ => {
                passing.insert(person.clone(), (kept.access.clone(), kept.clone()));
                kept.clone()
            }
        }
    }

    fn turn(&self, person: &PersonId) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turns.entry(person.clone()).or_default())
    }

    /// What is kept of her now.
    fn kept(&self, person: &PersonId) -> Option<KeptToken> {
        let Some(vault) = &self.vault else {
            let passing = self.passing.lock().unwrap_or_else(PoisonError::into_inner);
            return passing.get(person).map(|(_, newest)| newest.clone());
        };
        let name = person.to_string();
        match vault.find(&self.system, &[name.clone()].into()) {
            Ok(mut found) => found.remove(&name),
            Err(error) => {
                warn!(system = %self.system, %person, %error, "her token cannot be renewed");
                None
            }
        }
    }

    /// Keeps the new pair. False where that failed: then it must not be used.
    fn keep(&self, person: &PersonId, newer: &KeptToken) -> bool {
        let Some(vault) = &self.vault else {
            let mut passing = self.passing.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((_, newest)) = passing.get_mut(person) {
                *newest = newer.clone();
            }
            return true;
        };
        let now = jiff::Timestamp::now().to_string();
        match vault.put(&self.system, &person.to_string(), newer, &now) {
            Ok(()) => true,
            Err(error) => {
                warn!(system = %self.system, %person, %error, "her new token could not be kept and is lost");
                false
            }
        }
    }
}

#[async_trait]
impl Renewal for Renewer {
    async fn renew(&self, person: &PersonId, stale: &Secret) -> Option<Secret> {
        let turn = self.turn(person);
        let _turn = turn.lock().await;
        let (store, who) = (self.store.clone(), person.clone());
        let lock = tokio::task::spawn_blocking(move || vault::renewal_lock(&store, &who)).await;
        let _lock = match lock {
            Ok(Ok(lock)) => lock,
            Ok(Err(error)) => {
                warn!(system = %self.system, %person, %error, "her token cannot be renewed");
                return None;
            }
            Err(_) => return None,
        };
        let kept = self.kept(person)?;
        if kept.access.expose() != stale.expose() {
            // Somebody else was quicker.
            return Some(kept.access);
        }
        let refresh = kept.refresh.as_ref()?;
        let Granted { access, refresh: rotated, lifetime } = match self.line.refresh(&self.client, refresh).await {
            Ok(granted) => granted,
            // She has to sign in again, and is told so.
            Err(Ungranted::Ended { .. }) => return None,
            Err(error) => {
                warn!(system = %self.system, %person, %error, "her token could not be renewed");
                return None;
            }
        };
        if !is_token(access.expose()) || rotated.as_ref().is_some_and(|rotated| !is_token(rotated.expose())) {
            warn!(system = %self.system, %person, "her new token is none that a header could carry, and is not used");
            return None;
        }
        if rotated.is_some() && self.vault.is_none() {
            warn!(
                system = %self.system, %person,
                "her refresh token was replaced, and the new one can be kept in the state store only"
            );
        }
        let lifetime = lifetime.and_then(|lifetime| i64::try_from(lifetime.as_secs()).ok());
        let newer = KeptToken {
            access: access.clone(),
            refresh: rotated.or(kept.refresh),
            expires_at: lifetime.map(|seconds| jiff::Timestamp::now().as_second().saturating_add(seconds)),
            kind: kept.kind,
        };
        if !self.keep(person, &newer) {
            return None;
        }
        info!(system = %self.system, %person, "her token was renewed");
        Some(access)
    }
}
