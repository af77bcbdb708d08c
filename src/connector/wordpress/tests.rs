//! The connector against recordings of a real WordPress, and against a site that misbehaves.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::{Value as Json, json};

use super::{
    served::{Asked, PASSWORD, Served, Told, crowd, recorded, user},
    *,
};
use crate::model::{
    account::Facts,
    capability::{Foresight, Replay},
    id::PersonId,
    plan::Operation,
};

fn wordpress() -> Box<dyn Connector> {
    (KIND.open)(json!({ "username": "homeward" })).unwrap()
}

fn wanted(ids: &[&str], usernames: &[&str], emails: &[&str]) -> Wanted {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<BTreeSet<_>>().into();
    Wanted {
        ids: ids.iter().map(|id| (*id).into()).collect(),
        holding: BTreeMap::from([("username".into(), texts(usernames)), ("email".into(), texts(emails))]),
        ..Wanted::default()
    }
}

async fn observed(served: &Served, wanted: &Wanted) -> Result<Observed, ConnectorError> {
    wordpress().observe(wanted, &served.line().reader()).await
}

/// The ids of the accounts that are shown.
async fn shown(served: &Served, wanted: &Wanted) -> Vec<String> {
    let mut ids: Vec<u64> = observed(served, wanted)
        .await
        .unwrap()
        .accounts
        .iter()
        .map(|account| account.id().unwrap().parse().unwrap())
        .collect();
    ids.sort_unstable();
    ids.iter().map(u64::to_string).collect()
}

fn refused(error: ConnectorError) -> Refusal {
    match error {
        ConnectorError::Refused { refusal, .. } => refusal,
        other => panic!("{other}"),
    }
}

/// What a site says of us.
fn me(roles: &Json, capabilities: &Json) -> Told {
    let me = json!({ "id": 3, "username": "Homeward", "email": "h@example.org", "roles": roles,
        "capabilities": capabilities });
    Told::json(200, &me)
}

/// Understood as a no: kind, status and the word of WordPress's.
fn no(name: &str) -> (RefusalKind, Option<u16>, Option<String>) {
    let response = recorded(name)["response"].take();
    let status = u16::try_from(response["status"].as_u64().unwrap()).unwrap();
    let body = Some(response["body"].clone()).filter(|body| !body.is_null());
    let refusal = reply::refusal(&Answer { status, body, pause: None });
    (refusal.kind, refusal.status, refusal.code)
}

fn call(path: &str, body: Json) -> Call {
    Call {
        id: "c1".into(),
        system: "website".into(),
        person: PersonId::parse("hr/1").unwrap(),
        account: Some("5".into()),
        operation: Operation::Update,
        performs: None,
        method: "POST".to_owned(),
        path: path.to_owned(),
        headers: BTreeMap::new(),
        body,
        generated: Vec::new(),
        expects: BTreeMap::new(),
        intends: BTreeMap::new(),
        replay: Replay::Repeat,
        after: Vec::new(),
    }
}

/// What is made of an answer to a change of account 5.
async fn settled(answer: Told, users: Vec<Json>) -> (Result<Account, Refusal>, Vec<String>) {
    let served = Served::site(users, move |asked| asked.query.contains_key("the_call").then(|| answer.clone()));
    let line = served.line();
    let path = "/wp-json/wp/v2/users/5";
    let reply = line.reader().get(path, &[("the_call", "")]).await.unwrap();
    let outcome = settle(&call(path, json!({})), &reply, line.reader()).await;
    (outcome, served.paths())
}

#[test]
fn the_kind_opens_with_a_login_and_its_own_keys_only() {
    assert!((KIND.open)(json!({ "username": "homeward" })).is_ok());
    assert!((KIND.open)(json!({})).is_err());
    assert!((KIND.open)(json!({ "username": "homeward", "user": "x" })).is_err());
    let schema = (KIND.schema)();
    let keys: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["username", "meta", "coverage"]);
    assert_eq!((&schema["required"], &schema["additionalProperties"]), (&json!(["username"]), &json!(false)));
}

#[test]
fn names_are_compared_in_one_line_and_everything_else_as_it_is() {
    let stored = |name: &str, value: &str| wordpress().normalize(&name.into(), &value.into());
    for name in ["display_name", "first_name", "last_name", "nickname"] {
        assert_eq!(stored(name, " Anna  Maria\n"), "Anna Maria".into(), "{name}");
        assert_eq!(stored(name, " "), Value::Empty, "{name}");
        // What would be harmed is told, not mended in silence.
        assert_eq!(stored(name, "<b>Anna</b>"), "<b>Anna</b>".into(), "{name}");
    }
    assert_eq!(stored("website.url", " https://example.org "), "https://example.org".into());
    // Addresses keep their letter case there.
    assert_eq!(stored("email", "Anna@Example.ORG"), "Anna@Example.ORG".into());
    assert_eq!(stored("locale", "de_DE"), "de_DE".into());
}

#[test]
fn a_recorded_user_is_read_with_all_it_shows() {
    let server = Arc::new(Facts::from([("interface".to_owned(), "pretty".into())]));
    let read = |name: &str| {
        let body = recorded(name)["response"]["body"].take();
        reply::account(&"website".into(), &body, &server)
    };
    let expected = Account {
        system: "website".into(),
        id: Some("5".into()),
        attributes: [
            ("username", Value::text("wdvorak")),
            ("email", Value::text("wladyslaw.dvorak@example.org")),
            ("display_name", Value::text("Władysław Dvorak")),
            ("first_name", Value::text("Władysław")),
            ("last_name", Value::text("Dvorak")),
            ("nickname", Value::text("wdvorak")),
            ("locale", Value::text("en_US")),
            ("active", true.into()),
            ("website.url", Value::Empty),
        ]
        .map(|(name, value)| (AttributeName::new(name), value))
        .into(),
        facts: Facts::from([("roles".to_owned(), "subscriber".into()), ("is_admin".to_owned(), false.into())]),
        identities: Vec::new(),
        server: Arc::clone(&server),
    };
    assert_eq!(read("user-one"), Some(expected));
    let me = read("me-edit").unwrap();
    assert!(me.is("is_admin"));
    assert_eq!((me.fact("roles"), me.value(&"first_name".into())), (Some("administrator"), Value::Empty));
    let (no_email, no_role) = (read("user-no-email").unwrap(), read("user-no-role").unwrap());
    assert_eq!(no_email.attributes.get(&"email".into()), Some(&Value::Empty));
    // What was not asked for is not known.
    assert_eq!(no_email.attributes.get(&"display_name".into()), None);
    assert_eq!((no_role.fact("roles"), no_role.is("is_admin")), (None, false));
    // Without the roles it is not the form for editors.
    assert_eq!(read("user-entities"), None);
    let mut entities = recorded("user-entities")["response"]["body"].take();
    entities["roles"] = json!({ "0": "editor", "2": "administrator" });
    let entities = reply::account(&"website".into(), &entities, &server).unwrap();
    assert_eq!(entities.value(&"display_name".into()), "R&D Test".into());
    assert_eq!((entities.fact("roles"), entities.is("is_admin")), (Some("editor administrator"), true));
}

#[test]
fn every_recorded_user_of_both_versions_is_read() {
    for (name, count) in [("users-full-page1", 20), ("users-full-page2", 20), ("wp61-users-page1", 5)] {
        let body = recorded(name)["response"]["body"].take();
        let users = body.as_array().unwrap();
        let read = users.iter().filter_map(|user| reply::account(&"website".into(), user, &Arc::default()));
        let held: Vec<usize> = read.map(|account| account.attributes.len()).collect();
        assert_eq!(held, vec![CAPABILITIES.attributes.len(); count], "{name}");
    }
}

#[test]
fn every_recorded_no_is_understood_by_its_status_and_code() {
    use RefusalKind::{Forbidden, Invalid, NotFound, Taken, Unavailable, Unsupported};
    for (name, kind, status, code) in [
        ("email-duplicate-400", Taken, 400, "rest_user_invalid_email"),
        ("email-duplicate-case-400", Taken, 400, "rest_user_invalid_email"),
        ("email-empty-400", Invalid, 400, "rest_invalid_param"),
        ("email-invalid-400", Invalid, 400, "rest_invalid_param"),
        ("username-change-400", Unsupported, 400, "rest_user_invalid_argument"),
        ("username-case-400", Unsupported, 400, "rest_user_invalid_argument"),
        ("wp61-username-change-400", Unsupported, 400, "rest_user_invalid_argument"),
        ("invalid-json-400", Invalid, 400, "rest_invalid_json"),
        ("role-unknown-400", Invalid, 400, "rest_user_invalid_role"),
        ("users-orderby-bogus-400", Invalid, 400, "rest_invalid_param"),
        ("wrong-password-me-401", Forbidden, 401, "rest_not_logged_in"),
        ("plain-http-production-me-401", Forbidden, 401, "rest_not_logged_in"),
        ("wrong-password-list-edit-401", Forbidden, 401, "rest_forbidden_context"),
        ("list-editor-403", Forbidden, 403, "rest_forbidden_context"),
        ("get-one-listusers-only-403", Forbidden, 403, "rest_forbidden_context"),
        ("user-404", NotFound, 404, "rest_user_invalid_id"),
        ("route-404", Unsupported, 404, "rest_no_route"),
        ("method-404", Unsupported, 404, "rest_no_route"),
        ("create-duplicate-email-500", Taken, 500, "existing_user_email"),
        ("create-duplicate-login-500", Taken, 500, "existing_user_login"),
        ("delete-no-force-501", Unsupported, 501, "rest_trash_not_supported"),
        ("database-down-500", Unavailable, 500, "wp_die"),
        ("maintenance-503", Unavailable, 503, "wp_die"),
    ] {
        assert_eq!(no(name), (kind, Some(status), Some(code.to_owned())), "{name}");
    }
    for (name, status) in [
        ("database-down-500-plain-accept", 500),
        ("maintenance-503-plain-accept", 503),
        ("plain-permalinks-pretty-route-301", 301),
    ] {
        assert_eq!(no(name), (Unavailable, Some(status), None), "{name}");
    }
}

#[test]
fn a_no_names_attributes_in_our_words_and_no_text_of_the_answer() {
    let understood = |status: u16, body: Json| reply::refusal(&Answer { status, body: Some(body), pause: None });
    let params = json!({ "email": "Ungültig: anna@", "locale": "x", "name": "y", "per_page": "z" });
    let told =
        understood(400, json!({ "code": "rest_invalid_param", "message": "Anna", "data": { "params": params } }));
    assert_eq!(
        told.reason,
        "WordPress does not accept `email`, `locale`, `display_name`: the language has to be installed there first"
    );
    for (status, code, kind, words) in [
        (401, "incorrect_password", RefusalKind::Forbidden, "not with this application password"),
        (401, "invalid_username", RefusalKind::Forbidden, "the login in `username`"),
        (429, "too_many", RefusalKind::RateLimited, "too many requests"),
        (403, "rest_cannot_edit", RefusalKind::Forbidden, "`edit_users`"),
        (418, "teapot", RefusalKind::Invalid, "(418)"),
        (302, "x", RefusalKind::Unavailable, "`url` must be the address"),
        (200, "x", RefusalKind::Unavailable, "not WordPress's own"),
    ] {
        let told = understood(status, json!({ "code": code, "message": "Anna Müller" }));
        assert_eq!(told.kind, kind, "{status} {code}");
        assert!(told.reason.contains(words), "{}", told.reason);
    }
    // A text where a word should be is no code.
    assert_eq!(understood(400, json!({ "code": "Anna Müller" })).code, None);
}

#[tokio::test]
async fn the_account_is_what_the_answer_shows_even_where_it_is_not_what_was_asked() {
    let mut old = recorded("email-change-200")["response"]["body"].take();
    old["email"] = json!("old@example.org");
    let (outcome, paths) = settled(Told::json(200, &old), crowd(9)).await;
    let account = outcome.unwrap();
    assert_eq!(account.id, Some("5".into()));
    assert_eq!(account.value(&"email".into()), "old@example.org".into());
    assert_eq!(paths.len(), 1);
    let (outcome, _) = settled(Told::recorded("name-change-200"), crowd(9)).await;
    assert_eq!(outcome.unwrap().value(&"display_name".into()), "Władysław Dvorak-Novák".into());
}

#[tokio::test]
async fn an_answer_that_shows_no_account_is_followed_by_a_second_look() {
    for odd in [Told::page(200), Told::json(200, &json!([])), Told::json(200, &user(6, "user6", "user6@example.org"))] {
        let (outcome, paths) = settled(odd, crowd(9)).await;
        assert_eq!(outcome.unwrap().value(&"username".into()), "user5".into());
        assert_eq!(paths.len(), 2);
    }
    let (outcome, _) = settled(Told::page(200), crowd(4)).await;
    assert_eq!(outcome.unwrap_err().kind, RefusalKind::NotFound);
    let (outcome, _) = settled(Told::recorded("username-change-400"), crowd(9)).await;
    assert_eq!(outcome.unwrap_err().kind, RefusalKind::Unsupported);
}

#[tokio::test]
async fn every_request_carries_login_and_password_and_the_wish_for_json() {
    let served = Served::site(crowd(9), |_| None);
    observed(&served, &wanted(&["5"], &["user6"], &[])).await.unwrap();
    let asked = served.asked();
    assert_eq!(asked.len(), 2);
    for Asked { method, path, query, headers, body } in &asked {
        // homeward:abcdEFGH1234ijklMNOP5678
        assert_eq!(headers["authorization"], "Basic aG9tZXdhcmQ6YWJjZEVGR0gxMjM0aWprbE1OT1A1Njc4");
        assert_eq!(headers["accept"], "application/json");
        assert_eq!((method.as_str(), body), ("GET", &Json::Null));
        assert_eq!(query.get("context").map(String::as_str), Some("edit"), "{path}");
    }
}

#[tokio::test]
async fn what_we_sign_in_with_is_taken_out_of_answers_that_repeat_it() {
    let pair = "aG9tZXdhcmQ6YWJjZEVGR0gxMjM0aWprbE1OT1A1Njc4";
    let password: String = PASSWORD.split(' ').collect();
    let echo = json!({ "code": format!("{pair} {password}") });
    let header = format!("Basic {pair} {password}");
    let served = Served::answering(move |_| Told::json(400, &echo).with("X-Echo", &header));
    let line = served.line();
    let reply = line.reader().get("/wp-json", &[]).await.unwrap();
    assert_eq!(reply.json().unwrap(), json!({ "code": "[a token] [a token]" }));
    assert_eq!(reply.headers["x-echo"], "Basic [a token] [a token]");
    assert!(!format!("{line:?}").contains(&password));
}

#[tokio::test]
async fn accounts_are_found_by_id_login_and_address_whatever_the_letter_case() {
    let mut users = crowd(1000);
    users[6]["email"] = json!("R&amp;D@Example.org");
    let served = Served::site(users, |_| None);
    assert_eq!(
        shown(&served, &wanted(&["3", "9999"], &["USER2"], &["user4@EXAMPLE.org", "nobody@example.org"])).await,
        ["2", "3", "4"]
    );
    let searched = served.asked().iter().filter(|asked| asked.query.contains_key("search")).count();
    // `user2` is part of more than a hundred, which is a second page.
    assert_eq!(searched, 4);
    // `user2` is part of `user20`, which is not who was meant; and `&` is kept as an entity there.
    assert_eq!(shown(&served, &wanted(&[], &[], &["r&d@example.org"])).await, ["7"]);
    assert_eq!(shown(&served, &wanted(&[], &[], &[])).await, Vec::<String>::new());
    // No id that WordPress could have given.
    assert_eq!(shown(&served, &wanted(&["../5", "", "05"], &[], &[])).await, Vec::<String>::new());
}

#[tokio::test]
async fn what_cannot_be_searched_for_is_found_by_reading_everybody() {
    let mut users = crowd(250);
    users[149]["last_name"] = json!("Müller");
    let served = Served::site(users, |_| None);
    let mut everybody = wanted(&["250", "9000"], &[], &[]);
    everybody.holding.insert("last_name".into(), BTreeSet::from(["MÜLLER".to_owned()]).into());
    assert_eq!(shown(&served, &everybody).await, ["150", "250"]);
    let pages: BTreeSet<String> = served.asked().iter().filter_map(|asked| asked.query.get("page").cloned()).collect();
    assert_eq!(pages, ["1", "2", "3"].map(str::to_owned).into());
}

#[tokio::test]
async fn many_are_asked_for_in_batches_and_as_many_as_fill_more_pages_than_there_are_by_reading_all() {
    let ids: Vec<String> = (1..=150).map(|id| id.to_string()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let served = Served::site(crowd(1000), |_| None);
    assert_eq!(shown(&served, &wanted(&ids, &[], &[])).await.len(), 150);
    let included = served.asked().iter().filter(|asked| asked.query.contains_key("include")).count();
    assert_eq!((included, served.asked().len()), (2, 4));

    let served = Served::site(crowd(150), |_| None);
    assert_eq!(shown(&served, &wanted(&ids, &["user1", "user2"], &[])).await.len(), 150);
    assert!(served.asked().iter().all(|asked| !asked.query.contains_key("include")));
}

#[tokio::test]
async fn a_list_with_holes_is_no_list_and_a_list_that_moves_is_read_again() {
    // Always one row less than is counted: not everybody may be edited.
    let served = Served::site(crowd(120), |asked| {
        let is_second = asked.query.get("page").map(String::as_str) == Some("2");
        is_second.then(|| Told::rows(&crowd(120)[100..119], 120))
    });
    let mut everybody = wanted(&[], &[], &[]);
    everybody.holding.insert("first_name".into(), BTreeSet::from(["x".to_owned()]).into());
    let error = observed(&served, &everybody).await.unwrap_err();
    assert!(matches!(&error, ConnectorError::Strange { what, .. } if what.contains("do not add up")), "{error}");
    assert_eq!(served.asked().iter().filter(|asked| asked.query.contains_key("page")).count(), 6);

    // Somebody is deleted between two pages of the first walk, so that another slips through.
    let mut walks = 0;
    let served = Served::site(crowd(119), move |asked| {
        let page = asked.query.get("page")?;
        walks += usize::from(page == "1");
        let first = Told::rows(&crowd(120)[..100], 120);
        (walks == 1 && page == "1").then_some(first)
    });
    everybody.ids = BTreeSet::from(["101".into()]);
    assert_eq!(shown(&served, &everybody).await, ["101"]);
}

#[tokio::test]
async fn a_page_shown_twice_is_not_taken_for_two() {
    let served = Served::site(crowd(200), |asked| {
        let is_second = asked.query.get("page").map(String::as_str) == Some("2");
        is_second.then(|| Told::rows(&crowd(100), 200))
    });
    let mut everybody = wanted(&[], &[], &[]);
    everybody.holding.insert("first_name".into(), BTreeSet::from(["x".to_owned()]).into());
    assert!(matches!(observed(&served, &everybody).await, Err(ConnectorError::Strange { .. })));
}

#[tokio::test]
async fn a_number_of_users_that_no_site_has_costs_a_few_questions_and_nothing_else() {
    for total in ["18446744073709551615", "1000000000"] {
        let served = Served::site(crowd(200), move |asked| {
            let is_list = asked.query.contains_key("page");
            is_list.then(|| Told::rows(&crowd(100), 100).with("X-WP-Total", total))
        });
        let mut everybody = wanted(&[], &[], &[]);
        everybody.holding.insert("first_name".into(), BTreeSet::from(["x".to_owned()]).into());
        let error = observed(&served, &everybody).await.unwrap_err();
        assert!(matches!(&error, ConnectorError::Strange { what, .. } if what.contains("do not add up")), "{error}");
        assert!(served.asked().len() < 50, "{total}: {}", served.asked().len());
    }
}

#[tokio::test]
async fn nobody_is_gone_before_wordpress_says_so() {
    let forgetful = |asked: &Asked| asked.query.contains_key("include").then(|| Told::rows(&[], 0));
    let served = Served::site(crowd(9), forgetful);
    assert_eq!(shown(&served, &wanted(&["4", "77"], &[], &[])).await, ["4"]);
    // Any other answer than that there is no such user is no proof.
    let served = Served::site(crowd(9), move |asked| {
        forgetful(asked).or_else(|| (asked.path.ends_with("/77")).then(|| Told::no(403, "rest_user_cannot_view")))
    });
    let refusal = refused(observed(&served, &wanted(&["77"], &[], &[])).await.unwrap_err());
    assert_eq!(refusal.kind, RefusalKind::Forbidden);
    // Nor is another account, whoever is in it.
    let served = Served::site(crowd(9), move |asked| {
        forgetful(asked).or_else(|| (asked.path.ends_with("/77")).then(|| Told::json(200, &crowd(9)[3])))
    });
    let error = observed(&served, &wanted(&["77"], &[], &[])).await.unwrap_err();
    assert!(matches!(&error, ConnectorError::Strange { what, .. } if what.contains("another account")), "{error}");
}

#[tokio::test]
async fn lists_that_prove_nothing_are_not_taken() {
    let served = Served::site(crowd(9), |asked| {
        (asked.path == "/wp-json/wp/v2/users").then(|| Told::json(200, &json!(crowd(9))))
    });
    let error = observed(&served, &Wanted::default()).await.unwrap_err();
    assert!(matches!(&error, ConnectorError::Strange { what, .. } if what.contains("X-WP-Total")), "{error}");

    let only_lists =
        |asked: &Asked| (asked.path == "/wp-json/wp/v2/users").then(|| Told::recorded("list-listusers-only-200-empty"));
    let refusal = refused(observed(&Served::site(crowd(9), only_lists), &Wanted::default()).await.unwrap_err());
    assert_eq!(refusal.kind, RefusalKind::Forbidden);
    assert!(refusal.reason.contains("`edit_users`"), "{refusal}");

    // A user as strangers see her has no empty attributes, only hidden ones.
    let served = Served::site(crowd(9), |asked| {
        asked
            .query
            .contains_key("include")
            .then(|| Told::rows(&[json!({ "id": 4, "name": "user4", "slug": "user4" })], 1))
    });
    let refusal = refused(observed(&served, &wanted(&["4"], &[], &[])).await.unwrap_err());
    assert_eq!(refusal.kind, RefusalKind::Forbidden);
}

#[tokio::test]
async fn a_site_without_rewriting_is_reached_behind_its_index() {
    let served = Served::answering(|asked| match asked.path.strip_prefix("/index.php") {
        Some(path) => {
            let asked = Asked { path: path.to_owned(), ..asked.clone() };
            super::served::usual(&asked, &crowd(9))
        }
        None => Told::page(404),
    });
    let seen = observed(&served, &wanted(&["5"], &[], &[])).await.unwrap();
    let account = &seen.accounts.get(0).unwrap().account();
    assert_eq!(account.server_fact("interface"), Some("index"));
    let change = Change { attribute: "nickname".into(), before: "user5".into(), after: "x".into() };
    assert_eq!(wordpress().foresee(account, &change), Foresight::takes());
    let requests = wordpress().calls(account, &[change]).unwrap();
    assert_eq!(requests[0].path, "/index.php/wp-json/wp/v2/users/5");
}

#[tokio::test]
async fn a_site_with_plain_addresses_is_read_and_not_written() {
    let served = Served::answering(|asked| {
        match asked.query.get("rest_route").filter(|_| asked.path == "/index.php") {
            Some(route) => {
                let asked = Asked { path: format!("/wp-json{route}"), ..asked.clone() };
                super::served::usual(&asked, &crowd(9))
            }
            // The front page, whatever is asked for behind the index.
            None if asked.path.starts_with("/index.php") => Told::page(200),
            None => Told::recorded("plain-permalinks-pretty-route-301"),
        }
    });
    let seen = observed(&served, &wanted(&["5"], &["user6"], &[])).await.unwrap();
    assert_eq!(seen.accounts.len(), 2);
    let account = &seen.accounts.get(0).unwrap().account();
    assert_eq!(account.server_fact("interface"), Some("plain"));
    let change = Change { attribute: "nickname".into(), before: "user5".into(), after: "x".into() };
    let no = wordpress().calls(account, std::slice::from_ref(&change)).unwrap_err();
    assert_eq!(no.kind, RefusalKind::Unsupported);
    assert_eq!(wordpress().foresee(account, &change), Foresight::refuses(no.kind, no.reason));
    let standing = wordpress().standing(&served.line().reader()).await.unwrap();
    assert_eq!(standing.missing.len(), 1);
    assert!(standing.missing[0].starts_with("changing accounts: this site's addresses are plain"));
}

#[tokio::test]
async fn a_wrong_address_is_told_as_one() {
    for (answer, words) in [
        (Told::page(301).with("Location", "https://www.example.org/"), "`url` must be the address it has itself"),
        (Told::page(404), "is `url` right"),
        (Told::page(200), "is `url` right"),
        (Told::json(404, &json!({ "error": "Not Found" })), "is `url` right"),
        (Told::no(404, "rest_no_route"), "switched this part of its interface off"),
    ] {
        let served = Served::answering(move |_| answer.clone());
        let refusal = refused(observed(&served, &Wanted::default()).await.unwrap_err());
        assert!(refusal.reason.contains(words), "{refusal}");
        assert_eq!(served.asked().len(), 3);
    }
    let served = Served::answering(|_| Told::recorded("maintenance-503"));
    let refusal = refused(observed(&served, &Wanted::default()).await.unwrap_err());
    assert_eq!((refusal.kind, refusal.status), (RefusalKind::Unavailable, Some(503)));
    assert_eq!(refusal.retry_after.map(|pause| pause.as_secs()), Some(600));
    let served = Served::answering(|_| Told::json(200, &json!({ "hello": "world" })));
    assert!(matches!(observed(&served, &Wanted::default()).await, Err(ConnectorError::Strange { .. })));
}

#[tokio::test]
async fn credentials_that_are_not_looked_at_are_told_from_wrong_ones() {
    for (root, words) in
        [("plain-http-production-index", "offers no application passwords"), ("index", "look at `username`")]
    {
        let served = Served::answering(move |asked| match asked.path.as_str() {
            "/wp-json" => Told::recorded(root),
            "/wp-json/wp/v2/users/me" => Told::recorded("wrong-password-me-401"),
            other => panic!("{other} was asked for"),
        });
        for error in [
            wordpress().standing(&served.line().reader()).await.unwrap_err(),
            observed(&served, &Wanted::default()).await.unwrap_err(),
        ] {
            let refusal = refused(error);
            assert_eq!((refusal.kind, refusal.code.as_deref()), (RefusalKind::Forbidden, Some("rest_not_logged_in")));
            assert!(refusal.reason.contains(words), "{refusal}");
        }
    }
    let served = Served::answering(|_| Told::no(401, "incorrect_password"));
    let refusal = refused(wordpress().standing(&served.line().reader()).await.unwrap_err());
    assert!(refusal.reason.contains("not with this application password"), "{refusal}");
    assert_eq!(served.asked().len(), 1);
}

#[tokio::test]
async fn standing_says_who_we_are_and_what_is_missing() {
    let standing = async |special: fn(&Asked) -> Option<Told>| {
        let served = Served::site(crowd(9), special);
        wordpress().standing(&served.line().reader()).await.unwrap()
    };
    let whole = standing(|_| None).await;
    let expected =
        Standing { server: "WordPress".to_owned(), we_are: "homeward (administrator)".to_owned(), missing: Vec::new() };
    assert_eq!(whole, expected);

    // May read everybody by a plugin that gives that right alone.
    let reader = standing(|asked| {
        asked.path.ends_with("/me").then(|| me(&json!(["homeward_reader"]), &json!({ "read": true })))
    })
    .await;
    assert_eq!(reader.we_are, "Homeward (homeward_reader)");
    assert_eq!(reader.missing, ["changing accounts: our account there needs the right `edit_users`"]);

    let lister = standing(|asked| match asked.path.as_str() {
        path if path.ends_with("/me") => Some(me(&json!([]), &json!({ "list_users": true }))),
        _ => Some(Told::recorded("list-listusers-only-200-empty")),
    })
    .await;
    assert_eq!((lister.we_are.as_str(), lister.missing.len()), ("Homeward (no role)", 2));
    assert!(lister.missing[0].starts_with("reading accounts: our account there may list users"), "{lister:?}");

    let editor =
        standing(|asked| (asked.path == "/wp-json/wp/v2/users").then(|| Told::recorded("list-editor-403"))).await;
    assert_eq!(editor.missing.len(), 1);
    assert!(editor.missing[0].contains("`list_users` and `edit_users`"), "{editor:?}");

    let other = standing(|asked| asked.path.ends_with("/me").then(|| Told::recorded("me-edit"))).await;
    assert_eq!(other.we_are, "siteadmin (administrator)");
    assert_eq!(other.missing.len(), 1);
    assert!(other.missing[0].starts_with("being who we say"), "{other:?}");
}

#[tokio::test]
async fn an_account_that_only_reads_is_foretold_that_it_may_not_change() {
    let served =
        Served::site(crowd(9), |asked| asked.path.ends_with("/me").then(|| me(&json!([]), &json!({ "read": true }))));
    let seen = observed(&served, &wanted(&["5"], &[], &[])).await.unwrap();
    let change = Change { attribute: "nickname".into(), before: "user5".into(), after: "x".into() };
    let reason = "our account there may read accounts and not change them: it needs the right `edit_users`";
    assert_eq!(
        wordpress().foresee(&seen.accounts.get(0).unwrap().account(), &change),
        Foresight::refuses(RefusalKind::Forbidden, reason)
    );
    // The owner of a network of sites may have no rights of its own and may do everything.
    let served = Served::site(crowd(9), |asked| asked.path.ends_with("/me").then(|| me(&json!([]), &json!([]))));
    let seen = observed(&served, &wanted(&["5"], &[], &[])).await.unwrap();
    assert_eq!(wordpress().foresee(&seen.accounts.get(0).unwrap().account(), &change), Foresight::takes());
}
