//! What would be sent: one PATCH with an operation for each attribute, or one PUT of the whole resource; one POST for a new
//! account; one PATCH for each membership.

use serde_json::{Map, Value as Json, json};

use crate::model::{
    account::Account,
    attribute::{AttributeName, Value},
    capability::{AttributeCapability, Change, Replay, Support},
    plan::{Operation, Request},
    refusal::{Refusal, RefusalKind},
};

use super::{
    interface::{PATCH_OP, USERS, headers, path},
    membership::{self, SET},
    resource::{self, WHOLE},
    table::{CAPABILITIES, ENTERPRISE, Spot, USER},
};

/// The row of an attribute that can be given this value; else why it cannot.
pub(super) fn sayable(
    account: &Account,
    attribute: &AttributeName,
    after: &Value,
) -> Result<&'static AttributeCapability, String> {
    let Some(row) = CAPABILITIES.of(&account.system, attribute) else {
        return Err(format!("SCIM has no attribute `{attribute}`"));
    };
    match (row.write, row.clear) {
        _ if row.set.is_some() => Err(membership::WHICH.to_owned()),
        (Support::No(why), _) => Err(why.to_owned()),
        (_, Support::No(why)) if after.is_empty() => Err(why.to_owned()),
        _ => Ok(row),
    }
}

/// The requests that carry out these changes of one account.
pub(super) fn calls(account: &Account, changes: &[Change], kind: &str) -> Result<Vec<Request>, Refusal> {
    let (of_groups, changes): (Vec<&Change>, Vec<&Change>) =
        changes.iter().partition(|change| membership::group(&account.system, &change.attribute).is_some());
    let mut memberships = Vec::new();
    for change in of_groups {
        let group = membership::group(&account.system, &change.attribute).unwrap_or_default();
        memberships.extend(membership::request(account, change, group)?);
    }
    let wanted = Wanted::of(account, &changes)?;
    let own = match &account.id {
        None => Some(create(account, &wanted, kind)?),
        Some(_) if wanted.0.is_empty() => None,
        Some(_) => Some(update(account, &wanted, kind)?),
    };
    // Who leaves is out before anything else is tidied, and who comes back is in before.
    Ok(own.into_iter().chain(memberships).collect())
}

/// What is wanted of each attribute, in the order of the table.
struct Wanted<'a>(Vec<(&'static AttributeCapability, AttributeName, &'a Value)>);

impl<'a> Wanted<'a> {
    fn of(account: &Account, changes: &[&'a Change]) -> Result<Self, Refusal> {
        for change in changes {
            let unsupported = |reason: String| Refusal::new(RefusalKind::Unsupported, reason);
            let row = sayable(account, &change.attribute, &change.after).map_err(unsupported)?;
            let is_truth = change.after.as_bool().is_some();
            if is_truth != (row.name == "active") && !change.after.is_empty() {
                let what = if is_truth { "a text, not true or false" } else { "either true or false" };
                return Err(Refusal::new(RefusalKind::Invalid, format!("`{}` is {what}", row.name)));
            }
        }
        let mut wanted = Vec::new();
        for row in CAPABILITIES.attributes.iter().filter(|row| row.name != SET) {
            let name = CAPABILITIES.name(&account.system, row);
            let last = changes.iter().rfind(|change| change.attribute == name);
            wanted.extend(last.map(|change| (row, name, &change.after)));
        }
        Ok(Self(wanted))
    }

    fn carries(&self) -> Vec<AttributeName> {
        self.0.iter().map(|(_, name, _)| name.clone()).collect()
    }

    fn active(&self) -> Option<bool> {
        self.0.iter().find(|(row, ..)| row.name == "active").and_then(|(.., value)| value.as_bool())
    }

    fn pairs(&self) -> impl Iterator<Item = (&'static AttributeCapability, &'a Value)> {
        self.0.iter().map(|(row, _, value)| (*row, *value))
    }
}

fn endpoint(account: &Account) -> &str {
    account.server_fact("users").unwrap_or(USERS)
}

fn update(account: &Account, wanted: &Wanted<'_>, kind: &str) -> Result<Request, Refusal> {
    let id = account.id.as_ref().map(crate::model::id::AccountId::as_str).unwrap_or_default();
    let path = path(endpoint(account), id);
    let path =
        path.ok_or_else(|| Refusal::new(RefusalKind::Invalid, "the account's id cannot be part of an address"))?;
    let is = |name: &str| account.server.get(name).and_then(Value::as_bool);
    let (method, body) = if is("patch") == Some(false) {
        let whole = account.fact(WHOLE).and_then(|text| serde_json::from_str::<Json>(text).ok());
        let unseen =
            || Refusal::new(RefusalKind::Unavailable, "the whole resource was not seen, and less is not sent back");
        ("PUT", resource::with(&whole.ok_or_else(unseen)?, kind, wanted.pairs()))
    } else {
        let operations: Vec<Json> = wanted.pairs().map(|(row, value)| operation(account, row, value, kind)).collect();
        ("PATCH", json!({ "schemas": [PATCH_OP], "Operations": operations }))
    };
    let mut headers = headers();
    if is("etag") == Some(true) {
        // That there is a condition; which version it names is known when it is sent.
        headers.insert("if-match".to_owned(), "*".to_owned());
    }
    let operation = match wanted.active() {
        Some(true) => Operation::Enable,
        Some(false) => Operation::Disable,
        None => Operation::Update,
    };
    Ok(Request {
        operation,
        method: method.to_owned(),
        path,
        headers,
        body,
        generated: Vec::new(),
        carries: wanted.carries(),
        // Values are set, not counted up.
        replay: Replay::Repeat,
    })
}

/// One operation of a PATCH (RFC 7644 3.5.2).
fn operation(account: &Account, row: &AttributeCapability, value: &Value, kind: &str) -> Json {
    let remove = |path: &str| json!({ "op": "remove", "path": path });
    let replace = |path: &str, value: Json| json!({ "op": "replace", "path": path, "value": value });
    let new = value.to_json();
    match Spot::of(row) {
        Spot::Listed(list) => match account.fact(&resource::place(row)) {
            Some(place) if value.is_empty() => remove(place),
            Some(place) => replace(&format!("{place}.value"), new),
            None if value.is_empty() => remove(&format!("{list}[type eq {}]", Json::from(kind))),
            None => json!({ "op": "add", "path": list, "value": [resource::listing(kind, &new, false)] }),
        },
        _ if value.is_empty() => remove(row.remote),
        Spot::Reference(_) => replace(row.remote, json!({ "value": new })),
        Spot::Field(_) | Spot::Part(..) | Spot::Extended(_) | Spot::Elsewhere => replace(row.remote, new),
    }
}

fn create(account: &Account, wanted: &Wanted<'_>, kind: &str) -> Result<Request, Refusal> {
    let is_given =
        |row: &AttributeCapability| wanted.pairs().any(|(other, value)| other.name == row.name && !value.is_empty());
    if let Some(row) = CAPABILITIES.attributes.iter().find(|row| row.required && !is_given(row)) {
        let reason = format!("an account cannot be created without `{}`", row.name);
        return Err(Refusal::new(RefusalKind::Invalid, reason));
    }
    let is_extended = |row: &AttributeCapability| matches!(Spot::of(row), Spot::Extended(_) | Spot::Reference(_));
    let mut schemas = vec![USER];
    if wanted.pairs().any(|(row, value)| is_extended(row) && !value.is_empty()) {
        schemas.push(ENTERPRISE);
    }
    let mut empty = Map::new();
    empty.insert("schemas".to_owned(), json!(schemas));
    // What an account begins as where nobody says so is for the server to choose (RFC 7643 4.1.1).
    if wanted.active().is_none() && account.server_fact("is:active").is_none() {
        empty.insert("active".to_owned(), true.into());
    }
    Ok(Request {
        operation: Operation::Create,
        method: "POST".to_owned(),
        path: endpoint(account).to_owned(),
        headers: headers(),
        body: resource::with(&empty.into(), kind, wanted.pairs()),
        generated: Vec::new(),
        carries: wanted.carries(),
        replay: Replay::LookFirst,
    })
}
