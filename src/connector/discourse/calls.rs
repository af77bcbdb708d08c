//! What would be sent: one PUT for a profile, one for an address, one for a name, one for the state; one POST for all that
//! is told as the identity provider would.
//!
//! Discourse knows people by their names in most of its addresses. A rename comes last, so that the others still find
//! whom they mean; whoever was renamed meanwhile is looked for by number when a call is sent (`proof.rs`).

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use crate::model::{
    account::Account,
    attribute::{AttributeName, Value},
    capability::{Change, Replay},
    plan::{Call, Operation, Request},
    refusal::{Refusal, RefusalKind},
};

use super::{
    connect,
    foresee::{Way, is_own, is_preferred, sayable, way},
    groups,
    observe::{acting_as, profile_path, user_path},
    settings::Settings,
    switch::{Switch, switch},
    table::{CAPABILITIES, FIELD},
};

/// Until when a suspension lasts: as good as for ever.
const UNTIL: &str = "2999-12-31";

/// What staff reads as the reason of a suspension.
const REASON: &str = "The account was switched off by whoever keeps people's records.";

/// The requests that carry out these changes of one account.
pub(super) fn calls(account: &Account, changes: &[Change], settings: &Settings) -> Result<Vec<Request>, Refusal> {
    for change in changes {
        sayable(account, change, settings).map_err(|reason| Refusal::new(RefusalKind::Unsupported, reason))?;
    }
    let Some(path) = account.id.as_ref().and_then(user_path) else {
        return Err(Refusal::new(RefusalKind::Invalid, "Discourse's ids are numbers; this is none"));
    };
    let mut sorted = Sorted::default();
    for row in CAPABILITIES.attributes.iter().filter(|row| row.set.is_none()) {
        let name = CAPABILITIES.name(&account.system, row);
        let Some(change) = changes.iter().rfind(|change| change.attribute == name) else { continue };
        if row.name == "active" {
            let active = change.after.as_bool();
            let mistyped = || Refusal::new(RefusalKind::Invalid, "`active` is either true or false");
            sorted.switch = switch(account, active.ok_or_else(mistyped)?)?.map(|switch| (switch, name));
            continue;
        }
        let text = match &change.after {
            Value::Text(text) => text.as_ref(),
            Value::Empty => "",
            Value::Bool(_) => {
                let reason = format!("`{}` is a text, not true or false", row.name);
                return Err(Refusal::new(RefusalKind::Invalid, reason));
            }
        };
        match (row.name, row.remote) {
            ("username" | "email" | "display_name", _) if way(account, row, settings) == Way::Connect => {
                let said = if row.name == "display_name" { "name" } else { row.name };
                sorted.connect.put(said, text, name);
            }
            ("email", remote) if is_preferred(account, change) => {
                sorted.alone.push(("primary-email", json!({ remote: text }), name));
            }
            ("username" | "email", remote) => sorted.alone.push((row.name, json!({ remote: text }), name)),
            (_, FIELD) => {
                let field = settings.field(row.name).unwrap_or_default();
                sorted.fields.insert(field.to_string(), text.into());
                sorted.profile.carries.push(name);
            }
            (_, remote) => sorted.profile.put(remote, text, name),
        }
    }
    let mut requests = requests(account, changes, sorted, &path)?;
    if !is_own(account) {
        for request in &mut requests {
            request.headers = acting_as(settings);
        }
    }
    Ok(requests)
}

/// Changes, sorted by what carries them.
#[derive(Default)]
struct Sorted {
    profile: Carried,
    fields: Map<String, Json>,
    connect: Carried,
    /// Each in a call of its own: the end of its path, and the body.
    alone: Vec<(&'static str, Json, AttributeName)>,
    switch: Option<(Switch, AttributeName)>,
}

/// Fields, and the attributes they are.
#[derive(Default)]
struct Carried {
    fields: Map<String, Json>,
    carries: Vec<AttributeName>,
}

impl Carried {
    fn put(&mut self, field: &str, text: &str, name: AttributeName) {
        self.fields.insert(field.to_owned(), text.into());
        self.carries.push(name);
    }
}

fn requests(account: &Account, changes: &[Change], sorted: Sorted, path: &str) -> Result<Vec<Request>, Refusal> {
    let Sorted { mut profile, fields, connect, alone, switch } = sorted;
    let name = AttributeName::new("username");
    // A name that is held for a moment only is the name at the time of the second call.
    let before = changes.iter().find(|change| change.attribute == name).map(|change| change.before.clone());
    let username = before.filter(|name| !name.is_empty()).unwrap_or_else(|| account.value(&name));
    let by_name = || -> Result<String, Refusal> {
        let username = username.as_text();
        username.map(profile_path).ok_or_else(|| Refusal::new(RefusalKind::Invalid, "the account shows no username"))
    };
    if !fields.is_empty() {
        profile.fields.insert(FIELD.to_owned(), fields.into());
    }
    let mut all = Vec::new();
    let switch = switch.map(|(switch, name)| {
        let body = match switch {
            Switch::Suspend => json!({ "suspend_until": UNTIL, "reason": REASON }),
            Switch::Unsuspend | Switch::Activate => Json::Null,
        };
        let sent = put(format!("{path}/{}.json", switch.verb()), body, vec![name]);
        (switch, Request { operation: switch.operation(), ..sent })
    });
    // Who leaves is out before anything else is tidied; who comes back finds everything in its place.
    let (first, last): (Vec<_>, Vec<_>) = switch.into_iter().partition(|(switch, _)| *switch == Switch::Suspend);
    all.extend(first.into_iter().map(|(_, request)| request));
    if !profile.fields.is_empty() {
        all.push(put(format!("{}.json", by_name()?), profile.fields.into(), profile.carries));
    }
    for change in changes.iter().filter(|change| change.attribute.member().is_some()) {
        let Some(group) = groups::group(&account.system, &change.attribute) else { continue };
        all.extend(groups::request(account, change, group)?);
    }
    let whole = changes.iter().any(|change| change.attribute == groups::set(&account.system));
    if whole {
        return Err(Refusal::new(RefusalKind::Unsupported, groups::WHICH));
    }
    let (renames, addresses): (Vec<_>, Vec<_>) = alone.into_iter().partition(|(name, ..)| *name == "username");
    for (name, body, attribute) in addresses.into_iter().chain(renames) {
        let path = format!("{}/preferences/{name}.json", by_name()?);
        // A second letter would be sent: what waits is looked at first.
        let replay = if name == "email" { Replay::LookFirst } else { Replay::Repeat };
        all.push(Request { replay, ..put(path, body, vec![attribute]) });
    }
    if !connect.fields.is_empty() {
        let body = json!({ connect::SAID: connect.fields });
        let sent = put(connect::PATH.to_owned(), body, connect.carries);
        all.push(Request { method: "POST".to_owned(), ..sent });
    }
    all.extend(last.into_iter().map(|(_, request)| request));
    Ok(all)
}

/// True for a call that asks for an address, which then waits.
pub(super) fn asks_address(call: &Call) -> bool {
    call.path.ends_with("/preferences/email.json")
}

/// True for a call that makes a further address the first one.
pub(super) fn prefers_address(call: &Call) -> bool {
    call.path.ends_with("/preferences/primary-email.json")
}

fn put(path: String, body: Json, carries: Vec<AttributeName>) -> Request {
    Request {
        operation: Operation::Update,
        method: "PUT".to_owned(),
        path,
        headers: BTreeMap::new(),
        body,
        generated: Vec::new(),
        carries,
        replay: Replay::Repeat,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::account::Facts;

    fn account() -> Account {
        let facts = Facts::from([("group:crew".to_owned(), "44".into()), ("can_edit_email".to_owned(), false.into())]);
        let mut account = Account::absent("forum".into(), Arc::new(facts));
        account.id = Some("7".into());
        account.attributes.insert("username".into(), "anna".into());
        account.facts.insert("state".to_owned(), "active".into());
        account
    }

    fn change(attribute: &str, before: &str, after: impl Into<Value>) -> Change {
        Change { attribute: attribute.into(), before: Value::text(before), after: after.into() }
    }

    fn settings(more: &Json) -> Settings {
        let mut said = json!({ "username": "homeward", "profile": true });
        said.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(said).unwrap()
    }

    fn told(requests: &[Request]) -> Vec<(String, Json)> {
        requests.iter().map(|one| (format!("{} {}", one.method, one.path), one.body.clone())).collect()
    }

    #[test]
    fn each_endpoint_gets_one_request_and_the_rename_is_the_last() {
        let changes = [
            change("username", "anna", "anna.b"),
            change("email", "a@example.org", "b@example.org"),
            change("display_name", "Anna", "Anna B"),
            change("forum.title", "", "Chief"),
            change("forum.user_field_2", "x", ""),
            change("department", "", "Kitchen"),
            change("forum.groups[crew]", "", "member"),
            change("active", "", false),
        ];
        let requests = calls(&account(), &changes, &settings(&json!({ "user_fields": { "department": 5 } }))).unwrap();
        let expected = [
            ("PUT /admin/users/7/suspend.json", json!({ "suspend_until": UNTIL, "reason": REASON })),
            (
                "PUT /u/anna.json",
                json!({ "name": "Anna B", "title": "Chief", "user_fields": { "5": "Kitchen", "2": "" } }),
            ),
            ("POST /admin/users/7/groups", json!({ "group_id": 44 })),
            ("PUT /u/anna/preferences/email.json", json!({ "email": "b@example.org" })),
            ("PUT /u/anna/preferences/username.json", json!({ "new_username": "anna.b" })),
        ];
        assert_eq!(told(&requests), expected.map(|(line, body)| (line.to_owned(), body)));
        assert!(requests.iter().all(|one| one.headers["Api-Username"] == "homeward"));
        let letters: Vec<bool> = requests.iter().map(|one| one.replay == Replay::LookFirst).collect();
        assert_eq!(letters, [false, false, false, true, false]);
    }

    #[test]
    fn what_the_identity_provider_owns_is_said_in_its_name_and_in_clear() {
        let settings = settings(&json!({
            "auth_overrides": ["email"], "discourse_connect_secret": { "env": "X" },
        }));
        let requests = calls(&account(), &[change("email", "a@example.org", "b@example.org")], &settings).unwrap();
        let says = json!({ "says": { "email": "b@example.org" } });
        assert_eq!(told(&requests), [("POST /admin/users/sync_sso".to_owned(), says)]);
    }

    #[test]
    fn a_further_address_of_hers_becomes_the_first_without_a_letter() {
        let mut account = account();
        account.facts.insert("secondary_email".to_owned(), "A.Two@example.org\na.three@example.org".into());
        let asked = |address: &str| {
            let change = change("email", "a@example.org", address);
            let request = calls(&account, &[change], &settings(&json!({}))).unwrap().remove(0);
            (request.path, request.replay)
        };
        let path = |end: &str| format!("/u/anna/preferences/{end}.json");
        assert_eq!(asked("a.two@example.org"), (path("primary-email"), Replay::Repeat));
        assert_eq!(asked("a.four@example.org"), (path("email"), Replay::LookFirst));
    }

    #[test]
    fn a_name_held_for_a_moment_is_where_the_second_call_goes() {
        let requests = calls(&account(), &[change("username", "moment", "berta")], &settings(&json!({}))).unwrap();
        assert_eq!(requests[0].path, "/u/moment/preferences/username.json");
    }

    #[test]
    fn a_persons_own_key_acts_as_nobody_else() {
        let mut own = account();
        own.server = Arc::new(Facts::from([("credential".to_owned(), "own".into())]));
        let requests = calls(&own, &[change("display_name", "Anna", "Anna B")], &settings(&json!({}))).unwrap();
        assert!(requests[0].headers.is_empty());
    }

    #[test]
    fn what_cannot_be_said_is_refused() {
        let nobody = Account { id: None, ..account() };
        for (account, change, kind) in [
            (account(), change("username", "anna", ""), RefusalKind::Unsupported),
            (account(), change("phone", "", "1"), RefusalKind::Unsupported),
            (account(), change("forum.groups", "", "crew"), RefusalKind::Unsupported),
            (account(), change("forum.groups[none]", "", "member"), RefusalKind::NotFound),
            (account(), change("forum.groups[crew]", "", "owner"), RefusalKind::Invalid),
            (account(), change("forum.title", "", true), RefusalKind::Invalid),
            (account(), change("active", "", "yes"), RefusalKind::Invalid),
            (nobody, change("display_name", "", "x"), RefusalKind::Unsupported),
        ] {
            let refusal = calls(&account, std::slice::from_ref(&change), &settings(&json!({}))).unwrap_err();
            assert_eq!(refusal.kind, kind, "{change:?}");
        }
    }
}
