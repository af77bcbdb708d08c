//! A shortcut for mapping: the functions of `source` lines as trees that are walked without the engine.
//!
//! It is a shortcut for success only. What a rule returns depends on the record and the day alone, so whenever the walk
//! meets anything but the plain good case, an error, a limit that could be near, a construct that it does not know, it
//! gives up on the record, and the engine evaluates that record from the start: every error and its place are the
//! engine's. What the walk does return must be what the engine would have returned; a test of random scripts and records
//! holds the two together. Words are shared with the engine (`text`), and so is what a value may be (`statement`).
//!
//! No limit of the sandbox is counted here; each is kept by being far away. There are no loops and no recursion, so what
//! one evaluation does is bounded by [`MAX_NODES`]; every text is at most [`LONG`], a 16th of what the engine allows.
//!
//! ```text
//! tree   what a function becomes     build   from the syntax tree to it
//! walk   its evaluation              word    what words make of values
//! say    from what it returns to a statement
//! ```

mod build;
mod say;
#[cfg(test)]
mod tests;
mod tree;
mod walk;
mod word;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
    sync::Arc,
};

use jiff::civil::Date;

use crate::model::{
    attribute::AttributeName,
    id::SystemName,
    record::{Header, Record, Statement},
};

use self::{
    tree::Node,
    walk::{Frame, Val},
};
use super::{known::Known, script::Script};

/// Texts that are longer are left to the engine, in bytes.
const LONG: usize = 1024;
/// So many bytes of text may lie in one list or map.
const LONG_TOGETHER: usize = 8 * 1024;
/// So many expressions and statements a function may have, those of functions that it calls included. For each, the engine
/// counts fewer than ten operations, or one for every item of a list that something is looked for in, and allows 100,000;
/// for each it charges less than 32 KiB, and allows 64 MiB.
const MAX_NODES: usize = 1_000;
/// So deep functions may call each other.
const MAX_DEPTH: usize = 3;
/// So many local variables all of them may have together, and items of lists and entries of maps. The engine counts the
/// variables of each function by itself, and allows 100.
const MAX_LOCALS: usize = 80;
/// Most functions need no more: fewer are made ready faster.
const FEW_LOCALS: usize = 24;

/// A function that was lowered.
#[derive(Debug)]
pub(super) struct Lowered {
    body: Node,
    locals: usize,
    /// The columns it looks at by name.
    columns: Vec<Box<str>>,
    /// Where these stand in the records that came last: records of one input share their header.
    places: RefCell<Option<Places>>,
    /// Room for texts, kept from one record to the next.
    rooms: RefCell<(String, String)>,
    site: Site,
}

/// Where columns stand under a header.
#[derive(Debug)]
struct Places {
    header: Arc<Header>,
    at: Vec<Option<usize>>,
}

/// What an evaluation sees beside the record.
#[derive(Debug)]
struct Site {
    clock: Rc<Cell<Date>>,
    /// Today as text.
    today: RefCell<Option<(Date, String)>>,
    /// How many bytes of regular expressions were compiled.
    patterns: Cell<usize>,
}

/// What the walk does not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotMe;

impl Lowered {
    /// `None` where the engine would have to be asked about every record.
    pub(super) fn new(
        script: &Script,
        function: &str,
        names: &BTreeMap<String, AttributeName>,
        known: &Known,
        clock: &Rc<Cell<Date>>,
    ) -> Option<Self> {
        let (body, locals, columns) = build::function(script, function, names, known).ok()?;
        let site = Site { clock: Rc::clone(clock), today: RefCell::default(), patterns: Cell::new(0) };
        let (places, rooms) = (RefCell::default(), RefCell::default());
        Some(Self { body, locals, columns, places, rooms, site })
    }

    /// What a record says; fails where the engine has to be asked.
    pub(super) fn map(&self, system: &SystemName, record: &Record) -> Result<Option<Statement>, NotMe> {
        let mut places = self.places.borrow_mut();
        let known = places.take().filter(|it| Arc::ptr_eq(&it.header, &record.header));
        let known = known.unwrap_or_else(|| {
            let at = self.columns.iter().map(|name| record.header.position(name)).collect();
            Places { header: Arc::clone(&record.header), at }
        });
        let columns = &places.insert(known).at;
        if self.locals <= FEW_LOCALS {
            self.walk(system, record, columns, &mut [Val::Nothing; FEW_LOCALS])
        } else {
            self.walk(system, record, columns, &mut [Val::Nothing; MAX_LOCALS])
        }
    }

    fn walk<'r>(
        &'r self,
        system: &SystemName,
        record: &'r Record,
        columns: &[Option<usize>],
        locals: &mut [Val<'r>],
    ) -> Result<Option<Statement>, NotMe> {
        let mut frame = Frame::new(record, columns, locals, &self.site, self.rooms.take());
        let said = frame.answer(&self.body).and_then(|answer| say::statement(&mut frame, answer, system));
        self.rooms.replace(frame.into_rooms());
        said
    }
}
