//! Discourse, by its HTTP interface and with an administrator's key (`discourse.md`). It has no stable version, so what a
//! site lets change is read from its own flags.
//!
//! Its odd habits:
//! - A new e-mail address only waits: the person confirms it, even where an administrator asks. So the call that asks for
//!   it ends as "pending", which is no success, and is not sent again while an address waits. A further address of hers
//!   that she confirmed before becomes the first one at once.
//! - It answers 200 and drops what it does not know, what the identity provider owns, and what the caller may not grant.
//!   The only sign is the unchanged value in the answer.
//! - What the identity provider owns (`auth_overrides_*`) can be told as from there, signed (`sync_sso`): then it changes
//!   at once. A plan shows what will be said; it is signed when it is sent.
//! - Most of its addresses name people and not numbers, so usernames stand in them. Whoever was renamed meanwhile is found
//!   by number and called again by the new name.
//! - Under `/admin` a bad key is answered like an account that is not there.
//! - Sixty requests a minute are all there are, for all keys of administrators together.
//!
//! It makes no accounts and deletes none, makes no groups, and knows no levels in them.

use async_trait::async_trait;
use tokio::sync::OnceCell;

use crate::{
    model::{
        account::{Account, Facts, Observed, Wanted},
        accounts::Packed,
        attribute::{AttributeName, Value},
        capability::{Capabilities, Change, Foresight},
        plan::{Call, Request},
        refusal::Refusal,
    },
    wire::{Dialect, Reader, Writer},
};

use self::{
    groups::Groups,
    observe::{Looker, acting_as},
    settings::Settings,
    table::CAPABILITIES,
};

use super::{Connector, ConnectorError, Kind, Standing};

mod allowance;
mod settings;
mod table;

mod names;

mod groups;

mod switch;

mod foresee;

mod connect;

mod calls;

mod reply;

mod observe;

mod proof;

/// Discourse, for the list of kinds.
pub(crate) const KIND: Kind = Kind {
    name: "discourse",
    capabilities: &CAPABILITIES,
    open: |settings| Ok(Box::new(Discourse { settings: serde_json::from_value(settings)?, server: OnceCell::new() })),
    schema: || schemars::schema_for!(Settings).to_value(),
};

struct Discourse {
    settings: Settings,
    /// Who we are and what the site lets staff change: asked once.
    server: OnceCell<Facts>,
}

#[async_trait]
impl Connector for Discourse {
    fn capabilities(&self) -> &'static Capabilities {
        &CAPABILITIES
    }

    fn dialect(&self) -> Dialect {
        Dialect {
            allowance: allowance::allowance,
            // What a person allows an application to do is a key of another kind than what an administrator makes, in a
            // header of its own (known of Discourse; in no contract).
            granted: Some("User-Api-Key"),
            is_of_token: allowance::is_of_token,
            ..Dialect::default()
        }
    }

    async fn standing(&self, wire: &Reader<'_>) -> Result<Standing, ConnectorError> {
        Looker::new(*wire, &self.settings, acting_as(&self.settings)).standing().await
    }

    async fn observe(&self, wanted: &Wanted, wire: &Reader<'_>) -> Result<Observed, ConnectorError> {
        let mut looker = Looker::new(*wire, &self.settings, acting_as(&self.settings));
        looker.know(self.server.get_or_try_init(|| looker.arrive()).await?.clone());
        let groups = Groups::read(&looker, wanted).await?;
        looker.know(groups.facts.clone());
        let mut observed = looker.observe(wanted).await?;
        if groups.are_wanted() {
            observed.accounts.edit(|account| groups.show(wire.system(), account));
        }
        Ok(observed)
    }

    fn has_own_tokens(&self) -> bool {
        true
    }

    async fn observe_self(&self, wire: &Reader<'_>) -> Result<Observed, ConnectorError> {
        // A person's key acts as that person and as nobody else.
        Looker::new(*wire, &self.settings, std::collections::BTreeMap::new()).observe_self().await
    }

    fn normalize(&self, attribute: &AttributeName, value: &Value) -> Value {
        match (attribute.local(), value) {
            ("email", Value::Text(text)) => Value::text(&text.trim().to_lowercase()),
            _ => value.clone(),
        }
    }

    fn foresee(&self, account: &Account, change: &Change) -> Foresight {
        foresee::foresee(account, change, &self.settings)
    }

    fn stands_alone(&self, _: &Packed<'_>) -> bool {
        self.settings.signs_in_through.is_none()
    }

    fn calls(&self, account: &Account, changes: &[Change]) -> Result<Vec<Request>, Refusal> {
        calls::calls(account, changes, &self.settings)
    }

    async fn perform(&self, call: &Call, wire: &mut Writer<'_>) -> Result<Account, Refusal> {
        proof::perform(call, wire, &self.settings).await
    }

    fn has_looked(&self, call: &Call) -> bool {
        // What was said in a provider's name, asked of an address or changed in a group was looked at.
        let is_group = call.intends.keys().any(|name| groups::group(&call.system, name).is_some());
        connect::is_it(call) || is_group || calls::asks_address(call) || calls::prefers_address(call)
    }
}
