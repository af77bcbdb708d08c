//! Operations on an account of ZITADEL: what is said of each beforehand, in every state and on every interface, and what
//! the simulator then really answers and holds (`zitadel.md` 7).
//!
//! What the connector would not send is sent all the same, past it: a no that nobody ever tried proves nothing.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::*;

/// One operation with its arguments.
struct Deed {
    operation: &'static str,
    /// What the arguments are like.
    like: &'static str,
    arguments: BTreeMap<String, Value>,
}

impl Deed {
    fn new(operation: &'static str, like: &'static str, arguments: &[(&str, &str)]) -> Self {
        let arguments = arguments.iter().map(|(name, text)| ((*name).to_owned(), Value::text(text))).collect();
        Self { operation, like, arguments }
    }

    fn argument(&self, name: &str) -> &str {
        self.arguments.get(name).and_then(Value::as_text).unwrap_or_default()
    }

    /// The fields of the simulator that it may change.
    fn fields(&self) -> &'static [&'static str] {
        if self.operation.ends_with("lock") { &["state"] } else { &["metadata"] }
    }

    /// What the user has of those fields when it is done.
    fn done(&self, user: &Json) -> Json {
        let mut metadata = user["metadata"].clone();
        match self.operation {
            "lock" => return json!({ "state": "locked" }),
            "unlock" => return json!({ "state": "active" }),
            "set_metadata" => metadata[self.argument("key")] = self.argument("value").into(),
            _ => {
                metadata.as_object_mut().unwrap().remove(self.argument("key"));
            }
        }
        json!({ "metadata": metadata })
    }
}

fn deeds() -> Vec<Deed> {
    let set = |like, key: &str, value: &str| Deed::new("set_metadata", like, &[("key", key), ("value", value)]);
    let delete = |like, key: &str| Deed::new("delete_metadata", like, &[("key", key)]);
    vec![
        Deed::new("lock", "", &[]),
        Deed::new("unlock", "", &[]),
        set("new", "team", "ops"),
        set("changed", "source", "website"),
        set("same", "source", "hr"),
        set("other case", "Source", "hr"),
        set("beyond ASCII", "schlüssel", "grün ✓"),
        set("address", "https://example.com/claim?x=1&y=%2F#z", "{\"a\": [1]}"),
        set("slash", "a/b", "y"),
        set("colon", ":a", "y"),
        set("word of an address", "_bulk", "y"),
        set("dots", "..", "y"),
        set("blank", " ", " "),
        set("longest key", &long("ü", 200), "y"),
        set("too long key", &long("ü", 201), "y"),
        set("empty key", "", "y"),
        set("empty value", "team", ""),
        delete("there", "source"),
        delete("not there", "team"),
        delete("other case", "Source"),
        delete("slash", "a/b"),
        delete("word of an address", "_bulk"),
        delete("too long key", &long("ü", 201)),
        delete("empty key", ""),
    ]
}

/// The arguments that every kind of account meets; the others are shown to the first kind only, since what is wrong with
/// them does not depend on whose they are.
const WITH_ALL: &[&str] = &["", "new", "same", "changed", "too long key", "there", "not there"];

/// How the server itself tells a refusal of this kind: by status and code.
fn answer_of(kind: RefusalKind) -> (u16, u64) {
    match kind {
        RefusalKind::Invalid => (400, 3),
        // Of operations the connector calls so what an account's state does not allow.
        RefusalKind::Unsupported => (400, 9),
        other => panic!("{other} is not foreseen of an operation"),
    }
}

fn call(bed: &Bed, account: &Account, operation: &str, request: Request) -> Call {
    let number = bed.calls.fetch_add(1, Ordering::Relaxed) + 1;
    Call {
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
    }
}

async fn perform(bed: &Bed, call: &Call) -> Result<Account, Refusal> {
    let mut writer = bed.line.writer(&bed.store, bed.run, call);
    bed.connector.perform(call, &mut writer).await
}

/// The request that the connector would not make: as for an account of which it would think nothing bad, and where it is
/// the arguments that it minds, with those put in the place of others.
fn forced(bed: &Bed, account: &Account, deed: &Deed) -> Request {
    let mut plain = account.clone();
    let state = if deed.operation == "unlock" { "locked" } else { "active" };
    plain.facts.insert("state".to_owned(), state.into());
    let operation = |arguments: &BTreeMap<String, Value>| bed.connector.operation(&plain, deed.operation, arguments);
    operation(&deed.arguments).unwrap_or_else(|_| {
        let stand_in = |name: &String| (name.clone(), Value::text(&format!("stand-in for {name}")));
        let mut request = operation(&deed.arguments.keys().map(stand_in).collect()).unwrap();
        for name in deed.arguments.keys() {
            let (old, new) = (format!("stand-in for {name}"), deed.argument(name));
            let (old, new) =
                if name == "value" { (STANDARD.encode(old), STANDARD.encode(new)) } else { (old, new.to_owned()) };
            assert_eq!(replace(&mut request.body, &old, &new), 1, "`{old}` does not stand in {request:?}");
        }
        request
    })
}

/// What a user of the simulator has in these fields.
fn part(dump: &Json, user: &str, fields: &[&str]) -> Json {
    fields.iter().map(|field| ((*field).to_owned(), dump["users"][user][*field].clone())).collect()
}

/// Does it, or what the connector would not do; true where it was done.
async fn compared(bed: &Bed, account: &Account, deed: &Deed, what: &str) -> bool {
    let user = account.id.clone().unwrap();
    let before = bed.dump().await;
    let request = match bed.connector.operation(account, deed.operation, &deed.arguments) {
        Ok(request) => request,
        Err(refusal) => {
            let call = call(bed, account, deed.operation, forced(bed, account, deed));
            let mut writer = bed.line.writer(&bed.store, bed.run, &call);
            let reply = writer.send().await.unwrap();
            let code = match &reply.json().unwrap()["code"] {
                Json::String(word) if word == "invalid_argument" => 3,
                code => code.as_u64().unwrap_or_default(),
            };
            assert_eq!((reply.status, code), answer_of(refusal.kind), "{what}: {refusal}");
            assert_eq!(bed.dump().await, before, "{what}: {refusal}");
            return false;
        }
    };
    assert_eq!((request.operation, request.replay), (Operation::Perform, Replay::Repeat), "{what}");
    let call = call(bed, account, deed.operation, request);
    let shown = perform(bed, &call).await.unwrap_or_else(|refusal| panic!("{what}: {refusal}"));
    let after = bed.dump().await;
    let fields = deed.fields();
    assert_eq!(part(&after, user.as_str(), fields), deed.done(&before["users"][user.as_str()]), "{what}");
    // The account that is shown is the one that is held; no operation changes more of it than whether it is active.
    let held = after["users"][user.as_str()]["state"].as_str().unwrap();
    let mut attributes = account.attributes.clone();
    attributes.insert(AttributeName::new("active"), ["active", "initial", "locked"].contains(&held).into());
    let seen = |shown: &Account| {
        assert_eq!((&shown.id, shown.fact("state")), (&account.id, Some(held)), "{what}");
        assert_eq!(shown.attributes, attributes, "{what}");
    };
    seen(&shown);
    let others = |dump: &Json| rest(dump.clone(), user.as_str(), fields);
    assert_eq!(others(&after), others(&before), "{what}");
    // Once more, as after an answer that was lost.
    let again = perform(bed, &call).await.unwrap_or_else(|refusal| panic!("{what}, again: {refusal}"));
    seen(&again);
    let all = |dump: Json| rest(dump, user.as_str(), &[]);
    assert_eq!(all(bed.dump().await), all(after), "{what}, again");
    true
}

/// Users of this kind with something noted of them.
fn noted(kind: &str, count: u64) -> Vec<Json> {
    let one = |number| {
        let mut user = user(kind, number);
        user["metadata"] = json!({ "source": "hr", "a/b": "x" });
        user
    };
    (1..=count).map(one).collect()
}

#[tokio::test]
async fn zitadel_does_of_operations_what_was_foreseen() {
    for server in SERVERS {
        // An older way that a release still has is sent the same as where it is the only one.
        let first = server.api == "auto";
        let (mut done, mut refused) = (0, 0);
        for kind in ACCOUNTS {
            let mut deeds = deeds();
            deeds.retain(|deed| first && *kind == "active" || WITH_ALL.contains(&deed.like));
            let users = noted(kind, deeds.len() as u64);
            let bed = bed(server, Some(home(kind)), json!({}), users).await;
            let accounts = bed.accounts((1..=deeds.len() as u64).map(|number| id(number).as_str().into())).await;
            for (account, deed) in accounts.values().zip(&deeds) {
                let what = format!("{}: {kind}, {} {}", server.name, deed.operation, deed.like);
                *(if compared(&bed, account, deed, &what).await { &mut done } else { &mut refused }) += 1;
            }
        }
        // Refused are the locking of two kinds, the unlocking of six, and the faulty arguments.
        assert_eq!((done, refused), if first { (53, 25) } else { (41, 22) }, "{}", server.name);
    }
}

#[tokio::test]
async fn the_longest_value_is_taken_and_a_longer_one_is_not() {
    for server in SERVERS {
        let bed = bed(server, Some("org1"), json!({}), noted("active", 2)).await;
        for (number, count, taken) in [(1, 500_000, true), (2, 500_001, false)] {
            let account = bed.account(&id(number)).await;
            let deed = Deed::new("set_metadata", "", &[("key", "k"), ("value", &long("x", count))]);
            assert_eq!(compared(&bed, &account, &deed, server.name).await, taken, "{}: {count}", server.name);
        }
    }
}

#[tokio::test]
async fn what_happened_between_the_plan_and_the_call_decides() {
    for server in SERVERS {
        for (operation, planned, now, met) in [
            ("lock", "active", "locked", Ok("locked")),
            ("lock", "active", "initial", Ok("locked")),
            ("lock", "active", "inactive", Err((RefusalKind::Unsupported, "inactive"))),
            ("unlock", "locked", "active", Ok("active")),
            ("unlock", "locked", "inactive", Err((RefusalKind::Unsupported, "inactive"))),
            ("unlock", "locked", "initial", Err((RefusalKind::Unsupported, "initial"))),
        ] {
            let what = format!("{}: {operation}, {now}", server.name);
            let bed = bed(server, Some("org1"), json!({}), noted(planned, 1)).await;
            let account = bed.account(&id(1)).await;
            let request = bed.connector.operation(&account, operation, &BTreeMap::new()).unwrap();
            let call = call(&bed, &account, operation, request);
            bed.meddle(&id(1), &json!({ "state": now })).await;
            let told = perform(&bed, &call).await;
            let state = bed.dump().await["users"][id(1)]["state"].clone();
            let (wanted, refused) = match met {
                Ok(state) => (state, None),
                Err((kind, state)) => (state, Some((kind, Some(400)))),
            };
            let told = told.map(|account| assert_eq!(account.fact("state"), Some(wanted), "{what}"));
            assert_eq!(told.err().map(|refusal| (refusal.kind, refusal.status)), refused, "{what}");
            assert_eq!(state, wanted, "{what}");
        }
        for deed in deeds().iter().filter(|deed| ["", "new", "there"].contains(&deed.like)) {
            let what = format!("{}: {} of somebody who is gone", server.name, deed.operation);
            let planned = if deed.operation == "unlock" { "locked" } else { "active" };
            let bed = bed(server, Some("org1"), json!({}), noted(planned, 1)).await;
            let account = bed.account(&id(1)).await;
            let request = bed.connector.operation(&account, deed.operation, &deed.arguments).unwrap();
            let call = call(&bed, &account, deed.operation, request);
            bed.meddle(&id(1), &json!({ "state": "deleted" })).await;
            assert_eq!(perform(&bed, &call).await.unwrap_err().kind, RefusalKind::NotFound, "{what}");
        }
    }
}

#[tokio::test]
async fn an_operation_without_the_right_to_it_is_forbidden_and_changes_nothing() {
    for server in SERVERS {
        for deed in deeds().iter().filter(|deed| ["", "new", "there"].contains(&deed.like)) {
            let mut users = noted(if deed.operation == "unlock" { "locked" } else { "active" }, 1);
            users.push(json!({ "id": "weak", "username": "weak", "machine": true }));
            let seed = json!({
                "settings": { "version": server.version }, "users": users,
                "tokens": [{ "user": "weak", "roles": ["ORG_OWNER_VIEWER"], "token": "weak-token" }],
            });
            let options = json!({ "api": server.api });
            let bed = Bed::made(Bedding { kind: &KIND, options, token_kind: "personal", seed, leader: None }).await;
            let account = bed.account(&id(1)).await;
            let before = bed.dump().await;
            let weak = Bed { line: line(&KIND, &bed.lab, "weak-token"), ..bed };
            let request = weak.connector.operation(&account, deed.operation, &deed.arguments).unwrap();
            let call = call(&weak, &account, deed.operation, request);
            let refusal = perform(&weak, &call).await.unwrap_err();
            let what = format!("{}: {}", server.name, deed.operation);
            assert_eq!((refusal.kind, refusal.status), (RefusalKind::Forbidden, Some(403)), "{what}");
            assert_eq!(weak.dump().await, before, "{what}");
        }
    }
}

/// As with switching it off, nothing tells that it is ours, and afterwards no second look is possible any more.
#[tokio::test]
async fn locking_the_service_user_we_are_is_taken_and_ends_our_token() {
    for version in ["4.13.0", "3.2.1", "2.71.0"] {
        let own = json!({ "id": "ours", "username": "homeward-service", "machine": true });
        let seed = json!({ "settings": { "version": version }, "users": [own] });
        let bed =
            Bed::made(Bedding { kind: &KIND, options: json!({}), token_kind: "personal", seed, leader: None }).await;
        let account = bed.account("ours").await;
        let request = bed.connector.operation(&account, "lock", &BTreeMap::new()).unwrap();
        let call = call(&bed, &account, "lock", request);
        let refusal = perform(&bed, &call).await.unwrap_err();
        assert_eq!((refusal.kind, refusal.status), (RefusalKind::Forbidden, Some(401)), "{version}");
        assert_eq!(bed.dump().await["users"]["ours"]["state"], "locked", "{version}");
    }
}
