//! Trading a token that has ended for a newer one, once: whoever else waits for the same gets what came of it.
//!
//! A server that rotates spends the old refresh token with the first request. So two processes never send the same one: the
//! store is locked and read again first, and the new pair is durable before anything is done with it. Where tokens come
//! from a file or a command nobody can keep the new pair, and it lives only as long as this process.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use async_trait::async_trait;
use tracing::{info, warn};

use crate::{
    config::kept::is_token,
    model::{
        id::{PersonId, SystemName},
        own_token::KeptToken,
        secret::{Secret, Secrets},
    },
    state::vault::{self, Vault},
    wire::{Client, Granted, Line, Renewal, Ungranted, Unrenewed, WireError},
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
    /// One at a time, so that what goes for all is known before the next is tried.
    sole: tokio::sync::Mutex<()>,
    /// Why nobody's token is renewed any more in this run.
    closed: Mutex<Option<String>>,
    /// How often there was no answer in time.
    slow: AtomicU32,
    secrets: Secrets,
}

impl Renewer {
    /// One that sends refresh tokens along this line.
    pub(crate) fn new(
        system: SystemName,
        line: Line,
        client: Client,
        vault: Option<Arc<Vault>>,
        store: PathBuf,
        secrets: Secrets,
    ) -> Self {
        let (passing, turns, closed) = (Mutex::default(), Mutex::default(), Mutex::default());
        let (sole, slow) = (tokio::sync::Mutex::default(), AtomicU32::new(0));
        Self { system, line, client, vault, store, passing, turns, sole, closed, slow, secrets }
    }

    /// A run begins: what stopped the last one may be over.
    pub(super) fn begin(&self) {
        *self.closed.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.slow.store(0, Ordering::Relaxed);
    }

    /// Why nobody's token is renewed any more.
    fn closed(&self) -> Option<String> {
        self.closed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whose fault it is that there is no new pair, and what to do about it. What would happen to everybody is not tried
    /// again in this run.
    fn fault(&self, ungranted: &Ungranted) -> Unrenewed {
        let system = &self.system;
        let (fault, goes_for_all) = match ungranted {
            Ungranted::Ended { .. } => return Unrenewed::Ended,
            Ungranted::Stranger { cause } => {
                let fault = format!(
                    "the address that renews tokens refuses us ({cause}): check `client_id`, `client_secret` and `url` under \
                     `refresh` in [systems.{system}]; she need not sign in for that"
                );
                (fault, true)
            }
            Ungranted::Refused { cause, is_mute: true, .. } => {
                let fault = format!(
                    "the address that renews tokens answered {cause}: check `url` under `refresh` in [systems.{system}]; where \
                     other people's are renewed there, hers is over, and she must sign in again"
                );
                (fault, false)
            }
            Ungranted::Refused { cause, rests, .. } => {
                let fault = format!(
                    "the address that renews tokens answered {cause}: try again later; she need not sign in for that"
                );
                (fault, *rests)
            }
            Ungranted::Wire(error) => {
                let takes_long = matches!(error, WireError::Timeout { .. } | WireError::TooSlow { .. });
                let fault = format!("the address that renews tokens gave no answer ({error}): try again later");
                // Once may be hers alone.
                (fault, takes_long && self.slow.fetch_add(1, Ordering::Relaxed) > 0)
            }
        };
        if goes_for_all {
            *self.closed.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault.clone());
        }
        Unrenewed::Fault(fault)
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
    fn kept(&self, person: &PersonId) -> Result<KeptToken, Unrenewed> {
        let Some(vault) = &self.vault else {
            let passing = self.passing.lock().unwrap_or_else(PoisonError::into_inner);
            return passing.get(person).map(|(_, newest)| newest.clone()).ok_or(Unrenewed::Ended);
        };
        let name = person.to_string();
        let shut = |error: vault::Shut| Unrenewed::Fault(format!("{error}: {}", error.hint()));
        let found = vault.find(&self.system, &[name.clone()].into()).map_err(shut)?.remove(&name);
        found.ok_or(Unrenewed::Ended)?.map_err(shut)
    }

    /// Keeps the new pair. Where that fails, it must not be used.
    fn keep(&self, person: &PersonId, newer: &KeptToken) -> Result<(), Unrenewed> {
        let Some(vault) = &self.vault else {
            let mut passing = self.passing.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((_, newest)) = passing.get_mut(person) {
                *newest = newer.clone();
            }
            return Ok(());
        };
        let now = jiff::Timestamp::now().to_string();
        vault.put(&self.system, &person.to_string(), newer, &now).map_err(|error| {
            Unrenewed::Fault(format!(
                "her new token could not be kept and is lost ({error}): {}; where it goes on she must sign in again",
                error.hint()
            ))
        })
    }
}

#[async_trait]
impl Renewal for Renewer {
    async fn renew(&self, person: &PersonId, stale: &Secret) -> Result<Secret, Unrenewed> {
        let turn = self.turn(person);
        let _turn = turn.lock().await;
        let (store, who) = (self.store.clone(), person.clone());
        let lock = tokio::task::spawn_blocking(move || vault::renewal_lock(&store, &who)).await;
        let _lock = match lock {
            Ok(Ok(lock)) => lock,
            Ok(Err(error)) => return Err(Unrenewed::Fault(format!("the lock for it cannot be had ({error})"))),
            Err(_) => return Err(Unrenewed::Fault("it was given up".to_owned())),
        };
        let kept = self.kept(person)?;
        if kept.access.expose() != stale.expose() {
            // Somebody else was quicker.
            self.secrets.learn(&kept.access);
            return Ok(kept.access);
        }
        let refresh = kept.refresh.as_ref().ok_or(Unrenewed::Ended)?;
        let _sole = self.sole.lock().await;
        if let Some(fault) = self.closed() {
            return Err(Unrenewed::Fault(fault));
        }
        let granted = self.line.refresh(&self.client, refresh).await.map_err(|ungranted| self.fault(&ungranted))?;
        let Granted { access, refresh: rotated, lifetime } = granted;
        for secret in rotated.iter().chain([&access]) {
            self.secrets.learn(secret);
        }
        if !is_token(access.expose()) || rotated.as_ref().is_some_and(|rotated| !is_token(rotated.expose())) {
            let fault = "the address that renews tokens gave one that no header could carry, and it is not used";
            return Err(Unrenewed::Fault(fault.to_owned()));
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
        self.keep(person, &newer)?;
        info!(system = %self.system, %person, "her token was renewed");
        Ok(access)
    }
}
