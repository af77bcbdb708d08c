//! Why a cell is as it is: one attribute of one person at one system, above all where nothing happens to it.
//!
//! What was decided tells its own reason. This file tells the reason of silence, from the same things that `decide` looked
//! at, and what became of everything that was said. It decides nothing, so a plan cannot depend on it.

use std::fmt;

use super::Providers;
use crate::model::{
    attribute::{AttributeName, Value},
    id::SystemName,
    origin::Origin,
    person::Person,
    plan::{Decision, PlannedChange},
    policy::{Owned, Ownership, Policy},
    record::Statement,
};

/// One person, judged, with what was decided for her.
pub(crate) struct Case<'a> {
    pub(crate) person: &'a Person,
    pub(crate) ownership: &'a Ownership,
    pub(crate) policy: &'a Policy,
    pub(crate) providers: &'a dyn Providers,
    /// Everything that was decided for her.
    pub(crate) changes: &'a [PlannedChange],
    /// Whether a source has shown this person in an earlier run.
    pub(crate) known_before: &'a dyn Fn(&Statement) -> bool,
}

/// Why a cell is as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// Something was decided, and says why itself.
    Decided,
    /// Nothing is decided for this person.
    Held(String),
    /// The provider has no such attribute.
    Unknown { system: SystemName, attribute: AttributeName },
    /// A source speaks and is never written to.
    Source { system: SystemName, owns: bool, speaks: bool },
    /// No record speaks of it.
    NobodySays,
    /// A source that says changes shows it, and it is no change.
    Quiet { source: SystemName, first: bool },
    /// It was said in an earlier run only.
    Remembered { source: SystemName },
    /// No `owner` line holds.
    NobodyOwns,
    /// The owner is a source and says nothing of it.
    OwnerSilent { owner: SystemName },
    /// Her account there can be seen with her own token only, and was not.
    Unseen(String),
    /// The person has no account there.
    NoAccount { system: SystemName, unwanted: Option<Origin> },
    /// The owner is a provider and the person has no account there.
    HomeWithout { home: SystemName },
    /// An `account` line says whether the account is active, and it is so.
    AccountLine { system: SystemName, wanted: bool, line: Origin },
    /// A new account is made, and is active from its first moment.
    NewIsActive { system: SystemName },
    /// A new account is made, and this is no part of it.
    NotInNew { system: SystemName, why: &'static str },
    /// No account is made, because something else of it is refused or left to a person.
    NotMade { system: SystemName, attribute: AttributeName },
    /// No `copies` line brings it there.
    NotCopied { system: SystemName, owner: SystemName, same: bool },
    /// Two systems ask for different values.
    Differ,
    /// It is so already.
    Same { system: SystemName },
}

impl Why {
    /// A stable word for it.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Decided => "decided",
            Self::Held(_) => "person_held",
            Self::Unknown { .. } => "unknown_there",
            Self::Source { .. } => "source",
            Self::NobodySays => "nobody_says",
            Self::Quiet { first: true, .. } => "baseline",
            Self::Quiet { first: false, .. } => "no_change_said",
            Self::Remembered { .. } => "remembered",
            Self::NobodyOwns => "nobody_owns",
            Self::OwnerSilent { .. } => "owner_silent",
            Self::Unseen(_) => "not_seen",
            Self::NoAccount { unwanted: None, .. } => "no_account",
            Self::NoAccount { unwanted: Some(_), .. } => "no_account_wanted",
            Self::HomeWithout { .. } => "owner_without_account",
            Self::AccountLine { .. } => "account_line",
            Self::NewIsActive { .. } => "new_account_active",
            Self::NotInNew { .. } => "not_in_new_account",
            Self::NotMade { .. } => "account_not_made",
            Self::NotCopied { .. } => "not_copied",
            Self::Differ => "requests_differ",
            Self::Same { .. } => "unchanged",
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decided => f.write_str("see what was decided"),
            Self::Held(reason) => write!(f, "nothing is decided for this person: {reason}"),
            Self::Unknown { system, attribute } => write!(f, "{system} does not know `{}`", attribute.local()),
            Self::Source { system, owns: true, speaks: true } => write!(f, "{system} owns it and says so"),
            Self::Source { system, owns: true, speaks: false } => write!(f, "{system} owns it and says nothing of it"),
            Self::Source { system, owns: false, speaks: true } => {
                write!(f, "{system} is a source: it speaks, and nothing is written to it")
            }
            Self::Source { system, owns: false, speaks: false } => write!(f, "{system} says nothing of it"),
            Self::NobodySays => {
                f.write_str("no record of this run speaks of it; an empty text says nothing, `clear()` says \"empty\"")
            }
            Self::Quiet { source, first: true } => {
                write!(
                    f,
                    "{source} tells changes and shows this person for the first time: a baseline asks for nothing"
                )
            }
            Self::Quiet { source, first: false } => {
                write!(f, "{source} tells changes and shows the same as the last time")
            }
            Self::Remembered { source } => {
                write!(f, "{source} said it in an earlier run and does not speak of this person now")
            }
            Self::NobodyOwns => {
                f.write_str("no `owner` line holds for this person, and what nobody owns is not written")
            }
            Self::OwnerSilent { owner } => write!(f, "{owner} owns it and says nothing of it"),
            Self::Unseen(reason) => f.write_str(reason),
            Self::NoAccount { system, unwanted: None } => {
                write!(f, "this person has no account at {system}, and no `account` line wants one")
            }
            Self::NoAccount { system, unwanted: Some(line) } => {
                write!(f, "this person has no account at {system}, and none is wanted ({line})")
            }
            Self::HomeWithout { home } => write!(f, "{home} owns it and this person has no account there"),
            Self::AccountLine { system, wanted, line } => {
                let state = if *wanted { "wanted" } else { "not wanted" };
                write!(f, "the account at {system} is {state} ({line}), and it is so already")
            }
            Self::NewIsActive { system } => write!(f, "{system} makes a new account, active from its first moment"),
            Self::NotInNew { system, why } => write!(f, "{system} makes a new account, and {why}"),
            Self::NotMade { system, attribute } => {
                write!(f, "{system} makes no account, because of its `{attribute}`")
            }
            Self::NotCopied { system, owner, same: false } => {
                write!(f, "{owner} owns it and no `copies` line brings it to {system}")
            }
            Self::NotCopied { system, owner, same: true } => {
                write!(f, "{owner} owns it and no `copies` line brings it to {system}, which holds the same anyway")
            }
            Self::Differ => f.write_str("two systems ask for different values"),
            Self::Same { system } => write!(f, "{system} holds this value already"),
        }
    }
}

/// What became of what one source says of one attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) system: SystemName,
    pub(crate) origin: String,
    pub(crate) value: Value,
    pub(crate) standing: Standing,
}

/// What a word counts for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The owner's: a fact.
    Fact,
    /// Somebody else's, sent to the owner.
    Request,
    /// Somebody else's, and the same as the fact.
    Agrees,
    /// Somebody else's, and why it does not count.
    Lost(Decision, String),
    /// Shown for the first time, by a source that tells changes.
    Baseline,
    /// Shown as the last time, by a source that tells changes.
    AsBefore,
    /// Said in an earlier run.
    Remembered,
    /// Nobody owns the attribute.
    Unowned,
}

impl Standing {
    /// A stable word for it.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Fact => "fact",
            Self::Request => "request",
            Self::Agrees => "agrees",
            Self::Lost(..) => "lost",
            Self::Baseline => "baseline",
            Self::AsBefore => "as_before",
            Self::Remembered => "remembered",
            Self::Unowned => "unowned",
        }
    }
}

impl Case<'_> {
    /// Why the cell is as it is.
    pub(crate) fn why(&self, attribute: &AttributeName, system: &SystemName) -> Why {
        if self.changes.iter().any(|change| change.attribute == *attribute && change.system == *system) {
            return Why::Decided;
        }
        if let Some(reason) = &self.person.held {
            return Why::Held(reason.clone());
        }
        let system = system.clone();
        let owned = self.ownership.owner(attribute);
        let Some(table) = self.providers.capabilities(&system) else {
            let owns = owned.is_some_and(|owned| owned.system == system);
            let speaks = self.person.statements.iter().any(|s| s.system == system && s.values.contains_key(attribute));
            return Why::Source { system, owns, speaks };
        };
        if table.of(&system, attribute).is_none() {
            return Why::Unknown { system, attribute: attribute.clone() };
        }
        let Some(account) = self.person.accounts.get(&system) else { return self.without_account(attribute, system) };
        if let Some(line) = self.account_line(attribute, &system) {
            return line;
        }
        if let Some(silence) = self.silence(attribute, &|_| true) {
            return silence;
        }
        let Some(owned) = owned else { return Why::NobodyOwns };
        let home = &owned.system;
        let stands = if self.providers.capabilities(home).is_none() {
            if let Some(silence) = self.silence(attribute, &|statement| statement.system == *home) {
                let silent = matches!(silence, Why::NobodySays);
                return if silent { Why::OwnerSilent { owner: home.clone() } } else { silence };
            }
            self.person.decided(home, attribute)
        } else {
            if self.differ(attribute, home) {
                return Why::Differ;
            }
            let Some(at_home) = self.person.accounts.get(home) else {
                return self.unseen(home).unwrap_or_else(|| Why::HomeWithout { home: home.clone() });
            };
            Some(at_home.value(attribute))
        };
        let copied = self.policy.copy(attribute).is_some_and(|line| line.systems.contains(&system))
            || attribute.system().as_ref() == Some(&system);
        if copied || *home == system {
            return Why::Same { system };
        }
        let same = stands
            .is_some_and(|value| self.providers.normalize(&system, attribute, &value) == account.value(attribute));
        Why::NotCopied { system, owner: home.clone(), same }
    }

    /// What each source says of an attribute, and what it counts for.
    pub(crate) fn words(&self, attribute: &AttributeName) -> Vec<Word> {
        let speaking = self.person.statements.iter().filter_map(|said| Some((said, said.values.get(attribute)?)));
        speaking
            .map(|(said, value)| Word {
                system: said.system.clone(),
                origin: said.origin.to_string(),
                standing: self.standing(attribute, said, &value),
                value,
            })
            .collect()
    }

    fn standing(&self, attribute: &AttributeName, said: &Statement, value: &Value) -> Standing {
        if !said.fresh || (said.shows(attribute) && is_absent(said)) {
            return Standing::Remembered;
        }
        if said.shows(attribute) {
            return if (self.known_before)(said) { Standing::AsBefore } else { Standing::Baseline };
        }
        let of_this = |change: &&PlannedChange| {
            let by_it = change.asked_by.system == said.system && change.attribute == *attribute;
            by_it && !matches!(change.decision, Decision::Apply | Decision::Follow)
        };
        let lost = || self.changes.iter().find(of_this).map(|it| Standing::Lost(it.decision, it.reason.clone()));
        match self.ownership.owner(attribute) {
            None => lost().unwrap_or(Standing::Unowned),
            Some(owned) if owned.system == said.system => Standing::Fact,
            Some(Owned { system: home, .. }) => {
                let is_source = self.providers.capabilities(home).is_none();
                let fact = self.person.decided(home, attribute);
                match (is_source, lost()) {
                    (true, Some(lost)) => lost,
                    (true, None) if fact.as_ref() == Some(value) => Standing::Agrees,
                    (false, Some(lost)) if self.changes.iter().any(|it| of_this(&it) && it.system == *home) => lost,
                    _ => Standing::Request,
                }
            }
        }
    }

    /// Why nobody asks for anything; `None` where somebody does.
    fn silence(&self, attribute: &AttributeName, of: &dyn Fn(&Statement) -> bool) -> Option<Why> {
        let speaking = || self.person.statements.iter().filter(|said| of(said) && said.values.contains_key(attribute));
        if speaking().any(|said| said.said(attribute).is_some()) {
            return None;
        }
        let quiet = speaking().find(|said| said.fresh && !is_absent(said));
        let quiet = quiet.map(|said| Why::Quiet { source: said.system.clone(), first: !(self.known_before)(said) });
        let remembered = || speaking().next().map(|said| Why::Remembered { source: said.system.clone() });
        Some(quiet.or_else(remembered).unwrap_or(Why::NobodySays))
    }

    fn differ(&self, attribute: &AttributeName, home: &SystemName) -> bool {
        let mut wishes = self.person.statements.iter().filter_map(|said| said.said(attribute));
        let first = wishes.next().map(|value| self.providers.normalize(home, attribute, &value));
        wishes.any(|value| Some(self.providers.normalize(home, attribute, &value)) != first)
    }

    fn account_line(&self, attribute: &AttributeName, system: &SystemName) -> Option<Why> {
        let wish = self.ownership.accounts.get(system).filter(|_| attribute.as_str() == "active")?;
        Some(Why::AccountLine { system: system.clone(), wanted: wish.wanted, line: wish.origin.clone() })
    }

    /// Why nobody saw her account there, where that is so.
    fn unseen(&self, system: &SystemName) -> Option<Why> {
        self.person.unseen.get(system).map(|unseen| Why::Unseen(unseen.reason.clone()))
    }

    fn without_account(&self, attribute: &AttributeName, system: SystemName) -> Why {
        if let Some(unseen) = self.unseen(&system) {
            return unseen;
        }
        let wish = self.ownership.accounts.get(&system);
        if !wish.is_some_and(|wish| wish.wanted) {
            return Why::NoAccount { system, unwanted: wish.map(|wish| wish.origin.clone()) };
        }
        let mut of_new = self.changes.iter().filter(|it| it.system == system && it.account.is_none());
        let stops = |it: &&PlannedChange| matches!(it.decision, Decision::Refuse | Decision::Hold);
        if !of_new.clone().any(|it| it.decision == Decision::Apply) {
            if let Some(stop) = of_new.find(stops) {
                return Why::NotMade { system, attribute: stop.attribute.clone() };
            }
            return Why::NoAccount { system, unwanted: None };
        }
        if attribute.as_str() == "active" {
            return Why::NewIsActive { system };
        }
        let why = match self.ownership.owner(attribute) {
            _ if attribute.member().is_some() => "a membership comes with the next plan, when it is there",
            None => "nobody owns this for her",
            Some(owned) => {
                let said = self.person.decided(&owned.system, attribute).filter(|value| !value.is_empty());
                if said.is_none() { "its owner says nothing of this" } else { "no `copies` line brings this there" }
            }
        };
        Why::NotInNew { system, why }
    }
}

/// True where somebody is said to be gone because no line of a list of everybody speaks of her: all else is as it was said
/// before.
fn is_absent(said: &Statement) -> bool {
    said.origin.line == 0
}
