//! The configured providers, opened: each with its connector and its line, and what was learned of its server.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::tokens::Keyring;
use crate::{
    connector::{Connector, ConnectorError, Kind},
    model::{
        account::{Account, Facts, Observed, Wanted},
        attribute::{AttributeName, Value},
        capability::{Capabilities, Change, Foresight},
        id::SystemName,
        plan::{Home, Request},
        refusal::{Refusal, RefusalKind},
    },
    plan::Providers,
    wire::{Allotment, Line, OwnToken},
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
}

impl Member {
    /// The accounts that are wanted, as its connector shows them with our own token.
    ///
    /// # Errors
    /// As [`Connector::observe`], and where what came cannot be what the system holds.
    pub(crate) async fn observe(&self, wanted: &Wanted) -> Result<Observed, ConnectorError> {
        credible(self.connector.observe(wanted, &self.line.reader()).await?)
    }

    /// The account that a person's own token shows.
    ///
    /// # Errors
    /// As [`Connector::observe_self`], and where what came cannot be what the system holds.
    pub(crate) async fn observe_self(&self, token: &OwnToken) -> Result<Observed, ConnectorError> {
        credible(self.connector.observe_self(&self.line.reader_as(token)).await?)
    }
}

/// What people sign in with holds no control character anywhere. Where it seems to, somebody on the way writes into
/// answers, and nothing of them is compared with what should be: that would change everybody.
fn credible(observed: Observed) -> Result<Observed, ConnectorError> {
    for attribute in ["username", "email"].map(AttributeName::new) {
        let is_garbled = |account: &&Account| {
            account
                .attributes
                .get(&attribute)
                .and_then(Value::as_text)
                .is_some_and(|text| text.contains(char::is_control))
        };
        if let Some(account) = observed.accounts.iter().find(is_garbled) {
            let what = format!(
                "a `{attribute}` with control characters, which no system has: something on the way changes what it sends"
            );
            return Err(ConnectorError::Strange { system: account.system.clone(), what });
        }
    }
    Ok(observed)
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
