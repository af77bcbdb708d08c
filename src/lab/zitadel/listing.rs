//! Searching: queries, methods, sorting, pages (`zitadel.md` 6).
//!
//! Lists show what is projected, which may lag behind (`zitadel.md` 10); missing permission means fewer results.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::{Map, Value, json};

use super::{
    access::{Caller, Permission, may},
    answers::{integer, old_user, user, without_zeros},
    instance::{Instance, User, time},
    refusal::Refusal,
};

/// Queries may be nested this deep.
const DEEPEST: usize = 20;

/// No page is larger.
pub(super) const LARGEST_PAGE: u64 = 1000;

/// A condition on one user.
enum Query {
    Text(Field, Method, String),
    State(String),
    Machine(Option<bool>),
    Ids(BTreeSet<String>),
    Emails(BTreeSet<String>),
    Organization(String),
    MetadataKey(Method, String),
    MetadataValue { equal: bool, value: Vec<u8> },
    All(Vec<Query>),
    Any(Vec<Query>),
    Not(Box<Query>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    UserName,
    FirstName,
    LastName,
    NickName,
    DisplayName,
    Email,
    Phone,
    LoginName,
}

#[derive(Clone, Copy)]
struct Method {
    place: Place,
    ignore_case: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Whole,
    Start,
    Inside,
    End,
}

impl Method {
    /// From the name on the wire; the default compares exactly.
    fn named(name: Option<&str>) -> Self {
        let name = name.unwrap_or_default();
        let name = name.trim_start_matches("TEXT_QUERY_METHOD_").trim_start_matches("TEXT_FILTER_METHOD_");
        let (word, ignore_case) = name.strip_suffix("_IGNORE_CASE").map_or((name, false), |word| (word, true));
        let place = match word {
            "STARTS_WITH" => Place::Start,
            "CONTAINS" => Place::Inside,
            "ENDS_WITH" => Place::End,
            _ => Place::Whole,
        };
        Self { place, ignore_case }
    }

    fn fits(self, text: &str, wanted: &str) -> bool {
        if self.ignore_case {
            let exact = Self { ignore_case: false, ..self };
            return exact.fits(&text.to_lowercase(), &wanted.to_lowercase());
        }
        match self.place {
            Place::Whole => text == wanted,
            Place::Start => text.starts_with(wanted),
            Place::Inside => text.contains(wanted),
            Place::End => text.ends_with(wanted),
        }
    }
}

impl Field {
    fn of(self, instance: &Instance, user: &User) -> String {
        let human = user.human();
        let of_human = |read: fn(&super::instance::Human) -> &String| human.map(read).cloned().unwrap_or_default();
        match self {
            Self::UserName => user.username.clone(),
            Self::LoginName => instance.login_name(user),
            Self::FirstName => of_human(|human| &human.given_name),
            Self::LastName => of_human(|human| &human.family_name),
            Self::NickName => of_human(|human| &human.nick_name),
            Self::DisplayName => of_human(|human| &human.display_name),
            Self::Email => of_human(|human| &human.email),
            Self::Phone => of_human(|human| &human.phone),
        }
    }
}

impl Query {
    fn read(given: &Value, depth: usize) -> Result<Self, Refusal> {
        if depth > DEEPEST {
            return Err(Refusal::invalid("USER-zsQ97", "Too many nesting levels in the query"));
        }
        let text = |of: &Value, name: &str| of[name].as_str().unwrap_or_default().to_owned();
        let texts = |of: &Value, name: &str| -> BTreeSet<String> {
            let items = of[name].as_array().map(Vec::as_slice).unwrap_or_default();
            items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let several = |of: &Value| -> Result<Vec<Self>, Refusal> {
            let items = of["queries"].as_array().map(Vec::as_slice).unwrap_or_default();
            items.iter().map(|item| Self::read(item, depth + 1)).collect()
        };
        let Some((name, of)) = given.as_object().and_then(|given| given.iter().next()) else {
            return Ok(Self::All(Vec::new()));
        };
        let method = || Method::named(of["method"].as_str());
        let compare = |field, name| Self::Text(field, method(), text(of, name));
        Ok(match name.as_str() {
            "userNameQuery" => compare(Field::UserName, "userName"),
            "firstNameQuery" => compare(Field::FirstName, "firstName"),
            "lastNameQuery" => compare(Field::LastName, "lastName"),
            "nickNameQuery" => compare(Field::NickName, "nickName"),
            "displayNameQuery" => compare(Field::DisplayName, "displayName"),
            "emailQuery" => compare(Field::Email, "emailAddress"),
            "phoneQuery" => compare(Field::Phone, "number"),
            "loginNameQuery" => compare(Field::LoginName, "loginName"),
            "stateQuery" => Self::State(text(of, "state")),
            "typeQuery" => Self::Machine(match of["type"].as_str() {
                Some("TYPE_HUMAN") => Some(false),
                Some("TYPE_MACHINE") => Some(true),
                _ => None,
            }),
            "inUserIdsQuery" => Self::Ids(texts(of, "userIds")),
            "inUserEmailsQuery" => Self::Emails(texts(of, "userEmails")),
            "organizationIdQuery" => Self::Organization(text(of, "organizationId")),
            "metadataKeyFilter" => Self::MetadataKey(method(), text(of, "key")),
            "metadataValueFilter" => Self::MetadataValue {
                equal: of["method"].as_str() != Some("BYTE_FILTER_METHOD_NOT_EQUALS"),
                value: bytes(&of["value"]),
            },
            "andQuery" => Self::All(several(of)?),
            "orQuery" => Self::Any(several(of)?),
            _ => Self::Not(Box::new(Self::read(&of["query"], depth + 1)?)),
        })
    }

    fn fits(&self, instance: &Instance, user: &User) -> bool {
        match self {
            Self::Text(field, method, wanted) => method.fits(&field.of(instance, user), wanted),
            Self::State(state) => user.state.name() == state,
            Self::Machine(machine) => machine.is_some_and(|machine| machine == user.human().is_none()),
            Self::Ids(ids) => ids.contains(&user.id),
            Self::Emails(emails) => user.human().is_some_and(|human| emails.contains(&human.email)),
            Self::Organization(id) => user.organization == *id,
            Self::MetadataKey(method, key) => user.metadata.keys().any(|held| method.fits(held, key)),
            Self::MetadataValue { equal, value } => user.metadata.values().any(|held| (held.value == *value) == *equal),
            Self::All(queries) => queries.iter().all(|query| query.fits(instance, user)),
            Self::Any(queries) => queries.iter().any(|query| query.fits(instance, user)),
            Self::Not(query) => !query.fits(instance, user),
        }
    }

    /// The only users that can fit, where an index knows them.
    fn candidates(&self, instance: &Instance) -> Option<Vec<String>> {
        match self {
            Self::Text(field, method, wanted) if method.place == Place::Whole => match field {
                Field::Email if !wanted.is_empty() => Some(instance.ids_by_email(wanted)),
                Field::UserName => Some(instance.ids_by_username(wanted)),
                _ => None,
            },
            Self::Ids(ids) => Some(ids.iter().cloned().collect()),
            Self::Emails(emails) => Some(emails.iter().flat_map(|email| instance.ids_by_email(email)).collect()),
            _ => None,
        }
    }
}

/// Decoded bytes (see `message.rs`).
pub(super) fn bytes(value: &Value) -> Vec<u8> {
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(|byte| byte.as_u64().and_then(|byte| u8::try_from(byte).ok())).collect()
}

/// Which of the two APIs asks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    New,
    Old,
}

/// `POST /v2/users` and `POST /management/v1/users/_search`.
pub(super) fn list(
    instance: &mut Instance,
    caller: &Caller,
    asked: &Map<String, Value>,
    shape: Shape,
) -> Result<Value, Refusal> {
    let nothing = json!({});
    let page = asked.get("query").unwrap_or(&nothing);
    let limit = page["limit"].as_u64().unwrap_or(0);
    if limit > LARGEST_PAGE {
        return Err(Refusal::invalid("QUERY-4M0fs", "Limit is too large: at most 1000"));
    }
    let items = asked.get("queries").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut queries = items.iter().map(|item| Query::read(item, 0)).collect::<Result<Vec<_>, _>>()?;
    if shape == Shape::Old {
        queries.push(Query::Organization(caller.organization.clone()));
    }
    instance.project();
    let listed: Vec<&Arc<User>> = match queries.iter().find_map(|query| query.candidates(instance)) {
        Some(ids) => instance.listed_of(ids),
        None => instance.listed().collect(),
    };
    let readable: BTreeSet<&str> = instance
        .organizations
        .keys()
        .filter(|id| may(instance, caller, Permission::Read, id))
        .map(String::as_str)
        .collect();
    let mut found: Vec<&Arc<User>> = listed
        .into_iter()
        .filter(|user| readable.contains(user.organization.as_str()) || user.id == caller.user)
        .filter(|user| queries.iter().all(|query| query.fits(instance, user)))
        .collect();
    sort(instance, &mut found, asked.get("sortingColumn").and_then(Value::as_str));
    if page["asc"] != true {
        found.reverse();
    }
    let offset = usize::try_from(page["offset"].as_u64().unwrap_or(0)).unwrap_or(usize::MAX);
    let most = if limit == 0 { usize::MAX } else { usize::try_from(limit).unwrap_or(usize::MAX) };
    let show = if shape == Shape::Old { old_user } else { user };
    let result: Vec<Value> = found.iter().skip(offset).take(most).map(|user| show(instance, user)).collect();
    let projected = instance.projected();
    let when = if shape == Shape::Old { "viewTimestamp" } else { "timestamp" };
    let mut details = json!({
        "totalResult": integer(found.len() as u64),
        "processedSequence": integer(projected),
        when: time(projected),
    });
    without_zeros(&mut details, &[]);
    instance.step();
    let mut answer = json!({ "details": details });
    if !result.is_empty() {
        answer["result"] = result.into();
    }
    Ok(answer)
}

/// By the column, then by id; without a column by id.
fn sort(instance: &Instance, found: &mut [&Arc<User>], column: Option<&str>) {
    let field = match column.unwrap_or_default().trim_start_matches("USER_FIELD_NAME_") {
        "USER_NAME" => Field::UserName,
        "FIRST_NAME" => Field::FirstName,
        "LAST_NAME" => Field::LastName,
        "NICK_NAME" => Field::NickName,
        "DISPLAY_NAME" => Field::DisplayName,
        "EMAIL" => Field::Email,
        "STATE" => return found.sort_by_key(|user| user.state),
        "TYPE" => return found.sort_by_key(|user| user.human().is_none()),
        "CREATION_DATE" => return found.sort_by_key(|user| user.created),
        _ => return found.sort_by(|left, right| left.id.cmp(&right.id)),
    };
    found.sort_by_cached_key(|user| field.of(instance, user).to_lowercase());
}

/// A page of something small: metadata, links.
pub(super) fn excerpt<'a, T>(items: &'a [T], page: Option<&Value>) -> &'a [T] {
    let number = |name: &str| page.and_then(|page| page[name].as_u64()).and_then(|number| usize::try_from(number).ok());
    let rest = items.get(number("offset").unwrap_or(0)..).unwrap_or_default();
    let most = number("limit").filter(|limit| *limit > 0).unwrap_or(usize::MAX);
    &rest[..rest.len().min(most)]
}

/// A filter on the key of metadata.
pub(super) fn key_fits(filter: &Value, key: &str) -> bool {
    Method::named(filter["method"].as_str()).fits(key, filter["key"].as_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_compares_the_place_and_the_case_it_names() {
        let cases = [
            ("TEXT_QUERY_METHOD_EQUALS", "Jane", true),
            ("TEXT_QUERY_METHOD_EQUALS", "jane", false),
            ("TEXT_QUERY_METHOD_EQUALS_IGNORE_CASE", "jANE", true),
            ("TEXT_QUERY_METHOD_STARTS_WITH", "Ja", true),
            ("TEXT_QUERY_METHOD_STARTS_WITH", "ja", false),
            ("TEXT_QUERY_METHOD_STARTS_WITH_IGNORE_CASE", "ja", true),
            ("TEXT_QUERY_METHOD_CONTAINS", "an", true),
            ("TEXT_QUERY_METHOD_CONTAINS", "AN", false),
            ("TEXT_QUERY_METHOD_CONTAINS_IGNORE_CASE", "AN", true),
            ("TEXT_QUERY_METHOD_ENDS_WITH", "ne", true),
            ("TEXT_QUERY_METHOD_ENDS_WITH", "NE", false),
            ("TEXT_QUERY_METHOD_ENDS_WITH_IGNORE_CASE", "NE", true),
        ];
        for (method, wanted, fits) in cases {
            assert_eq!(Method::named(Some(method)).fits("Jane", wanted), fits, "{method} {wanted}");
        }
    }
}
