//! The ZITADEL of the lab (`zitadel.md`): versions 4, 3 and 2, REST and Connect, with state.
//!
//! Written from the contract alone. It imitates what the contract says and the bad days of its section 10; it does not
//! know any connector. Reading order: `instance` (what is held), `message` and `requests` (what is understood), `access`,
//! `gateway`, then the commands in `changes`, `creation`, `metadata`, `management`, `listing`.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State as Extracted,
    http::{HeaderMap, Method, Response, Uri},
};
use serde_json::{Value, json};

use super::{Peers, SignedIn, Simulator, people::Invented};
use instance::{Human, Instance, Kind, Link, Machine, Mail, State, User};
use seed::{GenderSeed, Seed, StateSeed, UserSeed};

mod access;
mod answers;
mod changes;
mod creation;
mod gateway;
mod instance;
mod listing;
mod management;
mod message;
mod metadata;
mod refusal;
mod requests;
mod seed;
mod values;

/// The service user that is always there.
const SERVICE_USER: &str = "homeward-service";

/// Her personal access token, where the seed names none.
const SERVICE_TOKEN: &str = "lab-zitadel-pat-homeward-service";

/// One simulated instance.
pub(crate) struct Zitadel {
    instance: Mutex<Instance>,
    /// A token of the service user.
    token: String,
    answers: std::sync::atomic::AtomicU64,
}

impl Zitadel {
    /// From a lab file; the error says what is wrong with it.
    pub(crate) fn new(seed: &Value) -> Result<Self, String> {
        let seed: Seed = if seed.is_null() {
            Seed::default()
        } else {
            serde_json::from_value(seed.clone()).map_err(|error| format!("zitadel seed: {error}"))?
        };
        let (instance, token) = planted(seed)?;
        Ok(Self { instance: Mutex::new(instance), token, answers: std::sync::atomic::AtomicU64::new(0) })
    }

    fn lock(&self) -> MutexGuard<'_, Instance> {
        self.instance.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The instance that a seed describes, and a token of its service user.
fn planted(seed: Seed) -> Result<(Instance, String), String> {
    let Seed { settings, organizations, tokens, keys, secrets, users } = seed;
    let mut named = BTreeMap::new();
    for (at, organization) in organizations.into_iter().enumerate() {
        let id = organization.id.unwrap_or_else(|| format!("org{}", at + 1));
        if named.insert(id.clone(), organization.name).is_some() {
            return Err(format!("zitadel seed: two organizations with the id `{id}`"));
        }
    }
    if named.is_empty() {
        named.insert("org1".to_owned(), "ACME".to_owned());
    }
    // Lists show everything that was there from the start.
    let lag = settings.projection_lag;
    let mut instance = Instance::new(seed::Settings { projection_lag: 0, ..settings }, named)?;
    for user in &users {
        plant(&mut instance, user)?;
    }
    if instance.find(SERVICE_USER).is_none() {
        let service = UserSeed { username: Some(SERVICE_USER.to_owned()), machine: Some(true), ..UserSeed::default() };
        plant(&mut instance, &service)?;
    }
    instance.settings.projection_lag = lag;

    let known = |instance: &Instance, name: &str| {
        let user = instance.find(name).map(Arc::clone);
        user.ok_or_else(|| format!("zitadel seed: there is no user `{name}`"))
    };
    let service = known(&instance, SERVICE_USER)?;
    let mut first = None;
    for (at, token) in tokens.into_iter().enumerate() {
        if token.kind != "personal" {
            return Err(format!("zitadel seed: a token of kind `{}`; there is only `personal`", token.kind));
        }
        let user = known(&instance, &token.user)?;
        let text = token.token.unwrap_or_else(|| match (user.id == service.id, at) {
            (true, _) if first.is_none() && !token.expired => SERVICE_TOKEN.to_owned(),
            (_, at) => format!("lab-zitadel-pat-{}-{at}", user.id),
        });
        if user.id == service.id && !token.expired && first.is_none() {
            first = Some(text.clone());
        }
        for role in &token.roles {
            let stranger = role.split_once('@').filter(|(_, id)| !instance.organizations.contains_key(*id));
            if let Some((_, id)) = stranger {
                return Err(format!("zitadel seed: role `{role}`: there is no organization `{id}`"));
            }
            instance.access.add_role(&user.id, &user.organization, role);
        }
        instance.access.add_token(text, &user.id, token.expired);
    }
    if !instance.access.has_roles(&service.id) {
        instance.access.add_role(&service.id, &service.organization, "IAM_OWNER");
    }
    let token = first.unwrap_or_else(|| {
        instance.access.add_token(SERVICE_TOKEN.to_owned(), &service.id, false);
        SERVICE_TOKEN.to_owned()
    });
    for key in keys {
        let user = known(&instance, &key.user)?;
        instance.access.add_key(&key.key_id, &user.id, &key.public_key_pem)?;
    }
    for secret in secrets {
        let user = known(&instance, &secret.user)?;
        instance.access.add_secret(&user.id, &secret.secret);
    }
    Ok((instance, token))
}

/// Puts one user of the seed in.
fn plant(instance: &mut Instance, seed: &UserSeed) -> Result<(), String> {
    let id = seed.id.clone().unwrap_or_else(|| instance.fresh_id());
    if instance.user(&id).is_some() {
        return Err(format!("zitadel seed: two users with the id `{id}`"));
    }
    let organization = match &seed.organization {
        Some(organization) => organization.clone(),
        None => instance.organizations.keys().next().cloned().unwrap_or_default(),
    };
    let username = seed.username.clone().or_else(|| seed.email.clone()).unwrap_or_else(|| id.clone());
    let kind = if seed.machine == Some(true) {
        let token_type = "ACCESS_TOKEN_TYPE_BEARER".to_owned();
        Kind::Machine(Machine { name: username.clone(), description: String::new(), token_type })
    } else {
        Kind::Human(Human {
            email_verified: true,
            preferred_language: "en".to_owned(),
            gender: "GENDER_UNSPECIFIED".to_owned(),
            ..Human::default()
        })
    };
    let mut user = creation::fresh(id, organization, username, State::Active, kind, Vec::new());
    altered(instance, &mut user, seed).map_err(|fault| format!("zitadel seed: user {}: {fault}", user.id))?;
    if let Some(human) = user.human_mut()
        && human.display_name.is_empty()
    {
        human.display_name = human.whole_name();
    }
    let id = user.id.clone();
    let taken = |_| format!("zitadel seed: user {id}: the username is taken");
    instance.push(&id, Some(user), 1).map(|_| ()).map_err(taken)
}

/// Sets the fields that are there, without any of the rules of the interface.
fn altered(instance: &Instance, user: &mut User, fields: &UserSeed) -> Result<(), String> {
    if let Some(organization) = &fields.organization {
        organization.clone_into(&mut user.organization);
    }
    if !instance.organizations.contains_key(&user.organization) {
        return Err(format!("there is no organization `{}`", user.organization));
    }
    if let Some(username) = &fields.username {
        username.clone_into(&mut user.username);
    }
    user.state = match fields.state {
        Some(StateSeed::Active) => State::Active,
        Some(StateSeed::Inactive) => State::Inactive,
        Some(StateSeed::Locked) => State::Locked,
        Some(StateSeed::Initial) => State::Initial,
        Some(StateSeed::Deleted) => return Err("`deleted` is no state to hold".to_owned()),
        None => user.state,
    };
    if let Some(links) = &fields.idp_links {
        let link = |link: &seed::LinkSeed| Link {
            idp: link.idp_id.clone(),
            user: link.user_id.clone(),
            name: link.user_name.clone(),
            auto_update: link.auto_update,
        };
        user.links = links.iter().map(link).collect();
    }
    if let Some(entries) = &fields.metadata {
        user.metadata = metadata::planted(entries, instance.now(), user.sequence)?;
    }
    let Some(human) = user.human_mut() else {
        let human = fields.email.is_some() || fields.first_name.is_some() || fields.phone.is_some();
        return if human { Err("a machine has no e-mail address, name or phone".to_owned()) } else { Ok(()) };
    };
    for (given, field) in [
        (&fields.first_name, &mut human.given_name),
        (&fields.last_name, &mut human.family_name),
        (&fields.display_name, &mut human.display_name),
        (&fields.nickname, &mut human.nick_name),
        (&fields.email, &mut human.email),
        (&fields.phone, &mut human.phone),
        (&fields.preferred_language, &mut human.preferred_language),
    ] {
        if let Some(value) = given {
            value.clone_into(field);
        }
    }
    human.email_verified = fields.email_verified.unwrap_or(human.email_verified);
    human.phone_verified = fields.phone_verified.unwrap_or(human.phone_verified);
    if let Some(gender) = fields.gender {
        let name = match gender {
            GenderSeed::Unspecified => "GENDER_UNSPECIFIED",
            GenderSeed::Female => "GENDER_FEMALE",
            GenderSeed::Male => "GENDER_MALE",
            GenderSeed::Diverse => "GENDER_DIVERSE",
        };
        name.clone_into(&mut human.gender);
    }
    Ok(())
}

async fn serve(
    Extracted(zitadel): Extracted<Arc<Zitadel>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let latency = zitadel.lock().settings.latency_ms;
    if latency > 0 {
        tokio::time::sleep(Duration::from_millis(latency)).await;
    }
    let airy = zitadel.answers.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % 2 == 1;
    let asked = gateway::Asked { method: &method, uri: &uri, headers: &headers, body: &body, airy };
    gateway::answer(&mut zitadel.lock(), &asked)
}

impl Simulator for Zitadel {
    fn router(self: Arc<Self>) -> Router {
        Router::new().fallback(serve).with_state(self)
    }

    fn token(&self, _kind: &str) -> String {
        self.token.clone()
    }

    fn dump(&self) -> Value {
        let instance = self.lock();
        let users: serde_json::Map<String, Value> =
            instance.users().map(|user| (user.id.clone(), answers::dumped(user))).collect();
        let mails: Vec<Value> =
            instance.mails.iter().map(|Mail { user, to }| json!({ "user": user, "to": to })).collect();
        json!({
            "settings": instance.settings,
            "organizations": instance.organizations,
            "users": users,
            "mails": mails,
        })
    }

    fn configure(&self, settings: &Value) -> Result<(), String> {
        let mut instance = self.lock();
        let settings = instance.settings.with(settings)?;
        instance.configure(settings)
    }

    fn meddle(&self, user: &str, fields: &Value) -> Result<(), String> {
        let fields: UserSeed =
            serde_json::from_value(fields.clone()).map_err(|error| format!("zitadel user: {error}"))?;
        if fields.id.is_some() || fields.machine.is_some() {
            return Err("zitadel user: `id` and `machine` stay what they are".to_owned());
        }
        let mut instance = self.lock();
        let known = instance.find(user).ok_or_else(|| format!("zitadel: there is no user `{user}`"))?;
        let mut changed = known.as_ref().clone();
        let id = changed.id.clone();
        let after = if fields.state == Some(StateSeed::Deleted) {
            None
        } else {
            altered(&instance, &mut changed, &fields).map_err(|fault| format!("zitadel user: {fault}"))?;
            Some(changed)
        };
        instance.push(&id, after, 1).map(|_| ()).map_err(|_| "zitadel user: the username is taken".to_owned())
    }

    fn login(&self, user: &str, peers: &Peers) -> Result<Value, String> {
        let found = {
            let instance = self.lock();
            let by_login = || instance.users().find(|held| instance.login_name(held).eq_ignore_ascii_case(user));
            let found = instance.find(user).or_else(by_login);
            found.map(Arc::clone).ok_or_else(|| format!("zitadel: there is no user `{user}`"))?
        };
        let Some(before) = found.human() else { return Err("zitadel: a machine does not sign in".to_owned()) };
        let mut after = found.as_ref().clone();
        let mut human = before.clone();
        // No lock is held here: a peer may be asking us at the same time.
        for link in &mut after.links {
            let Some(peer) = peers.0.get(&link.idp) else { continue };
            let Some(told) = peer.identity(&link.user) else {
                return Err(format!("zitadel: {} knows no user {}", link.idp, link.user));
            };
            if !told.allowed {
                return Err(format!("zitadel: {} turns the user away", link.idp));
            }
            link.name.clone_from(&told.username);
            if link.auto_update {
                overwrite(&mut human, &told);
            }
        }
        if found.state != State::Active {
            return Err(format!("zitadel: the user is {}", answers::dumped(&found)["state"]));
        }
        let events = u64::from(human != *before) + u64::from(after.links != found.links);
        after.kind = Kind::Human(human);
        let mut instance = self.lock();
        if events > 0 {
            let id = after.id.clone();
            instance.push(&id, Some(after), events).map_err(|_| "zitadel: the username is taken".to_owned())?;
        }
        let user = instance.user(&found.id).ok_or("zitadel: the user is gone")?;
        Ok(json!({ "id": user.id, "username": user.username, "login_name": instance.login_name(user) }))
    }

    fn identity(&self, id: &str) -> Option<SignedIn> {
        let instance = self.lock();
        let user = instance.user(id)?;
        let human = user.human()?;
        Some(SignedIn {
            id: user.id.clone(),
            username: user.username.clone(),
            email: human.email.clone(),
            name: human.display_name.clone(),
            allowed: user.state == State::Active,
        })
    }

    fn populate(&self, people: &[Invented]) {
        let mut instance = self.lock();
        let lag = std::mem::replace(&mut instance.settings.projection_lag, 0);
        for person in people {
            let seed = UserSeed {
                username: Some(person.username.clone()),
                email: Some(person.email.clone()),
                first_name: Some(person.first_name.to_owned()),
                last_name: Some(person.last_name.to_owned()),
                ..UserSeed::default()
            };
            // Somebody of that name may be there already; then she stays as she is.
            let _taken = plant(&mut instance, &seed);
        }
        instance.settings.projection_lag = lag;
    }
}

/// What a login through an identity provider with auto-update overwrites: e-mail and names, never the username
/// (`zitadel.md` 7).
fn overwrite(human: &mut Human, told: &SignedIn) {
    if !told.email.is_empty() {
        human.email.clone_from(&told.email);
        human.email_verified = true;
    }
    if !told.name.is_empty() {
        human.display_name.clone_from(&told.name);
        let (given, family) = told.name.split_once(' ').unwrap_or((&told.name, &human.family_name));
        (human.given_name, human.family_name) = (given.to_owned(), family.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An identity provider that knows one user.
    struct Provider(SignedIn);

    impl Simulator for Provider {
        fn router(self: Arc<Self>) -> Router {
            Router::new()
        }

        fn token(&self, _: &str) -> String {
            String::new()
        }

        fn dump(&self) -> Value {
            Value::Null
        }

        fn configure(&self, _: &Value) -> Result<(), String> {
            Ok(())
        }

        fn meddle(&self, _: &str, _: &Value) -> Result<(), String> {
            Ok(())
        }

        fn login(&self, _: &str, _: &Peers) -> Result<Value, String> {
            Ok(Value::Null)
        }

        fn identity(&self, id: &str) -> Option<SignedIn> {
            (id == self.0.id).then(|| self.0.clone())
        }

        fn populate(&self, _: &[Invented]) {}
    }

    fn linked(auto_update: bool, allowed: bool) -> (Zitadel, Peers) {
        let seed = json!({ "users": [{
            "id": "jane", "username": "jane", "first_name": "Jane", "last_name": "Doe", "email": "jane@example.org",
            "idp_links": [{ "idp_id": "gitlab", "user_id": "42", "user_name": "jane", "auto_update": auto_update }],
        }] });
        let told = SignedIn {
            id: "42".to_owned(),
            username: "janet".to_owned(),
            email: "janet@example.org".to_owned(),
            name: "Janet Roe".to_owned(),
            allowed,
        };
        let provider: Arc<dyn Simulator> = Arc::new(Provider(told));
        (Zitadel::new(&seed).unwrap(), Peers(BTreeMap::from([("gitlab".to_owned(), provider)])))
    }

    #[test]
    fn a_login_through_an_updating_provider_overwrites_everything_but_the_username() {
        let (zitadel, peers) = linked(true, true);
        zitadel.login("jane", &peers).unwrap();
        let jane = &zitadel.dump()["users"]["jane"];
        let shown = ["username", "email", "first_name", "last_name", "display_name"].map(|name| &jane[name]);
        assert_eq!(shown, ["jane", "janet@example.org", "Janet", "Roe", "Janet Roe"]);
        assert_eq!(jane["idp_links"][0]["user_name"], "janet");
        let before = zitadel.dump();
        zitadel.login("jane", &peers).unwrap();
        assert_eq!(zitadel.dump(), before);
    }

    #[test]
    fn a_login_through_another_provider_refreshes_the_link_only() {
        let (zitadel, peers) = linked(false, true);
        zitadel.login("jane", &peers).unwrap();
        let jane = &zitadel.dump()["users"]["jane"];
        assert_eq!((&jane["email"], &jane["display_name"]), (&json!("jane@example.org"), &json!("Jane Doe")));
        assert_eq!(jane["idp_links"][0]["user_name"], "janet");
    }

    #[test]
    fn a_provider_that_turns_somebody_away_keeps_her_out() {
        let (zitadel, peers) = linked(true, false);
        let before = zitadel.dump();
        assert_eq!(zitadel.login("jane", &peers), Err("zitadel: gitlab turns the user away".to_owned()));
        assert_eq!(zitadel.dump(), before);
    }

    #[test]
    fn an_identity_is_allowed_as_long_as_she_is_active() {
        let (zitadel, _) = linked(false, true);
        let jane = |allowed| SignedIn {
            id: "jane".to_owned(),
            username: "jane".to_owned(),
            email: "jane@example.org".to_owned(),
            name: "Jane Doe".to_owned(),
            allowed,
        };
        assert_eq!(zitadel.identity("jane"), Some(jane(true)));
        zitadel.meddle("jane", &json!({ "state": "locked" })).unwrap();
        assert_eq!(zitadel.identity("jane"), Some(jane(false)));
        assert_eq!(zitadel.identity("gone"), None);
    }

    #[test]
    fn a_slip_in_the_seed_is_named() {
        let cases = [
            (json!({ "user": [] }), "unknown field `user`"),
            (json!({ "settings": { "lag": 1 } }), "unknown field `lag`"),
            (json!({ "settings": { "version": "1.9" } }), "version `1.9` is none we know"),
            (json!({ "users": [{ "username": "a" }, { "username": "A" }] }), "the username is taken"),
            (json!({ "users": [{ "id": "a" }, { "id": "a" }] }), "two users with the id `a`"),
            (json!({ "users": [{ "organization": "org9" }] }), "there is no organization `org9`"),
            (json!({ "tokens": [{ "user": "gone" }] }), "there is no user `gone`"),
            (json!({ "keys": [{ "key_id": "k", "user": "homeward-service", "public_key_pem": "x" }] }), "key `k`"),
        ];
        for (seed, wanted) in cases {
            let fault = Zitadel::new(&seed).err().unwrap_or_default();
            assert!(fault.contains(wanted), "{seed}: {fault}");
        }
    }

    #[test]
    fn missing_ids_are_made_in_order_and_the_service_user_is_always_there() {
        let zitadel = Zitadel::new(&json!({ "users": [{ "username": "a" }] })).unwrap();
        let dump = zitadel.dump();
        let names: Vec<_> =
            dump["users"].as_object().unwrap().iter().map(|(id, user)| (id.as_str(), &user["username"])).collect();
        let wanted = [("300000000000000001", &json!("a")), ("300000000000000002", &json!("homeward-service"))];
        assert_eq!(names, wanted);
        assert_eq!(
            (zitadel.token("personal"), zitadel.token("oauth")),
            (SERVICE_TOKEN.to_owned(), SERVICE_TOKEN.to_owned())
        );
    }

    #[test]
    fn many_people_fit_and_are_found_by_name_and_address() {
        let zitadel = Zitadel::new(&json!({})).unwrap();
        zitadel.populate(&super::super::people::people(100_000));
        let instance = zitadel.lock();
        assert_eq!(instance.users().count(), 100_001);
        let by_name = instance.find("PERSON077777").map(|user| user.id.clone()).unwrap();
        assert_eq!(instance.ids_by_email("person077777@EXAMPLE.com"), [by_name]);
    }
}
