//! Looking with people's own tokens: each opens one account, which is hers.
//!
//! A no to one token is one person's trouble. A system that does not answer is everybody's, as it always is. Where tokens
//! are kept is not known here.

use std::{collections::BTreeMap, sync::Arc};

use futures::{StreamExt, stream};

use super::{
    RunError,
    fleet::Member,
    tokens::{Bearer, Keyring, Lack, bearers, must_sign_in, not_hers},
};
use crate::{
    connector::ConnectorError,
    model::{
        account::{Account, Facts},
        id::{PersonId, SystemName},
        plan::Call,
        refusal::{Refusal, RefusalKind},
    },
    wire::WireError,
};

/// So many look at once; the pace of the system lets fewer through.
const SIDE_BY_SIDE: usize = 64;

/// The facts of a server that are about the one whose token was used.
const PERSONAL: [&str; 2] = ["me", "token_kind"];

/// What each person's own token opened.
#[derive(Debug, Default)]
pub(crate) struct Opened {
    pub(crate) accounts: BTreeMap<PersonId, Result<Account, Refusal>>,
    /// What is known of the server whoever asks.
    pub(crate) server: Option<Facts>,
    pub(crate) warnings: Vec<String>,
}

/// Opens the account of each of these people with her own token. With `anew`, tokens are looked for anew.
///
/// # Errors
/// Where the tokens cannot be had at all, or the system does not answer.
pub(crate) async fn open(
    system: &SystemName,
    member: &Member,
    keyring: &Keyring,
    bearers: &[Bearer],
    anew: bool,
) -> Result<Opened, RunError> {
    let (opened, shut) = open_while_let(system, member, keyring, bearers, anew).await?;
    let Some(error) = shut else { return Ok(opened) };
    let has_ended = |person: &&PersonId| matches!(keyring.of(person), Err(Lack::Ended));
    let strangers: Vec<String> = opened.accounts.keys().filter(has_ended).map(ToString::to_string).collect();
    if strangers.is_empty() {
        return Err(unread(system, error));
    }
    let refusal = Refusal::new(RefusalKind::Forbidden, keyring.locking(&strangers));
    Err(unread(system, ConnectorError::Refused { system: system.clone(), refusal }))
}

/// What trying everybody's token came to.
#[derive(Debug, Default)]
pub(crate) struct Tried {
    /// How many open an account.
    pub(crate) good: usize,
    /// Who has to sign in.
    pub(crate) sign_in: Vec<PersonId>,
    /// Whose cannot be used for another reason, and why.
    pub(crate) unusable: Vec<(PersonId, String)>,
    /// Whose was not tried, where the system is not asked any more, and why that is.
    pub(crate) untried: Vec<PersonId>,
    pub(crate) shut: Option<String>,
}

/// Tries the token of each of these people, once, at the pace of the system, and no longer than it bears that.
///
/// # Errors
/// As [`open`], but for a system that bears no further try.
pub(crate) async fn try_each(
    system: &SystemName,
    member: &Member,
    keyring: &Keyring,
    bearers: &[Bearer],
) -> Result<Tried, RunError> {
    let (mut opened, shut) = open_while_let(system, member, keyring, bearers, true).await?;
    let mut tried = Tried { shut: shut.map(|error| error.to_string()), ..Tried::default() };
    for bearer in bearers {
        match opened.accounts.remove(&bearer.person) {
            None => tried.untried.push(bearer.person.clone()),
            Some(Ok(_)) => tried.good += 1,
            Some(Err(refusal)) if must_sign_in(&refusal) => tried.sign_in.push(bearer.person.clone()),
            Some(Err(refusal)) => tried.unusable.push((bearer.person.clone(), refusal.reason)),
        }
    }
    Ok(tried)
}

fn unread(system: &SystemName, source: ConnectorError) -> RunError {
    RunError::UnreadByPeople { system: system.clone(), source: Box::new(source) }
}

/// What was opened until the system was not asked any more, and why that is; nothing where everybody was looked at.
async fn open_while_let(
    system: &SystemName,
    member: &Member,
    keyring: &Keyring,
    bearers: &[Bearer],
    anew: bool,
) -> Result<(Opened, Option<ConnectorError>), RunError> {
    let unfound = |source| RunError::Unfound { system: system.clone(), source };
    keyring.find(bearers, anew).await.map_err(unfound)?;
    let looks = bearers.iter().map(async |bearer| (&bearer.person, one(system, member, keyring, &bearer.person).await));
    let mut looks = stream::iter(looks).buffered(SIDE_BY_SIDE);
    let mut opened = Opened::default();
    let (mut shut, mut troubled) = (None, Vec::new());
    while let Some((person, answer)) = looks.next().await {
        let seen = match answer {
            Ok(seen) => seen,
            // Nobody is asked for any more: who of the others was refused is still worth knowing.
            Err(error @ ConnectorError::Wire(WireError::NotAsked { .. })) => {
                shut.get_or_insert(error);
                continue;
            }
            Err(error) => {
                troubled.push((person, error));
                continue;
            }
        };
        let account = seen.map(|(account, warnings)| {
            for warning in warnings {
                if !opened.warnings.contains(&warning) {
                    opened.warnings.push(warning);
                }
            }
            // What is true for everybody is what is known of the server.
            match &mut opened.server {
                None => {
                    let mut server = (*account.server).clone();
                    server.retain(|name, _| !PERSONAL.contains(&name.as_str()));
                    opened.server = Some(server);
                }
                Some(server) => server.retain(|name, value| account.server.get(name) == Some(value)),
            }
            account
        });
        opened.accounts.insert(person.clone(), account.map_err(|lack| keyring.refusal(person, &lack)));
    }
    // What comes to one person while others are answered is about her account; what comes to all is the system's.
    if !opened.accounts.values().any(Result::is_ok)
        && let Some((_, error)) = troubled.pop()
    {
        return Err(unread(system, error));
    }
    for (person, error) in troubled {
        let reason = format!("{person} could not be looked at with her own token ({error}): the others could");
        opened.accounts.insert(person.clone(), Err(Refusal::new(RefusalKind::Unavailable, reason)));
    }
    Ok((opened, shut))
}

/// A no to a call that went with somebody's own token: where the token itself is what was refused, it says who has to sign
/// in again.
pub(crate) async fn told(refusal: Refusal, system: &SystemName, member: &Member, person: &PersonId) -> Refusal {
    let Some(keyring) = member.keyring.as_deref() else { return refusal };
    if refusal.status == Some(401) {
        let lack = keyring.of(person).map_or_else(|lack| lack, |token| Keyring::refused(&token));
        keyring.forget(person, lack.clone());
        return keyring.refusal(person, &lack);
    }
    // Some answer a token that has ended as they answer what it was never good for.
    if refusal.kind != RefusalKind::Forbidden || refusal.status.is_none() {
        return refusal;
    }
    match open(system, member, keyring, &bearers([person], []), false).await {
        Ok(mut opened) => opened.accounts.remove(person).and_then(Result::err).unwrap_or(refusal),
        Err(_) => refusal,
    }
}

/// Looks whether a token that was renewed in the middle of a call still opens the account that the call is about.
///
/// # Errors
/// Where it does not, or where that cannot be seen: then nothing is sent with it.
pub(crate) async fn still_hers(call: &Call, member: &Member) -> Result<(), Refusal> {
    let system = &call.system;
    let Some(keyring) = member.keyring.as_deref() else { return Ok(()) };
    match one(system, member, keyring, &call.person).await {
        Ok(Ok((account, _))) if account.id == call.account => Ok(()),
        Ok(Ok(_)) => {
            keyring.forget(&call.person, Lack::Unusable("the one it was renewed to opens another account".to_owned()));
            let reason =
                format!("the token that {system} renewed hers to opens another account: is it another person's?");
            Err(not_hers(reason))
        }
        Ok(Err(lack)) => Err(keyring.refusal(&call.person, &lack)),
        Err(error) => Err(Refusal::new(RefusalKind::Unavailable, error.to_string())),
    }
}

/// Her account and what to tell of it, or why there is nothing to be seen with her token.
async fn one(
    system: &SystemName,
    member: &Member,
    keyring: &Keyring,
    person: &PersonId,
) -> Result<Result<(Account, Vec<String>), Lack>, ConnectorError> {
    let token = match keyring.of(person) {
        Ok(token) => token,
        Err(lack) => return Ok(Err(lack)),
    };
    let observed = match member.observe_self(&token).await {
        Ok(observed) => observed,
        Err(ConnectorError::Refused { refusal, .. }) if refusal.status == Some(401) => {
            let lack = Keyring::refused(&token);
            keyring.forget(person, lack.clone());
            return Ok(Err(lack));
        }
        // Some say so of a token they do not know, too.
        Err(ConnectorError::Refused { refusal, .. })
            if matches!(refusal.kind, RefusalKind::Forbidden | RefusalKind::NotFound) =>
        {
            keyring.forget(person, Lack::Forbidden);
            return Ok(Err(Lack::Forbidden));
        }
        Err(error) => return Err(error),
    };
    let mut accounts = observed.accounts.into_iter().filter(|account| account.id.is_some());
    let (Some(mut account), None) = (accounts.next(), accounts.next()) else {
        let what = "something else than one account to the token of a person".to_owned();
        return Err(ConnectorError::Strange { system: system.clone(), what });
    };
    // Whatever a connector tells, this account was seen with its own token.
    let mut server = (*account.server).clone();
    server.insert("credential".to_owned(), "own".into());
    server.entry("token_kind".to_owned()).or_insert_with(|| token.kind().word().into());
    account.server = Arc::new(server);
    Ok(Ok((account, observed.warnings)))
}
