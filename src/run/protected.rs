//! Whether the accounts that nothing may touch are there: a slip in such a name protects nobody, and is noticed too late.

use std::collections::{BTreeMap, BTreeSet};

use super::fleet::Fleet;
use crate::{
    model::{
        account::{Account, Wanted},
        attribute::AttributeName,
        id::{AccountId, SystemName},
    },
    plan::{
        Providers,
        guard::{Limits, is_protected},
    },
};

/// The protected names that no account has, as its username or its id. Where a provider does not answer, or cannot be asked
/// for names, nothing is known and nothing told.
pub(crate) async fn unknown(limits: &Limits, fleet: &Fleet) -> Vec<(SystemName, String)> {
    let mut unknown = Vec::new();
    let mut names: BTreeMap<&SystemName, BTreeSet<&str>> = BTreeMap::new();
    for (system, name) in &limits.protected {
        names.entry(system).or_default().insert(name);
    }
    for (system, names) in names {
        let username = AttributeName::new("username");
        let can_ask = fleet.capabilities(system).is_some_and(|table| table.lookups.contains(&username.as_str()));
        let Some(member) = fleet.members.get(system).filter(|it| can_ask && it.keyring.is_none()) else { continue };
        let ask = async |wanted: Wanted| {
            let observed = member.observe(&wanted).await;
            observed.map(|observed| observed.accounts.into_iter().collect::<Vec<_>>())
        };
        let holding = names.iter().map(|name| (*name).to_owned()).collect();
        let by_name = Wanted { holding: [(username, holding)].into(), ..Wanted::default() };
        let Ok(mut accounts) = ask(by_name).await else { continue };
        for name in names {
            let is_there = |accounts: &[Account]| {
                let one = [(system.clone(), name.to_owned())].into();
                accounts.iter().any(|account| is_protected(account, &one))
            };
            if is_there(&accounts) {
                continue;
            }
            let by_id = Wanted { ids: [AccountId::from(name)].into(), ..Wanted::default() };
            let Ok(more) = ask(by_id).await else { continue };
            accounts.extend(more);
            if !is_there(&accounts) {
                unknown.push((system.clone(), name.to_owned()));
            }
        }
    }
    unknown
}
