//! Reading: inputs become statements, providers become accounts. Nothing is changed anywhere.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
};

use futures::future::join_all;

use super::{
    RunError,
    belief::Belief,
    ears::Ears,
    fleet::Fleet,
    mapping::map_all,
    own,
    project::Project,
    tokens::{Bearer, bearers, must_sign_in},
};
use crate::{
    config::schema::Says,
    model::{
        account::{Texts, Wanted},
        accounts::{Accounts, AccountsById},
        attribute::{AttributeName, Value},
        capability::{OperationCapability, Takes, Unique},
        id::{AccountId, PersonId, SystemName},
        person::{Link, Unseen},
        plan::{Believed, Input, List, Seen, SignIn},
        policy::{CopyLine, Policy},
        record::{Before, RecordOrigin, Rejected, Statement},
        values::Values,
    },
    plan::{Providers, correlate::Opened},
    rules::RuleSet,
    source::{
        FileRefused, Layout, Read, Row,
        csv_file::{self, Told, settings::Coverage},
        wordpress::{self, refused::ListRefused},
    },
    state::{Accepted, Memory, Sent},
};

/// Something that records come from.
pub(crate) struct Source {
    pub(crate) says: Says,
    /// What it means that somebody is not in it.
    pub(crate) coverage: Coverage,
    /// The column that names the person.
    pub(crate) key: String,
    /// How its files are read, where it has files.
    pub(crate) csv: Option<csv_file::settings::Settings>,
}

/// What one passage is made of, as it was given.
#[derive(Clone, Debug)]
pub(crate) enum Given {
    /// A file that is still to be read.
    File(Named),
    /// What a source told when it was asked.
    Heard(Heard),
}

impl Given {
    /// Whose records it holds.
    pub(crate) fn system(&self) -> &SystemName {
        match self {
            Self::File(file) => &file.system,
            Self::Heard(heard) => &heard.system,
        }
    }
}

/// What a source told when it was asked.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) system: SystemName,
    /// What it is called in reports.
    pub(crate) shown: String,
    pub(crate) rows: Vec<Row>,
    pub(crate) read: Read,
    /// True where it told of everybody.
    pub(crate) is_whole: bool,
}

/// One file of the command line.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) system: SystemName,
    /// As the user wrote it.
    pub(crate) shown: String,
    /// Where it is.
    pub(crate) path: PathBuf,
    /// The file itself, open, where it came by a drop folder: then nothing else is read.
    pub(crate) dropped: Option<Arc<File>>,
    /// Its place among the files of its source, where its name says one.
    pub(crate) order: Option<String>,
}

/// Asks a website for everybody. Whoever it told of before and does not tell of now is asked for once more: only where it
/// says that there is no such user is anybody gone.
pub(crate) async fn ask(
    system: &SystemName,
    project: &Project,
    fleet: &Fleet,
    memory: &Memory,
) -> Result<Heard, ListRefused> {
    let missing = || ListRefused { system: system.clone(), why: wordpress::refused::Why::NotAUser };
    let settings = project.websites.get(system).ok_or_else(missing)?;
    let wire = fleet.members.get(system).ok_or_else(missing)?.line.reader();
    let mut rows = Vec::new();
    let read = wordpress::poll(&wire, system.as_str(), system, settings, &mut |row| rows.push(row)).await?;
    let key = |row: &Row| match row {
        Row::Record(record) => record.field("id").map(Arc::from),
        Row::Rejected { key, .. } => key.clone(),
    };
    let listed: BTreeSet<Arc<str>> = rows.iter().filter_map(key).collect();
    if settings.coverage == Coverage::Full {
        let active = AttributeName::new("active");
        let before = memory.seen.iter().filter(|seen| seen.system == *system && !seen.values.is(&active, false));
        for seen in before.filter(|seen| !listed.contains(&seen.key)) {
            if !wordpress::is_gone(&wire, &seen.key).await? {
                return Err(ListRefused { system: system.clone(), why: wordpress::refused::Why::Shifts { walks: 1 } });
            }
        }
    }
    Ok(Heard { system: system.clone(), shown: system.to_string(), rows, read, is_whole: true })
}

/// What was read from inputs.
#[derive(Default)]
pub(crate) struct Said {
    pub(crate) statements: Vec<Arc<Statement>>,
    /// What sources said in earlier runs of keys that they do not speak of now.
    pub(crate) remembered: Vec<Arc<Statement>>,
    pub(crate) rejected: Vec<Rejected>,
    pub(crate) inputs: Vec<Input>,
    /// How each of them is written and the names its columns are known by, where it is a file.
    pub(crate) layouts: Vec<Option<(Layout, Vec<String>)>>,
    /// What to remember: only what differs from what is remembered.
    pub(crate) seen: Vec<Seen>,
    pub(crate) notes: Vec<String>,
    /// How many people need not be looked at, for their lists say what they said.
    pub(crate) believed: u64,
    /// How many people a source that says changes showed for the first time.
    pub(crate) firsts: BTreeMap<SystemName, u64>,
    /// Rows that could not be used and whose key is known, by source and key.
    pub(crate) unused: BTreeMap<(SystemName, Arc<str>), Rejected>,
}

impl Said {
    /// Asks for nothing: everybody was looked at then, and all is said as it was.
    pub(super) fn believe(&mut self, since: &str, accepted: &BTreeMap<SystemName, Accepted>) {
        self.believed = self.statements.len() as u64;
        self.statements.clear();
        for input in &mut self.inputs {
            input.same_as = accepted.get(&input.system).map(|accepted| accepted.run);
            if let Some(believed) = input.list.as_mut().and_then(|list| list.believed.as_mut()) {
                believed.since = Some(since.to_owned());
            }
        }
    }
}

/// Reads what is given and lets the rules say what each record means. With a belief, it is told what lists are known by when
/// they come again.
pub(crate) fn read(
    given: &[Given],
    sources: &BTreeMap<SystemName, Source>,
    rules: &RuleSet,
    memory: &Memory,
    belief: Option<&Belief>,
) -> Result<Said, RunError> {
    let mut said = Said::default();
    let known: Known<'_> = memory.seen.iter().map(|seen| ((&seen.system, &*seen.key), &seen.values)).collect();
    for one in given {
        let system = one.system();
        let Some(source) = sources.get(system) else { continue };
        if !rules.has_source(system) {
            return Err(RunError::NoMeaning { system: system.clone(), key: source.key.clone() });
        }
        let passage = Passage { system, source, rules, memory, known: &known, strict: true, belief };
        match one {
            Given::File(file) => {
                let Some(settings) = &source.csv else { continue };
                let open = file.dropped.as_deref();
                let read = |sink: &mut dyn FnMut(Told)| {
                    csv_file::read_at_once(&file.path, open, &file.shown, system, settings, sink)
                };
                let heard = passage.hear(&mut said, &file.shown, read)?;
                let is_whole = source.coverage == Coverage::Full && !heard.read.repaired;
                passage.close(&mut said, &file.shown, heard, is_whole, file.order.as_deref());
            }
            Given::Heard(told) => {
                let read = |sink: &mut dyn FnMut(Told)| {
                    told.rows.iter().cloned().map(Told::Row).for_each(sink);
                    Ok(told.read.clone())
                };
                let heard = passage.hear(&mut said, &told.shown, read)?;
                let is_whole = source.coverage == Coverage::Full && told.is_whole;
                passage.close(&mut said, &told.shown, heard, is_whole, None);
            }
        }
    }
    if !memory.seen.is_empty() {
        let spoken: BTreeSet<(&str, &str)> =
            said.statements.iter().map(|statement| (statement.system.as_str(), statement.key.as_ref())).collect();
        let silent = memory.seen.iter().filter(|seen| !spoken.contains(&(seen.system.as_str(), &*seen.key)));
        said.remembered.extend(silent.map(|seen| Arc::new(remembered(seen))));
    }
    Ok(said)
}

/// What a source showed in an earlier run: it counts as known and asks for nothing.
pub(super) fn remembered(seen: &Seen) -> Statement {
    Statement {
        system: seen.system.clone(),
        key: Arc::clone(&seen.key),
        values: seen.values.clone(),
        origin: RecordOrigin { file: "an earlier run".into(), line: 0 },
        fresh: false,
        deeds: Vec::new(),
        of_nobody: false,
        quiet: BTreeSet::new(),
    }
}

/// What sources showed in earlier runs, by source and key.
pub(super) type Known<'a> = BTreeMap<(&'a SystemName, &'a str), &'a Values>;

/// One passage through the records of one source.
pub(super) struct Passage<'a> {
    pub(super) system: &'a SystemName,
    pub(super) source: &'a Source,
    pub(super) rules: &'a RuleSet,
    pub(super) memory: &'a Memory,
    pub(super) known: &'a Known<'a>,
    /// True where a rule that understands no record at all is wrong itself.
    pub(super) strict: bool,
    /// What decisions follow from, where that is to be remembered.
    pub(super) belief: Option<&'a Belief>,
}

/// Keys in order, each once.
type Listed = Vec<Arc<str>>;

fn is_in(listed: &Listed, key: &str) -> bool {
    listed.binary_search_by(|listed| (**listed).cmp(key)).is_ok()
}

/// What a passage has heard, before it is compared with what was heard before.
pub(super) struct Hearing {
    pub(super) read: Read,
    statements: Vec<Statement>,
    refused: Vec<Rejected>,
    /// Keys of rows that speak of somebody without a statement that could be used.
    listed: Listed,
    /// Rows of which nobody can tell whose they are.
    anybodys: u64,
    /// The keys in the order of the rows.
    order: Vec<Arc<str>>,
}

impl Passage<'_> {
    /// What the records say, and which of them cannot be used.
    pub(super) fn hear(
        &self,
        said: &mut Said,
        shown: &str,
        read: impl FnOnce(&mut dyn FnMut(Told)) -> Result<Read, FileRefused>,
    ) -> Result<Hearing, RunError> {
        let mut all = Ears::default();
        let read = map_all(self.rules, self.system, &self.source.key, read, &mut |heard| {
            all.take(self.system, shown, heard);
            // Where the rule itself is wrong, nothing it would say of further records is worth hearing.
            all.broken.is_none()
        })?;
        // Where not one record could be understood, the rule is wrong too, and not the records.
        let first_fault = all.first_fault.filter(|_| self.strict && all.understood == 0);
        if let Some(fault) = all.broken.or(first_fault) {
            return Err(RunError::Rule(Box::new(fault)));
        }
        let Ears { mut refused, mut statements, raw, foreign, mut anybodys, order, nobodys, unused, .. } = all;
        said.unused.extend(unused.into_iter().map(|(key, rejected)| ((self.system.clone(), key), rejected)));
        let as_written = !foreign;
        let mut listed = order.clone();
        listed.sort_unstable();
        // Most lists have none.
        let doubled: BTreeSet<Arc<str>> =
            listed.windows(2).filter(|two| two[0] == two[1]).map(|two| Arc::clone(&two[0])).collect();
        let is_doubled = |statement: &Statement| !doubled.is_empty() && doubled.contains(&statement.key);
        for statement in statements.iter().filter(|statement| is_doubled(statement)) {
            let rejected = Rejected {
                system: self.system.clone(),
                file: shown.to_owned(),
                line: statement.origin.line,
                column: None,
                code: "duplicate_key".to_owned(),
                reason: "another record of this file has the same key by the `source` rule; none of them is used"
                    .to_owned(),
            };
            said.unused.insert((self.system.clone(), Arc::clone(&statement.key)), rejected.clone());
            refused.push(rejected);
        }
        statements.retain(|statement| !is_doubled(statement));
        listed.extend(nobodys);
        if as_written {
            listed.extend(raw);
        } else {
            // The rule makes a key of its own, so nobody can tell whose those rows are.
            anybodys += raw.len() as u64;
        }
        listed.sort_unstable();
        listed.dedup();
        Ok(Hearing { read, statements, refused, listed, anybodys, order })
    }

    /// Compares with what was heard before, and takes note of everything. With `is_whole`, who was heard of before and is
    /// not listed is said to be inactive.
    pub(super) fn close(&self, said: &mut Said, shown: &str, heard: Hearing, is_whole: bool, order: Option<&str>) {
        let Hearing { read, mut statements, mut refused, listed, anybodys, order: lines } = heard;
        let active = AttributeName::new("active");
        let mut list = List {
            final_line_end: read.final_line_end,
            columns: read.columns.clone(),
            order: order.map(str::to_owned),
            ..List::default()
        };
        list.is_cut_off =
            !read.final_line_end && self.memory.accepted.get(self.system).is_some_and(|last| last.final_line_end);
        if is_whole {
            let is_gone = |values: &Values| values.is(&active, false);
            let before = self.known.iter().filter(|((system, _), values)| *system == self.system && !is_gone(values));
            let mut missing: BTreeMap<&str, &Values> = BTreeMap::new();
            for ((_, key), values) in before {
                list.before += 1;
                if !is_in(&listed, key) {
                    missing.insert(*key, *values);
                }
            }
            if anybodys > 0 && !missing.is_empty() {
                said.notes.push(format!(
                    "{shown}: {anybodys} rows may be anybody's, so none of the {} people who are not listed counts as gone",
                    missing.len()
                ));
                missing.clear();
            }
            self.keep_apart(said, shown, &mut statements, &mut refused, &mut missing);
            list.missing = missing.keys().map(|key| (*key).to_owned()).collect();
            list.ends_early = !missing.is_empty() && self.ends_early(&lines, &listed);
            list.tail = tail(&lines);
            statements.extend(missing.iter().map(|(key, values)| self.absent(shown, key, values)));
        }
        let mut of_nobody = BTreeSet::new();
        let mut done_before = 0;
        for mut statement in statements {
            let before = self.known.get(&(self.system, statement.key.as_ref())).copied();
            if statement.of_nobody && !of_nobody.insert(Arc::clone(&statement.key)) {
                continue;
            }
            // Who is back in a list that lists everybody is no longer gone, where the record itself does not say; and stays
            // so, or a system that could not be told the first time would never hear of it.
            if is_whole
                && !statement.of_nobody
                && !statement.values.contains_key(&active)
                && before.is_some_and(|before| before.contains_key(&active))
            {
                statement.values.set(&active, Some(Value::Bool(true)));
            }
            let is_first = self.source.says == Says::Changes && !statement.of_nobody && before.is_none();
            if self.source.says == Says::Changes && !statement.of_nobody {
                statement.quiet = match before {
                    // First sight is a baseline: the source has not changed anything yet.
                    None => {
                        *said.firsts.entry(self.system.clone()).or_default() += 1;
                        statement.values.keys().cloned().collect()
                    }
                    Some(before) => {
                        let differing = statement.values.differing(before);
                        let same = |name: &&AttributeName| differing.binary_search(name).is_err();
                        statement.values.keys().filter(same).cloned().collect()
                    }
                };
            }
            if is_whole && !statement.of_nobody {
                let was_inactive = before.is_some_and(|before| before.is(&active, false));
                let is_gone = statement.values.is(&active, false);
                list.new += u64::from(before.is_none());
                list.activated += u64::from(was_inactive && !is_gone);
            }
            if let Some(before) = before.filter(|_| is_whole) {
                for name in before.differing(&statement.values).into_iter().filter(|name| **name != active) {
                    *list.differing.entry(name.clone()).or_default() += 1;
                }
            }
            let asked = statement.deeds.len();
            statement.deeds.retain(|deed| self.memory.deeds.get(&deed.mark) != Some(&Sent::Done));
            done_before += asked - statement.deeds.len();
            for deed in &mut statement.deeds {
                deed.before = match self.memory.deeds.get(&deed.mark) {
                    Some(_) => Before::InDoubt,
                    None if is_first => Before::Baseline,
                    None => Before::Never,
                };
            }
            if before != Some(&statement.values) && !statement.of_nobody {
                said.seen.push(Seen {
                    system: statement.system.clone(),
                    key: Arc::clone(&statement.key),
                    person: None,
                    values: statement.values.clone(),
                });
            }
            said.statements.push(Arc::new(statement));
        }
        if let (Some(belief), Some(known_by)) = (self.belief.filter(|_| is_whole), read.known_by) {
            let after = self.memory.accepted.get(self.system).map_or(0, Accepted::newest);
            list.believed = Some(Believed { basis: belief.basis.clone(), list: known_by, after, since: None });
        }
        refused.sort();
        said.layouts.push(read.layout.map(|layout| (layout, read.columns)));
        said.inputs.push(Input {
            system: self.system.clone(),
            file: shown.to_owned(),
            sha256: read.sha256,
            records: read.records,
            rejected: refused.len() as u64,
            same_as: None,
            // A part of a list of everybody, such as rows that were repaired, is not what the next list is compared with.
            list: (is_whole || (order.is_some() && self.source.coverage == Coverage::Partial)).then_some(list),
        });
        said.rejected.extend(refused);
        if done_before > 0 {
            said.notes
                .push(format!("{shown}: {done_before} operations were done by earlier runs and are not done again"));
        }
        said.notes.extend(read.notes.into_iter().map(|note| format!("{shown}: {note}")));
        said.seen.sort_by(|a, b| (&a.system, &a.key).cmp(&(&b.system, &b.key)));
    }

    /// What absence says: all is as it was, and the person is no longer active.
    fn absent(&self, shown: &str, key: &str, before: &Values) -> Statement {
        let mut values = before.clone();
        let quiet = values.keys().filter(|name| name.as_str() != "active").cloned().collect();
        values.set(&AttributeName::new("active"), Some(Value::Bool(false)));
        Statement {
            system: self.system.clone(),
            key: key.into(),
            values,
            origin: RecordOrigin { file: format!("{shown} (not listed)").into(), line: 0 },
            fresh: true,
            deeds: Vec::new(),
            of_nobody: false,
            quiet,
        }
    }

    /// A new key with the address or the username of somebody who is missing, and much like hers or with all that she is
    /// known by, is that person under a key that was damaged, and not a leaver and a newcomer: the row is not used, and
    /// she does not count as gone.
    fn keep_apart(
        &self,
        said: &mut Said,
        shown: &str,
        statements: &mut Vec<Statement>,
        refused: &mut Vec<Rejected>,
        missing: &mut BTreeMap<&str, &Values>,
    ) {
        // What no two people have at one time; names change when somebody opens a list in the wrong program.
        let known_by = ["email", "username"].map(AttributeName::new);
        let mut gone: BTreeMap<(&AttributeName, String), &str> = BTreeMap::new();
        for (key, values) in missing.iter() {
            for name in &known_by {
                if let Some(text) = values.text(name) {
                    gone.insert((name, text.to_lowercase()), key);
                }
            }
        }
        // The ids of a website are its own, and who is missing there was asked for.
        if gone.is_empty() || self.source.csv.is_none() {
            return;
        }
        let is_same = |key: &str, values: &Values, statement: &Statement| {
            let looks = |of: &Values| LOOKS.map(|name| of.get(&AttributeName::new(name)));
            written_alike(key, &statement.key) || looks(values) == looks(&statement.values)
        };
        statements.retain(|statement| {
            let is_new = !self.known.contains_key(&(self.system, statement.key.as_ref()));
            let same = |name| {
                let text = statement.values.text(name)?.to_lowercase();
                let key = gone.get(&(name, text))?;
                missing.get(key).is_some_and(|values| is_same(key, values, statement)).then_some(*key)
            };
            let Some(before) = known_by.iter().filter(|_| is_new).find_map(same) else { return true };
            missing.remove(before);
            let rejected = Rejected {
                system: self.system.clone(),
                file: shown.to_owned(),
                line: statement.origin.line,
                column: Some(self.source.key.clone()),
                code: "key_changed".to_owned(),
                reason: "somebody who is not listed any more had this address or username under another key, and a key names one \
                         person for good: let the one leave with one list and the other come with the next"
                    .to_owned(),
            };
            said.unused.insert((self.system.clone(), Arc::clone(&statement.key)), rejected.clone());
            refused.push(rejected);
            false
        });
    }

    /// True where this list ends while the last one goes on: none of those behind is listed, whether they were active or
    /// not, and there are fewer new lines than they were.
    fn ends_early(&self, lines: &[Arc<str>], listed: &Listed) -> bool {
        let Some(last) = self.memory.accepted.get(self.system) else { return false };
        let Some(end) = last.tail.iter().rposition(|key| is_in(listed, key)) else { return false };
        let behind = last.tail.len() - end - 1;
        let new = lines.iter().rev().take_while(|key| key.as_ref() != last.tail[end].as_str()).count();
        behind > 0 && new < behind
    }
}

/// What people are known by, beside their key.
const LOOKS: [&str; 5] = ["email", "username", "first_name", "last_name", "display_name"];

/// True for two keys that are one, but for what programs do to numbers: zeros dropped, an exponent, quotes, blanks, capitals.
fn written_alike(one: &str, other: &str) -> bool {
    let bare = |key: &str| -> String {
        let kept: String = key.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
        kept.trim_start_matches('0').to_owned()
    };
    let number = |key: &str| key.replace(',', ".").parse::<f64>().ok();
    bare(one) == bare(other) || number(one).zip(number(other)).is_some_and(|(one, other)| (one - other).abs() < 0.5)
}

/// The last of a list: enough to see that a later one ends early, beyond which other limits see it.
fn tail(lines: &[Arc<str>]) -> Vec<String> {
    let length = (lines.len() / 10).max(100);
    lines.iter().skip(lines.len().saturating_sub(length)).map(ToString::to_string).collect()
}

/// What providers showed.
#[derive(Default)]
pub(crate) struct Shown {
    pub(crate) accounts: BTreeMap<SystemName, Accounts>,
    /// What people's own tokens opened, by each name of theirs.
    pub(crate) own: BTreeMap<SystemName, BTreeMap<PersonId, Opened>>,
    /// Who has to sign in before her own token opens anything.
    pub(crate) sign_in: Vec<SignIn>,
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
    let keyed: Vec<&SystemName> = first.keys().filter(|system| fleet.keyed(system).is_some()).collect();
    if !keyed.is_empty() {
        let people = speakers(said, memory, policy);
        let wanted = keyed.into_iter().map(|system| (system.clone(), people.clone())).collect();
        open(&wanted, fleet, &mut seen).await?;
    }
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

/// Everybody of whom something is wanted, with the names she is known by.
fn speakers(said: &Said, memory: &Memory, policy: &Policy) -> Vec<Bearer> {
    let known: BTreeMap<(&SystemName, &str), &PersonId> =
        memory.links.iter().map(|link| ((&link.system, link.account.as_str()), &link.person)).collect();
    let mut people: BTreeMap<PersonId, BTreeSet<PersonId>> = BTreeMap::new();
    for statement in said.statements.iter().filter(|statement| !statement.of_nobody) {
        let asks = statement.spoken().next().is_some() || !statement.deeds.is_empty();
        // Whether there should be an account is asked of everybody.
        if asks || !policy.accounts.is_empty() {
            let own = PersonId { system: statement.system.clone(), key: Arc::clone(&statement.key) };
            let person = known.get(&(&statement.system, statement.key.as_ref())).map_or(&own, |person| *person);
            people.entry(person.clone()).or_default().insert(own);
        }
    }
    let mut all = bearers(people.keys(), &memory.links);
    for bearer in &mut all {
        let names = people.remove(&bearer.person).unwrap_or_default();
        bearer.also.extend(names.into_iter().filter(|name| *name != bearer.person));
    }
    all
}

/// Opens the accounts of these people with their own tokens, where systems are asked so, all of those side by side.
pub(super) async fn open(
    wanted: &BTreeMap<SystemName, Vec<Bearer>>,
    fleet: &mut Fleet,
    seen: &mut Shown,
) -> Result<(), RunError> {
    let looks = wanted.iter().filter_map(|(system, people)| {
        let (member, keyring) = fleet.keyed(system)?;
        Some(async move { (system, people, own::open(system, member, keyring, people, true).await) })
    });
    for (system, people, opened) in join_all(looks).await {
        let own::Opened { accounts, server, warnings } = opened?;
        fleet.servers.insert(system.clone(), Arc::new(server.unwrap_or_default()));
        seen.warnings.extend(warnings.into_iter().map(|warning| format!("{system}: {warning}")));
        let shown = seen.accounts.entry(system.clone()).or_default();
        let mut all = AccountsById::default();
        all.extend(std::mem::take(shown));
        let names = seen.own.entry(system.clone()).or_default();
        let mut known: BTreeSet<AccountId> = BTreeSet::new();
        let mut waiting: BTreeSet<PersonId> = BTreeSet::new();
        for bearer in people {
            let what = match accounts.get(&bearer.person) {
                Some(Ok(account)) => {
                    let Some(id) = &account.id else { continue };
                    if known.insert(id.clone()) {
                        all.insert(account);
                    }
                    Opened::Account(id.clone())
                }
                Some(Err(refusal)) => {
                    if must_sign_in(refusal) {
                        waiting.insert(bearer.person.clone());
                    }
                    Opened::Nothing(Unseen { kind: refusal.kind, reason: refusal.reason.clone() })
                }
                None => continue,
            };
            for name in std::iter::once(&bearer.person).chain(&bearer.also) {
                names.insert(name.clone(), what.clone());
            }
        }
        *shown = all.into_accounts();
        if let (false, Some((_, keyring))) = (waiting.is_empty(), fleet.keyed(system)) {
            seen.sign_in.push(SignIn { system: system.clone(), at: keyring.home().to_owned(), people: waiting });
        }
    }
    seen.sign_in.sort();
    Ok(())
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
    // Of whom something is said, by the names that records have and by those of the people they are tied to.
    let mut people: Vec<(&str, &str)> = Vec::new();
    if !memory.links.is_empty() {
        people.extend(said.statements.iter().map(|said| (said.system.as_str(), &*said.key)));
        people.sort_unstable();
        let is_spoken = |link: &&Link| people.binary_search(&(link.system.as_str(), link.account.as_str())).is_ok();
        let anchors =
            memory.links.iter().filter(is_spoken).map(|link| (link.person.system.as_str(), &*link.person.key));
        let anchors: Vec<(&str, &str)> = anchors.collect();
        people.extend(anchors);
        people.sort_unstable();
    }

    let mut wanted: BTreeMap<SystemName, Wanted> =
        concerned(said, policy, fleet).into_iter().map(|system| (system, Wanted::default())).collect();
    let is_spoken = |link: &&Link| people.binary_search(&(link.person.system.as_str(), &link.person.key)).is_ok();
    for link in memory.links.iter().filter(is_spoken) {
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
    let mut shared: BTreeMap<AttributeName, Vec<Texts>> = BTreeMap::new();
    for (system, wanted) in &mut wanted {
        for attribute in looked_up(system, policy, fleet) {
            let text = |statement: &Arc<Statement>| {
                let value = fleet.normalize(system, &attribute, &statement.values.get(&attribute)?);
                value.as_text().map(str::to_owned)
            };
            let texts: Texts = said.statements.iter().filter_map(text).collect();
            if texts.is_empty() {
                continue;
            }
            // Most systems store a text as others do.
            let others: &mut Vec<Texts> = shared.entry(attribute.clone()).or_default();
            let texts = others.iter().find(|other| **other == texts).cloned().unwrap_or_else(|| {
                others.push(texts.clone());
                texts
            });
            wanted.holding.insert(attribute, texts);
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
    all.retain(|attribute| table.lookups.contains(&attribute.local()));
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
    // Whoever is seen is seen with her memberships, and what operations name is asked for again: the last answer is what is
    // known of a server.
    let with_members = |system: &SystemName| {
        let before = asked.get(system);
        let members = before.map(|wanted| wanted.members.clone()).unwrap_or_default();
        let named = before.map(|wanted| wanted.named.clone()).unwrap_or_default();
        Wanted { members, named, ..Wanted::default() }
    };
    let nothing = Wanted::default();
    let mut ids: BTreeMap<SystemName, Vec<&str>> = BTreeMap::new();
    for (system, accounts) in &seen.accounts {
        let takers = |line: &CopyLine| -> Vec<SystemName> {
            line.systems.iter().filter(|taker| *taker != system).cloned().collect()
        };
        // Where a copy would go that must not collide there, and what was asked for there already.
        let ways = policy
            .copies
            .iter()
            .flat_map(|(attribute, line)| takers(line).into_iter().map(move |taker| (attribute, taker)));
        let ways: Vec<_> = ways
            .filter(|(attribute, taker)| looked_up(taker, policy, fleet).contains(attribute))
            .map(|(attribute, taker)| {
                let before = asked.get(&taker).and_then(|wanted| wanted.holding.get(attribute));
                (attribute, taker, before)
            })
            .collect();
        for account in accounts {
            for (kind, id) in account.identities() {
                let of_kind = fleet.of_kind(kind);
                let [provider] = of_kind.as_slice() else { continue };
                let known = ids.entry(provider.clone()).or_insert_with(|| ids_of(seen, provider));
                let id_there = AccountId::from(id);
                if known.binary_search(&id).is_err() && !asked.get(provider).unwrap_or(&nothing).ids.contains(&id_there)
                {
                    next.entry(provider.clone()).or_insert_with(|| with_members(provider)).ids.insert(id_there);
                }
            }
            // Most systems store a text as others do, and are asked about the same texts.
            let mut known: Option<(&AttributeName, Value, &Texts)> = None;
            for (attribute, taker, before) in &ways {
                let Some(value) = account.text(attribute).map(Value::text) else { continue };
                let value = fleet.normalize(taker, attribute, &value);
                let Some(text) = value.as_text() else { continue };
                let is_known = known.as_ref().is_some_and(|(name, known, texts)| {
                    *name == *attribute && *known == value && before.is_some_and(|before| before.is(texts))
                });
                if is_known {
                    continue;
                }
                if let Some(texts) = before.filter(|texts| texts.contains(text)) {
                    known = Some((attribute, value, texts));
                } else {
                    let wanted = next.entry(taker.clone()).or_insert_with(|| with_members(taker));
                    wanted.holding.entry((*attribute).clone()).or_default().insert(text.to_owned());
                }
            }
        }
    }
    next
}

/// The ids of a system's accounts that were seen, in order.
fn ids_of<'a>(seen: &'a Shown, system: &SystemName) -> Vec<&'a str> {
    let mut ids: Vec<&str> =
        seen.accounts.get(system).into_iter().flatten().filter_map(|account| account.id()).collect();
    ids.sort_unstable();
    ids
}

/// Asks all providers side by side.
pub(super) async fn look(
    wanted: &BTreeMap<SystemName, Wanted>,
    fleet: &mut Fleet,
    seen: &mut Shown,
    asked: &mut BTreeMap<SystemName, Wanted>,
) -> Result<(), RunError> {
    let questions = wanted.iter().filter_map(|(system, wanted)| {
        let member = fleet.members.get(system).filter(|member| member.keyring.is_none())?;
        Some(async move { (system, member.observe(wanted).await) })
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
        seen.accounts.entry(system.clone()).or_default().add_new(observed.accounts);
        let before = asked.entry(system.clone()).or_default();
        if let Some(wanted) = wanted.get(system) {
            before.members.clone_from(&wanted.members);
            before.named.clone_from(&wanted.named);
            before.ids.extend(wanted.ids.iter().cloned());
            for (attribute, texts) in &wanted.holding {
                before.holding.entry(attribute.clone()).or_default().add(texts);
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
    Some(Named { system: system.into(), shown: file.to_owned(), path: root.join(file), dropped: None, order: None })
}
