//! What a saved plan or a past run still tells of a person: what was decided, why, and what became of it.
//!
//! A plan holds decisions and not what they were made of. What it does not hold is named, and never guessed.

use super::telling::{AccountTold, CellTold, LineTold, OfAttribute, RecordTold, Told, answer, calls};
use crate::{
    model::{
        attribute::{AttributeName, Value},
        id::{AccountId, CallId, PersonId},
        plan::{Decision, Plan, PlannedChange},
    },
    plan::why::Why,
};

/// What a plan cannot tell, in sentences.
pub(crate) const UNTOLD: [&str; 3] = [
    "attributes for which nothing was decided, and why: a plan holds decisions only",
    "what conditions looked at, and the lines that did not hold",
    "what would change a decision: name the inputs to find out (SYSTEM=FILE)",
];

/// Everything a plan holds of one person, of one attribute if one is named. `outcome` tells what became of a call.
pub(crate) fn recall(
    plan: &Plan,
    person: &PersonId,
    only: Option<&AttributeName>,
    outcome: &dyn Fn(&CallId) -> Option<String>,
) -> Told {
    let wanted =
        |attribute: &AttributeName| only.is_none_or(|only| only == attribute || attribute.set().as_ref() == Some(only));
    let mine: Vec<&PlannedChange> =
        plan.changes.iter().filter(|change| change.person == *person && wanted(&change.attribute)).collect();
    let mut attributes: Vec<OfAttribute> = Vec::new();
    for change in &mine {
        let is_new = attributes.last().is_none_or(|last| last.attribute != change.attribute);
        if is_new {
            attributes.push(of_attribute(plan, change, &mine));
        }
        let Some(last) = attributes.last_mut() else { continue };
        if last.cells.iter().any(|cell| cell.system == change.system) {
            continue;
        }
        let of_cell = mine.iter().filter(|it| it.attribute == change.attribute && it.system == change.system);
        let changes: Vec<PlannedChange> = of_cell.map(|it| (*it).clone()).collect();
        let mut decisions: Vec<Decision> = changes.iter().map(|it| it.decision).collect();
        decisions.sort();
        decisions.dedup();
        let mut calls = calls(plan, &changes);
        for call in &mut calls {
            call.outcome = outcome(&call.id);
        }
        last.cells.push(CellTold {
            system: change.system.clone(),
            account: change.account.clone(),
            now: Some(change.before.clone()),
            decisions,
            why: Why::Decided.code(),
            answer: answer(&Why::Decided, &changes),
            changes,
            calls,
            takes: None,
            expected: None,
        });
    }
    let mut accounts: Vec<AccountTold> = Vec::new();
    let of_links = plan
        .links
        .iter()
        .filter(|link| *link.person == *person)
        .map(|link| (link.system, AccountId::from(link.account)));
    let of_changes = plan.changes.iter().filter(|change| change.person == *person);
    let of_changes = of_changes.filter_map(|change| Some((&change.system, change.account.clone()?)));
    for (system, account) in of_links.chain(of_changes) {
        if plan.systems.contains_key(system) && !accounts.iter().any(|it| it.system == *system) {
            accounts.push(AccountTold { system: system.clone(), account: Some(account) });
        }
    }
    accounts.sort_by(|a, b| a.system.cmp(&b.system));
    let mut records: Vec<RecordTold> = Vec::new();
    for change in &mine {
        let asked = &change.asked_by;
        if !plan.systems.contains_key(&asked.system) && !records.iter().any(|it| *it.origin == *asked.origin) {
            let (system, origin) = (asked.system.clone(), asked.origin.clone());
            records.push(RecordTold { system, origin: origin.to_string(), fresh: true });
        }
    }
    let operations = plan.operations.iter().filter(|it| it.person == *person && only.is_none());
    Told {
        person: person.clone(),
        held: None,
        accounts,
        records,
        attributes,
        operations: operations.cloned().collect(),
    }
}

fn of_attribute(plan: &Plan, change: &PlannedChange, mine: &[&PlannedChange]) -> OfAttribute {
    let owner = mine.iter().filter(|it| it.attribute == change.attribute).find_map(|it| it.owner.clone());
    let said = plan.seen.iter().filter(|seen| seen.person.as_ref() == Some(&change.person));
    let mut said = said.filter(|seen| Some(&seen.system) == owner.as_ref());
    let value: Option<Value> = said.find_map(|seen| seen.values.get(&change.attribute));
    let line = |because: &crate::model::origin::Because| {
        let system = owner.clone()?;
        Some(LineTold { system, holds: true, line: because.clone(), looked_at: Vec::new() })
    };
    let is_owner_line = |it: &&crate::model::origin::Because| it.text.starts_with("owner");
    let asked = change.because.iter().find(is_owner_line).and_then(line);
    OfAttribute {
        attribute: change.attribute.clone(),
        owner: owner.clone(),
        value,
        asked: asked.into_iter().collect(),
        words: Vec::new(),
        cells: Vec::new(),
    }
}
