//! SCIM 2.0: any server that speaks RFC 7643 and RFC 7644, and what it offers of them.
//!
//! Its odd habits:
//! - No two servers offer the same. What one can do is asked of it first (`server.rs`), and what it does not tell is taken
//!   for what the RFCs ask for.
//! - A PATCH names what changes; a PUT replaces everything, and silently leaves out what is read-only. So where there is no
//!   PATCH, everything else is sent back as it was, and only where it still is so.
//! - Names, URNs and words are the same in any letter case.
//! - Texts of errors are for people, so nothing here reads them.
//!
//! It deletes nobody, makes no groups, and sends no bulk requests: what is in one of them is answered part by part, and one
//! call is one request.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use tokio::sync::OnceCell;

use crate::{
    model::{
        account::{Account, Facts, Observed, Wanted},
        accounts::Packed,
        attribute::{AttributeName, Value},
        capability::{Capabilities, Change, Foresight},
        id::AccountId,
        plan::{Call, Operation, Request},
        refusal::{Refusal, RefusalKind},
    },
    wire::{Dialect, Reader, Reply, Writer},
};

use self::{membership::MEMBER, observe::Looker, reply::Answer, settings::Settings, table::CAPABILITIES};

use super::{Connector, ConnectorError, Kind, Standing, unavailable};

mod settings;
mod table;

mod interface;
mod resource;
mod server;

mod membership;

mod foresee;

mod calls;

mod reply;

mod observe;

#[cfg(test)]
mod tests;

/// SCIM, for the list of kinds.
pub(crate) const KIND: Kind = Kind {
    name: "scim",
    capabilities: &CAPABILITIES,
    open: |settings| {
        Ok(Box::new(Scim {
            settings: serde_json::from_value(settings)?,
            server: OnceCell::new(),
            versions: Mutex::default(),
        }))
    },
    schema: || schemars::schema_for!(Settings).to_value(),
};

struct Scim {
    settings: Settings,
    /// What the server tells of itself: asked once.
    server: OnceCell<Facts>,
    /// What accounts were like when they were last looked at for a call, and in which version.
    versions: Mutex<BTreeMap<AccountId, (Account, String)>>,
}

#[async_trait]
impl Connector for Scim {
    fn capabilities(&self) -> &'static Capabilities {
        &CAPABILITIES
    }

    fn dialect(&self) -> Dialect {
        Dialect { requests: 2, ..Dialect::default() }
    }

    async fn standing(&self, wire: &Reader<'_>) -> Result<Standing, ConnectorError> {
        Looker::standing(*wire, &self.settings).await
    }

    async fn observe(&self, wanted: &Wanted, wire: &Reader<'_>) -> Result<Observed, ConnectorError> {
        let server = self.server.get_or_try_init(|| Looker::tell(*wire, &self.settings)).await?;
        let (observed, versions) = Looker::observe(*wire, &self.settings, server.clone(), wanted).await?;
        let seen = observed.accounts.iter().filter_map(|account| {
            let id = account.id()?.into();
            let version = versions.get(&id)?.clone();
            Some((id, (account.account(), version)))
        });
        self.versions().extend(seen);
        Ok(observed)
    }

    async fn observe_self(&self, wire: &Reader<'_>) -> Result<Observed, ConnectorError> {
        Looker::observe_self(*wire, &self.settings).await
    }

    fn normalize(&self, attribute: &AttributeName, value: &Value) -> Value {
        match (attribute.local(), value) {
            // Nobody is in a group a little.
            (membership::SET, Value::Text(level)) => Value::text(&level.trim().to_lowercase()),
            _ => value.clone(),
        }
    }

    fn foresee(&self, account: &Account, change: &Change) -> Foresight {
        foresee::foresee(account, change)
    }

    fn stands_alone(&self, _: &Packed<'_>) -> bool {
        true
    }

    fn calls(&self, account: &Account, changes: &[Change]) -> Result<Vec<Request>, Refusal> {
        calls::calls(account, changes, &self.settings.address_type)
    }

    async fn perform(&self, call: &Call, wire: &mut Writer<'_>) -> Result<Account, Refusal> {
        let seen = call.account.as_ref().filter(|_| is_conditional(call) && call.method != "PUT");
        // Not every look was held against this call: one that came between may have seen what it does not expect.
        let seen = seen.and_then(|id| self.versions().remove(id));
        let seen = seen.filter(|(account, _)| self.is_as_expected(account, call)).map(|(_, version)| version);
        let is_seen = seen.is_some();
        let version = if is_seen { seen } else { self.still(call, &wire.reader()).await? };
        if let Some(version) = version {
            wire.only_if(&version);
        }
        let mut reply = wire.send().await.map_err(|error| unavailable(&error))?;
        if is_seen && reply.status == 412 {
            // It moved on since, perhaps in something that is none of this call's.
            if let Some(version) = self.still(call, &wire.reader()).await? {
                wire.only_if(&version);
                reply = wire.send().await.map_err(|error| unavailable(&error))?;
            }
        }
        self.settle(call, &reply, wire.reader()).await
    }

    fn has_looked(&self, call: &Call) -> bool {
        Self::membership(call).is_some()
    }
}

/// True where the server shall carry it out only on the version that was looked at.
fn is_conditional(call: &Call) -> bool {
    call.headers.contains_key("if-match")
}

impl Scim {
    fn versions(&self) -> MutexGuard<'_, BTreeMap<AccountId, (Account, String)>> {
        self.versions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True where an account is what a call expects, but for memberships, which are looked at by themselves.
    fn is_as_expected(&self, account: &Account, call: &Call) -> bool {
        let is_so = |(name, value): (&AttributeName, &Value)| {
            self.normalize(name, &account.value(name)) == self.normalize(name, value)
        };
        call.expects.iter().filter(|(name, _)| name.member().is_none()).all(is_so)
    }

    /// The membership that a call is about.
    fn membership(call: &Call) -> Option<&AttributeName> {
        call.intends.keys().find(|name| membership::group(&call.system, name).is_some())
    }

    /// Looks whether what a call depends on still is as the plan has it, and gives the version of it where there shall be
    /// such a condition. Between this look and the change nothing can slip in where the server keeps versions.
    async fn still(&self, call: &Call, wire: &Reader<'_>) -> Result<Option<String>, Refusal> {
        let is_whole = call.method == "PUT";
        let is_conditional = is_conditional(call);
        if !(is_whole || is_conditional) {
            return Ok(None);
        }
        let unseen = |_: ConnectorError| {
            Refusal::new(RefusalKind::Unavailable, "the account could not be looked at, so nothing was sent")
        };
        let looker = Looker::new(*wire, &self.settings);
        let found = looker.resource(&call.path).await.map_err(unseen)?;
        let gone = || Refusal::new(RefusalKind::NotFound, "the server has no such account any more");
        let (user, version) = found.ok_or_else(gone)?;
        let account = looker.read(&user).map_err(unseen)?;
        if account.id != call.account {
            return Err(unseen(looker.strange("another account than the one that was asked for")));
        }
        if !self.is_as_expected(&account, call) {
            return Err(reply::moved());
        }
        let wanted = CAPABILITIES.attributes.iter().filter_map(|row| {
            let value = call.intends.get(&CAPABILITIES.name(&call.system, row))?;
            Some((row, value))
        });
        if is_whole && resource::with(&user, &self.settings.address_type, wanted) != call.body {
            return Err(reply::moved());
        }
        Ok(version.filter(|_| is_conditional))
    }

    /// What came of a call: the account as the answer shows it, or a second look where it shows none.
    async fn settle(&self, call: &Call, reply: &Reply, wire: Reader<'_>) -> Result<Account, Refusal> {
        let looker = Looker::new(wire, &self.settings);
        if let Some(attribute) = Self::membership(call) {
            return Self::member(call, attribute, reply, &looker).await;
        }
        if !reply.is_success() {
            return Err(reply::refusal(&Answer::from(reply)));
        }
        let shown = reply.json().and_then(|user| looker.read(&user).ok());
        let is_it = |account: &Account| call.operation == Operation::Create || account.id == call.account;
        if let Some(account) = shown.filter(is_it) {
            return Ok(account);
        }
        let unseen =
            |reason: &str| Refusal { status: Some(reply.status), ..Refusal::new(RefusalKind::Unavailable, reason) };
        let place = if call.account.is_some() {
            call.path.clone()
        } else {
            // An answer without a body tells at least where the new one is.
            let place = reply.headers.get("location").and_then(|place| place.rsplit('/').next()).unwrap_or_default();
            format!("{}/{place}", call.path)
        };
        match looker.resource(&place).await {
            Ok(Some((user, _))) => {
                let account = looker.read(&user).ok().filter(is_it);
                account.ok_or_else(|| unseen("the server said yes and shows no account, or another one"))
            }
            Ok(None) => Err(unseen("the server said yes, and the account is not there")),
            Err(_) => Err(unseen("the server said yes, but the account could not be looked at afterwards")),
        }
    }

    /// What came of a change of a membership: the group itself tells.
    async fn member(
        call: &Call,
        attribute: &AttributeName,
        reply: &Reply,
        looker: &Looker<'_>,
    ) -> Result<Account, Refusal> {
        let Some(id) = &call.account else {
            return Err(Refusal::new(RefusalKind::NotFound, "the call names no account"));
        };
        let is_wanted = call.intends.get(attribute).is_some_and(|value| !value.is_empty());
        let seen = looker.members_at(&call.path).await;
        let is_in = match (&seen, reply.is_success()) {
            (Ok(Some(members)), true) => members.contains(id.as_str()),
            // It may be so because an earlier try did it.
            (Ok(Some(members)), false) if members.contains(id.as_str()) == is_wanted => is_wanted,
            (_, false) => return Err(Self::no_member(reply, matches!(seen, Ok(None)))),
            (Ok(None), true) => return Err(Refusal::new(RefusalKind::NotFound, "the group is gone at the server")),
            (Err(_), true) => {
                let reason = "the server said yes, but the group could not be looked at afterwards";
                return Err(Refusal { status: Some(reply.status), ..Refusal::new(RefusalKind::Unavailable, reason) });
            }
        };
        let mut account = Account::absent(call.system.clone(), Arc::new(Facts::new()));
        account.id = Some(id.clone());
        account.attributes.insert(attribute.clone(), if is_in { MEMBER.into() } else { Value::Empty });
        Ok(account)
    }

    fn no_member(reply: &Reply, is_gone: bool) -> Refusal {
        let refusal = reply::refusal(&Answer::from(reply));
        match refusal.kind {
            RefusalKind::NotFound if is_gone => {
                Refusal { reason: "the group is gone at the server in the meantime; plan again".to_owned(), ..refusal }
            }
            _ => refusal,
        }
    }
}
