//! What a server would do with a change, told before anything is sent: by its own schema and by what the RFCs ask of every
//! server (RFC 7643 7, RFC 7644 3.5.1 and 3.5.2).
//!
//! What only the server can judge comes as its answer: who else has a value, and which values it likes.

use crate::model::{
    account::Account,
    attribute::Value,
    capability::{AttributeCapability, Change, Foresight},
    refusal::RefusalKind,
};

use super::{calls::sayable, membership, resource};

/// What would come of this change of this account.
pub(super) fn foresee(account: &Account, change: &Change) -> Foresight {
    if let Some(group) = membership::group(&account.system, &change.attribute) {
        return membership::foresee(account, change, group);
    }
    let row = match sayable(account, &change.attribute, &change.after) {
        Ok(row) => row,
        Err(reason) => return Foresight::refuses(RefusalKind::Unsupported, reason),
    };
    by_type(row, &change.after)
        .or_else(|| by_schema(account, change, row))
        .or_else(|| by_value(account, row, &change.after))
        .unwrap_or_else(Foresight::takes)
}

/// Whether a change is sent attribute by attribute. A new account and a PUT are sent whole, and of a whole the server
/// silently leaves out what is not for it.
fn is_patched(account: &Account) -> bool {
    account.id.is_some() && account.server.get("patch").and_then(Value::as_bool) != Some(false)
}

fn by_schema(account: &Account, change: &Change, row: &AttributeCapability) -> Option<Foresight> {
    let name = row.name;
    let silently = |reason: String| {
        if is_patched(account) {
            Foresight::refuses(RefusalKind::Unsupported, reason)
        } else {
            Foresight::doomed(format!("{reason}; the server says yes and leaves it out"))
        }
    };
    let is_required = account.server.get(&format!("required:{name}")).and_then(Value::as_bool) == Some(true);
    match account.server_fact(&format!("is:{name}")) {
        Some("absent") => return Some(silently(format!("the server's schema has no `{name}`"))),
        Some("read_only") => return Some(silently(format!("`{name}` is read-only there"))),
        Some("write_only") => {
            return Some(Foresight::doomed(format!(
                "the server never shows `{name}`, so nobody could tell what it holds"
            )));
        }
        Some("immutable") if !change.before.is_empty() && change.before != change.after => {
            let reason = format!("`{name}` never changes there once it is set");
            return Some(Foresight::refuses(RefusalKind::Unsupported, reason));
        }
        _ => {}
    }
    (is_required && change.after.is_empty() && !change.before.is_empty()).then(|| {
        let kind = if is_patched(account) { RefusalKind::Unsupported } else { RefusalKind::Invalid };
        Foresight::refuses(kind, format!("the server requires `{name}`"))
    })
}

fn invalid(row: &AttributeCapability, reason: &str) -> Foresight {
    Foresight::refuses(RefusalKind::Invalid, format!("`{}` is {reason}", row.name))
}

fn by_type(row: &AttributeCapability, after: &Value) -> Option<Foresight> {
    match (row.name, after) {
        ("active", Value::Text(_)) => Some(invalid(row, "either true or false")),
        ("active", _) => None,
        (_, Value::Bool(_)) => Some(invalid(row, "a text, not true or false")),
        _ => None,
    }
}

fn by_value(account: &Account, row: &AttributeCapability, after: &Value) -> Option<Foresight> {
    let is_required = account.server.get(&format!("required:{}", row.name)).and_then(Value::as_bool) == Some(true);
    match (row.name, after) {
        (_, Value::Empty) if account.is(&resource::rival(row)) => {
            let reason = format!(
                "the account has several that are `{}`, and another would take its place: take them away there",
                row.name
            );
            Some(Foresight::doomed(reason))
        }
        ("email", Value::Text(text)) if !is_address(text) => Some(invalid(row, "no e-mail address")),
        (name, Value::Text(text)) if (is_required || name == "username") && text.trim().is_empty() => {
            Some(invalid(row, "blank"))
        }
        _ => None,
    }
}

fn is_address(text: &str) -> bool {
    let parts = text.split_once('@').filter(|(local, domain)| !local.is_empty() && !domain.is_empty());
    parts.is_some_and(|(_, domain)| !domain.contains('@')) && !text.contains(char::is_whitespace)
}
