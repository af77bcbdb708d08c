//! One person decided again, with something supposed to be otherwise.
//!
//! Everything is done as for a plan: owners are asked, changes decided, protected accounts held, and names ordered among
//! all people who want or hold one that this person wants or holds. So what is told is what a plan would say.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{Cell, Fact, Material};
use crate::{
    model::{
        account::{Account, Facts},
        accounts::Packed,
        attribute::{AttributeName, Value},
        capability::{Capabilities, Change, Foresight, Unique},
        id::{AccountId, PersonId, SystemName},
        origin::Origin,
        person::Person,
        plan::{PlannedChange, Request},
        policy::{CopyLine, Owned, Ownership, Policy, Wish},
        record::Statement,
        refusal::Refusal,
    },
    plan::{
        Providers,
        assemble::{Frame, assemble},
        decide::Decided,
        folded,
        guard::{Limits, protect},
        order::Holders,
    },
    run::{
        RunError,
        fleet::Fleet,
        prepare::{Otherwise, decide_otherwise},
    },
};

/// The world with something in it supposed to be otherwise.
struct World<'a> {
    person: Person,
    policy: Cow<'a, Policy>,
    limits: Cow<'a, Limits>,
    providers: Supposed<'a>,
    /// What the conditions should have answered.
    owners: Vec<(AttributeName, SystemName)>,
    wishes: Vec<(SystemName, bool)>,
    unrouted: bool,
    /// Names that nobody has, or that this person has.
    names: BTreeMap<Cell, BTreeMap<String, Option<AccountId>>>,
    /// People who ask for nothing.
    waived: BTreeSet<PersonId>,
}

/// The providers, with other facts of their servers.
struct Supposed<'a> {
    fleet: &'a Fleet,
    servers: BTreeMap<SystemName, Arc<Facts>>,
}

impl Providers for Supposed<'_> {
    fn names(&self) -> Vec<SystemName> {
        self.fleet.names()
    }

    fn kind(&self, system: &SystemName) -> Option<&str> {
        self.fleet.kind(system)
    }

    fn capabilities(&self, system: &SystemName) -> Option<&'static Capabilities> {
        self.fleet.capabilities(system)
    }

    fn server(&self, system: &SystemName) -> Arc<Facts> {
        self.servers.get(system).cloned().unwrap_or_else(|| self.fleet.server(system))
    }

    fn normalize(&self, system: &SystemName, attribute: &AttributeName, value: &Value) -> Value {
        self.fleet.normalize(system, attribute, value)
    }

    fn foresee(&self, account: &Account, change: &Change) -> Foresight {
        self.fleet.foresee(account, change)
    }

    fn stands_alone(&self, account: &Packed<'_>) -> bool {
        self.fleet.stands_alone(account)
    }

    fn calls(&self, account: &Account, changes: &[Change]) -> Result<Vec<Request>, Refusal> {
        self.fleet.calls(account, changes)
    }

    fn operation(
        &self,
        account: &Account,
        operation: &str,
        arguments: &BTreeMap<String, Value>,
    ) -> Result<Request, Refusal> {
        self.fleet.operation(account, operation, arguments)
    }
}

/// The id of an account that is only supposed to be there: the kind of id that every provider takes for one.
const ID: &str = "999999999999999999";

/// The script of lines that are only supposed to be there.
const SUPPOSED: &str = "supposed";

impl Material<'_> {
    /// What would be decided for one of the people, if all of these were so. Calls have no ids that mean anything.
    ///
    /// # Errors
    /// Where a rule fails that is not the person's fault.
    pub(crate) fn suppose(&self, at: usize, facts: &[Fact]) -> Result<Vec<PlannedChange>, RunError> {
        let mut world = World {
            person: self.people[at].person.clone(),
            policy: Cow::Borrowed(self.desk.rules.policy()),
            limits: Cow::Borrowed(self.desk.limits),
            providers: Supposed { fleet: self.fleet, servers: BTreeMap::new() },
            owners: Vec::new(),
            wishes: Vec::new(),
            unrouted: false,
            names: BTreeMap::new(),
            waived: BTreeSet::new(),
        };
        // Whether there is an account comes before what it holds.
        let (exist, others): (Vec<&Fact>, Vec<&Fact>) =
            facts.iter().partition(|fact| matches!(fact, Fact::Exists { .. }));
        for fact in exist.into_iter().chain(others) {
            self.apply(&mut world, fact);
        }
        let World { person, policy, limits, providers, owners, wishes, unrouted, names, waived } = world;
        let edit = |ownership: &mut Ownership| {
            for (attribute, system) in &owners {
                let owned = Owned { system: system.clone(), origin: supposed(), looked_at: Vec::new() };
                Arc::make_mut(&mut ownership.owners).insert(attribute.clone(), owned);
            }
            for (system, wanted) in &wishes {
                let wish = ownership.accounts.entry(system.clone());
                wish.or_insert_with(|| Wish { wanted: *wanted, origin: supposed(), looked_at: Vec::new() }).wanted =
                    *wanted;
            }
        };
        let otherwise = Otherwise { policy: &policy, edit: Some(&edit), unrouted };
        let id = person.id.clone();
        let decided = decide_otherwise(person, self.desk.rules, &self.attributes, &providers, &otherwise)?;
        let mut mine = decided.changes;
        protect(&mut mine, &mut [], &limits);
        let (all, holders) = self.among_others(at, mine, &names, &waived);
        let plan = assemble(all, Vec::new(), &holders, &policy, &providers, None, Frame::default());
        Ok(plan.changes.into_iter().filter(|change| change.person == id).collect())
    }

    fn apply(&self, world: &mut World<'_>, fact: &Fact) {
        match fact {
            Fact::Account { system, name, value } => with_account(&mut world.person, system, |account| {
                match value {
                    Value::Empty => account.facts.remove(name),
                    value => account.facts.insert(name.clone(), value.clone()),
                };
            }),
            Fact::NoSignIn { system, identity } => with_account(&mut world.person, system, |account| {
                account.identities.retain(|it| it != identity);
            }),
            Fact::Exists { system, exists: true } => {
                let mut account = Account::absent(system.clone(), world.providers.server(system));
                account.id = Some(ID.into());
                account.facts = self.usual_facts(system);
                account.attributes.insert(AttributeName::new("active"), Value::Bool(true));
                world.person.accounts.insert(system.clone(), Arc::new(account));
            }
            Fact::Exists { system, exists: false } => {
                if let Some(account) = world.person.accounts.remove(system) {
                    for (attribute, value) in &account.attributes {
                        if let Some(name) = folded(value) {
                            let names = world.names.entry((attribute.clone(), system.clone())).or_default();
                            names.insert(name, None);
                        }
                    }
                }
            }
            Fact::Says { source, attribute, value } => {
                with_statement(&mut world.person, source, |said| {
                    said.values.set(attribute, value.clone());
                    // Another value than the last time is a change; at first sight everything is a baseline.
                    if self.known_before(said) {
                        said.quiet.retain(|name| name != attribute);
                    }
                });
            }
            Fact::Anew { source, attribute } => with_statement(&mut world.person, source, |said| {
                said.quiet.retain(|name| name != attribute);
            }),
            Fact::Speaks { source } => with_statement(&mut world.person, source, |said| said.fresh = true),
            Fact::Holds { system, attribute, value } => {
                let (mut old, mut id) = (Value::Empty, None);
                with_account(&mut world.person, system, |account| {
                    id.clone_from(&account.id);
                    old = account.value(attribute);
                    account.attributes.insert(attribute.clone(), value.clone());
                });
                let names = world.names.entry((attribute.clone(), system.clone())).or_default();
                names.extend(folded(&old).map(|old| (old, None)));
                names.extend(folded(value).map(|name| (name, id)));
            }
            Fact::Freed { system, attribute, name } => {
                world.names.entry((attribute.clone(), system.clone())).or_default().insert(name.clone(), None);
            }
            Fact::Waived { person } => {
                world.waived.insert(person.clone());
            }
            Fact::Sure => world.person.held = None,
            Fact::Server { system, name, value } => {
                let mut facts = Facts::clone(&world.providers.server(system));
                match value {
                    Value::Empty => facts.remove(name),
                    value => facts.insert(name.clone(), value.clone()),
                };
                let facts = Arc::new(facts);
                with_account(&mut world.person, system, |account| account.server = Arc::clone(&facts));
                world.providers.servers.insert(system.clone(), facts);
            }
            Fact::Protected { system, protected } => {
                let Some(account) = world.person.accounts.get(system) else { return };
                let username = account.value(&AttributeName::new("username"));
                let names = [account.id.as_ref().map(AccountId::as_str), username.as_text()];
                let limits = world.limits.to_mut();
                for name in names.into_iter().flatten().map(str::to_lowercase) {
                    let place = (system.clone(), name);
                    if *protected {
                        limits.protected.insert(place);
                    } else {
                        limits.protected.remove(&place);
                    }
                }
            }
            Fact::Wanted { system, wanted } => world.wishes.push((system.clone(), *wanted)),
            Fact::Copied { attribute, system, copied } => {
                // A member of a set is copied as its set is.
                let attribute = attribute.set().unwrap_or_else(|| attribute.clone());
                let copies = &mut world.policy.to_mut().copies;
                let line =
                    copies.entry(attribute).or_insert_with(|| CopyLine { systems: Vec::new(), origin: supposed() });
                line.systems.retain(|it| it != system);
                line.systems.extend(copied.then(|| system.clone()));
            }
            Fact::Owner { attribute, system } => world.owners.push((attribute.clone(), system.clone())),
            Fact::Unrouted => world.unrouted = true,
        }
    }

    /// What was decided for everybody that could meet this person over a name, and who holds the names they want.
    fn among_others(
        &self,
        at: usize,
        mine: Vec<Decided>,
        names: &BTreeMap<Cell, BTreeMap<String, Option<AccountId>>>,
        waived: &BTreeSet<PersonId>,
    ) -> (Vec<Decided>, Holders) {
        let mut holders = Holders::new();
        let mut all = mine;
        let mut there: BTreeSet<usize> = BTreeSet::from([at]);
        let mut next = 0;
        while next < all.len() {
            let one = &all[next];
            next += 1;
            let Some((cell, wanted, _)) = self.unique_move(one) else { continue };
            let place = (cell.1.clone(), cell.0.clone());
            let supposed = names.get(&cell).and_then(|names| names.get(&wanted)).cloned();
            let holder = supposed.unwrap_or_else(|| self.holders.get(&place)?.get(&wanted).cloned());
            let mut met: Vec<usize> = Vec::new();
            let wants = self.wants.get(&cell);
            met.extend(wants.and_then(|wants| wants.get(&wanted)).into_iter().flatten());
            met.extend(folded(&one.planned.before).and_then(|left| wants?.get(&left)).into_iter().flatten());
            if let Some(holder) = holder {
                met.extend(self.movers.get(&(cell, holder.clone())));
                holders.entry(place).or_default().insert(wanted, holder);
            }
            for other in met {
                let is_waived = self.people.get(other).is_some_and(|it| waived.contains(&it.person.id));
                if !is_waived && there.insert(other) {
                    all.extend(self.decided[other].iter().cloned());
                }
            }
        }
        (all, holders)
    }

    /// Who keeps a name that a change wants: the account that has it, and the people who want it too.
    pub(super) fn rivals(&self, at: usize, change: &PlannedChange) -> (bool, Vec<PersonId>) {
        let cell = (change.attribute.clone(), change.system.clone());
        let row = self.fleet.capabilities(&cell.1).and_then(|table| table.of(&cell.1, &cell.0));
        let Some(wanted) = folded(&change.after).filter(|_| row.is_some_and(|row| row.unique != Unique::No)) else {
            return (false, Vec::new());
        };
        let holder = self.holders.get(&(cell.1.clone(), cell.0.clone())).and_then(|names| names.get(&wanted));
        let mut others: Vec<usize> =
            self.wants.get(&cell).and_then(|wants| wants.get(&wanted)).cloned().unwrap_or_default();
        let left = folded(&change.before).and_then(|left| self.wants.get(&cell)?.get(&left));
        others.extend(left.into_iter().flatten());
        others.extend(holder.and_then(|holder| self.movers.get(&(cell, holder.clone()))));
        others.retain(|other| *other != at);
        others.sort_unstable();
        others.dedup();
        let taken = holder.is_some_and(|holder| change.account.as_ref() != Some(holder));
        (taken, others.into_iter().map(|other| self.people[other].person.id.clone()).collect())
    }
}

/// The line that says what is only supposed.
fn supposed() -> Origin {
    Origin { file: SUPPOSED.into(), line: 0, column: 0, text: "".into() }
}

fn with_account(person: &mut Person, system: &SystemName, alter: impl FnOnce(&mut Account)) {
    if let Some(account) = person.accounts.get_mut(system) {
        alter(Arc::make_mut(account));
    }
}

fn with_statement(person: &mut Person, source: &SystemName, alter: impl FnOnce(&mut Statement)) {
    if let Some(said) = person.statements.iter_mut().find(|said| said.system == *source) {
        alter(Arc::make_mut(said));
    }
}
