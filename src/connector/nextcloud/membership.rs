//! Who is in which group, as attributes: `nextcloud.groups[staff]` holds the word `member`.
//!
//! Groups are named by their ids, which are not what people see (`nextcloud.md` 5). Which of the groups in the range of
//! the rules exist is a fact of the server, `group:<id>`.

use serde_json::json;

use crate::model::{
    account::Account,
    attribute::{AttributeName, Value},
    capability::Change,
    id::SystemName,
    plan::Request,
    refusal::{Refusal, RefusalKind},
};

use super::calls::{self, user_path};

/// The local name of the set.
pub(super) const SET: &str = "groups";

/// What a member of the set is.
pub(super) const GROUP: &str = "group";

/// What somebody can be in a group.
pub(super) const LEVELS: &[&str] = &[MEMBER];

/// The one level.
pub(super) const MEMBER: &str = "member";

/// The group whose members may do everything.
pub(super) const ADMINISTRATORS: &str = "admin";

/// Why the set as a whole is no attribute.
pub(super) const WHICH: &str = "a membership is one of a certain group, such as `nextcloud.groups[staff]`";

/// The set of this system.
pub(super) fn set(system: &SystemName) -> AttributeName {
    AttributeName::of_system(system, SET)
}

/// The group this attribute is about, where it is a membership of this system.
pub(super) fn group<'a>(system: &SystemName, attribute: &'a AttributeName) -> Option<&'a str> {
    attribute.member().filter(|_| attribute.set() == Some(set(system)))
}

/// The name of the fact that a group exists.
pub(super) fn fact(group: &str) -> String {
    format!("{GROUP}:{group}")
}

/// Whether somebody shall be in the group.
pub(super) fn wanted(change: &Change) -> Result<bool, Refusal> {
    match &change.after {
        Value::Empty => Ok(false),
        Value::Text(word) if &**word == MEMBER => Ok(true),
        Value::Text(_) | Value::Bool(_) => {
            let reason = "in a Nextcloud group somebody is a `member`, or is not in it";
            Err(Refusal::new(RefusalKind::Invalid, reason))
        }
    }
}

/// Refuses a group that is not there.
pub(super) fn exists(account: &Account, group: &str) -> Result<(), Refusal> {
    if account.server.contains_key(&fact(group)) {
        return Ok(());
    }
    let reason = format!(
        "Nextcloud has no group with the id `{group}` that our account can see; rules name groups by their ids, which need \
         not be the names that people see"
    );
    Err(Refusal::new(RefusalKind::NotFound, reason))
}

/// What would be sent; `None` where it is so already.
pub(super) fn request(account: &Account, change: &Change, group: &str) -> Result<Option<Request>, Refusal> {
    exists(account, group)?;
    let joins = wanted(change)?;
    let path = format!("{}/groups", user_path(account)?);
    if change.before == change.after {
        return Ok(None);
    }
    let method = if joins { "POST" } else { "DELETE" };
    // Whoever is in already, or is not, is answered 200: it does no harm twice.
    Ok(Some(calls::update(method, path, json!({ "groupid": group }), change.attribute.clone())))
}
