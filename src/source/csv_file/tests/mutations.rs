//! Good files, broken in hundreds of ways: what the reader alone makes of each.

use super::*;

#[path = "../../../../tests/mutations/mutants.rs"]
mod mutants;

use mutants::{Fate, Good, Mutant};

/// Rows of a file, by key.
type People = BTreeMap<Arc<str>, Vec<Arc<str>>>;

fn options() -> Value {
    json!({ "key": "employee_id", "id_pattern": "[0-9]{6}", "columns": { "status": [], "email": [] } })
}

/// The header and the last rows of a sample.
fn good(rows: usize) -> String {
    let text = String::from_utf8(sample("people-1k.csv")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let last = &lines[lines.len() - rows..];
    lines[..1].iter().chain(last).flat_map(|line| [*line, "\n"]).collect()
}

/// The people of a file, whatever the order of its columns.
fn people(rows: &[Row], columns: &[String]) -> People {
    let records = rows.iter().filter_map(|row| if let Row::Record(record) = row { Some(record) } else { None });
    records
        .map(|record| {
            let fields = columns.iter().map(|column| record.field(column).unwrap_or("(none)").into()).collect();
            (record.field("employee_id").unwrap().into(), fields)
        })
        .collect()
}

/// What became of a mutant, and the words that tell it.
fn fate(mutant: &Mutant, settings: &Settings, good: &People, columns: &[String]) -> (Fate, String) {
    let (rows, result) = read_by(Cursor::new(&mutant.bytes), settings);
    let read = match result {
        Err(why) => {
            assert_eq!(rows, [], "{}: a refused file says nothing", mutant.name);
            return (Fate::Refused, why.to_string());
        }
        Ok(read) => read,
    };
    let people = people(&rows, columns);
    let rejected: Vec<(Option<&Arc<str>>, String)> = rows
        .iter()
        .filter_map(|row| match row {
            Row::Rejected { key, rejected, .. } => {
                Some((key.as_ref(), format!("{}: {}", rejected.line, rejected.code)))
            }
            Row::Record(_) => None,
        })
        .collect();
    let untold = |key: &Arc<str>| !rejected.iter().any(|(whose, _)| whose.is_none_or(|whose| whose == key));
    let told: Vec<&String> = rejected.iter().map(|(_, told)| told).collect();
    let words = format!("{} records, rejected {told:?}, line end {}", people.len(), read.final_line_end);
    let is_true = people.iter().all(|(key, fields)| good.get(key) == Some(fields));
    let nobody_missing = good.keys().all(|key| people.contains_key(key) || !untold(key));
    let fate = match (is_true && nobody_missing, rejected.is_empty()) {
        (true, true) => Fate::Same,
        (true, false) => Fate::Rejected,
        (false, _) => Fate::NeedsLastList,
    };
    (fate, words)
}

/// Checks each, and counts what became of them.
fn check(text: &str, mutants: &[Mutant]) -> BTreeMap<Fate, usize> {
    let (rows, read) = read_text(text, &options());
    let columns = read.unwrap().columns;
    let good = people(&rows, &columns);
    let mut counts: BTreeMap<Fate, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    let settings = Settings::new(&options()).unwrap();
    for mutant in mutants {
        let (fate, words) = fate(mutant, &settings, &good, &columns);
        *counts.entry(fate).or_default() += 1;
        if !mutant.may.contains(&fate) {
            wrong.push(format!("{}: {fate:?}, not {:?}: {}", mutant.name, mutant.may, &words[..words.len().min(200)]));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), mutants.len(), wrong.join("\n"));
    counts
}

#[test]
fn a_broken_copy_is_refused_or_rejects_rows_or_says_the_same_or_is_for_the_last_list_to_tell() {
    let text = good(40);
    let mutants = Good::new(&text).others();
    assert!(mutants.len() > 400, "{}", mutants.len());
    check(&text, &mutants);
}

#[test]
fn a_copy_cut_at_any_byte_of_its_last_4_kib_is_refused_or_is_for_the_last_list_to_tell() {
    let text = good(28);
    check(&text, &Good::new(&text).cuts(4 << 10));
    check(&text, &Good::new(&text).quoted_cuts(400));
}
