//! Rows through the rules, on all cores: what each record says, in the order of the rows.
//!
//! Short inputs stay on the thread that reads.

use std::sync::Arc;

use super::crew::{ALONE, Crew, Shift, threads};
use crate::{
    model::{
        id::SystemName,
        record::{Rejected, Statement},
    },
    rules::{RuleError, RuleSet},
    source::{FileRefused, Read, Row},
};

/// What became of a row.
pub(super) enum Mapped {
    /// It could not be used.
    Rejected { key: Option<Arc<str>>, rejected: Rejected },
    /// It is a record, and this is what the rules make of it.
    Record {
        line: u64,
        /// What stands in the column of the key.
        written: Option<Arc<str>>,
        said: Result<Option<Statement>, RuleError>,
    },
}

fn map(rules: &RuleSet, system: &SystemName, key: &str, row: Row) -> Mapped {
    match row {
        Row::Rejected { rejected, key, .. } => Mapped::Rejected { key, rejected },
        Row::Record(record) => {
            let written = record.field(key).map(|key| key.trim().into());
            Mapped::Record { line: record.origin.line, written, said: rules.map(system, &record) }
        }
    }
}

/// Reads rows and tells what each of them says, in their order, until `each` has heard enough and says false.
///
/// # Errors
/// As `read`.
pub(super) fn map_all(
    rules: &RuleSet,
    system: &SystemName,
    key: &str,
    read: impl FnOnce(&mut dyn FnMut(Row)) -> Result<Read, FileRefused>,
    each: &mut dyn FnMut(Mapped) -> bool,
) -> Result<Read, FileRefused> {
    let blueprint = rules.blueprint();
    let work = |shift: Shift<Row, Mapped>| {
        let own = blueprint.as_ref().and_then(|blueprint| blueprint.load().ok());
        shift.work(own.map(|own| move |row| map(&own, system, key, row)));
    };
    let threads = threads().filter(|_| blueprint.is_some());
    let mut alone = |row| map(rules, system, key, row);
    let (mut rows, mut goes_on) = (0, true);
    std::thread::scope(|scope| {
        let mut crew: Option<Crew<Row, Mapped>> = None;
        let read = read(&mut |row| {
            if !goes_on {
                return;
            }
            rows += 1;
            if let Some(threads) = threads.filter(|_| rows == ALONE) {
                crew = Some(Crew::new(scope, threads, &work));
            }
            goes_on = match &mut crew {
                Some(crew) => crew.put(row, &mut alone, each),
                None => each(alone(row)),
            };
        });
        if let Some(crew) = crew.filter(|_| goes_on && read.is_ok()) {
            crew.finish(&mut alone, each);
        }
        read
    })
}
