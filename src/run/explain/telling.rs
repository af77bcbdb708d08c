//! The explanation as data: what `--format json` prints and what the terminal draws.
//!
//! Format `homeward.explanation/1`. Keys keep the order of the fields below, and the same inputs give the same bytes.

use serde::Serialize;

use super::{
    Cell, Fact, Material,
    search::{Study, Takes},
};
use crate::{
    model::{
        attribute::{AttributeName, Value},
        id::{AccountId, CallId, PersonId, SystemName},
        origin::Because,
        person::Person,
        plan::{Decision, Input, Plan, PlannedChange, PlannedOperation},
        policy::Owned,
    },
    plan::{
        Providers,
        why::{Standing, Why},
    },
    run::RunError,
    state::expectation::Expectation,
};

/// The format this program writes.
pub(crate) const FORMAT: &str = "homeward.explanation/1";

/// An explanation.
#[derive(Debug, Serialize)]
pub(crate) struct Explanation {
    /// [`FORMAT`].
    pub(crate) format: &'static str,
    /// The plan it is about, a fresh one where inputs were named.
    pub(crate) plan: String,
    /// The run that carried it out, where one was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) run: Option<i64>,
    /// What was read.
    pub(crate) inputs: Vec<Input>,
    /// What cannot be told without inputs; empty for a fresh dry run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) untold: Vec<String>,
    pub(crate) people: Vec<Told>,
}

/// Everything about one person.
#[derive(Debug, Serialize)]
pub(crate) struct Told {
    pub(crate) person: PersonId,
    /// Why nothing is decided for this person, where that is so.
    pub(crate) held: Option<String>,
    pub(crate) accounts: Vec<AccountTold>,
    /// Records that speak of this person.
    pub(crate) records: Vec<RecordTold>,
    pub(crate) attributes: Vec<OfAttribute>,
    pub(crate) operations: Vec<PlannedOperation>,
}

#[derive(Debug, Serialize)]
pub(crate) struct AccountTold {
    pub(crate) system: SystemName,
    pub(crate) account: Option<AccountId>,
}

#[derive(Debug, Serialize)]
pub(crate) struct RecordTold {
    pub(crate) system: SystemName,
    pub(crate) origin: String,
    /// False: from an earlier run.
    pub(crate) fresh: bool,
}

/// One attribute of one person.
#[derive(Debug, Serialize)]
pub(crate) struct OfAttribute {
    pub(crate) attribute: AttributeName,
    /// Whose word counts; `null` where nobody owns it.
    pub(crate) owner: Option<SystemName>,
    /// The value that counts.
    pub(crate) value: Option<Value>,
    /// The `owner` lines that were asked, first to last; the last one decided, if it holds.
    pub(crate) asked: Vec<LineTold>,
    /// What each source says, and what it counts for.
    pub(crate) words: Vec<WordTold>,
    pub(crate) cells: Vec<CellTold>,
}

/// An `owner` line that was asked.
#[derive(Debug, Serialize)]
pub(crate) struct LineTold {
    pub(crate) system: SystemName,
    pub(crate) holds: bool,
    #[serde(flatten)]
    pub(crate) line: Because,
    pub(crate) looked_at: Vec<LookedAt>,
}

#[derive(Debug, Serialize)]
pub(crate) struct LookedAt {
    pub(crate) what: String,
    pub(crate) value: Value,
}

#[derive(Debug, Serialize)]
pub(crate) struct WordTold {
    pub(crate) system: SystemName,
    pub(crate) origin: String,
    pub(crate) value: Value,
    /// `fact`, `request`, `agrees`, `lost`, `baseline`, `as_before`, `remembered` or `unowned`.
    pub(crate) standing: &'static str,
    /// What became of it, for `lost`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) decision: Option<Decision>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

/// One attribute of one person at one system.
#[derive(Debug, Serialize)]
pub(crate) struct CellTold {
    pub(crate) system: SystemName,
    pub(crate) account: Option<AccountId>,
    /// What it holds or says; `null` where there is nothing.
    pub(crate) now: Option<Value>,
    /// What was decided; nothing where the list is empty.
    pub(crate) decisions: Vec<Decision>,
    /// A stable word for why.
    pub(crate) why: &'static str,
    /// One sentence for a person.
    pub(crate) answer: String,
    pub(crate) changes: Vec<PlannedChange>,
    /// The requests that carry the changes out, or what became of them.
    pub(crate) calls: Vec<CallTold>,
    /// What would change it; absent where that was not asked, or cannot be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) takes: Option<TakesTold>,
    /// What an earlier run left to come here by itself, where it has not come yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expected: Option<Expectation>,
}

#[derive(Debug, Serialize)]
pub(crate) struct CallTold {
    pub(crate) id: CallId,
    pub(crate) method: String,
    pub(crate) path: String,
    /// What became of it, in a past run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) outcome: Option<String>,
}

/// What it would take.
#[derive(Debug, Serialize)]
pub(crate) struct TakesTold {
    pub(crate) ways: Vec<WayTold>,
    /// What was tried, in the order in which it was.
    pub(crate) searched: Vec<&'static str>,
    /// How many suppositions were decided.
    pub(crate) tried: usize,
}

#[derive(Debug, Serialize)]
pub(crate) struct WayTold {
    /// All of these together; without any one of them nothing changes.
    pub(crate) suppose: Vec<FactTold>,
    /// What is decided then; nothing where the list is empty.
    pub(crate) becomes: Vec<Decision>,
}

#[derive(Debug, Serialize)]
pub(crate) struct FactTold {
    /// `world` or `rules`.
    pub(crate) of: &'static str,
    /// A clause, to stand after "if".
    pub(crate) text: String,
}

/// How much is to be told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Depth {
    /// Also what would change each cell.
    pub(crate) takes: bool,
}

/// What is still to come by itself to a cell of somebody.
pub(crate) fn expected<'a>(
    open: impl IntoIterator<Item = &'a Expectation>,
    person: &PersonId,
    (attribute, system): &Cell,
) -> Option<&'a Expectation> {
    open.into_iter().find(|one| one.person == *person && one.attribute == *attribute && one.system == *system)
}

impl Material<'_> {
    /// Everything about one of the people, of one attribute if one is named.
    ///
    /// # Errors
    /// Where a rule fails that is not the person's fault.
    pub(crate) fn tell(&self, at: usize, only: Option<&AttributeName>, depth: Depth) -> Result<Told, RunError> {
        let person = &self.people[at].person;
        let known_before = |said: &_| self.known_before(said);
        let case = self.case(at, &known_before);
        let mut study = Study::new(self, at);
        let open = self.desk.memory.expectations.iter();
        let mine: Vec<&Expectation> = open.filter(|one| one.person == person.id).collect();
        let mut attributes: Vec<OfAttribute> = Vec::new();
        for cell in self.cells(at) {
            let (attribute, system) = &cell;
            // A set is asked for by its name too.
            if only.is_some_and(|only| only != attribute && attribute.set().as_ref() != Some(only)) {
                continue;
            }
            let is_new = attributes.last().is_none_or(|last| last.attribute != *attribute);
            if is_new {
                attributes.push(self.of_attribute(at, attribute));
            }
            let why = case.why(attribute, system);
            let takes = if depth.takes { Some(self.takes(person, study.takes(&cell)?)) } else { None };
            let changes: Vec<PlannedChange> = self
                .changes(at)
                .iter()
                .filter(|change| change.attribute == *attribute && change.system == *system)
                .cloned()
                .collect();
            let told = CellTold {
                system: system.clone(),
                account: person.accounts.get(system).and_then(|account| account.id.clone()),
                now: self.now(person, attribute, system),
                decisions: Self::decisions(&changes, &cell).into_iter().collect(),
                why: why.code(),
                answer: answer(&why, &changes),
                calls: calls(&self.plan, &changes),
                changes,
                takes,
                expected: expected(mine.iter().copied(), &person.id, &cell).cloned(),
            };
            if let Some(last) = attributes.last_mut() {
                last.cells.push(told);
            }
        }
        let accounts = person.accounts.values();
        let accounts =
            accounts.map(|account| AccountTold { system: account.system.clone(), account: account.id.clone() });
        let records = person.statements.iter().map(|said| RecordTold {
            system: said.system.clone(),
            origin: said.origin.to_string(),
            fresh: said.fresh,
        });
        let mine = |operation: &&PlannedOperation| operation.person == person.id && only.is_none();
        Ok(Told {
            person: person.id.clone(),
            held: person.held.clone(),
            accounts: accounts.collect(),
            records: records.collect(),
            attributes,
            operations: self.plan.operations.iter().filter(mine).cloned().collect(),
        })
    }

    fn of_attribute(&self, at: usize, attribute: &AttributeName) -> OfAttribute {
        let judged = &self.people[at];
        let known_before = |said: &_| self.known_before(said);
        let owned = judged.ownership.owner(attribute);
        // Where a rule fails on a person she is held, and that is told.
        let asked = self.desk.rules.inquire(&judged.person, attribute).unwrap_or_default();
        let asked = asked.into_iter().map(|line| LineTold {
            system: line.system,
            holds: line.holds,
            line: Because::from(&line.origin),
            looked_at: line.looked_at.into_iter().map(|(what, value)| LookedAt { what, value }).collect(),
        });
        let words = self.case(at, &known_before).words(attribute).into_iter().map(|word| {
            let standing = word.standing.code();
            let (decision, reason) = match word.standing {
                Standing::Lost(decision, reason) => (Some(decision), Some(reason)),
                _ => (None, None),
            };
            WordTold { system: word.system, origin: word.origin, value: word.value, standing, decision, reason }
        });
        // What was asked of the owner in vain does not count: she has what the owner holds.
        let in_vain = |owner: &SystemName| {
            let is_it = |it: &&PlannedChange| {
                it.person == judged.person.id && it.attribute == *attribute && it.system == *owner
            };
            let change = self.plan.changes.iter().find(is_it)?;
            matches!(change.decision, Decision::Drop | Decision::Refuse | Decision::Hold).then(|| change.before.clone())
        };
        let counts = |owned: &Owned| in_vain(&owned.system).or_else(|| judged.person.decided(&owned.system, attribute));
        OfAttribute {
            attribute: attribute.clone(),
            owner: owned.map(|owned| owned.system.clone()),
            value: owned.and_then(counts),
            asked: asked.collect(),
            words: words.collect(),
            cells: Vec::new(),
        }
    }

    /// What a provider's account holds, or what a source says.
    fn now(&self, person: &Person, attribute: &AttributeName, system: &SystemName) -> Option<Value> {
        match self.fleet.capabilities(system) {
            Some(_) => person.accounts.get(system)?.attributes.get(attribute).cloned(),
            None => person.value_at(system, attribute),
        }
    }

    fn takes(&self, person: &Person, takes: Takes) -> TakesTold {
        let ways = takes.ways.into_iter().map(|way| WayTold {
            suppose: way.facts.iter().map(|fact| self.clause(person, fact)).collect(),
            becomes: way.becomes.into_iter().collect(),
        });
        TakesTold { ways: ways.collect(), searched: takes.searched, tried: takes.tried }
    }

    /// A supposition in words, to stand after "if".
    fn clause(&self, person: &Person, fact: &Fact) -> FactTold {
        let held = |system: &SystemName, attribute: &AttributeName| {
            person
                .accounts
                .get(system)
                .and_then(|account| account.attributes.get(attribute))
                .cloned()
                .unwrap_or_default()
        };
        let text = match fact {
            Fact::Account { system, name, value } => {
                let now = person.accounts.get(system).and_then(|account| account.facts.get(name));
                format!("`{system}.{name}` were {} (now {})", shown(value), shown(now.unwrap_or(&Value::Empty)))
            }
            Fact::NoSignIn { system, identity } => {
                format!("the account at {system} did not sign in through {}", identity.provider)
            }
            Fact::Exists { system, exists: true } => format!("there were an account at {system}"),
            Fact::Exists { system, exists: false } => format!("there were no account at {system}"),
            Fact::Says { source, attribute, value } => {
                let said = person.statements.iter().find(|said| said.system == *source);
                let now = said.and_then(|said| said.values.get(attribute));
                let now = now.map(|now| format!(" (it says {})", shown(&now))).unwrap_or_default();
                match value {
                    Some(value) => format!("{source} said `{attribute}` is {}{now}", shown(value)),
                    None => format!("{source} said nothing of `{attribute}`{now}"),
                }
            }
            Fact::Anew { source, attribute } => format!("{source} had shown another `{attribute}` the last time"),
            Fact::Speaks { source } => format!("{source} spoke of this person in this run"),
            Fact::Holds { system, attribute, value } => {
                let now = shown(&held(system, attribute));
                let now = if person.accounts.contains_key(system) { format!(" (now {now})") } else { String::new() };
                format!("{system} held the `{attribute}` {}{now}", shown(value))
            }
            Fact::Freed { system, attribute, name } => {
                format!("nobody else had the `{attribute}` \"{name}\" at {system}")
            }
            Fact::Waived { person } => format!("{person} asked for nothing"),
            Fact::Sure => "it were certain who this person is".to_owned(),
            Fact::Server { system, name, value: Value::Empty } if name == "credential" => {
                format!("the token for {system} were one of ours, and not her own")
            }
            Fact::Server { system, name, value } => {
                let now = self.fleet.server(system).get(name).cloned().unwrap_or_default();
                format!("the server of {system} had `{name}` {} (now {})", shown(value), shown(&now))
            }
            Fact::Protected { system, protected: true } => {
                format!("`limits.protected` named the account at {system}")
            }
            Fact::Protected { system, protected: false } => {
                format!("`limits.protected` did not name the account at {system}")
            }
            Fact::Wanted { system, wanted: true } => format!("an `account` line wanted an account at {system}"),
            Fact::Wanted { system, wanted: false } => format!("no `account` line wanted an account at {system}"),
            Fact::Copied { attribute, system, copied: true } => {
                format!("a `copies` line brought `{attribute}` to {system}")
            }
            Fact::Copied { attribute, system, copied: false } => {
                format!("no `copies` line brought `{attribute}` to {system}")
            }
            Fact::Owner { attribute, system } => format!("an `owner` line gave `{attribute}` to {system}"),
            Fact::Unrouted => "no `route` and no `refused` line answered".to_owned(),
        };
        let of = match fact {
            Fact::Protected { .. }
            | Fact::Wanted { .. }
            | Fact::Copied { .. }
            | Fact::Owner { .. }
            | Fact::Unrouted => "rules",
            _ => "world",
        };
        FactTold { of, text }
    }
}

/// One sentence: what was decided says why itself, silence is explained.
pub(super) fn answer(why: &Why, changes: &[PlannedChange]) -> String {
    if changes.is_empty() {
        return why.to_string();
    }
    let mut reasons: Vec<String> = Vec::new();
    for change in changes {
        let no = change.refusal.map(|kind| format!("{kind}: ")).unwrap_or_default();
        let reason = format!("{no}{}", change.reason);
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    reasons.join("; ")
}

/// The requests that carry changes out.
pub(super) fn calls(plan: &Plan, changes: &[PlannedChange]) -> Vec<CallTold> {
    let ids = changes.iter().filter_map(|change| change.call.as_ref());
    let calls = ids.filter_map(|id| plan.calls.iter().find(|call| call.id == *id));
    calls
        .map(|call| CallTold {
            id: call.id.clone(),
            method: call.method.clone(),
            path: call.path.clone(),
            outcome: None,
        })
        .collect()
}

fn shown(value: &Value) -> String {
    match value {
        Value::Text(text) => format!("\"{text}\""),
        Value::Bool(truth) => truth.to_string(),
        Value::Empty => "empty".to_owned(),
    }
}
