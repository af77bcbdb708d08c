//! What a running test has: the plans that were made for it, and what it has asserted so far.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
    sync::Arc,
};

use rhai::EvalAltResult;

use super::{Scenario, assertion::short, golden::Goldens};
use crate::rules::{
    change::PlanView,
    fault::{Failure, Fault},
    sandbox::raise,
};

/// One test at a time.
#[derive(Default)]
pub(in crate::rules) struct Stage {
    open: Cell<bool>,
    /// What was asked for, in the order it was, and what it came to.
    made: RefCell<Vec<(Scenario, PlanView)>>,
    /// How many of them this passage has had.
    given: Cell<usize>,
    /// What this passage stopped for.
    wanted: RefCell<Option<Scenario>>,
    asserted: Cell<bool>,
    /// The day that the test has named.
    today: Cell<Option<jiff::civil::Date>>,
    pub(super) goldens: RefCell<Goldens>,
}

impl Stage {
    pub(in crate::rules) fn with_goldens(goldens: Goldens) -> Rc<Self> {
        Rc::new(Self { goldens: RefCell::new(goldens), ..Self::default() })
    }

    /// Begins a test.
    pub(super) fn open(&self) {
        self.open.set(true);
        self.made.borrow_mut().clear();
    }

    /// Ends a test: the plans it was given.
    pub(super) fn close(&self) -> Vec<PlanView> {
        self.open.set(false);
        self.made.take().into_iter().map(|(_, plan)| plan).collect()
    }

    /// Begins a passage through a test.
    pub(super) fn rewind(&self) {
        self.given.set(0);
        self.asserted.set(false);
        self.today.set(None);
        self.wanted.replace(None);
    }

    /// Fails outside of tests.
    pub(super) fn in_test(&self, word: &'static str) -> Result<(), Box<EvalAltResult>> {
        if self.open.get() { Ok(()) } else { Err(raise(Fault::OnlyInTests { word })) }
    }

    pub(super) fn set_today(&self, today: jiff::civil::Date) {
        self.today.set(Some(today));
    }

    pub(super) fn today(&self) -> Option<jiff::civil::Date> {
        self.today.get()
    }

    /// The plan for a scenario: the next of those that are known, or a stop until it is.
    pub(super) fn plan(&self, scenario: Scenario) -> Result<PlanView, Box<EvalAltResult>> {
        let at = self.given.get();
        if let Some((known, plan)) = self.made.borrow().get(at).filter(|(known, _)| *known == scenario) {
            debug_assert_eq!(*known, scenario);
            self.given.set(at + 1);
            return Ok(plan.clone());
        }
        self.made.borrow_mut().truncate(at);
        self.wanted.replace(Some(scenario));
        Err(raise(Fault::NeedsPlan))
    }

    pub(super) fn wanted(&self) -> Option<Scenario> {
        self.wanted.take()
    }

    pub(super) fn know(&self, scenario: Scenario, plan: PlanView) {
        self.made.borrow_mut().push((scenario, plan));
    }

    pub(super) fn plans(&self) -> usize {
        self.made.borrow().len()
    }

    /// Notes an assertion.
    pub(super) fn assert(&self, word: &'static str) -> Result<(), Box<EvalAltResult>> {
        self.in_test(word)?;
        self.asserted.set(true);
        Ok(())
    }

    pub(super) fn has_asserted(&self) -> bool {
        self.asserted.get()
    }

    /// The plan this passage was given last.
    pub(super) fn last(&self) -> Option<PlanView> {
        let made = self.made.borrow();
        made.get(self.given.get().checked_sub(1)?).map(|(_, plan)| plan.clone())
    }

    pub(super) fn goldens_to_write(&self) -> BTreeMap<String, Arc<str>> {
        self.goldens.borrow().to_write()
    }
}

/// The fault of a test that found something else; `plan` is what it is about.
pub(super) fn failed(message: &str, plan: Option<&PlanView>) -> Fault {
    let plan = plan.map(short).unwrap_or_default();
    Fault::Failed(Box::new(Failure { message: message.to_owned(), left: None, right: None, plan }))
}
