//! What becomes of each attribute of one person: applied, left to come by itself, refused, held, or nothing.
//!
//! An owner states; everybody else may only ask. This file sees one person at a time, so it does not know who else holds a
//! name or in which order calls must go: that is `order.rs`.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

mod account;
mod elsewhere;
mod rest;
mod words;

pub(crate) use self::rest::Rest;
use self::{
    account::Switch,
    elsewhere::{Elsewhere, Told},
    words::{belongs, instead, why},
};
use super::{Hooks, Providers};
use crate::model::{
    account::Account,
    attribute::{AttributeName, Value},
    capability::{Change, Follows, Foresight, Support, Verdict},
    id::SystemName,
    origin::Because,
    person::{Person, Unseen},
    plan::{AskedBy, Decision, PlannedChange},
    policy::{Action, Owned, Ownership, Policy},
    record::{RecordOrigin, Statement},
    refusal::RefusalKind,
    secret::INSTEAD,
};

/// A change with what the next steps need of it.
#[derive(Clone, Debug)]
pub(crate) struct Decided {
    /// What the plan will show.
    pub(crate) planned: PlannedChange,
    /// The account it is about; without id where one is to be created.
    pub(crate) account: Arc<Account>,
    /// The change itself.
    pub(crate) change: Change,
}

/// Decides everything for one person.
pub(crate) fn decide(
    person: &Person,
    ownership: &Ownership,
    policy: &Policy,
    providers: &dyn Providers,
    hooks: &dyn Hooks,
) -> Vec<Decided> {
    let mut desk = Desk {
        person,
        ownership,
        policy,
        providers,
        hooks,
        elsewhere: Vec::new(),
        decided: Vec::new(),
        after: BTreeMap::new(),
        looking_on: Vec::new(),
        switches: Vec::new(),
        askers: Vec::new(),
    };
    let spoken: BTreeSet<AttributeName> = person.statements.iter().flat_map(|said| said.spoken()).cloned().collect();
    if let Some(reason) = &person.held {
        for attribute in &spoken {
            desk.hold_unsure(attribute, reason);
        }
        return desk.decided;
    }
    for attribute in &spoken {
        desk.attribute(attribute);
    }
    desk.accounts();
    desk.settle_switches();
    desk.settle_elsewhere();
    // What follows may meet a rule that sends it elsewhere, and leave others that follow from there. What was sent on is
    // not sent on again, so this ends.
    while !desk.looking_on.is_empty() {
        desk.follow();
        desk.settle_elsewhere();
    }
    desk.decided.sort_by(|a, b| {
        let key = |d: &Decided| (d.planned.attribute.clone(), d.planned.system.clone());
        key(a).cmp(&key(b))
    });
    desk.decided
}

/// The work on one person.
struct Desk<'a> {
    person: &'a Person,
    ownership: &'a Ownership,
    policy: &'a Policy,
    providers: &'a dyn Providers,
    hooks: &'a dyn Hooks,
    decided: Vec<Decided>,
    /// What accounts will hold when the plan is done, where that differs from now.
    after: BTreeMap<(SystemName, AttributeName), Value>,
    /// Accounts that may take a value by themselves; looked at when everything else is decided.
    looking_on: Vec<Onlooker>,
    /// Accounts to switch off that the next sign-in would switch on again.
    switches: Vec<Switch>,
    /// Changes that a rule sent somewhere else.
    elsewhere: Vec<Elsewhere>,
    /// Who asks for something, by where it was said.
    askers: Vec<(RecordOrigin, AskedBy)>,
}

/// A change of an account that comes from elsewhere, if it comes.
struct Onlooker {
    system: SystemName,
    attribute: AttributeName,
    value: Value,
    foresight: Foresight,
    follows: Follows,
    asked_by: AskedBy,
    /// Whether anybody wants a call for it, or it is only worth telling.
    pushed: bool,
}

/// Who asks for a value, and what.
struct Asked<'a> {
    statement: &'a Statement,
    value: Value,
}

impl<'a> Desk<'a> {
    fn attribute(&mut self, attribute: &AttributeName) {
        let asked: Vec<Asked<'_>> = self
            .person
            .statements
            .iter()
            .filter_map(|statement| Some(Asked { value: statement.said(attribute)?, statement }))
            .collect();
        let ownership = self.ownership;
        let Some(owned) = ownership.owner(attribute) else {
            for one in &asked {
                if self.is_so_everywhere(attribute, &one.value) {
                    continue;
                }
                let reason = format!("nobody owns `{attribute}` for this person: say who does with an `owner` line");
                self.refuse_request(attribute, one, None, reason);
            }
            return;
        };
        // An owner that tells of her itself, and where no account of hers is known or left, has said all there is.
        let speaks = self.person.statements.iter().any(|statement| statement.system == owned.system);
        let is_asked = !speaks || self.person.accounts.contains_key(&owned.system);
        if is_asked && self.providers.capabilities(&owned.system).is_some() {
            self.owned_by_provider(attribute, owned, &asked);
        } else {
            self.owned_by_source(attribute, owned, &asked);
        }
    }

    /// The owner is a source: its word is a fact, everybody else is told where to go.
    fn owned_by_source(&mut self, attribute: &AttributeName, owned: &Owned, asked: &[Asked<'_>]) {
        let word = self.person.statements.iter().find(|s| s.system == owned.system);
        let fact = word.and_then(|s| s.values.get(attribute));
        for one in asked.iter().filter(|one| one.statement.system != owned.system) {
            if fact.as_ref() != Some(&one.value) {
                let home = &owned.system;
                let reason = format!("`{attribute}` belongs to {home} ({}); change it there", why(owned));
                self.refuse_request(attribute, one, Some(owned), reason);
            }
        }
        let Some((word, value)) = word.zip(fact) else { return };
        if word.said(attribute).is_none() {
            return;
        }
        let asked_by = self.by(word);
        for system in self.holders(attribute) {
            self.push(system, attribute, &value, owned, &asked_by);
        }
    }

    /// The home is a provider: what others say is a request to it, and copies take what it will hold.
    fn owned_by_provider(&mut self, attribute: &AttributeName, owned: &Owned, asked: &[Asked<'_>]) {
        let home = &owned.system;
        let wish = |one: &Asked<'_>| self.providers.normalize(home, attribute, &one.value);
        let wishes: BTreeSet<Value> = asked.iter().map(wish).collect();
        let Some(first) = asked.first() else { return };
        if wishes.len() > 1 {
            let said: Vec<String> = asked
                .iter()
                .map(|one| format!("{} ({}) asks for {}", one.statement.system, one.statement.origin, one.value))
                .collect();
            for one in asked {
                let value = self.providers.normalize(home, attribute, &one.value);
                let reason = format!("two systems ask for different values: {}", said.join(", "));
                let asked_by = self.by(one.statement);
                self.put(home, attribute, &value, Decision::Hold, Some(owned), asked_by, reason, |_| {});
            }
            return;
        }
        let value = self.providers.normalize(home, attribute, &first.value);
        let asked_by = self.by(first.statement);
        if self.is_account_line(home, attribute) {
            return;
        }
        let Some(account) = self.person.accounts.get(home).cloned() else {
            if self.hold_unseen(home, attribute, &value, owned, &asked_by) {
                return;
            }
            // An account about to be made starts with this value; see `create`.
            if !self.wants_account(home) {
                let reason = format!("{home} owns `{attribute}` ({}) and this person has no account there", why(owned));
                let instruction = self.routed(home, attribute, &value, Some(owned), &asked_by);
                let kind = RefusalKind::NotFound;
                let instruction = instruction.map(|instruction| (None, instruction)).or_else(|| {
                    let said = self.refused(home, attribute, &value, Some(owned), &asked_by, kind, &reason);
                    Some((Some(kind), said?))
                });
                if let Some((kind, instruction)) = instruction {
                    let told = Told { kind, no: reason };
                    self.obey(instruction, home, attribute, &value, Some(owned), &asked_by, &Foresight::takes(), &told);
                    return;
                }
                self.put(home, attribute, &value, Decision::Refuse, Some(owned), asked_by, reason, |planned| {
                    planned.refusal = Some(RefusalKind::NotFound);
                });
            }
            return;
        };
        let before = account.value(attribute);
        let mut stands = before.clone();
        if before != value {
            let change = Change { attribute: attribute.clone(), before, after: value.clone() };
            let foresight = self.foresee(&account, &change);
            let reason = format!("{home} owns `{attribute}` ({})", why(owned));
            if is_active(attribute) {
                if self.switch(&account, &value, owned, &asked_by, reason) {
                    stands = value;
                }
            } else if self.own_call(home, attribute, &value, foresight, owned, &asked_by, reason) {
                stands = value;
            }
        }
        for system in self.holders(attribute) {
            if system != home {
                let from = AskedBy { system: home.clone(), origin: Arc::clone(&asked_by.origin) };
                self.push(system, attribute, &stands, owned, &from);
            }
        }
    }

    /// Every provider where this person may hold a copy: those that `copies` names, the one an attribute belongs to, and
    /// those that could take it by themselves. Where she has no account, and is not known to be unseen, there is nothing
    /// to bring it to.
    fn holders(&self, attribute: &AttributeName) -> Vec<&'a SystemName> {
        let person = self.person;
        let knows = |system: &&SystemName| knows(self.providers, system, attribute);
        let mut systems: Vec<&SystemName> = person.accounts.keys().filter(knows).collect();
        if !person.unseen.is_empty() {
            systems.extend(person.unseen.keys().filter(|system| !person.accounts.contains_key(*system)).filter(knows));
            systems.sort_unstable();
        }
        systems
    }

    /// True where this person has accounts that know the attribute and all of them hold this value: then nobody asks for
    /// anything. So a value that is only there to find people by needs no owner.
    fn is_so_everywhere(&self, attribute: &AttributeName, value: &Value) -> bool {
        let holders = self.holders(attribute);
        let mut accounts = holders.iter().filter_map(|system| self.person.accounts.get(*system)).peekable();
        let is_so = |account: &Arc<Account>| {
            account.value(attribute) == self.providers.normalize(&account.system, attribute, value)
        };
        accounts.peek().is_some() && accounts.all(is_so)
    }

    fn is_copied_to(&self, system: &SystemName, attribute: &AttributeName) -> bool {
        is_copied_to(self.policy, system, attribute)
    }

    /// Brings a decided value to another account: by a call, by itself, or not.
    fn push(
        &mut self,
        system: &SystemName,
        attribute: &AttributeName,
        value: &Value,
        owned: &Owned,
        asked_by: &AskedBy,
    ) {
        let Some(account) = self.person.accounts.get(system).cloned() else {
            if self.is_copied_to(system, attribute) && !self.is_account_line(system, attribute) {
                let value = self.providers.normalize(system, attribute, value);
                self.hold_unseen(system, attribute, &value, owned, asked_by);
            }
            return;
        };
        if self.is_account_line(system, attribute) {
            return;
        }
        let value = self.providers.normalize(system, attribute, value);
        let before = account.value(attribute);
        let pushed = self.is_copied_to(system, attribute);
        if is_active(attribute) {
            if pushed {
                let reason = self.a_copy(owned);
                self.switch(&account, &value, owned, asked_by, reason);
            }
            return;
        }
        let change = Change { attribute: attribute.clone(), before: before.clone(), after: value.clone() };
        let foresight = self.foresee(&account, &change);
        if let Some(follows) = foresight.follows.clone() {
            let onlooker = Onlooker {
                system: system.clone(),
                attribute: attribute.clone(),
                value,
                foresight,
                follows,
                asked_by: asked_by.clone(),
                pushed,
            };
            self.looking_on.push(onlooker);
            return;
        }
        if pushed && before != value {
            let reason = self.a_copy(owned);
            self.own_call(system, attribute, &value, foresight, owned, asked_by, reason);
        }
    }

    /// Decides by what an own call would meet. True where it will be made.
    #[expect(clippy::too_many_arguments, reason = "each is a different thing and all are needed to say why")]
    fn own_call(
        &mut self,
        system: &SystemName,
        attribute: &AttributeName,
        value: &Value,
        foresight: Foresight,
        owned: &Owned,
        asked_by: &AskedBy,
        reason: String,
    ) -> bool {
        let told = |kind: Option<RefusalKind>, no: &str| Told { kind, no: no.to_owned() };
        let no = match &foresight.verdict {
            Verdict::Takes => None,
            Verdict::Refuses { kind, reason } => Some((*kind, reason.as_str())),
            Verdict::Doomed { reason } => Some((RefusalKind::Ineffective, reason.as_str())),
        };
        let mut here = true;
        if let Some(instruction) = self.routed(system, attribute, value, Some(owned), asked_by) {
            here = matches!(&instruction.action, Action::To(systems) if systems.contains(system));
            self.obey(instruction, system, attribute, value, Some(owned), asked_by, &foresight, &told(None, ""));
        } else if let Some((kind, no)) = no
            && let Some(instruction) = self.refused(system, attribute, value, Some(owned), asked_by, kind, no)
        {
            here = false;
            self.obey(instruction, system, attribute, value, Some(owned), asked_by, &foresight, &told(Some(kind), no));
        }
        if !here {
            return false;
        }
        self.call(system, attribute, value, foresight, owned, asked_by, reason)
    }

    /// The same, of what no rule sent elsewhere.
    #[expect(clippy::too_many_arguments, reason = "each is a different thing and all are needed to say why")]
    fn call(
        &mut self,
        system: &SystemName,
        attribute: &AttributeName,
        value: &Value,
        foresight: Foresight,
        owned: &Owned,
        asked_by: &AskedBy,
        reason: String,
    ) -> bool {
        let belongs_to = foresight.follows.as_ref().and_then(|follows| self.provider_of(&follows.provider));
        match foresight.verdict {
            Verdict::Takes => {
                let side_effect = self.side_effect(system, attribute, value);
                self.put(system, attribute, value, Decision::Apply, Some(owned), asked_by.clone(), reason, |planned| {
                    planned.side_effect = side_effect;
                });
                self.after.insert((system.clone(), attribute.clone()), value.clone());
                true
            }
            Verdict::Refuses { kind, reason: no } => {
                let reason = belongs(no, belongs_to.as_ref());
                self.put(
                    system,
                    attribute,
                    value,
                    Decision::Refuse,
                    Some(owned),
                    asked_by.clone(),
                    reason,
                    |planned| {
                        planned.refusal = Some(kind);
                        planned.belongs_to = belongs_to;
                    },
                );
                false
            }
            Verdict::Doomed { reason: no } => {
                let reason = belongs(format!("doomed: {no}"), belongs_to.as_ref());
                self.put(
                    system,
                    attribute,
                    value,
                    Decision::Refuse,
                    Some(owned),
                    asked_by.clone(),
                    reason,
                    |planned| {
                        planned.refusal = Some(RefusalKind::Ineffective);
                        planned.belongs_to = belongs_to;
                    },
                );
                false
            }
        }
    }

    /// Settles what may come by itself, now that it is known what the other accounts will hold.
    fn follow(&mut self) {
        for onlooker in std::mem::take(&mut self.looking_on) {
            let Onlooker { system, attribute, value, foresight, follows, asked_by, pushed } = onlooker;
            let Some(owned) = self.ownership.owner(&attribute).cloned() else { continue };
            let Some(account) = self.person.accounts.get(&system).cloned() else { continue };
            let leader = self.provider_of(&follows.provider);
            let will_hold = |attribute: &AttributeName| self.will_hold(leader.as_ref()?, attribute);
            let before = account.value(&attribute);
            let change = Change { attribute: attribute.clone(), before: before.clone(), after: value.clone() };
            if let Some(becomes) = comes(self.providers, &system, &change, &follows, will_hold) {
                let strange =
                    leader.as_ref().and_then(|leader| self.signs_in_with_anothers(&account, leader, &follows));
                let is_hers = strange.is_none();
                let becomes = match strange {
                    Some(strange) if becomes.as_ref() != Ok(&before) => Err(strange),
                    _ => becomes,
                };
                let belongs_to = leader.clone();
                let leader = leader.map_or_else(|| follows.provider.clone(), |leader| leader.to_string());
                match becomes {
                    Ok(becomes) if becomes == before => {}
                    Ok(becomes) => {
                        let reason =
                            format!("{system} takes it from {leader} {}{}", follows.when, instead(&foresight.verdict));
                        let when = follows.when;
                        self.put(
                            &system,
                            &attribute,
                            &becomes,
                            Decision::Follow,
                            Some(&owned),
                            asked_by,
                            reason,
                            |planned| {
                                planned.when = Some(when);
                                planned.belongs_to = belongs_to;
                            },
                        );
                    }
                    Err(no) => {
                        self.put(
                            &system,
                            &attribute,
                            &value,
                            Decision::Refuse,
                            Some(&owned),
                            asked_by,
                            no,
                            |planned| {
                                planned.refusal =
                                    Some(if is_hers { RefusalKind::Invalid } else { RefusalKind::OwnedElsewhere });
                            },
                        );
                    }
                }
            } else if pushed && before != value {
                let reason = self.a_copy(&owned);
                self.own_call(&system, &attribute, &value, foresight, &owned, &asked_by, reason);
            }
        }
    }

    /// That what comes to an account at a sign-in is not what her account at that provider holds, where it is another one
    /// that opens this.
    fn signs_in_with_anothers(&self, account: &Account, leader: &SystemName, follows: &Follows) -> Option<String> {
        let hers = self.person.accounts.get(leader).and_then(|account| account.id.as_ref());
        let mut opens = account.identities.iter().filter(|identity| identity.provider == follows.provider).peekable();
        let other = &opens.peek()?.id;
        opens.all(|identity| Some(&identity.id) != hers).then(|| {
            let (system, when) = (&account.system, &follows.when);
            let hers = hers.map_or_else(|| "she has none there yet".to_owned(), |hers| format!("hers is {hers}"));
            format!(
                "{system} takes it from account {other} at {leader} {when}, and {hers}; say whose they are with `link` and `unlink`"
            )
        })
    }

    /// Why a value is pushed.
    fn a_copy(&self, owned: &Owned) -> String {
        let is_provider = self.providers.capabilities(&owned.system).is_some();
        let word = if is_provider { "holds" } else { "says" };
        format!("a copy of what {} {word} ({})", owned.system, why(owned))
    }

    /// What an account will hold when the plan is done; `None` where there is no account and none is made.
    fn will_hold(&self, system: &SystemName, attribute: &AttributeName) -> Option<Value> {
        let planned = self.after.get(&(system.clone(), attribute.clone())).cloned();
        planned.or_else(|| self.person.accounts.get(system).map(|account| account.value(attribute)))
    }

    fn provider_of(&self, kind: &str) -> Option<SystemName> {
        provider_of(self.providers, kind, |system| self.person.accounts.contains_key(system))
    }

    fn foresee(&self, account: &Account, change: &Change) -> Foresight {
        foresee(self.providers, account, change)
    }

    fn side_effect(&self, system: &SystemName, attribute: &AttributeName, value: &Value) -> Option<String> {
        side_effect(self.providers, system, attribute, value)
    }

    fn refuse_request(&mut self, attribute: &AttributeName, one: &Asked<'_>, owned: Option<&Owned>, reason: String) {
        let system = owned.map_or_else(|| one.statement.system.clone(), |owned| owned.system.clone());
        let asked_by = self.by(one.statement);
        if let Some(instruction) = self.routed(&system, attribute, &one.value, owned, &asked_by) {
            let told = Told { kind: None, no: String::new() };
            self.obey(instruction, &system, attribute, &one.value, owned, &asked_by, &Foresight::takes(), &told);
            return;
        }
        let belongs_to = owned.map(|owned| owned.system.clone());
        self.put(&system, attribute, &one.value, Decision::Refuse, owned, asked_by, reason, |planned| {
            planned.refusal = belongs_to.as_ref().map(|_| RefusalKind::OwnedElsewhere);
            planned.belongs_to = belongs_to;
        });
    }

    fn hold_unsure(&mut self, attribute: &AttributeName, reason: &str) {
        for statement in &self.person.statements {
            let Some(value) = statement.said(attribute) else { continue };
            self.put(
                &statement.system,
                attribute,
                &value,
                Decision::Hold,
                None,
                by(statement),
                reason.to_owned(),
                |_| {},
            );
        }
    }

    /// Holds a change where her account can only be seen with a token that she has to give first. True where that is so.
    fn hold_unseen(
        &mut self,
        system: &SystemName,
        attribute: &AttributeName,
        value: &Value,
        owned: &Owned,
        asked_by: &AskedBy,
    ) -> bool {
        let Some(Unseen { kind, reason, .. }) = self.person.unseen.get(system).cloned() else { return false };
        self.put(system, attribute, value, Decision::Hold, Some(owned), asked_by.clone(), reason, |planned| {
            planned.refusal = Some(kind);
        });
        true
    }

    /// The person's account, or the place where one could be.
    fn account_at(&self, system: &SystemName) -> Arc<Account> {
        let account = self.person.accounts.get(system).cloned();
        account.unwrap_or_else(|| Arc::new(Account::absent(system.clone(), self.providers.server(system))))
    }

    /// Who asks, by her statement.
    fn by(&mut self, statement: &Statement) -> AskedBy {
        let is_it = |(origin, asker): &&(RecordOrigin, AskedBy)| {
            *origin == statement.origin && asker.system == statement.system
        };
        if let Some((_, known)) = self.askers.iter().find(is_it) {
            return known.clone();
        }
        let asker = by(statement);
        self.askers.push((statement.origin.clone(), asker.clone()));
        asker
    }

    /// What a system holds or says now.
    fn before(&self, system: &SystemName, attribute: &AttributeName, account: &Account) -> Value {
        match (&account.id, self.person.value_at(system, attribute)) {
            (None, Some(shown)) if self.providers.capabilities(system).is_none() => shown,
            _ => account.value(attribute),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the one place where a planned change is made")]
    fn put(
        &mut self,
        system: &SystemName,
        attribute: &AttributeName,
        after: &Value,
        decision: Decision,
        owned: Option<&Owned>,
        asked_by: AskedBy,
        reason: String,
        finish: impl FnOnce(&mut PlannedChange),
    ) {
        let account = self.account_at(system);
        let before = self.before(system, attribute, &account);
        let mut because: Vec<Because> = owned.iter().map(|owned| Because::from(&owned.origin)).collect();
        if let Some(line) = self.policy.copy(attribute).filter(|line| line.systems.contains(system)) {
            because.push(Because::from(&line.origin));
        }
        let mut planned = PlannedChange {
            person: self.person.id.clone(),
            attribute: attribute.clone(),
            system: system.clone(),
            account: account.id.clone(),
            before: before.clone(),
            after: after.clone(),
            decision,
            call: None,
            asked_by,
            owner: owned.map(|owned| owned.system.clone()),
            because,
            reason,
            refusal: None,
            belongs_to: None,
            when: None,
            side_effect: None,
        };
        finish(&mut planned);
        let change = Change { attribute: attribute.clone(), before, after: after.clone() };
        self.decided.push(Decided { planned, account, change });
    }
}

/// What would come of a change, by the provider's table and by its connector.
pub(super) fn foresee(providers: &dyn Providers, account: &Account, change: &Change) -> Foresight {
    let row = providers.capabilities(&account.system).and_then(|table| table.of(&account.system, &change.attribute));
    match row.map(|row| (row.write, row.clear)) {
        None => Foresight::refuses(
            RefusalKind::Unsupported,
            format!("{} does not know `{}`", account.system, change.attribute.local()),
        ),
        Some((Support::No(no), _)) => Foresight::refuses(RefusalKind::Unsupported, no),
        Some((Support::AtCreation(no), _)) if account.id.is_some() => Foresight::refuses(RefusalKind::Unsupported, no),
        Some((_, Support::No(no))) if change.after.is_empty() && !change.before.is_empty() => {
            Foresight::refuses(RefusalKind::Unsupported, no)
        }
        // Nobody knows any more what stood there.
        Some(_) if change.after.as_text().is_some_and(|text| text.contains(INSTEAD)) => Foresight::refuses(
            RefusalKind::Invalid,
            format!(
                "a token was starred out of this value (`{INSTEAD}`), so what it was is not known: set it at {}",
                account.system
            ),
        ),
        Some(_) => providers.foresee(account, change),
    }
}

/// What comes to an account in place of a change, where something does; a reason where it does not take that. `holds` tells
/// what the account it follows will hold, where there is one.
fn comes(
    providers: &dyn Providers,
    system: &SystemName,
    change: &Change,
    follows: &Follows,
    holds: impl Fn(&AttributeName) -> Option<Value>,
) -> Option<Result<Value, String>> {
    let Change { attribute, before, after } = change;
    match follows.reads.other() {
        // The same attribute comes as the connector says, if it is the value in question.
        None => {
            let led = holds(attribute)?;
            (providers.normalize(system, attribute, &led) == *after).then(|| follows.becomes.clone())
        }
        // A part of another one comes as it is, whatever was asked for.
        Some(other) => {
            let led = follows.reads.of(&holds(&AttributeName::new(other))?);
            (led != *before).then_some(Ok(led))
        }
    }
}

/// The one configured system of a kind at which a person could be, who has accounts where it is said.
fn provider_of(providers: &dyn Providers, kind: &str, has_account: impl Fn(&SystemName) -> bool) -> Option<SystemName> {
    let all = providers.of_kind(kind);
    match all.as_slice() {
        [one] => Some(one.clone()),
        several => several.iter().find(|system| has_account(system)).cloned(),
    }
}

/// What a change sets off at the provider besides, by its table.
pub(super) fn side_effect(
    providers: &dyn Providers,
    system: &SystemName,
    attribute: &AttributeName,
    value: &Value,
) -> Option<String> {
    // What tables tell of `active` is about switching off.
    if *value == Value::Bool(true) {
        return None;
    }
    let row = providers.capabilities(system)?.of(system, attribute)?;
    let told = match row.set {
        Some(set) if *value == Value::Empty => set.leaving,
        _ => row.side_effect,
    };
    (!told.is_empty()).then(|| told.to_owned())
}

/// True where rules bring the attribute to this system, or it is one of its own.
fn is_copied_to(policy: &Policy, system: &SystemName, attribute: &AttributeName) -> bool {
    let named = policy.copy(attribute).is_some_and(|line| line.systems.contains(system));
    named || attribute.system().as_ref() == Some(system)
}

/// True where a provider's table has the attribute.
fn knows(providers: &dyn Providers, system: &SystemName, attribute: &AttributeName) -> bool {
    providers.capabilities(system).is_some_and(|table| table.of(system, attribute).is_some())
}

/// True where an `account` line decides this attribute there.
fn is_account_line(ownership: &Ownership, system: &SystemName, attribute: &AttributeName) -> bool {
    is_active(attribute) && ownership.accounts.contains_key(system)
}

fn is_active(attribute: &AttributeName) -> bool {
    attribute == AttributeName::active()
}

fn by(statement: &Statement) -> AskedBy {
    AskedBy { system: statement.system.clone(), origin: statement.origin.to_string().into() }
}
