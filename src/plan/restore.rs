//! What can be put back of what a run changed: each attribute that still holds what the run left, and nothing else.
//!
//! No rule is asked and no owner: what was there before was right once. It does not know journals or runs; it is handed
//! what was left, what was there before, and the accounts as they are now.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    Providers,
    decide::{Decided, foresee, side_effect},
};
use crate::model::{
    account::Account,
    attribute::{AttributeName, Value},
    capability::{Change, Foresight, Verdict},
    id::{AccountId, PersonId, SystemName},
    origin::Because,
    plan::{AskedBy, Decision, PlannedChange},
    refusal::RefusalKind,
};

/// What a run left in one attribute of one account, and what was there before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Left {
    pub(crate) person: PersonId,
    pub(crate) system: SystemName,
    pub(crate) account: AccountId,
    pub(crate) attribute: AttributeName,
    pub(crate) before: Value,
    /// What the run put there.
    pub(crate) now: Value,
    /// True where nothing was sent: the value comes, or came, by itself.
    pub(crate) follows: bool,
    /// Whose word counted when the run was planned.
    pub(crate) owner: Option<SystemName>,
    /// What takes it back.
    pub(crate) asked_by: AskedBy,
    pub(crate) because: Vec<Because>,
    /// One sentence: which run did it, and for whom.
    pub(crate) reason: String,
}

/// The accounts as they are now.
pub(crate) type AccountsThere = BTreeMap<(SystemName, AccountId), Arc<Account>>;

/// Decides for each attribute that was left whether it is put back.
pub(crate) fn restore(left: &[Left], accounts: &AccountsThere, providers: &dyn Providers) -> Vec<Decided> {
    let desk = Desk { accounts, providers };
    let mut decided = Vec::with_capacity(left.len());
    let mut late = Vec::new();
    for one in left.iter().filter(|one| !one.follows) {
        match desk.sent(one) {
            Ok(settled) => decided.push(settled),
            // What the next sign-in would undo lasts where nobody can sign in any more.
            Err(waiting) => late.push((one, *waiting)),
        }
    }
    // Who cannot sign in where any more.
    let mut off: BTreeSet<(PersonId, SystemName)> = decided.iter().filter_map(switched_off).collect();
    for (one, waiting) in late {
        let settled = desk.switched(one, waiting, &off);
        off.extend(switched_off(&settled));
        decided.push(settled);
    }
    let restored: BTreeSet<(PersonId, SystemName, AttributeName)> = decided
        .iter()
        .filter(|one| matches!(one.planned.decision, Decision::Apply | Decision::Unchanged))
        .map(|one| (one.planned.person.clone(), one.planned.system.clone(), one.planned.attribute.clone()))
        .collect();
    decided.extend(left.iter().filter(|one| one.follows).filter_map(|one| desk.followed(one, &restored)));
    decided
}

/// Whose account is off where, where that is what was decided.
fn switched_off(one: &Decided) -> Option<(PersonId, SystemName)> {
    let planned = &one.planned;
    let is_off = planned.attribute.as_str() == "active"
        && planned.after == Value::Bool(false)
        && matches!(planned.decision, Decision::Apply | Decision::Unchanged);
    is_off.then(|| (planned.person.clone(), planned.system.clone()))
}

/// A switch whose effect depends on what becomes of the account its holder signs in through.
struct Waiting {
    account: Arc<Account>,
    change: Change,
    foresight: Foresight,
    leader: SystemName,
}

struct Desk<'a> {
    accounts: &'a AccountsThere,
    providers: &'a dyn Providers,
}

impl Desk<'_> {
    fn stored(&self, one: &Left, value: &Value) -> Value {
        self.providers.normalize(&one.system, &one.attribute, value)
    }

    /// What becomes of an attribute that the run sent.
    fn sent(&self, one: &Left) -> Result<Decided, Box<Waiting>> {
        let Some(account) = self.accounts.get(&(one.system.clone(), one.account.clone())).cloned() else {
            let absent = Account::absent(one.system.clone(), self.providers.server(&one.system));
            let change =
                Change { attribute: one.attribute.clone(), before: one.now.clone(), after: one.before.clone() };
            let gone = Arc::new(Account { id: Some(one.account.clone()), ..absent });
            return Ok(put(one, gone, change, Decision::Refuse, |planned| {
                planned.refusal = Some(RefusalKind::NotFound);
                "the account is gone: there is nothing to put back".clone_into(&mut planned.reason);
            }));
        };
        let now = account.value(&one.attribute);
        let change =
            Change { attribute: one.attribute.clone(), before: now.clone(), after: self.stored(one, &one.before) };
        let table = self.providers.capabilities(&one.system);
        if table.is_none_or(|table| table.of(&one.system, &one.attribute).is_none()) {
            let foresight = foresee(self.providers, &account, &change);
            return Ok(self.settled(one, account, change, foresight));
        }
        let now = self.stored(one, &now);
        if now == change.after {
            return Ok(put(one, account, change, Decision::Unchanged, |planned| {
                "it is so already".clone_into(&mut planned.reason);
            }));
        }
        if now != self.stored(one, &one.now) {
            return Ok(put(one, account, change, Decision::Refuse, |planned| {
                "changed since by somebody else: undo leaves it".clone_into(&mut planned.reason);
            }));
        }
        let foresight = foresee(self.providers, &account, &change);
        if let (true, Verdict::Doomed { .. }, Some(follows)) =
            (one.attribute.as_str() == "active", &foresight.verdict, &foresight.follows)
            && let Some(leader) = self.leader(one, &follows.provider)
        {
            return Err(Box::new(Waiting { account, change, foresight, leader }));
        }
        Ok(self.settled(one, account, change, foresight))
    }

    fn switched(&self, one: &Left, waiting: Waiting, off: &BTreeSet<(PersonId, SystemName)>) -> Decided {
        let Waiting { account, change, mut foresight, leader } = waiting;
        if change.after == Value::Bool(false) && off.contains(&(one.person.clone(), leader)) {
            foresight = Foresight::takes();
        }
        self.settled(one, account, change, foresight)
    }

    fn settled(&self, one: &Left, account: Arc<Account>, change: Change, foresight: Foresight) -> Decided {
        let (kind, no) = match foresight.verdict {
            Verdict::Takes => {
                let side_effect = side_effect(self.providers, &one.system, &one.attribute, &change.after);
                // What a person typed there, in capitals perhaps, is not what we could write.
                let is_other = change.after != one.before;
                return put(one, account, change, Decision::Apply, |planned| {
                    planned.side_effect = side_effect;
                    if is_other {
                        let spelt = format!(", as {} stores what is written to it", one.system);
                        planned.reason.push_str(&spelt);
                    }
                });
            }
            Verdict::Refuses { kind, reason } => (kind, reason),
            Verdict::Doomed { reason } => (RefusalKind::Ineffective, reason),
        };
        let belongs_to = foresight.follows.as_ref().and_then(|follows| self.leader(one, &follows.provider));
        put(one, account, change, Decision::Refuse, |planned| {
            planned.refusal = Some(kind);
            planned.reason = no;
            planned.belongs_to = belongs_to;
        })
    }

    /// What becomes of an attribute that came by itself: it comes back in the same way, where what it comes from is put
    /// back. Nothing where it did not come yet, or where somebody else changed it.
    fn followed(&self, one: &Left, restored: &BTreeSet<(PersonId, SystemName, AttributeName)>) -> Option<Decided> {
        let account = self.accounts.get(&(one.system.clone(), one.account.clone())).cloned()?;
        let now = account.value(&one.attribute);
        let change =
            Change { attribute: one.attribute.clone(), before: now.clone(), after: self.stored(one, &one.before) };
        let now = self.stored(one, &now);
        if now == change.after || now != self.stored(one, &one.now) {
            return None;
        }
        let foresight = foresee(self.providers, &account, &change);
        let follows = foresight.follows.as_ref()?;
        let leader = self.leader(one, &follows.provider)?;
        let read = follows.reads.other().map_or_else(|| one.attribute.clone(), AttributeName::new);
        if restored.contains(&(one.person.clone(), leader.clone(), read)) {
            let when = follows.when.clone();
            let decision = if follows.becomes.is_ok() { Decision::Follow } else { Decision::Refuse };
            let reason = match &follows.becomes {
                Ok(_) => format!("it takes what is put back at {leader}, {when}"),
                Err(no) => no.clone(),
            };
            return Some(put(one, account, change, decision, |planned| {
                planned.reason = reason;
                planned.when = (decision == Decision::Follow).then_some(when);
                planned.belongs_to = Some(leader);
            }));
        }
        Some(put(one, account, change, Decision::Refuse, |planned| {
            planned.reason = format!("it takes what {leader} holds, and there it is not put back");
            planned.refusal = Some(RefusalKind::OwnedElsewhere);
            planned.belongs_to = Some(leader);
        }))
    }

    /// The one configured system of a kind at which this person could be.
    fn leader(&self, one: &Left, kind: &str) -> Option<SystemName> {
        let all = self.providers.of_kind(kind);
        if let [only] = all.as_slice() {
            return Some(only.clone());
        }
        let account = self.accounts.get(&(one.system.clone(), one.account.clone()))?;
        let mut signs_in_at = account.identities.iter().filter(|identity| identity.provider == kind);
        let is_there = |id: &AccountId| {
            let at = |system: &&SystemName| self.accounts.contains_key(&((*system).clone(), id.clone()));
            all.iter().find(at).cloned()
        };
        signs_in_at.find_map(|identity| is_there(&identity.id))
    }
}

fn put(
    one: &Left,
    account: Arc<Account>,
    change: Change,
    decision: Decision,
    finish: impl FnOnce(&mut PlannedChange),
) -> Decided {
    let mut planned = PlannedChange {
        person: one.person.clone(),
        attribute: one.attribute.clone(),
        system: one.system.clone(),
        account: Some(one.account.clone()),
        before: change.before.clone(),
        after: change.after.clone(),
        decision,
        call: None,
        asked_by: one.asked_by.clone(),
        owner: one.owner.clone(),
        because: one.because.clone(),
        reason: one.reason.clone(),
        refusal: None,
        belongs_to: None,
        when: None,
        side_effect: None,
    };
    finish(&mut planned);
    Decided { planned, account, change }
}
