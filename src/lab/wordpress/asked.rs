//! One request to the API: its route, its parameters, and the order in which WordPress judges them: route, body,
//! parameters, rights, and only then what was asked for.

use axum::http::{HeaderMap, Method, header};
use serde_json::{Value, json};

use super::{caller::Caller, params::Params, query::Query, reading, refusal::Refusal, site::Site, writing};

/// The methods that change one user.
const EDITS: [&str; 3] = ["POST", "PUT", "PATCH"];

/// A route of the users' API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Index,
    Users,
    One(u64),
    Me,
}

impl Route {
    /// The route of a path such as `/wp/v2/users/5`.
    pub(super) fn of(path: &str) -> Option<Self> {
        match path {
            "/" => Some(Self::Index),
            "/wp/v2/users" => Some(Self::Users),
            "/wp/v2/users/me" => Some(Self::Me),
            _ => {
                let id = path.strip_prefix("/wp/v2/users/")?;
                let is_number = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
                // A number that is too large for an id is nobody's.
                is_number.then(|| Self::One(id.parse().unwrap_or_default()))
            }
        }
    }
}

/// What was asked.
pub(super) struct Asked {
    /// The method that counts: `_method` and `X-HTTP-Method-Override` replace that of the request.
    pub(super) method: String,
    /// True where the request itself is a GET or HEAD, and nothing replaces its method.
    pub(super) only_looks: bool,
    pub(super) query: Query,
    pub(super) params: Params,
    /// False for a body that claims to be JSON and is none.
    is_readable: bool,
}

impl Asked {
    pub(super) fn read(method: &Method, query: Query, headers: &HeaderMap, body: &[u8]) -> Self {
        let named = query.text("_method").map(str::to_uppercase);
        let replaced = named.or_else(|| headers.get("x-http-method-override")?.to_str().ok().map(str::to_uppercase));
        let only_looks = replaced.is_none() && matches!(*method, Method::GET | Method::HEAD);
        let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim().to_lowercase();
        let mut params = Params::default();
        for (name, value) in query.values() {
            params.0.insert(name.to_owned(), value);
        }
        let mut is_readable = true;
        if kind == "application/json" && !body.is_empty() {
            match serde_json::from_slice::<Value>(body) {
                Ok(Value::Object(fields)) => params.0.extend(fields),
                Ok(_) => {}
                Err(_) => is_readable = false,
            }
        } else if kind == "application/x-www-form-urlencoded" {
            let form = Query::read(&String::from_utf8_lossy(body));
            params.0.extend(form.values().map(|(name, value)| (name.to_owned(), value)));
        }
        Self { method: replaced.unwrap_or_else(|| method.to_string()), only_looks, query, params, is_readable }
    }
}

/// An answer, before its headers are made.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
    pub(super) headers: Vec<(&'static str, String)>,
    /// What takes the place of the link to the root.
    pub(super) link: Option<String>,
    /// The number of the page of a list.
    pub(super) page: Option<u64>,
    /// The methods the caller may use here; none are not told.
    pub(super) allowed: Vec<&'static str>,
}

impl Answer {
    pub(super) fn ok(body: Value) -> Self {
        Self { status: 200, body, headers: Vec::new(), link: None, page: None, allowed: Vec::new() }
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        Self { status: refusal.status, ..Self::ok(refusal.body) }
    }
}

/// What the caller may do at a route, as the `Allow` header tells it.
pub(super) fn allowed(site: &Site, caller: &Caller, route: &Route, params: &Params) -> Vec<&'static str> {
    let own = || caller.id().unwrap_or_default();
    let (reads, edits, deletes) = match *route {
        Route::Index => (true, false, false),
        Route::Users => {
            let creates = writing::may_create(caller).is_ok();
            let mut methods = Vec::new();
            methods.extend(reading::may_list(caller, params).is_ok().then_some("GET"));
            methods.extend(creates.then_some("POST"));
            return methods;
        }
        Route::Me => (
            true,
            writing::may_update(site, caller, own(), params).is_ok(),
            writing::may_delete(site, caller, own()).is_ok(),
        ),
        Route::One(id) => (
            reading::may_read(site, caller, id, params.context()).is_ok(),
            writing::may_update(site, caller, id, params).is_ok(),
            writing::may_delete(site, caller, id).is_ok(),
        ),
    };
    let reads = reads.then_some("GET").into_iter();
    reads.chain(EDITS.into_iter().filter(|_| edits)).chain(deletes.then_some("DELETE")).collect()
}

/// Does what was asked.
pub(super) fn perform(site: &mut Site, caller: &Caller, path: &str, asked: &Asked) -> Answer {
    let Some(route) = Route::of(path) else { return Refusal::no_route().into() };
    let method = match asked.method.as_str() {
        "HEAD" => "GET",
        "PUT" | "PATCH" if route != Route::Users => "POST",
        method => method,
    };
    let id = match route {
        Route::One(id) => id,
        _ => caller.id().unwrap_or_default(),
    };
    let is_readable = asked.is_readable;
    let answered = match (route, method) {
        (Route::Index | Route::Users | Route::Me | Route::One(_), "GET" | "POST" | "DELETE") if !is_readable => {
            Err(Refusal::no_json())
        }
        (Route::Index, "GET") => Ok(narrowed_index(site, asked)),
        (Route::Users, "GET") => reading::list(site, caller, asked),
        (Route::Me, "GET") => reading::me(site, caller, asked),
        (Route::One(id), "GET") => reading::one(site, caller, asked, id),
        (Route::Users, "POST") => writing::create(site, caller, asked),
        (Route::Me | Route::One(_), "POST") => writing::update(site, caller, asked, id),
        (Route::Me | Route::One(_), "DELETE") => writing::delete(site, caller, asked, id),
        _ => return Refusal::no_route().into(),
    };
    let mut answer = answered.unwrap_or_else(Answer::from);
    // Told after the deed: who was just deleted can be neither read nor changed.
    answer.allowed = allowed(site, caller, &route, &asked.params);
    answer
}

fn narrowed_index(site: &Site, asked: &Asked) -> Answer {
    let mut answer = reading::index(site);
    let fields = asked.params.list("_fields");
    if let (false, Some(body)) = (fields.is_empty(), answer.body.as_object_mut()) {
        let kept = fields.iter().filter_map(|field| body.get(field).map(|value| (field.clone(), value.clone())));
        answer.body = json!(kept.collect::<serde_json::Map<_, _>>());
    }
    answer
}
