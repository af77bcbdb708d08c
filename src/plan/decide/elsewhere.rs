//! Changes that rules send somewhere else, hold or drop, and what becomes of them there.

use super::{Decided, Desk, Onlooker};
use crate::model::{
    account::Account,
    attribute::{AttributeName, Value},
    capability::{Change, Foresight},
    id::SystemName,
    origin::{Because, Origin},
    person::Unseen,
    plan::{AskedBy, Decision, PlannedChange},
    policy::{Action, Instruction, Owned, Question},
    refusal::RefusalKind,
};

/// A change that a rule sent to other systems than the owner's.
pub(super) struct Elsewhere {
    pub(super) systems: Vec<SystemName>,
    pub(super) attribute: AttributeName,
    pub(super) value: Value,
    pub(super) owned: Option<Owned>,
    pub(super) asked_by: AskedBy,
    /// The line that sent it.
    pub(super) origin: Origin,
}

/// A no that a rule was told of; without kind where there was none.
pub(super) struct Told {
    pub(super) kind: Option<RefusalKind>,
    pub(super) no: String,
}

impl Desk<'_> {
    /// What a `route` line says to a change.
    pub(super) fn routed(
        &self,
        system: &SystemName,
        attribute: &AttributeName,
        value: &Value,
        owned: Option<&Owned>,
        asked_by: &AskedBy,
    ) -> Option<Instruction> {
        let account = self.account_at(system);
        let before = self.before(system, attribute, &account);
        self.hooks.route(&self.question(&account, attribute, &before, value, owned, asked_by))
    }

    /// What a `refused` line says to a provider's no.
    #[expect(clippy::too_many_arguments, reason = "each is a different thing that the line may ask for")]
    pub(super) fn refused(
        &self,
        system: &SystemName,
        attribute: &AttributeName,
        value: &Value,
        owned: Option<&Owned>,
        asked_by: &AskedBy,
        kind: RefusalKind,
        no: &str,
    ) -> Option<Instruction> {
        let account = self.account_at(system);
        let before = self.before(system, attribute, &account);
        self.hooks.refused(&self.question(&account, attribute, &before, value, owned, asked_by), kind, no)
    }

    pub(super) fn question<'q>(
        &'q self,
        account: &'q Account,
        attribute: &'q AttributeName,
        before: &'q Value,
        after: &'q Value,
        owned: Option<&'q Owned>,
        asked_by: &'q AskedBy,
    ) -> Question<'q> {
        Question {
            person: self.person,
            ownership: self.ownership,
            account,
            attribute,
            before,
            after,
            asked_by: &asked_by.system,
            owner: owned.map(|owned| &owned.system),
        }
    }

    /// Does with a change what a rule says instead of what was decided.
    #[expect(clippy::too_many_arguments, reason = "each is a different thing and all are needed to say why")]
    pub(super) fn obey(
        &mut self,
        instruction: Instruction,
        system: &SystemName,
        attribute: &AttributeName,
        value: &Value,
        owned: Option<&Owned>,
        asked_by: &AskedBy,
        foresight: &Foresight,
        told: &Told,
    ) {
        let Instruction { action, origin } = instruction;
        let line = Because::from(&origin);
        let (decision, reason) = match action {
            Action::Hold(reason) => (Decision::Hold, format!("{reason} ({origin})")),
            Action::Drop(reason) => (Decision::Drop, format!("{reason} ({origin})")),
            Action::To(systems) => {
                // What is made here as well is made by whoever asked.
                let others = systems.iter().filter(|other| *other != system).cloned().collect();
                self.elsewhere.push(Elsewhere {
                    systems: others,
                    attribute: attribute.clone(),
                    value: value.clone(),
                    owned: owned.cloned(),
                    asked_by: asked_by.clone(),
                    origin: origin.clone(),
                });
                if systems.contains(system) {
                    return;
                }
                let leader = foresight
                    .follows
                    .clone()
                    .zip(foresight.follows.as_ref().and_then(|follows| self.provider_of(&follows.provider)));
                if let Some((follows, _)) = leader.filter(|(_, leader)| systems.contains(leader)) {
                    // Sent to where it comes from by itself: this account takes it from there.
                    self.looking_on.push(Onlooker {
                        system: system.clone(),
                        attribute: attribute.clone(),
                        value: value.clone(),
                        foresight: foresight.clone(),
                        follows,
                        asked_by: asked_by.clone(),
                        pushed: false,
                    });
                    return;
                }
                let names: Vec<&str> = systems.iter().map(SystemName::as_str).collect();
                let instead = format!("it goes to {} instead ({origin})", names.join(" and "));
                match told.kind {
                    Some(_) => (Decision::Refuse, format!("{}; {instead}", told.no)),
                    None => (Decision::Drop, instead),
                }
            }
        };
        let refusal = told.kind.filter(|_| decision == Decision::Refuse);
        self.put(system, attribute, value, decision, owned, asked_by.clone(), reason, |planned| {
            planned.because.push(line);
            planned.refusal = refusal;
        });
    }

    /// Makes the changes that rules sent somewhere else. What a rule sent on is not sent on again.
    pub(super) fn settle_elsewhere(&mut self) {
        for Elsewhere { systems, attribute, value, owned, asked_by, origin } in std::mem::take(&mut self.elsewhere) {
            for system in systems {
                let first = self.decided.len();
                self.send_to(&system, &attribute, &value, owned.as_ref(), &asked_by, &origin);
                for one in &mut self.decided[first..] {
                    one.planned.because.push(Because::from(&origin));
                }
            }
        }
    }

    pub(super) fn send_to(
        &mut self,
        system: &SystemName,
        attribute: &AttributeName,
        value: &Value,
        owned: Option<&Owned>,
        asked_by: &AskedBy,
        origin: &Origin,
    ) {
        if self.providers.capabilities(system).is_none() {
            let reason = format!("`{attribute}` goes to {system} ({origin}), which is a source: change it there");
            self.put(system, attribute, value, Decision::Refuse, owned, asked_by.clone(), reason, |planned| {
                planned.refusal = Some(RefusalKind::OwnedElsewhere);
                planned.belongs_to = Some(system.clone());
            });
            return;
        }
        let Some(account) = self.person.accounts.get(system).cloned() else {
            let unseen = self.person.unseen.get(system).cloned();
            let reason = || format!("`{attribute}` goes to {system} ({origin}), and this person has no account there");
            let (decision, kind, reason) = unseen.map_or_else(
                || (Decision::Refuse, RefusalKind::NotFound, reason()),
                |Unseen { kind, reason, .. }| (Decision::Hold, kind, reason),
            );
            self.put(system, attribute, value, decision, owned, asked_by.clone(), reason, |planned| {
                planned.refusal = Some(kind);
            });
            return;
        };
        let value = self.providers.normalize(system, attribute, value);
        let here = |one: &&Decided| one.planned.system == *system && one.planned.attribute == *attribute;
        let here: Vec<&PlannedChange> = self.decided.iter().filter(here).map(|one| &one.planned).collect();
        if here.iter().any(|planned| matches!(planned.decision, Decision::Hold | Decision::Drop)) {
            // A line that says to leave this very change is nearer to it than one that sends another change here.
            return;
        }
        let made = here.into_iter().find(|planned| planned.decision == Decision::Apply);
        if let Some(other) = made {
            if other.after != value {
                let reason = format!("{origin} sends a value here, and another one is decided already");
                self.put(system, attribute, &value, Decision::Hold, owned, asked_by.clone(), reason, |_| {});
            }
            return;
        }
        // What the owner states of this account counts, whether or not it is so already.
        let fact = owned.filter(|owned| owned.system != asked_by.system && self.is_copied_to(system, attribute));
        let fact = fact.and_then(|owned| self.person.decided(&owned.system, attribute));
        if fact.is_some_and(|fact| self.providers.normalize(system, attribute, &fact) != value) {
            let reason = format!("{origin} sends a value here, and the owner says another one");
            self.put(system, attribute, &value, Decision::Hold, owned, asked_by.clone(), reason, |_| {});
            return;
        }
        let before = account.value(attribute);
        if before == value {
            return;
        }
        let change = Change { attribute: attribute.clone(), before, after: value.clone() };
        let foresight = self.foresee(&account, &change);
        let line = owned.cloned().unwrap_or_else(|| Owned {
            system: system.clone(),
            origin: origin.clone(),
            looked_at: Vec::new(),
        });
        let reason = format!("a rule sends it to {system} ({origin})");
        self.call(system, attribute, &value, foresight, &line, asked_by, reason);
    }
}
