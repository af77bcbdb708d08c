//! The plan document: everything that will be done, and everything that was decided against, with why.
//!
//! Format `homeward.plan/1`. Keys keep the order of the fields below. The same inputs, rules, observations and date give
//! the same bytes, so nothing here may come from a clock or from an unordered map.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{
    attribute::{AttributeName, Value},
    capability::Replay,
    id::{AccountId, CallId, PersonId, SystemName},
    links::Links,
    origin::Because,
    record::Rejected,
    refusal::RefusalKind,
    values::Values,
};

/// The format this program writes and reads.
pub(crate) const FORMAT: &str = "homeward.plan/1";

/// The ordered calls of one run, as data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plan {
    /// [`FORMAT`].
    pub(crate) format: String,
    /// `sha256:` and the digest of this document with zeros in the place of the digits.
    pub(crate) id: String,
    /// `sha256:` and the digest of all scripts.
    pub(crate) rules: String,
    /// The date the rules saw, ISO 8601.
    pub(crate) today: String,
    /// What was read.
    pub(crate) inputs: Vec<Input>,
    /// The providers it was made for: their kinds and addresses, `lab` for a simulated one.
    pub(crate) systems: BTreeMap<SystemName, Home>,
    /// The totals.
    pub(crate) summary: Summary,
    /// What an operator should read before applying: deprecated interfaces, missing rights.
    pub(crate) warnings: Vec<String>,
    /// Every change that was decided, whatever the decision, by person, attribute and system.
    pub(crate) changes: Vec<PlannedChange>,
    /// Operations that records ask for.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(crate) operations: Vec<PlannedOperation>,
    /// What would be sent, in an order that respects `after`.
    pub(crate) calls: Vec<Call>,
    /// Rows that could not be used.
    pub(crate) rejected: Vec<Rejected>,
    /// Ties between people and accounts that applying this plan will remember.
    pub(crate) links: Arc<Links>,
    /// Those of these ties that something speaks against.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(crate) doubts: Vec<Doubtful>,
    /// At which systems people who had an account are given a new one, for it is not there any more.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub(crate) vanished: BTreeMap<SystemName, Vanished>,
    /// What sources showed that applying this plan will remember. Copies of the plan share this and the ties, which are most
    /// of a first one.
    pub(crate) seen: Arc<Vec<Seen>>,
    /// The groups that limits are kept to as well, where some are configured.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) groups: Option<Groups>,
    /// Who has to sign in before anything is done for her there, at systems where everybody has her own token.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(crate) sign_in: Vec<SignIn>,
}

/// An account that was found by one attribute of the `join` line and speaks against itself by another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Doubtful {
    /// Who is taken for its owner.
    pub(crate) person: PersonId,
    /// Where it is.
    pub(crate) system: SystemName,
    /// The account.
    pub(crate) account: AccountId,
    /// What it was found by.
    pub(crate) found_by: AttributeName,
    /// What it has otherwise than the record, or another account has as the record does.
    pub(crate) against: AttributeName,
}

/// People who had an account at a system, which shows it no more, and who are given a new one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Vanished {
    /// How many of those who were looked at are tied to an account there.
    pub(crate) of: u64,
    /// Whose account is made anew.
    pub(crate) people: Vec<PersonId>,
}

/// People without a token that a system accepts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignIn {
    /// The system.
    pub(crate) system: SystemName,
    /// The address where people sign in.
    pub(crate) at: String,
    /// Who must.
    pub(crate) people: BTreeSet<PersonId>,
}

/// Groups of people by the value of one attribute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Groups {
    /// The attribute.
    pub(crate) attribute: AttributeName,
    /// The group of everybody for whom something is done.
    pub(crate) of: BTreeMap<PersonId, String>,
    /// How many people are known to be in each group.
    pub(crate) people: BTreeMap<String, u64>,
}

impl Plan {
    /// True where carrying all of it out leaves nothing open, for nobody.
    pub(crate) fn leaves_nothing(&self) -> bool {
        let Summary { refused, held, follows, rejected, .. } = self.summary;
        let is_over = |decision: Decision| matches!(decision, Decision::Apply | Decision::Drop | Decision::Unchanged);
        refused + held + follows + rejected == 0
            && self.sign_in.is_empty()
            && self.operations.iter().all(|asked| is_over(asked.decision))
    }

    /// A plan that does nothing, of no rules and no inputs.
    #[cfg(test)]
    #[must_use]
    pub(crate) fn empty() -> Self {
        Self {
            format: FORMAT.to_owned(),
            id: String::new(),
            rules: String::new(),
            today: String::new(),
            inputs: Vec::new(),
            systems: BTreeMap::new(),
            summary: Summary::default(),
            warnings: Vec::new(),
            changes: Vec::new(),
            operations: Vec::new(),
            calls: Vec::new(),
            rejected: Vec::new(),
            links: Arc::default(),
            doubts: Vec::new(),
            vanished: BTreeMap::new(),
            seen: Arc::default(),
            groups: None,
            sign_in: Vec::new(),
        }
    }
}

/// A provider a plan was made for. Applied anywhere else, a plan would mean other people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Home {
    /// The kind.
    pub(crate) kind: String,
    /// The address, or `lab`.
    pub(crate) url: String,
    /// True where every call carries the own token of the person it is about.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub(crate) per_person: bool,
}

/// One input that was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// The source.
    pub(crate) system: SystemName,
    /// The file, as the user named it.
    pub(crate) file: String,
    /// Digest of its bytes, in hex.
    pub(crate) sha256: String,
    /// Records that were read and can be used.
    pub(crate) records: u64,
    /// Records that could not be used.
    pub(crate) rejected: u64,
    /// What it is to be compared with the next time, where it lists everybody or came by a folder.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) list: Option<List>,
    /// The run that took over the same rows, where nothing has changed since and nobody was asked because of that.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) same_as: Option<i64>,
}

/// An input that lists everybody it knows of, compared with the last one that was accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct List {
    /// How many people the last accepted list held. 0: there was none.
    pub(crate) before: u64,
    /// How many people this one holds of whom the source never spoke before.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub(crate) new: u64,
    /// How many people it says to be active of whom it was said last that they are not: who is back, or begins.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub(crate) activated: u64,
    /// People it held and this one does not, by the source's keys.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(crate) missing: Vec<String>,
    /// For how many people each attribute differs from what the last accepted list said.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub(crate) differing: BTreeMap<AttributeName, u64>,
    /// True where it is the last accepted list, cut off behind one of its lines.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub(crate) ends_early: bool,
    /// The keys of its last lines, to notice that the next one ends early.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(crate) tail: Vec<String>,
    /// Whether its last line has a line end.
    pub(crate) final_line_end: bool,
    /// True where its last line has no line end and that of the last accepted list had one.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub(crate) is_cut_off: bool,
    /// The columns it has, by the names they are known by.
    pub(crate) columns: Vec<String>,
    /// Its place among the lists of its source, where its name says one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) order: Option<String>,
    /// The SHA-256 of the last accepted list, with which it was compared; `None` where there was none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) compared_with: Option<String>,
    /// The run that took that one over.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) compared_run: Option<i64>,
    /// What is to be remembered of it, so that those of whom the next list says the same need not be looked at for a while.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) believed: Option<Believed>,
}

/// What a list is known by when it comes again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KnownBy {
    /// A digest of its bytes that is made faster than the one that people know.
    pub(crate) bytes: String,
    /// Digest of its rows, whatever their order.
    pub(crate) rows: String,
}

/// A creation that an earlier run has sent, and of which nobody knows whether it has made an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OpenCreation {
    pub(crate) run: i64,
    pub(crate) call: CallId,
    pub(crate) person: PersonId,
    pub(crate) system: SystemName,
    /// What it expected to be free: the account that it has made, if any, holds this.
    pub(crate) names: BTreeMap<AttributeName, Value>,
}

/// What has to be so for people of whom the next list says the same not to be looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Believed {
    /// Digest of everything that decisions follow from beside records and accounts: rules, settings, the program.
    pub(crate) basis: String,
    pub(crate) list: KnownBy,
    /// The place of the journal's last entry when the plan was made; 0 where there was none.
    pub(crate) after: i64,
    /// When everybody was looked at, ISO 8601, where this plan did not look at everybody.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) since: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "this is how serde asks")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Totals of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Summary {
    /// People the inputs speak of.
    pub(crate) people: u64,
    /// Changes with the decision `apply`.
    pub(crate) changes: u64,
    /// Calls.
    pub(crate) calls: u64,
    /// People for whom nothing changes anywhere.
    pub(crate) unchanged: u64,
    /// Changes with the decision `refuse`.
    pub(crate) refused: u64,
    /// Changes with the decision `hold`.
    pub(crate) held: u64,
    /// Changes with the decision `follow`.
    pub(crate) follows: u64,
    /// Changes with the decision `drop`.
    pub(crate) dropped: u64,
    /// Rows that could not be used.
    pub(crate) rejected: u64,
    /// What carrying it out sets off besides at each system, and how many changes and operations do.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub(crate) side_effects: Effects,
}

/// What is set off at each system besides, and how often.
pub(crate) type Effects = BTreeMap<SystemName, BTreeMap<String, u64>>;

impl Summary {
    /// What the inputs asked for and a plan does not do: changes that are refused or held, and rows that could not be used.
    pub(crate) fn left(&self) -> u64 {
        self.refused + self.held + self.rejected
    }

    /// What these changes and operations set off besides. A table that tells of several things parts them by `; `: each is
    /// counted by itself.
    pub(crate) fn effects<'a>(
        changes: impl Iterator<Item = &'a PlannedChange>,
        operations: impl Iterator<Item = &'a PlannedOperation>,
    ) -> Effects {
        let of_changes = changes.map(|it| (&it.system, &it.side_effect));
        let of_operations = operations.map(|it| (&it.system, &it.side_effect));
        let mut effects = Effects::new();
        for (system, told) in of_changes.chain(of_operations) {
            for effect in told.iter().flat_map(|told| told.split("; ")) {
                *effects.entry(system.clone()).or_default().entry(effect.to_owned()).or_default() += 1;
            }
        }
        effects
    }

    /// The totals of a plan's parts.
    pub(crate) fn count(
        people: u64,
        changes: &[PlannedChange],
        operations: &[PlannedOperation],
        calls: &[Call],
        rejected: &[Rejected],
    ) -> Self {
        let of_changes = |decision| changes.iter().filter(|change| change.decision == decision).count() as u64;
        let of_operations = |decision| operations.iter().filter(|it| it.decision == decision).count() as u64;
        let moved = changes.iter().filter(|change| change.decision != Decision::Unchanged);
        let asked = operations.iter().filter(|asked| asked.decision != Decision::Unchanged);
        let touched: BTreeSet<&PersonId> =
            moved.map(|change| &change.person).chain(asked.map(|asked| &asked.person)).collect();
        Self {
            people,
            changes: of_changes(Decision::Apply),
            calls: calls.len() as u64,
            unchanged: people.saturating_sub(touched.len() as u64),
            refused: of_changes(Decision::Refuse) + of_operations(Decision::Refuse),
            held: of_changes(Decision::Hold) + of_operations(Decision::Hold),
            follows: of_changes(Decision::Follow),
            dropped: of_changes(Decision::Drop),
            rejected: rejected.len() as u64,
            side_effects: Self::effects(
                changes.iter().filter(|change| change.decision == Decision::Apply),
                operations.iter().filter(|it| it.decision == Decision::Apply),
            ),
        }
    }
}

/// What is to become of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Decision {
    /// A call carries it out.
    Apply,
    /// It will come by itself.
    Follow,
    /// It would not work, or is not for this system to say.
    Refuse,
    /// A person has to decide.
    Hold,
    /// A rule said to leave it.
    Drop,
    /// It is so already.
    Unchanged,
}

/// One attribute of one account, with what was decided and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlannedChange {
    /// Whom it is about.
    pub(crate) person: PersonId,
    /// What.
    pub(crate) attribute: AttributeName,
    /// Where.
    pub(crate) system: SystemName,
    /// Which account; `null` where one is to be created, or where there is none.
    pub(crate) account: Option<AccountId>,
    /// What is there now.
    pub(crate) before: Value,
    /// What shall be there.
    pub(crate) after: Value,
    /// What becomes of it.
    pub(crate) decision: Decision,
    /// The call that carries it out. With a temporary name in between, the last one.
    pub(crate) call: Option<CallId>,
    /// Who wants it.
    pub(crate) asked_by: AskedBy,
    /// Whose word counts; `null` where nobody owns the attribute.
    pub(crate) owner: Option<SystemName>,
    /// The lines of the rules that led here.
    pub(crate) because: Vec<Because>,
    /// One sentence for a person.
    pub(crate) reason: String,
    /// What the provider's no would be, for `refuse`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) refusal: Option<RefusalKind>,
    /// Where the change belongs instead, where that is known; for `follow`, the system it comes from.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) belongs_to: Option<SystemName>,
    /// When it comes by itself, for `follow`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) when: Option<String>,
    /// What the change sets off at the provider besides.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) side_effect: Option<String>,
}

impl PlannedChange {
    /// Lets it not be made after all. What is not made sets off nothing, and does not come by itself either.
    pub(crate) fn stop(&mut self, decision: Decision, refusal: Option<RefusalKind>, reason: String) {
        (self.decision, self.refusal, self.reason) = (decision, refusal, reason);
        (self.call, self.side_effect, self.when) = (None, None, None);
    }
}

/// An operation that a record asks for, with what was decided and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlannedOperation {
    /// Whom it is about; the record itself where it speaks of nobody.
    pub(crate) person: PersonId,
    /// The provider.
    pub(crate) system: SystemName,
    /// The person's account there, where it is done to one.
    pub(crate) account: Option<AccountId>,
    /// The name in the provider's table.
    pub(crate) operation: String,
    /// What it is given.
    pub(crate) arguments: BTreeMap<String, Value>,
    /// `apply`, `refuse`, `hold`, or `unchanged` for what a first sight shows.
    pub(crate) decision: Decision,
    /// The call that does it.
    pub(crate) call: Option<CallId>,
    /// The record.
    pub(crate) asked_by: AskedBy,
    /// The line that asks for it.
    pub(crate) because: Vec<Because>,
    /// One sentence.
    pub(crate) reason: String,
    /// The kind of no, for `refuse`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) refusal: Option<RefusalKind>,
    /// What it sets off besides.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) side_effect: Option<String>,
    /// True where the account loses access by it: limits on removals count it.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub(crate) removes: bool,
    /// Digest of source, record key, system, operation and arguments: what is done is remembered by it and not done again.
    pub(crate) mark: String,
}

/// Who asked for a change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AskedBy {
    /// The source, or the owner whose copy this is.
    pub(crate) system: SystemName,
    /// Where it was said: `people.csv:7`.
    pub(crate) origin: Arc<str>,
}

/// What a call does to its account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Makes an account.
    Create,
    /// Changes attributes of one.
    Update,
    /// Switches one off, reversibly.
    Disable,
    /// Switches one on again.
    Enable,
    /// Does what is no attribute: an operation of the provider's table.
    Perform,
}

/// What a connector would send: one HTTP request that carries out one or more changes of one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What it does.
    pub operation: Operation,
    /// `POST`, `PUT`, `PATCH`.
    pub method: String,
    /// From the root of the server, percent-encoded. Never holds a secret; holds ids, not names or addresses.
    pub path: String,
    /// Headers beside credentials and content type.
    pub headers: BTreeMap<String, String>,
    /// The JSON body; `null` for none.
    pub body: serde_json::Value,
    /// Top-level fields of the body that get a fresh random password when the call is sent. Nothing records them.
    pub generated: Vec<String>,
    /// The attributes it carries.
    pub carries: Vec<AttributeName>,
    /// What may be done if its answer is lost.
    pub replay: Replay,
}

/// A [`Request`] with its place in a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// `c1`, `c2` and so on, in plan order.
    pub(crate) id: CallId,
    /// The provider.
    pub system: SystemName,
    /// Whom it is about.
    pub(crate) person: PersonId,
    /// The account; `null` for a creation.
    pub account: Option<AccountId>,
    /// What it does.
    pub operation: Operation,
    /// The name of the operation, for [`Operation::Perform`].
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub performs: Option<String>,
    /// The HTTP method.
    pub method: String,
    /// From the root of the server.
    pub path: String,
    /// Headers beside credentials and content type.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub(crate) headers: BTreeMap<String, String>,
    /// The JSON body.
    pub body: serde_json::Value,
    /// Fields of the body that get a fresh random password when the call is sent.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(crate) generated: Vec<String>,
    /// What the account must hold now, by attribute, for this call to be sent. For a creation what no account may hold: by
    /// unique attribute, and by each that people are found by there, where the account is not known to be another person's.
    pub(crate) expects: BTreeMap<AttributeName, Value>,
    /// What the account shall hold afterwards, by attribute.
    pub intends: BTreeMap<AttributeName, Value>,
    /// What may be done if its answer is lost.
    pub(crate) replay: Replay,
    /// Calls that must have succeeded before.
    pub(crate) after: Vec<CallId>,
}

/// What a source showed of one person, to compare with the next time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Seen {
    /// The source.
    pub(crate) system: SystemName,
    /// The source's key.
    pub(crate) key: Arc<str>,
    /// Whom the plan found to be meant.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) person: Option<PersonId>,
    /// What it showed.
    pub(crate) values: Values,
}
