//! What would be sent: one PUT for the attributes of an account, one POST for its state, one POST for a new one.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use crate::model::{
    account::Account,
    attribute::{AttributeName, Value},
    capability::{Change, Replay, Support},
    plan::{Operation, Request},
    refusal::{Refusal, RefusalKind},
};

use super::{
    foresee::BEGINS_ACTIVE,
    membership::{self, SET},
    observe::{USERS, user_path},
    switch::switch,
    table::CAPABILITIES,
};

/// The requests that carry out these changes of one account.
pub(super) fn calls(account: &Account, changes: &[Change]) -> Result<Vec<Request>, Refusal> {
    let (of_groups, changes): (Vec<&Change>, Vec<&Change>) =
        changes.iter().partition(|change| change.attribute.local() == SET && change.attribute.system().is_some());
    let memberships = memberships(account, of_groups)?;
    let mut fields = Fields::of(account, &changes)?;
    let Some(id) = &account.id else { return Ok(vec![create(fields)?]) };
    let path =
        user_path(id).ok_or_else(|| Refusal::new(RefusalKind::Invalid, "GitLab's ids are numbers; this is none"))?;
    // While the primary address changes no address counts as confirmed, so a request that also names one for another
    // purpose would be refused whole. That one follows on its own.
    let later = if fields.remote.contains_key("email") { fields.split_off_addresses() } else { Fields::default() };
    let updates = [(fields.remote, fields.carries), (later.remote, later.carries)]
        .into_iter()
        .filter(|(remote, _)| !remote.is_empty())
        .map(|(remote, carries)| update(path.clone(), remote, carries))
        .chain(memberships);
    let Some((name, active)) = fields.active else { return Ok(updates.collect()) };
    let switch = switch(account, active)?.map(|switch| Request {
        operation: switch.operation(),
        method: "POST".to_owned(),
        path: format!("{path}/{}", switch.verb()),
        headers: BTreeMap::new(),
        body: Json::Null,
        generated: Vec::new(),
        carries: vec![name],
        // Asked for what is so already, GitLab says yes and does nothing (section 4).
        replay: Replay::Repeat,
    });
    // Who leaves is out before anything else is tidied; who comes back finds everything in its place.
    Ok(if active { updates.chain(switch).collect() } else { switch.into_iter().chain(updates).collect() })
}

/// A request for each membership that changes, inner groups first: what comes from around is the least there can be
/// inside, so it must not have risen by then.
fn memberships(account: &Account, mut changes: Vec<&Change>) -> Result<Vec<Request>, Refusal> {
    changes.sort_by_key(|change| std::cmp::Reverse(change.attribute.member().map(|path| path.matches('/').count())));
    let asked = changes.iter().map(|change| {
        if let Some(group) = membership::group(&account.system, &change.attribute) {
            return membership::request(account, change, group);
        }
        expressible(account, change)?;
        Err(Refusal::new(RefusalKind::Unsupported, membership::WHICH))
    });
    let requests: Result<Vec<Option<Request>>, Refusal> = asked.collect();
    Ok(requests?.into_iter().flatten().collect())
}

/// Changes, sorted by what carries them.
#[derive(Default)]
struct Fields {
    /// GitLab's fields and what they shall hold, in the order of the table.
    remote: Map<String, Json>,
    /// The attributes these fields are.
    carries: Vec<AttributeName>,
    /// The state, which no field carries.
    active: Option<(AttributeName, bool)>,
}

impl Fields {
    fn of(account: &Account, changes: &[&Change]) -> Result<Self, Refusal> {
        let system = &account.system;
        let mut fields = Self::default();
        for change in changes {
            expressible(account, change)?;
        }
        for row in CAPABILITIES.attributes {
            let name = CAPABILITIES.name(system, row);
            let Some(change) = changes.iter().rfind(|change| change.attribute == name) else { continue };
            let mistyped = |reason: &str| Refusal::new(RefusalKind::Invalid, format!("`{}` is {reason}", row.name));
            if row.name == "active" {
                let active = change.after.as_bool().ok_or_else(|| mistyped("either true or false"))?;
                fields.active = Some((name, active));
                continue;
            }
            let text = match &change.after {
                Value::Text(text) => text.as_ref(),
                // The empty text clears a field (3.1).
                Value::Empty => "",
                Value::Bool(_) => return Err(mistyped("a text, not true or false")),
            };
            fields.remote.insert(row.remote.to_owned(), text.into());
            fields.carries.push(name);
        }
        Ok(fields)
    }

    /// Takes out the fields that have to name a confirmed address.
    fn split_off_addresses(&mut self) -> Self {
        let mut taken = Self::default();
        for field in ["public_email", "commit_email"] {
            let names_one = self.remote.get(field).and_then(Json::as_str).is_some_and(|text| text.contains('@'));
            taken.remote.extend(names_one.then(|| self.remote.shift_remove_entry(field)).flatten());
        }
        let (taken_names, kept) = self.carries.drain(..).partition(|name| taken.remote.contains_key(name.local()));
        (taken.carries, self.carries) = (taken_names, kept);
        taken
    }
}

/// Whether the table has a way to say this.
fn expressible(account: &Account, change: &Change) -> Result<(), Refusal> {
    let unsupported = |reason: String| Err(Refusal::new(RefusalKind::Unsupported, reason));
    let Some(row) = CAPABILITIES.of(&account.system, &change.attribute) else {
        return unsupported(format!("GitLab has no attribute `{}`", change.attribute));
    };
    match (row.write, row.clear) {
        (Support::No(why), _) => unsupported(why.to_owned()),
        (_, Support::No(why)) if change.after.is_empty() => unsupported(why.to_owned()),
        _ => Ok(()),
    }
}

fn update(path: String, mut fields: Map<String, Json>, carries: Vec<AttributeName>) -> Request {
    if fields.contains_key("email") {
        // Without it the address would wait for a confirmation, out of sight, and the answer would show the old (3.3).
        fields.insert("skip_reconfirmation".to_owned(), true.into());
    }
    Request {
        operation: Operation::Update,
        method: "PUT".to_owned(),
        path,
        headers: BTreeMap::new(),
        body: fields.into(),
        generated: Vec::new(),
        carries,
        replay: Replay::Repeat,
    }
}

fn create(mut fields: Fields) -> Result<Request, Refusal> {
    if matches!(fields.active, Some((_, false))) {
        return Err(Refusal::new(RefusalKind::Unsupported, BEGINS_ACTIVE));
    }
    // A new account simply begins without what is empty.
    fields.remote.retain(|_, value| value != "");
    for row in CAPABILITIES.attributes.iter().filter(|row| row.required) {
        if !fields.remote.contains_key(row.remote) {
            let reason = format!("a GitLab account cannot be created without `{}`", row.name);
            return Err(Refusal::new(RefusalKind::Invalid, reason));
        }
    }
    let mut body = Map::new();
    for field in ["email", "username", "name"] {
        body.extend(fields.remote.get(field).map(|value| (field.to_owned(), value.clone())));
    }
    // Nobody needs to know the password: people sign in elsewhere, or have it reset.
    body.insert("force_random_password".to_owned(), true.into());
    body.insert("skip_confirmation".to_owned(), true.into());
    for (field, value) in fields.remote {
        body.entry(field).or_insert(value);
    }
    let mut carries = fields.carries;
    carries.extend(fields.active.map(|(name, _)| name));
    Ok(Request {
        operation: Operation::Create,
        method: "POST".to_owned(),
        path: USERS.to_owned(),
        headers: BTreeMap::new(),
        body: json!(body),
        generated: Vec::new(),
        carries,
        replay: CAPABILITIES.create_replay,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn account(state: &str) -> Account {
        let mut account = Account::absent("gitlab".into(), Arc::default());
        account.id = Some("42".into());
        account.facts.insert("state".to_owned(), state.into());
        account
    }

    fn nobody() -> Account {
        Account::absent("gitlab".into(), Arc::default())
    }

    fn change(attribute: &str, after: impl Into<Value>) -> Change {
        Change { attribute: AttributeName::new(attribute), before: Value::Empty, after: after.into() }
    }

    fn names(names: &[&str]) -> Vec<AttributeName> {
        names.iter().map(|name| AttributeName::new(name)).collect()
    }

    fn put(body: Json, carries: &[&str]) -> Request {
        Request {
            operation: Operation::Update,
            method: "PUT".to_owned(),
            path: "/api/v4/users/42".to_owned(),
            headers: BTreeMap::new(),
            body,
            generated: Vec::new(),
            carries: names(carries),
            replay: Replay::Repeat,
        }
    }

    fn post(operation: Operation, verb: &str) -> Request {
        let path = format!("/api/v4/users/42/{verb}");
        Request { operation, method: "POST".to_owned(), path, ..put(Json::Null, &["active"]) }
    }

    fn kind(outcome: Result<Vec<Request>, Refusal>) -> RefusalKind {
        outcome.unwrap_err().kind
    }

    #[test]
    fn all_attributes_travel_in_one_request() {
        let changes = [
            change("gitlab.bio", ""),
            change("display_name", "Anna Meyer"),
            change("gitlab.public_email", ""),
            change("username", "ameyer"),
            change("gitlab.commit_email", "_private"),
            change("gitlab.organization", "Example AG"),
            change("gitlab.location", "Bern"),
            change("gitlab.note", "moved"),
        ];
        let body = json!({
            "username": "ameyer", "name": "Anna Meyer", "public_email": "", "commit_email": "_private",
            "organization": "Example AG", "location": "Bern", "note": "moved", "bio": "",
        });
        let carries = [
            "username",
            "display_name",
            "gitlab.public_email",
            "gitlab.commit_email",
            "gitlab.organization",
            "gitlab.location",
            "gitlab.note",
            "gitlab.bio",
        ];
        let requests = calls(&account("active"), &changes).unwrap();
        assert_eq!(requests, [put(body.clone(), &carries)]);
        assert_eq!(requests[0].body.to_string(), body.to_string());
    }

    #[test]
    fn an_address_is_stored_at_once() {
        let body = json!({ "email": "a@example.test", "skip_reconfirmation": true });
        let requests = calls(&account("active"), &[change("email", "a@example.test")]);
        assert_eq!(requests, Ok(vec![put(body, &["email"])]));
    }

    #[test]
    fn an_address_for_another_purpose_follows_the_primary_one() {
        let changes = [
            change("gitlab.commit_email", "a@example.test"),
            change("gitlab.public_email", ""),
            change("email", "a@example.test"),
            change("gitlab.note", "x"),
        ];
        let first = json!({ "email": "a@example.test", "public_email": "", "note": "x", "skip_reconfirmation": true });
        let then = json!({ "commit_email": "a@example.test" });
        let expected =
            vec![put(first, &["email", "gitlab.public_email", "gitlab.note"]), put(then, &["gitlab.commit_email"])];
        assert_eq!(calls(&account("active"), &changes), Ok(expected));
        let alone = calls(&account("active"), &[changes[0].clone(), changes[3].clone()]).unwrap();
        assert_eq!(alone.len(), 1);
    }

    #[test]
    fn the_state_travels_alone_by_the_call_that_fits() {
        let off = calls(&account("active"), &[change("active", false)]);
        assert_eq!(off, Ok(vec![post(Operation::Disable, "block")]));
        for (state, verb) in [("blocked", "unblock"), ("banned", "unblock")] {
            let on = calls(&account(state), &[change("active", true)]);
            assert_eq!(on, Ok(vec![post(Operation::Enable, verb)]), "{state}");
        }
        let asleep = calls(&account("deactivated"), &[change("active", false)]);
        assert_eq!(asleep, Ok(vec![post(Operation::Disable, "block")]));
        assert_eq!(kind(calls(&account("ldap_blocked"), &[change("active", true)])), RefusalKind::Forbidden);
    }

    #[test]
    fn who_leaves_is_out_first_and_who_comes_back_is_let_in_last() {
        let note = put(json!({ "note": "x" }), &["gitlab.note"]);
        let off = calls(&account("active"), &[change("gitlab.note", "x"), change("active", false)]);
        assert_eq!(off, Ok(vec![post(Operation::Disable, "block"), note.clone()]));
        let on = calls(&account("blocked"), &[change("active", true), change("gitlab.note", "x")]);
        assert_eq!(on, Ok(vec![note, post(Operation::Enable, "unblock")]));
    }

    #[test]
    fn each_membership_travels_alone_and_inner_groups_come_first() {
        let facts = [("group:top", "1"), ("group:top/mid", "2"), ("group:other", "3")];
        let facts = facts.map(|(name, id)| (name.to_owned(), Value::text(id)));
        let account = Account { server: Arc::new(facts.into()), ..account("active") };
        let changes = [
            change("gitlab.groups[other]", "guest"),
            change("gitlab.groups[top]", "developer"),
            change("gitlab.groups[top/mid]", "developer"),
            change("gitlab.note", "x"),
            change("active", false),
        ];
        let sent: Vec<(String, Vec<AttributeName>)> =
            calls(&account, &changes).unwrap().into_iter().map(|request| (request.path, request.carries)).collect();
        let expected = [
            ("/api/v4/users/42/block", "active"),
            ("/api/v4/users/42", "gitlab.note"),
            ("/api/v4/groups/2/members", "gitlab.groups[top/mid]"),
            ("/api/v4/groups/3/members", "gitlab.groups[other]"),
            ("/api/v4/groups/1/members", "gitlab.groups[top]"),
        ];
        assert_eq!(sent, expected.map(|(path, carried)| (path.to_owned(), names(&[carried]))));
        for alone in ["gitlab.groups", "mattermost.groups[top]"] {
            assert_eq!(kind(calls(&account, &[change(alone, "guest")])), RefusalKind::Unsupported, "{alone}");
        }
    }

    #[test]
    fn nothing_to_change_is_nothing_to_send() {
        assert_eq!(calls(&account("active"), &[]), Ok(vec![]));
    }

    #[test]
    fn a_new_account_starts_with_all_it_is_given_and_a_password_nobody_knows() {
        let changes = [
            change("active", true),
            change("display_name", "Anna Meyer"),
            change("gitlab.location", Value::Empty),
            change("gitlab.organization", "Example AG"),
            change("username", "ameyer"),
            change("email", "a@example.test"),
        ];
        let body = json!({
            "email": "a@example.test", "username": "ameyer", "name": "Anna Meyer", "force_random_password": true,
            "skip_confirmation": true, "organization": "Example AG",
        });
        let carries = ["username", "email", "display_name", "gitlab.organization", "gitlab.location", "active"];
        let expected = Request {
            operation: Operation::Create,
            method: "POST".to_owned(),
            path: "/api/v4/users".to_owned(),
            replay: Replay::LookFirst,
            ..put(body.clone(), &carries)
        };
        let requests = calls(&nobody(), &changes).unwrap();
        assert_eq!(requests, [expected]);
        assert_eq!(requests[0].body.to_string(), body.to_string());
    }

    #[test]
    fn a_new_account_needs_its_three_attributes_and_begins_active() {
        let whole = [change("email", "a@example.test"), change("username", "a"), change("display_name", "A")];
        for missing in 0..whole.len() {
            let mut part = whole.to_vec();
            part.remove(missing);
            assert_eq!(kind(calls(&nobody(), &part)), RefusalKind::Invalid);
            part.push(change(whole[missing].attribute.as_str(), Value::Empty));
            assert_eq!(kind(calls(&nobody(), &part)), RefusalKind::Unsupported);
        }
        let mut off = whole.to_vec();
        off.push(change("active", false));
        assert_eq!(kind(calls(&nobody(), &off)), RefusalKind::Unsupported);
    }

    #[test]
    fn what_cannot_be_said_is_refused() {
        let account = account("active");
        for (attribute, after) in [
            ("gitlab.job_title", Value::text("x")),
            ("position", Value::text("x")),
            ("phone", Value::text("x")),
            ("mattermost.note", Value::text("x")),
            ("username", Value::Empty),
            ("gitlab.commit_email", Value::Empty),
            ("active", Value::Empty),
        ] {
            assert_eq!(kind(calls(&account, &[change(attribute, after)])), RefusalKind::Unsupported, "{attribute}");
        }
        assert_eq!(kind(calls(&account, &[change("gitlab.note", true)])), RefusalKind::Invalid);
        assert_eq!(kind(calls(&account, &[change("active", "yes")])), RefusalKind::Invalid);
        let stranger = Account { id: Some("../7".into()), ..account };
        assert_eq!(kind(calls(&stranger, &[change("gitlab.note", "x")])), RefusalKind::Invalid);
    }
}
