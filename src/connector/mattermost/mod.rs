//! Mattermost, REST API v4, as servers from 9.11 to 11.6 speak it (`mattermost.md`).
//!
//! Odd habits, all of them handled here and nowhere else: what the login provider owns is 409 for names, and 200 without
//! effect for addresses (4.4, 4.2); a taken name is 400 and so is an unknown account (4.1, 4.2); an `OAuth2` application
//! token may do everything but change an address (4.3); every sign-in through a login provider overwrites the account and
//! switches it on (6). Passwords, roles and the login service itself are not this file's business, and no account is
//! ever deleted. Teams and channels are sets: only those that somebody names are read or touched.

mod allowance;
mod foresee;
mod members;
mod operations;
mod places;
mod reading;
mod reply;
mod settings;
mod value;

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use serde_json::json;
use tokio::sync::OnceCell;

use self::{
    places::{MEMBER, Places, Set},
    reading::{Us, segment},
    reply::{Look, User},
    settings::{Settings, TokenKind},
};
use crate::{
    connector::{Connector, ConnectorError, Kind, Standing, unavailable},
    model::{
        account::{Account, Facts, Observed, Wanted},
        accounts::Packed,
        attribute::{AttributeName, Value},
        capability::{
            AttributeCapability, Capabilities, Change, Foresight, Replay, Scheme, SetCapability, Support, Unique,
        },
        plan::{Call, Operation, Request},
        refusal::{Refusal, RefusalKind},
    },
    wire::{Dialect, Reader, Writer},
};

const CAPABILITIES: Capabilities = Capabilities {
    kind: "mattermost",
    create: Support::Yes,
    // Sent again, it would be refused because of itself: the name is taken by then.
    create_replay: Replay::LookFirst,
    attributes: &[
        AttributeCapability {
            name: "username",
            remote: "username",
            clear: Support::No("every account has a username"),
            unique: Unique::Freed,
            required: true,
            side_effect: "mail to the person; mentions of the old name no longer notify",
            ..PLAIN
        },
        AttributeCapability {
            name: "email",
            remote: "email",
            clear: Support::No("every account has an address"),
            unique: Unique::Freed,
            required: true,
            side_effect: "mail to the old address; the new one counts as unverified",
            ..PLAIN
        },
        AttributeCapability { name: "first_name", remote: "first_name", ..PLAIN },
        AttributeCapability { name: "last_name", remote: "last_name", ..PLAIN },
        AttributeCapability { name: "nickname", remote: "nickname", ..PLAIN },
        AttributeCapability { name: "position", remote: "position", ..PLAIN },
        AttributeCapability { name: "locale", remote: "locale", ..PLAIN },
        AttributeCapability {
            name: "active",
            remote: "delete_at",
            clear: Support::No("an account is active or it is not"),
            side_effect: "switching off ends all sessions",
            ..PLAIN
        },
        AttributeCapability {
            name: Set::Teams.attribute(),
            neutral: false,
            remote: "members of teams",
            side_effect: "who joins a team joins its default channels",
            set: Some(SetCapability {
                named: Set::Teams.kind(),
                levels: &[MEMBER],
                leaving: "who leaves a team leaves all its channels",
            }),
            ..PLAIN
        },
        AttributeCapability {
            name: Set::Channels.attribute(),
            neutral: false,
            remote: "members of channels",
            side_effect: "everybody in the channel is told",
            set: Some(SetCapability {
                named: Set::Channels.kind(),
                levels: &[MEMBER],
                leaving: "everybody in the channel is told; a guest who leaves her last channel leaves the team",
            }),
            ..PLAIN
        },
    ],
    operations: operations::OPERATIONS,
    lookups: &["username", "email"],
    facts: &["auth_service", "is_admin", "is_bot", "is_remote", "roles"],
    concurrency: 4,
    scheme: Scheme::Bearer,
    key_scope: None,
};

/// What most rows of the table share.
const PLAIN: AttributeCapability = AttributeCapability {
    name: "",
    neutral: true,
    remote: "",
    write: Support::Yes,
    clear: Support::Yes,
    unique: Unique::No,
    required: false,
    side_effect: "",
    set: None,
};

/// This provider, for the list of kinds.
pub(crate) const KIND: Kind = Kind {
    name: "mattermost",
    capabilities: &CAPABILITIES,
    open: |settings| Ok(Box::new(Mattermost { settings: serde_json::from_value(settings)?, us: OnceCell::new() })),
    schema: || schemars::schema_for!(Settings).to_value(),
};

/// One Mattermost server.
struct Mattermost {
    settings: Settings,
    /// Who we are and what the server is like: asked once.
    us: OnceCell<Us>,
}

#[async_trait]
impl Connector for Mattermost {
    fn capabilities(&self) -> &'static Capabilities {
        &CAPABILITIES
    }

    fn dialect(&self) -> Dialect {
        Dialect { allowance: allowance::allowance, is_stranger: reply::is_stranger, requests: 1, ..Dialect::default() }
    }

    async fn standing(&self, wire: &Reader<'_>) -> Result<Standing, ConnectorError> {
        let us = Us::ask(self.settings.token_kind, *wire).await?;
        let role = match (us.is_bot, us.is_admin) {
            (false, true) => "administrator",
            (true, true) => "bot, administrator",
            (false, false) => "no administrator",
            (true, false) => "bot, no administrator",
        };
        Ok(Standing {
            server: us.version.map_or_else(|| "Mattermost".to_owned(), |version| format!("Mattermost {version}")),
            we_are: format!("{} ({role})", us.username),
            missing: us.missing,
        })
    }

    async fn observe(&self, wanted: &Wanted, wire: &Reader<'_>) -> Result<Observed, ConnectorError> {
        let us = self.us.get_or_try_init(|| Us::ask(self.settings.token_kind, *wire)).await?;
        if !us.is_admin {
            return Err(reading::not_admin(*wire));
        }
        let places = Places::find(wanted, *wire).await?;
        let mut server = us.facts(self.settings.token_kind);
        places.tell(&mut server);
        let server = Arc::new(server);
        let mut accounts = reading::accounts(wanted, &server, *wire).await?;
        places.seat(wanted, &mut accounts, *wire).await?;
        Ok(Observed { accounts, server, warnings: us.missing.clone(), ..Observed::default() })
    }

    async fn observe_self(&self, wire: &Reader<'_>) -> Result<Observed, ConnectorError> {
        reading::own(*wire).await
    }

    fn has_own_tokens(&self) -> bool {
        true
    }

    fn normalize(&self, attribute: &AttributeName, value: &Value) -> Value {
        value::stored(attribute.as_str(), value)
    }

    fn foresee(&self, account: &Account, change: &Change) -> Foresight {
        foresee::foresee(self.token_kind(account), account, change)
    }

    fn stands_alone(&self, account: &Packed<'_>) -> bool {
        foresee::stands_alone(account)
    }

    fn calls(&self, account: &Account, changes: &[Change]) -> Result<Vec<Request>, Refusal> {
        let place = |change: &Change| Set::of(&account.system, &change.attribute).is_some();
        let (places, own): (Vec<&Change>, Vec<&Change>) = changes.iter().partition(|change| place(change));
        let (profile, active) = sorted(&own)?;
        let places = moves(account, places)?;
        let Some(id) = &account.id else { return Ok(vec![creation(&profile, active)?]) };
        let mut requests = Vec::new();
        if !profile.is_empty() {
            requests.push(Request {
                operation: Operation::Update,
                method: "PUT".to_owned(),
                path: format!("/api/v4/users/{}/patch", segment(id.as_str())),
                headers: BTreeMap::new(),
                body: body(&profile),
                generated: Vec::new(),
                carries: carried(&profile),
                replay: Replay::Repeat,
            });
        }
        if let Some(active) = active {
            requests.push(Request {
                operation: if active { Operation::Enable } else { Operation::Disable },
                method: "PUT".to_owned(),
                path: format!("/api/v4/users/{}/active", segment(id.as_str())),
                headers: BTreeMap::new(),
                body: json!({ "active": active }),
                generated: Vec::new(),
                carries: vec![AttributeName::new("active")],
                replay: Replay::Repeat,
            });
        }
        requests.extend(places);
        Ok(requests)
    }

    fn operation(
        &self,
        account: &Account,
        operation: &str,
        arguments: &BTreeMap<String, Value>,
    ) -> Result<Request, Refusal> {
        operations::request(self.token_kind(account), account, operation, arguments)
    }

    async fn perform(&self, call: &Call, wire: &mut Writer<'_>) -> Result<Account, Refusal> {
        if call.operation == Operation::Perform {
            return operations::perform(call, wire).await;
        }
        let reply = wire.send().await.map_err(|error| unavailable(&error))?;
        let reader = wire.reader();
        if let Some(attribute) = members::place(call) {
            return members::settled(call, attribute, &reply, reader).await;
        }
        if !reply.is_success() {
            let refusal = reply::refusal(&reply);
            if call.operation != Operation::Update || !reply::needs_look(&refusal) {
                return Err(refusal);
            }
            return Err(reply::informed(refusal, look(call, reader).await, call.body.get("email").is_some()));
        }
        let reply = match (call.operation, &call.account) {
            // The answer is the user.
            (Operation::Create | Operation::Update, _) => reply,
            // The answer is only `OK`.
            (Operation::Enable | Operation::Disable, Some(id)) => {
                let path = format!("/api/v4/users/{}", segment(id.as_str()));
                reader.get(&path, &[]).await.map_err(|error| unavailable(&error))?
            }
            (Operation::Enable | Operation::Disable | Operation::Perform, _) => {
                return Err(Refusal::new(RefusalKind::NotFound, "the call names no account"));
            }
        };
        if !reply.is_success() {
            return Err(reply::refusal(&reply));
        }
        let user: User = reply.read().map_err(|_| reply::unreadable(&reply))?;
        if call.account.as_ref().is_some_and(|id| id.as_str() != user.id) {
            return Err(reply::unreadable(&reply));
        }
        // What the server is like was observed before; one answer says nothing of it.
        Ok(user.account(wire.system(), &Arc::new(Facts::new())))
    }

    fn has_looked(&self, call: &Call) -> bool {
        // The answers to these are only `OK`, and what it is of a place is shown only to who asks.
        matches!(call.operation, Operation::Enable | Operation::Disable)
            || (members::place(call).is_some() && call.method == "DELETE")
    }
}

impl Mattermost {
    /// How the token came about that an account was seen with.
    fn token_kind(&self, account: &Account) -> TokenKind {
        if !is_own(account) {
            return self.settings.token_kind;
        }
        if account.server_fact("token_kind") == Some(TokenKind::Personal.word()) {
            TokenKind::Personal
        } else {
            TokenKind::Oauth
        }
    }
}

/// True where an account was seen with the own token of the one who has it.
fn is_own(account: &Account) -> bool {
    account.server_fact("credential") == Some("own")
}

/// A change, with the provider's name of its field.
type Field<'a> = (&'static str, &'a Change);

/// The profile in the order of the table, and whether the account shall be active, where that is spoken of.
fn sorted<'a>(changes: &[&'a Change]) -> Result<(Vec<Field<'a>>, Option<bool>), Refusal> {
    let mut profile = Vec::new();
    let mut active = None;
    let rows = CAPABILITIES.attributes.iter().filter(|row| row.set.is_none());
    for change in changes {
        if !rows.clone().any(|row| row.name == change.attribute.as_str()) {
            let reason = format!("Mattermost accounts have no `{}`", change.attribute);
            return Err(Refusal::new(RefusalKind::Unsupported, reason));
        }
    }
    for row in rows {
        let Some(change) = changes.iter().copied().find(|change| change.attribute.as_str() == row.name) else {
            continue;
        };
        if let (Value::Empty, Support::No(why)) = (&change.after, row.clear) {
            return Err(Refusal::new(RefusalKind::Invalid, format!("`{}` cannot be empty: {why}", row.name)));
        }
        match (row.name, &change.after) {
            ("active", Value::Bool(value)) => active = Some(*value),
            ("active", _) => return Err(Refusal::new(RefusalKind::Invalid, "`active` is true or false")),
            (name, Value::Bool(_)) => return Err(Refusal::new(RefusalKind::Invalid, format!("`{name}` is a text"))),
            (_, Value::Text(_) | Value::Empty) => profile.push((row.remote, change)),
        }
    }
    Ok((profile, active))
}

/// What is sent for each team and channel, in the order in which it can be done.
fn moves(account: &Account, changes: Vec<&Change>) -> Result<Vec<Request>, Refusal> {
    let mut places: Vec<(Set, &str, &Change)> = Vec::new();
    for change in changes {
        places.extend(Set::of(&account.system, &change.attribute).map(|(set, name)| (set, name, change)));
    }
    places.sort_by_key(|(set, name, change)| (members::turn(change, *set), *name));
    places.into_iter().map(|(set, name, change)| members::request(account, change, set, name)).collect()
}

/// A new account with everything it starts with.
fn creation(profile: &[Field<'_>], active: Option<bool>) -> Result<Request, Refusal> {
    if active == Some(false) {
        return Err(Refusal::new(RefusalKind::Unsupported, "Mattermost makes every account active"));
    }
    let is_missing = |row: &&AttributeCapability| !profile.iter().any(|(remote, _)| *remote == row.remote);
    if let Some(row) = CAPABILITIES.attributes.iter().filter(|row| row.required).find(is_missing) {
        let reason = format!("an account cannot be created without `{}`", row.name);
        return Err(Refusal::new(RefusalKind::Invalid, reason));
    }
    let mut carries = carried(profile);
    carries.extend(active.map(|_| AttributeName::new("active")));
    Ok(Request {
        operation: Operation::Create,
        method: "POST".to_owned(),
        path: "/api/v4/users".to_owned(),
        headers: BTreeMap::new(),
        body: body(profile),
        generated: vec!["password".to_owned()],
        carries,
        replay: CAPABILITIES.create_replay,
    })
}

/// The fields as JSON; the empty text clears (`mattermost.md` 4.1).
fn body(profile: &[Field<'_>]) -> serde_json::Value {
    profile
        .iter()
        .map(|(remote, change)| ((*remote).to_owned(), change.after.as_text().unwrap_or_default().into()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn carried(profile: &[Field<'_>]) -> Vec<AttributeName> {
    profile.iter().map(|(_, change)| change.attribute.clone()).collect()
}

/// Looks at the account of a refused call again.
async fn look(call: &Call, wire: Reader<'_>) -> Look {
    let Some(id) = &call.account else { return Look::Unknown };
    let path = format!("/api/v4/users/{}", segment(id.as_str()));
    let (user, me) = tokio::join!(wire.get(&path, &[]), wire.get("/api/v4/users/me", &[]));
    let Ok(user) = user else { return Look::Unknown };
    if user.status == 404 && user.json().is_some() {
        return Look::Gone;
    }
    let Ok(user) = user.read::<User>() else { return Look::Unknown };
    if user.id != id.as_str() {
        return Look::Unknown;
    }
    let ours = me.is_ok_and(|me| me.read::<User>().is_ok_and(|me| me.id == user.id));
    Look::Found { auth_service: user.auth_service, ours }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(settings: serde_json::Value) -> Box<dyn Connector> {
        (KIND.open)(settings).unwrap()
    }

    fn present() -> Account {
        Account { id: Some("u1".into()), ..Account::absent("chat".into(), Arc::default()) }
    }

    fn absent() -> Account {
        Account::absent("chat".into(), Arc::default())
    }

    fn change(attribute: &str, before: impl Into<Value>, after: impl Into<Value>) -> Change {
        Change { attribute: AttributeName::new(attribute), before: before.into(), after: after.into() }
    }

    fn calls(account: &Account, changes: &[Change]) -> Result<Vec<Request>, Refusal> {
        open(json!({})).calls(account, changes)
    }

    #[test]
    fn settings_know_three_kinds_of_token_and_nothing_else() {
        let email = change("email", "a@b.c", "d@b.c");
        for (settings, takes) in [
            (json!({}), true),
            (json!({ "token_kind": "personal" }), true),
            (json!({ "token_kind": "bot" }), true),
            (json!({ "token_kind": "oauth" }), false),
        ] {
            assert_eq!(open(settings.clone()).foresee(&present(), &email) == Foresight::takes(), takes, "{settings}");
        }
        assert!((KIND.open)(json!({ "token_kind": "session" })).is_err());
        assert!((KIND.open)(json!({ "token_sort": "bot" })).is_err());
        let schema = (KIND.schema)();
        assert_eq!(schema.pointer("/additionalProperties"), Some(&json!(false)));
        assert!(schema.pointer("/properties/token_kind").is_some());
    }

    #[test]
    fn the_table_lists_every_attribute_once_and_no_text_that_misses() {
        let names: Vec<&str> = CAPABILITIES.attributes.iter().map(|row| row.name).collect();
        let neutral = ["username", "email", "first_name", "last_name", "nickname", "position", "locale", "active"];
        assert_eq!(names, [&neutral[..], &["teams", "channels"]].concat());
        assert!(CAPABILITIES.attributes.iter().all(|row| row.write.is_yes() && !row.remote.is_empty()));
        assert!(CAPABILITIES.attributes.iter().all(|row| row.neutral == row.set.is_none()));
        let marked = |is: fn(&AttributeCapability) -> bool| -> Vec<&str> {
            CAPABILITIES.attributes.iter().filter(|row| is(row)).map(|row| row.name).collect()
        };
        assert_eq!(marked(|row| row.required), ["username", "email"]);
        assert_eq!(marked(|row| row.unique == Unique::Freed), ["username", "email"]);
        assert_eq!(marked(|row| !row.clear.is_yes()), ["username", "email", "active"]);
        assert_eq!(marked(|row| !row.side_effect.is_empty()), ["username", "email", "active", "teams", "channels"]);
    }

    #[test]
    fn all_of_a_profile_is_one_patch_and_the_switch_another_call() {
        let changes = [
            change("active", true, false),
            change("nickname", "Ann", ""),
            change("email", "a@b.c", "d@b.c"),
            change("username", "anna", "anne"),
        ];
        let requests = calls(&present(), &changes).unwrap();
        assert_eq!(
            requests,
            [
                Request {
                    operation: Operation::Update,
                    method: "PUT".to_owned(),
                    path: "/api/v4/users/u1/patch".to_owned(),
                    headers: BTreeMap::new(),
                    body: json!({ "username": "anne", "email": "d@b.c", "nickname": "" }),
                    generated: vec![],
                    carries: ["username", "email", "nickname"].map(AttributeName::new).into(),
                    replay: Replay::Repeat,
                },
                Request {
                    operation: Operation::Disable,
                    method: "PUT".to_owned(),
                    path: "/api/v4/users/u1/active".to_owned(),
                    headers: BTreeMap::new(),
                    body: json!({ "active": false }),
                    generated: vec![],
                    carries: vec![AttributeName::new("active")],
                    replay: Replay::Repeat,
                },
            ]
        );
        assert_eq!(requests[0].body.to_string(), r#"{"username":"anne","email":"d@b.c","nickname":""}"#);
        let on = calls(&present(), &[change("active", false, true)]).unwrap();
        assert_eq!((on.len(), on[0].operation, &on[0].body), (1, Operation::Enable, &json!({ "active": true })));
        assert_eq!(calls(&present(), &[]), Ok(vec![]));
    }

    #[test]
    fn a_strange_id_stays_one_part_of_the_path() {
        let account = Account { id: Some("../me?x=ü".into()), ..present() };
        let requests = calls(&account, &[change("nickname", "", "Ann")]).unwrap();
        assert_eq!(requests[0].path, "/api/v4/users/..%2Fme%3Fx%3D%C3%BC/patch");
    }

    #[test]
    fn a_creation_is_one_call_with_a_password_nobody_knows() {
        let changes = [
            change("active", Value::Empty, true),
            change("email", "", "a@b.c"),
            change("username", "", "anna"),
            change("locale", "", "de"),
        ];
        assert_eq!(
            calls(&absent(), &changes),
            Ok(vec![Request {
                operation: Operation::Create,
                method: "POST".to_owned(),
                path: "/api/v4/users".to_owned(),
                headers: BTreeMap::new(),
                body: json!({ "username": "anna", "email": "a@b.c", "locale": "de" }),
                generated: vec!["password".to_owned()],
                carries: ["username", "email", "locale", "active"].map(AttributeName::new).into(),
                replay: Replay::LookFirst,
            }])
        );
    }

    #[test]
    fn what_cannot_be_sent_is_refused_before() {
        let no = |kind, reason: &str| Err(Refusal::new(kind, reason));
        let named = [change("username", "", "anna"), change("email", "", "a@b.c")];
        assert_eq!(
            calls(&absent(), &named[..1]),
            no(RefusalKind::Invalid, "an account cannot be created without `email`")
        );
        assert_eq!(
            calls(&absent(), &named[1..]),
            no(RefusalKind::Invalid, "an account cannot be created without `username`")
        );
        let [username, email] = named;
        assert_eq!(
            calls(&absent(), &[username, email, change("active", Value::Empty, false)]),
            no(RefusalKind::Unsupported, "Mattermost makes every account active")
        );
        assert_eq!(
            calls(&present(), &[change("email", "a@b.c", "")]),
            no(RefusalKind::Invalid, "`email` cannot be empty: every account has an address")
        );
        assert_eq!(
            calls(&present(), &[change("phone", "", "1")]),
            no(RefusalKind::Unsupported, "Mattermost accounts have no `phone`")
        );
        assert_eq!(
            calls(&present(), &[change("active", true, "no")]),
            no(RefusalKind::Invalid, "`active` is true or false")
        );
        assert_eq!(
            calls(&present(), &[change("nickname", "", true)]),
            no(RefusalKind::Invalid, "`nickname` is a text")
        );
    }

    #[test]
    fn only_neutral_attributes_are_normalized() {
        let connector = open(json!({}));
        let normalized = |name: &str| connector.normalize(&AttributeName::new(name), &"Anna".into());
        assert_eq!(normalized("username"), "anna".into());
        assert_eq!(normalized("chat.username"), "Anna".into());
    }
}
