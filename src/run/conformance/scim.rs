//! The matrix of SCIM over servers that offer all of it, little of it, or oddly, and what its simulator does to whoever
//! reads it carelessly (RFC 7643 7, RFC 7644 3).

use super::*;
use crate::connector::scim::KIND;

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// What is meant to differ.
const ACCEPTED: &[Accepted] = &[
    Accepted {
        bed: "",
        accounts: &[],
        attributes: &["username"],
        values: &["empty"],
        foreseen: "unsupported",
        met: "invalid",
        why: "nothing can make it empty, whatever the value; the server's way to say so is about the value",
    },
    Accepted {
        bed: "strict",
        accounts: &[],
        attributes: &[],
        values: &["same", "empty"],
        foreseen: "unchanged",
        met: "unsupported",
        why: "nobody asks for what is so; a PATCH of what is read-only or not known is refused whatever it says",
    },
];

const ACCOUNTS: &[&str] = &["bare", "inactive", "of two addresses", "with a private address", "of no type", "primary"];

fn user(kind: &str, number: u64) -> Json {
    let mut user = json!({
        "id": format!("{number}"), "externalId": format!("x{number}"), "userName": format!("p{number}"),
        "displayName": "Pat Lee", "name": { "givenName": "Pat", "familyName": "Lee", "formatted": "Pat Lee" },
        "nickName": "pat", "title": "Guide", "locale": "en-GB", "timezone": "Europe/Zurich", "active": true,
        "preferredLanguage": "en", "userType": "Employee", "profileUrl": "https://example.com/pat",
        "emails": [{ "value": format!("p{number}@example.com"), "type": "work", "primary": true },
                   { "value": format!("p{number}@home.example"), "type": "home" }],
        "phoneNumbers": [{ "value": "+41311112233", "type": "work" }, { "value": "+41791112233", "type": "mobile" }],
        "photos": [{ "value": "https://example.com/pat.jpg", "type": "photo" }],
        ENTERPRISE: { "employeeNumber": "701984", "department": "Tours", "organization": "Studios", "costCenter": "4130",
            "division": "Park", "manager": { "value": "1" } },
    });
    let mut set = |name: &str, value: Json| user[name] = value;
    let address = |host: &str| format!("p{number}@{host}");
    match kind {
        "bare" => return json!({ "id": format!("{number}"), "userName": format!("p{number}") }),
        "inactive" => set("active", false.into()),
        "of two addresses" => set(
            "emails",
            json!([{ "value": address("a.example"), "type": "work" }, { "value": address("b.example"), "type": "work" }]),
        ),
        "with a private address" => set("emails", json!([{ "value": address("home.example"), "type": "home" }])),
        "of no type" => set("emails", json!([{ "value": address("x.example") }, { "value": address("y.example") }])),
        "primary" => set("emails", json!([{ "value": address("z.example"), "type": "other", "primary": true }])),
        _ => {}
    }
    user
}

fn wishes(number: u64) -> Vec<Wish> {
    let fresh = |what: &str| format!("{what}{number}");
    let mut all = vec![
        Wish::new("username", "new", fresh("new").as_str()),
        Wish::new("username", "case only", format!("P{number}").as_str()),
        Wish::new("username", "same", format!("p{number}").as_str()),
        Wish::new("username", "an address", fresh("new@example.com").as_str()),
        Wish::new("username", "signs", format!("x\"\\ü€ {number}").as_str()),
        Wish::new("username", "blank", "   "),
        Wish::new("username", "empty", Value::Empty),
        Wish::new("username", "a user's", "HOLDER").held(),
        Wish::new("email", "new", format!("new{number}@example.com").as_str()),
        Wish::new("email", "case only", format!("P{number}@Example.com").as_str()),
        Wish::new("email", "same", format!("p{number}@example.com").as_str()),
        Wish::new("email", "signs", format!("o'neill+\"{number}\"@example.com").as_str()),
        Wish::new("email", "no address", "example.com"),
        Wish::new("email", "two signs", "a@b@example.com"),
        Wish::new("email", "blank inside", "a b@example.com"),
        Wish::new("email", "empty", Value::Empty),
        Wish::new("active", "on", true),
        Wish::new("active", "off", false),
        Wish::new("active", "no truth", "true"),
        Wish::new("active", "empty", Value::Empty),
        Wish::new("scim.manager", "new", "2"),
        Wish::new("scim.manager", "nobody known", "nobody"),
        Wish::new("scim.manager", "empty", Value::Empty),
        Wish::new("scim.groups", "all of them", "member"),
        Wish::new("scim.password", "unknown", "x"),
        Wish::new("gitlab.note", "unknown", "x"),
    ];
    for name in [
        "display_name",
        "first_name",
        "last_name",
        "nickname",
        "position",
        "department",
        "locale",
        "timezone",
        "phone",
        "scim.external_id",
        "scim.preferred_language",
        "scim.profile_url",
        "scim.user_type",
        "scim.employee_number",
        "scim.cost_center",
        "scim.organization",
        "scim.division",
    ] {
        all.extend([
            Wish::new(name, "new", "Władysław \"Dvořák\" \\ O'Neill"),
            Wish::new(name, "blank", "   "),
            Wish::new(name, "empty", Value::Empty),
            Wish::new(name, "no text", true),
        ]);
    }
    all
}

/// One wish of each kind.
fn brief(wish: &Wish) -> bool {
    let kinds = ["username", "email", "phone", "active", "last_name", "department", "scim.manager", "scim.external_id"];
    kinds.contains(&wish.attribute.as_str()) && matches!(wish.like, "new" | "empty" | "off" | "a user's")
}

async fn bed(settings: Json, people: Vec<Json>, groups: Json) -> Bed {
    bed_with(json!({}), settings, people, groups).await
}

async fn bed_with(options: Json, settings: Json, people: Vec<Json>, groups: Json) -> Bed {
    let seed = json!({ "settings": settings, "people": people, "groups": groups });
    Bed::made(Bedding { kind: &KIND, options, token_kind: "personal", seed, leader: None }).await
}

fn legal(attribute: &str) -> Value {
    match attribute {
        "email" => "standin@example.com".into(),
        _ => "stand-in".into(),
    }
}

/// An account at a server that has and takes everything, changed the same way.
fn plain(account: &Account) -> Account {
    let kept = ["patch", "etag"].map(|fact| (fact.to_owned(), account.server.get(fact).cloned().unwrap_or_default()));
    Account { server: std::sync::Arc::new(kept.into()), ..account.clone() }
}

fn others() -> Vec<Json> {
    let named = |id: &str, name: &str| json!({ "id": id, "userName": name, "name": { "familyName": "O" }, "timezone": "Europe/Zurich" });
    vec![named("1", "boss"), named("2", "chief"), named("3", "holder")]
}

async fn matrix(
    name: &str,
    settings: Json,
    accounts: &[&'static str],
    asked: &dyn Fn(&Wish) -> bool,
    report: &mut Report,
) {
    let (mut cases, mut people) = (Vec::new(), others());
    let mut number = 100;
    for account in accounts {
        for at in 0..wishes(0).len() {
            let wish = wishes(number + 1).swap_remove(at);
            if asked(&wish) {
                number += 1;
                people.push(user(account, number));
                cases.push(Case { account, id: number.to_string().into(), wish });
            }
        }
    }
    let bed = bed(settings, people, json!([])).await;
    compare(&bed, name, &cases, &legal, plain, report).await;
}

/// A schema that takes something from many attributes.
fn strict(patch: bool) -> Json {
    json!({
        "patch": patch,
        "absent": ["title", "department", "name.givenName", "phoneNumbers"],
        "read_only": ["displayName", "emails", "employeeNumber"],
        "immutable": ["nickName", "costCenter", "externalId"],
        "write_only": ["userType", "locale"],
        "required": ["timezone", "name.familyName"],
    })
}

#[tokio::test]
async fn scim_does_what_was_foreseen() {
    let mut report = Report::new(ACCEPTED);
    matrix("usual", json!({}), &["person"], &|_| true, &mut report).await;
    matrix("usual", json!({}), ACCOUNTS, &brief, &mut report).await;
    matrix("put", json!({ "patch": false }), &["person"], &|_| true, &mut report).await;
    matrix("put", json!({ "patch": false, "etag": false }), ACCOUNTS, &brief, &mut report).await;
    matrix("quiet", json!({ "patch_answer": 204, "etag": false }), &["person", "bare"], &brief, &mut report).await;
    let odd = json!({ "odd_case": true, "text_booleans": true });
    matrix("odd", odd, &["person", "bare"], &brief, &mut report).await;
    let odd = json!({ "odd_case": true, "text_booleans": true, "patch": false });
    matrix("odd put", odd, &["person", "bare", "of two addresses"], &brief, &mut report).await;
    let little = json!({ "filter": false, "sort": false, "etag": false, "cursor": true, "index": false, "page": 7 });
    matrix("little", little, &["person"], &brief, &mut report).await;
    let silent = json!({ "discovery": false, "etag": false, "filter_or": false });
    matrix("silent", silent, &["person", "bare"], &brief, &mut report).await;
    matrix("strict", strict(true), &["person"], &|_| true, &mut report).await;
    matrix("strict put", strict(false), &["person"], &|_| true, &mut report).await;
    report.settle();
}

/// Everything an account can start with.
fn whole(number: u64) -> Vec<Wish> {
    let given = |wish: &Wish| wish.like == "new" || wish.like == "on";
    wishes(number).into_iter().filter(given).collect()
}

#[tokio::test]
async fn a_scim_account_begins_as_it_was_foreseen() {
    let mut report = Report::new(&[Accepted {
        bed: "",
        accounts: &[],
        attributes: &["username"],
        values: &["empty"],
        foreseen: "unsupported",
        met: "invalid",
        why: "nothing can make it empty, whatever the value; the server's way to say so is about the value",
    }]);
    for (name, settings) in [("usual", json!({})), ("odd", json!({ "odd_case": true, "text_booleans": true }))] {
        let bed = bed(settings, others(), json!([])).await;
        let said = |number| {
            wishes(number).into_iter().filter(|wish| wish.like != "empty" || wish.attribute != "active").collect()
        };
        compare_creations(&bed, name, whole, &said, &mut report).await;
    }
    // Of a whole resource the server silently leaves out what is not for it.
    let bed = bed(strict(true), others(), json!([])).await;
    let least = |number: u64| {
        let needed = |wish: &Wish| ["username", "timezone", "last_name"].contains(&wish.attribute.as_str());
        whole(number).into_iter().filter(needed).collect()
    };
    let said = |number| wishes(number).into_iter().filter(|wish| wish.like == "new").collect();
    compare_creations(&bed, "strict", least, &said, &mut report).await;
    report.settle();
}

fn texts<T: FromIterator<String>>(attribute: &str, texts: &[&str]) -> (AttributeName, T) {
    (attribute.into(), texts.iter().map(|text| (*text).to_owned()).collect())
}

fn holding(attribute: &str, text: &str) -> Wanted {
    Wanted { holding: BTreeMap::from([texts(attribute, &[text])]), ..Wanted::default() }
}

fn ids(observed: &Observed) -> Vec<&str> {
    observed.accounts.iter().filter_map(|account| account.id()).collect()
}

fn crowd(count: u64) -> Vec<Json> {
    (1..=count).map(|number| user("person", number)).collect()
}

/// Servers of every kind of list.
fn lists() -> Vec<Json> {
    vec![
        json!({}),
        json!({ "filter_or": false }),
        json!({ "filter": false }),
        json!({ "discovery": false }),
        json!({ "page": 7 }),
        json!({ "page": 7, "filter": false }),
        json!({ "cursor": true, "page": 9, "filter": false }),
        json!({ "cursor": true, "index": false, "page": 9, "filter": false }),
        json!({ "odd_case": true, "filter": false }),
    ]
}

#[tokio::test]
async fn an_account_is_found_by_whatever_the_server_offers() {
    for settings in lists() {
        let bed = bed(settings.clone(), crowd(60), json!([])).await;
        for (attribute, text) in
            [("username", "P7"), ("email", "P7@Example.com"), ("scim.external_id", "x7"), ("first_name", "nobody")]
        {
            let expected: &[&str] = if text == "nobody" { &[] } else { &["7"] };
            let seen = bed.observe(&holding(attribute, text)).await.unwrap();
            assert_eq!(ids(&seen), expected, "{attribute} {settings}");
        }
        // Many at once, among them nobody.
        let names: Vec<String> =
            (1..=40).map(|number| format!("p{number}")).chain(["nobody\" or".to_owned()]).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let wanted = Wanted {
            ids: BTreeSet::from(["55".into(), "no/such".into(), "..".into()]),
            holding: [texts("username", &names), texts("email", &["p50@example.com"])].into(),
            ..Wanted::default()
        };
        let seen = bed.observe(&wanted).await.unwrap();
        let mut found: Vec<u64> = ids(&seen).iter().map(|id| id.parse().unwrap()).collect();
        found.sort_unstable();
        assert_eq!(found, (1..=40).chain([50, 55]).collect::<Vec<u64>>(), "{settings}");
    }
}

#[tokio::test]
async fn a_list_that_does_not_add_up_is_no_list() {
    for settings in [
        json!({ "lie": 1, "filter": false }),
        json!({ "lie": -1, "filter": false, "page": 7 }),
        json!({ "lie": 3, "filter": false, "cursor": true }),
    ] {
        let bed = bed(settings.clone(), crowd(30), json!([])).await;
        match bed.observe(&holding("username", "p7")).await {
            Err(ConnectorError::Strange { what, .. }) => {
                assert!(what.starts_with("lists that do not add up"), "{what}");
            }
            other => panic!("{settings}: {other:?}"),
        }
    }
    let bed = bed(json!({ "too_many": 20, "filter": false }), crowd(30), json!([])).await;
    match bed.observe(&holding("username", "p7")).await {
        Err(ConnectorError::Refused { refusal, .. }) => {
            assert_eq!((refusal.kind, refusal.code.as_deref()), (RefusalKind::Unsupported, Some("tooMany")));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn looking_changes_nothing() {
    for settings in lists() {
        let bed = bed(settings, crowd(30), json!([{ "displayName": "Guides", "members": ["3"] }])).await;
        let before = bed.dump().await;
        bed.connector.standing(&bed.line.reader()).await.unwrap();
        let members = [texts("scim.groups", &["Guides", "Nobody"])].into();
        for wanted in [Wanted::default(), Wanted { members, ..holding("username", "p3") }] {
            bed.observe(&wanted).await.unwrap();
        }
        assert_eq!(bed.dump().await, before);
        let asked = bed.lab("scim", "GET", "requests", &Json::Null).await.unwrap();
        assert!(asked.as_array().unwrap().iter().all(|asked| asked["method"] == "GET"));
    }
}

#[tokio::test]
async fn a_whole_account_is_changed_at_once_and_again() {
    for settings in [json!({}), json!({ "patch": false }), json!({ "patch_answer": 204 }), json!({ "odd_case": true })]
    {
        for kind in ["person", "bare"] {
            let bed = bed(settings.clone(), [others(), vec![user(kind, 7)]].concat(), json!([])).await;
            let account = bed.account("7").await;
            let wished: Vec<Wish> = wishes(7).into_iter().filter(|wish| matches!(wish.like, "new" | "off")).collect();
            let changes: Vec<Change> =
                wished.iter().map(|wish| bed.change(&account, &wish.attribute, &wish.value)).collect();
            for _ in 0..2 {
                let shown = bed.carry_out(&account, &changes).await.unwrap();
                let seen = bed.account("7").await;
                assert_eq!((&shown.id, &shown.attributes), (&seen.id, &seen.attributes));
                assert!(changes.iter().all(|change| bed.holds(&seen, change)), "{settings} {kind}: {seen:?}");
            }
            // What is not ours is as it was.
            let now = &bed.dump().await["users"]["7"];
            if kind == "person" {
                assert_eq!(now["photos"], user(kind, 7)["photos"]);
                assert_eq!(now["emails"][1], user(kind, 7)["emails"][1]);
                assert_eq!(now["phoneNumbers"][1], user(kind, 7)["phoneNumbers"][1]);
                assert_eq!(now["name"]["formatted"], "Pat Lee");
            }
            // And all of it taken away again, where it can be.
            let account = bed.account("7").await;
            let cleared: Vec<Change> = changes
                .iter()
                .filter(|change| !["username", "active"].contains(&change.attribute.as_str()))
                .map(|change| bed.change(&account, change.attribute.as_str(), &Value::Empty))
                .collect();
            for _ in 0..2 {
                bed.carry_out(&account, &cleared).await.unwrap();
                let seen = bed.account("7").await;
                assert!(cleared.iter().all(|change| bed.holds(&seen, change)), "{settings} {kind}: {seen:?}");
            }
        }
    }
}

#[tokio::test]
async fn what_somebody_else_changed_in_between_is_not_changed_again() {
    for settings in [json!({}), json!({ "patch": false }), json!({ "patch": false, "etag": false })] {
        let bed = bed(settings.clone(), vec![user("person", 7)], json!([])).await;
        let account = bed.account("7").await;
        let change = bed.change(&account, "nickname", &"rob".into());
        let request = bed.connector.calls(&account, std::slice::from_ref(&change)).unwrap().swap_remove(0);
        bed.meddle("7", &json!({ "nickName": "somebody else's", "title": "Chief" })).await;
        let call = Call {
            id: "c1".into(),
            system: bed.system.clone(),
            person: PersonId { system: "hr".into(), key: "1".into() },
            account: account.id.clone(),
            operation: request.operation,
            performs: None,
            method: request.method,
            path: request.path,
            headers: request.headers,
            body: request.body,
            generated: Vec::new(),
            expects: BTreeMap::from([(change.attribute.clone(), change.before.clone())]),
            intends: BTreeMap::from([(change.attribute.clone(), change.after.clone())]),
            replay: request.replay,
            after: Vec::new(),
        };
        let mut writer = bed.line.writer(&bed.store, bed.run, &call);
        let refusal = bed.connector.perform(&call, &mut writer).await.unwrap_err();
        assert_eq!((refusal.kind, refusal.status), (RefusalKind::Invalid, None), "{settings}");
        assert!(refusal.reason.contains("changed at the server since the plan was made"), "{refusal}");
        assert_eq!(bed.dump().await["users"]["7"]["nickName"], "somebody else's");
    }
}

#[tokio::test]
async fn a_version_that_is_not_the_one_that_was_looked_at_is_refused_by_the_server() {
    let bed = bed(json!({}), vec![user("person", 7)], json!([])).await;
    let account = bed.account("7").await;
    let change = bed.change(&account, "nickname", &"rob".into());
    let mut requests = bed.connector.calls(&account, std::slice::from_ref(&change)).unwrap();
    // With an old version in its place nothing is looked at first.
    let mut headers = std::mem::take(&mut requests[0].headers);
    assert_eq!(headers.remove("if-match").as_deref(), Some("*"));
    requests[0].headers = headers;
    requests[0].headers.insert("If-Match".to_owned(), "W/\"0\"".to_owned());
    let refusal = bed.send(&account, &[change], requests).await.unwrap_err();
    assert_eq!((refusal.kind, refusal.status), (RefusalKind::Invalid, Some(412)));
    // And what is sent names the version that was there.
    let change = bed.change(&account, "nickname", &"rob".into());
    bed.carry_out(&account, &[change]).await.unwrap();
    assert_eq!(bed.dump().await["users"]["7"]["nickName"], "rob");
}

#[tokio::test]
async fn people_come_into_groups_and_leave_them_and_nobody_else_does() {
    let groups = || {
        json!([{ "id": "g1", "displayName": "Tour \"Guides\"", "members": ["1", "2"] },
               { "id": "g2", "displayName": "Twins", "members": [] }, { "id": "g3", "displayName": "twins" }])
    };
    for settings in [json!({}), json!({ "patch_answer": 204, "filter": false }), json!({ "odd_case": true })] {
        let bed = bed(settings.clone(), crowd(3), groups()).await;
        let set = AttributeName::new("scim.groups");
        let name = |group: &str| AttributeName::member_of(&set, group);
        let range = ["Tour \"Guides\"", "Twins", "Nowhere"];
        let look = async |id: &str| {
            let members = [texts("scim.groups", &range)].into();
            let wanted = Wanted { ids: BTreeSet::from([id.into()]), members, fresh: true, ..Wanted::default() };
            bed.seen(wanted).await.remove(&id.into()).unwrap()
        };
        let change = |account: &Account, group: &str, after: Value| Change {
            attribute: name(group),
            before: account.value(&name(group)),
            after,
        };
        let account = look("3").await;
        assert_eq!(account.attributes.get(&name(range[0])), Some(&Value::Empty));
        let come = change(&account, range[0], "member".into());
        assert_eq!(bed.foresee(&account, &come), Foresight::takes());
        for _ in 0..2 {
            let shown = bed.carry_out(&account, std::slice::from_ref(&come)).await.unwrap();
            assert_eq!(shown.value(&come.attribute), "member".into(), "{settings}");
        }
        let account = look("3").await;
        assert_eq!(account.value(&name(range[0])), "member".into());
        let leave = change(&account, range[0], Value::Empty);
        assert_eq!(bed.foresee(&account, &leave), Foresight::takes());
        for _ in 0..2 {
            let shown = bed.carry_out(&account, std::slice::from_ref(&leave)).await.unwrap();
            assert_eq!(shown.value(&leave.attribute), Value::Empty);
        }
        let members = bed.dump().await["groups"]["g1"]["members"].take();
        assert_eq!(members, json!([{ "value": "1", "type": "User" }, { "value": "2", "type": "User" }]));
        let account = look("3").await;
        let nobody = Account { id: None, ..account.clone() };
        for (account, group, after, kind) in [
            (&account, "Twins", "member", RefusalKind::Invalid),
            (&account, "Nowhere", "member", RefusalKind::NotFound),
            (&account, range[0], "owner", RefusalKind::Invalid),
            (&nobody, range[0], "member", RefusalKind::Unsupported),
        ] {
            let change = change(account, group, after.into());
            let foreseen = bed.foresee(account, &change);
            assert!(matches!(foreseen.verdict, Verdict::Refuses { kind: seen, .. } if seen == kind), "{foreseen:?}");
            assert_eq!(bed.connector.calls(account, &[change]).unwrap_err().kind, kind);
        }
        // A group, and an account, that are gone when the call arrives.
        let come = change(&account, range[0], "member".into());
        let requests = bed.connector.calls(&account, std::slice::from_ref(&come)).unwrap();
        let gone = Account { id: Some("gone".into()), ..account.clone() };
        let refusal = bed.carry_out(&gone, &[change(&gone, range[0], "member".into())]).await.unwrap_err();
        assert_eq!((refusal.kind, refusal.status), (RefusalKind::Invalid, Some(400)));
        let mut elsewhere = requests;
        elsewhere[0].path = "/Groups/gone".to_owned();
        let refusal = bed.send(&account, &[come], elsewhere).await.unwrap_err();
        assert_eq!((refusal.kind, refusal.status), (RefusalKind::NotFound, Some(404)));
        assert!(refusal.reason.starts_with("the group is gone"), "{refusal}");
    }
    // Nothing of it without PATCH, or without groups.
    for (settings, words) in [(json!({ "patch": false }), "no PATCH"), (json!({ "groups": false }), "no groups")] {
        let bed = bed(settings, crowd(3), groups()).await;
        let wanted = Wanted { members: [texts("scim.groups", &["Twins"])].into(), ..holding("username", "p3") };
        let account = bed.seen(wanted).await.remove(&"3".into()).unwrap();
        let attribute = AttributeName::member_of(&"scim.groups".into(), "Tour \"Guides\"");
        let server: Facts = account.server.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let known = [("group:Tour \"Guides\"".to_owned(), Value::text("g1"))];
        let account = Account { server: std::sync::Arc::new(server.into_iter().chain(known).collect()), ..account };
        let change = Change { attribute, before: Value::Empty, after: "member".into() };
        match bed.foresee(&account, &change).verdict {
            Verdict::Refuses { kind: RefusalKind::Unsupported, reason } => assert!(reason.contains(words), "{reason}"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_server_that_turns_us_away_is_understood_however_it_says_so() {
    for stranger in ["scim", "problem", "text"] {
        let bed = bed(json!({ "stranger": stranger }), crowd(1), json!([])).await;
        let wrong = line(&KIND, &bed.lab, "wrong-and-long-enough");
        match bed.connector.observe(&Wanted::default(), &wrong.reader()).await {
            Err(ConnectorError::Refused { refusal, .. }) => {
                assert_eq!((refusal.kind, refusal.status), (RefusalKind::Forbidden, Some(401)), "{stranger}");
            }
            other => panic!("{other:?}"),
        }
    }
    let bed = bed(json!({ "only_reads": true }), crowd(1), json!([])).await;
    let account = bed.account("1").await;
    let change = bed.change(&account, "nickname", &"x".into());
    let refusal = bed.carry_out(&account, &[change]).await.unwrap_err();
    assert_eq!((refusal.kind, refusal.status), (RefusalKind::Forbidden, Some(403)));
}

#[tokio::test]
async fn our_standing_and_our_own_account_are_told() {
    let bed = bed(json!({ "me": "p7" }), crowd(9), json!([])).await;
    let standing = bed.connector.standing(&bed.line.reader()).await.unwrap();
    assert_eq!((standing.server.as_str(), standing.we_are.as_str()), ("SCIM 2.0", "p7"));
    assert_eq!(standing.missing, Vec::<String>::new());
    let own = bed.connector.observe_self(&bed.line.reader()).await.unwrap();
    assert_eq!((ids(&own), own.server.get("credential")), (vec!["7"], Some(&"own".into())));
    bed.settings(&json!({ "me": null, "patch": false })).await;
    let standing = bed.connector.standing(&bed.line.reader()).await.unwrap();
    assert_eq!((standing.we_are.as_str(), standing.missing.len()), ("whomever the token is for", 1));
    assert!(matches!(
        bed.connector.observe_self(&bed.line.reader()).await,
        Err(ConnectorError::Refused { refusal, .. }) if refusal.kind == RefusalKind::Unsupported
    ));
}

#[tokio::test]
async fn the_way_of_changing_can_be_said_whatever_the_server_says() {
    for (update, method) in [("patch", "PATCH"), ("put", "PUT"), ("offered", "PATCH")] {
        let bed = bed_with(json!({ "update": update }), json!({}), vec![user("person", 7)], json!([])).await;
        let account = bed.account("7").await;
        let change = bed.change(&account, "nickname", &"x".into());
        let requests = bed.connector.calls(&account, std::slice::from_ref(&change)).unwrap();
        assert_eq!(requests.iter().map(|request| request.method.as_str()).collect::<Vec<_>>(), [method]);
        let shown = bed.carry_out(&account, std::slice::from_ref(&change)).await.unwrap();
        assert!(bed.holds(&shown, &change));
    }
    let bed = bed_with(json!({ "address_type": "home" }), json!({}), vec![user("person", 7)], json!([])).await;
    assert_eq!(bed.account("7").await.value(&"email".into()), "p7@home.example".into());
}
