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
    source::{FileRefused, Read, Row, csv_file::Told},
};

/// What became of a row.
pub(super) enum Mapped {
    /// Everything that was told so far is void: all of it comes again.
    Again,
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

/// Reads rows and tells what each of them says, in their order, until `each` has heard enough and says false. Where rows come
/// again, `each` is told so and says whether it goes on listening.
///
/// # Errors
/// As `read`.
pub(super) fn map_all(
    rules: &RuleSet,
    system: &SystemName,
    key: &str,
    read: impl FnOnce(&mut dyn FnMut(Told)) -> Result<Read, FileRefused>,
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
        let read = read(&mut |told| {
            let row = match told {
                Told::Row(row) => row,
                Told::Again => {
                    // What is under way is heard out, and not listened to.
                    if let Some(crew) = crew.take() {
                        crew.finish(&mut alone, &mut |_| true);
                    }
                    rows = 0;
                    goes_on = each(Mapped::Again);
                    return;
                }
            };
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::{
        model::record::{Header, Record, RecordOrigin},
        rules::{Known, KnownSystem},
    };

    use super::*;

    /// Two who are refused in every hundred: one by her row, one by the rule.
    fn row(header: &Arc<Header>, number: u64) -> Row {
        if number % 100 == 7 {
            let (system, file) = ("hr".into(), "people.csv".to_owned());
            let (code, reason) = ("bad_id".to_owned(), String::new());
            let rejected = Rejected { system, file, line: number, column: None, code, reason };
            return Row::Rejected { key: None, rejected, fields: Vec::new() };
        }
        let name = if number % 100 == 9 { "nobody".to_owned() } else { format!("Anna {number}") };
        Row::Record(Record {
            origin: RecordOrigin { file: "people.csv".into(), line: number },
            header: Arc::clone(header),
            fields: [format!(" {number} "), name].iter().collect(),
        })
    }

    fn told(mapped: &Mapped) -> String {
        match mapped {
            Mapped::Again => "again".to_owned(),
            Mapped::Rejected { rejected, .. } => format!("{} rejected", rejected.line),
            Mapped::Record { line, written, said } => format!("{line} {written:?} {said:?}"),
        }
    }

    #[test]
    fn a_long_list_says_the_same_in_the_same_order_on_all_cores() {
        let folder = tempfile::tempdir().unwrap();
        let rule = "source(\"hr\", |row| { if row.name == \"nobody\" { throw \"who?\" } \
                    #{ key: row.id, username: row.name.lower() } });";
        std::fs::write(folder.path().join("people.rhai"), rule).unwrap();
        let hr = SystemName::from("hr");
        let source = KnownSystem { is_source: true, ..KnownSystem::default() };
        let known = Known { systems: BTreeMap::from([(hr.clone(), source)]), ..Known::default() };
        let today = jiff::civil::date(2026, 11, 20);
        let rules = RuleSet::load(folder.path(), "rules", &known, today).unwrap();
        let header = Arc::new(Header::new(["id".to_owned(), "name".to_owned()]));
        let rows = 2 * ALONE as u64;
        let alone: Vec<String> = (0..rows).map(|number| told(&map(&rules, &hr, "id", row(&header, number)))).collect();
        let mut together = Vec::new();
        let read = |sink: &mut dyn FnMut(Told)| {
            // Once in vain: some of it is still under way when all of it comes again.
            (0..rows - 100).for_each(|number| sink(Told::Row(row(&header, number))));
            sink(Told::Again);
            (0..rows).for_each(|number| sink(Told::Row(row(&header, number))));
            Ok(Read {
                sha256: String::new(),
                known_by: None,
                records: rows,
                rejected: 0,
                columns: Vec::new(),
                last_line: 0,
                final_line_end: true,
                repaired: false,
                layout: None,
                notes: Vec::new(),
            })
        };
        let mut each = |mapped| {
            if matches!(mapped, Mapped::Again) {
                together.clear();
            } else {
                together.push(told(&mapped));
            }
            true
        };
        map_all(&rules, &hr, "id", read, &mut each).unwrap();
        assert_eq!(together, alone);
    }
}
