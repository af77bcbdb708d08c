//! From inputs to a sealed plan: the steps 2 to 8, with nothing to write with.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    RunError,
    belief::{Belief, Same, is_certain, said_before},
    crew::{ALONE, Crew, Shift, threads},
    ears::MAX_EXCEEDED,
    expectations::{Compared, compare},
    fleet::Fleet,
    gather::{self, Given, Hearing, Said, Source},
    observe::{Shown, observe},
    seal::seal,
};
use crate::{
    config::schema::Says,
    model::{
        account::Account,
        accounts::Packed,
        attribute::AttributeName,
        capability::Unique,
        id::{AccountId, PersonId, SystemName},
        person::Person,
        plan::{Decision, Groups, Home, OpenCreation, Plan, Seen},
        policy::{Instruction, Ownership, Policy, Question},
        record::Statement,
        refusal::RefusalKind,
    },
    plan::{
        Hooks, Providers,
        assemble::{Frame, assemble},
        correlate::{Found, Material, Ties, correlate},
        decide::{Decided, Rest, decide},
        deeds::{DecidedDeed, deeds},
        guard::{Limits, protect},
        order::{Holders, contested},
        twins::Known,
    },
    rules::{RuleError, RuleSet},
    source::csv_file::settings::Coverage,
    state::{Memory, expectation::Expectation},
};

/// What a plan is made with.
pub(crate) struct Desk<'a> {
    pub(crate) rules: &'a RuleSet,
    pub(crate) sources: &'a BTreeMap<SystemName, Source>,
    pub(crate) limits: &'a Limits,
    pub(crate) memory: &'a Memory,
    /// ISO date.
    pub(crate) today: String,
    /// What decisions follow from, where that is to be remembered.
    pub(crate) belief: Option<Belief>,
}

impl Desk<'_> {
    /// What inputs say.
    pub(crate) fn hear(&self, given: &[Given]) -> Result<Vec<Hearing>, RunError> {
        gather::hear(given, self.sources, self.rules)
    }
}

/// A plan, and what to tell beside it.
pub(crate) struct Prepared {
    pub(crate) plan: Plan,
    /// How inputs were read: delimiters decided, cells cleaned.
    pub(crate) notes: Vec<String>,
    /// How many people a source showed for the first time, which is a baseline and asks for nothing.
    pub(crate) firsts: BTreeMap<SystemName, u64>,
    /// Which accounts that are there would be tied to people from now on, and by which lines they were found.
    pub(crate) ties: Vec<String>,
    /// What earlier runs left to come by itself, with what was seen of it now.
    pub(crate) expected: Vec<Compared>,
    /// Inputs that are what they were when they were carried out: then nobody was asked and there is nothing to do.
    pub(crate) same: Vec<Same>,
    /// Where a list says something new of some: how many it says nothing new of, who were not looked at, and when they were.
    pub(crate) believed: Option<(u64, String)>,
}

impl Prepared {
    /// A plan with nothing to tell beside it.
    pub(crate) fn of(plan: Plan) -> Self {
        let (notes, firsts, ties) = (Vec::new(), BTreeMap::new(), Vec::new());
        Self { plan, notes, firsts, ties, expected: Vec::new(), same: Vec::new(), believed: None }
    }
}

/// Reads inputs and providers and decides everything. Writes nothing, anywhere.
pub(crate) async fn prepare(desk: &Desk<'_>, given: &[Given], fleet: &mut Fleet) -> Result<Prepared, RunError> {
    let drafted = draft(desk, desk.hear(given)?, fleet).await?;
    Ok(Prepared { plan: seal(drafted.plan), ..drafted })
}

/// The same with a plan that has no id yet, for whoever gives it one while writing it.
pub(crate) async fn draft(desk: &Desk<'_>, heard: Vec<Hearing>, fleet: &mut Fleet) -> Result<Prepared, RunError> {
    let policy = desk.rules.policy();
    let mut said = gather::compared(heard, desk.sources, policy, desk.memory, desk.belief.as_ref());
    let (mut notes, firsts) = (std::mem::take(&mut said.notes), std::mem::take(&mut said.firsts));
    let counts_groups = desk.limits.groups.is_some();
    let before = desk
        .belief
        .as_ref()
        .and_then(|belief| said_before(&said, belief, desk.sources, desk.memory, fleet, counts_groups));
    let mut made = None;
    if let Some(before) = before {
        let mut few = said.clone();
        few.believe(&before, desk.memory);
        let (people, is_part) = (few.believed, !few.statements.is_empty());
        if people > 0 {
            let (plan, shown) = decide_on(desk, few, fleet).await?;
            if is_certain(&plan) {
                made = Some((plan, shown, is_part.then_some((people, before.since))));
            } else {
                notes.push(
                    "somebody of whom something new is said may be somebody else: everybody is looked at".to_owned(),
                );
            }
        }
    }
    let (plan, shown, believed) = if let Some(made) = made {
        made
    } else {
        let (plan, shown) = decide_on(desk, said, fleet).await?;
        (plan, shown, None)
    };
    let ties = ties(&plan, policy);
    let expected = compare(&desk.memory.expectations, &awaited(&desk.memory.expectations, &shown), fleet);
    Ok(Prepared { plan, notes, firsts, ties, expected, same: Vec::new(), believed })
}

/// Looks at whomever these statements could be about, and decides.
async fn decide_on(desk: &Desk<'_>, said: Said, fleet: &mut Fleet) -> Result<(Plan, Shown), RunError> {
    let shown = observe(&said, desk.memory, desk.rules.policy(), fleet).await?;
    let homes = fleet.homes();
    let plan = settle(desk, said, &shown, fleet, homes, None)?;
    Ok((plan, shown))
}

/// The accounts of which something is expected.
fn awaited(open: &[Expectation], shown: &Shown) -> Vec<Account> {
    let about: BTreeSet<(&SystemName, &str)> = open.iter().map(|one| (&one.system, one.account.as_str())).collect();
    let is_awaited = |account: &Packed<'_>| account.id().is_some_and(|id| about.contains(&(account.system(), id)));
    let all = shown.accounts.values().flatten().filter(|_| !about.is_empty());
    all.filter(is_awaited).map(|account| account.account()).collect()
}

/// The ties a plan would make, system by system, each with the line that found them.
fn ties(plan: &Plan, policy: &Policy) -> Vec<String> {
    let mut made: BTreeMap<&SystemName, u64> = BTreeMap::new();
    for link in plan.links.iter().filter(|link| plan.systems.contains_key(link.system)) {
        *made.entry(link.system).or_default() += 1;
    }
    let told = made.into_iter().map(|(system, count)| {
        let what = if count == 1 { "account that is there belongs" } else { "accounts that are there belong" };
        let how = policy.joins.get(system).map_or_else(String::new, |line| {
            let by: Vec<String> = line.attributes.iter().map(|name| format!("`{name}`")).collect();
            format!(", by {} ({})", by.join(" or "), line.origin)
        });
        format!("{count} {what} to people at {system}{how}")
    });
    told.collect()
}

/// A person with what the rules say of her.
pub(crate) struct Owning {
    pub(crate) person: Person,
    pub(crate) ownership: Arc<Ownership>,
}

/// Everything after reading: pure but for the rules, which can touch nothing. The plan has no id yet. `each` is shown
/// everybody who was judged.
pub(super) fn settle(
    desk: &Desk<'_>,
    said: Said,
    shown: &Shown,
    providers: &dyn Providers,
    homes: BTreeMap<SystemName, Home>,
    mut each: Option<&mut dyn FnMut(Owning)>,
) -> Result<Plan, RunError> {
    let policy = desk.rules.policy();
    let sources = in_rank(desk.sources);
    let is_whole = |open: &OpenCreation| {
        let source = &open.person.system;
        let is_full = desk.sources.get(source).is_some_and(|source| source.coverage == Coverage::Full);
        is_full && said.believed == 0 && said.inputs.iter().any(|input| input.system == *source)
    };
    let open: Vec<&OpenCreation> = desk.memory.open.iter().filter(|open| is_whole(open)).collect();
    let unfinished = unfinished(&said.statements, &open);
    let material = Material {
        whole: said.whole,
        former: said.former,
        open_words: said.open_words,
        statements: said.statements,
        remembered: said.remembered,
        links: &desk.memory.links,
        settled: &desk.memory.corrections.settled,
        not_hers: &desk.memory.corrections.not_hers,
        open: &desk.memory.open,
        accounts: &shown.accounts,
        sources: &sources,
        own: &shown.own,
        hidden: &shown.hidden,
    };
    let attributes = Arc::new(policy.owned());
    let group = desk.limits.groups.as_ref().map(|groups| groups.attribute.clone());
    let mut groups = group.as_ref().map(|attribute| known_groups(attribute, desk.memory));
    let tells = each.is_some();
    let mut next = 0;
    let mut here: BTreeMap<String, u64> = BTreeMap::new();
    let (mut decided, mut asked_for, mut people) = (Vec::new(), Vec::new(), said.believed);
    let mut seen = said.seen;
    let (mut fault, mut are_plain, mut untold) = (None, true, Vec::new());
    let mut more = 0_u64;
    let mut exceeded = 0;
    let mut taken_back: Vec<Seen> = Vec::new();
    let mut settled = |one: Result<Settled, RunError>| {
        let Settled { id, statements, group, changes, deeds, judged, stopped_by, is_plain, held } = match one {
            Ok(settled) => settled,
            Err(error) => {
                fault = Some(error);
                return false;
            }
        };
        if let Some(stopped_by) = stopped_by {
            exceeded += 1;
            if exceeded == MAX_EXCEEDED {
                fault = Some(RunError::Rule(stopped_by));
                return false;
            }
        }
        people += u64::from(statements.iter().any(|said| !said.of_nobody));
        if let Some(waiting) = desk.memory.waiting.get(&id) {
            taken_back.extend(so_already(&id, &statements, &changes, waiting, desk.sources));
        }
        are_plain &= is_plain;
        if let Some(reason) = held {
            match untold.len() {
                FEW => more += 1,
                _ => untold.push(format!("{id} is held: {reason}")),
            }
        }
        decided.extend(changes);
        asked_for.extend(deeds);
        if let (Some(groups), Some(group)) = (&mut groups, group) {
            *here.entry(group.clone()).or_default() += 1;
            groups.of.insert(id.clone(), group);
        }
        for said in &statements {
            let place = |one: &Seen| (&one.system, &*one.key).cmp(&(&said.system, &*said.key));
            // People and what was shown of them mostly come in one order.
            let is_next =
                next > 0 && place(&seen[next - 1]).is_lt() && seen.get(next).is_some_and(|it| place(it).is_eq());
            let start = if is_next { next } else { seen.partition_point(|one| place(one).is_lt()) };
            next = start;
            // Several inputs of one source may show the same key.
            for one in seen[start..].iter_mut().take_while(|one| place(one).is_eq()) {
                one.person = Some(id.clone());
                next += 1;
            }
        }
        if let (Some(each), Some(judged)) = (&mut each, judged) {
            each(*judged);
        }
        true
    };
    let interest = Interest { group: group.as_ref(), judged: tells };
    let ties = settle_all(&material, desk.rules, &attributes, providers, interest, &mut settled);
    if let Some(fault) = fault {
        return Err(fault);
    }
    let by_key = |one: &Seen, other: &Seen| (&one.system, &one.key).cmp(&(&other.system, &other.key));
    taken_back.retain(|one| seen.binary_search_by(|it| by_key(it, one)).is_err());
    taken_back.sort_by(by_key);
    taken_back.dedup_by(|one, other| by_key(one, other).is_eq());
    if !taken_back.is_empty() {
        seen.extend(taken_back);
        seen.sort_by(by_key);
    }
    let mut inputs = said.inputs;
    if !are_plain {
        // Whoever is held has something left open, even where nothing is asked for of her.
        inputs.iter_mut().filter_map(|input| input.list.as_mut()).for_each(|list| list.believed = None);
    }
    let others = if more == 1 { "one more person is".to_owned() } else { format!("{more} more people are") };
    untold.extend((more > 0).then(|| format!("{others} held, of whom nothing is asked for now")));
    if let Some(groups) = &mut groups {
        for (group, count) in here {
            let known = groups.people.entry(group).or_default();
            *known = count.max(*known);
        }
    }
    // Whatever nobody needs any more is let go of before the plan is made.
    drop(material);
    protect(&mut decided, &mut asked_for, desk.limits);
    let frame = Frame {
        rules: desk.rules.digest().to_owned(),
        today: desk.today.clone(),
        inputs,
        systems: homes,
        rejected: said.rejected,
        warnings: [&shown.warnings[..], &said.warnings, &ties.warnings, &unfinished, &untold].concat(),
        links: ties.links,
        doubts: ties.doubts,
        vanished: ties.vanished,
        seen,
        people,
        groups,
        sign_in: shown.sign_in.clone(),
    };
    let contested = contested(&decided, providers);
    let holders = holders_where(shown, providers, &|system, attribute| {
        contested.iter().any(|(other, name)| other == system && name == attribute)
    });
    let known = Known { sources: &sources, links: &desk.memory.links, not_hers: &desk.memory.corrections.not_hers };
    Ok(assemble(decided, asked_for, &holders, policy, providers, Some(known), frame))
}

/// What inputs say of somebody of whom something waits to be approved, where that is so already: whoever approves it later has
/// to know that it was taken back.
fn so_already(
    id: &PersonId,
    statements: &[Arc<Statement>],
    changes: &[Decided],
    waiting: &BTreeMap<(SystemName, AttributeName), Option<SystemName>>,
    sources: &BTreeMap<SystemName, Source>,
) -> Vec<Seen> {
    let is_so = |system: &SystemName, name: &AttributeName| {
        !changes.iter().any(|one| one.planned.system == *system && one.planned.attribute == *name)
    };
    let takes_back = |said: &&Arc<Statement>| {
        // A website is asked again and again, and where nothing gives way to what it says each time would be news.
        let is_file = sources.get(&said.system).is_some_and(|source| source.csv.is_some());
        let mut about =
            waiting.iter().filter(|(_, of)| is_file || of.as_ref() == Some(&said.system)).map(|(about, _)| about);
        said.fresh && about.any(|(system, name)| is_so(system, name) && said.values.get(name).is_some())
    };
    let seen = |said: &Arc<Statement>| Seen {
        system: said.system.clone(),
        key: Arc::clone(&said.key),
        person: Some(id.clone()),
        values: said.values.clone(),
    };
    statements.iter().filter(takes_back).map(seen).collect()
}

/// Which earlier runs may have made accounts of people of whom nothing is said now: whoever has left is not switched off while
/// nobody knows of her account.
fn unfinished(statements: &[Arc<Statement>], open: &[&OpenCreation]) -> Vec<String> {
    if open.is_empty() {
        return Vec::new();
    }
    let spoken: BTreeSet<(&SystemName, &str)> =
        statements.iter().map(|statement| (&statement.system, &*statement.key)).collect();
    let mut runs: BTreeMap<i64, BTreeSet<&PersonId>> = BTreeMap::new();
    for one in open.iter().filter(|one| !spoken.contains(&(&one.person.system, &*one.person.key))) {
        runs.entry(one.run).or_default().insert(&one.person);
    }
    let told = |(run, people): (i64, BTreeSet<&PersonId>)| {
        let people = people.len();
        let whom = if people == 1 { "a person" } else { &format!("{people} people") };
        format!(
            "run {run} may have made accounts of {whom} of whom nothing is said here: `homeward resume {run}` looks for them"
        )
    };
    runs.into_iter().map(told).collect()
}

/// So many of those who are held and of whom nothing is asked for are named.
const FEW: usize = 5;

/// What was decided for one person, and whatever is asked for beside. Her accounts stay where she was looked at: of most
/// people nothing else is needed.
struct Settled {
    id: PersonId,
    statements: Vec<Arc<Statement>>,
    group: Option<String>,
    changes: Vec<Decided>,
    deeds: Vec<DecidedDeed>,
    judged: Option<Box<Owning>>,
    /// As [`Decisions::stopped_by`].
    stopped_by: Option<Box<RuleError>>,
    /// True where she is not held, and all her accounts could be seen.
    is_plain: bool,
    /// Why she is held, where none of her changes tells it: nothing is asked for of her.
    held: Option<String>,
}

/// What is wanted to be known of each person.
#[derive(Clone, Copy)]
struct Interest<'a> {
    /// Her group, by this attribute.
    group: Option<&'a AttributeName>,
    /// Herself, and who owns what of her.
    judged: bool,
}

/// Puts together who is who and decides for everybody, on all cores where there are many. What comes of each person is
/// handed on in order of id, until that says false; what is returned are ties that were not known before.
fn settle_all(
    material: &Material<'_>,
    rules: &RuleSet,
    attributes: &Arc<BTreeSet<AttributeName>>,
    providers: &dyn Providers,
    interest: Interest<'_>,
    each: &mut dyn FnMut(Result<Settled, RunError>) -> bool,
) -> Ties {
    let settle = |found: Found<'_>, rules: &RuleSet, rest: &mut Rest<'_>| {
        let group = interest.group.and_then(|attribute| group_of(&found, attribute));
        // Most people need nothing, which is told at a glance.
        let mut is_at_rest = || {
            let ownership = rules.precedent(attributes, |look| found.look(look));
            ownership.is_some_and(|ownership| rest.is_at_rest(&found, &ownership))
        };
        if !interest.judged && is_at_rest() {
            let (id, statements) = found.without_accounts();
            let (changes, deeds) = (Vec::new(), Vec::new());
            return Ok(Settled {
                id,
                statements,
                group,
                changes,
                deeds,
                judged: None,
                stopped_by: None,
                is_plain: true,
                held: None,
            });
        }
        let person = found.person();
        let deeds = deeds(&person, providers);
        let Decisions { person, ownership, changes, stopped_by } = decide_for(person, rules, attributes, providers)?;
        let (id, statements) = (person.id.clone(), person.statements.clone());
        let is_plain = person.held.is_none() && person.unseen.is_empty();
        let is_told = !deeds.is_empty() || changes.iter().any(|one| one.planned.decision == Decision::Hold);
        let held = person.held.clone().filter(|_| !is_told);
        let judged = interest.judged.then(|| Box::new(Owning { person, ownership }));
        Ok(Settled { id, statements, group, changes, deeds, judged, stopped_by, is_plain, held })
    };
    let policy = rules.policy();
    let many = material.statements.len() >= ALONE;
    let blueprint = rules.blueprint().filter(|_| many);
    let work = |shift: Shift<Found<'_>, Result<Settled, RunError>>| {
        let own = blueprint.as_ref().and_then(|blueprint| blueprint.load().ok());
        let mut rest = Rest::new(policy, providers);
        shift.work(own.map(|own| move |found| settle(found, &own, &mut rest)));
    };
    let mut rest = Rest::new(policy, providers);
    let mut alone = |found| settle(found, rules, &mut rest);
    let mut goes_on = true;
    std::thread::scope(|scope| {
        let threads = threads().filter(|_| blueprint.is_some());
        let mut crew = threads.map(|threads| Crew::new(scope, threads, &work));
        let ties = correlate(material, policy, providers, &mut |found| {
            goes_on = goes_on
                && match &mut crew {
                    Some(crew) => crew.put(found, &mut alone, each),
                    None => each(alone(found)),
                };
        });
        if let Some(crew) = crew.filter(|_| goes_on) {
            crew.finish(&mut alone, each);
        }
        ties
    })
}

/// How many people sources are known to have spoken of in each group.
fn known_groups(attribute: &AttributeName, memory: &Memory) -> Groups {
    let mut people: BTreeMap<String, u64> = BTreeMap::new();
    for group in memory.seen.iter().filter_map(|seen| seen.values.text(attribute)) {
        *people.entry(group.to_owned()).or_default() += 1;
    }
    Groups { attribute: attribute.clone(), of: BTreeMap::new(), people }
}

/// The group of a person: what a source says of her, or else an account.
fn group_of(found: &Found<'_>, attribute: &AttributeName) -> Option<String> {
    let said = found.statements().iter().find_map(|said| said.values.text(attribute));
    said.map(str::to_owned).or_else(|| found.accounts().find_map(|account| account.text(attribute).map(str::to_owned)))
}

/// What was decided for one person.
pub(super) struct Decisions {
    pub(super) person: Person,
    pub(super) ownership: Arc<Ownership>,
    pub(super) changes: Vec<Decided>,
    /// The limit that stopped a rule, so that she is held: where many are, the rule is wrong.
    pub(super) stopped_by: Option<Box<RuleError>>,
}

/// Asks the rules about one person and decides.
pub(super) fn decide_for(
    person: Person,
    rules: &RuleSet,
    attributes: &Arc<BTreeSet<AttributeName>>,
    providers: &dyn Providers,
) -> Result<Decisions, RunError> {
    let as_declared = Otherwise { policy: rules.policy(), edit: None, unrouted: false };
    decide_otherwise(person, rules, attributes, providers, &as_declared)
}

/// Rules with something in them supposed to be otherwise.
pub(super) struct Otherwise<'a> {
    pub(super) policy: &'a Policy,
    /// What the conditions should have answered.
    pub(super) edit: Option<&'a dyn Fn(&mut Ownership)>,
    /// As if there were no `route` and `refused` lines.
    pub(super) unrouted: bool,
}

/// The same, with something in the rules supposed to be otherwise.
pub(super) fn decide_otherwise(
    person: Person,
    rules: &RuleSet,
    attributes: &Arc<BTreeSet<AttributeName>>,
    providers: &dyn Providers,
    otherwise: &Otherwise<'_>,
) -> Result<Decisions, RunError> {
    let policy = otherwise.policy;
    let asked = Asked { rules, fault: RefCell::default(), silent: otherwise.unrouted };
    let fault = match rules.own(&person, attributes) {
        Ok(mut ownership) => {
            if let Some(edit) = otherwise.edit {
                edit(Arc::make_mut(&mut ownership));
            }
            let changes = decide(&person, &ownership, policy, providers, &asked);
            match asked.fault.take() {
                None => return Ok(Decisions { person, ownership, changes, stopped_by: None }),
                Some(fault) => fault,
            }
        }
        Err(fault) => fault,
    };
    if !fault.rejects_record() {
        // The rule is wrong, and nobody's plan can be trusted to it.
        return Err(RunError::Rule(Box::new(fault)));
    }
    // One person's facts are too much for a rule: she is held, the others go on.
    let place = fault.origin().map(|origin| format!(" ({origin})")).unwrap_or_default();
    let person = Person { held: Some(format!("a rule failed{place}: {fault}")), ..person };
    let ownership = Arc::default();
    let changes = decide(&person, &ownership, policy, providers, &asked);
    let stopped_by = fault.exceeds_limit().then(|| Box::new(fault));
    Ok(Decisions { person, ownership, changes, stopped_by })
}

/// The rules, asked about single changes. The first fault is kept, and ends the work on a person.
struct Asked<'a> {
    rules: &'a RuleSet,
    fault: RefCell<Option<RuleError>>,
    /// True where no rule is asked.
    silent: bool,
}

impl Asked<'_> {
    fn answer(&self, answer: Result<Option<Instruction>, RuleError>) -> Option<Instruction> {
        answer.unwrap_or_else(|fault| {
            self.fault.borrow_mut().get_or_insert(fault);
            None
        })
    }
}

impl Hooks for Asked<'_> {
    fn route(&self, question: &Question<'_>) -> Option<Instruction> {
        if self.silent { None } else { self.answer(self.rules.route(question)) }
    }

    fn refused(&self, question: &Question<'_>, kind: RefusalKind, reason: &str) -> Option<Instruction> {
        if self.silent { None } else { self.answer(self.rules.refused(question, kind, reason)) }
    }
}

/// Sources that state what is come before those that only tell of changes, then by name.
fn in_rank(sources: &BTreeMap<SystemName, Source>) -> Vec<SystemName> {
    let mut ranked: Vec<(&SystemName, &Source)> = sources.iter().collect();
    ranked.sort_by_key(|(name, source)| (source.says == Says::Changes, (*name).clone()));
    ranked.into_iter().map(|(name, _)| name.clone()).collect()
}

/// Who holds which unique value, among everybody that was seen.
pub(super) fn holders(shown: &Shown, providers: &dyn Providers) -> Holders {
    holders_where(shown, providers, &|_, _| true)
}

/// The same of some unique attributes only.
fn holders_where(
    shown: &Shown,
    providers: &dyn Providers,
    matters: &dyn Fn(&SystemName, &AttributeName) -> bool,
) -> Holders {
    let mut holders = Holders::new();
    let email = AttributeName::new("email");
    for (system, accounts) in &shown.accounts {
        let Some(table) = providers.capabilities(system) else { continue };
        let unique: Vec<AttributeName> =
            table.attributes.iter().filter(|row| row.unique != Unique::No).map(|row| table.name(system, row)).collect();
        let unique: Vec<AttributeName> = unique.into_iter().filter(|attribute| matters(system, attribute)).collect();
        if unique.is_empty() && !matters(system, &email) {
            continue;
        }
        for account in accounts {
            let Some(id) = account.id().map(AccountId::from) else { continue };
            for attribute in &unique {
                if let Some(text) = account.text(attribute).map(str::to_lowercase) {
                    holders.entry((system.clone(), attribute.clone())).or_default().insert(text, id.clone());
                }
            }
            // Addresses an account keeps beside its own, as GitLab's secondary ones: taken for everybody else.
            for text in account.fact("also_holds").into_iter().flat_map(str::split_whitespace) {
                let held = holders.entry((system.clone(), email.clone())).or_default();
                held.entry(text.to_owned()).or_insert_with(|| id.clone());
            }
        }
    }
    holders
}
