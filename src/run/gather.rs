//! Reading: inputs become statements, providers become accounts. Nothing is changed anywhere.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use futures::future::join_all;

use super::{RunError, fleet::Fleet};
use crate::{
    config::schema::Says,
    model::{
        account::{Account, Wanted},
        attribute::{AttributeName, Value},
        capability::{OperationCapability, Takes, Unique},
        id::{AccountId, PersonId, SystemName},
        plan::{Input, Seen},
        policy::Policy,
        record::{Before, Rejected, Statement},
    },
    plan::Providers,
    rules::{RuleError, RuleSet},
    source::{FileRefused, Read, Row, csv_file},
    state::{Memory, Sent},
};

/// On how many records of a file a rule may be stopped by a limit, until the rule counts as wrong and not the records; a
/// fifth of it where no record could be read.
const MAX_EXCEEDED: u64 = 50;

/// A source that reads files.
pub(crate) struct FileSource {
    pub(crate) settings: csv_file::settings::Settings,
    pub(crate) says: Says,
}

/// One file of the command line.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) system: SystemName,
    /// As the user wrote it.
    pub(crate) shown: String,
    /// Where it is.
    pub(crate) path: PathBuf,
}

/// What was read from inputs.
#[derive(Default)]
pub(crate) struct Said {
    pub(crate) statements: Vec<Arc<Statement>>,
    /// What sources said in earlier runs of keys that they do not speak of now.
    pub(crate) remembered: Vec<Arc<Statement>>,
    pub(crate) rejected: Vec<Rejected>,
    pub(crate) inputs: Vec<Input>,
    /// What to remember: only what differs from what is remembered.
    pub(crate) seen: Vec<Seen>,
    pub(crate) notes: Vec<String>,
    /// How many people a source that says changes showed for the first time.
    pub(crate) firsts: BTreeMap<SystemName, u64>,
    /// Rows that could not be used and whose key is known, by source and key.
    pub(crate) unused: BTreeMap<(SystemName, Arc<str>), Rejected>,
}

/// Reads the files and lets the rules say what each record means.
pub(crate) fn read(
    files: &[Named],
    sources: &BTreeMap<SystemName, FileSource>,
    rules: &RuleSet,
    memory: &Memory,
) -> Result<Said, RunError> {
    let mut said = Said::default();
    let known: BTreeMap<(&SystemName, &str), &BTreeMap<AttributeName, Value>> =
        memory.seen.iter().map(|seen| ((&seen.system, seen.key.as_str()), &seen.values)).collect();
    for file in files {
        let Some(source) = sources.get(&file.system) else { continue };
        if !rules.has_source(&file.system) {
            return Err(RunError::NoMeaning { system: file.system.clone(), key: source.settings.key.clone() });
        }
        let read =
            |sink: &mut dyn FnMut(Row)| csv_file::read(&file.path, &file.shown, &file.system, &source.settings, sink);
        one_file(&mut said, file, source, rules, memory, &known, true, read)?;
    }
    let spoken: BTreeSet<(SystemName, Arc<str>)> =
        said.statements.iter().map(|statement| (statement.system.clone(), Arc::clone(&statement.key))).collect();
    for seen in &memory.seen {
        let key: Arc<str> = seen.key.as_str().into();
        if !spoken.contains(&(seen.system.clone(), Arc::clone(&key))) {
            said.remembered.push(Arc::new(remembered(seen)));
        }
    }
    Ok(said)
}

/// What a source showed in an earlier run: it counts as known and asks for nothing.
pub(super) fn remembered(seen: &Seen) -> Statement {
    Statement {
        system: seen.system.clone(),
        key: seen.key.as_str().into(),
        values: seen.values.clone(),
        origin: crate::model::record::RecordOrigin { file: "an earlier run".into(), line: 0 },
        fresh: false,
        deeds: Vec::new(),
        of_nobody: false,
        quiet: BTreeSet::new(),
    }
}

/// One input: what its records say, and which of them cannot be used. With `strict`, a rule that understands none of them
/// is wrong itself.
#[expect(clippy::too_many_arguments, reason = "each is a different thing, and two callers do not make a noun")]
pub(super) fn one_file(
    said: &mut Said,
    file: &Named,
    source: &FileSource,
    rules: &RuleSet,
    memory: &Memory,
    known: &BTreeMap<(&SystemName, &str), &BTreeMap<AttributeName, Value>>,
    strict: bool,
    read: impl FnOnce(&mut dyn FnMut(Row)) -> Result<Read, FileRefused>,
) -> Result<(), RunError> {
    let mut first_fault: Option<RuleError> = None;
    let mut broken: Option<RuleError> = None;
    let mut keys: BTreeMap<Arc<str>, u64> = BTreeMap::new();
    let (mut understood, mut exceeded) = (0_u64, 0_u64);
    let mut refused = Vec::new();
    let mut statements: Vec<Statement> = Vec::new();
    let mut sink = |row: Row| match row {
        // The rule itself is wrong: nothing it would say of further records is worth hearing.
        _ if broken.is_some() => {}
        Row::Rejected { rejected, key } => {
            if let Some(key) = key {
                said.unused.insert((file.system.clone(), key), rejected.clone());
            }
            refused.push(rejected);
        }
        Row::Record(record) => match rules.map(&file.system, &record) {
            Ok(Some(statement)) => {
                understood += 1;
                *keys.entry(Arc::clone(&statement.key)).or_default() += u64::from(!statement.of_nobody);
                statements.push(statement);
            }
            Ok(None) => understood += 1,
            Err(fault) if !fault.rejects_record() => broken = Some(fault),
            Err(fault) => {
                exceeded += u64::from(fault.exceeds_limit());
                let rejected = Rejected {
                    system: file.system.clone(),
                    file: file.shown.clone(),
                    line: record.origin.line,
                    column: fault.key().map(str::to_owned),
                    code: fault.code().to_owned(),
                    reason: fault.to_string(),
                };
                if let Some(key) = record.field(&source.settings.key) {
                    said.unused.insert((file.system.clone(), key.trim().into()), rejected.clone());
                }
                refused.push(rejected);
                // Each of them has cost all the time that a rule may take.
                if exceeded == MAX_EXCEEDED || (understood == 0 && exceeded == MAX_EXCEEDED / 5) {
                    broken = Some(fault);
                } else {
                    first_fault.get_or_insert(fault);
                }
            }
        },
    };
    let read = read(&mut sink)?;
    // Where not one record could be understood, the rule is wrong too, and not the records.
    if let Some(fault) = broken.or(first_fault.filter(|_| strict && understood == 0)) {
        return Err(RunError::Rule(Box::new(fault)));
    }
    let mut of_nobody = BTreeSet::new();
    let mut done_before = 0;
    for mut statement in statements {
        if keys.get(&statement.key).is_some_and(|times| *times > 1) {
            let rejected = Rejected {
                system: file.system.clone(),
                file: file.shown.clone(),
                line: statement.origin.line,
                column: None,
                code: "duplicate_key".to_owned(),
                reason: "another record of this file has the same key by the `source` rule; none of them is used"
                    .to_owned(),
            };
            said.unused.insert((file.system.clone(), Arc::clone(&statement.key)), rejected.clone());
            refused.push(rejected);
            continue;
        }
        let before = known.get(&(&file.system, statement.key.as_ref())).copied();
        if statement.of_nobody && !of_nobody.insert(Arc::clone(&statement.key)) {
            continue;
        }
        let is_first = source.says == Says::Changes && !statement.of_nobody && before.is_none();
        if source.says == Says::Changes && !statement.of_nobody {
            statement.quiet = match before {
                // First sight is a baseline: the source has not changed anything yet.
                None => {
                    *said.firsts.entry(file.system.clone()).or_default() += 1;
                    statement.values.keys().cloned().collect()
                }
                Some(before) => {
                    let same = |(name, value): (&AttributeName, &Value)| {
                        (before.get(name) == Some(value)).then(|| name.clone())
                    };
                    statement.values.iter().filter_map(same).collect()
                }
            };
        }
        let asked = statement.deeds.len();
        statement.deeds.retain(|deed| memory.deeds.get(&deed.mark) != Some(&Sent::Done));
        done_before += asked - statement.deeds.len();
        for deed in &mut statement.deeds {
            deed.before = match memory.deeds.get(&deed.mark) {
                Some(_) => Before::InDoubt,
                None if is_first => Before::Baseline,
                None => Before::Never,
            };
        }
        if before != Some(&statement.values) && !statement.of_nobody {
            said.seen.push(Seen {
                system: statement.system.clone(),
                key: statement.key.to_string(),
                person: None,
                values: statement.values.clone(),
            });
        }
        said.statements.push(Arc::new(statement));
    }
    refused.sort();
    said.inputs.push(Input {
        system: file.system.clone(),
        file: file.shown.clone(),
        sha256: read.sha256,
        records: read.records,
        rejected: refused.len() as u64,
    });
    said.rejected.extend(refused);
    if done_before > 0 {
        said.notes
            .push(format!("{}: {done_before} operations were done by earlier runs and are not done again", file.shown));
    }
    said.notes.extend(read.notes.into_iter().map(|note| format!("{}: {note}", file.shown)));
    said.seen.sort_by(|a, b| (&a.system, &a.key).cmp(&(&b.system, &b.key)));
    Ok(())
}

/// What providers showed.
#[derive(Default)]
pub(crate) struct Shown {
    pub(crate) accounts: BTreeMap<SystemName, Vec<Arc<Account>>>,
    pub(crate) warnings: Vec<String>,
}

/// Looks at every account these statements could be about, and at whoever holds a name they would need.
pub(crate) async fn observe(
    said: &Said,
    memory: &Memory,
    policy: &Policy,
    fleet: &mut Fleet,
) -> Result<Shown, RunError> {
    let mut seen = Shown::default();
    if said.statements.is_empty() {
        return Ok(seen);
    }
    let first = first_look(said, memory, policy, fleet);
    let mut asked: BTreeMap<SystemName, Wanted> = BTreeMap::new();
    look(&first, fleet, &mut seen, &mut asked).await?;
    // Accounts lead to others: those they sign in with, and those a copy of their values must not collide with.
    for _ in 0..3 {
        let next = next_look(&seen, policy, fleet, &asked);
        if next.values().all(Wanted::is_empty) {
            break;
        }
        look(&next, fleet, &mut seen, &mut asked).await?;
    }
    Ok(seen)
}

/// The providers that matter to these rules: a provider that no rule names is not asked anything.
pub(super) fn concerned(said: &Said, policy: &Policy, providers: &dyn Providers) -> Vec<SystemName> {
    let owners = policy.owners.iter().map(|line| &line.system);
    let copies = policy.copies.values().flat_map(|line| &line.systems);
    let own = policy.owners.iter().flat_map(|line| &line.attributes).filter_map(AttributeName::system);
    let deeds = said.statements.iter().flat_map(|said| &said.deeds).map(|deed| &deed.system);
    let named: BTreeSet<SystemName> = owners
        .chain(copies)
        .chain(deeds)
        .chain(policy.joins.keys())
        .chain(policy.accounts.keys())
        .cloned()
        .chain(own)
        .collect();
    providers.names().into_iter().filter(|system| named.contains(system)).collect()
}

fn first_look(said: &Said, memory: &Memory, policy: &Policy, fleet: &Fleet) -> BTreeMap<SystemName, Wanted> {
    let mut people: BTreeSet<PersonId> = said
        .statements
        .iter()
        .map(|statement| PersonId { system: statement.system.clone(), key: Arc::clone(&statement.key) })
        .collect();
    let spoken: BTreeSet<(SystemName, AccountId)> = said
        .statements
        .iter()
        .map(|statement| (statement.system.clone(), AccountId::from(statement.key.as_ref())))
        .collect();
    let anchors = memory.links.iter().filter(|link| spoken.contains(&(link.system.clone(), link.account.clone())));
    people.extend(anchors.map(|link| link.person.clone()));

    let mut wanted: BTreeMap<SystemName, Wanted> =
        concerned(said, policy, fleet).into_iter().map(|system| (system, Wanted::default())).collect();
    for link in memory.links.iter().filter(|link| people.contains(&link.person)) {
        if let Some(wanted) = wanted.get_mut(&link.system) {
            wanted.ids.insert(link.account.clone());
        }
    }
    for (set, range) in &policy.ranges {
        if let Some(wanted) = set.system().and_then(|system| wanted.get_mut(&system)) {
            wanted.members.insert(set.clone(), range.members.clone());
        }
    }
    for deed in said.statements.iter().flat_map(|said| &said.deeds) {
        let table = fleet.capabilities(&deed.system).and_then(|table| table.operation(&deed.operation));
        if let Some(wanted) = wanted.get_mut(&deed.system) {
            want_named(wanted, table, &deed.arguments);
        }
    }
    for (system, wanted) in &mut wanted {
        for attribute in looked_up(system, policy, fleet) {
            for statement in &said.statements {
                let value = statement.values.get(&attribute).map(|value| fleet.normalize(system, &attribute, value));
                if let Some(text) = value.as_ref().and_then(Value::as_text) {
                    wanted.holding.entry(attribute.clone()).or_default().insert(text.to_owned());
                }
            }
        }
    }
    wanted
}

/// The things an operation's arguments name, whose ids are needed.
pub(super) fn want_named(
    wanted: &mut Wanted,
    table: Option<&'static OperationCapability>,
    arguments: &BTreeMap<String, Value>,
) {
    for argument in table.map(|table| table.arguments).unwrap_or_default() {
        if let (Takes::Named(kind), Some(name)) =
            (argument.takes, arguments.get(argument.name).and_then(Value::as_text))
        {
            wanted.named.entry(kind.to_owned()).or_default().insert(name.to_owned());
        }
    }
}

/// The attributes by which a provider is asked: those people are found by, and those that must not collide.
fn looked_up(system: &SystemName, policy: &Policy, fleet: &Fleet) -> Vec<AttributeName> {
    let Some(table) = fleet.capabilities(system) else { return Vec::new() };
    let joins = policy.joins.get(system).map(|line| line.attributes.as_slice()).unwrap_or_default();
    let unique = table.attributes.iter().filter(|row| row.unique != Unique::No).map(|row| table.name(system, row));
    let mut all: Vec<AttributeName> = joins.iter().cloned().chain(unique).collect();
    all.retain(|attribute| table.lookups.contains(&attribute.as_str()));
    all.sort();
    all.dedup();
    all
}

fn next_look(
    seen: &Shown,
    policy: &Policy,
    fleet: &Fleet,
    asked: &BTreeMap<SystemName, Wanted>,
) -> BTreeMap<SystemName, Wanted> {
    let mut next: BTreeMap<SystemName, Wanted> = BTreeMap::new();
    // Whoever is seen is seen with her memberships.
    let with_members = |system: &SystemName| {
        let members = asked.get(system).map(|wanted| wanted.members.clone()).unwrap_or_default();
        Wanted { members, ..Wanted::default() }
    };
    let pushed: BTreeMap<(&AttributeName, &SystemName), bool> = policy
        .copies
        .iter()
        .flat_map(|(attribute, line)| line.systems.iter().map(move |system| (attribute, system)))
        .map(|(attribute, system)| ((attribute, system), looked_up(system, policy, fleet).contains(attribute)))
        .collect();
    let nothing = Wanted::default();
    let known: BTreeSet<(&SystemName, &AccountId)> = seen
        .accounts
        .iter()
        .flat_map(|(system, accounts)| accounts.iter().filter_map(move |account| Some((system, account.id.as_ref()?))))
        .collect();
    for account in seen.accounts.values().flatten() {
        for identity in &account.identities {
            if let [provider] = fleet.of_kind(&identity.provider).as_slice() {
                let is_known = known.contains(&(provider, &identity.id));
                if !is_known && !asked.get(provider).unwrap_or(&nothing).ids.contains(&identity.id) {
                    next.entry(provider.clone())
                        .or_insert_with(|| with_members(provider))
                        .ids
                        .insert(identity.id.clone());
                }
            }
        }
        for (attribute, line) in &policy.copies {
            for system in line.systems.iter().filter(|system| **system != account.system) {
                if pushed.get(&(attribute, system)) != Some(&true) {
                    continue;
                }
                let value = account.attributes.get(attribute).map(|value| fleet.normalize(system, attribute, value));
                let Some(text) = value.as_ref().and_then(Value::as_text) else { continue };
                let before = asked.get(system).and_then(|wanted| wanted.holding.get(attribute));
                if !before.is_some_and(|texts| texts.contains(text)) {
                    let wanted = next.entry(system.clone()).or_insert_with(|| with_members(system));
                    wanted.holding.entry(attribute.clone()).or_default().insert(text.to_owned());
                }
            }
        }
    }
    next
}

/// Asks all providers side by side.
async fn look(
    wanted: &BTreeMap<SystemName, Wanted>,
    fleet: &mut Fleet,
    seen: &mut Shown,
    asked: &mut BTreeMap<SystemName, Wanted>,
) -> Result<(), RunError> {
    let questions = wanted.iter().filter_map(|(system, wanted)| {
        let member = fleet.members.get(system)?;
        Some(async move { (system, member.connector.observe(wanted, &member.line.reader()).await) })
    });
    let answers = join_all(questions).await;
    for (system, answer) in answers {
        let observed =
            answer.map_err(|source| RunError::Unread { system: system.clone(), source: Box::new(source) })?;
        fleet.servers.insert(system.clone(), Arc::clone(&observed.server));
        for warning in observed.warnings {
            let warning = format!("{system}: {warning}");
            if !seen.warnings.contains(&warning) {
                seen.warnings.push(warning);
            }
        }
        let accounts = seen.accounts.entry(system.clone()).or_default();
        let mut known: BTreeSet<AccountId> = accounts.iter().filter_map(|account| account.id.clone()).collect();
        for account in observed.accounts {
            if account.id.as_ref().is_some_and(|id| known.insert(id.clone())) {
                accounts.push(Arc::new(account));
            }
        }
        let before = asked.entry(system.clone()).or_default();
        if let Some(wanted) = wanted.get(system) {
            before.members.clone_from(&wanted.members);
            before.ids.extend(wanted.ids.iter().cloned());
            for (attribute, texts) in &wanted.holding {
                before.holding.entry(attribute.clone()).or_default().extend(texts.iter().cloned());
            }
        }
    }
    Ok(())
}

/// A file named on the command line: `system=path`.
pub(crate) fn named(root: &Path, argument: &str) -> Option<Named> {
    let (system, file) = argument.split_once('=')?;
    if system.is_empty() || file.is_empty() {
        return None;
    }
    Some(Named { system: system.into(), shown: file.to_owned(), path: root.join(file) })
}
