//! `homeward token`: people's own tokens in the state store. No command shows one.

use std::io::{IsTerminal, Read};

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{
    Exit, Invocation,
    arguments::{TokenAct, TokenOf},
    diagnostic::{Trouble, did_you_mean},
    document, print, print_document, render, tell,
};
use crate::{
    config::{CredentialSource, TokenPlace, kept, secret::SecretSource},
    model::{
        id::{PersonId, SystemName},
        own_token::KeptToken,
    },
    run::project::{Project, open_vault},
    state::{sqlite::Sqlite, vault::SealedToken},
};

/// The longest text that is read as a token with all that belongs to it, in bytes.
const LONGEST: u64 = 64 << 10;

/// Keeps, lists or forgets people's own tokens.
pub(super) fn token(given: &Invocation<'_>, act: &TokenAct) -> Result<Exit, Trouble> {
    if given.global.lab {
        let hint =
            "they are made up, and stand in the folder `lab` as SYSTEM.tokens.json: write there what a person has now";
        let message = "a lab keeps no tokens of people in a store".to_owned();
        return Err(Trouble::new(Exit::Usage, message, Some(hint.to_owned())));
    }
    if let TokenAct::Set(of) | TokenAct::Remove(of) = act
        && !of.more.is_empty()
    {
        let hint = "it is read from standard input: `homeward token set PERSON --system SYSTEM < FILE`; one that stood here \
                    may be in the history of the shell, so have it made anew";
        let message = "there is one argument too many, and a token is never given as one";
        return Err(Trouble::new(Exit::Usage, message, Some(hint.to_owned())));
    }
    let project = given.open()?;
    match act {
        TokenAct::Set(of) => set(given, &project, of),
        TokenAct::List => list(given, &project),
        TokenAct::Remove(of) => remove(given, &project, of),
    }
}

fn set(given: &Invocation<'_>, project: &Project, of: &TokenOf) -> Result<Exit, Trouble> {
    let (system, key) = place(project, of.system.as_deref())?;
    let person = person(project, &of.person)?;
    let vault = open_vault(&project.config, &system, &key)?;
    let kept = read()?;
    let now = jiff::Timestamp::now().to_string();
    let shut = |shut: crate::state::vault::Shut| Trouble::new(Exit::Fault, shut.to_string(), Some(shut.hint()));
    vault.put(&system, &person.to_string(), &kept, &now).map_err(shut)?;
    let is_over = kept.expires_at.is_some_and(|end| end <= jiff::Timestamp::now().as_second());
    if is_over && !given.global.quiet {
        let then = match (&kept.refresh, renews(project, &system)) {
            (Some(_), true) => "it is renewed when it is used first",
            (Some(_), false) => "nothing renews it, for `per_person` has no `refresh`: she must sign in again",
            (None, _) => "there is nothing to renew it with: she must sign in again",
        };
        tell(&format!("warning: this token has ended already; {then}"));
    }
    if given.json() {
        let fields = json!({ "system": system, "person": person, "renewable": kept.refresh.is_some() });
        print_document(&document("token_kept", fields));
    } else {
        print(&format!("Kept: the token of {person} at {system}."));
    }
    Ok(Exit::Done)
}

/// The token that is given on standard input: alone, or as JSON with what belongs to it.
fn read() -> Result<KeptToken, Trouble> {
    let refused = |message: &str| {
        let hint = "write it into standard input, alone or as {\"access_token\": \"…\", \"refresh_token\": \"…\", \
                    \"expires_at\": \"2026-11-20T08:00:00Z\"}: `homeward token set PERSON --system SYSTEM < FILE`";
        Trouble::new(Exit::Usage, message.to_owned(), Some(hint.to_owned()))
    };
    if std::io::stdin().is_terminal() {
        return Err(refused("a token typed here would be seen"));
    }
    let mut text = Zeroizing::new(String::new());
    let read = std::io::stdin().take(LONGEST).read_to_string(&mut text);
    read.map_err(|_| refused("no token could be read"))?;
    let text = text.trim();
    if text.is_empty() {
        return Err(refused("standard input holds nothing"));
    }
    if text.starts_with(['[', '"']) {
        return Err(refused("what was given is JSON, and neither a token nor what is known of one"));
    }
    let value = if text.starts_with('{') {
        let written = serde_json::from_str(text).map_err(|_| refused("what was given begins as JSON and is none"))?;
        let kept::Written(told) = written;
        told.map_err(|fault| refused(&format!("what was given {fault}")))?
    } else {
        Value::String(text.to_owned())
    };
    kept::token(&value).map_err(|fault| refused(&format!("what was given {fault}")))
}

fn list(given: &Invocation<'_>, project: &Project) -> Result<Exit, Trouble> {
    let path = &project.config.state;
    let rows: Vec<SealedToken> =
        if path.exists() { Sqlite::look_into(path).and_then(|store| store.tokens())? } else { Vec::new() };
    let end = |row: &SealedToken| row.expires_at.and_then(|end| jiff::Timestamp::from_second(end).ok());
    if given.json() {
        let told = |row: &SealedToken| {
            json!({
                "system": row.system, "person": row.person, "saved": row.saved,
                "expires_at": end(row).map(|end| end.to_string()), "renewable": row.renewable,
            })
        };
        print_document(&document("tokens", json!({ "tokens": rows.iter().map(told).collect::<Vec<_>>() })));
        return Ok(Exit::Done);
    }
    if rows.is_empty() {
        print("No tokens of people are kept.");
        return Ok(Exit::Done);
    }
    let mut table = render::aligned(&["system", "person", "kept since", "ends", "renewed"]);
    for row in &rows {
        let ends = end(row).map_or_else(|| "·".to_owned(), |end| end.to_string());
        let renewed = if row.renewable { "by itself" } else { "by signing in" };
        let text = |text: &str| render::harmless(text);
        table.add_row([text(&row.system), text(&row.person), text(&row.saved), ends, renewed.to_owned()]);
    }
    print(&render::drawn(&table));
    Ok(Exit::Done)
}

fn remove(given: &Invocation<'_>, project: &Project, of: &TokenOf) -> Result<Exit, Trouble> {
    let (system, _) = place(project, of.system.as_deref())?;
    let path = &project.config.state;
    let is_removed =
        path.exists() && Sqlite::open(path).and_then(|store| store.remove_token(system.as_str(), &of.person))?;
    if !is_removed {
        let message = format!("no token of {} is kept for {system}", render::harmless(&of.person));
        return Err(Trouble::new(Exit::Usage, message, Some("list them with: homeward token list".to_owned())));
    }
    if given.json() {
        print_document(&document("token_removed", json!({ "system": system, "person": of.person })));
    } else {
        print(&format!("Removed: the token of {} at {system}.", render::harmless(&of.person)));
    }
    Ok(Exit::Done)
}

/// Whether the tokens of a system are renewed.
fn renews(project: &Project, system: &SystemName) -> bool {
    let provider = project.config.systems.get(system).and_then(|system| system.provider.as_ref());
    matches!(provider.map(|it| &it.credential), Some(CredentialSource::PerPerson(keys)) if keys.refresh.is_some())
}

/// A part of what was typed, unless the whole may be a token that was put in the wrong place.
fn quoted(part: &str, whole: &str) -> String {
    const LONGEST: usize = 11;
    if whole.len() > LONGEST { "this".to_owned() } else { format!("`{}`", render::harmless(part)) }
}

/// The system whose tokens are meant, and where the key to them is found.
fn place(project: &Project, wanted: Option<&str>) -> Result<(SystemName, SecretSource), Trouble> {
    let mut stores = Vec::new();
    for (name, system) in &project.config.systems {
        if let Some(CredentialSource::PerPerson(keys)) = system.provider.as_ref().map(|it| &it.credential)
            && let TokenPlace::Store { key } = &keys.place
        {
            stores.push((name, key));
        }
    }
    let known = stores.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>();
    let hint = || match known.as_slice() {
        [] => "say `token = { per_person = { store = { key = { env = \"NAME\" } } } }` for a system".to_owned(),
        known => format!("such are: {}", known.join(", ")),
    };
    match (wanted, stores.as_slice()) {
        (None, [(name, key)]) => Ok(((*name).clone(), (*key).clone())),
        (None, []) => {
            let message = "no system keeps the tokens of people in the store".to_owned();
            Err(Trouble::new(Exit::Usage, message, Some(hint())))
        }
        (None, _) => Err(Trouble::new(Exit::Usage, "say with --system which system".to_owned(), Some(hint()))),
        (Some(wanted), stores) => {
            if let Some((name, key)) = stores.iter().find(|(name, _)| name.as_str() == wanted) {
                return Ok(((*name).clone(), (*key).clone()));
            }
            let message = format!("no system `{wanted}` keeps the tokens of people in the store");
            let near = did_you_mean(wanted, known.iter().copied());
            Err(Trouble::new(Exit::Usage, message, Some(near.unwrap_or_else(hint))))
        }
    }
}

/// Who is meant: a source and its key.
pub(super) fn person(project: &Project, text: &str) -> Result<PersonId, Trouble> {
    let sources = || project.sources.keys().map(SystemName::as_str);
    let first = sources().next().unwrap_or("hr");
    match PersonId::parse(text) {
        Some(person) if project.sources.contains_key(&person.system) && !person.key.is_empty() => Ok(person),
        Some(person) if person.key.is_empty() => {
            let hint = format!("a person is written as a plan shows her: {first}/1001");
            Err(Trouble::new(Exit::Usage, format!("{} names nobody there", quoted(text, text)), Some(hint)))
        }
        Some(person) => {
            let message = format!("{} is no source", quoted(person.system.as_str(), text));
            let near = did_you_mean(person.system.as_str(), sources());
            let hint = near.unwrap_or_else(|| format!("a person is written as a plan shows her: {first}/1001"));
            Err(Trouble::new(Exit::Usage, message, Some(hint)))
        }
        None => {
            let message = format!("{} names no person", quoted(text, text));
            let hint = format!("a person is written as a plan shows her: {first}/1001");
            Err(Trouble::new(Exit::Usage, message, Some(hint)))
        }
    }
}
