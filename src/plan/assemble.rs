//! From decided changes to a plan: requests for each account, in an order that respects names, with what each depends on.
//!
//! It gives the plan no id: that is a digest, and digests are made where bytes are.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Providers,
    behind::{leave_behind, to_go},
    decide::Decided,
    deeds::{self, DecidedDeed},
    few_of,
    order::{Holders, Order, order},
    twins::{Known, hold_twins, is_creation, twins},
};
use crate::model::{
    account::Account,
    attribute::{AttributeName, Value},
    capability::{Change, Unique},
    id::{AccountId, CallId, PersonId, SystemName},
    links::Links,
    plan::{
        Call, Decision, Doubtful, FORMAT, Groups, Home, Input, Operation, Plan, PlannedChange, PlannedOperation,
        Request, Seen, SignIn, Summary, Vanished,
    },
    policy::{JoinLine, Policy},
    record::Rejected,
};

/// What a plan is made of beside the decisions.
#[derive(Debug, Default)]
pub(crate) struct Frame {
    /// Digest of the scripts.
    pub(crate) rules: String,
    /// ISO date.
    pub(crate) today: String,
    pub(crate) inputs: Vec<Input>,
    /// The providers it is made for.
    pub(crate) systems: BTreeMap<SystemName, Home>,
    pub(crate) rejected: Vec<Rejected>,
    pub(crate) warnings: Vec<String>,
    pub(crate) links: Links,
    pub(crate) doubts: Vec<Doubtful>,
    pub(crate) vanished: BTreeMap<SystemName, Vanished>,
    pub(crate) seen: Vec<Seen>,
    /// How many people the inputs speak of.
    pub(crate) people: u64,
    /// The groups of everybody, where some are configured.
    pub(crate) groups: Option<Groups>,
    /// Who has to sign in, where everybody has her own token.
    pub(crate) sign_in: Vec<SignIn>,
}

/// A request on its way to being a call.
struct Node {
    person: PersonId,
    system: SystemName,
    account: Option<AccountId>,
    request: Request,
    expects: BTreeMap<AttributeName, Value>,
    intends: BTreeMap<AttributeName, Value>,
    /// Positions of the changes it carries out.
    carries: Vec<usize>,
    /// Position of the operation it does.
    deed: Option<usize>,
}

/// The request of an operation.
fn asked_for(at: usize, planned: &PlannedOperation, request: Request) -> Node {
    Node {
        person: planned.person.clone(),
        system: planned.system.clone(),
        account: planned.account.clone(),
        request,
        expects: BTreeMap::new(),
        intends: BTreeMap::new(),
        carries: Vec::new(),
        deed: Some(at),
    }
}

/// The requests of all that is made, and the order that is forced on them. Of those who may be one person only the first is
/// given an account; where that one is given none after all, it is in nobody's way.
fn apart(
    decided: &mut Vec<Decided>,
    holders: &Holders,
    policy: &Policy,
    providers: &dyn Providers,
    known: Option<Known<'_>>,
) -> (Vec<Node>, BTreeSet<(usize, usize)>) {
    let were_to_go = to_go(decided);
    let twins = |decided: &[Decided]| known.map_or_else(Vec::new, |known| twins(decided, policy, providers, known));
    let mut found = twins(decided);
    if found.is_empty() {
        return named_apart(decided, &were_to_go, holders, policy, providers);
    }
    let mut untouched = decided.clone();
    loop {
        hold_twins(decided, &found);
        leave_behind(decided, &were_to_go);
        let made = named_apart(decided, &were_to_go, holders, policy, providers);
        let given: BTreeSet<&PersonId> =
            decided.iter().filter(|one| is_creation(one)).map(|one| &one.planned.person).collect();
        let refused: BTreeSet<&PersonId> =
            found.iter().map(|twin| &twin.first).filter(|first| !given.contains(first)).collect();
        if refused.is_empty() {
            return made;
        }
        // Why they are given none stays as it was found, and they want none any more: each round has fewer who do.
        for (one, settled) in untouched.iter_mut().zip(&*decided) {
            if refused.contains(&one.planned.person) {
                one.clone_from(settled);
            }
        }
        decided.clone_from(&untouched);
        found = twins(decided);
    }
}

/// The same, where nobody may be somebody else.
fn named_apart(
    decided: &mut [Decided],
    were_to_go: &[bool],
    holders: &Holders,
    policy: &Policy,
    providers: &dyn Providers,
) -> (Vec<Node>, BTreeSet<(usize, usize)>) {
    loop {
        let order = order(decided, holders, policy, providers);
        if leave_behind(decided, were_to_go) {
            continue;
        }
        let before = applied(decided);
        let (nodes, edges) = nodes(decided, &order, policy, providers);
        leave_behind(decided, were_to_go);
        // What stays as it is frees no name, and takes none.
        if applied(decided) == before {
            return (nodes, edges);
        }
    }
}

/// Makes the plan. `known` tells who is who where records are what it is made of.
pub(crate) fn assemble(
    mut decided: Vec<Decided>,
    mut deeds: Vec<DecidedDeed>,
    holders: &Holders,
    policy: &Policy,
    providers: &dyn Providers,
    known: Option<Known<'_>>,
    frame: Frame,
) -> Plan {
    decided.sort_by(|a, b| key(&a.planned).cmp(&key(&b.planned)));
    let (mut nodes, mut edges) = apart(&mut decided, holders, policy, providers, known);
    deeds.sort_by(|a, b| deeds::key(a).cmp(&deeds::key(b)));
    let mut changes_of: BTreeMap<PersonId, Vec<usize>> = BTreeMap::new();
    for (at, node) in nodes.iter().enumerate() {
        changes_of.entry(node.person.clone()).or_default().push(at);
    }
    for (at, deed) in deeds.iter_mut().enumerate() {
        let Some(request) = deed.request.take() else { continue };
        // After her changes there, and after any account that is made for her: nobody is welcomed to what is not hers.
        let first = changes_of.get(&deed.planned.person).into_iter().flatten();
        let counts = |node: &Node| node.system == deed.planned.system || node.request.operation == Operation::Create;
        edges.extend(first.filter(|first| counts(&nodes[**first])).map(|first| (*first, nodes.len())));
        nodes.push(asked_for(at, &deed.planned, request));
    }
    let sequence = sequence(&nodes, &edges);

    let mut place = vec![0; nodes.len()];
    for (position, at) in sequence.iter().enumerate() {
        place[*at] = position;
    }
    let id = |at: usize| CallId::from(format!("c{}", place[at] + 1));
    let mut after: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (first, second) in &edges {
        after.entry(*second).or_default().push(place[*first]);
    }
    let mut calls: Vec<Call> = Vec::with_capacity(nodes.len());
    let mut slots: Vec<Option<Node>> = nodes.into_iter().map(Some).collect();
    for at in sequence {
        let Some(node) = slots[at].take() else { continue };
        for change in &node.carries {
            decided[*change].planned.call = Some(id(at));
        }
        if let Some(deed) = node.deed {
            deeds[deed].planned.call = Some(id(at));
        }
        let mut waits = after.remove(&at).unwrap_or_default();
        waits.sort_unstable();
        waits.dedup();
        let Request { operation, method, path, headers, body, generated, carries: _, replay } = node.request;
        calls.push(Call {
            id: id(at),
            system: node.system,
            person: node.person,
            account: node.account,
            operation,
            performs: node.deed.map(|deed| deeds[deed].planned.operation.clone()),
            method,
            path,
            headers,
            body,
            generated,
            expects: node.expects,
            intends: node.intends,
            replay,
            after: waits.into_iter().map(|position| CallId::from(format!("c{}", position + 1))).collect(),
        });
    }
    let (vanished, told) = made_anew(frame.vanished, &calls);
    let changes: Vec<PlannedChange> = decided.into_iter().map(|one| one.planned).collect();
    let operations: Vec<PlannedOperation> = deeds.into_iter().map(|one| one.planned).collect();
    let summary = Summary::count(frame.people, &changes, &operations, &calls, &frame.rejected);
    let done = changes.iter().filter(|it| it.decision == Decision::Apply).map(|it| &it.person);
    let asked = operations.iter().filter(|it| it.decision == Decision::Apply).map(|it| &it.person);
    let touched: BTreeSet<&PersonId> = done.chain(asked).collect();
    let groups = frame.groups.map(|groups| Groups {
        of: groups.of.into_iter().filter(|(person, _)| touched.contains(person)).collect(),
        ..groups
    });
    Plan {
        format: FORMAT.to_owned(),
        id: String::new(),
        rules: frame.rules,
        today: frame.today,
        inputs: frame.inputs,
        systems: frame.systems,
        summary,
        warnings: [frame.warnings, told].concat(),
        changes,
        operations,
        calls,
        rejected: frame.rejected,
        links: frame.links.into(),
        doubts: frame.doubts,
        vanished,
        seen: frame.seen.into(),
        groups,
        sign_in: frame.sign_in,
    }
}

/// Of those who have none of their accounts any more whoever would be given a new one, and that in words. Who leaves behind an
/// account that is gone has nothing more to lose.
fn made_anew(
    vanished: BTreeMap<SystemName, Vanished>,
    calls: &[Call],
) -> (BTreeMap<SystemName, Vanished>, Vec<String>) {
    let mut kept = BTreeMap::new();
    let mut told = Vec::new();
    for (system, here) in vanished {
        let is_made = |call: &&Call| call.operation == Operation::Create && call.system == system;
        let made: BTreeSet<&PersonId> = calls.iter().filter(is_made).map(|call| &call.person).collect();
        let people: Vec<PersonId> = here.people.into_iter().filter(|person| made.contains(person)).collect();
        if people.is_empty() {
            continue;
        }
        let (gone, names) = (people.len(), few_of(&people, " and ", |person| person));
        told.push(format!(
            "{system}: {gone} of {} people who had an account there have none any more and are given a new one: {names}",
            here.of
        ));
        kept.insert(system, Vanished { people, ..here });
    }
    (kept, told)
}

/// How many changes are to be made.
fn applied(decided: &[Decided]) -> usize {
    decided.iter().filter(|one| one.planned.decision == Decision::Apply).count()
}

fn key(planned: &PlannedChange) -> (&PersonId, &AttributeName, &SystemName, &Decision, &Value) {
    (&planned.person, &planned.attribute, &planned.system, &planned.decision, &planned.after)
}

/// The requests of all changes, and which must come before which.
fn nodes(
    decided: &mut [Decided],
    order: &Order,
    policy: &Policy,
    providers: &dyn Providers,
) -> (Vec<Node>, BTreeSet<(usize, usize)>) {
    let mut groups: BTreeMap<(PersonId, SystemName), Vec<usize>> = BTreeMap::new();
    for (at, one) in decided.iter().enumerate().filter(|(_, one)| one.planned.decision == Decision::Apply) {
        groups.entry((one.planned.person.clone(), one.planned.system.clone())).or_default().push(at);
    }
    let tied: BTreeSet<usize> =
        order.before.iter().flat_map(|(a, b)| [*a, *b]).chain(order.parked.keys().copied()).collect();
    let mut nodes: Vec<Node> = Vec::new();
    // For each change the nodes that leave its old value and that reach its new one.
    let mut leaves: BTreeMap<usize, usize> = BTreeMap::new();
    let mut reaches: BTreeMap<usize, usize> = BTreeMap::new();
    for members in groups.into_values() {
        let account = std::sync::Arc::clone(&decided[members[0]].account);
        let joins = policy.joins.get(&account.system);
        for part in parts(&members, &tied, account.id.is_none()) {
            let parked = part.iter().find_map(|at| order.parked.get(at).map(|name| (*at, name.clone())));
            if let Some((at, name)) = &parked {
                let change = Change { after: name.clone(), ..decided[*at].change.clone() };
                if let Some(node) = made(decided, &account, &[(*at, change)], joins, providers) {
                    leaves.insert(*at, nodes.len());
                    nodes.extend(node);
                }
            }
            let changes: Vec<(usize, Change)> = part
                .iter()
                .map(|at| {
                    let change = decided[*at].change.clone();
                    match &parked {
                        Some((parked, name)) if parked == at => (*at, Change { before: name.clone(), ..change }),
                        _ => (*at, change),
                    }
                })
                .collect();
            for node in made(decided, &account, &changes, joins, providers).unwrap_or_default() {
                for at in &node.carries {
                    leaves.entry(*at).or_insert(nodes.len());
                    reaches.insert(*at, nodes.len());
                }
                nodes.push(node);
            }
        }
    }
    let mut edges = BTreeSet::new();
    for (first, second) in &order.before {
        if let (Some(first), Some(second)) = (leaves.get(first), reaches.get(second)) {
            edges.insert((*first, *second));
        }
    }
    for at in order.parked.keys() {
        if let (Some(first), Some(second)) = (leaves.get(at), reaches.get(at)) {
            edges.insert((*first, *second));
        }
    }
    follow_owners(&mut edges, decided, &leaves, &reaches);
    // A temporary name carries no change to its end: the plan shows the call that does.
    for at in order.parked.keys() {
        if let Some(node) = leaves.get(at).filter(|node| reaches.get(at) != Some(node)) {
            nodes[*node].carries.clear();
        }
    }
    (nodes, edges)
}

/// A copy comes after what it is a copy of, so that it stays behind with it: but where names force it to come first.
fn follow_owners(
    edges: &mut BTreeSet<(usize, usize)>,
    decided: &[Decided],
    leaves: &BTreeMap<usize, usize>,
    reaches: &BTreeMap<usize, usize>,
) {
    let place = |planned: &PlannedChange, system: &SystemName| {
        (planned.person.clone(), system.clone(), planned.attribute.clone())
    };
    let is_copy = |planned: &PlannedChange| planned.owner.as_ref().is_some_and(|owner| *owner != planned.system);
    let mut owners: BTreeMap<(PersonId, SystemName, AttributeName), usize> = BTreeMap::new();
    for (at, node) in reaches {
        let planned = &decided[*at].planned;
        if planned.owner.as_ref() == Some(&planned.system) {
            owners.insert(place(planned, &planned.system), *node);
        }
    }
    if owners.is_empty() {
        return;
    }
    let mut patience = PATIENCE;
    for at in reaches.keys().filter(|at| is_copy(&decided[**at].planned)) {
        let planned = &decided[*at].planned;
        let Some(first) = planned.owner.as_ref().and_then(|owner| owners.get(&place(planned, owner))) else { continue };
        // Not even a temporary name is given before: it would stay.
        for copy in [leaves.get(at), reaches.get(at)].into_iter().flatten().filter(|copy| *copy != first) {
            if !leads(edges, *copy, *first, &mut patience) {
                edges.insert((*first, *copy));
            }
        }
    }
}

/// So many steps are gone along chains of names, in all, to find out what is forced by them.
const PATIENCE: usize = 2_000_000;

/// True where one node has to come before another already, or where it takes too long to tell.
fn leads(edges: &BTreeSet<(usize, usize)>, from: usize, to: usize, patience: &mut usize) -> bool {
    let (mut left, mut known) = (vec![from], BTreeSet::from([from]));
    while let Some(at) = left.pop() {
        if at == to || *patience == 0 {
            return true;
        }
        *patience -= 1;
        left.extend(edges.range((at, 0)..=(at, usize::MAX)).map(|(_, next)| *next).filter(|next| known.insert(*next)));
    }
    false
}

/// One account's changes, apart where two names of it must wait for different people: one call could not be in two places
/// of the order.
fn parts(members: &[usize], tied: &BTreeSet<usize>, creation: bool) -> Vec<Vec<usize>> {
    let (bound, free): (Vec<usize>, Vec<usize>) = members.iter().partition(|at| tied.contains(at));
    if creation || bound.len() < 2 {
        return vec![members.to_vec()];
    }
    let apart = bound.into_iter().map(|at| vec![at]);
    apart.chain((!free.is_empty()).then_some(free)).collect()
}

/// Asks the connector for the requests; refuses the changes where it has none to offer.
fn made(
    decided: &mut [Decided],
    account: &Account,
    changes: &[(usize, Change)],
    joins: Option<&JoinLine>,
    providers: &dyn Providers,
) -> Option<Vec<Node>> {
    let plain: Vec<Change> = changes.iter().map(|(_, change)| change.clone()).collect();
    let requests = match providers.calls(account, &plain) {
        Ok(requests) => requests,
        Err(refusal) => {
            for (at, _) in changes {
                decided[*at].planned.stop(Decision::Refuse, Some(refusal.kind), refusal.reason.clone());
            }
            return None;
        }
    };
    let nodes = requests.into_iter().map(|request| {
        let carried: Vec<&(usize, Change)> =
            changes.iter().filter(|(_, change)| request.carries.contains(&change.attribute)).collect();
        let creation = request.operation == Operation::Create;
        let is_unique = |attribute: &AttributeName| {
            let table = providers.capabilities(&account.system);
            table.and_then(|table| table.of(&account.system, attribute)).is_some_and(|row| row.unique != Unique::No)
        };
        // Who has been given an account meanwhile would have been found by these.
        let is_found_by = |attribute: &AttributeName| joins.is_some_and(|line| line.attributes.contains(attribute));
        let expects = carried
            .iter()
            .filter(|(_, change)| !creation || is_unique(&change.attribute) || is_found_by(&change.attribute))
            .map(|(_, change)| {
                let value = if creation { &change.after } else { &change.before };
                (change.attribute.clone(), value.clone())
            })
            .collect();
        let planned = &decided[changes[0].0].planned;
        Node {
            person: planned.person.clone(),
            system: planned.system.clone(),
            account: account.id.clone(),
            expects,
            intends: carried.iter().map(|(_, change)| (change.attribute.clone(), change.after.clone())).collect(),
            carries: carried.iter().map(|(at, _)| *at).collect(),
            deed: None,
            request,
        }
    });
    Some(nodes.collect())
}

/// The order of the calls: what must come first comes first, otherwise by person and system.
fn sequence(nodes: &[Node], edges: &BTreeSet<(usize, usize)>) -> Vec<usize> {
    let mut waiting = vec![0_usize; nodes.len()];
    let mut next: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (first, second) in edges {
        waiting[*second] += 1;
        next.entry(*first).or_default().push(*second);
    }
    // Nodes were made in order of person and system, so their positions are that order.
    let mut ready: BTreeSet<usize> = (0..nodes.len()).filter(|at| waiting[*at] == 0).collect();
    let mut sequence = Vec::with_capacity(nodes.len());
    while let Some(at) = ready.pop_first() {
        sequence.push(at);
        for then in next.remove(&at).into_iter().flatten() {
            waiting[then] -= 1;
            if waiting[then] == 0 {
                ready.insert(then);
            }
        }
    }
    sequence
}
