//! Tests of rules: what they say, how one is run, and what came of it.
//!
//! An engine is never entered twice. A test's function runs until it needs a plan; the word then stops it with the
//! [`Scenario`], the host makes the plan ([`Rehearsal`]), and the function runs again from its start with every plan that
//! is known so far. Scripts are deterministic, so it comes to the same place and goes on. Nothing here knows how a plan is
//! made.
//!
//! ```text
//! stage      what a running test has so far    scene      given and when, as scripts say them
//! assertion  what a test wants                 golden     plans that are kept beside the tests
//! ```

mod assertion;
mod golden;
mod scene;
mod stage;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, rc::Rc, sync::Arc};

use rhai::Engine;

use crate::model::{
    account::Facts,
    attribute::{AttributeName, Value},
    id::{AccountId, SystemName},
    origin::Origin,
    plan::Plan,
    policy::Objection,
};

use self::stage::Stage;
use super::{
    RuleSet,
    change::PlanView,
    fault::{Fault, RuleError},
    vocabulary::{Desk, TestLine},
};

pub(crate) use self::golden::Goldens;
pub(super) use self::stage::Stage as Boards;

/// How many plans one test may ask for.
const MAX_PLANS: usize = 50;

/// What a test says is so, and what it says is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scenario {
    /// The people there are.
    pub(crate) people: Vec<Cast>,
    /// Who speaks.
    pub(crate) source: SystemName,
    /// What is said.
    pub(crate) saying: Saying,
    /// The day, where the test names one.
    pub(crate) today: Option<jiff::civil::Date>,
}

/// One person as a test knows her.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cast {
    /// The key of her record. `None`: she is the next one that a record speaks of.
    pub(crate) key: Option<String>,
    /// Her accounts.
    pub(crate) accounts: BTreeMap<SystemName, Part>,
    /// What sources showed of her before.
    pub(crate) shown: BTreeMap<SystemName, BTreeMap<AttributeName, Value>>,
}

/// One account as a test knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) id: Option<AccountId>,
    pub(crate) attributes: BTreeMap<AttributeName, Value>,
    pub(crate) facts: Facts,
    /// What is known of the server.
    pub(crate) server: Facts,
    /// The system whose account she signs in with.
    pub(crate) signs_in_with: Option<SystemName>,
    /// False: nobody knows yet whose it is, and `join` lines have to find it.
    pub(crate) linked: bool,
}

/// What a source says in a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Saying {
    /// Records, each as columns and their text.
    Records(Vec<BTreeMap<String, String>>),
    /// The text of a CSV file.
    Csv(String),
    /// A file of the project.
    File(String),
}

/// A plan made for a test.
pub(crate) struct Rehearsed {
    pub(crate) plan: Plan,
    /// What `guard` lines object to.
    pub(crate) objections: Vec<Objection>,
}

/// Why there is no plan.
#[derive(Debug)]
pub(crate) enum Unplanned {
    /// A rule failed.
    Rule(Box<RuleError>),
    /// Something else: one sentence, a lower-case fragment.
    Other(String),
}

/// Makes plans for tests, with nothing that could be sent.
pub(crate) trait Rehearsal {
    /// The plan for a scenario. The same scenario gives the same plan.
    ///
    /// # Errors
    /// Where the rules fail, or where the test says what cannot be.
    fn plan(&self, scenario: &Scenario) -> Result<Rehearsed, Unplanned>;
}

/// What came of one test.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) name: String,
    /// The line that declares it.
    pub(crate) origin: Origin,
    /// What is wrong; `None`: it passed.
    pub(crate) failure: Option<RuleError>,
    /// Every plan it asked for.
    pub(crate) plans: Vec<(Rc<Plan>, Vec<Objection>)>,
}

/// Teaches an engine the words of tests.
pub(super) fn register(engine: &mut Engine, stage: &Rc<Stage>, desk: &Desk) {
    scene::register(engine, stage, desk);
    assertion::register(engine, stage, desk);
}

impl RuleSet {
    /// The tests there are, in the order of files and lines: name and line.
    pub(crate) fn tests(&self) -> impl Iterator<Item = (&str, &Origin)> {
        self.declared.tests.iter().map(|test| (test.name.as_str(), &test.place.origin))
    }

    /// Runs one of [`RuleSet::tests`]. `None` where there is no such one.
    pub(crate) fn run_test(&self, at: usize, rehearsal: &dyn Rehearsal) -> Option<Outcome> {
        let test = self.declared.tests.get(at)?;
        let stage = &self.stage;
        stage.open();
        let failure = self.act(test, rehearsal).err();
        let plans = stage.close();
        let plans = plans.into_iter().map(|view| (view.shared(), view.objections().to_vec())).collect();
        Some(Outcome { name: test.name.clone(), origin: test.place.origin.clone(), failure, plans })
    }

    fn act(&self, test: &TestLine, rehearsal: &dyn Rehearsal) -> Result<(), RuleError> {
        let script = &self.scripts[test.function.script];
        loop {
            self.stage.rewind();
            let arguments = test.row.iter().cloned().collect();
            let error = match script.call(&test.function.name, arguments) {
                Ok(_) if self.stage.has_asserted() => return Ok(()),
                Ok(_) => {
                    let message = "the test asserts nothing, so it could never fail";
                    return Err(RuleError::new(stage::failed(message, None), Some(test.place.clone())));
                }
                Err(error) => error.or_place(|| test.place.clone()),
            };
            let (Fault::NeedsPlan, Some(scenario)) = (error.fault(), self.stage.wanted()) else { return Err(error) };
            if self.stage.plans() == MAX_PLANS {
                let message = format!("one test asks for more than {MAX_PLANS} plans");
                return Err(error.with_fault(Fault::LimitExceeded(message)));
            }
            match rehearsal.plan(&scenario) {
                Ok(Rehearsed { plan, objections }) => {
                    self.stage.know(scenario, PlanView::rehearsed(&Rc::new(plan), objections));
                }
                Err(Unplanned::Other(cause)) => {
                    return Err(error.with_fault(stage::failed(&format!("no plan can be made: {cause}"), None)));
                }
                Err(Unplanned::Rule(cause)) => {
                    let asked = error.into_place().unwrap_or_else(|| test.place.clone());
                    return Err((*cause).with_second(asked, "the test asks here"));
                }
            }
        }
    }

    /// The golden plans as tests left them: with `update`, what should be written.
    pub(crate) fn goldens_to_write(&self) -> BTreeMap<String, Arc<str>> {
        self.stage.goldens_to_write()
    }
}
