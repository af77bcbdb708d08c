//! Laws of the planner, over random people, accounts and wishes.
//!
//! *Convergence*: after a perfect apply, planning again finds nothing to send. *No theft*: at no step of a plan do two
//! accounts hold one name. *Order of rows*: does not matter. *No owner, no write*.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use proptest::prelude::*;

use super::{
    Providers, Unrouted,
    assemble::{Frame, assemble},
    correlate::{Material, correlate},
    decide::{decide, foresee},
    folded,
    order::Holders,
};
use crate::model::{
    account::{Account, Facts},
    accounts,
    attribute::{AttributeName, Value},
    capability::{AttributeCapability, Capabilities, Change, Foresight, Replay, Scheme, Support, Unique, Verdict},
    few::Few,
    id::{AccountId, SystemName},
    links::{Link, Links},
    origin::Origin,
    plan::{Decision, Operation, Plan, Request},
    policy::{CopyLine, JoinLine, Owned, OwnerLine, Ownership, Policy, Wish},
    record::{RecordOrigin, Statement},
    refusal::{Refusal, RefusalKind},
};

const fn row(name: &'static str, unique: Unique, required: bool) -> AttributeCapability {
    let (write, clear) = (Support::Yes, Support::Yes);
    AttributeCapability {
        name,
        neutral: true,
        remote: name,
        write,
        clear,
        unique,
        required,
        side_effect: "",
        set: None,
    }
}

const TABLE: Capabilities = Capabilities {
    kind: "plain",
    create: Support::Yes,
    create_replay: Replay::LookFirst,
    attributes: &[
        row("username", Unique::Freed, true),
        row("nickname", Unique::No, false),
        row("active", Unique::No, false),
    ],
    operations: &[],
    lookups: &["username"],
    facts: &[],
    concurrency: 1,
    scheme: Scheme::Bearer,
    key_scope: None,
};

/// Two providers that take everything.
struct Plain;

impl Providers for Plain {
    fn names(&self) -> Vec<SystemName> {
        vec!["chat".into(), "git".into()]
    }
    fn kind(&self, system: &SystemName) -> Option<&str> {
        Some(if system.as_str() == "hr" { "csv" } else { "plain" })
    }
    fn capabilities(&self, system: &SystemName) -> Option<&'static Capabilities> {
        (system.as_str() != "hr").then_some(&TABLE)
    }
    fn server(&self, _: &SystemName) -> Arc<Facts> {
        Arc::default()
    }
    fn normalize(&self, _: &SystemName, _: &AttributeName, value: &Value) -> Value {
        value.clone()
    }
    fn foresee(&self, _: &Account, _: &Change) -> Foresight {
        Foresight::takes()
    }
    fn stands_alone(&self, _: &accounts::Packed<'_>) -> bool {
        true
    }
    fn calls(&self, account: &Account, changes: &[Change]) -> Result<Vec<Request>, Refusal> {
        let (switches, others): (Vec<&Change>, Vec<&Change>) =
            changes.iter().partition(|change| change.attribute.as_str() == "active" && account.id.is_some());
        let request = |operation, changes: Vec<&Change>| Request {
            operation,
            method: "PUT".to_owned(),
            path: "/".to_owned(),
            headers: BTreeMap::new(),
            body: serde_json::Value::Null,
            generated: Vec::new(),
            carries: changes.iter().map(|change| change.attribute.clone()).collect(),
            replay: Replay::Repeat,
        };
        let operation = if account.id.is_some() { Operation::Update } else { Operation::Create };
        let mut requests = Vec::new();
        if !others.is_empty() {
            requests.push(request(operation, others));
        }
        if !switches.is_empty() {
            requests.push(request(Operation::Disable, switches));
        }
        Ok(requests)
    }

    fn operation(&self, account: &Account, name: &str, _: &BTreeMap<String, Value>) -> Result<Request, Refusal> {
        Err(Refusal::new(RefusalKind::Unsupported, format!("{} has no operation `{name}`", account.system)))
    }
}

/// One person of a random world: what HR says, and what is there.
#[derive(Clone, Debug)]
struct Somebody {
    username: usize,
    nickname: Option<usize>,
    active: bool,
    there: Option<usize>,
}

fn somebody() -> impl Strategy<Value = Somebody> {
    (0..8_usize, proptest::option::of(0..3_usize), any::<bool>(), proptest::option::of(0..8_usize))
        .prop_map(|(username, nickname, active, there)| Somebody { username, nickname, active, there })
}

type Accounts = BTreeMap<(SystemName, AccountId), BTreeMap<AttributeName, Value>>;

struct Case {
    statements: Vec<Arc<Statement>>,
    links: Links,
    not_hers: Links,
    accounts: Accounts,
    policy: Policy,
}

fn origin(line: usize) -> Origin {
    Origin { file: "rules/laws.rhai".into(), line, column: 1, text: "".into() }
}

fn case(people: &[Somebody], temporary: bool) -> Case {
    let (links, not_hers) = (Links::default(), Links::default());
    let mut case =
        Case { statements: Vec::new(), links, not_hers, accounts: Accounts::new(), policy: policy(temporary) };
    let mut used = BTreeSet::new();
    for (number, one) in people.iter().enumerate() {
        let key: Arc<str> = format!("{number:02}").into();
        let mut values: BTreeMap<AttributeName, Value> = BTreeMap::new();
        values.insert("username".into(), format!("name{}", one.username).as_str().into());
        values.insert("active".into(), one.active.into());
        values.insert("position".into(), "nobody owns this".into());
        if let Some(nickname) = one.nickname {
            values.insert(
                "nickname".into(),
                if nickname == 0 { Value::Empty } else { format!("nick{nickname}").as_str().into() },
            );
        }
        case.statements.push(Arc::new(Statement {
            system: "hr".into(),
            key: Arc::clone(&key),
            values: values.into(),
            origin: RecordOrigin { file: "people.csv".into(), line: number as u64 + 2 },
            fresh: true,
            deeds: Few::default(),
            of_nobody: false,
            unsettled: Few::default(),
            quiet: Few::default(),
        }));
        if let Some(name) = one.there.filter(|name| used.insert(*name)) {
            for system in ["chat", "git"] {
                let id = AccountId::from(format!("{system}-{key}"));
                let person = crate::model::id::PersonId { system: "hr".into(), key: Arc::clone(&key) };
                case.links.push(Link { person: &person, system: &system.into(), account: id.as_str() });
                let held = [("username".into(), format!("name{name}").as_str().into()), ("active".into(), true.into())];
                case.accounts.insert((system.into(), id), held.into());
            }
        }
    }
    case
}

fn policy(temporary: bool) -> Policy {
    let mut policy = Policy::default();
    let owned = ["username", "nickname", "active"].map(AttributeName::new).to_vec();
    policy.owners.push(OwnerLine {
        attributes: owned.clone(),
        system: "hr".into(),
        conditional: false,
        origin: origin(1),
    });
    for attribute in owned {
        let systems = vec!["chat".into(), "git".into()];
        policy.copies.insert(attribute, CopyLine { systems, origin: origin(2) });
    }
    for system in ["chat", "git"] {
        policy.joins.insert(system.into(), JoinLine { attributes: vec!["username".into()], origin: origin(3) });
        if temporary {
            policy.temporary.insert(("username".into(), system.into()), origin(4));
        }
    }
    policy
}

fn plan_of(case: &Case) -> Plan {
    let mut observed: BTreeMap<SystemName, accounts::Accounts> = BTreeMap::new();
    let mut holders = Holders::new();
    for ((system, id), attributes) in &case.accounts {
        let mut account = Account::absent(system.clone(), Arc::default());
        account.id = Some(id.clone());
        account.attributes.clone_from(attributes);
        if let Some(name) = account.attributes.get(&"username".into()).and_then(folded) {
            holders.entry((system.clone(), "username".into())).or_default().insert(name, id.clone());
        }
        observed.entry(system.clone()).or_default().push(&account);
    }
    let material = Material {
        whole: BTreeSet::new(),
        former: Vec::new(),
        open_words: Vec::new(),
        statements: case.statements.clone(),
        remembered: Vec::new(),
        links: &case.links,
        settled: &Links::default(),
        not_hers: &case.not_hers,
        open: &[],
        accounts: &observed,
        sources: &["hr".into(), "website".into()],
        own: &BTreeMap::new(),
        hidden: &BTreeMap::new(),
    };
    let mut people = Vec::new();
    let ties = correlate(&material, &case.policy, &Plain, &mut |found| people.push(found.person()));
    let mut decided = Vec::new();
    for person in &people {
        let line = |attribute: &AttributeName| {
            (attribute.clone(), Owned { system: "hr".into(), origin: origin(1), looked_at: Vec::new() })
        };
        let owners = case.policy.owners.iter().flat_map(|owner| owner.attributes.iter().map(line)).collect();
        let wanted = person.statements[0].values.is(&"active".into(), true);
        let wish = Wish { wanted, origin: origin(5), looked_at: Vec::new() };
        let ownership = Ownership { owners: Arc::new(owners), accounts: [("git".into(), wish)].into() };
        decided.extend(decide(person, &ownership, &case.policy, &Plain, &Unrouted));
    }
    let frame = Frame { people: people.len() as u64, links: ties.links, ..Frame::default() };
    assemble(decided, Vec::new(), &holders, &case.policy, &Plain, None, frame)
}

/// Carries out a plan perfectly, and fails where a call finds another state than it expects or a name that is taken.
fn carry_out(case: &mut Case, plan: &Plan) -> Result<(), TestCaseError> {
    let mut done = BTreeSet::new();
    for call in &plan.calls {
        prop_assert!(call.after.iter().all(|needed| done.contains(needed)), "{} came before what it needs", call.id);
        done.insert(call.id.clone());
        let id = call.account.clone().unwrap_or_else(|| AccountId::from(format!("new-{}", call.id)));
        let place = (call.system.clone(), id.clone());
        if call.account.is_none() {
            case.links.push(Link { person: &call.person, system: &call.system, account: id.as_str() });
            case.accounts.insert(place.clone(), [("active".into(), true.into())].into());
        } else {
            let held = &case.accounts[&place];
            for (attribute, expected) in &call.expects {
                prop_assert_eq!(held.get(attribute).cloned().unwrap_or_default(), expected.clone());
            }
        }
        if let Some(held) = case.accounts.get_mut(&place) {
            held.extend(call.intends.clone());
        }
        let mut names = BTreeSet::new();
        for ((system, _), held) in &case.accounts {
            if let Some(name) = held.get(&"username".into()) {
                prop_assert!(
                    names.insert((system.clone(), name.clone())),
                    "{name} was stolen at {system} by {}",
                    call.id
                );
            }
        }
    }
    case.links.extend(plan.links.iter());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn planning_again_after_a_perfect_apply_finds_nothing(people in prop::collection::vec(somebody(), 0..9), temporary: bool) {
        let mut case = case(&people, temporary);
        // What is refused because a name is still held may become possible once its holder has moved: a few rounds at
        // most, each carried out without a theft, and then silence.
        let mut rounds = 0;
        loop {
            let plan = plan_of(&case);
            if plan.calls.is_empty() {
                break;
            }
            rounds += 1;
            prop_assert!(rounds <= 4, "it does not come to rest");
            carry_out(&mut case, &plan)?;
        }
    }

    #[test]
    fn the_order_of_rows_does_not_matter(people in prop::collection::vec(somebody(), 0..9), seed: u64) {
        let mut case = case(&people, true);
        let first = plan_of(&case);
        let turn = usize::try_from(seed % 9).unwrap_or(0);
        case.statements.reverse();
        let turn = turn.min(case.statements.len());
        case.statements.rotate_left(turn);
        prop_assert_eq!(first, plan_of(&case));
    }

    #[test]
    fn what_nobody_owns_is_never_written(people in prop::collection::vec(somebody(), 0..9)) {
        let plan = plan_of(&case(&people, true));
        prop_assert!(plan.calls.iter().all(|call| !call.intends.contains_key(&"position".into())));
        let unowned = plan.changes.iter().filter(|change| change.attribute.as_str() == "position");
        prop_assert!(unowned.clone().count() <= people.len());
        prop_assert!(unowned.into_iter().all(|change| change.decision != Decision::Apply));
    }
}

proptest! {
    // What it takes for an account to be somebody else's seldom comes together.
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_said_not_to_be_hers_is_never_taken_for_hers(
        people in prop::collection::vec(somebody(), 1..9), at_website in prop::collection::vec((0..8_usize, 0..12_usize), 0..6),
        said in prop::collection::vec(prop::bool::weighted(0.2), 40..80), silent in prop::collection::vec(any::<bool>(), 1..9),
        tied: bool
    ) {
        let mut case = case(&people, true);
        let mut said = said.into_iter().cycle();
        // Where one attribute finds nobody, another may find somebody else.
        for line in case.policy.joins.values_mut() {
            line.attributes.push("nickname".into());
        }
        let each = (case.accounts.len() / 2).max(1);
        for (number, held) in case.accounts.values_mut().enumerate() {
            held.insert("nickname".into(), format!("nick{}", number % each).as_str().into());
        }
        // Some records of a second source are known to be about somebody.
        for (number, (username, of)) in at_website.iter().enumerate() {
            let mut record = Statement::clone(&case.statements[0]);
            (record.system, record.key) = ("website".into(), format!("{number}").into());
            let names = [("username", format!("name{username}")), ("nickname", format!("nick{}", of % 4))];
            let names = names.map(|(name, text)| (AttributeName::new(name), text.as_str().into()));
            record.values = BTreeMap::from(names).into();
            if let Some(person) = case.statements.get(*of).filter(|about| about.system.as_str() == "hr") {
                let person = crate::model::id::PersonId { system: "hr".into(), key: Arc::clone(&person.key) };
                case.links.push(Link { person: &person, system: &record.system, account: &record.key });
            }
            case.statements.push(Arc::new(record));
        }
        let records = case.statements.iter().map(|it| (it.system.clone(), AccountId::from(&*it.key)));
        let known: Vec<(SystemName, AccountId)> = case.accounts.keys().cloned().chain(records).collect();
        for statement in &case.statements {
            let person = crate::model::id::PersonId { system: statement.system.clone(), key: Arc::clone(&statement.key) };
            let others = known.iter().filter(|(system, _)| *system != person.system);
            for (system, id) in others.filter(|_| said.next() == Some(true)) {
                case.not_hers.push(Link { person: &person, system, account: id.as_str() });
            }
        }
        // Of some nothing is said this time.
        let mut silent = silent.into_iter().cycle();
        case.statements.retain(|it| it.system.as_str() == "website" || silent.next() == Some(false));
        let before = std::mem::take(&mut case.links);
        let is_hers = |link: &Link<'_>| !case.not_hers.iter().any(|word| word == *link);
        case.links = before.iter().filter(|link| tied && is_hers(link)).collect();
        let plan = plan_of(&case);
        prop_assert!(plan.links.iter().all(|link| is_hers(&link)));
        let (links, calls) = (plan.links.iter(), plan.calls.iter());
        let owners: BTreeSet<_> = case.links.iter().chain(links).map(|it| (it.system, it.account, it.person)).collect();
        let of: BTreeSet<_> = owners.iter().map(|(system, account, _)| (system, account)).collect();
        prop_assert_eq!(of.len(), owners.len(), "one thing is tied to two people");
        for call in calls.filter(|call| call.account.is_some()) {
            let account = call.account.as_ref().map_or("", AccountId::as_str);
            prop_assert!(owners.contains(&(&call.system, account, &call.person)), "{} is about somebody else's", call.id);
        }
    }
}

#[test]
fn a_ring_of_five_goes_through_one_temporary_name_where_rules_allow_it_and_is_held_where_not() {
    let ring: Vec<Somebody> =
        (0..5).map(|at| Somebody { username: (at + 1) % 5, nickname: None, active: true, there: Some(at) }).collect();
    let mut allowed = case(&ring, true);
    let plan = plan_of(&allowed);
    // Six renames for five people, at each of two systems.
    assert_eq!((plan.calls.len(), plan.summary.held), (12, 0));
    carry_out(&mut allowed, &plan).unwrap();
    assert_eq!(plan_of(&allowed).calls, Vec::new());

    let plan = plan_of(&case(&ring, false));
    assert_eq!((plan.calls.len(), plan.summary.held), (0, 10));
    assert!(plan.changes.iter().any(|change| change.reason.contains("temporary(\"username\", \"git\")")));
}

#[test]
fn a_chain_of_five_frees_each_name_before_it_is_taken() {
    let chain: Vec<Somebody> =
        (0..5).map(|at| Somebody { username: at + 1, nickname: None, active: true, there: Some(at) }).collect();
    let mut case = case(&chain, false);
    let plan = plan_of(&case);
    let renamed: Vec<String> =
        plan.calls.iter().filter(|call| call.system.as_str() == "git").map(|call| call.person.to_string()).collect();
    assert_eq!(renamed, ["hr/04", "hr/03", "hr/02", "hr/01", "hr/00"]);
    carry_out(&mut case, &plan).unwrap();
}

#[test]
fn a_name_that_somebody_keeps_is_refused_before_anything_is_sent() {
    let people = [
        Somebody { username: 1, nickname: None, active: true, there: Some(0) },
        Somebody { username: 1, nickname: None, active: true, there: Some(1) },
    ];
    let plan = plan_of(&case(&people, true));
    assert_eq!((plan.calls.len(), plan.summary.refused - 2), (0, 2));
    let refused = plan.changes.iter().find(|change| change.attribute.as_str() == "username").unwrap();
    assert_eq!(refused.reason, "account chat-01 at chat has this `username` already; this person's is chat-00");
}

#[test]
fn a_column_shifted_by_one_row_is_ordered_for_a_whole_organisation() {
    // Everybody takes the next one's name, and the last one a name that is free: one chain through all.
    const PEOPLE: usize = 5_000;
    let mut chain: Vec<Somebody> =
        (0..PEOPLE).map(|at| Somebody { username: at + 1, nickname: None, active: true, there: Some(at) }).collect();
    let plan = plan_of(&case(&chain, false));
    assert_eq!(plan.summary.calls, 2 * PEOPLE as u64);
    // And where the last one's name is kept by somebody else, nobody moves.
    chain.push(Somebody { username: PEOPLE, nickname: None, active: true, there: Some(PEOPLE) });
    let plan = plan_of(&case(&chain, false));
    assert_eq!(plan.summary.calls, 0);
}

#[test]
fn what_a_token_was_starred_out_of_is_written_nowhere() {
    let account = Account { id: Some("1".into()), ..Account::absent("git".into(), Arc::default()) };
    let change = |after: &str| Change { attribute: "nickname".into(), before: "old".into(), after: after.into() };
    let verdict = |after| foresee(&Plain, &account, &change(after)).verdict;
    assert!(matches!(verdict("Bearer [a token]"), Verdict::Refuses { kind: RefusalKind::Invalid, .. }));
    assert_eq!(verdict("a token"), Verdict::Takes);
}
