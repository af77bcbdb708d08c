//! GitLab's groups: what is foretold of memberships and of operations, held against what the simulator does
//! (`gitlab.md` 7).
//!
//! Every case has two groups of its own, one inside the other, and a person of its own: nothing of what an earlier case
//! did can help or hinder. What would be refused is sent all the same, wherever it can be said.

use super::*;
use crate::connector::gitlab::KIND;

const LEVELS: &[(&str, u64)] =
    &[("guest", 10), ("planner", 15), ("reporter", 20), ("developer", 30), ("maintainer", 40), ("owner", 50)];

/// What is meant to differ.
const ACCEPTED: &[Accepted] = &[Accepted {
    bed: "",
    accounts: &["beside a bot"],
    attributes: &[],
    values: &[],
    foreseen: "takes",
    met: "forbidden",
    why: "the bot of a token is no owner to GitLab, and a list of members does not tell it from a person: the answer \
          decides",
}];

/// A person in a group of her own, and what shall become of her there.
struct Membership {
    /// What the person is.
    kind: &'static str,
    /// Whether it is about the inner group, and what she has in the outer one then.
    around: Option<u64>,
    /// What she has in the group.
    before: u64,
    /// Who else is an owner of it: nobody, somebody who can sign in, somebody blocked, a bot, somebody of the outer one.
    beside: &'static str,
    wanted: Value,
    /// The same, to be read.
    like: &'static str,
}

impl Membership {
    fn inside(&self) -> bool {
        self.around.is_some()
    }

    /// The path of its group, where it has this number.
    fn group(&self, number: u64) -> String {
        if self.inside() { format!("g{number}/in") } else { format!("g{number}") }
    }

    fn account(&self) -> &'static str {
        match self.beside {
            "a bot" => "beside a bot",
            _ => self.kind,
        }
    }
}

/// Everything that may be wished for.
fn wishes() -> Vec<(Value, &'static str)> {
    let mut all: Vec<(Value, &'static str)> = LEVELS.iter().map(|(level, _)| (Value::text(level), *level)).collect();
    all.extend([(Value::Empty, "none"), (Value::text("chief"), "no level"), (true.into(), "no text")]);
    all
}

fn cases() -> Vec<Membership> {
    let mut all = Vec::new();
    for (wanted, like) in wishes() {
        let mut add = |kind, around, before, beside| {
            all.push(Membership { kind, around, before, beside, wanted: wanted.clone(), like });
        };
        for before in [0, 10, 30, 50] {
            for beside in ["nobody", "somebody", "somebody blocked", "a bot"] {
                add("person", None, before, beside);
            }
            for around in [0, 10, 30, 50] {
                add("person", Some(around), before, "nobody");
            }
            add("person", Some(0), before, "somebody of the outer");
            add("person", Some(0), before, "somebody blocked");
        }
        // Met, and not to be given.
        add("person", None, 5, "nobody");
        for kind in ["blocked", "deactivated", "administrator", "external", "bot"] {
            add(kind, None, 50, "nobody");
            add(kind, Some(20), 30, "nobody");
        }
    }
    all
}

/// The person and the groups of a case.
fn furnished(case: &Membership, number: u64) -> (Json, Vec<Json>) {
    let name = format!("p{number}");
    let mut user = json!({ "id": number, "username": name });
    match case.kind {
        "blocked" | "deactivated" => user["state"] = case.kind.into(),
        "administrator" => user["admin"] = true.into(),
        "external" | "bot" => user[case.kind] = true.into(),
        _ => {}
    }
    let member = |who: &str, level: u64| (level > 0).then(|| json!({ "username": who, "access_level": level }));
    let owner = match case.beside {
        "somebody" => member("owner", 50),
        "somebody blocked" => member("asleep", 50),
        "a bot" => member("robot", 50),
        _ => None,
    };
    let own: Vec<Json> = [member(&name, case.before), owner, member("holder", 30)].into_iter().flatten().collect();
    let outer = if case.beside == "somebody of the outer" { member("owner", 50) } else { None };
    let outer: Vec<Json> = [member(&name, case.around.unwrap_or(0)), outer].into_iter().flatten().collect();
    let (first, second) = if case.inside() { (outer, own) } else { (own, Vec::new()) };
    let groups = vec![
        json!({ "path": format!("g{number}"), "members": first }),
        json!({ "path": format!("g{number}/in"), "members": second }),
    ];
    (user, groups)
}

async fn bed(settings: Json, users: Vec<Json>, groups: Vec<Json>, tokens: Json) -> Bed {
    let mut all = vec![
        json!({ "id": 2, "username": "owner" }),
        json!({ "id": 3, "username": "asleep", "state": "blocked" }),
        json!({ "id": 4, "username": "robot", "bot": true }),
        json!({ "id": 5, "username": "holder" }),
    ];
    all.extend(users);
    let seed = json!({ "settings": settings, "users": all, "groups": groups, "tokens": tokens });
    Bed::made(Bedding { kind: &KIND, options: json!({}), token_kind: "personal", seed, leader: None }).await
}

fn of_group(group: &str) -> AttributeName {
    AttributeName::member_of(&"gitlab.groups".into(), group)
}

/// These accounts with their memberships of these groups: `fresh`, as they are asked for before something is sent.
async fn seen(
    bed: &Bed,
    ids: &[u64],
    range: impl IntoIterator<Item = String>,
    fresh: bool,
) -> BTreeMap<AccountId, Account> {
    let members = BTreeMap::from([("gitlab.groups".into(), range.into_iter().collect())]);
    let ids = ids.iter().map(|id| AccountId::from(id.to_string())).collect();
    bed.seen(Wanted { ids, members, fresh, ..Wanted::default() }).await
}

/// The groups of all cases.
fn range(cases: &[Membership]) -> BTreeSet<String> {
    let numbers = (100..).take(cases.len());
    numbers.flat_map(|number: u64| [format!("g{number}"), format!("g{number}/in")]).collect()
}

async fn matrix(name: &str, settings: Json, cases: &[Membership], report: &mut Report) {
    let numbers: Vec<u64> = (100..).take(cases.len()).collect();
    let (mut users, mut groups) = (Vec::new(), Vec::new());
    for (case, number) in cases.iter().zip(&numbers) {
        let (user, own) = furnished(case, *number);
        users.push(user);
        groups.extend(own);
    }
    let bed = bed(settings, users, groups, json!([])).await;
    let before = seen(&bed, &numbers, range(cases), false).await;
    let mut intended = before.clone();
    for (case, number) in cases.iter().zip(&numbers) {
        report.cases += 1;
        let attribute = of_group(&case.group(*number));
        let wish = Wish::new(attribute.as_str(), case.like, case.wanted.clone());
        let id = AccountId::from(number.to_string());
        let Some(account) = before.get(&id) else {
            report.difference(name, case.account(), &wish, "an account", "nobody");
            continue;
        };
        let change = bed.change(account, &wish.attribute, &wish.value);
        let foreseen = word(&change, &bed.foresee(account, &change));
        let said = bed.connector.calls(account, std::slice::from_ref(&change));
        let met = match said.clone() {
            Err(refusal) => Met::Unsaid(refusal.kind),
            Ok(requests) => match bed.send(account, std::slice::from_ref(&change), requests).await {
                Ok(shown) if bed.holds(&shown, &change) => Met::Took,
                Ok(_) => Met::Ineffective,
                Err(refusal) => Met::Refused(refusal.kind),
            },
        };
        if !agrees(&foreseen, met, false) {
            let said = format!("{met} ({}, {:?} around, {} beside)", case.before, case.around, case.beside);
            let met = if case.account() == "beside a bot" { met.to_string() } else { said };
            report.difference(name, case.account(), &wish, &foreseen, &met);
        }
        let Ok(requests) = said else { continue };
        if met == Met::Took {
            let held = intended.get_mut(&id).map(|account| &mut account.attributes);
            held.unwrap().insert(attribute.clone(), change.after.clone());
            // A call whose answer was lost is sent again: it ends where it ended.
            let again = bed.send(account, std::slice::from_ref(&change), requests).await;
            assert!(again.as_ref().is_ok_and(|shown| bed.holds(shown, &change)), "{name} {attribute}: {again:?}");
        }
        // As it is looked at before something is sent.
        let now = seen(&bed, &[*number], [case.group(*number)], true).await.remove(&id).unwrap();
        assert_eq!(now.value(&attribute), intended[&id].value(&attribute), "{name} {attribute}");
    }
    // The answers told the truth, and nothing else has changed.
    let after = seen(&bed, &numbers, range(cases), false).await;
    for (id, account) in after {
        assert_eq!(account.attributes, intended[&id].attributes, "{name}");
    }
}

#[tokio::test]
async fn gitlab_does_with_memberships_what_was_foreseen() {
    let mut report = Report::new(ACCEPTED);
    let all = cases();
    matrix("usual", json!({}), &all, &mut report).await;
    let plain = |case: &Membership| case.kind == "person" && case.beside == "nobody" && matches!(case.before, 0 | 30);
    let brief: Vec<Membership> = cases().into_iter().filter(plain).collect();
    for version in ["16.11.0", "17.6.3", "18.5.0"] {
        matrix(version, json!({ "version": version }), &brief, &mut report).await;
    }
    report.settle();
}

/// A removal stays where it was asked for, whatever the person has in the groups inside.
#[tokio::test]
async fn a_removal_leaves_the_groups_inside_alone() {
    let member = json!([{ "username": "holder", "access_level": 30 }]);
    let groups = ["top", "top/mid", "top/mid/low"].map(|path| json!({ "path": path, "members": member }));
    let bed = bed(json!({}), Vec::new(), groups.into(), json!([])).await;
    let range = ["top", "top/mid", "top/mid/low"].map(str::to_owned);
    let account = seen(&bed, &[5], range.clone(), false).await.remove(&"5".into()).unwrap();
    let change = bed.change(&account, "gitlab.groups[top]", &Value::Empty);
    bed.carry_out(&account, &[change]).await.unwrap();
    let after = seen(&bed, &[5], range, false).await.remove(&"5".into()).unwrap();
    let held = ["top", "top/mid", "top/mid/low"].map(|group| after.value(&of_group(group)).to_string());
    assert_eq!(held, ["(empty)", "developer", "developer"]);
}

/// However many members a group has and however many accounts are asked for, each is shown with what she has.
#[tokio::test]
async fn everybody_is_seen_in_groups_of_more_than_a_page() {
    let users = (1000..1250).map(|id| json!({ "id": id, "username": format!("u{id}") })).collect();
    let members: Vec<Json> =
        (1000..1240).map(|id| json!({ "username": format!("u{id}"), "access_level": 10 })).collect();
    let groups = vec![json!({ "path": "crowd", "members": members }), json!({ "path": "crowd/none" })];
    let bed = bed(json!({}), users, groups, json!([])).await;
    let range = || ["crowd", "crowd/none", "no/such", "odd name", "../1"].map(str::to_owned);
    for (ids, fresh, lists) in [
        ((1000..1250).collect::<Vec<u64>>(), false, 4),
        ((1000..1250).collect(), true, 4),
        (vec![1001, 1245], false, 4),
        (vec![1001, 1245], true, 2),
        (Vec::new(), false, 0),
    ] {
        bed.lab("gitlab", "DELETE", "requests", &Json::Null).await.unwrap();
        let all = seen(&bed, &ids, range(), fresh).await;
        assert_eq!(all.len(), ids.len());
        for (id, account) in all {
            let number: u64 = id.as_str().parse().unwrap();
            let level = if number < 1240 { Value::text("guest") } else { Value::Empty };
            assert_eq!(account.attributes.get(&of_group("crowd")), Some(&level), "{id} {fresh}");
            for other in ["crowd/none", "no/such", "odd name", "../1"] {
                assert_eq!(account.attributes.get(&of_group(other)), Some(&Value::Empty), "{id} {other}");
            }
            assert_eq!(account.server_fact("group:crowd"), Some("1"));
            assert_eq!(account.server_fact("group:crowd/none"), Some("2"));
            assert!(!account.server.keys().any(|fact| fact.contains("no/such") || fact.contains("1\u{5d}")));
            assert_eq!(account.fact("inherits:crowd/none"), level.as_text(), "{id}");
        }
        let asked = bed.lab("gitlab", "GET", "requests", &Json::Null).await.unwrap();
        let paths: Vec<&str> = asked.as_array().unwrap().iter().filter_map(|asked| asked["path"].as_str()).collect();
        let count = |part: &str| paths.iter().filter(|path| path.contains(part)).count();
        assert_eq!(count("/members"), lists, "{paths:#?}");
        // Two groups and one that is not there; what can be no path is not asked for.
        assert_eq!(count("/groups/") - count("/members"), 3, "{paths:#?}");
    }
}

/// What only the server knows, and what changes between plan and call.
#[tokio::test]
async fn gitlabs_no_to_a_membership_is_understood() {
    use RefusalKind::{Forbidden, Invalid, NotFound, Unsupported};
    let groups = vec![
        json!({ "path": "locked", "locked": true, "members": [{ "username": "holder", "access_level": 30 }] }),
        json!({ "path": "crew", "members": [{ "username": "holder", "access_level": 30 }] }),
        json!({ "path": "crew/in" }),
    ];
    let bed = bed(json!({}), vec![json!({ "id": 7, "username": "anna" })], groups, json!([])).await;
    let range = || ["locked", "crew", "crew/in"].map(str::to_owned);
    let look = async |id: u64| seen(&bed, &[id], range(), false).await.remove(&id.to_string().into()).unwrap();
    let carry = async |account: &Account, group: &str, level: &str| {
        let change = bed.change(account, of_group(group).as_str(), &Value::text(level));
        assert_eq!(bed.foresee(account, &change), Foresight::takes(), "{group} {level}");
        bed.carry_out(account, &[change]).await.map(|shown| shown.value(&of_group(group)).to_string())
    };
    let told = |outcome: Result<String, Refusal>| {
        let refusal = outcome.unwrap_err();
        (refusal.kind, refusal.status)
    };
    let (anna, holder) = (look(7).await, look(5).await);
    assert_eq!(told(carry(&anna, "locked", "guest").await), (Unsupported, Some(405)));
    assert_eq!(carry(&holder, "locked", "guest").await.unwrap(), "guest");

    // Somebody else made her a member meanwhile: of the same level is well, of another is not.
    let colleague = async |group: u64, level: u64| {
        let body = json!({ "user_id": 7, "access_level": level });
        let request = Request {
            method: "POST".to_owned(),
            path: format!("/api/v4/groups/{group}/members"),
            body,
            ..bed.connector.calls(&anna, &[bed.change(&anna, "gitlab.note", &"x".into())]).unwrap().remove(0)
        };
        let _ = bed.send(&anna, &[], vec![request]).await;
    };
    colleague(2, 20).await;
    assert_eq!(carry(&anna, "crew", "reporter").await.unwrap(), "reporter");
    assert_eq!(told(carry(&anna, "crew", "developer").await), (Invalid, Some(409)));
    // From around she has more meanwhile than she shall have inside.
    assert_eq!(told(carry(&anna, "crew/in", "guest").await), (Invalid, Some(400)));
    // She is the last owner meanwhile.
    let before = look(7).await;
    let owner = bed.change(&before, "gitlab.groups[crew]", &"owner".into());
    bed.carry_out(&before, &[owner]).await.unwrap();
    assert_eq!(told(carry(&before, "crew", "guest").await), (Forbidden, Some(403)));
    assert_eq!(told(carry(&before, "crew", "").await), (Forbidden, Some(403)));
    // She is no member any more: nothing can be changed, and there is nothing left to end.
    let member = look(5).await;
    let gone = bed.change(&member, "gitlab.groups[crew]", &Value::Empty);
    bed.carry_out(&member, &[gone]).await.unwrap();
    assert_eq!(told(carry(&member, "crew", "guest").await), (NotFound, Some(404)));
    assert_eq!(carry(&member, "crew", "").await.unwrap(), "(empty)");
    // She is gone altogether.
    let stranger = Account { id: Some("4242".into()), ..look(2).await };
    let no = carry(&stranger, "crew", "guest").await.unwrap_err();
    assert_eq!((no.kind, no.reason.as_str()), (NotFound, "GitLab has no such account"));
    // Nobody gets into a group before she is there.
    let nobody = Account { id: None, ..anna.clone() };
    let change = bed.change(&nobody, "gitlab.groups[crew]", &"guest".into());
    assert_eq!(word(&change, &bed.foresee(&nobody, &change)), "unsupported");
    assert_eq!(bed.connector.calls(&nobody, &[change]).unwrap_err().kind, Unsupported);
}

/// An operation as a plan would have it: whether it would be sent, and what came of it then.
async fn perform(
    bed: &Bed,
    account: &Account,
    operation: &str,
    arguments: &[(&str, &str)],
) -> (Result<(), RefusalKind>, Option<Result<Account, Refusal>>) {
    let arguments = arguments.iter().map(|(name, value)| ((*name).to_owned(), Value::text(value))).collect();
    let request = match bed.connector.operation(account, operation, &arguments) {
        Ok(request) => request,
        Err(refusal) => return (Err(refusal.kind), None),
    };
    let number = bed.calls.fetch_add(1, Ordering::Relaxed) + 1;
    let call = Call {
        id: format!("c{number}").into(),
        system: bed.system.clone(),
        person: PersonId { system: "hr".into(), key: number.to_string().into() },
        account: account.id.clone(),
        operation: request.operation,
        performs: Some(operation.to_owned()),
        method: request.method,
        path: request.path,
        headers: request.headers,
        body: request.body,
        generated: request.generated,
        expects: BTreeMap::new(),
        intends: BTreeMap::new(),
        replay: request.replay,
        after: Vec::new(),
    };
    let mut writer = bed.line.writer(&bed.store, bed.run, &call);
    (Ok(()), Some(bed.connector.perform(&call, &mut writer).await))
}

/// An account that knows these groups, as an operation finds it.
async fn knowing(bed: &Bed, id: u64, groups: &[&str]) -> Account {
    let named = BTreeMap::from([("group".to_owned(), groups.iter().map(|group| (*group).to_owned()).collect())]);
    let ids = BTreeSet::from([AccountId::from(id.to_string())]);
    bed.seen(Wanted { ids, named, ..Wanted::default() }).await.remove(&id.to_string().into()).unwrap()
}

/// Whose account, which operation, with what; whether it is sent, and what comes of it then.
type Attempt<'a> = (&'a Account, &'a str, Vec<(&'a str, &'a str)>, Result<(), RefusalKind>, Result<(), RefusalKind>);

#[tokio::test]
async fn gitlab_performs_what_was_foreseen() {
    use RefusalKind::{Forbidden, Invalid, NotFound, Unsupported};
    let users = vec![
        json!({ "id": 7, "username": "anna", "keys": [{ "id": 1, "title": "laptop" }, { "id": 2, "title": "old" }] }),
        json!({ "id": 8, "username": "ben", "keys": [{ "id": 3, "title": "ben's" }] }),
    ];
    let groups = vec![
        json!({ "path": "crew", "members": [{ "username": "owner", "access_level": 50 }] }),
        json!({ "path": "crew/in" }),
        json!({ "path": "locked", "locked": true }),
    ];
    let tokens = json!([
        { "user": "anna", "id": 40 }, { "user": "anna", "id": 41 }, { "user": "ben", "id": 42 },
    ]);
    let bed = bed(json!({}), users, groups, tokens).await;
    let all = ["crew", "crew/in", "locked", "none"];
    let anna = knowing(&bed, 7, &all).await;
    let owner = knowing(&bed, 2, &all).await;
    // No list of members is read for a name alone.
    let asked = bed.lab("gitlab", "GET", "requests", &Json::Null).await.unwrap();
    assert!(!asked.to_string().contains("/members"), "{asked}");

    let took = || Ok(());
    let table: Vec<Attempt<'_>> = vec![
        (&anna, "add_member", vec![("group", "crew"), ("access", "developer")], took(), took()),
        // The answer was lost and it is sent again; or somebody did it already.
        (&anna, "add_member", vec![("group", "crew"), ("access", "developer")], took(), took()),
        (&anna, "add_member", vec![("group", "crew"), ("access", "owner")], took(), Err(Invalid)),
        (&anna, "add_member", vec![("group", "crew/in"), ("access", "guest")], took(), Err(Invalid)),
        (&anna, "add_member", vec![("group", "crew/in"), ("access", "maintainer")], took(), took()),
        (&anna, "add_member", vec![("group", "locked"), ("access", "guest")], took(), Err(Unsupported)),
        (&anna, "add_member", vec![("group", "none"), ("access", "guest")], Err(NotFound), took()),
        (&anna, "remove_member", vec![("group", "none")], Err(NotFound), took()),
        (&anna, "remove_member", vec![("group", "crew")], took(), took()),
        (&anna, "remove_member", vec![("group", "crew")], took(), took()),
        (&owner, "remove_member", vec![("group", "crew")], took(), Err(Forbidden)),
        (&anna, "delete_key", vec![("key", "1")], took(), took()),
        (&anna, "delete_key", vec![("key", "1")], took(), Err(NotFound)),
        (&anna, "delete_key", vec![("key", "3")], took(), Err(NotFound)),
        (&anna, "delete_key", vec![("key", "laptop")], Err(Invalid), took()),
        (&anna, "revoke_token", vec![("token", "40")], took(), took()),
        (&anna, "revoke_token", vec![("token", "40")], took(), took()),
        (&anna, "revoke_token", vec![("token", "42")], took(), Err(Invalid)),
        (&anna, "revoke_token", vec![("token", "99")], took(), Err(NotFound)),
        (&anna, "revoke_token", vec![("token", "self")], Err(Invalid), took()),
    ];
    for (account, operation, arguments, foreseen, expected) in table {
        let before = bed.dump().await;
        let (said, met) = perform(&bed, account, operation, &arguments).await;
        assert_eq!(said, foreseen, "{operation} {arguments:?}");
        let Some(met) = met else {
            assert!(said.is_err());
            continue;
        };
        assert_eq!(met.as_ref().map(|_| ()).map_err(|no| no.kind), expected, "{operation} {arguments:?}: {met:?}");
        match met {
            Ok(shown) => {
                assert_eq!(shown.id, account.id);
                assert_eq!(shown.attributes, bed.account(account.id.as_ref().unwrap().as_str()).await.attributes);
            }
            Err(_) => assert_eq!(bed.dump().await, before, "{operation} {arguments:?}"),
        }
    }
    let state = bed.dump().await;
    let titles: Vec<&str> =
        state["users"]["7"]["keys"].as_array().unwrap().iter().filter_map(|key| key["title"].as_str()).collect();
    assert_eq!(titles, ["old"]);
    let revoked = ["40", "41", "42"].map(|id| state["tokens"][id]["revoked"].as_bool().unwrap());
    assert_eq!(revoked, [true, false, false]);
    let levels = ["1", "2"].map(|group| state["groups"][group]["members"]["7"]["access_level"].as_u64());
    assert_eq!(levels, [None, Some(40)]);

    // An account that is gone.
    let gone = Account { id: Some("4242".into()), ..anna.clone() };
    for (operation, arguments) in [
        ("add_member", vec![("group", "crew"), ("access", "guest")]),
        ("delete_key", vec![("key", "2")]),
        ("revoke_token", vec![("token", "41")]),
    ] {
        let (_, met) = perform(&bed, &gone, operation, &arguments).await;
        let no = met.unwrap().unwrap_err();
        let kind = if operation == "revoke_token" { Invalid } else { NotFound };
        assert_eq!(no.kind, kind, "{operation}: {no}");
    }
}
