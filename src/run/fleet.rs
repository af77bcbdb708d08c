//! The configured providers, opened: each with its connector and its line, and what was learned of its server.
//!
//! Which kinds there are is not known here, nor whose an account is.

use std::{collections::BTreeMap, ops::Range, sync::Arc, time::Duration};

use super::tokens::Keyring;
use crate::{
    connector::{Connector, ConnectorError, Kind},
    model::{
        account::{Account, Facts, Observed, Wanted},
        accounts::Packed,
        attribute::{AttributeName, Value},
        capability::{Capabilities, Change, Foresight},
        id::SystemName,
        plan::{Call, Home, Request},
        refusal::{Refusal, RefusalKind},
        secret::{INSTEAD, Secrets},
    },
    plan::{
        Providers,
        spread::{parts, spread},
    },
    wire::{Allotment, Line, OwnToken, Writer},
};

/// One provider, ready to be spoken to.
pub(crate) struct Member {
    pub(crate) kind: &'static str,
    pub(crate) connector: Box<dyn Connector>,
    /// Feeds of a service may share it.
    pub(crate) line: Arc<Line>,
    pub(crate) concurrency: usize,
    /// How long a value may take that comes to it by itself.
    pub(crate) follows_within: Duration,
    /// The configured address, or `lab`.
    pub(crate) home: String,
    /// The tokens of people, where there is none of ours.
    pub(crate) keyring: Option<Arc<Keyring>>,
    /// Every secret that is known, whosever it is.
    pub(crate) secrets: Secrets,
    /// Makes its connector anew.
    pub(crate) again: Again,
}

/// Makes a connector anew, with the settings it was made with.
pub(crate) type Again = Box<dyn Fn() -> Option<Box<dyn Connector>> + Send + Sync>;

impl Member {
    /// The accounts that are wanted, as its connector shows them with our own token.
    ///
    /// # Errors
    /// As [`Connector::observe`], and where what came cannot be what the system holds.
    pub(crate) async fn observe(&self, wanted: &Wanted) -> Result<Observed, ConnectorError> {
        self.credible(self.connector.observe(wanted, &self.line.reader()).await)
    }

    /// The account that a person's own token shows.
    ///
    /// # Errors
    /// As [`Connector::observe_self`], and where what came cannot be what the system holds.
    pub(crate) async fn observe_self(&self, token: &OwnToken) -> Result<Observed, ConnectorError> {
        self.credible(self.connector.observe_self(&self.line.reader_as(token)).await)
    }

    /// Sends one call, as [`Connector::perform`] does.
    ///
    /// # Errors
    /// As [`Connector::perform`], and where the account that came cannot be one.
    pub(crate) async fn perform(&self, call: &Call, writer: &mut Writer<'_>) -> Result<Account, Refusal> {
        let mut account =
            self.connector.perform(call, writer).await.map_err(|refusal| self.without_secrets(refusal))?;
        self.without_secret_facts(&mut account.server);
        if !self.hides_secrets(&mut account) {
            let reason = format!("{} answered with a token in the place of an account's id", call.system);
            return Err(Refusal::new(RefusalKind::Unavailable, reason));
        }
        Ok(account)
    }

    /// What people sign in with holds no control character anywhere. Where it seems to, somebody on the way writes into
    /// answers, and nothing of them is compared with what should be: that would change everybody. A token that stands in a
    /// value is nobody's to see.
    fn credible(&self, answer: Result<Observed, ConnectorError>) -> Result<Observed, ConnectorError> {
        let mut observed = answer.map_err(|error| match error {
            ConnectorError::Refused { system, refusal } => {
                ConnectorError::Refused { system, refusal: self.without_secrets(refusal) }
            }
            other => other,
        })?;
        let accounts = &observed.accounts;
        let first_of = |part: Range<usize>| {
            part.filter_map(|at| accounts.get(at)).find_map(|account| Some((account.system(), garbled(&account)?)))
        };
        let first = spread(parts(accounts.len()), accounts.len(), first_of).into_iter().flatten().next();
        if let Some((system, attribute)) = first {
            let what = format!(
                "a `{attribute}` with control characters, which no system has: something on the way changes what it sends"
            );
            return Err(ConnectorError::Strange { system: system.clone(), what });
        }
        let server = Arc::clone(&observed.server);
        self.without_secret_facts(&mut observed.server);
        for known in observed.accounts.servers_mut() {
            // What is known of the server is the same for most of them.
            if Arc::ptr_eq(known, &server) {
                *known = Arc::clone(&observed.server);
            } else {
                self.without_secret_facts(known);
            }
        }
        let is_odd = |text: &str| text.contains(INSTEAD) || self.secrets.hidden(text).is_some();
        if spread(observed.accounts.texts().collect(), observed.accounts.len(), is_odd).contains(&true) {
            let mut odd = None;
            observed.accounts.edit(|account| {
                if !self.hides_secrets(account) {
                    odd.get_or_insert_with(|| account.system.clone());
                }
            });
            if let Some(system) = odd {
                let what = "with a token in the place of an account's id: nothing of it can be believed".to_owned();
                return Err(ConnectorError::Strange { system, what });
            }
        }
        for warning in &mut observed.warnings {
            if let Some(hidden) = self.secrets.hidden(warning) {
                *warning = hidden;
            }
        }
        Ok(observed)
    }

    /// Takes secrets out of what an account shows. False where its id, or that of what it signs in with, holds one.
    fn hides_secrets(&self, account: &mut Account) -> bool {
        let ids = account.id.iter().chain(account.identities.iter().map(|identity| &identity.id));
        // What was our own is starred out before it comes here.
        if ids.into_iter().any(|id| id.as_str().contains(INSTEAD) || self.secrets.hidden(id.as_str()).is_some()) {
            return false;
        }
        for value in account.attributes.values_mut().chain(account.facts.values_mut()) {
            if let Some(hidden) = value.as_text().and_then(|text| self.secrets.hidden(text)) {
                *value = Value::Text(hidden.into());
            }
        }
        true
    }

    fn without_secret_facts(&self, facts: &mut Arc<Facts>) {
        let found: Vec<(String, String)> = facts
            .iter()
            .filter_map(|(name, value)| Some((name.clone(), self.secrets.hidden(value.as_text()?)?)))
            .collect();
        if !found.is_empty() {
            let facts = Arc::make_mut(facts);
            facts.extend(found.into_iter().map(|(name, hidden)| (name, Value::Text(hidden.into()))));
        }
    }

    fn without_secrets(&self, mut refusal: Refusal) -> Refusal {
        for text in refusal.code.iter_mut().chain([&mut refusal.reason]) {
            if let Some(hidden) = self.secrets.hidden(text) {
                *text = hidden;
            }
        }
        refusal
    }
}

/// Which of what somebody signs in with holds a control character.
fn garbled<'a>(account: &Packed<'a>) -> Option<&'a AttributeName> {
    let of_sign_in = account.iter().filter(|(name, _)| matches!(name.as_str(), "username" | "email"));
    of_sign_in.map(|(name, value)| (name, value.text())).find_map(|(name, text)| {
        let is_plain = |byte: u8| byte.is_ascii() && !byte.is_ascii_control();
        // Most are told byte by byte.
        let is_odd = |text: &str| !text.bytes().all(is_plain) && text.contains(char::is_control);
        text.is_some_and(is_odd).then_some(name)
    })
}

/// All configured systems.
#[derive(Default)]
pub(crate) struct Fleet {
    pub(crate) members: BTreeMap<SystemName, Member>,
    /// The kinds of sources, which have no connector.
    pub(crate) sources: BTreeMap<SystemName, String>,
    /// What was learned of each server when it was observed.
    pub(crate) servers: BTreeMap<SystemName, Arc<Facts>>,
    /// What one run may use up.
    pub(crate) allotment: Allotment,
}

impl Fleet {
    /// The providers as a plan names them.
    pub(crate) fn homes(&self) -> BTreeMap<SystemName, Home> {
        let home = |(name, member): (&SystemName, &Member)| {
            (
                name.clone(),
                Home { kind: member.kind.to_owned(), url: member.home.clone(), per_person: member.keyring.is_some() },
            )
        };
        self.members.iter().map(home).collect()
    }

    /// Forgets what connectors learned of their servers, which they ask once: a service lives for weeks, and servers and what
    /// we may do there change.
    pub(crate) fn forget(&mut self) {
        for member in self.members.values_mut() {
            if let Some(connector) = (member.again)() {
                member.connector = connector;
            }
        }
    }

    /// How many systems were asked so far, and in how many requests.
    pub(crate) fn asked(&self) -> (u64, u64) {
        let requests = self.members.values().map(|member| member.line.asked()).filter(|asked| *asked > 0);
        requests.fold((0, 0), |(systems, all), asked| (systems + 1, all + asked))
    }

    /// The provider and the tokens of people there, where everybody is looked at with her own.
    pub(crate) fn keyed(&self, system: &SystemName) -> Option<(&Member, &Keyring)> {
        let member = self.members.get(system)?;
        Some((member, member.keyring.as_deref()?))
    }

    /// The kind of that name, shipped or brought along.
    pub(crate) fn kind_named<'a>(name: &str, kinds: &'a [Kind]) -> Option<&'a Kind> {
        kinds.iter().find(|kind| kind.name == name)
    }
}

impl Providers for Fleet {
    fn names(&self) -> Vec<SystemName> {
        self.members.keys().cloned().collect()
    }

    fn kind(&self, system: &SystemName) -> Option<&str> {
        let source = || self.sources.get(system).map(String::as_str);
        self.members.get(system).map(|member| member.kind).or_else(source)
    }

    fn capabilities(&self, system: &SystemName) -> Option<&'static Capabilities> {
        self.members.get(system).map(|member| member.connector.capabilities())
    }

    fn server(&self, system: &SystemName) -> Arc<Facts> {
        self.servers.get(system).cloned().unwrap_or_default()
    }

    fn normalize(&self, system: &SystemName, attribute: &AttributeName, value: &Value) -> Value {
        match self.members.get(system) {
            Some(member) => member.connector.normalize(attribute, value),
            None => value.clone(),
        }
    }

    fn foresee(&self, account: &Account, change: &Change) -> Foresight {
        match self.members.get(&account.system) {
            Some(member) => member.connector.foresee(account, change),
            None => Foresight::refuses(RefusalKind::Unsupported, format!("{} is no provider", account.system)),
        }
    }

    fn stands_alone(&self, account: &Packed<'_>) -> bool {
        self.members.get(account.system()).is_some_and(|member| member.connector.stands_alone(account))
    }

    fn calls(&self, account: &Account, changes: &[Change]) -> Result<Vec<Request>, Refusal> {
        match self.members.get(&account.system) {
            Some(member) => member.connector.calls(account, changes),
            None => Err(Refusal::new(RefusalKind::Unsupported, format!("{} is no provider", account.system))),
        }
    }

    fn operation(
        &self,
        account: &Account,
        operation: &str,
        arguments: &BTreeMap<String, Value>,
    ) -> Result<Request, Refusal> {
        match self.members.get(&account.system) {
            Some(member) => member.connector.operation(account, operation, arguments),
            None => Err(Refusal::new(RefusalKind::Unsupported, format!("{} is no provider", account.system))),
        }
    }
}
