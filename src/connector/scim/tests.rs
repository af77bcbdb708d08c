//! The pure parts of this folder: what is read of a resource, and what is sent.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value as Json, json};

use super::{
    resource::{self, WHOLE},
    server::{self, Told},
    settings::{Settings, Update},
    *,
};
use crate::model::capability::Verdict;

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

fn scim() -> Box<dyn Connector> {
    (KIND.open)(json!({})).unwrap()
}

fn read(user: &Json, server: &[(&str, Value)]) -> Account {
    let server: Facts = server.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    resource::account(&"app".into(), user, "work", &Arc::new(server)).unwrap()
}

fn sent(account: &Account, attribute: &str, after: impl Into<Value>) -> Request {
    let attribute = AttributeName::new(attribute);
    let change = Change { before: account.value(&attribute), attribute, after: after.into() };
    scim().calls(account, &[change]).unwrap().swap_remove(0)
}

fn operation(user: &Json, attribute: &str, after: impl Into<Value>) -> Json {
    sent(&read(user, &[]), attribute, after).body["Operations"][0].take()
}

#[test]
fn the_kind_opens_with_its_own_keys_only() {
    assert!((KIND.open)(json!({})).is_ok());
    assert!((KIND.open)(json!({ "update": "put", "address_type": "other" })).is_ok());
    assert!((KIND.open)(json!({ "update": "post" })).is_err());
    assert!((KIND.open)(json!({ "patch": true })).is_err());
    let schema = (KIND.schema)();
    let keys: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["update", "address_type"]);
}

#[test]
fn names_are_read_in_any_letter_case_and_truth_in_any_form() {
    let user = json!({
        "ID": "a/b", "USERNAME": "anna", "Active": "False", "NAME": { "givenname": "Anna", "FamilyName": null },
        "Emails": [{ "Type": "WORK", "Value": "a@example.org", "Primary": "True" }],
        ENTERPRISE.to_uppercase(): { "EmployeeNumber": 701_984, "Manager": "26118915" },
    });
    let account = read(&user, &[]);
    assert_eq!(account.id, Some("a/b".into()));
    for (name, value) in [
        ("username", Value::text("anna")),
        ("active", false.into()),
        ("first_name", "Anna".into()),
        ("last_name", Value::Empty),
        ("email", "a@example.org".into()),
        ("app.employee_number", "701984".into()),
        ("app.manager", "26118915".into()),
        ("phone", Value::Empty),
    ] {
        assert_eq!(account.attributes.get(&AttributeName::new(name)), Some(&value), "{name}");
    }
    let plain = json!({ "id": "7", "userName": "bea" });
    assert_eq!(read(&plain, &[]).value(&"active".into()), true.into(), "who has no switch is active");
    for nobody in
        [json!({ "id": "7" }), json!({ "id": "", "userName": "x" }), json!({ "id": 7, "userName": "x" }), json!([])]
    {
        assert_eq!(resource::account(&"app".into(), &nobody, "work", &Arc::default()), None, "{nobody}");
    }
}

#[test]
fn the_address_at_work_is_found_among_others_and_aimed_at_alone() {
    let email = |emails: Json| read(&json!({ "id": "7", "userName": "x", "emails": emails }), &[]);
    let one = |value: &str, kind: &str| json!({ "value": value, "type": kind });
    let first = |value: &str, kind: &str| json!({ "value": value, "type": kind, "primary": true });
    for (emails, held, place) in [
        (json!([one("h", "home"), one("w", "work")]), "w", "emails[type eq \"work\"]"),
        (json!([first("h", "home"), one("w", "Work")]), "w", "emails[type eq \"work\"]"),
        (json!([one("w", "work"), first("v", "work")]), "v", "emails[primary eq true]"),
        (json!([one("w\"", "work"), one("v", "work")]), "w\"", "emails[value eq \"w\\\"\"]"),
        (json!([one("h", "home"), { "value": "u" }]), "u", "emails[value eq \"u\"]"),
        (json!([one("h", "home"), first("o", "other")]), "o", "emails[primary eq true]"),
    ] {
        let account = email(emails.clone());
        assert_eq!(
            (account.value(&"email".into()), account.fact("place:email")),
            (held.into(), Some(place)),
            "{emails}"
        );
    }
    for private in [json!([one("h", "home")]), json!([{ "type": "work" }]), json!([]), json!(null)] {
        let account = email(private.clone());
        assert_eq!((account.value(&"email".into()), account.fact("place:email")), (Value::Empty, None), "{private}");
    }
    let phones = json!([first("m", "mobile")]);
    let account = read(&json!({ "id": "7", "userName": "x", "phoneNumbers": phones }), &[]);
    assert_eq!(account.value(&"phone".into()), Value::Empty, "a private number is not the one at work");
}

#[test]
fn each_attribute_is_an_operation_of_its_own() {
    let bare = json!({ "id": "7", "userName": "x" });
    let full = json!({ "id": "7", "userName": "x", "emails": [{ "value": "a@example.org", "type": "work" }] });
    let department = format!("{ENTERPRISE}:department");
    let manager = format!("{ENTERPRISE}:manager");
    for (user, attribute, after, expected) in [
        (&bare, "username", "y", json!({ "op": "replace", "path": "userName", "value": "y" })),
        (&bare, "first_name", "A", json!({ "op": "replace", "path": "name.givenName", "value": "A" })),
        (&bare, "first_name", "", json!({ "op": "remove", "path": "name.givenName" })),
        (&bare, "department", "T", json!({ "op": "replace", "path": department, "value": "T" })),
        (&bare, "app.manager", "8", json!({ "op": "replace", "path": manager, "value": { "value": "8" } })),
        (&bare, "app.manager", "", json!({ "op": "remove", "path": manager })),
        (
            &bare,
            "email",
            "a@b.c",
            json!({ "op": "add", "path": "emails", "value": [{ "value": "a@b.c", "type": "work" }] }),
        ),
        (
            &full,
            "email",
            "a@b.c",
            json!({ "op": "replace", "path": "emails[type eq \"work\"].value", "value": "a@b.c" }),
        ),
        (&full, "email", "", json!({ "op": "remove", "path": "emails[type eq \"work\"]" })),
    ] {
        assert_eq!(operation(user, attribute, after), expected, "{attribute}");
    }
    assert_eq!(operation(&bare, "active", false), json!({ "op": "replace", "path": "active", "value": false }));
}

#[test]
fn a_request_says_what_it_does_in_the_words_of_scim() {
    let account = read(&json!({ "id": "a/b", "userName": "x" }), &[("etag", true.into()), ("users", "/people".into())]);
    let request = sent(&account, "active", false);
    assert_eq!(
        (request.operation, request.method.as_str(), request.path.as_str()),
        (Operation::Disable, "PATCH", "/people/a%2Fb")
    );
    let expected = [
        ("accept", "application/scim+json, application/json"),
        ("content-type", "application/scim+json"),
        ("if-match", "*"),
    ];
    assert_eq!(request.headers, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    assert_eq!(sent(&account, "active", true).operation, Operation::Enable);
    assert_eq!(sent(&account, "nickname", "x").operation, Operation::Update);
    for id in ["..", "."] {
        let account = Account { id: Some(id.into()), ..account.clone() };
        let change = Change { attribute: "nickname".into(), before: Value::Empty, after: "x".into() };
        assert_eq!(scim().calls(&account, &[change]).unwrap_err().kind, RefusalKind::Invalid);
    }
}

#[test]
fn a_put_sends_everything_else_back_as_it_was() {
    let user = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": "7", "USERNAME": "x", "shoeSize": 42,
        "name": { "formatted": "X Y", "familyName": "Y" }, "emails": [{ "value": "h", "type": "home", "display": "H" }],
        "urn:example:ext": { "a": [1] }, "meta": { "version": "W/\"1\"" }, "groups": [{ "value": "g" }],
    });
    let account = read(&user, &[("patch", false.into())]);
    assert!(account.fact(WHOLE).is_some());
    assert_eq!(read(&user, &[]).fact(WHOLE), None);
    let changes: Vec<Change> =
        [("username", "z"), ("email", "w@x.example"), ("department", "T"), ("last_name", ""), ("app.manager", "8")]
            .iter()
            .map(|(name, after)| Change { attribute: (*name).into(), before: Value::Empty, after: Value::text(after) })
            .collect();
    let request = scim().calls(&account, &changes).unwrap().swap_remove(0);
    let expected = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE], "id": "7", "USERNAME": "z", "shoeSize": 42,
        "name": { "formatted": "X Y" },
        "emails": [{ "value": "h", "type": "home", "display": "H" }, { "value": "w@x.example", "type": "work" }],
        "urn:example:ext": { "a": [1] }, ENTERPRISE: { "department": "T", "manager": { "value": "8" } },
    });
    assert_eq!((request.method.as_str(), &request.body), ("PUT", &expected));
    // Without having seen the whole, nothing is sent.
    let unseen = Account { facts: Facts::new(), ..account };
    assert_eq!(scim().calls(&unseen, &changes).unwrap_err().kind, RefusalKind::Unavailable);
}

#[test]
fn a_new_account_begins_with_what_is_given_and_active() {
    let nobody = Account::absent("app".into(), Arc::default());
    let change =
        |name: &str, after: &str| Change { attribute: name.into(), before: Value::Empty, after: Value::text(after) };
    let request = scim()
        .calls(
            &nobody,
            &[
                change("username", "x"),
                change("email", "x@example.org"),
                change("department", "T"),
                change("phone", ""),
            ],
        )
        .unwrap()
        .swap_remove(0);
    let expected = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE], "active": true, "userName": "x",
        "emails": [{ "value": "x@example.org", "type": "work", "primary": true }], ENTERPRISE: { "department": "T" },
    });
    assert_eq!((request.method.as_str(), request.path.as_str(), &request.body), ("POST", "/Users", &expected));
    assert_eq!(scim().calls(&nobody, &[change("email", "x@example.org")]).unwrap_err().kind, RefusalKind::Invalid);
}

#[test]
fn a_server_that_tells_nothing_is_taken_for_what_the_rfc_asks_for() {
    let facts = Told::default().facts(&Settings::default());
    let expected = [
        ("cursor", Value::from(false)),
        ("etag", false.into()),
        ("filter", true.into()),
        ("groups", true.into()),
        ("groups_at", "/Groups".into()),
        ("patch", true.into()),
        ("users", "/Users".into()),
    ];
    assert_eq!(facts, expected.map(|(name, value)| (name.to_owned(), value)).into());
    let put = Settings { update: Update::Put, ..Settings::default() };
    assert_eq!(Told::default().facts(&put).get("patch"), Some(&false.into()));
}

#[test]
fn what_a_server_tells_of_itself_decides() {
    let attribute = |name: &str, mutability: &str| json!({ "name": name, "mutability": mutability, "type": "string" });
    let told = Told {
        config: Some(json!({ "PATCH": { "Supported": "False" }, "filter": { "supported": true }, "etag": {},
            "pagination": { "cursor": true } })),
        types: Some(
            json!([{ "name": "User", "endpoint": "https://x.example/scim/v2/people" }, { "id": "Other", "endpoint": "/o" }]),
        ),
        schemas: Some(json!({ "Resources": [{ "id": "URN:ietf:params:scim:schemas:core:2.0:USER", "attributes": [
            attribute("UserName", "readWrite"), attribute("title", "readOnly"), attribute("nickName", "immutable"),
            attribute("locale", "writeOnly"), { "name": "displayName", "required": true, "returned": "never" },
            { "name": "name", "subAttributes": [attribute("givenName", "readOnly"), { "name": "familyName", "required": true }] },
            { "name": "emails", "required": true, "subAttributes": [attribute("value", "readWrite")] },
        ] }] })),
    };
    let facts = told.facts(&Settings::default());
    // Nothing that counts is let go.
    let gist = |told: &Option<Json>| told.as_ref().map(server::gist);
    let short = Told { config: gist(&told.config), types: gist(&told.types), schemas: gist(&told.schemas) };
    assert_eq!(short.facts(&Settings::default()), facts);
    assert_eq!(short.types, Some(json!([{ "name": "User", "endpoint": "https://x.example/scim/v2/people" }])));
    let is = |name: &str| facts.get(name).cloned().unwrap_or_default();
    for (name, value) in [
        ("patch", Value::from(false)),
        ("filter", true.into()),
        ("etag", false.into()),
        ("cursor", true.into()),
        ("groups", false.into()),
        ("users", "/people".into()),
        ("is:username", Value::Empty),
        ("is:position", "read_only".into()),
        ("is:nickname", "immutable".into()),
        ("is:locale", "write_only".into()),
        ("is:display_name", "write_only".into()),
        ("is:first_name", "read_only".into()),
        ("is:last_name", Value::Empty),
        ("is:phone", "absent".into()),
        ("is:department", "absent".into()),
        ("is:external_id", Value::Empty),
        ("required:last_name", true.into()),
        ("required:email", true.into()),
        ("required:username", Value::Empty),
    ] {
        assert_eq!(is(name), value, "{name}");
    }
}

#[test]
fn a_schema_is_foreseen_by_how_a_change_would_be_sent() {
    let user = json!({ "id": "7", "userName": "x", "nickName": "n", "name": { "familyName": "Y" } });
    let verdict = |patch: bool, fact: (&str, Value), attribute: &str, after: &str| {
        let account = read(&user, &[("patch", patch.into()), (fact.0, fact.1)]);
        let attribute = AttributeName::new(attribute);
        let change = Change { before: account.value(&attribute), attribute, after: Value::text(after) };
        match scim().foresee(&account, &change).verdict {
            Verdict::Takes => "takes".to_owned(),
            Verdict::Refuses { kind, .. } => kind.to_string(),
            Verdict::Doomed { .. } => "doomed".to_owned(),
        }
    };
    for (fact, attribute, after, patched, put) in [
        (("is:position", Value::from("absent")), "position", "x", "unsupported", "doomed"),
        (("is:position", "read_only".into()), "position", "x", "unsupported", "doomed"),
        (("is:position", "write_only".into()), "position", "x", "doomed", "doomed"),
        (("is:position", "immutable".into()), "position", "x", "takes", "takes"),
        (("is:nickname", "immutable".into()), "nickname", "x", "unsupported", "unsupported"),
        (("is:nickname", "immutable".into()), "nickname", "n", "takes", "takes"),
        (("required:last_name", true.into()), "last_name", "", "unsupported", "invalid"),
        (("required:last_name", true.into()), "last_name", "x", "takes", "takes"),
        (("x", true.into()), "email", "nowhere", "invalid", "invalid"),
        (("x", true.into()), "app.groups", "member", "unsupported", "unsupported"),
        (("x", true.into()), "other.thing", "x", "unsupported", "unsupported"),
    ] {
        assert_eq!(verdict(true, fact.clone(), attribute, after), patched, "{attribute} {fact:?}");
        assert_eq!(verdict(false, fact.clone(), attribute, after), put, "{attribute} {fact:?}");
    }
}

#[test]
fn a_change_of_a_membership_aims_at_one_member() {
    let server = [("group:Guides", Value::text("g/1")), ("groups_at", "/Groups".into())];
    let account = read(&json!({ "id": "7\"", "userName": "x" }), &server);
    let change = |before: &str, after: &str| Change {
        attribute: AttributeName::member_of(&"app.groups".into(), "Guides"),
        before: Value::text(before),
        after: Value::text(after),
    };
    let bodies: BTreeMap<&str, Json> = [("member", ""), ("", "member")]
        .iter()
        .map(|(before, after)| {
            let request = scim().calls(&account, &[change(before, after)]).unwrap().swap_remove(0);
            assert_eq!((request.method.as_str(), request.path.as_str()), ("PATCH", "/Groups/g%2F1"));
            (*after, request.body["Operations"].clone())
        })
        .collect();
    assert_eq!(bodies["member"], json!([{ "op": "add", "path": "members", "value": [{ "value": "7\"" }] }]));
    assert_eq!(bodies[""], json!([{ "op": "remove", "path": "members[value eq \"7\\\"\"]" }]));
    assert_eq!(scim().calls(&account, &[change("member", "member")]), Ok(vec![]));
}
