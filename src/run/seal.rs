//! The id of a plan: a digest of everything in it.

use std::{
    collections::BTreeMap,
    io::{BufWriter, Write},
};

use sha2::{Digest, Sha256};

use super::{RunError, vet::vet};
use crate::model::{
    id::SystemName,
    plan::{FORMAT, Home, Plan},
};

/// Gives a plan its id. The same plan gets the same id.
pub(crate) fn seal(mut plan: Plan) -> Plan {
    plan.id.clear();
    plan.id = digest_of_blank(&plan);
    plan
}

/// True where the id of a plan is the digest of what is in it.
pub(super) fn is_sealed(plan: &Plan) -> bool {
    plan.id == digest(plan)
}

fn digest(plan: &Plan) -> String {
    digest_of_blank(&Plan { id: String::new(), ..plan.clone() })
}

/// The digest of a plan that has no id yet. Its JSON is never held: of a million people it is larger than all else.
fn digest_of_blank(plan: &Plan) -> String {
    let mut writer = BufWriter::with_capacity(64 << 10, Hashing(Sha256::new()));
    // A plan is plain data with text keys; writing it as JSON cannot fail, and neither can hashing.
    let written = serde_json::to_writer(&mut writer, plan).is_ok() && writer.flush().is_ok();
    let digest = if written { writer.get_ref().0.clone().finalize() } else { Sha256::digest([]) };
    format!("sha256:{}", hex(&digest))
}

/// Takes bytes for their digest only.
struct Hashing(Sha256);

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Reads a saved plan to apply it. Since anybody can compute a digest, what it says is looked at as well.
pub(crate) fn unseal(file: &str, text: &str, homes: &BTreeMap<SystemName, Home>) -> Result<Plan, RunError> {
    let plan = read(file, text)?;
    fits(file, &plan, homes)?;
    Ok(plan)
}

/// Refuses a plan that was not made for these systems, that cannot have been made by this program, or that is not what it
/// was when it got its id.
pub(crate) fn fits(file: &str, plan: &Plan, homes: &BTreeMap<SystemName, Home>) -> Result<(), RunError> {
    let bad = |cause: String| RunError::BadPlan { file: file.to_owned(), cause };
    if !is_sealed(plan) {
        return Err(bad("it was changed after it was saved (its id does not match)".to_owned()));
    }
    for call in &plan.calls {
        let (made_for, here) = (plan.systems.get(&call.system), homes.get(&call.system));
        if made_for.is_none() || made_for != here {
            let shown = |home: Option<&Home>| {
                let whose = if home.is_some_and(|home| home.per_person) { " with tokens of people" } else { "" };
                home.map_or_else(|| "nothing".to_owned(), |home| format!("{} at {}{whose}", home.kind, home.url))
            };
            let (system, made_for, here) = (&call.system, shown(made_for), shown(here));
            return Err(bad(format!("it was made for {system}, {made_for}; here {system} is {here}")));
        }
    }
    vet(plan, &homes.keys().cloned().collect()).map_err(bad)
}

/// Reads a saved plan, to look at. One that was edited is refused: what is applied is what was shown.
pub(crate) fn read(file: &str, text: &str) -> Result<Plan, RunError> {
    let bad = |cause: String| RunError::BadPlan { file: file.to_owned(), cause };
    let any: serde_json::Value = serde_json::from_str(text).map_err(|error| bad(format!("it is no JSON ({error})")))?;
    match any.get("format").and_then(serde_json::Value::as_str) {
        Some(FORMAT) => {}
        Some(other) => return Err(bad(format!("its format is `{other}`, this program knows `{FORMAT}`"))),
        None => return Err(bad("it has no `format`".to_owned())),
    }
    let plan: Plan = serde_json::from_value(any).map_err(|error| bad(error.to_string()))?;
    if plan.id != digest(&plan) {
        return Err(bad("it was changed after it was saved (its id does not match)".to_owned()));
    }
    Ok(plan)
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
