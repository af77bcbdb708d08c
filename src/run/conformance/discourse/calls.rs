//! What becomes of single calls at Discourse, and how its accounts are looked at, with our own key and a person's
//! (`discourse.md` 1 to 9).

use super::*;
use crate::{model::own_token::TokenKind, wire::OwnToken};

fn texts<T: FromIterator<String>>(attribute: &str, texts: &[&str]) -> (AttributeName, T) {
    (attribute.into(), texts.iter().map(|text| (*text).to_owned()).collect())
}

fn holding(attribute: &str, text: &str) -> Wanted {
    Wanted { holding: BTreeMap::from([texts(attribute, &[text])]), ..Wanted::default() }
}

fn ids(observed: &Observed) -> Vec<&str> {
    observed.accounts.iter().filter_map(|account| account.id()).collect()
}

fn refused<T: fmt::Debug>(outcome: Result<T, ConnectorError>) -> Refusal {
    match outcome {
        Err(ConnectorError::Refused { refusal, .. }) => refusal,
        other => panic!("{other:?}"),
    }
}

/// Kind, status and Discourse's own word.
fn told(refusal: &Refusal) -> (RefusalKind, Option<u16>, Option<&str>) {
    (refusal.kind, refusal.status, refusal.code.as_deref())
}

/// What was asked since the last time, without queries.
async fn asked(bed: &Bed) -> Vec<String> {
    let asked = bed.lab("discourse", "GET", "requests", &Json::Null).await.unwrap();
    bed.lab("discourse", "DELETE", "requests", &Json::Null).await.unwrap();
    let line = |one: &Json| {
        let path = one["path"].as_str().unwrap().split('?').next().unwrap();
        format!("{} {path}", one["method"].as_str().unwrap())
    };
    asked.as_array().unwrap().iter().map(line).collect()
}

fn people(count: u64) -> Vec<Json> {
    (101..=100 + count).map(|number| user("person", number)).collect()
}

/// A letter is asked for once, never counts as done, and is looked at before anything is sent.
#[tokio::test]
async fn an_address_is_pending_until_the_person_confirms_it() {
    let bed = bed(&json!({}), json!({ "username": "homeward" }), people(1)).await;
    let wanted = || Wanted { ids: BTreeSet::from(["101".into()]), ..holding("email", "new@example.org") };
    let account = bed.seen(wanted()).await.remove(&"101".into()).unwrap();
    let change = bed.change(&account, "email", &" New@example.org".into());
    assert_eq!(bed.foresee(&account, &change), Foresight::takes());
    let row = KIND.capabilities.attributes.iter().find(|row| row.name == "email").unwrap();
    assert!(row.side_effect.contains("until the person confirms"), "{}", row.side_effect);
    for status in [Some(200), None, None] {
        let pending = bed.carry_out(&account, std::slice::from_ref(&change)).await.unwrap_err();
        assert_eq!((pending.kind, pending.status), (RefusalKind::Ineffective, status));
        assert!(pending.reason.contains("until then it waits"), "{pending}");
    }
    let mails = bed.dump().await["mails"].clone();
    assert_eq!(mails, json!([{ "about": "confirm_new", "to": "new@example.org" }]));
    let waiting = bed.seen(wanted()).await.remove(&"101".into()).unwrap();
    assert_eq!(waiting.fact("unconfirmed_email"), Some("new@example.org"));
    assert!(matches!(bed.foresee(&waiting, &change).verdict, Verdict::Doomed { .. }));
    bed.lab("discourse", "POST", "confirm/101", &Json::Null).await.unwrap();
    assert!(bed.holds(&bed.account("101").await, &change));
    // Somebody clicked between plan and call: that is no refusal.
    assert!(bed.holds(
        &bed.carry_out(&account, &[change]).await.unwrap(),
        &bed.change(&waiting, "email", &"new@example.org".into())
    ));
}

/// What she confirmed before needs no letter, whoever asks, and is looked at when the call is made.
#[tokio::test]
async fn a_further_address_of_hers_becomes_the_first_at_once() {
    let mut seed = seed(&json!({}), vec![user("with a second address", 101)]);
    seed["keys"] = json!([{ "key": "own", "user": "p101" }]);
    let options = json!({ "username": "homeward" });
    let bed = Bed::made(Bedding { kind: &KIND, options, token_kind: "personal", seed, leader: None }).await;
    let first = bed.account("101").await;
    let change = bed.change(&first, "email", &"second101@example.com".into());
    assert_eq!(bed.foresee(&first, &change), Foresight::takes());
    for _ in 0..2 {
        let shown = bed.carry_out(&first, std::slice::from_ref(&change)).await.unwrap();
        assert!(bed.holds(&shown, &change), "{shown:?}");
    }
    let state = bed.dump().await;
    assert_eq!(
        (&state["mails"], &state["users"]["101"]["secondary_emails"]),
        (&json!([]), &json!(["p101@example.com"]))
    );
    // Back again, by herself.
    let person = PersonId { system: "web".into(), key: "101".into() };
    let token = OwnToken::new(person, TokenKind::Personal, Secret::new("own"), None);
    let hers = own::seen(&bed, &token).await;
    let back = bed.change(&hers, "email", &"p101@example.com".into());
    assert_eq!(bed.foresee(&hers, &back), Foresight::takes());
    own::send(&bed, &token, &hers, &back).await.unwrap();
    assert_eq!(bed.account("101").await.value(&"email".into()), "p101@example.com".into());
    // She took it away in the meantime.
    bed.meddle("p101", &json!({ "secondary_emails": [] })).await;
    let gone = bed.carry_out(&first, &[change]).await.unwrap_err();
    assert_eq!((gone.kind, gone.status), (RefusalKind::Invalid, Some(428)));
}

#[tokio::test]
async fn what_the_provider_owns_is_told_in_one_step_and_nothing_else_changes() {
    let settings = json!({
        "enable_discourse_connect": true, "auth_overrides_email": true, "auth_overrides_username": true,
        "auth_overrides_name": true, "discourse_connect_overrides_groups": true,
    });
    let more = json!({
        "username": "homeward", "auth_overrides": ["email", "username", "name"], "discourse_connect_secret": "lab",
    });
    let bed = bed(&settings, more, vec![user("linked", 101)]).await;
    let place = bed.nobody().await;
    drop(place);
    bed.meddle("p101", &json!({ "active": false })).await;
    let account = bed.account("101").await;
    let wishes = [("email", "new@example.org"), ("username", "anna.b"), ("display_name", "Anna ~ B~~~")];
    let changes: Vec<Change> = wishes.iter().map(|(name, text)| bed.change(&account, name, &(*text).into())).collect();
    let requests = bed.connector.calls(&account, &changes).unwrap();
    let says = json!({ "says": { "username": "anna.b", "email": "new@example.org", "name": "Anna ~ B~~~" } });
    assert_eq!((requests.len(), &requests[0].body), (1, &says));
    asked(&bed).await;
    let shown = bed.carry_out(&account, &changes).await.unwrap();
    assert!(changes.iter().all(|change| bed.holds(&shown, change)), "{shown:?}");
    let state = bed.dump().await;
    let now = &state["users"]["101"];
    assert_eq!((&now["active"], &now["bio"], &state["mails"]), (&json!(false), &json!("cooks"), &json!([])));
    // A name that somebody has would become another one, so it is not even asked for.
    let account = bed.account("101").await;
    let taken = bed.change(&account, "username", &"Holder".into());
    let refusal = bed.carry_out(&account, &[taken]).await.unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Taken);
    assert_eq!(bed.account("101").await.value(&"username".into()), "anna.b".into());
}

#[tokio::test]
async fn groups_of_the_account_survive_what_the_provider_is_made_to_say() {
    let settings = json!({
        "enable_discourse_connect": true, "auth_overrides_name": true, "discourse_connect_overrides_groups": true,
    });
    let more = json!({ "auth_overrides": ["name"], "discourse_connect_secret": "lab" });
    let bed = bed(&settings, more, vec![user("linked", 101)]).await;
    let wanted = Wanted {
        ids: BTreeSet::from(["101".into()]),
        members: BTreeMap::from([texts("discourse.groups", &["crew", "staff", "none"])]),
        ..Wanted::default()
    };
    let member = |account: &Account, group: &str| {
        account.value(&AttributeName::member_of(&"discourse.groups".into(), group)).to_string()
    };
    let account = bed.seen(wanted.clone()).await.remove(&"101".into()).unwrap();
    assert_eq!(["crew", "staff", "none"].map(|group| member(&account, group)), ["(empty)"; 3]);
    let join = bed.change(&account, "discourse.groups[crew]", &"member".into());
    assert_eq!(bed.foresee(&account, &join), Foresight::takes());
    for _ in 0..2 {
        let shown = bed.carry_out(&account, std::slice::from_ref(&join)).await.unwrap();
        assert!(bed.holds(&shown, &join));
    }
    let account = bed.seen(wanted.clone()).await.remove(&"101".into()).unwrap();
    let rename = bed.change(&account, "display_name", &"Anna".into());
    bed.carry_out(&account, &[rename]).await.unwrap();
    let account = bed.seen(wanted.clone()).await.remove(&"101".into()).unwrap();
    assert_eq!((member(&account, "crew").as_str(), account.value(&"display_name".into())), ("member", "Anna".into()));

    let foreseen = |group: &str, value: Value| {
        let change = bed.change(&account, &format!("discourse.groups[{group}]"), &value);
        word(&change, &bed.foresee(&account, &change))
    };
    assert_eq!(foreseen("staff", "member".into()), "unsupported");
    assert_eq!(foreseen("none", "member".into()), "not_found");
    assert_eq!(foreseen("crew", "owner".into()), "invalid");
    // The same, said all the same.
    let staff = bed.change(&account, "discourse.groups[staff]", &"member".into());
    let refusal = bed.carry_out(&account, &[staff]).await.unwrap_err();
    assert_eq!((refusal.kind, refusal.status), (RefusalKind::Unsupported, Some(422)));
    let leave = bed.change(&account, "discourse.groups[crew]", &Value::Empty);
    for _ in 0..2 {
        assert!(bed.holds(&bed.carry_out(&account, std::slice::from_ref(&leave)).await.unwrap(), &leave));
    }
}

/// Whoever confirms her address lets herself in: an inactive account is off only where it is suspended.
#[tokio::test]
async fn whoever_is_inactive_is_suspended_where_she_is_to_be_off_and_activated_where_she_is_to_be_on() {
    let inactive = (101..=103).map(|at| user("inactive", at)).collect();
    let bed = bed(&json!({}), json!({ "username": "homeward" }), inactive).await;
    for (id, active, verb) in [("101", false, "suspend"), ("102", true, "activate")] {
        let account = bed.account(id).await;
        let change = bed.change(&account, "active", &active.into());
        assert_eq!((account.fact("state"), &change.before), (Some("inactive"), &Value::Empty));
        assert_eq!(bed.foresee(&account, &change), Foresight::takes());
        let request = bed.connector.calls(&account, std::slice::from_ref(&change)).unwrap().remove(0);
        assert_eq!(request.path, format!("/admin/users/{id}/{verb}.json"));
        // What is so already is no refusal.
        for _ in 0..2 {
            let shown = bed.carry_out(&account, std::slice::from_ref(&change)).await.unwrap();
            assert!(bed.holds(&shown, &change), "{shown:?}");
        }
        assert!(bed.holds(&bed.account(id).await, &change), "{id}");
    }
    let users = bed.dump().await["users"].clone();
    let states = ["101", "102", "103"].map(|id| (users[id]["active"].clone(), users[id]["suspended_till"].is_string()));
    assert_eq!(states, [(json!(false), true), (json!(true), false), (json!(false), false)]);
}

/// A rename frees the old address, and what is still to be sent goes to the new one.
#[tokio::test]
async fn whoever_was_renamed_is_found_by_her_number() {
    let bed = bed(&json!({}), json!({}), people(1)).await;
    let account = bed.account("101").await;
    let rename = bed.change(&account, "username", &"anna.b".into());
    let name = bed.change(&account, "display_name", &"Anna".into());
    for _ in 0..2 {
        assert!(bed.holds(&bed.carry_out(&account, std::slice::from_ref(&rename)).await.unwrap(), &rename));
    }
    assert!(bed.holds(&bed.carry_out(&account, std::slice::from_ref(&name)).await.unwrap(), &name));
    // The very name she has is answered with a no that says nothing.
    let now = bed.account("101").await;
    let same = Change { attribute: "username".into(), before: "anna.b".into(), after: "anna.b".into() };
    assert!(bed.holds(&bed.carry_out(&now, std::slice::from_ref(&same)).await.unwrap(), &same));
    bed.lab("discourse", "DELETE", "users/101", &Json::Null).await.unwrap();
    for change in [rename, name] {
        let gone = bed.carry_out(&account, &[change]).await.unwrap_err();
        assert_eq!((gone.kind, gone.status), (RefusalKind::NotFound, Some(404)));
    }
}

#[tokio::test]
async fn few_are_asked_for_one_by_one_and_of_many_the_list_is_read() {
    let bed = bed(&json!({}), json!({ "username": "homeward" }), people(150)).await;
    bed.observe(&Wanted::default()).await.unwrap();
    // Who we are is asked once.
    asked(&bed).await;
    for (attribute, text) in [("username", "P107"), ("email", "P107@Example.com")] {
        assert_eq!(ids(&bed.observe(&holding(attribute, text)).await.unwrap()), ["107"], "{attribute}");
        assert_eq!(asked(&bed).await, ["GET /admin/users/list/new.json"], "{attribute}");
    }
    // A part of many names: the page is full, and the one that is meant is not on it.
    bed.meddle("101", &json!({ "username": "p10" })).await;
    assert_eq!(ids(&bed.observe(&holding("username", "p1")).await.unwrap()), [""; 0]);
    assert_eq!(ids(&bed.observe(&holding("username", "p10")).await.unwrap()), ["101"]);
    asked(&bed).await;
    assert_eq!(bed.account("107").await.value(&"email".into()), "p107@example.com".into());
    assert_eq!(asked(&bed).await, ["GET /admin/users/107.json", "GET /u/p107/emails.json"]);
    let all: BTreeSet<AccountId> = (101..=250).map(|id| AccountId::from(id.to_string())).collect();
    let seen = bed.observe(&Wanted { ids: all.clone(), ..Wanted::default() }).await.unwrap();
    assert_eq!(seen.accounts.len(), 150);
    assert!(seen.accounts.iter().all(|account| account.text(&"email".into()).is_some()));
    assert_eq!(asked(&bed).await.len(), 2);
    // Whoever is not in the list is asked for: she is not there.
    let more = Wanted { ids: all.into_iter().chain(["9999".into(), "../1".into()]).collect(), ..Wanted::default() };
    assert_eq!(bed.observe(&more).await.unwrap().accounts.len(), 150);
    assert_eq!(asked(&bed).await[2..], ["GET /admin/users/9999.json", "GET /admin/users/251.json"]);
}

#[tokio::test]
async fn a_key_that_counts_for_nothing_is_no_missing_account() {
    let bed = bed(&json!({}), json!({}), people(1)).await;
    let account = bed.account("101").await;
    let wrong = line(&KIND, &bed.lab, "wrong-and-long-enough");
    let bad = refused(bed.connector.standing(&wrong.reader()).await);
    assert_eq!(told(&bad), (RefusalKind::Forbidden, Some(403), Some("invalid_access")));
    let fresh = (KIND.open)(json!({})).unwrap();
    assert_eq!(refused(fresh.observe(&Wanted::default(), &wrong.reader()).await).kind, RefusalKind::Forbidden);
    let weak = Bed { line: wrong, ..bed };
    for (attribute, value) in
        [("active", Value::Bool(false)), ("username", "x-y".into()), ("email", "x@example.org".into())]
    {
        let change = weak.change(&account, attribute, &value);
        let refusal = weak.carry_out(&account, &[change]).await.unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::Forbidden, "{attribute}: {refusal:?}");
    }
}

#[tokio::test]
async fn a_key_without_rights_is_told_what_it_lacks() {
    let mut seed = seed(&json!({}), people(1));
    seed["keys"] = json!([
        { "key": "plain", "user": "p101" }, { "key": "narrow", "user": "homeward", "scopes": ["show"] },
    ]);
    let options = json!({ "username": "homeward" });
    let bed = Bed::made(Bedding { kind: &KIND, options, token_kind: "personal", seed, leader: None }).await;
    let standing = bed.connector.standing(&bed.line.reader()).await.unwrap();
    assert_eq!((standing.we_are.as_str(), standing.missing.len()), ("homeward (administrator)", 0));
    bed.settings(&json!({ "auth_overrides_name": true })).await;
    let standing = bed.connector.standing(&bed.line.reader()).await.unwrap();
    assert_eq!(standing.missing, ["changing display names: `auth_overrides_name` is on there, or `enable_names` off"]);
    let narrow = line(&KIND, &bed.lab, "narrow");
    let standing = bed.connector.standing(&narrow.reader()).await.unwrap();
    assert!(standing.missing[0].starts_with("reading addresses: "), "{standing:?}");
    let refusal = refused(bed.connector.observe(&holding("username", "p101"), &narrow.reader()).await);
    assert_eq!(refusal.kind, RefusalKind::Forbidden);
}

/// What an ordinary person can do to herself, foreseen with her own key.
#[tokio::test]
async fn a_person_sees_and_changes_herself_and_no_more() {
    let mut seed = seed(&json!({}), people(1));
    seed["keys"] = json!([{ "key": "own", "user": "p101" }]);
    let options = options(&json!({}));
    let bed = Bed::made(Bedding { kind: &KIND, options, token_kind: "personal", seed, leader: None }).await;
    let person = PersonId { system: "web".into(), key: "101".into() };
    let token = OwnToken::new(person, TokenKind::Personal, Secret::new("own"), None);
    let account = own::seen(&bed, &token).await;
    assert_eq!(
        (account.server_fact("credential"), account.value(&"email".into())),
        (Some("own"), "p101@example.com".into())
    );
    for (attribute, value, foreseen, met) in [
        ("display_name", Value::text("Anna"), "takes", Met::Took),
        ("discourse.bio", "writes".into(), "takes", Met::Took),
        ("department", "Cellar".into(), "takes", Met::Took),
        ("discourse.title", "Queen".into(), "doomed", Met::Ineffective),
        ("email", "own@example.org".into(), "takes", Met::Refused(RefusalKind::Ineffective)),
        ("username", "anna.b".into(), "takes", Met::Took),
    ] {
        let change = bed.change(&account, attribute, &value);
        assert_eq!(word(&change, &bed.foresee(&account, &change)), foreseen, "{attribute}");
        let came = match own::send(&bed, &token, &account, &change).await {
            Ok(()) if bed.holds(&own::seen(&bed, &token).await, &change) => Met::Took,
            Ok(()) => Met::Ineffective,
            Err(refusal) => Met::Refused(refusal.kind),
        };
        assert_eq!(came, met, "{attribute}");
    }
    for (attribute, value) in [("active", Value::Bool(false)), ("discourse.groups[crew]", "member".into())] {
        let change = bed.change(&account, attribute, &value);
        assert_eq!(word(&change, &bed.foresee(&account, &change)), "forbidden", "{attribute}");
    }
}

/// A refusal is waited for as long as it says, and asked again.
#[tokio::test]
async fn sixty_requests_a_minute_are_waited_for() {
    let bed = bed(&json!({}), json!({}), people(1)).await;
    let account = bed.account("101").await;
    let program = json!({ "faults": [{ "kind": "rate_limited", "of": "writes", "at": 1, "retry_after": 1 }] });
    bed.lab.disturb("discourse", &program);
    let change = bed.change(&account, "display_name", &"Anna".into());
    assert!(bed.holds(&bed.carry_out(&account, std::slice::from_ref(&change)).await.unwrap(), &change));
}

/// A kind's own secret is read where secrets are, by its place; in a lab nothing is read.
#[tokio::test]
async fn a_project_signs_with_the_secret_it_names() {
    use crate::run::{
        kinds::PROVIDERS,
        project::{OpenError, benches, fleet, open},
    };
    let folder = tempfile::tempdir().unwrap();
    let config = "[systems.forum]\nkind = \"discourse\"\nurl = \"https://forum.example.com\"\n\
                  token = { file = \"key\" }\ndiscourse_connect_secret = { env = \"HOMEWARD_TEST_NOBODY_SETS_THIS\" }\n\
                  auth_overrides = [\"name\"]\n";
    let seed = json!({
        "settings": { "enable_discourse_connect": true, "auth_overrides_name": true },
        "users": [{ "id": 7, "username": "anna", "name": "A", "external_id": "x7" }],
    });
    std::fs::create_dir_all(folder.path().join("rules")).unwrap();
    std::fs::create_dir_all(folder.path().join("lab")).unwrap();
    std::fs::write(folder.path().join("key"), "a-key").unwrap();
    std::fs::write(folder.path().join("lab/forum.json"), seed.to_string()).unwrap();
    std::fs::write(folder.path().join("homeward.toml"), config).unwrap();
    let project = open(&folder.path().join("homeward.toml"), PROVIDERS, jiff::civil::date(2026, 11, 20)).unwrap();
    let lab = crate::lab::start(&benches(&project.config, PROVIDERS).unwrap(), 0, &[]).await.unwrap();
    let members = fleet(&project.config, PROVIDERS, Some(&lab.systems)).unwrap().members;
    let member = &members[&SystemName::from("forum")];
    let wanted = Wanted { ids: BTreeSet::from(["7".into()]), ..Wanted::default() };
    let account =
        member.connector.observe(&wanted, &member.line.reader()).await.unwrap().accounts.get(0).unwrap().account();
    let change = Change { attribute: "display_name".into(), before: "A".into(), after: "Anna".into() };
    assert_eq!(member.connector.foresee(&account, &change), Foresight::takes());
    assert_eq!(member.connector.calls(&account, &[change]).unwrap()[0].path, "/admin/users/sync_sso");
    // Against the real forum it has to be there.
    let Err(OpenError::Config(errors)) = fleet(&project.config, PROVIDERS, None) else { panic!("it was opened") };
    let told: Vec<String> = errors.errors.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["the environment variable HOMEWARD_TEST_NOBODY_SETS_THIS is not set"]);
}
