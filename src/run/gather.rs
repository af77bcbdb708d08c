//! Reading: inputs become statements. Nothing is changed anywhere.

use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet},
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{RunError, belief::Belief, ears::Ears, fleet::Fleet, mapping::map_all, project::Project};
use crate::{
    config::schema::Says,
    model::{
        attribute::{AttributeName, Value},
        few::Few,
        id::{PersonId, SystemName},
        keys::Keys,
        links::Link,
        plan::{Believed, Input, List, Seen},
        policy::Policy,
        record::{Before, RecordOrigin, Rejected, Statement},
        values::Values,
    },
    rules::RuleSet,
    source::{
        FileRefused, Layout, Read, Row,
        csv_file::{self, Told, settings::Coverage},
        wordpress::{self, refused::ListRefused},
    },
    state::{Memory, Sent, Settled},
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
        let open = OpenWords::of_source(memory, system);
        let is_there = |seen: &&Seen| !SaidBefore { remembered: &seen.values, open: open.of(&seen.key) }.is_gone();
        let before = memory.seen.iter().filter(|seen| seen.system == *system).filter(is_there);
        for seen in before.filter(|seen| !listed.contains(&seen.key)) {
            if !wordpress::is_gone(&wire, &seen.key).await? {
                return Err(ListRefused { system: system.clone(), why: wordpress::refused::Why::Shifts { walks: 1 } });
            }
        }
    }
    Ok(Heard { system: system.clone(), shown: system.to_string(), rows, read, is_whole: true })
}

/// What was read from inputs.
#[derive(Clone, Default)]
pub(crate) struct Said {
    pub(crate) statements: Vec<Arc<Statement>>,
    /// What sources said in earlier runs of keys that they do not speak of now.
    pub(crate) remembered: Vec<Arc<Statement>>,
    /// What was remembered of keys that are spoken of now and had other names.
    pub(crate) former: Vec<Arc<Statement>>,
    /// What was said of keys that are not spoken of now and of which something waits or is open. Nothing is carried out by it.
    pub(crate) open_words: Vec<Arc<Statement>>,
    pub(crate) rejected: Vec<Rejected>,
    pub(crate) inputs: Vec<Input>,
    /// How each of them is written and the names its columns are known by, where it is a file.
    pub(crate) layouts: Vec<Option<(Layout, Vec<String>)>>,
    /// What to remember: only what differs from what is remembered.
    pub(crate) seen: Vec<Seen>,
    pub(crate) notes: Vec<String>,
    /// What an operator should read before anything is done.
    pub(crate) warnings: Vec<String>,
    /// Sources that told of everybody, whatever it means not to be told of.
    pub(crate) whole: BTreeSet<SystemName>,
    /// How many people were left out, for nothing new is said of them.
    pub(crate) believed: u64,
    /// How many people a source that says changes showed for the first time.
    pub(crate) firsts: BTreeMap<SystemName, u64>,
    /// Rows that could not be used and whose key is known, by source and key.
    pub(crate) unused: BTreeMap<(SystemName, Arc<str>), Rejected>,
}

impl Said {
    /// True where something is said of somebody that was not said before, or anything is asked for.
    pub(super) fn has_news(&self) -> bool {
        !self.seen.is_empty() || self.statements.iter().any(|statement| statement.asks_for_deeds())
    }

    /// Asks for nothing of those of whom nothing new is said, and to whom nothing was done since: everybody was looked at then.
    pub(super) fn believe(&mut self, settled: &Settled, memory: &Memory) {
        // A source may know one person by several keys.
        let of_sources =
            memory.links.iter().filter(|link| self.inputs.iter().any(|input| input.system == *link.system));
        let tied: BTreeMap<(&SystemName, &str), &PersonId> =
            of_sources.map(|link| ((link.system, link.account), link.person)).collect();
        let person = |system: &SystemName, key: &Arc<str>| {
            let own = || PersonId { system: system.clone(), key: Arc::clone(key) };
            tied.get(&(system, &**key)).map_or_else(own, |person| (*person).clone())
        };
        let asking = self.statements.iter().filter(|statement| statement.asks_for_deeds());
        let asking = asking.map(|statement| person(&statement.system, &statement.key));
        let news = self.seen.iter().map(|seen| person(&seen.system, &seen.key));
        let news: BTreeSet<PersonId> = news.chain(asking).chain(settled.touched.iter().cloned()).collect();
        // Several lists may speak of one person; in one they are told apart by their keys.
        let are_several = self.inputs.len() > 1;
        let (mut left_out, mut told) = (0, BTreeSet::new());
        self.statements.retain(|statement| {
            let whose = person(&statement.system, &statement.key);
            let is_news = news.contains(&whose);
            if !is_news && !statement.of_nobody && (!are_several || told.insert(whose)) {
                left_out += 1;
            }
            is_news
        });
        self.believed = left_out;
        if self.believed == 0 {
            return;
        }
        for input in &mut self.inputs {
            if self.statements.is_empty() {
                input.same_as = memory.accepted.get(&input.system).map(|accepted| accepted.run);
            }
            if let Some(believed) = input.list.as_mut().and_then(|list| list.believed.as_mut()) {
                believed.since = Some(settled.since.clone());
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
    Ok(compared(hear(given, sources, rules)?, sources, rules.policy(), memory, belief))
}

/// Reads what is given and lets the rules say what each record means. What was heard before is not needed for that.
pub(crate) fn hear(
    given: &[Given],
    sources: &BTreeMap<SystemName, Source>,
    rules: &RuleSet,
) -> Result<Vec<Hearing>, RunError> {
    let mut all = Vec::with_capacity(given.len());
    for one in given {
        let system = one.system();
        let Some(source) = sources.get(system) else { continue };
        if !rules.has_source(system) {
            return Err(no_meaning(one, source));
        }
        let passage = Passage { system, key: &source.key, rules, strict: true };
        all.push(match one {
            Given::File(file) => {
                let Some(settings) = &source.csv else { continue };
                let open = file.dropped.as_deref();
                let heard = passage.hear(&file.shown, |sink| {
                    csv_file::read_at_once(&file.path, open, &file.shown, system, settings, sink)
                })?;
                let is_whole = source.coverage == Coverage::Full && !heard.read.repaired;
                Hearing { is_whole, tells_all: is_whole, order: file.order.clone(), ..heard }
            }
            Given::Heard(told) => {
                let heard = passage.hear(&told.shown, |sink| {
                    told.rows.iter().cloned().map(Told::Row).for_each(sink);
                    Ok(told.read.clone())
                })?;
                let is_whole = source.coverage == Coverage::Full && told.is_whole;
                Hearing { is_whole, tells_all: told.is_whole, ..heard }
            }
        });
    }
    Ok(all)
}

/// That the rules do not say what these records mean, with what a rule could make of them: the columns that are there.
fn no_meaning(given: &Given, source: &Source) -> RunError {
    let system = given.system().clone();
    let columns = match (given, &source.csv) {
        (Given::File(file), Some(settings)) => {
            let read = csv_file::read(&file.path, &file.shown, &system, settings, &mut |_| ());
            read.map(|read| read.columns).unwrap_or_default()
        }
        (Given::File(_), None) => Vec::new(),
        (Given::Heard(told), _) => told.read.columns.clone(),
    };
    RunError::NoMeaning { system, key: source.key.clone(), columns }
}

/// Compares what was heard with what was heard before, and takes note of everything.
pub(crate) fn compared(
    heard: Vec<Hearing>,
    sources: &BTreeMap<SystemName, Source>,
    policy: &Policy,
    memory: &Memory,
    belief: Option<&Belief>,
) -> Said {
    let mut said = Said::default();
    let known = Known::new(&memory.seen);
    let joined: BTreeSet<&AttributeName> = policy.joins.values().flat_map(|line| &line.attributes).collect();
    for one in heard {
        if let Some(source) = sources.get(&one.system) {
            let system = one.system.clone();
            let tells_all = one.tells_all && one.anybodys == 0;
            Recall { system: &system, source, memory, known: &known, joined: &joined, belief }.compare(&mut said, one);
            // Whose row could not be used is there all the same.
            if tells_all && said.inputs.last().is_some_and(|input| input.rejected == 0) {
                said.whole.insert(system);
            }
        }
    }
    if [&memory.seen, &memory.open_words, &memory.waiting_words].into_iter().all(Vec::is_empty) {
        return said;
    }
    let spoken: Keys<'_> = said.statements.iter().map(|statement| (&statement.system, &*statement.key)).collect();
    let is_silent = |seen: &&Seen| !spoken.has(&seen.system, &seen.key);
    let active = AttributeName::active();
    let mut words = memory.open_words.as_slice();
    for seen in memory.seen.iter().filter(is_silent) {
        let mut before = remembered(seen);
        // Both are in order of source and key.
        words = &words[words.partition_point(|word| (&word.system, &word.key) < (&seen.system, &seen.key))..];
        let of_her = words.partition_point(|word| (&word.system, &word.key) <= (&seen.system, &seen.key));
        // What she was called may be somebody else's name by now, and what she is to be called nobody has let pass; and who came
        // or left at one system is neither let in at the next one nor switched off there because another source spoke of her.
        let is_unsettled = |name: &AttributeName| {
            words[..of_her].iter().any(|word| {
                if name == active {
                    word.values.is(active, false) != seen.values.is(active, false)
                } else {
                    word.values.text(name) != seen.values.text(name)
                }
            })
        };
        before.unsettled = joined.iter().copied().chain([active]).filter(|name| is_unsettled(name)).cloned().collect();
        said.remembered.push(Arc::new(before));
    }
    // A list of everybody takes the place of all that its source has said and that waits.
    let counts = |seen: &&Seen| is_silent(seen) && !said.whole.contains(&seen.system);
    let words = memory.open_words.iter().chain(&memory.waiting_words).filter(counts);
    let mut words: Vec<Arc<Statement>> = words.map(|seen| Arc::new(remembered(seen))).collect();
    words.sort_by(|a, b| (&a.system, &a.key).cmp(&(&b.system, &b.key)));
    drop(spoken);
    said.open_words = words;
    said
}

/// What a source showed in an earlier run: it counts as known and asks for nothing.
pub(super) fn remembered(seen: &Seen) -> Statement {
    Statement {
        system: seen.system.clone(),
        key: Arc::clone(&seen.key),
        values: seen.values.clone(),
        origin: RecordOrigin { file: "an earlier run".into(), line: 0 },
        fresh: false,
        deeds: Few::default(),
        of_nobody: false,
        unsettled: Few::default(),
        quiet: Few::default(),
    }
}

/// What sources showed in earlier runs, by source and key.
#[derive(Default)]
pub(super) struct Known<'a> {
    seen: &'a [Seen],
    keys: Keys<'a>,
}

impl<'a> Known<'a> {
    fn new(seen: &'a [Seen]) -> Self {
        Self { seen, keys: seen.iter().map(|seen| (&seen.system, &*seen.key)).collect() }
    }

    fn get(&self, system: &SystemName, key: &str) -> Option<&'a Values> {
        Some(&self.seen[self.keys.place(system, key)?].values)
    }
}

/// One passage through the records of one source.
pub(super) struct Passage<'a> {
    pub(super) system: &'a SystemName,
    /// The column that names the person.
    pub(super) key: &'a str,
    pub(super) rules: &'a RuleSet,
    /// True where a rule that understands no record at all is wrong itself.
    pub(super) strict: bool,
}

/// What is known of one source from before.
pub(super) struct Recall<'a> {
    pub(super) system: &'a SystemName,
    pub(super) source: &'a Source,
    pub(super) memory: &'a Memory,
    pub(super) known: &'a Known<'a>,
    /// What accounts are found by.
    pub(super) joined: &'a BTreeSet<&'a AttributeName>,
    /// What decisions follow from, where that is to be remembered.
    pub(super) belief: Option<&'a Belief>,
}

/// Keys in order, each once.
type Listed = Vec<Arc<str>>;

fn is_in(listed: &Listed, key: &str) -> bool {
    listed.binary_search_by(|listed| (**listed).cmp(key)).is_ok()
}

/// What a passage has heard, before it is compared with what was heard before.
pub(crate) struct Hearing {
    system: SystemName,
    /// What the input is called in reports.
    shown: String,
    /// True where it tells of everybody: who was heard of before and is not listed is said to be inactive.
    is_whole: bool,
    /// True where it tells of everybody, whatever it means not to be told of.
    tells_all: bool,
    /// Its place among the files of its source, where its name says one.
    order: Option<String>,
    read: Read,
    statements: Vec<Statement>,
    refused: Vec<Rejected>,
    /// Keys of rows that speak of somebody without a statement that could be used.
    listed: Listed,
    /// Rows of which nobody can tell whose they are.
    anybodys: u64,
    /// The keys in the order of the rows.
    lines: Vec<Arc<str>>,
    /// Rows that could not be used and whose key is known.
    unused: BTreeMap<Arc<str>, Rejected>,
    /// How many rows there are, those that cannot be used among them.
    rows: u64,
}

impl Passage<'_> {
    /// What the records say, and which of them cannot be used. They are not taken for all there are.
    pub(super) fn hear(
        &self,
        shown: &str,
        read: impl FnOnce(&mut dyn FnMut(Told)) -> Result<Read, FileRefused>,
    ) -> Result<Hearing, RunError> {
        let mut all = Ears::default();
        let read = map_all(self.rules, self.system, self.key, read, &mut |heard| {
            all.take(self.system, shown, heard);
            // Where the rule itself is wrong, nothing it would say of further records is worth hearing.
            all.broken.is_none()
        })?;
        // Where not one record could be understood, the rule is wrong too, and not the records.
        let first_fault = all.first_fault.filter(|_| self.strict && all.understood == 0);
        if let Some(fault) = all.broken.or(first_fault) {
            return Err(RunError::Rule(Box::new(fault)));
        }
        let Ears {
            mut refused,
            mut statements,
            raw,
            foreign,
            mut anybodys,
            order: lines,
            nobodys,
            mut unused,
            understood,
            ..
        } = all;
        // Each row was understood or refused; some that were understood are refused yet.
        let rows = understood + refused.len() as u64;
        let as_written = !foreign;
        let mut listed = lines.clone();
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
            unused.insert(Arc::clone(&statement.key), rejected.clone());
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
        let (system, shown) = (self.system.clone(), shown.to_owned());
        let (is_whole, tells_all, order) = (false, false, None);
        Ok(Hearing {
            system,
            shown,
            is_whole,
            tells_all,
            order,
            read,
            statements,
            refused,
            listed,
            anybodys,
            lines,
            unused,
            rows,
        })
    }
}

impl Recall<'_> {
    /// Compares with what was heard before, and takes note of everything.
    pub(super) fn compare(&self, said: &mut Said, heard: Hearing) {
        let Hearing {
            shown,
            is_whole,
            order,
            read,
            mut statements,
            mut refused,
            listed,
            anybodys,
            lines,
            unused,
            rows,
            ..
        } = heard;
        let shown = shown.as_str();
        said.unused.extend(unused.into_iter().map(|(key, rejected)| ((self.system.clone(), key), rejected)));
        let active = AttributeName::new("active");
        let open = OpenWords::of_source(self.memory, self.system);
        let mut list = List {
            final_line_end: read.final_line_end,
            columns: read.columns.clone(),
            order: order.clone(),
            compared_with: self.memory.accepted.get(self.system).map(|last| last.sha256.clone()),
            compared_run: self.memory.accepted.get(self.system).map(|last| last.run),
            ..List::default()
        };
        list.is_cut_off =
            !read.final_line_end && self.memory.accepted.get(self.system).is_some_and(|last| last.final_line_end);
        if is_whole {
            let mut missing: BTreeMap<&str, SaidBefore<'_>> = BTreeMap::new();
            for seen in self.known.seen.iter().filter(|seen| seen.system == *self.system) {
                let before = SaidBefore { remembered: &seen.values, open: open.of(&seen.key) };
                if before.is_gone() {
                    continue;
                }
                list.before += 1;
                if !is_in(&listed, &seen.key) {
                    missing.insert(&*seen.key, before);
                }
            }
            if anybodys > 0 && !missing.is_empty() {
                let rows = if anybodys == 1 { "a row".to_owned() } else { format!("{anybodys} rows") };
                said.warnings.push(format!(
                    "{shown}: {rows} that could not be used may be anybody's, so nobody counts as gone (not listed now: {}); \
                     mend the list, or name a row that is no person's in `skip`",
                    missing.len()
                ));
                missing.clear();
            }
            self.keep_apart(said, shown, (&mut statements, &mut refused), &mut missing, &open);
            list.missing = missing.keys().map(|key| (*key).to_owned()).collect();
            list.ends_early = !missing.is_empty() && self.ends_early(&lines, &listed);
            list.tail = tail(&lines);
            statements.extend(missing.iter().map(|(key, before)| self.absent(shown, key, before.remembered)));
        }
        let mut of_nobody = BTreeSet::new();
        let mut done_before = 0;
        // What the source has said of anybody so far.
        let says_changes = self.source.says == Says::Changes;
        let before = self.memory.seen.iter().filter(|seen| (says_changes || is_whole) && seen.system == *self.system);
        let spoken_of: BTreeSet<&AttributeName> = before.flat_map(|seen| seen.values.keys()).collect();
        let mut new_attributes: BTreeMap<AttributeName, u64> = BTreeMap::new();
        said.statements.reserve(statements.len());
        for mut statement in statements {
            let before = self.known.get(self.system, &statement.key);
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
            let is_first = says_changes && !statement.of_nobody && before.is_none();
            // Of who is not listed nothing is said but that she is gone: what was is no news, whatever was done of it.
            if says_changes && !statement.of_nobody && !statement.origin.is_by_absence() {
                statement.quiet = match before {
                    // First sight is a baseline: the source has not changed anything yet.
                    None => {
                        *said.firsts.entry(self.system.clone()).or_default() += 1;
                        statement.values.keys().cloned().collect()
                    }
                    Some(before) => {
                        // What was asked for in the meantime and is taken back is asked for as well.
                        let mut differing = statement.values.differing(before);
                        let said_since = open.of(&statement.key).iter();
                        differing.extend(said_since.flat_map(|said| statement.values.differing(&said.values)));
                        differing.sort_unstable();
                        let is_new = |name: &&AttributeName| !spoken_of.contains(*name) && **name != active;
                        for name in statement.values.keys().filter(is_new) {
                            *new_attributes.entry(name.clone()).or_default() += 1;
                        }
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
            // Counted are those whom the last list held. What was never said of anybody is no column that was shifted: the
            // rules speak of it for the first time.
            if let Some(before) = before.filter(|before| is_whole && !before.is(&active, false)) {
                let may_be_shifted = |name: &&AttributeName| **name != active && spoken_of.contains(*name);
                for name in before.differing(&statement.values).into_iter().filter(may_be_shifted) {
                    *list.differing.entry(name.clone()).or_default() += 1;
                }
            }
            let asked = statement.deeds.len();
            statement.deeds.retain(|deed| self.memory.deeds.get(&deed.mark) != Some(&Sent::Done));
            done_before += asked - statement.deeds.len();
            for deed in statement.deeds.iter_mut() {
                deed.before = match self.memory.deeds.get(&deed.mark) {
                    Some(_) => Before::InDoubt,
                    None if is_first => Before::Baseline,
                    None => Before::Never,
                };
            }
            if let Some(values) = before.filter(|_| !statement.of_nobody && !statement.values.is(&active, false))
                && self
                    .joined
                    .iter()
                    .any(|name| values.text(name).is_some_and(|text| statement.values.text(name) != Some(text)))
            {
                let (system, key) = (self.system.clone(), Arc::clone(&statement.key));
                said.former.push(Arc::new(remembered(&Seen { system, key, person: None, values: values.clone() })));
            }
            // What was open is said otherwise by now, or again.
            let is_open = || !open.of(&statement.key).is_empty();
            if (before != Some(&statement.values) || is_open()) && !statement.of_nobody {
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
            let after = self.memory.place;
            list.believed = Some(Believed { basis: belief.basis.clone(), list: known_by, after, since: None });
        }
        refused.sort();
        said.layouts.push(read.layout.map(|layout| (layout, read.columns)));
        said.inputs.push(Input {
            system: self.system.clone(),
            file: shown.to_owned(),
            sha256: read.sha256,
            records: rows.saturating_sub(refused.len() as u64),
            rejected: refused.len() as u64,
            same_as: None,
            // A part of a list of everybody, such as rows that were repaired, is not what the next list is compared with.
            list: (is_whole || (order.is_some() && self.source.coverage == Coverage::Partial)).then_some(list),
        });
        said.rejected.extend(refused);
        // Whether the rule is new or the column was filled in, nobody can tell here: either way they are changes.
        for (name, people) in new_attributes {
            let (system, whom) = (self.system, if people == 1 { "somebody" } else { &format!("{people} people") });
            said.warnings.push(format!("{system} says `{name}` for the first time, of {whom}: each is a change"));
        }
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
            origin: RecordOrigin::by_absence(shown),
            fresh: true,
            deeds: Few::default(),
            of_nobody: false,
            unsettled: Few::default(),
            quiet,
        }
    }

    /// A new key with the address or the username of somebody who is missing, and much like hers or with all that she is
    /// known by, is that person under a key that was damaged, and not a leaver and a newcomer: the row is not used, and
    /// she does not count as gone. Where somebody has said of all her accounts that they are the new key's, it is used.
    fn keep_apart(
        &self,
        said: &mut Said,
        shown: &str,
        (statements, refused): (&mut Vec<Statement>, &mut Vec<Rejected>),
        missing: &mut BTreeMap<&str, SaidBefore<'_>>,
        open: &OpenWords<'_>,
    ) {
        // What no two people have at one time; names change when somebody opens a list in the wrong program.
        let known_by = ["email", "username"].map(AttributeName::new);
        let mut gone: BTreeMap<(&AttributeName, String), &str> = BTreeMap::new();
        for (key, before) in missing.iter() {
            for (values, name) in before.each().flat_map(|values| known_by.iter().map(move |name| (values, name))) {
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
        // Asked for where there is anybody of the kind.
        let accounts: OnceCell<BTreeMap<&str, Vec<String>>> = OnceCell::new();
        // Who left under a key and comes back under it may be somebody whose key was damaged on the way there.
        let is_new = |key: &str| {
            let remembered = self.known.get(self.system, key);
            remembered.is_none_or(|remembered| SaidBefore { remembered, open: open.of(key) }.is_gone())
        };
        let of = |key: &str, missing: &BTreeMap<&str, SaidBefore<'_>>| {
            let accounts = accounts.get_or_init(|| {
                let mut accounts: BTreeMap<&str, Vec<String>> = BTreeMap::new();
                let is_asked = |key: &str| missing.contains_key(key) || is_new(key);
                let hers = |link: &Link<'_>| link.person.system == *self.system && is_asked(&link.person.key);
                for link in self.memory.links.iter().filter(hers) {
                    accounts.entry(&link.person.key).or_default().push(format!("{}:{}", link.system, link.account));
                }
                accounts
            });
            accounts.get(key).cloned().unwrap_or_default()
        };
        statements.retain(|statement| {
            let same = |name| {
                let text = statement.values.text(name)?.to_lowercase();
                let key = gone.get(&(name, text))?;
                let before = missing.get(key)?;
                before.each().any(|values| is_same(key, values, statement)).then_some(*key)
            };
            let is_new = is_new(&statement.key);
            let Some(before) = known_by.iter().filter(|_| is_new).find_map(same) else { return true };
            let (hers, now) = (of(before, missing), of(&statement.key, missing));
            if hers.is_empty() && !now.is_empty() {
                return true;
            }
            missing.remove(before);
            let person = format!("{}/{}", self.system, statement.key);
            let links: Vec<String> = hers.iter().map(|account| format!("`homeward link {person} {account}`")).collect();
            let say = if links.is_empty() {
                "give her the old key in the list".to_owned()
            } else {
                format!("say so of each of her accounts, and the next list is taken: {}", links.join(", "))
            };
            let rejected = Rejected {
                system: self.system.clone(),
                file: shown.to_owned(),
                line: statement.origin.line,
                column: Some(self.source.key.clone()),
                code: "key_changed".to_owned(),
                reason: format!(
                    "{}/{before}, who is not listed any more, had this address or username, and a key names one person for \
                     good: where it is she, {say}; where it is somebody else, let the one leave with one list and the other come with the next",
                    self.system
                ),
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

/// What a source said last of keys of which something is still open.
struct OpenWords<'m>(Vec<&'m Seen>);

impl<'m> OpenWords<'m> {
    fn of_source(memory: &'m Memory, system: &SystemName) -> Self {
        // The store gives them in order of their keys.
        Self(memory.open_words.iter().filter(|open| open.system == *system).collect())
    }

    /// In the order in which they were said.
    fn of(&self, key: &str) -> &[&'m Seen] {
        let start = self.0.partition_point(|open| *open.key < *key);
        let length = self.0[start..].partition_point(|open| *open.key == *key);
        &self.0[start..start + length]
    }
}

/// What is remembered of a key, and what was said since where that is still open: of somebody who came back, or left, it may
/// be done at one system and not at the next.
#[derive(Clone, Copy)]
struct SaidBefore<'m> {
    remembered: &'m Values,
    open: &'m [&'m Seen],
}

impl<'m> SaidBefore<'m> {
    fn each(self) -> impl Iterator<Item = &'m Values> {
        std::iter::once(self.remembered).chain(self.open.iter().map(|open| &open.values))
    }

    /// True where nothing that was said lets her be there.
    fn is_gone(self) -> bool {
        self.each().all(|values| values.is(AttributeName::active(), false))
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

/// A file named on the command line: `system=path`.
pub(crate) fn named(root: &Path, argument: &str) -> Option<Named> {
    let (system, file) = argument.split_once('=')?;
    if system.is_empty() || file.is_empty() {
        return None;
    }
    Some(Named { system: system.into(), shown: file.to_owned(), path: root.join(file), dropped: None, order: None })
}
