//! Somebody's word on whose an account is: what stands against it, and what it overtakes.
//!
//! Whether she is right is not known here, only whether there is such an account, and whether anything that was planned
//! before would act on the opposite.

use super::{RunError, fleet::Fleet, resume};
use crate::{
    model::{
        account::Wanted,
        id::{AccountId, PersonId, SystemName},
        links::{Link, Links},
        plan::Plan,
    },
    state::{Memory, RunSummary, Store},
};

/// The person who is meant: whoever a name is tied to, or else whom it names.
pub(crate) fn meant(named: &PersonId, links: &Links) -> PersonId {
    let tie = links.iter().find(|link| *link.system == named.system && link.account == &*named.key);
    tie.map_or_else(|| named.clone(), |link| link.person.clone())
}

/// Whether a provider shows an account of this id; true where only people's own tokens open any.
///
/// # Errors
/// Where the provider cannot be read.
pub(crate) async fn is_there(system: &SystemName, account: &AccountId, fleet: &Fleet) -> Result<bool, RunError> {
    let Some(member) = fleet.members.get(system).filter(|_| fleet.keyed(system).is_none()) else { return Ok(true) };
    let wanted = Wanted { ids: [account.clone()].into(), fresh: true, ..Wanted::default() };
    let unread = |source| RunError::Unread { system: system.clone(), source: Box::new(source) };
    let observed = member.observe(&wanted).await.map_err(unread)?;
    Ok(observed.accounts.iter().any(|it| it.id() == Some(account.as_str())))
}

/// A run that may still be carried out and is about this person or this account there: what it was planned on would not
/// hold any more.
///
/// # Errors
/// Where the store cannot be read.
pub(crate) fn still_wanted(store: &dyn Store, of: Link<'_>) -> Result<Option<RunSummary>, RunError> {
    let unfinished = resume::unfinished(store)?.into_iter().map(|it| it.run);
    for run in store.unsettled()?.into_iter().chain(unfinished) {
        if store.plan(run.id)?.is_some_and(|plan| claims(&plan).any(|it| is_about(it, of))) {
            return Ok(Some(run));
        }
    }
    Ok(None)
}

/// Whose account is another one's by now than a plan has it, which was saved before somebody said so.
pub(crate) fn overtaken<'p>(plan: &'p Plan, memory: &Memory) -> Option<Link<'p>> {
    let corrections = &memory.corrections;
    if corrections.hers.is_empty() && corrections.not_hers.is_empty() {
        return None;
    }
    let is_over = |claim: Link<'_>| {
        corrections.not_hers.iter().any(|word| word == claim)
            || corrections.hers.iter().any(|word| word != claim && is_about(claim, word))
    };
    claims(plan).find(|claim| is_over(*claim))
}

/// Which accounts a plan holds to be whose. One that is to be made has no id.
fn claims(plan: &Plan) -> impl Iterator<Item = Link<'_>> {
    let of_calls = plan.calls.iter().map(|call| {
        let account = call.account.as_ref().map_or("", AccountId::as_str);
        Link { person: &call.person, system: &call.system, account }
    });
    plan.links.iter().chain(of_calls)
}

fn is_about(claim: Link<'_>, of: Link<'_>) -> bool {
    claim.system == of.system && (claim.person == of.person || claim.account == of.account)
}
