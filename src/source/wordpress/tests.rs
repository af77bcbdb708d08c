//! The poll against recordings of a real site, and against sites that misbehave in one way each.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::{
    refused::{ListRefused, SignIn, Why},
    settings::Settings,
    stand_in::{Answer, StandIn, recording},
    *,
};
use crate::source::{Read, Row};

const LIST: &str = "/wp-json/wp/v2/users?context=edit&per_page=100&orderby=id&order=asc&page=";
const META: [&str; 6] = ["employee_id", "department", "job_title", "office", "manager_employee_id", "start_date"];

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn settings(meta: &[&str]) -> Settings {
    Settings::new(&json!({ "meta": meta })).unwrap()
}

/// What a poll came to, and the rows it handed on.
fn polled(site: &StandIn, settings: &Settings) -> (Result<Read, ListRefused>, Vec<Row>) {
    let mut rows = Vec::new();
    let read = block_on(poll(&site.line().reader(), "website", &"website".into(), settings, &mut |row| rows.push(row)));
    (read, rows)
}

/// Why a poll was refused, having handed on nothing.
fn refused(site: &StandIn, settings: &Settings) -> ListRefused {
    let (read, rows) = polled(site, settings);
    assert_eq!(rows, []);
    read.unwrap_err()
}

/// The page a question asks for; `None` where it asks for no list.
fn page(question: &str) -> Option<usize> {
    question.split_once("&page=")?.1.split('&').next()?.parse().ok()
}

fn asks_who_we_are(question: &str) -> bool {
    question.contains("/users/me?") || question.contains("/users/me&")
}

/// A real site, as recorded: three pages, and an empty one behind them.
fn recorded_site(state: &'static str) -> StandIn {
    StandIn::serving(move |question| match page(question) {
        Some(page @ 1..=3) => Answer::recorded(&format!("users-{state}-page{page}")),
        Some(_) => {
            let total = recorded_total(state).to_string();
            Answer::recorded("users-page-out-of-range-200-empty").with("X-WP-Total", &total)
        }
        None if asks_who_we_are(question) => Answer::recorded("me-edit"),
        None => Answer::recorded("route-404"),
    })
}

fn recorded_total(state: &str) -> usize {
    recorded_users(state).len()
}

fn recorded_users(state: &str) -> Vec<Json> {
    let pages = (1..=3).map(|page| recording(&format!("users-{state}-page{page}"))["response"]["body"].clone());
    pages.flat_map(|page| page.as_array().unwrap().clone()).collect()
}

fn person(id: u64) -> Json {
    json!({
        "id": id, "username": format!("u{id}"), "name": format!("N {id}"), "first_name": "N", "last_name": id.to_string(),
        "nickname": "n", "email": format!("u{id}@example.org"), "slug": format!("u{id}"), "url": "", "locale": "de_DE",
        "roles": ["subscriber"], "registered_date": "2026-11-20T21:34:27+00:00",
    })
}

fn people(count: u64) -> Vec<Json> {
    (1..=count).map(person).collect()
}

/// One page of these people, as WordPress cuts them.
fn cut(people: &[Json], page: usize) -> Answer {
    let rows: Vec<&Json> = people.iter().skip((page - 1) * 100).take(100).collect();
    Answer::json(200, &json!(rows)).with("X-WP-Total", &people.len().to_string())
}

/// A site that knows who we are, and answers about its list as it likes.
fn site(list: impl Fn(usize) -> Answer + Send + 'static) -> StandIn {
    StandIn::serving(move |question| match page(question) {
        Some(page) => list(page),
        None if asks_who_we_are(question) => Answer::recorded("me-edit"),
        None => Answer::recorded("index"),
    })
}

/// Columns by name of each record, by id.
fn columns(rows: &[Row]) -> BTreeMap<u64, BTreeMap<String, String>> {
    let named = |row: &Row| match row {
        Row::Record(record) => {
            let names = record.header.names().iter().map(ToString::to_string);
            (record.origin.line, names.zip(record.fields.iter().map(str::to_owned)).collect())
        }
        Row::Rejected { rejected, .. } => panic!("{rejected:?}"),
    };
    rows.iter().map(named).collect()
}

/// A recorded user as columns.
fn as_columns(user: &Json) -> (u64, BTreeMap<String, String>) {
    let mut columns = BTreeMap::new();
    for (name, value) in user.as_object().unwrap() {
        match name.as_str() {
            "meta" => columns.extend(META.map(|key| (format!("meta_{key}"), stand_in::text(&value[key])))),
            "roles" => {
                let roles: Vec<&str> = value.as_array().unwrap().iter().map(|role| role.as_str().unwrap()).collect();
                columns.insert(name.clone(), roles.join(" "));
            }
            "id" => drop(columns.insert(name.clone(), value.to_string())),
            "name" | "first_name" | "last_name" => {
                columns.insert(name.clone(), stand_in::text(value).replace("&amp;", "&"));
            }
            _ => drop(columns.insert(name.clone(), stand_in::text(value))),
        }
    }
    (user["id"].as_u64().unwrap(), columns)
}

#[test]
fn a_real_site_is_read_whole_with_every_field_of_everybody() {
    for (state, count) in [("fields", 254), ("after", 255)] {
        let site = recorded_site(state);
        let (read, rows) = polled(&site, &settings(&META));
        let read = read.unwrap();
        assert_eq!((read.records, read.rejected, read.final_line_end), (count, 0, true));
        assert_eq!(columns(&rows), recorded_users(state).iter().map(as_columns).collect());
        let fields = "&_fields=id,username,name,first_name,last_name,nickname,email,slug,url,locale,roles,\
                      registered_date,meta";
        let who = "/wp-json/wp/v2/users/me?context=edit&_fields=id,username,email".to_owned();
        let pages = (1..=4).map(|page| format!("{LIST}{page}{fields}"));
        assert_eq!(site.asked(), [who].into_iter().chain(pages).collect::<Vec<_>>());
        let Row::Record(seventh) = &rows[6] else { panic!("{:?}", rows[6]) };
        assert_eq!(seventh.origin.to_string(), "website:7");
    }
}

#[test]
fn what_changed_between_two_polls_is_what_changed_on_the_site() {
    let (_, before) = polled(&recorded_site("fields"), &settings(&META));
    let (_, after) = polled(&recorded_site("after"), &settings(&META));
    let (before, after) = (columns(&before), columns(&after));
    let expected = recording("users-after.expected");
    let ids = |key: &str| expected[key].as_array().unwrap().iter().map(|id| id.as_u64().unwrap()).collect();
    let (old, new): (BTreeSet<u64>, BTreeSet<u64>) =
        (before.keys().copied().collect(), after.keys().copied().collect());
    assert_eq!(new.difference(&old).copied().collect::<BTreeSet<_>>(), ids("created"));
    assert_eq!(old.difference(&new).copied().collect::<BTreeSet<_>>(), ids("deleted"));
    let mut changed = BTreeMap::new();
    for (id, was) in &before {
        let Some(is) = after.get(id).filter(|is| *is != was) else { continue };
        let differ = was.iter().filter(|(name, value)| is[*name] != **value);
        changed.insert(*id, differ.map(|(name, value)| (name.clone(), (value.clone(), is[name].clone()))).collect());
    }
    let told = |value: &Json| match value.as_array() {
        Some(roles) => roles.iter().map(|role| role.as_str().unwrap()).collect::<Vec<_>>().join(" "),
        None => stand_in::text(value),
    };
    let expected: BTreeMap<u64, BTreeMap<String, (String, String)>> = expected["changed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|of| {
            let fields = of["changed"].as_object().unwrap().iter();
            let fields = fields.map(|(name, pair)| (name.replace("meta.", "meta_"), (told(&pair[0]), told(&pair[1]))));
            (of["id"].as_u64().unwrap(), fields.collect())
        })
        .collect();
    assert_eq!(changed, expected);
}

#[test]
fn the_same_people_have_the_same_digest_and_others_another() {
    let digest = |state, meta: &[&str]| polled(&recorded_site(state), &settings(meta)).0.unwrap().sha256;
    let first = digest("fields", &META);
    assert_eq!(first.len(), 64);
    assert_eq!(first, digest("fields", &META));
    assert_ne!(first, digest("after", &META));
    assert_ne!(first, digest("fields", &[]));
}

#[test]
fn the_report_tells_what_was_hidden_and_what_was_cleaned() {
    let (read, _) = polled(&recorded_site("fields"), &settings(&[]));
    assert_eq!(
        read.unwrap().notes,
        [
            "the list is whole: 254 users, as many as the site counts",
            "fields that the site does not show: nickname, url, locale",
            "users without an e-mail address: 1",
            "HTML entities decoded: 2 values",
        ]
    );
}

#[test]
fn a_version_of_six_is_read_like_one_of_seven() {
    let mut users = recording("wp61-users-page1")["response"]["body"].clone();
    let users: Vec<Json> = users.as_array_mut().unwrap().drain(..).collect();
    let (read, rows) = polled(&site(move |page| cut(&users, page)), &settings(&["employee_id"]));
    assert_eq!((read.unwrap().records, rows.len()), (5, 5));
    let second = &columns(&rows)[&2];
    assert_eq!((second["username"].as_str(), second["meta_employee_id"].as_str()), ("cabel", "001000"));
}

#[test]
fn plain_permalinks_are_found_and_used() {
    let site = StandIn::serving(|question| {
        if question.starts_with("/wp-json") {
            return Answer::recorded("plain-permalinks-pretty-route-301");
        }
        match page(question) {
            Some(page) => cut(&people(3), page),
            None => Answer::recorded("me-edit"),
        }
    });
    let (read, _) = polled(&site, &settings(&[]));
    assert_eq!(read.unwrap().records, 3);
    let asked = site.asked();
    let last = "/index.php?rest_route=/wp/v2/users&context=edit&per_page=100&orderby=id&order=asc&page=2&_fields=id,\
                username,name,first_name,last_name,nickname,email,slug,url,locale,roles,registered_date";
    assert_eq!((asked.len(), asked[3].as_str()), (4, last));
}

#[test]
fn an_anonymous_caller_is_refused_with_the_likely_cause() {
    let told = |me: &'static str, index: &'static str| {
        let site = StandIn::serving(move |question| match page(question) {
            // What an anonymous caller would be shown: those who have written something.
            Some(page) => cut(&people(1), page),
            None if asks_who_we_are(question) => Answer::recorded(me),
            None if question == "/wp-json?_fields=authentication" => Answer::recorded(index),
            None => panic!("{question}"),
        });
        let refused = refused(&site, &settings(&[]));
        (refused.to_string(), refused.hint().contains("HTTPS only"))
    };
    let begin = "website: list not whole: nobody is signed in (`rest_not_logged_in`): ";
    assert_eq!(
        told("plain-http-production-me-401", "plain-http-production-index"),
        (format!("{begin}{}", SignIn::Unavailable), true)
    );
    assert_eq!(told("wrong-password-me-401", "index"), (format!("{begin}{}", SignIn::Unheard), false));
    assert_eq!(told("me-anonymous-401", "route-404"), (format!("{begin}{}", SignIn::Unknown), false));
    let said = StandIn::serving(|_| Answer::error(401, "incorrect_password"));
    assert!(matches!(refused(&said, &settings(&[])).why, Why::NotSignedIn { cause: SignIn::Wrong, .. }));
    assert_eq!(said.asked().len(), 1);
}

#[test]
fn another_account_than_the_configured_one_is_refused() {
    let named = |name: &str| Settings::new(&json!({ "username": name })).unwrap();
    let site = site(|page| cut(&people(2), page));
    for own in ["siteadmin", "SiteAdmin", "siteadmin@example.org"] {
        assert_eq!(polled(&site, &named(own)).0.unwrap().records, 2);
    }
    assert!(matches!(refused(&site, &named("homeward")).why, Why::OtherAccount));
}

#[test]
fn each_way_in_which_a_list_can_have_holes_has_its_own_reason() {
    let told = |list: fn(usize) -> Answer| {
        let refused = refused(&site(list), &settings(&[]));
        assert!(!refused.hint().is_empty());
        refused.to_string()
    };
    let hidden = |page| cut(&people(254)[..250], page).with("X-WP-Total", "254");
    let without = |field: &str| {
        let mut user = person(2);
        user.as_object_mut().unwrap().remove(field);
        Answer::json(200, &json!([person(1), user])).with("X-WP-Total", "2")
    };
    let cases: [(String, &str); 16] = [
        (
            told(|_| Answer::recorded("list-editor-403")),
            "list not whole: the account may not read users (`rest_forbidden_context`)",
        ),
        (
            told(|_| Answer::recorded("list-listusers-only-200-empty")),
            "list not whole: the server counts 254 users and shows none",
        ),
        (told(hidden), "list not whole: the server counts 254 users and shows 250"),
        (
            told(|page| cut(&people(250), page).with("X-WP-Total", "100")),
            "list not whole: the server counts 100 users and shows more",
        ),
        (
            told(|_| Answer::json(200, &json!(people(101))).with("X-WP-Total", "200")),
            "list not whole: the server counts 200 users and shows more",
        ),
        (
            told(|_| Answer::json(200, &json!(people(1)))),
            "list not whole: the answer does not count the users (`X-WP-Total` is missing)",
        ),
        (
            told(|page| cut(&people(1), page).with("X-WP-Total", "+1")),
            "list not whole: the answer does not count the users (`X-WP-Total` is no number)",
        ),
        (told(|page| cut(&[], page)), "list not whole: the site shows no users at all"),
        (
            told(|page| cut(&[person(2), person(1)], page)),
            "list not whole: users are not in the order of their ids, as was asked",
        ),
        (told(|page| cut(&[json!({ "username": "x" })], page)), "list not whole: a user in the list has no id"),
        (told(|page| cut(&[json!("x")], page)), "the answer is no list of users"),
        (told(|_| Answer::json(200, &json!({}))), "the answer is no list of users"),
        (
            told(|_| Answer::page(200, "<!DOCTYPE html>")),
            "this is not the REST API of WordPress: 200 and a page instead of data",
        ),
        (
            told(|_| Answer::error(400, "rest_invalid_param")),
            "the site refused the question (400 `rest_invalid_param`)",
        ),
        (told(|_| Answer::recorded("route-404")), "the REST API of this site has no users (404 `rest_no_route`)"),
        (told(|_| Answer::recorded("maintenance-503")), "the site is down for maintenance (503)"),
    ];
    for (told, expected) in cases {
        assert_eq!(told, format!("website: {expected}"));
    }
    for (field, is_told) in [("email", "email"), ("roles", "roles"), ("locale", "locale")] {
        let refused = refused(&site(move |_| without(field)), &settings(&[]));
        assert!(matches!(refused.why, Why::FieldMissing { field } if field == is_told), "{refused}");
    }
}

#[test]
fn a_meta_key_that_is_not_shown_is_named() {
    let told = |meta: Json| {
        let site = site(move |page| {
            let mut user = person(1);
            user["meta"] = meta.clone();
            cut(&[user], page)
        });
        refused(&site, &settings(&["employee_id"])).to_string()
    };
    let hidden = "website: the server does not show the user meta `employee_id`: it is not registered for the REST API";
    assert_eq!(told(json!([])), hidden);
    assert_eq!(told(json!({ "office": "Berlin" })), hidden);
    let several = "website: the user meta `employee_id` is not one text or number";
    assert_eq!(told(json!({ "employee_id": ["1", "2"] })), several);
}

#[test]
fn a_list_that_shifts_is_read_again_and_given_up_after_the_third_time() {
    // Somebody of the first page is deleted after it was read: user 101 moves onto it and is never seen.
    let walks = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&walks);
    let once = site(move |page| {
        let walk = counting.fetch_add(usize::from(page == 1), Ordering::SeqCst);
        let mut people = people(150);
        if walk > 0 {
            people.remove(4);
        }
        cut(&people, page)
    });
    let (read, rows) = polled(&once, &settings(&[]));
    let read = read.unwrap();
    assert_eq!((read.records, rows.len(), walks.load(Ordering::SeqCst)), (149, 149, 2));
    assert_eq!(read.notes[1], "people came or went while it was read, so it was read 2 times");

    let always = site(|page| cut(&people(150 + page as u64), page));
    let doubled = site(|page| cut(&people(150), if page == 2 { 1 } else { page }));
    for shifting in [always, doubled] {
        let refused = refused(&shifting, &settings(&[]));
        assert_eq!(refused.to_string(), "website: list not whole: it shifted while it was read, 3 times in a row");
        assert!(refused.is_passing());
        assert_eq!(shifting.asked().len(), 7);
    }
}

#[test]
fn whoever_the_count_cannot_miss_is_not_gone_when_asked_for() {
    // Between two pages one user of the first is deleted and another registers: the count stays, user 101 is not seen.
    let site = StandIn::serving(|question| {
        let mut people = people(151);
        match page(question) {
            Some(1) => return cut(&people[..150], 1),
            Some(page) => {
                people.remove(4);
                return cut(&people, page);
            }
            None => {}
        }
        let id = question.split(['/', '?']).find_map(|part| part.parse::<u64>().ok());
        id.map_or_else(|| Answer::recorded("me-edit"), |id| Answer::json(200, &person(id)))
    });
    let (read, rows) = polled(&site, &settings(&[]));
    assert_eq!(read.unwrap().records, 150);
    assert!(!columns(&rows).contains_key(&101));
    assert!(!block_on(is_gone(&site.line().reader(), "101")).unwrap());
}

#[test]
fn a_site_that_never_ends_is_left() {
    let endless = site(|page| {
        let from = (page as u64 - 1) * 100;
        let people: Vec<Json> = (from + 1..=from + 100).map(person).collect();
        Answer::json(200, &json!(people)).with("X-WP-Total", "250")
    });
    assert!(matches!(refused(&endless, &settings(&[])).why, Why::TooMany { total: 250 }));
    assert_eq!(endless.asked().len(), 5);

    let huge = site(|page| cut(&people(100), page).with("X-WP-Total", "1000001"));
    assert!(matches!(refused(&huge, &settings(&[])).why, Why::TooManyUsers { limit: 1_000_000, .. }));
    assert_eq!(huge.asked().len(), 2);

    let mut narrow = settings(&[]);
    narrow.limits.bytes = 1000;
    let wide = site(|page| cut(&people(100), page));
    assert!(matches!(refused(&wide, &narrow).why, Why::TooLarge { limit: 1000 }));
}

#[test]
fn a_site_in_trouble_is_told_from_one_at_a_wrong_address() {
    let told = |answer: Answer| {
        let refused = refused(&StandIn::serving(move |_| answer.clone()), &settings(&[]));
        (refused.to_string(), refused.is_passing(), refused.retry_after().map(|pause| pause.as_secs()))
    };
    let cases = [
        (Answer::recorded("maintenance-503"), "the site is down for maintenance (503)", true, Some(600)),
        (Answer::recorded("maintenance-503-plain-accept"), "the site is not available (503)", true, Some(600)),
        (Answer::recorded("database-down-500"), "the site is not available (500 `wp_die`)", true, None),
        (Answer::recorded("database-down-500-plain-accept"), "the site is not available (500)", true, None),
        (
            Answer::page(301, "").with("Location", "https://www.example.org/blog/wp-json/wp/v2/users/me?x=a@b"),
            "the address leads elsewhere: the server answers 301 and points to https://www.example.org/blog",
            false,
            None,
        ),
        (Answer::page(302, ""), "the address leads elsewhere: the server answers 302", false, None),
        (
            Answer::page(404, "<h1>"),
            "this is not the REST API of WordPress: 404 and a page instead of data",
            false,
            None,
        ),
        (Answer::page(401, ""), "this is not the REST API of WordPress: 401 and an empty answer", false, None),
        (
            Answer::page(200, "Hallo"),
            "this is not the REST API of WordPress: 200 and an answer that is no JSON",
            false,
            None,
        ),
        (Answer::json(200, &json!([])), "the answer is no user", false, None),
        (Answer::json(200, &json!({ "id": 0 })), "the answer is no user", false, None),
        (
            Answer::json(200, &json!({ "id": 1, "name": "public" })),
            "the server does not show the field `username` of every user",
            false,
            None,
        ),
    ];
    for (answer, text, passing, pause) in cases {
        assert_eq!(told(answer), (format!("website: {text}"), passing, pause));
    }
}

#[test]
fn a_user_that_cannot_be_used_is_rejected_under_her_id_and_nobody_else_is() {
    let users = || {
        let mut users = people(6);
        users[0]["name"] = json!({ "rendered": "x" });
        users[1]["email"] = json!("x".repeat(8193));
        users[2]["first_name"] = json!("a\u{0}b");
        users[3]["username"] = json!(" ");
        users[4]["email"] = Json::Null;
        users
    };
    let (read, rows) = polled(&site(move |page| cut(&users(), page)), &settings(&[]));
    let read = read.unwrap();
    assert_eq!((read.records, read.rejected), (2, 4));
    let rejected: Vec<_> = rows
        .iter()
        .filter_map(|row| match row {
            Row::Rejected { key, rejected, .. } => Some((
                key.as_deref(),
                rejected.line,
                rejected.column.as_deref(),
                rejected.code.as_str(),
                &*rejected.reason,
            )),
            Row::Record(_) => None,
        })
        .collect();
    assert_eq!(
        rejected,
        [
            (Some("1"), 1, Some("name"), "wrong_type", "the value is no text"),
            (Some("2"), 2, Some("email"), "field_too_long", "the value is longer than 8192 bytes"),
            (Some("3"), 3, Some("first_name"), "control_character", "the value holds a control character"),
            (Some("4"), 4, Some("username"), "empty_username", "the value is empty"),
        ]
    );
    let Row::Record(fifth) = &rows[4] else { panic!("{:?}", rows[4]) };
    assert_eq!(fifth.field("email"), Some(""));
}

fn looked(site: &StandIn, settings: &Settings, id: &str) -> Result<Option<Record>, ListRefused> {
    block_on(one(&site.line().reader(), "website", &"website".into(), settings, id))
}

#[test]
fn one_user_is_read_as_the_list_would_show_her() {
    let site = StandIn::serving(|question| match question.split(['?', '&']).next().unwrap() {
        "/wp-json/wp/v2/users/5" | "/wp-json/wp/v2/users/7" => Answer::recorded("user-one"),
        "/wp-json/wp/v2/users/999999" => Answer::recorded("user-404"),
        "/wp-json/wp/v2/users/6" => Answer::recorded("get-one-listusers-only-403"),
        "/wp-json/wp/v2/users/9" => Answer::recorded("user-no-role"),
        "/wp-json/wp/v2/users/10" => Answer::recorded("me-anonymous-401"),
        "/wp-json/wp/v2/users/me" => Answer::recorded("me-edit"),
        _ => Answer::page(404, "<h1>Not found</h1>"),
    });
    let settings = settings(&["employee_id"]);
    let record = looked(&site, &settings, "5").unwrap().unwrap();
    let expected = [
        ("id", "5"),
        ("username", "wdvorak"),
        ("name", "Władysław Dvorak"),
        ("first_name", "Władysław"),
        ("last_name", "Dvorak"),
        ("nickname", "wdvorak"),
        ("email", "wladyslaw.dvorak@example.org"),
        ("slug", "wdvorak"),
        ("url", ""),
        ("locale", "en_US"),
        ("roles", "subscriber"),
        ("registered_date", "2023-12-25T12:51:43+00:00"),
        ("meta_employee_id", "001003"),
    ];
    let names: Vec<&str> = record.header.names().iter().map(AsRef::as_ref).collect();
    let shown: Vec<(&str, &str)> = names.into_iter().zip(record.fields.iter()).collect();
    assert_eq!(shown, expected);
    assert_eq!(record.origin.to_string(), "website:5");

    assert_eq!(looked(&site, &settings, "999999").unwrap(), None);
    let told = |id: &str| looked(&site, &settings, id).unwrap_err().to_string();
    assert_eq!(told("6"), "website: list not whole: the account may not read users (`rest_forbidden_context`)");
    assert_eq!(told("7"), "website: the answer is about another user than the one asked for");
    assert_eq!(told("8"), "website: this is not the REST API of WordPress: 404 and a page instead of data");
    assert_eq!(told("9"), "website: the answer is about another user than the one asked for");
    assert!(told("10").starts_with("website: list not whole: nobody is signed in (`rest_not_logged_in`): "));
    for odd in ["", "0", "me", "-1", "+5", "5/../1", "٥", "99999999999999999999999"] {
        assert_eq!(told(odd), "website: this cannot be the id of a user", "{odd}");
    }
}

#[test]
fn names_with_entities_empty_addresses_and_no_roles_are_read() {
    let mut full = recording("user-one")["response"]["body"].clone();
    for special in ["user-entities", "user-no-email", "user-no-role"] {
        let own = recording(special)["response"]["body"].clone();
        full.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
    }
    let site = StandIn::serving(move |_| Answer::json(200, &full));
    let record = looked(&site, &settings(&[]), "16").unwrap().unwrap();
    let fields = ["name", "first_name", "last_name", "roles"].map(|name| record.field(name).unwrap());
    assert_eq!(fields, ["R&D Test", "R&D", "Lab", ""]);
}

#[test]
fn only_the_one_answer_that_says_so_means_that_somebody_is_gone() {
    let gone = |answer: Answer| {
        let site =
            StandIn::serving(
                move |question| {
                    if asks_who_we_are(question) { Answer::recorded("me-edit") } else { answer.clone() }
                },
            );
        block_on(is_gone(&site.line().reader(), "5")).map_err(|refused| refused.to_string())
    };
    assert_eq!(gone(Answer::recorded("user-404")), Ok(true));
    assert_eq!(gone(Answer::recorded("user-one")), Ok(false));
    for unclear in [
        Answer::recorded("route-404"),
        Answer::recorded("get-one-listusers-only-403"),
        Answer::recorded("me-anonymous-401"),
        Answer::recorded("maintenance-503"),
        Answer::recorded("plain-permalinks-pretty-route-301"),
        Answer::page(404, "<h1>"),
        Answer::page(404, ""),
        Answer::page(410, ""),
        Answer::error(400, "rest_user_invalid_id"),
        Answer::json(200, &json!([])),
        Answer::json(200, &json!({ "id": 6 })),
    ] {
        assert!(gone(unclear.clone()).is_err(), "{unclear:?}");
    }
    // A stranger may be told the same of somebody who is there.
    let stranger = StandIn::serving(|question| {
        Answer::recorded(if asks_who_we_are(question) { "me-anonymous-401" } else { "user-404" })
    });
    let told = block_on(is_gone(&stranger.line().reader(), "5")).unwrap_err();
    assert!(matches!(told.why, Why::NotSignedIn { .. }), "{told}");
}

/// Anything that JSON can hold.
fn noise() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        ".{0,8}".prop_map(Json::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let key = prop_oneof![
            proptest::sample::select(vec!["id", "username", "roles", "meta", "ID", "data"]).prop_map(str::to_owned),
            ".{0,4}"
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::btree_map(key, inner, 0..4).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_user_full_of_noise_is_read_rejected_or_refused(field in 0..13_usize, value in noise()) {
        let mut user = person(1);
        user["meta"] = json!({ "k": "v" });
        let settings = settings(&["k"]);
        let columns = Columns::of(user.as_object().unwrap(), &settings).unwrap();
        let name = FIELDS.get(field).map_or("meta", |field| field.name);
        user[name] = value;
        if let Ok(Ok(texts)) = columns.read(user.as_object().unwrap(), &mut Cleaned::default()) {
            prop_assert_eq!(texts.len(), columns.header.names().len());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_list_that_is_not_the_true_one_is_never_handed_on(
        kind in 0..7_u8, at in 0..230_usize, other in 0..230_usize, body in noise(), total in ".{0,6}"
    ) {
        let spoiled = move |page: usize| {
            let users = people(230);
            let of = |page: usize| users.iter().skip((page - 1) * 100).take(100).cloned().collect::<Vec<_>>();
            let mut rows = of(page);
            let is_here = at / 100 + 1 == page;
            let mut counted = "230".to_owned();
            match kind {
                // One is left out, shown twice, or shown in the place of another.
                0 if is_here => drop(rows.remove(at % 100)),
                1 if is_here => rows.insert(at % 100, users[at].clone()),
                2 if is_here => rows[at % 100] = users[other].clone(),
                // A page instead of another.
                3 if is_here => rows = of(other / 100 + 1),
                4 if is_here => rows[at % 100] = body.clone(),
                5 if is_here => return Answer::json(200, &body).with("X-WP-Total", "230"),
                6 if is_here => counted = total.chars().filter(char::is_ascii).filter(|c| !c.is_control()).collect(),
                _ => {}
            }
            Answer::json(200, &json!(rows)).with("X-WP-Total", &counted)
        };
        let (read, rows) = polled(&site(spoiled), &settings(&[]));
        if read.is_ok() {
            let true_ones: BTreeMap<_, _> = people(230).iter().map(as_columns).collect();
            prop_assert_eq!(columns(&rows), true_ones);
        } else {
            prop_assert_eq!(rows, []);
        }
    }
}
