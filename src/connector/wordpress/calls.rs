//! What would be sent: one POST with every field of an account that changes (`wordpress.md` 6).

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use crate::model::{
    account::Account,
    attribute::Value,
    capability::{Change, Replay},
    id::AccountId,
    plan::{Operation, Request},
    refusal::{Refusal, RefusalKind},
};

use super::{
    foresee::sayable,
    interface::{Interface, USERS},
    table::CAPABILITIES,
};

/// The route of one user; `None` for an id that WordPress cannot have given.
pub(super) fn route(id: &AccountId) -> Option<String> {
    let id = id.as_str();
    (!id.is_empty() && !id.starts_with('0') && id.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| format!("{USERS}/{id}"))
}

/// The requests that carry out these changes of one account.
pub(super) fn calls(account: &Account, changes: &[Change]) -> Result<Vec<Request>, Refusal> {
    let invalid = |reason: String| Refusal::new(RefusalKind::Invalid, reason);
    let unsupported = |reason: String| Refusal::new(RefusalKind::Unsupported, reason);
    for change in changes {
        sayable(account, &change.attribute, &change.after).map_err(unsupported)?;
    }
    let mut fields = Map::new();
    let mut carries = Vec::new();
    for row in CAPABILITIES.attributes {
        let name = CAPABILITIES.name(&account.system, row);
        let Some(change) = changes.iter().rfind(|change| change.attribute == name) else { continue };
        let text = match &change.after {
            Value::Text(text) => text.as_ref(),
            Value::Empty => "",
            Value::Bool(_) => return Err(invalid(format!("`{}` is a text, not true or false", row.name))),
        };
        fields.insert(row.remote.to_owned(), text.into());
        carries.push(name);
    }
    if fields.is_empty() {
        return Ok(Vec::new());
    }
    let route = account.id.as_ref().and_then(route);
    let route = route.ok_or_else(|| invalid("WordPress's ids are numbers; this is none".to_owned()))?;
    let path = Interface::of(account).path(&route);
    let path = path.ok_or_else(|| unsupported(super::foresee::PLAIN.to_owned()))?;
    Ok(vec![Request {
        operation: Operation::Update,
        method: "POST".to_owned(),
        path,
        headers: BTreeMap::new(),
        body: Json::Object(fields),
        generated: Vec::new(),
        carries,
        // Fields are set, not counted up: the second time nothing changes, and no second letter about an address is sent.
        replay: Replay::Repeat,
    }])
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::model::{account::Facts, attribute::AttributeName};

    fn account(interface: &str) -> Account {
        let facts = Facts::from([("interface".to_owned(), interface.into())]);
        Account { id: Some("5".into()), ..Account::absent("website".into(), Arc::new(facts)) }
    }

    fn change(attribute: &str, after: impl Into<Value>) -> Change {
        Change { attribute: attribute.into(), before: Value::Empty, after: after.into() }
    }

    fn kind(outcome: Result<Vec<Request>, Refusal>) -> RefusalKind {
        outcome.unwrap_err().kind
    }

    #[test]
    fn all_attributes_travel_in_one_request() {
        let changes = [
            change("website.url", ""),
            change("nickname", "Wlad"),
            change("locale", "de_DE"),
            change("last_name", "Dvorak-Novák"),
            change("first_name", Value::Empty),
            change("display_name", "Władysław & Co."),
            change("email", "w@example.org"),
        ];
        let body = json!({
            "email": "w@example.org", "name": "Władysław & Co.", "first_name": "", "last_name": "Dvorak-Novák",
            "nickname": "Wlad", "locale": "de_DE", "url": "",
        });
        let carries = ["email", "display_name", "first_name", "last_name", "nickname", "locale", "website.url"];
        for (interface, path) in [
            ("pretty", "/wp-json/wp/v2/users/5"),
            ("index", "/index.php/wp-json/wp/v2/users/5"),
            ("", "/wp-json/wp/v2/users/5"),
        ] {
            let expected = Request {
                operation: Operation::Update,
                method: "POST".to_owned(),
                path: path.to_owned(),
                headers: BTreeMap::new(),
                body: body.clone(),
                generated: Vec::new(),
                carries: carries.map(AttributeName::new).into(),
                replay: Replay::Repeat,
            };
            let requests = calls(&account(interface), &changes).unwrap();
            assert_eq!(requests, [expected]);
            assert_eq!(requests[0].body.to_string(), body.to_string());
        }
    }

    #[test]
    fn nothing_to_change_is_nothing_to_send() {
        assert_eq!(calls(&account("pretty"), &[]), Ok(vec![]));
    }

    #[test]
    fn what_cannot_be_said_is_refused() {
        let pretty = account("pretty");
        for (attribute, after) in [
            ("username", Value::text("x")),
            ("active", false.into()),
            ("phone", Value::text("x")),
            ("gitlab.url", Value::text("x")),
            ("email", Value::Empty),
            ("display_name", Value::Empty),
        ] {
            assert_eq!(kind(calls(&pretty, &[change(attribute, after)])), RefusalKind::Unsupported, "{attribute}");
        }
        assert_eq!(kind(calls(&pretty, &[change("nickname", true)])), RefusalKind::Invalid);
        assert_eq!(kind(calls(&account("plain"), &[change("nickname", "x")])), RefusalKind::Unsupported);
        let nobody = Account { id: None, ..pretty.clone() };
        assert_eq!(kind(calls(&nobody, &[change("nickname", "x")])), RefusalKind::Unsupported);
        let stranger = Account { id: Some("../7".into()), ..pretty };
        assert_eq!(kind(calls(&stranger, &[change("nickname", "x")])), RefusalKind::Invalid);
    }
}
