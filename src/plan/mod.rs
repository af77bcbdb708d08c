//! The pure core: from statements and observed accounts to a plan, and nothing else.
//!
//! It knows no clock, disk, network, environment, task, log or script. Values come in, values go out, and the same values
//! give the same bytes. What a provider would do is asked through [`Providers`], which the conductor implements with the
//! connectors; what a rule says arrives as [`crate::model::policy::Policy`] and
//! [`crate::model::policy::Ownership`].

use std::sync::Arc;

use crate::model::{
    account::{Account, Facts},
    attribute::{AttributeName, Value},
    capability::{Capabilities, Change, Foresight},
    id::SystemName,
    plan::Request,
    refusal::Refusal,
};

pub(crate) mod assemble;
pub(crate) mod correlate;
pub(crate) mod decide;
pub(crate) mod guard;
#[cfg(test)]
mod laws;
pub(crate) mod order;

/// What the planner may ask about providers. Every answer is a function of its arguments.
pub(crate) trait Providers {
    /// All configured providers, in order of name.
    fn names(&self) -> Vec<SystemName>;
    /// The kind of a configured system, source or provider.
    fn kind(&self, system: &SystemName) -> Option<&str>;
    /// A provider's table; `None` for a source.
    fn capabilities(&self, system: &SystemName) -> Option<&'static Capabilities>;
    /// What was learned of the server when it was observed.
    fn server(&self, system: &SystemName) -> Arc<Facts>;
    /// A value as the provider stores it.
    fn normalize(&self, system: &SystemName, attribute: &AttributeName, value: &Value) -> Value;
    /// What the provider would do with a change.
    fn foresee(&self, account: &Account, change: &Change) -> Foresight;
    /// What would be sent for these changes of one account.
    fn calls(&self, account: &Account, changes: &[Change]) -> Result<Vec<Request>, Refusal>;

    /// The configured providers of a kind.
    fn of_kind(&self, kind: &str) -> Vec<SystemName> {
        self.names().into_iter().filter(|name| self.kind(name) == Some(kind)).collect()
    }
}

/// A text as unique values are compared: without regard to letter case.
pub(crate) fn folded(value: &Value) -> Option<String> {
    value.as_text().map(str::to_lowercase)
}
