//! Steps of a plan by themselves, for benches: what each costs can only be told where it is done alone.
//!
//! Nothing of the program uses this file.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{gather, project};
use crate::{
    connector::Kind,
    model::{
        attribute::AttributeName,
        id::SystemName,
        record::{Header, Record, RecordOrigin},
    },
    source::csv_file,
    state::Memory,
};

/// Reads a file of a source and does nothing with its records; how many there are.
///
/// # Errors
/// Where the project or the file cannot be used, told as a program tells it to another.
pub fn read(folder: &Path, kinds: &[Kind], system: &str, file: &str) -> Result<u64, String> {
    let project = opened(folder, kinds)?;
    let system = SystemName::from(system);
    let settings = project.sources.get(&system).and_then(|source| source.csv.as_ref());
    let settings = settings.ok_or_else(|| format!("{system} is read from no file"))?;
    let read = csv_file::read_at_once(&folder.join(file), None, file, &system, settings, &mut drop);
    read.map(|read| read.records).map_err(|error| error.to_string())
}

fn opened(folder: &Path, kinds: &[Kind]) -> Result<project::Project, String> {
    let today = jiff::civil::date(2026, 11, 20);
    project::open(&folder.join("homeward.toml"), kinds, today).map_err(|error| format!("{error:?}"))
}

/// Reads a file of a source and lets the rules of the project in `folder` say what each record means, as `plan` does
/// before it looks at anybody. Every statement is handed to `each`: its key, and something that
/// writes what it says of an attribute behind a text.
///
/// # Errors
/// Where the project or the file cannot be used, told as a program tells it to another.
#[expect(clippy::type_complexity, reason = "an alias of its own could be named from nowhere")]
pub fn map(
    folder: &Path,
    kinds: &[Kind],
    system: &str,
    file: &str,
    each: &mut dyn FnMut(&str, &dyn Fn(&AttributeName, &mut String)),
) -> Result<(), String> {
    let project = opened(folder, kinds)?;
    let given = gather::named(folder, &format!("{system}={file}")).map(gather::Given::File);
    let memory = Memory::default();
    let said = gather::read(given.as_slice(), &project.sources, &project.rules, &memory, None);
    let said = said.map_err(|error| error.to_string())?;
    let system = SystemName::from(system);
    for statement in said.statements.iter().filter(|statement| statement.system == system) {
        let write = |name: &AttributeName, to: &mut String| match statement.values.text(name) {
            Some(text) => to.push_str(text),
            None => to.extend(statement.values.get(name).map(|value| value.to_string())),
        };
        each(&statement.key, &write);
    }
    Ok(())
}

/// How long the rules of the project in `folder` take, on this thread alone, to say what every row means: with the engine
/// only, or as they are. Neither reading nor forgetting is part of it.
///
/// # Errors
/// Where the project cannot be used or a row is refused, told as a program tells it to another.
pub fn rule(
    folder: &Path,
    kinds: &[Kind],
    system: &str,
    columns: &[String],
    rows: &mut dyn Iterator<Item = Vec<String>>,
    with_engine: bool,
) -> Result<Duration, String> {
    /// So many rows are held at once.
    const MANY: usize = 4_096;
    let project = opened(folder, kinds)?;
    let (system, header) = (SystemName::from(system), Arc::new(Header::new(columns.iter().cloned())));
    let file = Arc::from("people.csv");
    let mut taken = Duration::ZERO;
    loop {
        let origin = RecordOrigin { file: Arc::clone(&file), line: 2 };
        let record = |fields: Vec<String>| Record {
            origin: origin.clone(),
            header: Arc::clone(&header),
            fields: fields.iter().collect(),
        };
        let records: Vec<Record> = rows.take(MANY).map(record).collect();
        if records.is_empty() {
            return Ok(taken);
        }
        let mut said = Vec::with_capacity(records.len());
        let begun = Instant::now();
        for record in &records {
            said.push(if with_engine {
                project.rules.map_with_engine(&system, record)
            } else {
                project.rules.map(&system, record)
            });
        }
        taken += begun.elapsed();
        if let Some(Err(error)) = said.into_iter().find(Result::is_err) {
            return Err(error.to_string());
        }
    }
}
