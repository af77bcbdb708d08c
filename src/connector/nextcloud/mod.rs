//! Nextcloud, by its OCS provisioning interface v2 and with an administrator's app password (`nextcloud.md`). Versions 27
//! and later.
//!
//! Its odd habits:
//! - A yes says nothing: names that are empty or refused by a backend are dropped with a 200, and what LDAP, SAML or `OpenID`
//!   Connect map is taken and written over later. So every account is looked at after every call.
//! - The envelope's `statuscode` is the answer; its meaning changed between versions, and both tables are understood.
//! - What is empty is a list, where an object is expected too; somebody without an address has `null`.
//! - One call carries one attribute, and there are 50 of them in ten minutes; nothing else is counted. Who is too fast gets
//!   an empty 429.
//! - Failed sign-ins slow down and then lock out everybody behind our address: after one 401 nothing more is asked.
//!
//! It makes no groups and deletes no accounts: their files would go with them.

use async_trait::async_trait;
use tokio::sync::OnceCell;

use crate::{
    model::{
        account::{Account, Facts, Observed, Wanted},
        accounts::Packed,
        attribute::{AttributeName, Value},
        capability::{Capabilities, Change, Foresight},
        plan::{Call, Request},
        refusal::{Refusal, RefusalKind},
    },
    wire::{Dialect, Quota, Reader, Reply, Writer},
};

use self::{
    observe::Looker,
    reply::{Answer, Matter},
    settings::{Edits, Settings},
    table::CAPABILITIES,
};

use super::{Connector, ConnectorError, Kind, Standing, unavailable};

use std::time::Duration;

mod settings;
mod table;

mod value;

mod membership;

mod foresee;

mod calls;

mod reply;

mod observe;

/// Nextcloud, for the list of kinds.
pub(crate) const KIND: Kind = Kind {
    name: "nextcloud",
    capabilities: &CAPABILITIES,
    open: |settings| Ok(Box::new(Nextcloud { settings: serde_json::from_value(settings)?, us: OnceCell::new() })),
    schema: || schemars::schema_for!(Settings).to_value(),
};

struct Nextcloud {
    settings: Settings,
    /// Who we are and what we may do: asked once.
    us: OnceCell<Facts>,
}

#[async_trait]
impl Connector for Nextcloud {
    fn capabilities(&self) -> &'static Capabilities {
        &CAPABILITIES
    }

    fn dialect(&self) -> Dialect {
        let Edits(edits) = self.settings.edits;
        let quota = Quota {
            count: edits,
            per: Duration::from_mins(10),
            counts: calls::is_edit,
            wait: Duration::from_mins(1),
            longest_wait: Duration::from_mins(10),
        };
        Dialect {
            allowance: reply::allowance,
            headers: &[("OCS-APIRequest", "true")],
            // Faults that are met before anybody looks at headers are told in this form then.
            query: &[("format", "json")],
            quota: (edits > 0).then_some(quota),
            locks_out: true,
            requests: 2,
            ..Dialect::default()
        }
    }

    async fn standing(&self, wire: &Reader<'_>) -> Result<Standing, ConnectorError> {
        Looker::standing(*wire).await
    }

    async fn observe(&self, wanted: &Wanted, wire: &Reader<'_>) -> Result<Observed, ConnectorError> {
        let us = self.us.get_or_try_init(|| Looker::arrive(*wire)).await?;
        Looker::observe(*wire, wanted, us.clone(), self.settings.complete_search).await
    }

    async fn observe_self(&self, wire: &Reader<'_>) -> Result<Observed, ConnectorError> {
        Looker::observe_self(*wire).await
    }

    fn has_own_tokens(&self) -> bool {
        true
    }

    fn normalize(&self, attribute: &AttributeName, value: &Value) -> Value {
        value::normal(attribute.local(), value)
    }

    fn foresee(&self, account: &Account, change: &Change) -> Foresight {
        foresee::foresee(&self.settings, account, change)
    }

    fn stands_alone(&self, _: &Packed<'_>) -> bool {
        self.settings.login_provider.is_none()
    }

    fn calls(&self, account: &Account, changes: &[Change]) -> Result<Vec<Request>, Refusal> {
        calls::calls(account, changes)
    }

    async fn perform(&self, call: &Call, wire: &mut Writer<'_>) -> Result<Account, Refusal> {
        let reply = wire.send().await.map_err(|error| unavailable(&error))?;
        settle(call, &reply, wire.reader()).await
    }

    fn has_looked(&self, _: &Call) -> bool {
        true
    }
}

/// What came of a call: the account as a look at it shows it, for the answer shows nothing of it.
async fn settle(call: &Call, reply: &Reply, wire: Reader<'_>) -> Result<Account, Refusal> {
    let answer = Answer::from(reply);
    let looker = Looker::new(wire, reply::range(call));
    if !answer.is_yes() && !answer.is_unclear() {
        let refusal = understood(call, &answer, &looker).await;
        // Its welcome mail could not be sent: whether the account is there is seen by looking (`nextcloud.md` 5).
        let is_unwelcomed = Matter::of(call) == Matter::Creation && answer.code == Some(109);
        let Some(id) = reply::id(call, &answer).filter(|_| is_unwelcomed) else { return Err(refusal) };
        return match looker.account(&id).await {
            Ok(Some(account)) => Ok(account),
            Ok(None) => Err(refusal),
            Err(_) => {
                let reason = "Nextcloud could not send its welcome mail, and could not be looked at afterwards: the account \
                              may be there";
                Err(Refusal { kind: RefusalKind::Unavailable, reason: reason.to_owned(), ..refusal })
            }
        };
    }
    let unseen =
        |reason: &str| Refusal { status: Some(reply.status), ..Refusal::new(RefusalKind::Unavailable, reason) };
    let Some(id) = reply::id(call, &answer) else {
        return Err(unseen("Nextcloud said yes and did not say to whom"));
    };
    match looker.account(&id).await {
        Ok(Some(account)) => Ok(account),
        Ok(None) if answer.is_yes() => {
            Err(Refusal::new(RefusalKind::NotFound, "Nextcloud has no such account any more"))
        }
        Ok(None) => Err(unseen("somebody said yes for Nextcloud, which has no such account")),
        Err(_) => Err(unseen("Nextcloud said yes, but the account could not be looked at afterwards")),
    }
}

/// Understands a no, with a second look where the answer alone could mean two things.
async fn understood(call: &Call, answer: &Answer, looker: &Looker<'_>) -> Refusal {
    let refusal = reply::refusal(answer, Matter::of(call));
    let Some(id) = &call.account else { return refusal };
    match (Matter::of(call), answer.code) {
        // Somebody who is not there, or ourselves.
        (Matter::Switch, Some(101)) if matches!(looker.account(id).await, Ok(None)) => {
            Refusal { kind: RefusalKind::NotFound, reason: "Nextcloud has no such account".to_owned(), ..refusal }
        }
        // A backend that has names of its own, or a setting.
        (Matter::Edit("displayname"), Some(103 | 113)) => match looker.account(id).await {
            Ok(Some(account)) if account.facts.get("sets_display_name") == Some(&Value::Bool(false)) => Refusal {
                kind: RefusalKind::OwnedElsewhere,
                reason: "the display name of this account comes from its backend; change it there".to_owned(),
                ..refusal
            },
            _ => refusal,
        },
        _ => refusal,
    }
}
