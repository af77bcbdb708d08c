//! The pure core: from statements and observed accounts to a plan, and nothing else.
//!
//! It knows no clock, disk, network, environment, task, log or script. Values come in, values go out, and the same values
//! give the same bytes, however many cores they were made on. What a provider would do is asked through [`Providers`], which the conductor implements with the
//! connectors; what a rule says arrives as [`crate::model::policy::Policy`] and
//! [`crate::model::policy::Ownership`].

use std::{borrow::Cow, collections::BTreeMap, fmt, sync::Arc};

use crate::model::{
    account::{Account, Facts},
    accounts::Packed,
    attribute::{AttributeName, Value},
    capability::{Capabilities, Change, Foresight},
    id::SystemName,
    plan::Request,
    policy::{Instruction, Question},
    refusal::{Refusal, RefusalKind},
};

pub(crate) mod assemble;
mod behind;
pub(crate) mod correlate;
pub(crate) mod decide;
pub(crate) mod deeds;
mod doubts;
pub(crate) mod guard;
mod handed_on;
mod index;
#[cfg(test)]
mod laws;
pub(crate) mod order;
pub(crate) mod restore;
pub(crate) mod rounds;
pub(crate) mod spread;
pub(crate) mod twins;
pub(crate) mod why;

/// What the planner may ask about providers. Every answer is a function of its arguments.
pub(crate) trait Providers: Sync {
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
    /// True where nothing comes to this account by itself, whatever is changed.
    fn stands_alone(&self, account: &Packed<'_>) -> bool;
    /// What would be sent for these changes of one account.
    fn calls(&self, account: &Account, changes: &[Change]) -> Result<Vec<Request>, Refusal>;

    /// What would be sent for an operation of a provider's table.
    fn operation(
        &self,
        account: &Account,
        operation: &str,
        arguments: &BTreeMap<String, Value>,
    ) -> Result<Request, Refusal>;

    /// The configured providers of a kind.
    fn of_kind(&self, kind: &str) -> Vec<SystemName> {
        self.names().into_iter().filter(|name| self.kind(name) == Some(kind)).collect()
    }
}

/// The first few of many, and how many more there are: each of those that one reason names is told it, and a reason that grows
/// with them would take the square of their number.
pub(crate) fn few_of<'a, T, N: fmt::Display>(many: &'a [T], between: &str, name: impl Fn(&'a T) -> N) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<String> = many.iter().take(SHOWN).map(|one| name(one).to_string()).collect();
    match many.len().saturating_sub(SHOWN) {
        0 => shown.join(between),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// What rules say to single changes, asked while they are decided. Every answer is a function of its arguments; `None`
/// leaves the change as the owner decides.
pub(crate) trait Hooks {
    /// About a change that would be made.
    fn route(&self, question: &Question<'_>) -> Option<Instruction>;
    /// About a change that the provider would not take.
    fn refused(&self, question: &Question<'_>, kind: RefusalKind, reason: &str) -> Option<Instruction>;
}

/// Rules that say nothing to single changes.
#[cfg(test)]
pub(crate) struct Unrouted;

#[cfg(test)]
impl Hooks for Unrouted {
    fn route(&self, _: &Question<'_>) -> Option<Instruction> {
        None
    }

    fn refused(&self, _: &Question<'_>, _: RefusalKind, _: &str) -> Option<Instruction> {
        None
    }
}

/// A text as unique values are compared: without regard to letter case.
pub(crate) fn folded(value: &Value) -> Option<String> {
    value.as_text().map(str::to_lowercase)
}

/// The same text where it is so already, as most are.
fn fold(text: &str) -> Cow<'_, str> {
    let is_folded = text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
    if is_folded { Cow::Borrowed(text) } else { Cow::Owned(text.to_lowercase()) }
}
