//! Accounts that should be there and are not, or should not be and are: made, switched on, switched off.

use std::sync::Arc;

use super::{Decided, Desk, Told, is_account_line, knows, why};
use crate::model::{
    account::Account,
    attribute::{AttributeName, Value},
    capability::{Change, Foresight, Support, Verdict},
    id::SystemName,
    origin::Because,
    plan::{AskedBy, Decision},
    policy::{Action, Owned, Wish},
    refusal::RefusalKind,
};

/// A switch whose effect depends on what becomes of the account its holder signs in through.
pub(super) struct Switch {
    pub(super) system: SystemName,
    pub(super) after: Value,
    pub(super) foresight: Foresight,
    pub(super) line: Owned,
    pub(super) asked_by: AskedBy,
    pub(super) reason: String,
}

impl Desk<'_> {
    /// Accounts that should be there and are not, or should not be and are: where an `account` line speaks, it alone
    /// says whether that system's account is active.
    pub(super) fn accounts(&mut self) {
        let Some(statement) = self.person.statements.iter().find(|said| said.fresh && !said.of_nobody) else { return };
        let asked_by = self.by(statement);
        let active = AttributeName::active();
        let ownership = self.ownership;
        let owner = ownership.owners.get(active).map(|owned| owned.system.clone());
        for (system, Wish { wanted, origin, looked_at }) in &ownership.accounts {
            let is_so = |account: &Arc<Account>| account.attributes.get(active) == Some(&Value::Bool(*wanted));
            if self.person.accounts.get(system).is_some_and(is_so) {
                continue;
            }
            let system_says = owner.clone().unwrap_or_else(|| asked_by.system.clone());
            let line = Owned { system: system_says, origin: origin.clone(), looked_at: looked_at.clone() };
            match self.person.accounts.get(system).cloned() {
                None if self.person.unseen.contains_key(system) => {
                    self.hold_unseen(system, active, &Value::Bool(*wanted), &line, &asked_by);
                }
                None if *wanted => self.create(system, &line, &asked_by),
                None => {}
                // Her own source will say so again, and is the one to carry it out.
                Some(_) if self.is_unsettled(&line.system) => {}
                // A provider without a switch has the account as wanted as it can be.
                Some(_) if *wanted && !self.switches_accounts(system) => {}
                Some(account) => {
                    let wish = if *wanted { "an account is wanted" } else { "no account is wanted" };
                    let reason = format!("{wish} ({})", why(&line));
                    self.switch(&account, &Value::Bool(*wanted), &line, &asked_by, reason);
                }
            }
        }
        self.misled(active, owner.as_ref(), &asked_by);
    }

    /// Holds the switch of an account that is known to be hers and was not seen, where an `account` line has nothing to say:
    /// whether it would, had it seen the account, nobody knows.
    fn misled(&mut self, active: &AttributeName, owner: Option<&SystemName>, asked_by: &AskedBy) {
        let person = self.person;
        for system in person.unseen.iter().filter(|(_, unseen)| unseen.is_hers).map(|(system, _)| system) {
            let is_here = |one: &Decided| one.planned.system == *system && one.planned.attribute == *active;
            if self.ownership.accounts.contains_key(system) || self.decided.iter().any(is_here) {
                continue;
            }
            let Some(origin) = self.policy.accounts.get(system) else { continue };
            let system_says = owner.unwrap_or(&asked_by.system).clone();
            let line = Owned { system: system_says, origin: origin.clone(), looked_at: Vec::new() };
            let after = person.decided(&line.system, active).unwrap_or(Value::Bool(false));
            self.hold_unseen(system, active, &after, &line, asked_by);
        }
    }

    /// True where this source has come to another word since of whether she is there, which is not carried out everywhere.
    fn is_unsettled(&self, source: &SystemName) -> bool {
        let active = AttributeName::active();
        self.person.statements.iter().any(|said| said.system == *source && said.unsettled.contains(active))
    }

    pub(super) fn switches_accounts(&self, system: &SystemName) -> bool {
        knows(self.providers, system, AttributeName::active())
    }

    /// Switches an existing account on or off, at once or when it is known whether it would last. True where it will be
    /// done for certain.
    pub(super) fn switch(
        &mut self,
        account: &Arc<Account>,
        after: &Value,
        line: &Owned,
        asked_by: &AskedBy,
        reason: String,
    ) -> bool {
        let active = AttributeName::active();
        let change = Change { attribute: active.clone(), before: account.value(active), after: after.clone() };
        if change.before == change.after {
            return false;
        }
        let foresight = self.foresee(account, &change);
        if foresight.follows.is_some() && matches!(foresight.verdict, Verdict::Doomed { .. }) {
            let (line, asked_by) = (line.clone(), asked_by.clone());
            self.switches.push(Switch {
                system: account.system.clone(),
                after: after.clone(),
                foresight,
                line,
                asked_by,
                reason,
            });
            false
        } else {
            self.own_call(&account.system, active, after, foresight, line, asked_by, reason)
        }
    }

    /// Settles switches that the next sign-in would undo: where nobody can sign in any more, they last.
    pub(super) fn settle_switches(&mut self) {
        let active = AttributeName::active();
        for Switch { system, after, mut foresight, line, asked_by, reason } in std::mem::take(&mut self.switches) {
            let leader = foresight.follows.as_ref().and_then(|follows| self.provider_of(&follows.provider));
            if leader.is_some_and(|leader| self.will_hold(&leader, active) == Some(Value::Bool(false))) {
                foresight = Foresight::takes();
            }
            self.own_call(&system, active, &after, foresight, &line, &asked_by, reason);
        }
    }

    /// A new account, with everything this system is told about a person.
    pub(super) fn create(&mut self, system: &SystemName, line: &Owned, asked_by: &AskedBy) {
        let Some(table) = self.providers.capabilities(system) else { return };
        let account = Arc::new(Account::absent(system.clone(), self.providers.server(system)));
        if let Support::No(no) = table.create {
            let active = AttributeName::active();
            let reason = format!("{system} cannot make accounts: {no}");
            self.put(
                system,
                active,
                &Value::Bool(true),
                Decision::Refuse,
                Some(line),
                asked_by.clone(),
                reason,
                |planned| {
                    planned.refusal = Some(RefusalKind::Unsupported);
                },
            );
            return;
        }
        if let Some(said) = self.person.statements.iter().find(|said| !said.unsettled.is_empty()) {
            let active = AttributeName::active();
            let what = if said.unsettled.iter().any(|name| name != active) {
                "given her another name"
            } else {
                "said otherwise whether she is there"
            };
            let reason =
                format!("{} has {what} since, and that is not carried out: an account is made once it is", said.system);
            let by = asked_by.clone();
            self.put(system, active, &Value::Bool(true), Decision::Hold, Some(line), by, reason, |_| {});
            return;
        }
        let mut start = Vec::new();
        let mut refused = false;
        for row in table.attributes.iter().filter(|row| {
            // A membership needs the account to be there: it comes with the next plan.
            row.write.is_yes_at_creation() && row.name != "active" && row.set.is_none()
        }) {
            let attribute = table.name(system, row);
            let owned = self.ownership.owner(&attribute).cloned();
            let told = owned
                .as_ref()
                .filter(|owned| row.required || owned.system == *system || self.is_copied_to(system, &attribute));
            // Of an owner that has an account of hers, and shows it, what that will hold: what is asked of it may be in vain.
            let is_held_there = |owner: &SystemName| {
                let account = self.person.accounts.get(owner);
                account.is_some_and(|account| account.attributes.contains_key(&attribute))
            };
            let stands = |owned: &Owned| match &owned.system {
                home if is_held_there(home) => self.will_hold(home, &attribute),
                home => self.person.decided(home, &attribute),
            };
            let value = told
                .and_then(stands)
                .map(|value| self.providers.normalize(system, &attribute, &value))
                .filter(|value| !value.is_empty());
            let (Some(value), Some(owned)) = (value, owned.as_ref()) else {
                if row.required {
                    let missing = match &owned {
                        Some(owned) => format!("{} says nothing of it", owned.system),
                        None => "nobody owns it".to_owned(),
                    };
                    let reason = format!("{system} needs `{attribute}` to make an account, and {missing}");
                    self.put(
                        system,
                        &attribute,
                        &Value::Empty,
                        Decision::Refuse,
                        Some(line),
                        asked_by.clone(),
                        reason,
                        |planned| {
                            planned.refusal = Some(RefusalKind::Invalid);
                        },
                    );
                    refused = true;
                }
                continue;
            };
            let change = Change { attribute: attribute.clone(), before: Value::Empty, after: value.clone() };
            let foresight = self.foresee(&account, &change);
            if foresight.verdict == Verdict::Takes {
                match self.routed(system, &attribute, &value, Some(owned), asked_by) {
                    None => start.push((attribute, value, owned.clone())),
                    Some(instruction) => {
                        let held = matches!(instruction.action, Action::Hold(_));
                        if matches!(&instruction.action, Action::To(systems) if systems.contains(system)) {
                            start.push((attribute.clone(), value.clone(), owned.clone()));
                        } else {
                            // Without what is required, or while a person has to look, no account is made.
                            refused |= held || row.required;
                        }
                        let told = Told { kind: None, no: String::new() };
                        self.obey(instruction, system, &attribute, &value, Some(owned), asked_by, &foresight, &told);
                    }
                }
            } else {
                let reason = format!("a new account ({})", why(line));
                self.own_call(system, &attribute, &value, foresight, owned, asked_by, reason);
                refused |= row.required;
            }
        }
        if refused {
            return;
        }
        for (attribute, value, owned) in start {
            let reason = format!("a new account ({})", why(line));
            let because = vec![Because::from(&line.origin)];
            self.put(system, &attribute, &value, Decision::Apply, Some(&owned), asked_by.clone(), reason, |planned| {
                planned.because.extend(because);
            });
            self.after.insert((system.clone(), attribute), value);
        }
    }

    /// Whether an `account` line decides this attribute there.
    pub(super) fn is_account_line(&self, system: &SystemName, attribute: &AttributeName) -> bool {
        is_account_line(self.ownership, system, attribute)
    }

    pub(super) fn wants_account(&self, system: &SystemName) -> bool {
        self.ownership.accounts.get(system).is_some_and(|wish| wish.wanted)
    }
}
