//! `homeward link` and `homeward unlink`: somebody says whose an account is. Nothing is sent.

use std::collections::BTreeSet;

use serde_json::json;

use super::{
    Exit, Invocation, arguments,
    diagnostic::{Trouble, did_you_mean},
    plan, print, render, tell, token,
};
use crate::{
    model::{
        id::{AccountId, PersonId, SystemName},
        links::Link,
    },
    run::{RunError, correct},
    state::{Correction, Memory, Store, lock::Locks},
};

/// Ties an account to a person, whoever it was tied to before and whatever else she was tied to there; or shows what she
/// is tied to.
pub(super) async fn link(given: &Invocation<'_>, wanted: &arguments::Link) -> Result<Exit, Trouble> {
    let stage = plan::stage(given, &[]).await?;
    let memory = stage.memory()?;
    let person = correct::meant(&token::person(&stage.project, &wanted.person)?, &memory.links);
    let Some(account) = &wanted.account else { return Ok(show(given, &person, &memory)) };
    let (system, account) = account_of(&stage, &person, account)?;
    let before = |link: &Link<'_>| *link.system == system && *link.person == person;
    if memory.links.iter().any(|link| before(&link) && link.account == account.as_str()) {
        return Ok(said(given, None, link_of(&person, &system, &account), true, "already"));
    }
    if !correct::is_there(&system, &account, &stage.fleet).await? {
        return Err(no_account(given, &system, &account));
    }
    tell_stranger(given, &person, &memory);
    let mut told = Vec::new();
    for link in memory.links.iter().filter(|link| *link.system == system) {
        if *link.person == person {
            told.push(format!("{system}:{} is hers no more", link.account));
        } else if link.account == account.as_str() {
            told.push(format!("it was linked to {} before", link.person));
        }
    }
    write(given, &stage, &person, &system, &account, wanted.by.as_ref(), Some(told))
}

/// Says that an account is not this person's: she is not found by it again.
pub(super) async fn unlink(given: &Invocation<'_>, wanted: &arguments::Unlink) -> Result<Exit, Trouble> {
    let stage = plan::stage(given, &[]).await?;
    let memory = stage.memory()?;
    let person = correct::meant(&token::person(&stage.project, &wanted.person)?, &memory.links);
    let (system, account) = account_of(&stage, &person, &wanted.account)?;
    let word = link_of(&person, &system, &account);
    if memory.corrections.not_hers.iter().any(|said| said == word) {
        return Ok(said(given, None, word, false, "already"));
    }
    let is_tied = memory.links.iter().any(|link| link == word);
    if !is_tied && !correct::is_there(&system, &account, &stage.fleet).await? {
        return Err(no_account(given, &system, &account));
    }
    tell_stranger(given, &person, &memory);
    write(given, &stage, &person, &system, &account, wanted.by.as_ref(), None)
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
    let _locks = Locks::take(&file, &BTreeSet::from([system.clone()])).map_err(RunError::from)?;
    if let Some(run) = correct::still_wanted(&store, link)? {
        let (id, standing) = (run.id, run.standing);
        let message = format!("run {id} is {} and about this person or account", standing.word());
        let hint = if standing.is_held() {
            format!("settle it first, then plan again: {again} reject {id}, or {again} approve {id}")
        } else {
            format!("finish it first: {again} resume {id}")
        };
        return Err(Trouble::new(Exit::Usage, message, Some(hint)));
    }
    let by = super::settle::who(by);
    let is_hers = told.is_some();
    let what = if is_hers { "is" } else { "is not" };
    let sentence = format!("{system}:{account} {what} {person}'s, says {by}");
    let now = jiff::Timestamp::now().to_string();
    let run = store.correct(&Correction { link, is_hers, by: &by }, &sentence, &now).map_err(RunError::from)?;
    let exit = said(given, Some(run), link, is_hers, "from now on");
    for line in told.into_iter().flatten().filter(|_| !given.json()) {
        print(&render::harmless(&line));
    }
    if given.talks() {
        tell("nothing was sent: the next plan shows what follows from it");
    }
    Ok(exit)
}

fn no_account(given: &Invocation<'_>, system: &SystemName, account: &AccountId) -> Trouble {
    let message = render::harmless(&format!("{system} shows no account {account}"));
    let hint = format!("it is the id that counts, not a name: `{} explain PERSON SYSTEM=FILE` shows it", given.again());
    Trouble::new(Exit::Usage, message, Some(hint))
}

/// Tells where nobody of this name is known: it may be a slip, or somebody whom no run was about yet.
fn tell_stranger(given: &Invocation<'_>, person: &PersonId, memory: &Memory) {
    let is_known = memory.links.iter().any(|link| link.person == person)
        || memory.seen.iter().any(|seen| seen.system == person.system && *seen.key == *person.key);
    if !is_known && !given.global.quiet {
        tell(&render::harmless(&format!("note: no run was about {person} yet; it holds from the first one that is")));
    }
}

fn link_of<'l>(person: &'l PersonId, system: &'l SystemName, account: &'l AccountId) -> Link<'l> {
    Link { person, system, account: account.as_str() }
}

/// Prints what holds; without a run nothing was written for it.
fn said(given: &Invocation<'_>, run: Option<i64>, link: Link<'_>, is_hers: bool, since: &str) -> Exit {
    let Link { person, system, account } = link;
    if given.json() {
        print(
            &json!({ "run": run, "person": person, "system": system, "account": account, "is_hers": is_hers })
                .to_string(),
        );
        return Exit::Done;
    }
    let what = if is_hers { "is" } else { "is not" };
    let by = run.map_or_else(String::new, |run| format!(" (run {run})"));
    print(&render::harmless(&format!("{system}:{account} {what} {person}'s {since}{by}.")));
    Exit::Done
}

/// What a person is tied to, and what somebody said is not hers.
fn show(given: &Invocation<'_>, person: &PersonId, memory: &Memory) -> Exit {
    let tied = memory.links.iter().filter(|link| link.person == person);
    let apart: Vec<Link<'_>> = memory.corrections.not_hers.iter().filter(|link| link.person == person).collect();
    let is_said = |link: &Link<'_>| memory.corrections.hers.iter().any(|word| word == *link);
    let tied: Vec<(Link<'_>, bool)> = tied.map(|link| (link, is_said(&link))).collect();
    if given.json() {
        let links: Vec<_> = tied
            .iter()
            .map(|(link, is_said)| json!({ "system": link.system, "account": link.account, "by_hand": is_said }))
            .collect();
        let apart: Vec<_> =
            apart.iter().map(|link| json!({ "system": link.system, "account": link.account })).collect();
        print(&json!({ "person": person, "links": links, "not_hers": apart }).to_string());
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
    // Whose a record is follows from the accounts that it is found by.
    if system_name == person.system || systems.get(&system_name).is_some_and(|system| system.says.is_some()) {
        let hint = "link the account that its record is found by, at a provider".to_owned();
        return refused(format!("{system} is a source, and no accounts of it are linked"), Some(hint));
    }
    Ok((system_name, AccountId::from(id)))
}
