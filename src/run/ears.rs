//! What a source's rows say, taken down row by row. What it means beside what was said before is not known here.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::mapping::Mapped;
use crate::{
    model::{
        id::SystemName,
        record::{Rejected, Statement},
    },
    rules::RuleError,
};

/// On how many records of a file, or people, a rule may be stopped by a limit, until the rule counts as wrong and not they; a
/// fifth of it where no record could be read.
pub(super) const MAX_EXCEEDED: u64 = 50;

/// What was heard of rows so far.
#[derive(Default)]
pub(super) struct Ears {
    pub(super) first_fault: Option<RuleError>,
    pub(super) broken: Option<RuleError>,
    pub(super) understood: u64,
    pub(super) exceeded: u64,
    pub(super) refused: Vec<Rejected>,
    pub(super) statements: Vec<Statement>,
    /// The keys that rows have in the column of the key, which are trusted as long as the rule takes them as they are:
    /// those of rows without a statement.
    pub(super) raw: BTreeSet<Arc<str>>,
    /// True where the rule made another key of one.
    pub(super) foreign: bool,
    /// Rows of which nobody can tell whose they are.
    pub(super) anybodys: u64,
    /// The keys of people in the order of the rows that speak of them.
    pub(super) order: Vec<Arc<str>>,
    /// The keys of records that speak of nobody.
    pub(super) nobodys: Vec<Arc<str>>,
    /// Rows that could not be used, by the key they have.
    pub(super) unused: BTreeMap<Arc<str>, Rejected>,
}

impl Ears {
    /// A row that cannot be used.
    fn refuse(&mut self, key: Option<Arc<str>>, rejected: Rejected) {
        match key {
            Some(key) => {
                self.unused.insert(Arc::clone(&key), rejected.clone());
                self.raw.insert(key);
            }
            None => self.anybodys += 1,
        }
        self.refused.push(rejected);
    }

    /// Takes note of what became of one row.
    pub(super) fn take(&mut self, system: &SystemName, shown: &str, heard: Mapped) {
        match heard {
            Mapped::Again => *self = Self::default(),
            Mapped::Rejected { key, rejected } => self.refuse(key, rejected),
            Mapped::Record { written, said: Ok(Some(statement)), .. } => {
                self.understood += 1;
                if statement.of_nobody {
                    self.nobodys.push(Arc::clone(&statement.key));
                    self.raw.extend(written);
                } else {
                    self.foreign |= written.as_ref() != Some(&statement.key);
                    self.order.push(Arc::clone(&statement.key));
                }
                self.statements.push(statement);
            }
            Mapped::Record { written, said: Ok(None), .. } => {
                self.understood += 1;
                self.raw.extend(written);
            }
            Mapped::Record { said: Err(fault), .. } if !fault.rejects_record() => self.broken = Some(fault),
            Mapped::Record { line, written, said: Err(fault) } => {
                self.exceeded += u64::from(fault.exceeds_limit());
                let rejected = Rejected {
                    system: system.clone(),
                    file: shown.to_owned(),
                    line,
                    column: fault.key().map(str::to_owned),
                    code: fault.code().to_owned(),
                    reason: fault.to_string(),
                };
                self.refuse(written, rejected);
                // Each of them has cost all the time that a rule may take.
                if self.exceeded == MAX_EXCEEDED || (self.understood == 0 && self.exceeded == MAX_EXCEEDED / 5) {
                    self.broken = Some(fault);
                } else {
                    self.first_fault.get_or_insert(fault);
                }
            }
        }
    }
}
