//! What would be sent: one PUT for each attribute, one for the state, one call for each membership, and one POST for a
//! new account (`nextcloud.md` 4 and 5).

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use crate::model::{
    account::Account,
    attribute::{AttributeName, Value},
    capability::{AttributeCapability, Change, Replay, Support},
    plan::{Operation, Request},
    refusal::{Refusal, RefusalKind},
};

use super::{
    foresee::{BEGINS_ACTIVE, NOT_YET},
    membership::{self, SET},
    table::CAPABILITIES,
};

/// Where all users are.
pub(super) const USERS: &str = "/ocs/v2.php/cloud/users";

/// The attributes that a new account can be given, and their names there.
const AT_BIRTH: &[(&str, &str)] = &[
    ("username", "userid"),
    ("display_name", "displayName"),
    ("email", "email"),
    ("quota", "quota"),
    ("language", "language"),
    ("manager", "manager"),
];

/// True for a call that counts against the limit of edits (`nextcloud.md` 6).
pub(super) fn is_edit(method: &str, path: &str) -> bool {
    let user = path.strip_prefix(USERS).and_then(|rest| rest.strip_prefix('/'));
    method == "PUT" && user.is_some_and(|user| !user.is_empty() && !user.contains('/'))
}

/// True for what a new account can be given.
pub(super) fn is_at_birth(name: &str) -> bool {
    AT_BIRTH.iter().any(|(known, _)| *known == name) || name == "active"
}

/// Where a user with this id is; `None` for an id that no address can hold.
pub(super) fn address(id: &str) -> Option<String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~@'".contains(&byte);
    if id.is_empty() || id.contains(['/', '\\']) || id.bytes().all(|byte| byte == b'.') {
        return None;
    }
    let written =
        id.bytes().map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") });
    Some(format!("{USERS}/{}", written.collect::<String>()))
}

/// Where an account is.
pub(super) fn user_path(account: &Account) -> Result<String, Refusal> {
    let Some(id) = &account.id else { return Err(Refusal::new(RefusalKind::Unsupported, NOT_YET)) };
    address(id.as_str()).ok_or_else(|| Refusal::new(RefusalKind::Invalid, "no address can hold this user id"))
}

/// The requests that carry out these changes of one account.
pub(super) fn calls(account: &Account, changes: &[Change]) -> Result<Vec<Request>, Refusal> {
    let (of_groups, plain): (Vec<&Change>, Vec<&Change>) =
        changes.iter().partition(|change| change.attribute.local() == SET && change.attribute.system().is_some());
    for change in &plain {
        expressible(account, change)?;
    }
    if account.id.is_none() {
        return Ok(vec![create(account, &plain, &of_groups)?]);
    }
    let path = user_path(account)?;
    let (mut requests, mut switch) = (Vec::new(), None);
    for (row, change) in in_order(account, &plain) {
        if row.name == "active" {
            switch = Some((truth(change)?, change.attribute.clone()));
            continue;
        }
        let body = json!({ "key": row.remote, "value": text(row, change)? });
        requests.push(update("PUT", path.clone(), body, change.attribute.clone()));
    }
    for change in of_groups {
        let Some(group) = membership::group(&account.system, &change.attribute) else {
            return Err(Refusal::new(RefusalKind::Unsupported, membership::WHICH));
        };
        requests.extend(membership::request(account, change, group)?);
    }
    let Some((active, attribute)) = switch else { return Ok(requests) };
    let (operation, verb) = if active { (Operation::Enable, "enable") } else { (Operation::Disable, "disable") };
    let switch = Request { operation, ..update("PUT", format!("{path}/{verb}"), Json::Null, attribute) };
    // Who leaves is out before anything else is tidied; who comes back finds everything in its place.
    requests.insert(if active { requests.len() } else { 0 }, switch);
    Ok(requests)
}

/// Each change with its row, in the order of the table; of several of one attribute the last.
fn in_order<'c>(account: &Account, changes: &[&'c Change]) -> Vec<(&'static AttributeCapability, &'c Change)> {
    let found = CAPABILITIES.attributes.iter().filter_map(|row| {
        let name = CAPABILITIES.name(&account.system, row);
        Some((row, *changes.iter().rfind(|change| change.attribute == name)?))
    });
    found.collect()
}

/// Whether the table has a way to say this.
fn expressible(account: &Account, change: &Change) -> Result<(), Refusal> {
    let unsupported = |reason: &str| Err(Refusal::new(RefusalKind::Unsupported, reason));
    let Some(row) = CAPABILITIES.of(&account.system, &change.attribute) else {
        return unsupported(&format!("Nextcloud has no attribute `{}`", change.attribute));
    };
    match (row.write, row.clear) {
        (Support::No(why), _) => unsupported(why),
        (Support::AtCreation(why), _) if account.id.is_some() => unsupported(why),
        (_, Support::No(why)) if change.after.is_empty() => unsupported(why),
        _ if account.id.is_none() && !is_at_birth(row.name) => unsupported(NOT_YET),
        _ => Ok(()),
    }
}

fn text<'c>(row: &AttributeCapability, change: &'c Change) -> Result<&'c str, Refusal> {
    match &change.after {
        Value::Text(text) => Ok(text),
        // The empty text clears.
        Value::Empty => Ok(""),
        Value::Bool(_) => {
            let reason = format!("`{}` is a text, not true or false", row.name);
            Err(Refusal::new(RefusalKind::Invalid, reason))
        }
    }
}

fn truth(change: &Change) -> Result<bool, Refusal> {
    change.after.as_bool().ok_or_else(|| Refusal::new(RefusalKind::Invalid, "`active` is either true or false"))
}

/// A request that does no harm when it is sent again.
pub(super) fn update(method: &str, path: String, body: Json, carries: AttributeName) -> Request {
    Request {
        operation: Operation::Update,
        method: method.to_owned(),
        path,
        headers: BTreeMap::new(),
        body,
        generated: Vec::new(),
        carries: vec![carries],
        replay: Replay::Repeat,
    }
}

fn create(account: &Account, changes: &[&Change], of_groups: &[&Change]) -> Result<Request, Refusal> {
    let (mut body, mut carries) = (Map::new(), Vec::new());
    for (row, change) in in_order(account, changes) {
        carries.push(change.attribute.clone());
        if row.name == "active" {
            if !truth(change)? {
                return Err(Refusal::new(RefusalKind::Unsupported, BEGINS_ACTIVE));
            }
            continue;
        }
        let text = text(row, change)?;
        let name = AT_BIRTH.iter().find(|(known, _)| *known == row.name).map(|(_, there)| *there);
        // A new account simply begins without what is empty.
        body.extend(name.filter(|_| !text.is_empty()).map(|name| (name.to_owned(), text.into())));
    }
    if !body.contains_key("userid") {
        let reason = "a Nextcloud account cannot be created without `username`";
        return Err(Refusal::new(RefusalKind::Invalid, reason));
    }
    let mut groups = Vec::new();
    for change in of_groups {
        let Some(group) = membership::group(&account.system, &change.attribute) else {
            return Err(Refusal::new(RefusalKind::Unsupported, membership::WHICH));
        };
        membership::exists(account, group)?;
        if membership::wanted(change)? {
            groups.push(group);
        }
        carries.push(change.attribute.clone());
    }
    if !groups.is_empty() {
        body.insert("groups".to_owned(), groups.into());
    }
    Ok(Request {
        operation: Operation::Create,
        method: "POST".to_owned(),
        path: USERS.to_owned(),
        headers: BTreeMap::new(),
        body: Json::Object(body),
        // Nobody needs to know it: people sign in elsewhere, or have it reset.
        generated: vec!["password".to_owned()],
        carries,
        replay: CAPABILITIES.create_replay,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::account::Facts;

    fn account() -> Account {
        let server = Facts::from([("group:staff".to_owned(), "staff".into())]);
        Account { id: Some("anna b".into()), ..Account::absent("nextcloud".into(), Arc::new(server)) }
    }

    fn nobody() -> Account {
        Account { id: None, ..account() }
    }

    fn change(attribute: &str, after: impl Into<Value>) -> Change {
        Change { attribute: attribute.into(), before: "before".into(), after: after.into() }
    }

    fn kind(outcome: Result<Vec<Request>, Refusal>) -> RefusalKind {
        outcome.unwrap_err().kind
    }

    fn sent(account: &Account, changes: &[Change]) -> Vec<(String, String, Json)> {
        let requests = calls(account, changes).unwrap();
        requests.into_iter().map(|request| (request.method, request.path, request.body)).collect()
    }

    const ANNA: &str = "/ocs/v2.php/cloud/users/anna%20b";

    #[test]
    fn each_attribute_travels_alone_in_the_order_of_the_table() {
        let changes = [
            change("nextcloud.quota", "5 GB"),
            change("phone", Value::Empty),
            change("display_name", "Anna"),
            change("nextcloud.groups[staff]", "member"),
            change("nextcloud.manager", ""),
        ];
        let put = |key: &str, value: &str| ("PUT".to_owned(), ANNA.to_owned(), json!({ "key": key, "value": value }));
        let joins = ("POST".to_owned(), format!("{ANNA}/groups"), json!({ "groupid": "staff" }));
        let expected = [put("displayname", "Anna"), put("phone", ""), put("quota", "5 GB"), put("manager", ""), joins];
        assert_eq!(sent(&account(), &changes), expected);
        let first = calls(&account(), &changes).unwrap().remove(0);
        assert_eq!((first.carries, first.replay), (vec!["display_name".into()], Replay::Repeat));
        assert_eq!(calls(&account(), &[]), Ok(vec![]));
    }

    #[test]
    fn who_leaves_is_out_first_and_who_comes_back_is_let_in_last() {
        let paths = |active: bool| -> Vec<String> {
            let changes = [change("nextcloud.role", "x"), change("active", active)];
            sent(&account(), &changes).into_iter().map(|(_, path, _)| path).collect()
        };
        assert_eq!(paths(false), [format!("{ANNA}/disable"), ANNA.to_owned()]);
        assert_eq!(paths(true), [ANNA.to_owned(), format!("{ANNA}/enable")]);
    }

    #[test]
    fn a_membership_ends_with_its_own_call_and_what_is_so_is_not_sent() {
        let leaves = change("nextcloud.groups[staff]", "");
        let expected = ("DELETE".to_owned(), format!("{ANNA}/groups"), json!({ "groupid": "staff" }));
        assert_eq!(sent(&account(), std::slice::from_ref(&leaves)), [expected]);
        assert_eq!(calls(&account(), &[Change { before: Value::Empty, ..leaves }]), Ok(vec![]));
        assert_eq!(kind(calls(&account(), &[change("nextcloud.groups[none]", "member")])), RefusalKind::NotFound);
        assert_eq!(kind(calls(&account(), &[change("nextcloud.groups[staff]", "chief")])), RefusalKind::Invalid);
        assert_eq!(kind(calls(&account(), &[change("nextcloud.groups", "member")])), RefusalKind::Unsupported);
    }

    #[test]
    fn a_new_account_starts_with_what_it_can_be_given_and_a_password_nobody_knows() {
        let changes = [
            change("active", true),
            change("nextcloud.manager", Value::Empty),
            change("email", "anna@example.org"),
            change("username", "anna"),
            change("nextcloud.groups[staff]", "member"),
        ];
        let body = json!({ "userid": "anna", "email": "anna@example.org", "groups": ["staff"] });
        let expected = Request {
            operation: Operation::Create,
            method: "POST".to_owned(),
            path: USERS.to_owned(),
            headers: BTreeMap::new(),
            body,
            generated: vec!["password".to_owned()],
            carries: ["username", "email", "active", "nextcloud.manager", "nextcloud.groups[staff]"]
                .map(AttributeName::new)
                .into(),
            replay: Replay::LookFirst,
        };
        assert_eq!(calls(&nobody(), &changes), Ok(vec![expected]));
        assert_eq!(kind(calls(&nobody(), &changes[2..3])), RefusalKind::Invalid);
        let with = |more: Change| kind(calls(&nobody(), &[changes[3].clone(), more]));
        assert_eq!(with(change("active", false)), RefusalKind::Unsupported);
        assert_eq!(with(change("phone", "+41791234567")), RefusalKind::Unsupported);
        assert_eq!(with(change("nextcloud.groups[none]", "member")), RefusalKind::NotFound);
    }

    #[test]
    fn what_cannot_be_said_is_refused() {
        for (attribute, after) in [
            ("username", Value::from("anne")),
            ("username", Value::Empty),
            ("display_name", Value::Empty),
            ("locale", Value::Empty),
            ("active", Value::Empty),
            ("nextcloud.quota", Value::Empty),
            ("nickname", "x".into()),
            ("gitlab.note", "x".into()),
        ] {
            assert_eq!(kind(calls(&account(), &[change(attribute, after)])), RefusalKind::Unsupported, "{attribute}");
        }
        assert_eq!(kind(calls(&account(), &[change("nextcloud.role", true)])), RefusalKind::Invalid);
        assert_eq!(kind(calls(&account(), &[change("active", "yes")])), RefusalKind::Invalid);
        for id in ["..", "a/b", "a\\b", ""] {
            let odd = Account { id: Some(id.into()), ..account() };
            assert_eq!(kind(calls(&odd, &[change("nextcloud.role", "x")])), RefusalKind::Invalid, "{id}");
        }
    }

    #[test]
    fn only_edits_of_attributes_are_counted() {
        assert!(is_edit("PUT", ANNA));
        for (method, path) in [
            ("GET", ANNA.to_owned()),
            ("POST", USERS.to_owned()),
            ("PUT", format!("{ANNA}/enable")),
            ("POST", format!("{ANNA}/groups")),
            ("PUT", "/ocs/v2.php/cloud/groups/x".to_owned()),
        ] {
            assert!(!is_edit(method, &path), "{method} {path}");
        }
    }
}
