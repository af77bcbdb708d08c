//! One request: its parameters, its route, and who may take it.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, Method, header};
use serde_json::Value;

use super::{
    super::path::decoded, creation, door::Caller, editing, envelope::Answer, groups, instance::Instance, reading,
    settings::Version,
};

/// What was asked.
pub(super) struct Asked<'a> {
    pub(super) method: &'a Method,
    /// Behind `/ocs/v2.php`, in parts.
    pub(super) path: Vec<String>,
    params: BTreeMap<String, Value>,
}

impl<'a> Asked<'a> {
    /// Reads the parameters of the query and of the body, which counts more.
    pub(super) fn read(method: &'a Method, path: &str, query: &str, headers: &HeaderMap, body: &[u8]) -> Self {
        let mut params = form(query.as_bytes());
        let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if kind.starts_with("application/json") {
            if let Ok(Value::Object(fields)) = serde_json::from_slice(body) {
                params.extend(fields);
            }
        } else {
            params.extend(form(body));
        }
        let path = path.split('/').filter(|part| !part.is_empty()).map(decoded).collect();
        Self { method, path, params }
    }

    /// A parameter as text; empty where it is not given.
    pub(super) fn text(&self, name: &str) -> String {
        match self.params.get(name) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            Some(Value::Bool(yes)) => u8::from(*yes).to_string(),
            _ => String::new(),
        }
    }

    pub(super) fn list(&self, name: &str) -> Vec<String> {
        match self.params.get(name).or_else(|| self.params.get(&format!("{name}[]"))) {
            Some(Value::Array(items)) => items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect(),
            Some(Value::String(item)) => vec![item.clone()],
            _ => Vec::new(),
        }
    }

    /// Part of a list: how many are left out and how many are shown.
    pub(super) fn part<T>(&self, all: impl Iterator<Item = T>) -> Vec<T> {
        let limit = self.text("limit").parse().unwrap_or(usize::MAX);
        all.skip(self.text("offset").parse().unwrap_or(0)).take(limit).collect()
    }

    /// True where what is shown of somebody holds what is searched for.
    pub(super) fn finds(&self, texts: &[&str]) -> bool {
        let search = self.text("search").to_lowercase();
        texts.iter().any(|text| text.to_lowercase().contains(&search))
    }
}

fn form(text: &[u8]) -> BTreeMap<String, Value> {
    let mut params: BTreeMap<String, Value> = BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(text) {
        let place = params.entry(name.to_string()).or_insert(Value::Null);
        *place = match place.take() {
            Value::Array(mut items) => {
                items.push(value.into());
                items.into()
            }
            _ if name.ends_with("[]") => vec![Value::from(value)].into(),
            _ => value.into(),
        };
    }
    params
}

/// A route, with the methods it has.
enum Route<'a> {
    Users,
    Details,
    /// 28 and later.
    Disabled,
    /// 31 and later.
    Recent,
    User(&'a str),
    Me,
    Fields(Option<&'a str>),
    Collection(&'a str, &'a str),
    Switch(&'a str, bool),
    Groups(&'a str),
    Subadmins(&'a str),
    AllGroups,
    Group(&'a str),
    Members(&'a str, bool),
}

impl<'a> Route<'a> {
    fn of(path: &'a [String], version: Version) -> Option<Self> {
        let parts: Vec<&'a str> = path.iter().map(String::as_str).collect();
        Some(match parts.as_slice() {
            ["cloud", "users"] => Self::Users,
            ["cloud", "users", "details"] => Self::Details,
            ["cloud", "users", "disabled"] if version >= Version::V28 => Self::Disabled,
            ["cloud", "users", "recent"] if version == Version::Master => Self::Recent,
            ["cloud", "users", id] => Self::User(id),
            ["cloud", "users", id, "enable"] => Self::Switch(id, true),
            ["cloud", "users", id, "disable"] => Self::Switch(id, false),
            ["cloud", "users", id, "groups"] => Self::Groups(id),
            ["cloud", "users", id, "subadmins"] => Self::Subadmins(id),
            ["cloud", "users", id, collection] => Self::Collection(id, collection),
            ["cloud", "user"] => Self::Me,
            ["cloud", "user", "fields"] => Self::Fields(None),
            ["cloud", "user", "fields", id] => Self::Fields(Some(id)),
            ["cloud", "groups"] => Self::AllGroups,
            ["cloud", "groups", id] => Self::Group(id),
            ["cloud", "groups", id, "users"] => Self::Members(id, false),
            ["cloud", "groups", id, "users", "details"] => Self::Members(id, true),
            _ => return None,
        })
    }

    fn methods(&self) -> &'static [&'static str] {
        match self {
            Self::Users | Self::AllGroups => &["GET", "POST"],
            Self::Details | Self::Disabled | Self::Recent | Self::Me | Self::Fields(_) | Self::Members(..) => &["GET"],
            Self::User(_) | Self::Group(_) => &["GET", "PUT", "DELETE"],
            Self::Collection(..) | Self::Switch(..) => &["PUT"],
            Self::Groups(_) | Self::Subadmins(_) => &["GET", "POST", "DELETE"],
        }
    }

    /// What the caller has to be.
    fn wants(&self, method: &Method) -> Wants {
        match self {
            Self::Me | Self::Fields(_) | Self::Collection(..) => Wants::Anybody,
            Self::User(_) if *method != Method::DELETE => Wants::Anybody,
            Self::Groups(_) if *method == Method::GET => Wants::Anybody,
            Self::Subadmins(_) | Self::Group(_) => Wants::Admin,
            Self::AllGroups if *method != Method::GET => Wants::Admin,
            _ => Wants::Administrator,
        }
    }
}

/// What the caller of a route has to be.
#[derive(PartialEq, Eq)]
enum Wants {
    Anybody,
    /// Of everybody or of a group.
    Administrator,
    Admin,
}

/// True for an address that leads somewhere.
pub(super) fn is_known(instance: &Instance, asked: &Asked<'_>) -> bool {
    Route::of(&asked.path, instance.settings.version).is_some()
}

/// True for a method that this address has.
pub(super) fn has_method(instance: &Instance, asked: &Asked<'_>) -> bool {
    let route = Route::of(&asked.path, instance.settings.version);
    route.is_some_and(|route| route.methods().contains(&asked.method.as_str()))
}

/// What a caller who is known is answered.
pub(super) fn perform(instance: &mut Instance, caller: &Caller, asked: &Asked<'_>, headers: &HeaderMap) -> Answer {
    let path = asked.path.clone();
    let Some(route) = Route::of(&path, instance.settings.version) else { return Answer::no(998, "") };
    let wants = route.wants(asked.method);
    let is_admin = instance.is_admin(&caller.id) || instance.is_delegated(&caller.id);
    if wants == Wants::Admin && !is_admin {
        return Answer::no(
            403,
            "Logged in account must be an admin, a sub admin or gotten special right to access this setting",
        );
    }
    if wants == Wants::Administrator && !instance.administers(&caller.id) {
        return Answer::no(403, "Logged in user must be a sub admin");
    }
    if !caller.bears && headers.get("ocs-apirequest").is_none() {
        let body = r#"{"message":"CSRF check failed"}"#.to_owned();
        return Answer::Bare { status: 412, body, kind: "application/json; charset=utf-8" };
    }
    let writes = *asked.method != Method::GET;
    if writes && caller.bears && instance.settings.stale_tokens {
        return Answer::no(403, "Password confirmation is required");
    }
    if instance.settings.fault > 0 {
        return Answer::no(instance.settings.fault, "");
    }
    let now = instance.began.elapsed();
    let fits = match &route {
        Route::User(_) if *asked.method == Method::PUT => {
            instance.door.may_edit(&caller.id, instance.settings.edit_limit, now)
        }
        Route::Collection(..) => instance.door.may_edit_several(&caller.id, now),
        _ => true,
    };
    if !fits {
        return too_many(headers);
    }
    match (route, asked.method.as_str()) {
        (Route::Users, "POST") => creation::create(instance, caller, asked),
        (Route::Users, _) => reading::list(instance, caller, asked, |_| true),
        (Route::Details, _) => reading::details(instance, caller, asked, None),
        (Route::Disabled, _) => reading::list(instance, caller, asked, |user| !user.enabled),
        (Route::Recent, _) => reading::list(instance, caller, asked, |user| user.last_login > 0),
        (Route::User(id), "PUT") => editing::edit(instance, caller, id, &asked.text("key"), &asked.text("value")),
        (Route::User(id), "DELETE") => editing::delete(instance, caller, id),
        (Route::User(id), _) => reading::one(instance, caller, id),
        (Route::Me, _) => reading::one(instance, caller, &caller.id),
        (Route::Fields(id), _) => reading::fields(instance, caller, id.unwrap_or(&caller.id)),
        (Route::Collection(id, name), _) => {
            editing::edit_one_of(instance, caller, id, name, &asked.text("key"), &asked.text("value"))
        }
        (Route::Switch(id, on), _) => editing::switch(instance, caller, id, on),
        (Route::Groups(id), "GET") => groups::of(instance, caller, id),
        (Route::Groups(id), "POST") => groups::join(instance, caller, id, &asked.text("groupid")),
        (Route::Groups(id), _) => groups::leave(instance, caller, id, &asked.text("groupid")),
        (Route::Subadmins(id), method) => groups::lead(instance, id, method, &asked.text("groupid")),
        (Route::AllGroups, "POST") => groups::create(instance, &asked.text("groupid"), &asked.text("displayname")),
        (Route::AllGroups, _) => groups::list(instance, caller, asked),
        (Route::Group(id), "PUT") => groups::rename(instance, id, &asked.text("key"), &asked.text("value")),
        (Route::Group(id), "DELETE") => groups::delete(instance, id),
        (Route::Group(id) | Route::Members(id, false), _) => groups::members(instance, caller, id),
        (Route::Members(id, true), _) => {
            if instance.groups.contains_key(id) {
                reading::details(instance, caller, asked, Some(id))
            } else {
                Answer::no(404, "Group does not exist")
            }
        }
    }
}

/// Nobody puts this refusal into an envelope, or says how long to wait.
fn too_many(headers: &HeaderMap) -> Answer {
    let accepted = headers.get(header::ACCEPT).and_then(|accepted| accepted.to_str().ok()).unwrap_or_default();
    if accepted.contains("html") {
        let body = "<!DOCTYPE html>\n<html><head><title>Too many requests</title></head><body></body></html>\n";
        return Answer::Bare { status: 429, body: body.to_owned(), kind: "text/html; charset=UTF-8" };
    }
    Answer::empty(429)
}
