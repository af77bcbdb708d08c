//! Steps of a plan by themselves, for benches: what each costs can only be told where it is done alone.
//!
//! Nothing of the program uses this file.

use std::path::Path;

use super::{gather, project};
use crate::{
    connector::Kind,
    model::{attribute::AttributeName, attribute::Value, id::SystemName},
    state::Memory,
};

/// Reads a file of a source and lets the rules of the project in `folder` say what each record means, as `plan` does
/// before it looks at anybody. Every statement is handed to `each`: its key, and
/// what it says of an attribute as text, `None` where it does not speak of it.
///
/// # Errors
/// Where the project or the file cannot be used, told as a program tells it to another.
#[expect(clippy::type_complexity, reason = "an alias of its own could be named from nowhere")]
pub fn map(
    folder: &Path,
    kinds: &[Kind],
    system: &str,
    file: &str,
    each: &mut dyn FnMut(&str, &dyn Fn(&str) -> Option<String>),
) -> Result<(), String> {
    let today = jiff::civil::date(2026, 11, 20);
    let project = project::open(&folder.join("homeward.toml"), kinds, today).map_err(|error| format!("{error:?}"))?;
    let given = gather::named(folder, &format!("{system}={file}")).map(gather::Given::File);
    let memory = Memory::default();
    let said = gather::read(given.as_slice(), &project.sources, &project.rules, &memory);
    let said = said.map_err(|error| error.to_string())?;
    let system = SystemName::from(system);
    for statement in said.statements.iter().filter(|statement| statement.system == system) {
        let value = |name: &str| statement.values.get(&AttributeName::new(name)).map(Value::to_string);
        each(&statement.key, &value);
    }
    Ok(())
}
