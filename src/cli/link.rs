//! `homeward link` and `homeward unlink`: somebody says whose an account is, and whose it is not. Nothing is sent.

use std::collections::BTreeSet;

use serde_json::json;

use super::{
    Exit, Invocation,
    apply::sure,
    arguments,
    diagnostic::{Trouble, did_you_mean},
    document, lab, plan, print, print_document, render, tell, token,
};
use crate::{
    model::{
        id::{AccountId, PersonId, SystemName},
        links::Link,
    },
    run::{correct, holds::how_to_end},
    state::{Correction, Memory, Store, lock::Locks, sqlite::Sqlite},
};

/// Ties an account to a person, whoever it was tied to before and whatever else she was tied to there; or shows what she
/// is tied to.
pub(super) async fn link(given: &Invocation<'_>, wanted: &arguments::Link) -> Result<Exit, Trouble> {
    let project = given.open()?;
    let named = token::person(&project, &wanted.person)?;
    let Some(account) = &wanted.account else {
        // That is known here: nobody is asked, and no token is needed.
        let path = lab::state(given, &project.config);
        let ties =
            if path.exists() { Sqlite::look_into(&path).and_then(|store| store.ties()) } else { Ok(Memory::default()) };
        let ties = ties?;
        return Ok(show(given, &correct::meant(&named, &ties.links), &ties));
    };
    let stage = plan::staged(given, project, &[]).await?;
    let memory = stage.memory()?;
    let person = by_her_name(given, &named, &memory)?;
    let (system, account) = account_of(&stage, &person, account)?;
    no_record_of_her_own(given, &person, &system)?;
    let word = link_of(&person, &system, &account);
    let is_of_hers = |link: &Link<'_>| *link.system == system && *link.person == person;
    let is_said = memory.corrections.hers.iter().any(|said| said == word);
    if is_said && memory.links.iter().filter(is_of_hers).all(|link| link == word) {
        return Ok(said(given, None, word, true, ", as was said before"));
    }
    if !is_there(&system, &account, &stage).await? {
        return Err(no_account(&system, &account));
    }
    if !is_known(&stage, word, &memory) && !given.global.quiet {
        let system = render::harmless(system.as_str());
        tell(&format!(
            "note: no run has taken over this record of {system} yet; what is said counts from the first that does"
        ));
    }
    let record = PersonId { system: system.clone(), key: account.as_str().into() };
    let is_of_record = |link: &Link<'_>| *link.person == record && *link.system != system;
    if let Some(hers) = memory.links.iter().find(is_of_record) {
        let message = format!("{record} is taken for a person with {}:{}", hers.system, hers.account);
        let (again, hers) = (given.again(), format!("{}:{}", hers.system, hers.account));
        let hint = format!("say first whose that is: {again} link {person} {hers}, or {again} unlink {record} {hers}");
        return Err(Trouble::new(Exit::Usage, render::harmless(&message), Some(render::harmless(&hint))));
    }
    tell_stranger(given, &person, &memory);
    let mut told = Vec::new();
    for link in memory.links.iter().filter(|link| *link.system == system && *link != word) {
        if *link.person == person {
            told.push(format!("{system}:{} is hers no more", link.account));
        } else if link.account == account.as_str() {
            let (other, again) = (link.person, given.again());
            let question = render::harmless(&format!("{system}:{account} is {other}'s: take it from {other}?"));
            let hint = format!("see first what {other} has: {again} link {other}; then give --yes");
            if !wanted.yes && !sure(given, &question, &render::harmless(&hint))? {
                tell("nothing was changed");
                return Ok(Exit::Done);
            }
            told.push(format!("it was {other}'s before, who is not found by it again"));
            let is_record = |link: &Link<'_>| {
                *link.person == *other
                    && stage.project.sources.contains_key(link.system)
                    && *link.system != person.system
            };
            told.extend(memory.links.iter().filter(is_record).map(|link| {
                let record = format!("{}:{}", link.system, link.account);
                format!("{record} is still {other}'s: where it is {person}'s too, {again} unlink {other} {record}")
            }));
        }
    }
    write(given, &stage, &person, &system, &account, wanted.by.as_ref(), Some(told))
}

/// Says that an account is not this person's: she is not found by it again.
pub(super) async fn unlink(given: &Invocation<'_>, wanted: &arguments::Unlink) -> Result<Exit, Trouble> {
    let stage = plan::stage(given, &[]).await?;
    let memory = stage.memory()?;
    let person = by_her_name(given, &token::person(&stage.project, &wanted.person)?, &memory)?;
    let (system, account) = account_of(&stage, &person, &wanted.account)?;
    no_record_of_her_own(given, &person, &system)?;
    let word = link_of(&person, &system, &account);
    if memory.corrections.not_hers.iter().any(|said| said == word) {
        return Ok(said(given, None, word, false, ", as was said before"));
    }
    let is_tied = memory.links.iter().any(|link| link == word);
    if !is_tied && !is_there(&system, &account, &stage).await? {
        return Err(no_account(&system, &account));
    }
    let is_record = stage.project.sources.contains_key(&system);
    if !is_known(&stage, word, &memory) {
        let message = render::harmless(&format!("no run has seen a record {account} of {system}"));
        let hint = format!("it is the key that counts: `{} link {person}` shows what is taken for hers", given.again());
        return Err(Trouble::new(Exit::Usage, message, Some(render::harmless(&hint))));
    }
    tell_stranger(given, &person, &memory);
    let exit = write(given, &stage, &person, &system, &account, wanted.by.as_ref(), None)?;
    let others = memory.links.iter().filter(|link| *link.person == person && *link.system != system);
    let others: Vec<String> = others.map(|link| format!("{}:{}", link.system, link.account)).collect();
    if is_record && !others.is_empty() && given.talks() {
        let (kept, again) = (others.join(", "), given.again());
        tell(&render::harmless(&format!(
            "{person} keeps {kept}: where one of them came with this record, `{again} unlink {person} ACCOUNT`"
        )));
    }
    Ok(exit)
}

async fn is_there(system: &SystemName, account: &AccountId, stage: &plan::Stage) -> Result<bool, Trouble> {
    let there = correct::are_there([(system.clone(), account.clone())].into(), &stage.fleet).await?;
    Ok(!there.is_empty())
}

/// Writes the word down, where nothing that may still be carried out says the opposite. `told`: it is hers, and what that
/// changes.
fn write(
    given: &Invocation<'_>,
    stage: &plan::Stage,
    person: &PersonId,
    system: &SystemName,
    account: &AccountId,
    by: Option<&String>,
    told: Option<Vec<String>>,
) -> Result<Exit, Trouble> {
    let again = given.again();
    let Some(file) = stage.state() else {
        let message = "no lab of this project runs, so what is said would be forgotten at once".to_owned();
        return Err(Trouble::new(
            Exit::Usage,
            message,
            Some(format!("start one that stays: `{} lab --detach`", again.trim_end_matches(" --lab"))),
        ));
    };
    let link = link_of(person, system, account);
    let store = stage.store()?;
    // Nobody sends anything to this system meanwhile, or is about to.
    let _locks = Locks::take(&file, &BTreeSet::from([system.clone()]))?;
    if let Some(run) = correct::still_wanted(&store, link)? {
        let (id, standing) = (run.id, run.standing);
        let message = format!("run {id} is {} and about this person or account", standing.word());
        let hint = format!("{}; then plan again", how_to_end(again, id, standing));
        return Err(Trouble::new(Exit::Usage, message, Some(hint)));
    }
    let by = super::settle::who(by);
    let is_hers = told.is_some();
    let what = if is_hers { "is" } else { "is not" };
    let sentence = format!("{system}:{account} {what} {person}'s, says {by}");
    let now = jiff::Timestamp::now().to_string();
    let run = store.correct(&Correction { link, is_hers, by: &by }, &sentence, &now)?;
    let exit = said(given, Some(run), link, is_hers, " from now on");
    for line in told.into_iter().flatten().filter(|_| !given.json()) {
        print(&render::harmless(&line));
    }
    if given.talks() {
        tell("nothing was sent: the next plan shows what follows from it, and `undo` takes back what a run did before");
    }
    Ok(exit)
}

fn no_account(system: &SystemName, account: &AccountId) -> Trouble {
    let message = render::harmless(&format!("{system} shows no account {account}"));
    let hint = "it is the id that counts, not a name: plans and the provider itself show it".to_owned();
    Trouble::new(Exit::Usage, message, Some(hint))
}

/// Tells where nobody of this name is known: it may be a slip, or somebody whom no run was about yet.
fn tell_stranger(given: &Invocation<'_>, person: &PersonId, memory: &Memory) {
    let is_known = memory.links.iter().any(|link| link.person == person)
        || memory.seen.iter().any(|seen| seen.system == person.system && *seen.key == *person.key);
    if !is_known && !given.global.quiet {
        tell(&render::harmless(&format!(
            "note: no run was about {person} yet; what is said counts from the first that is"
        )));
    }
}

fn link_of<'l>(person: &'l PersonId, system: &'l SystemName, account: &'l AccountId) -> Link<'l> {
    Link { person, system, account: account.as_str() }
}

/// Prints what holds; without a run nothing was written for it.
fn said(given: &Invocation<'_>, run: Option<i64>, link: Link<'_>, is_hers: bool, since: &str) -> Exit {
    let Link { person, system, account } = link;
    if given.json() {
        let fields = json!({ "run": run, "person": person, "system": system, "account": account, "is_hers": is_hers });
        print_document(&document("link", fields));
        return Exit::Done;
    }
    let what = if is_hers { "is" } else { "is not" };
    let by = run.map_or_else(String::new, |run| format!(" (run {run})"));
    print(&render::harmless(&format!("{system}:{account} {what} {person}'s{since}{by}.")));
    Exit::Done
}

/// What a person is tied to, and what somebody said is not hers.
fn show(given: &Invocation<'_>, person: &PersonId, memory: &Memory) -> Exit {
    let tied = memory.links.iter().filter(|link| link.person == person);
    let is_her = |name: &PersonId| correct::meant(name, &memory.links) == *person;
    // What was said not to be hers under another name, before it was said to be hers, is hers.
    let is_hers = |link: &Link<'_>| {
        memory.links.iter().any(|it| it.person == person && it.system == link.system && it.account == link.account)
    };
    let apart = memory.corrections.not_hers.iter().filter(|link| is_her(link.person) && !is_hers(link));
    let apart: Vec<Link<'_>> = apart.collect();
    let is_said = |link: &Link<'_>| memory.corrections.hers.iter().any(|word| word == *link);
    let tied: Vec<(Link<'_>, bool)> = tied.map(|link| (link, is_said(&link))).collect();
    if given.json() {
        let links: Vec<_> = tied
            .iter()
            .map(|(link, is_said)| json!({ "system": link.system, "account": link.account, "by_hand": is_said }))
            .collect();
        let apart: Vec<_> =
            apart.iter().map(|link| json!({ "system": link.system, "account": link.account })).collect();
        print_document(&document("links", json!({ "person": person, "links": links, "not_hers": apart })));
        return Exit::Done;
    }
    if tied.is_empty() && apart.is_empty() {
        print(&render::harmless(&format!("{person} is linked to nothing yet.")));
        return Exit::Done;
    }
    let mut table = render::aligned(&["system", "account", "link"]);
    for (link, is_said) in tied {
        let how = if is_said { "hers, by hand" } else { "hers" };
        table.add_row([link.system.to_string(), render::harmless(link.account), how.to_owned()]);
    }
    for link in apart {
        table.add_row([link.system.to_string(), render::harmless(link.account), "not hers, by hand".to_owned()]);
    }
    print(&render::drawn(&table));
    Exit::Done
}

/// The account that is meant: `gitlab:42`.
fn account_of(stage: &plan::Stage, person: &PersonId, text: &str) -> Result<(SystemName, AccountId), Trouble> {
    let systems = &stage.project.config.systems;
    let names = || systems.keys().map(SystemName::as_str);
    let refused = |message: String, hint: Option<String>| {
        let hint = hint.unwrap_or_else(|| {
            let system = names().find(|name| *name != person.system.as_str()).unwrap_or("gitlab");
            format!("an account is written as a system and its id there: {system}:42")
        });
        Err(Trouble::new(Exit::Usage, render::harmless(&message), Some(hint)))
    };
    let Some((system, id)) = text.split_once(':').filter(|(_, id)| !id.is_empty()) else {
        return refused(format!("`{text}` names no account"), None);
    };
    let system_name = SystemName::from(system);
    if !systems.contains_key(&system_name) {
        return refused(format!("no system `{system}` is configured"), did_you_mean(system, names()));
    }
    Ok((system_name, AccountId::from(id)))
}

/// She is named by one record of her source, and by no other one there.
fn no_record_of_her_own(given: &Invocation<'_>, person: &PersonId, system: &SystemName) -> Result<(), Trouble> {
    if *system != person.system {
        return Ok(());
    }
    let message = format!("{person} is named by her own record at {system}");
    let hint = format!("an account or a record of another system is wanted: {} link {person}", given.again());
    Err(Trouble::new(Exit::Usage, render::harmless(&message), Some(render::harmless(&hint))))
}

/// False for a record that no run has seen. Accounts are looked for at their providers.
fn is_known(stage: &plan::Stage, word: Link<'_>, memory: &Memory) -> bool {
    let Link { system, account, .. } = word;
    let is_record = stage.project.sources.contains_key(system) && !stage.fleet.members.contains_key(system);
    let is_tied = || memory.links.iter().any(|link| link.system == system && link.account == account);
    !is_record || is_tied() || memory.seen.iter().any(|seen| seen.system == *system && *seen.key == *account)
}

/// Whom a name is about. What is said under another name than hers is easily said of the wrong one.
fn by_her_name(given: &Invocation<'_>, named: &PersonId, memory: &Memory) -> Result<PersonId, Trouble> {
    let person = correct::meant(named, &memory.links);
    if person == *named {
        return Ok(person);
    }
    let again = given.again();
    let hint = format!(
        "say it of {person}; where {named} is somebody else, say that first: {again} unlink {person} {}:{}",
        named.system, named.key
    );
    let message = format!("{named} is taken for a record of {person}");
    Err(Trouble::new(Exit::Usage, render::harmless(&message), Some(render::harmless(&hint))))
}
