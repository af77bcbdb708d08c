//! What `route`, `refused` and `guard` lines are handed: a change, a refusal, a whole plan. All read-only.

use std::rc::Rc;

use rhai::{Array, Dynamic, Engine, EvalAltResult, ImmutableString, Map};
use serde::Serialize;

use crate::model::{
    attribute::AttributeName,
    id::{PersonId, SystemName},
    plan::{Decision, Plan},
    policy::{Objection, Question},
    refusal::RefusalKind,
};

use super::{
    fault::Fault,
    known::Known,
    reference::{OF_CALL, OF_CHANGE, OF_OPERATION, OF_PLAN, OF_PLANNED, OF_REFUSAL},
    sandbox::{MAX_LIST, raise},
    view::{AccountView, PersonView, dynamic},
    words::near,
};

type Answer<T> = Result<T, Box<EvalAltResult>>;

/// One change, as a rule sees it before it is made.
#[derive(Clone)]
pub(super) struct ChangeView(Rc<Shown>);

struct Shown {
    attribute: AttributeName,
    system: SystemName,
    from: Dynamic,
    to: Dynamic,
    person: PersonView,
    account: Option<AccountView>,
    asked_by: SystemName,
    owner: Option<SystemName>,
}

impl ChangeView {
    pub(super) fn new(question: &Question<'_>, known: &Rc<Known>) -> Self {
        let person = PersonView::judged(question.person, known, question.ownership);
        let system = question.account.system.clone();
        Self(Rc::new(Shown {
            attribute: question.attribute.clone(),
            from: dynamic(question.before),
            to: dynamic(question.after),
            account: person.at(system.clone()),
            system,
            person,
            asked_by: question.asked_by.clone(),
            owner: question.owner.cloned(),
        }))
    }

    fn get(&self, name: &str) -> Answer<Dynamic> {
        let shown = &self.0;
        let text = |text: &str| Dynamic::from(ImmutableString::from(text));
        Ok(match name {
            "attribute" => text(shown.attribute.as_str()),
            "system" => text(shown.system.as_str()),
            "from" => shown.from.clone(),
            "to" => shown.to.clone(),
            "person" => Dynamic::from(shown.person.clone()),
            "account" => shown.account.clone().map_or(Dynamic::UNIT, Dynamic::from),
            "asked_by" => text(shown.asked_by.as_str()),
            "owner" => shown.owner.as_ref().map_or(Dynamic::UNIT, |owner| text(owner.as_str())),
            _ => return Err(raise(unknown("a change", name, OF_CHANGE))),
        })
    }
}

/// A provider's no, as a rule sees it.
#[derive(Clone)]
pub(super) struct RefusalView {
    kind: RefusalKind,
    reason: ImmutableString,
}

impl RefusalView {
    pub(super) fn new(kind: RefusalKind, reason: &str) -> Self {
        Self { kind, reason: reason.into() }
    }

    fn get(&self, name: &str) -> Answer<Dynamic> {
        match name {
            "kind" => Ok(self.kind.to_string().into()),
            "reason" => Ok(self.reason.clone().into()),
            _ => Err(raise(unknown("a refusal", name, OF_REFUSAL))),
        }
    }
}

/// A whole plan, as a rule sees it.
#[derive(Clone)]
pub(super) struct PlanView(Rc<Plan>, Rc<[Objection]>);

impl PlanView {
    pub(super) fn new(plan: &Rc<Plan>) -> Self {
        Self(Rc::clone(plan), Rc::default())
    }

    /// A plan made for a test, with what `guard` lines object to in it.
    pub(super) fn rehearsed(plan: &Rc<Plan>, objections: Vec<Objection>) -> Self {
        Self(Rc::clone(plan), objections.into())
    }

    pub(super) fn shared(&self) -> Rc<Plan> {
        Rc::clone(&self.0)
    }

    pub(super) fn objections(&self) -> &[Objection] {
        &self.1
    }

    pub(super) fn plan(&self) -> &Plan {
        &self.0
    }

    fn get(&self, name: &str) -> Answer<Dynamic> {
        let plan = &self.0;
        match name {
            "calls" => list("calls", plan.calls.iter()),
            "changes" => list("changes", plan.changes.iter()),
            "operations" => list("operations", plan.operations.iter()),
            "rejected" => list("rejected", plan.rejected.iter()),
            "warnings" => list("warnings", plan.warnings.iter()),
            "objections" => Ok(Dynamic::from_array(self.1.iter().map(objection).collect())),
            "links" => list("links", plan.links.iter()),
            "summary" => Ok(shown(&plan.summary)),
            "today" => Ok(plan.today.clone().into()),
            _ => Err(raise(unknown("a plan", name, OF_PLAN))),
        }
    }

    /// How many people have a change that is made at this system, of this attribute if one is named.
    fn count(&self, system: &str, attribute: Option<&str>) -> i64 {
        let made = self.0.changes.iter().filter(|change| change.decision == Decision::Apply);
        let meant = made.filter(|change| {
            let named = |name| {
                change.attribute.as_str() == name || change.attribute.set().is_some_and(|it| it.as_str() == name)
            };
            change.system.as_str() == system && attribute.is_none_or(named)
        });
        let people: std::collections::BTreeSet<&PersonId> = meant.map(|change| &change.person).collect();
        i64::try_from(people.len()).unwrap_or(i64::MAX)
    }
}

fn unknown(what: &'static str, name: &str, all: &[(&str, &str, &str)]) -> Fault {
    let near = near(name, all.iter().map(|property| property.0));
    Fault::UnknownOf {
        what,
        name: name.to_owned(),
        near,
        all: all.iter().map(|property| property.0.to_owned()).collect(),
    }
}

/// What the parts of a plan are called, and what each shows.
const OF_PARTS: &[(&str, &str, &[&str])] = &[
    ("calls", "a call", OF_CALL),
    ("changes", "a change of a plan", OF_PLANNED),
    ("operations", "an operation of a plan", OF_OPERATION),
    ("rejected", "a rejected row", &["system", "file", "line", "column", "code", "reason"]),
    ("links", "a link", &["person", "system", "account"]),
];

/// One part of a plan, by the names that its document has. Made of it only where a rule asks: a plan of a thousand changes
/// is no larger for a rule than a list of a thousand.
#[derive(Clone)]
pub(super) struct PartView {
    json: Rc<serde_json::Value>,
    of: usize,
}

impl PartView {
    fn get(&self, name: &str) -> Answer<Dynamic> {
        let (_, what, all) = OF_PARTS[self.of];
        match self.json.get(name) {
            Some(value) => Ok(from_json(value)),
            None if all.contains(&name) => Ok(Dynamic::UNIT),
            None => {
                let all: Vec<String> = all.iter().map(|it| (*it).to_owned()).collect();
                let near = near(name, all.iter().map(String::as_str));
                Err(raise(Fault::UnknownOf { what, name: name.to_owned(), near, all }))
            }
        }
    }
}

fn list<T: Serialize>(what: &str, items: impl ExactSizeIterator<Item = T>) -> Answer<Dynamic> {
    if items.len() > MAX_LIST {
        let text = format!("the plan has {} {what}, more than a rule can go through; `count` counts them", items.len());
        return Err(raise(Fault::TooMuch(text)));
    }
    let of = OF_PARTS.iter().position(|(part, ..)| *part == what);
    let part = |item: T| match of {
        // Plain data with text keys: it can always be written.
        Some(of) => Dynamic::from(PartView { json: Rc::new(serde_json::to_value(&item).unwrap_or_default()), of }),
        None => shown(&item),
    };
    Ok(Dynamic::from_array(items.map(part).collect()))
}

fn objection(objection: &Objection) -> Dynamic {
    let mut map = Map::new();
    map.insert("reason".into(), objection.reason.as_str().into());
    map.insert("rule".into(), objection.origin.to_string().into());
    Dynamic::from_map(map)
}

/// A part of a plan as a map, with the names that its document has.
pub(super) fn shown<T: Serialize>(part: &T) -> Dynamic {
    // Plain data with text keys: it can always be written.
    let json = serde_json::to_value(part).unwrap_or_default();
    from_json(&json)
}

/// JSON as scripts see it: `null` is `()`.
pub(super) fn from_json(json: &serde_json::Value) -> Dynamic {
    match json {
        serde_json::Value::Null => Dynamic::UNIT,
        serde_json::Value::Bool(truth) => (*truth).into(),
        serde_json::Value::Number(number) => number.as_i64().map_or_else(|| number.to_string().into(), Dynamic::from),
        serde_json::Value::String(text) => text.as_str().into(),
        serde_json::Value::Array(items) => Dynamic::from_array(items.iter().map(from_json).collect::<Array>()),
        serde_json::Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| (name.as_str().into(), from_json(value)));
            Dynamic::from_map(fields.collect::<Map>())
        }
    }
}

/// Teaches an engine the three.
pub(super) fn register(engine: &mut Engine, known: &Rc<Known>) {
    engine
        .register_indexer_get(|change: &mut ChangeView, name: &str| change.get(name))
        .register_indexer_get(|refusal: &mut RefusalView, name: &str| refusal.get(name))
        .register_indexer_get(|plan: &mut PlanView, name: &str| plan.get(name))
        .register_indexer_get(|part: &mut PartView, name: &str| part.get(name));
    let own = Rc::clone(known);
    engine.register_fn("count", move |plan: &mut PlanView, system: &str| -> Answer<i64> {
        own.systems
            .contains_key(&SystemName::from(system))
            .then_some(())
            .ok_or_else(|| raise(own.unknown_system(system)))?;
        Ok(plan.count(system, None))
    });
    let own = Rc::clone(known);
    engine.register_fn("count", move |plan: &mut PlanView, system: &str, attribute: &str| -> Answer<i64> {
        own.systems
            .contains_key(&SystemName::from(system))
            .then_some(())
            .ok_or_else(|| raise(own.unknown_system(system)))?;
        if own.attribute(attribute).is_none() {
            let near = own.near_attribute(attribute);
            return Err(raise(Fault::UnknownAttribute { name: attribute.to_owned(), near }));
        }
        Ok(plan.count(system, Some(attribute)))
    });
}
