//! Providers: one file each, each with one table and one implementation of [`Connector`].
//!
//! A connector knows one provider's interface and nothing else: no rule, no plan, no other connector. It owns no HTTP
//! client; it is handed a [`Reader`] to look with and a [`Writer`] to act with.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::{
    model::{
        account::{Account, Observed, Wanted},
        accounts::Packed,
        attribute::{AttributeName, Value},
        capability::{Capabilities, Change, Foresight},
        id::SystemName,
        plan::{Call, Request},
        refusal::{Refusal, RefusalKind},
    },
    wire::{Dialect, Reader, WireError, Writer},
};

/// One provider. See `examples/connector.rs` for a whole one.
#[async_trait]
pub trait Connector: Send + Sync {
    /// What this provider's attributes are called, which can be read, written and cleared, which are unique.
    fn capabilities(&self) -> &'static Capabilities;

    /// What this provider's answers tell beyond HTTP itself: how much may be asked, and which faults are its last word.
    fn dialect(&self) -> Dialect {
        Dialect::default()
    }

    /// Asks the server who we are and what we may do. Used by `check --connect`; reads only.
    ///
    /// # Errors
    /// Where the server cannot be reached, does not know our credentials, or is not what was configured.
    async fn standing(&self, wire: &Reader<'_>) -> Result<Standing, ConnectorError>;

    /// Reads the accounts somebody needs, in bulk where the provider can. Reads only.
    ///
    /// # Errors
    /// Where the server cannot be read completely: half an answer is no answer.
    async fn observe(&self, wanted: &Wanted, wire: &Reader<'_>) -> Result<Observed, ConnectorError>;

    /// Reads the account of the person whose own token the reader carries, and no other. Its server facts say
    /// `credential = "own"`. Reads only.
    ///
    /// # Errors
    /// As [`Connector::observe`]; and where this provider gives no token to a person.
    async fn observe_self(&self, wire: &Reader<'_>) -> Result<Observed, ConnectorError> {
        let what = "nothing: this connector cannot look with a person's own token".to_owned();
        Err(ConnectorError::Strange { system: wire.system().clone(), what })
    }

    /// True where [`Connector::observe_self`] can be asked: the configuration may then say
    /// `token = { per_person = { … } }`.
    fn has_own_tokens(&self) -> bool {
        false
    }

    /// The value as this provider stores it: lower case, trimmed, without characters it drops. Used before comparing,
    /// so that a change that would change nothing is no change. A loss that nobody would want, such as the end of a name
    /// that is too long, is not for here: [`Connector::foresee`] tells it as
    /// [`Verdict::Doomed`](crate::model::capability::Verdict::Doomed).
    fn normalize(&self, attribute: &AttributeName, value: &Value) -> Value {
        let _ = attribute;
        value.clone()
    }

    /// What the provider would do with this change of this account, before anything is sent.
    ///
    /// Pure: it looks at the arguments and at its own settings. `account.id` is `None` for a creation. Whatever depends on
    /// the time, or on what else stands at the server, is a fact that `observe` put into the account: that a change came
    /// too soon after the last, that an address waits to be confirmed.
    fn foresee(&self, account: &Account, change: &Change) -> Foresight;

    /// True where nothing comes to this account by itself: [`Connector::foresee`] gives no
    /// [`Follows`](crate::model::capability::Follows) with any change of it. Such an account is not asked about again where
    /// it holds what it shall, which most accounts of a long list do. False is never wrong, and takes longer.
    fn stands_alone(&self, account: &Packed<'_>) -> bool {
        let _ = account;
        false
    }

    /// What would be sent for these changes of one account: one request for each part that can be refused by itself, as
    /// what a server refuses takes along whatever else is in the request. Pure. Calls of one account go out one after the
    /// other, in this order. A change of `active` is a call of its own.
    ///
    /// `account.id` is `None` for a creation; `changes` then hold every attribute the account shall start with.
    ///
    /// # Errors
    /// Where the changes cannot be expressed, such as a creation without a required attribute.
    fn calls(&self, account: &Account, changes: &[Change]) -> Result<Vec<Request>, Refusal>;

    /// What would be sent for an operation of the table. Pure.
    ///
    /// `account` is the person's account where the operation is done to one, else [`Account::absent`] with the server's
    /// facts. The arguments were checked against the table.
    ///
    /// # Errors
    /// Where the server would refuse it, as far as that can be known.
    fn operation(
        &self,
        account: &Account,
        operation: &str,
        arguments: &BTreeMap<String, Value>,
    ) -> Result<Request, Refusal> {
        let _ = arguments;
        let reason = format!("{} has no operation `{operation}`", account.system);
        Err(Refusal::new(RefusalKind::Unsupported, reason))
    }

    /// Sends one call and tells what the account is afterwards, as the answer or a second look shows it. The caller
    /// compares: a 200 is no proof. What is taken and waits for somebody, as an address that must be confirmed first, is a
    /// refusal of the kind [`RefusalKind::Ineffective`] that says so; and what shows it in `observe` makes
    /// [`Connector::foresee`] refuse the same change, or it is sent again by the next run.
    ///
    /// A run that is resumed comes back with calls that were refused for a reason that passes
    /// ([`RefusalKind::Unavailable`], [`RefusalKind::RateLimited`]), and with the others where somebody asks for that run by
    /// its number. An account that moved on between the caller's look and the request (412) is told as
    /// [`RefusalKind::Unavailable`].
    ///
    /// # Errors
    /// The provider's no, understood.
    async fn perform(&self, call: &Call, wire: &mut Writer<'_>) -> Result<Account, Refusal>;

    /// True where [`Connector::perform`] has looked at the account after this call by itself. Else the caller looks: an
    /// answer that repeats what was sent proves nothing.
    fn has_looked(&self, call: &Call) -> bool {
        let _ = call;
        false
    }
}

/// Who we are at a provider and what we may do there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The server and its version, such as `Mattermost 11.3.0`.
    pub server: String,
    /// Whose credentials we use, such as `homeward (administrator)`.
    pub we_are: String,
    /// What we cannot do with them, each with what would help. Empty: nothing is missing.
    pub missing: Vec<String>,
}

/// Why a provider could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ConnectorError {
    /// The connection failed, or the answer was not one.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The server said no.
    #[error("{system} refused to be read ({refusal})")]
    Refused {
        /// Which.
        system: SystemName,
        /// Its no.
        refusal: Refusal,
    },
    /// The server answered something this connector does not understand.
    #[error("{system} answered {what}")]
    Strange {
        /// Which.
        system: SystemName,
        /// What was odd; holds no values of people.
        what: String,
    },
}

/// A wire fault, told as a refusal: the call may or may not have had its effect.
#[must_use]
pub fn unavailable(error: &WireError) -> Refusal {
    Refusal::new(RefusalKind::Unavailable, error.to_string())
}

/// Opens a connector from its part of the configuration: the keys that are not common to all providers.
pub type Open = fn(serde_json::Value) -> Result<Box<dyn Connector>, serde_json::Error>;

/// A kind of provider, as the configuration names it. The shipped ones are listed in `run/kinds.rs`; a program that
/// brings its own hands them to [`crate::run_with`].
#[derive(Clone, Copy)]
pub struct Kind {
    /// The word after `kind =`.
    pub name: &'static str,
    /// Its table.
    pub capabilities: &'static Capabilities,
    /// Makes the connector.
    pub open: Open,
    /// The JSON Schema of its own settings, for editors.
    pub schema: fn() -> serde_json::Value,
}

pub(crate) mod discourse;
pub(crate) mod gitlab;
pub(crate) mod mattermost;
pub(crate) mod nextcloud;
pub(crate) mod pages;
pub(crate) mod scim;
pub(crate) mod wordpress;
pub(crate) mod zitadel;
