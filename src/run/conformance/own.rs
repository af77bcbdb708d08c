//! What is foreseen of a person's own token, held against what the simulators do with that token: kinds of accounts, kinds
//! of tokens, with and without an administrator's rights, attribute by attribute.

use std::{collections::BTreeSet, fmt::Write};

use serde_json::json;

use super::*;
use crate::{
    connector::{discourse, gitlab, mattermost},
    model::own_token::TokenKind,
    wire::OwnToken,
};

/// Whose token it is.
struct Owner {
    username: String,
    kind: TokenKind,
    token: String,
}

/// What is tried of each account.
const WISHES: &[(&str, &str)] = &[
    ("username", "an.new"),
    ("username", "an new"),
    ("email", "new@example.com"),
    ("first_name", "New"),
    ("last_name", "New"),
    ("display_name", "New Name"),
    ("nickname", "New"),
    ("position", "New"),
    ("locale", "de"),
    ("locale", "deutsch"),
    ("discourse.title", "Chief"),
    ("discourse.website", "https://new.example.com"),
];

/// Each wish of each owner: who, what, foreseen, met. Only lines where the two differ.
async fn differences(bed: &Bed, owners: &[Owner]) -> String {
    let mut table = String::new();
    for (number, owner) in (0..).zip(owners) {
        let person = PersonId { system: "web".into(), key: owner.username.as_str().into() };
        let token = OwnToken::new(person.clone(), owner.kind, Secret::new(&owner.token), None);
        let rows = bed.connector.capabilities().attributes;
        let is_known = |name: &str| match name.split_once('.') {
            Some((system, name)) => {
                bed.system.as_str() == system && rows.iter().any(|row| !row.neutral && row.name == name)
            }
            None => rows.iter().any(|row| row.neutral && row.name == name && row.remote != "user_fields"),
        };
        for (attribute, text) in WISHES.iter().filter(|(name, _)| is_known(name)) {
            let account = seen(bed, &token).await;
            let text = if *attribute == "username" || *attribute == "email" {
                format!("u{number}{text}")
            } else {
                (*text).to_owned()
            };
            let change = bed.change(&account, attribute, &Value::text(&text));
            let foreseen = match bed.foresee(&account, &change).verdict {
                Verdict::Takes => Met::Took,
                Verdict::Refuses { kind, .. } => Met::Refused(kind),
                Verdict::Doomed { .. } => Met::Ineffective,
            };
            let met = match send(bed, &token, &account, &change).await {
                // A call can ask for an address, and no more.
                Err(refusal) if refusal.kind == RefusalKind::Ineffective && *attribute == "email" => Met::Took,
                Err(refusal) => Met::Refused(refusal.kind),
                Ok(()) if bed.holds(&seen(bed, &token).await, &change) => Met::Took,
                Ok(()) => Met::Ineffective,
            };
            // What is never written cannot be said otherwise either.
            let row = rows.iter().find(|row| row.name == *attribute).map(|row| row.write);
            if foreseen != met && row.is_some_and(crate::model::capability::Support::is_yes) {
                let _ = writeln!(table, "{} {:?} {attribute} {text}: {foreseen}, {met}", owner.username, owner.kind);
            }
        }
    }
    table
}

/// The account that this token opens.
pub(super) async fn seen(bed: &Bed, token: &OwnToken) -> Account {
    let observed = bed.connector.observe_self(&bed.line.reader_as(token)).await.unwrap();
    let [account] = <[Account; 1]>::try_from(observed.accounts.into_iter().collect::<Vec<_>>()).unwrap();
    assert_eq!(account.server_fact("credential"), Some("own"));
    assert_eq!(account.server_fact("token_kind"), Some(token.kind().word()));
    account
}

/// Sends a change with this token.
pub(super) async fn send(bed: &Bed, token: &OwnToken, account: &Account, change: &Change) -> Result<(), Refusal> {
    for request in bed.connector.calls(account, std::slice::from_ref(change))? {
        let call = Call {
            id: format!("c{}", bed.calls.fetch_add(1, Ordering::Relaxed)).into(),
            system: bed.system.clone(),
            person: token.person().clone(),
            account: account.id.clone(),
            operation: request.operation,
            performs: None,
            method: request.method,
            path: request.path,
            headers: request.headers,
            body: request.body,
            generated: request.generated,
            expects: BTreeMap::new(),
            intends: [(change.attribute.clone(), change.after.clone())].into(),
            replay: request.replay,
            after: Vec::new(),
        };
        let mut writer = bed.line.writer_as(&bed.store, bed.run, &call, token).unwrap();
        bed.connector.perform(&call, &mut writer).await?;
    }
    Ok(())
}

fn owners(names: impl IntoIterator<Item = String>, kinds: &[TokenKind]) -> Vec<Owner> {
    let of = |name: &String, kind: TokenKind| Owner {
        username: name.clone(),
        kind,
        token: format!("own-{}-{name}", kind.word()),
    };
    names.into_iter().flat_map(|name| kinds.iter().map(move |kind| of(&name, *kind)).collect::<Vec<_>>()).collect()
}

fn tokens(owners: &[Owner]) -> Json {
    owners.iter().map(|it| json!({ "user": it.username, "kind": it.kind.word(), "token": it.token })).collect()
}

#[tokio::test]
async fn what_a_persons_own_token_may_do_at_mattermost_is_foreseen() {
    let services = ["", "gitlab", "saml", "magic_link"];
    let mut users = Vec::new();
    for (number, service) in (0..).zip(services) {
        for role in ["user", "admin"] {
            let roles = if role == "admin" { "system_user system_admin" } else { "system_user" };
            let username = format!("{role}-{}", if service.is_empty() { "mail" } else { service }.replace('_', "-"));
            let mut user = json!({ "username": username, "roles": roles, "email": format!("{username}@example.com") });
            if !service.is_empty() {
                user["auth_service"] = service.into();
                user["auth_data"] = format!("{number}{role}").into();
            }
            users.push(user);
        }
    }
    let names = users.iter().map(|user| user["username"].as_str().unwrap().to_owned());
    // A rename changes whom a token is listed under in this table, and nothing else.
    let owners = owners(names, &[TokenKind::Oauth, TokenKind::Personal]);
    let seed = json!({ "users": users, "tokens": tokens(&owners) });
    let bedding = Bedding { kind: &mattermost::KIND, options: json!({}), token_kind: "personal", seed, leader: None };
    let bed = Bed::made(bedding).await;
    assert_eq!(differences(&bed, &owners).await, "");
}

#[tokio::test]
async fn what_a_persons_own_token_may_do_at_gitlab_is_foreseen() {
    let users = json!([
        { "id": 5, "username": "plain", "name": "Plain", "email": "plain@example.com" },
        { "id": 6, "username": "chief", "name": "Chief", "email": "chief@example.com", "admin": true },
    ]);
    let owners = owners(["plain".to_owned(), "chief".to_owned()], &[TokenKind::Oauth, TokenKind::Personal]);
    let seed = json!({ "users": users, "tokens": tokens(&owners) });
    let bedding = Bedding { kind: &gitlab::KIND, options: json!({}), token_kind: "personal", seed, leader: None };
    let bed = Bed::made(bedding).await;
    assert_eq!(differences(&bed, &owners).await, "");
}

#[tokio::test]
async fn what_a_persons_own_key_may_do_at_discourse_is_foreseen() {
    for settings in [
        json!({}),
        json!({ "enable_names": false, "email_editable": false, "username_change_period": 0 }),
        json!({ "auth_overrides_username": true, "auth_overrides_email": true, "auth_overrides_name": true }),
    ] {
        let users = json!([
            { "username": "newcomer" }, { "username": "writer", "has_posts": true },
            { "username": "moderator", "moderator": true }, { "username": "chief", "admin": true, "has_posts": true },
        ]);
        let names = users.as_array().unwrap().iter().map(|user| user["username"].as_str().unwrap().to_owned());
        let owners = owners(names, &[TokenKind::Oauth, TokenKind::Personal]);
        let key = |it: &Owner| json!({ "user": it.username, "key": it.token, "of_app": it.kind == TokenKind::Oauth });
        let keys: Json = owners.iter().map(key).collect();
        let mut all = settings.clone();
        all["max_admin_api_reqs_per_minute"] = 0.into();
        all["max_user_api_reqs_per_minute"] = 0.into();
        // The lab keeps some names for itself.
        all["reserved_usernames"] = json!([]);
        let seed = json!({ "users": users, "keys": keys, "settings": all });
        let bedding =
            Bedding { kind: &discourse::KIND, options: json!({}), token_kind: "personal", seed, leader: None };
        let bed = Bed::made(bedding).await;
        assert_eq!(differences(&bed, &owners).await, "", "{settings}");
    }
}

/// What one key that a person gave an application is told is waited for by nobody else (`discourse.md` 2).
#[tokio::test]
async fn the_limit_of_one_persons_key_at_discourse_is_hers_alone() {
    let people = ["anna", "bert"];
    let seed = json!({
        "users": people.map(|name| json!({ "username": name })),
        "keys": people.map(|name| json!({ "user": name, "key": format!("of-{name}"), "of_app": true })),
        "settings": { "max_user_api_reqs_per_minute": 2 },
    });
    let bedding = Bedding { kind: &discourse::KIND, options: json!({}), token_kind: "personal", seed, leader: None };
    let bed = Bed::made(bedding).await;
    let token = |name: &str| {
        let person = PersonId { system: "web".into(), key: name.into() };
        OwnToken::new(person, TokenKind::Oauth, Secret::new(&format!("of-{name}")), None)
    };
    let (hers, his) = (token("anna"), token("bert"));
    // A look takes two requests, and there are no more of them for a minute.
    seen(&bed, &hers).await;
    let reader = bed.line.reader_as(&hers);
    let waits = bed.connector.observe_self(&reader);
    let others = async {
        let is_told = |asked: &Json| asked.as_array().unwrap().iter().any(|one| one["status"] == 429);
        while !is_told(&bed.lab("discourse", "GET", "requests", &Json::Null).await.unwrap()) {}
        seen(&bed, &his).await;
        assert_eq!(bed.account("1").await.value(&"username".into()), "anna".into());
        bed.line.hang_up();
    };
    let (waited, ()) = tokio::join!(waits, others);
    let Err(ConnectorError::Refused { refusal, .. }) = waited else { panic!("{waited:?}") };
    assert_eq!((refusal.kind, refusal.status), (RefusalKind::RateLimited, Some(429)));
    assert!(refusal.reason.contains("with this person's key"), "{refusal}");
    assert!(refusal.retry_after.is_some_and(|pause| pause > Duration::from_secs(30)), "{refusal:?}");
}

#[tokio::test]
async fn a_writer_with_another_persons_token_cannot_be_had() {
    let owners = owners(["plain".to_owned()], &[TokenKind::Oauth]);
    let seed = json!({ "users": [{ "username": "plain" }], "tokens": tokens(&owners) });
    let bedding = Bedding { kind: &mattermost::KIND, options: json!({}), token_kind: "personal", seed, leader: None };
    let bed = Bed::made(bedding).await;
    let person = |key: &str| PersonId { system: "web".into(), key: key.into() };
    let token = |key: &str| OwnToken::new(person(key), TokenKind::Oauth, Secret::new(&owners[0].token), None);
    let account = seen(&bed, &token("plain")).await;
    let change = bed.change(&account, "nickname", &"Nick".into());
    let request = bed.connector.calls(&account, &[change]).unwrap().remove(0);
    let call = Call {
        id: "c1".into(),
        system: bed.system.clone(),
        person: person("plain"),
        account: account.id.clone(),
        operation: request.operation,
        performs: None,
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
    let had: BTreeSet<bool> =
        [bed.line.writer_as(&bed.store, bed.run, &call, &token("other")).is_some()].into_iter().collect();
    assert_eq!(had, [false].into());
    assert!(bed.line.writer_as(&bed.store, bed.run, &call, &token("plain")).is_some());
}

#[tokio::test]
async fn a_line_of_peoples_tokens_asks_nothing_without_one() {
    let bedding =
        Bedding { kind: &mattermost::KIND, options: json!({}), token_kind: "personal", seed: json!({}), leader: None };
    let bed = Bed::made(bedding).await;
    let reach = Reach {
        system: "mattermost".into(),
        url: Url::parse(&bed.lab.systems["mattermost"].url).unwrap(),
        credential: Credential::Own,
        scheme: Scheme::Bearer,
        concurrency: 1,
        timeout: Duration::from_secs(30),
        habits: Habits::default(),
        route: crate::wire::Route::default(),
    };
    let line = Line::new(reach).unwrap();
    let error = line.reader().get("/api/v4/users/me", &[]).await.unwrap_err();
    let said = "mattermost is asked with the tokens of people only, and this is nobody's";
    assert_eq!(error.to_string(), said);
    assert_eq!(bed.lab("mattermost", "GET", "requests", &Json::Null).await.unwrap(), json!([]));
}
