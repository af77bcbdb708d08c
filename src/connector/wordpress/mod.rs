//! WordPress, by its REST interface `wp/v2` and with an application password (`wordpress.md` 1 to 6). Versions 6.1 to 7.1.
//!
//! Its odd habits:
//! - Credentials that are wrong, or not looked at, are no fault: whoever brings them is taken for a stranger, and a
//!   stranger is shown some of the users with a 200. So the first question is always who we are.
//! - Lists leave out whom our account may not edit and count them all the same.
//! - A login is kept for ever. Plugins that rename somebody write the database past everything.
//! - Names come with HTML entities, are kept in one line and lose their markup.
//! - An address changes at once; the old one is written to.
//!
//! It makes no accounts, deletes none and gives no roles. What the site says as a source of records is not known here.

use async_trait::async_trait;
use tokio::sync::OnceCell;

use crate::{
    model::{
        account::{Account, Observed, Wanted},
        accounts::Packed,
        attribute::{AttributeName, Value},
        capability::{Capabilities, Change, Foresight},
        plan::{Call, Request},
        refusal::{Refusal, RefusalKind},
    },
    wire::{Dialect, Reader, Reply, Writer},
};

use self::{
    interface::Interface,
    observe::{Arrival, Looker},
    reply::Answer,
    settings::Settings,
    table::CAPABILITIES,
};

use super::{Connector, ConnectorError, Kind, Standing, unavailable};

mod settings;
mod table;

mod text;

mod interface;

mod foresee;

mod calls;

mod reply;

mod observe;

#[cfg(test)]
mod served;

#[cfg(test)]
mod tests;

/// WordPress, for the list of kinds.
pub(crate) const KIND: Kind = Kind {
    name: "wordpress",
    capabilities: &CAPABILITIES,
    open: |settings| Ok(Box::new(WordPress { settings: serde_json::from_value(settings)?, arrival: OnceCell::new() })),
    schema: || schemars::schema_for!(Settings).to_value(),
};

struct WordPress {
    settings: Settings,
    /// Where the interface is and what we may do there: asked once.
    arrival: OnceCell<Arrival>,
}

#[async_trait]
impl Connector for WordPress {
    fn capabilities(&self) -> &'static Capabilities {
        &CAPABILITIES
    }

    fn dialect(&self) -> Dialect {
        Dialect { is_final: reply::is_final, requests: 1, ..Dialect::default() }
    }

    async fn standing(&self, wire: &Reader<'_>) -> Result<Standing, ConnectorError> {
        Looker::standing(*wire, &self.settings.username).await
    }

    async fn observe(&self, wanted: &Wanted, wire: &Reader<'_>) -> Result<Observed, ConnectorError> {
        let arrival = self.arrival.get_or_try_init(|| Looker::find(*wire)).await?;
        Looker::observe(*wire, arrival, wanted).await
    }

    fn normalize(&self, attribute: &AttributeName, value: &Value) -> Value {
        match (attribute.local(), value) {
            ("display_name" | "first_name" | "last_name" | "nickname", Value::Text(name)) => {
                Value::text(&text::in_one_line(name))
            }
            ("url", Value::Text(address)) => Value::text(address.trim()),
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
        calls::calls(account, changes)
    }

    async fn perform(&self, call: &Call, wire: &mut Writer<'_>) -> Result<Account, Refusal> {
        let reply = wire.send().await.map_err(|error| unavailable(&error))?;
        settle(call, &reply, wire.reader()).await
    }
}

/// What came of a call: the account as the answer shows it, or a second look where it shows none.
async fn settle(call: &Call, reply: &Reply, wire: Reader<'_>) -> Result<Account, Refusal> {
    let answer = Answer::from(reply);
    if !reply.is_success() {
        return Err(reply::refusal(&answer));
    }
    let shown = answer.body.as_ref().and_then(|user| reply::account(wire.system(), user, &std::sync::Arc::default()));
    if let Some(account) = shown.filter(|account| account.id == call.account) {
        return Ok(account);
    }
    let unseen =
        |reason: &str| Refusal { status: Some(reply.status), ..Refusal::new(RefusalKind::Unavailable, reason) };
    let Some(id) = &call.account else { return Err(unseen("WordPress said yes to something that is no account")) };
    match Looker::new(wire, Interface::of_path(&call.path)).account(id).await {
        Ok(Some(account)) => Ok(account),
        Ok(None) => Err(Refusal::new(RefusalKind::NotFound, "WordPress has no such account any more")),
        Err(_) => Err(unseen("WordPress said yes, but the account could not be looked at afterwards")),
    }
}
