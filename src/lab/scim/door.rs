//! What each address answers (RFC 7644 table 1 and section 4).

use serde_json::{Value, json};

use super::{
    super::path::decoded,
    bulk,
    fault::Fault,
    listing::{self, Parts, Wish},
    schema::{self, Kind},
    settings::Settings,
    world::{Entry, World},
};

/// A request, as far as it counts.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) method: String,
    /// Without the folder the interface is in, percent signs and all.
    pub(super) path: String,
    pub(super) query: String,
    pub(super) if_match: Option<String>,
    pub(super) if_none_match: Option<String>,
    pub(super) body: Value,
}

/// An answer, before it is written.
#[derive(Clone, Debug, Default)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Option<Value>,
    pub(super) location: Option<String>,
    pub(super) etag: Option<String>,
}

impl From<Fault> for Answer {
    fn from(fault: Fault) -> Self {
        Self { status: fault.status, body: Some(fault.shown()), ..Self::default() }
    }
}

/// What is answered to a request of somebody who is known.
pub(super) fn answer(world: &mut World, asked: &Asked) -> Answer {
    let segments: Vec<String> = asked.path.trim_matches('/').split('/').map(decoded).collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let outcome = match segments.as_slice() {
        [".search"] => search(world, &Kind::ALL, asked),
        ["Bulk"] if world.settings.bulk => match asked.method.as_str() {
            "POST" => bulk::bulk(world, &asked.body).map(shown),
            _ => Err(not_there(&asked.method)),
        },
        ["Bulk"] => Err(Fault::new(501, "This server has no bulk requests.")),
        ["Me", ..] => me(world, asked),
        ["ServiceProviderConfig" | "ResourceTypes" | "Schemas", ..] => discovered(world, asked, &segments),
        [endpoint, rest @ ..] => match kind(world, endpoint) {
            Some(kind) => of_kind(world, kind, rest, asked),
            None => Err(Fault::new(404, "There is nothing at this address.")),
        },
        [] => Err(Fault::new(404, "There is nothing at this address.")),
    };
    outcome.unwrap_or_else(Answer::from)
}

fn kind(world: &World, endpoint: &str) -> Option<Kind> {
    let kind = Kind::ALL.into_iter().find(|kind| kind.endpoint().trim_start_matches('/') == endpoint)?;
    (kind == Kind::User || world.settings.groups).then_some(kind)
}

fn not_there(method: &str) -> Fault {
    Fault::new(405, format!("{method} is not for this address."))
}

fn shown(body: Value) -> Answer {
    Answer { status: 200, body: Some(body), ..Answer::default() }
}

fn search(world: &World, kinds: &[Kind], asked: &Asked) -> Result<Answer, Fault> {
    match asked.method.as_str() {
        "POST" if world.settings.search => listing::list(world, kinds, &Wish::of_body(&asked.body)?).map(shown),
        "POST" => Err(Fault::new(404, "There is nothing at this address.")),
        method => Err(not_there(method)),
    }
}

/// The alias of whoever asks (RFC 7644 3.11).
fn me(world: &mut World, asked: &Asked) -> Result<Answer, Fault> {
    let user = world.settings.me.as_deref().and_then(|user| world.named(user)).map(|entry| entry.id.clone());
    let id = user.ok_or_else(|| Fault::new(501, "Whoever asks is nobody here."))?;
    let mut answer = of_kind(world, Kind::User, &[id.as_str()], asked)?;
    answer.location = Some(world.location(Kind::User, &id));
    Ok(answer)
}

fn of_kind(world: &mut World, kind: Kind, rest: &[&str], asked: &Asked) -> Result<Answer, Fault> {
    if world.settings.only_reads && asked.method != "GET" && rest != [".search"] {
        return Err(Fault::new(403, "The token is not for changes."));
    }
    match (asked.method.as_str(), rest) {
        (_, [".search"]) => search(world, &[kind], asked),
        ("GET", []) => listing::list(world, &[kind], &Wish::of_query(&asked.query)?).map(shown),
        ("POST", []) => {
            let parts = Wish::of_query(&asked.query)?.parts;
            let id = world.create(kind, &asked.body)?;
            one(world, kind, &id, 201, &parts)
        }
        (method, [id]) => single(world, kind, id, method, asked),
        (method, _) => Err(not_there(method)),
    }
}

fn single(world: &mut World, kind: Kind, id: &str, method: &str, asked: &Asked) -> Result<Answer, Fault> {
    let entry = world.get(kind, id)?;
    if method == "GET" {
        let is_known = asked.if_none_match.as_deref().is_some_and(|tags| names(world, entry, tags));
        let etag = world.etag(entry);
        if is_known {
            return Ok(Answer { status: 304, etag, ..Answer::default() });
        }
    } else if let Some(tags) = asked.if_match.as_deref().filter(|_| world.settings.etag)
        && !names(world, entry, tags)
    {
        return Err(Fault::new(412, "The resource is of another version."));
    }
    let parts = Wish::of_query(&asked.query)?.parts;
    match method {
        "GET" => one(world, kind, id, 200, &parts),
        "PUT" => {
            world.replace(kind, id, &asked.body)?;
            one(world, kind, id, 200, &parts)
        }
        "PATCH" if world.settings.patch => {
            world.patch(kind, id, &asked.body)?;
            // With a wish for attributes there is always something to show (RFC 7644 3.5.2).
            let is_quiet = world.settings.patch_answer == 204 && !parts.is_some();
            let mut answer = one(world, kind, id, 200, &parts)?;
            if is_quiet {
                (answer.status, answer.body) = (204, None);
            }
            Ok(answer)
        }
        "PATCH" => Err(Fault::new(501, "This server has no PATCH.")),
        "DELETE" => {
            world.delete(kind, id)?;
            Ok(Answer { status: 204, ..Answer::default() })
        }
        method => Err(not_there(method)),
    }
}

/// Whether a precondition names the version of a resource; versions of SCIM are compared weakly.
fn names(world: &World, entry: &Entry, tags: &str) -> bool {
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let held = world.etag(entry).map(|tag| bare(&tag));
    held.is_some_and(|held| tags.split(',').any(|tag| tag.trim() == "*" || bare(tag) == held))
}

fn one(world: &World, kind: Kind, id: &str, status: u16, parts: &Parts) -> Result<Answer, Fault> {
    let entry = world.get(kind, id)?;
    Ok(Answer {
        status,
        body: Some(listing::cut(world.shape(kind), world.show(kind, entry), parts)),
        location: Some(world.location(kind, id)),
        etag: world.etag(entry),
    })
}

/// What the server tells of itself (RFC 7644 4). None of it can be filtered or changed.
fn discovered(world: &World, asked: &Asked, segments: &[&str]) -> Result<Answer, Fault> {
    if !world.settings.discovery {
        return Err(Fault::new(404, "There is nothing at this address."));
    }
    if asked.method != "GET" {
        return Err(not_there(&asked.method));
    }
    if Wish::of_query(&asked.query)?.filter.is_some() {
        return Err(Fault::new(403, "This cannot be filtered."));
    }
    let kinds = || Kind::ALL.into_iter().filter(|kind| *kind == Kind::User || world.settings.groups);
    let all: Vec<Value> = match segments.first() {
        Some(&"ServiceProviderConfig") if segments.len() == 1 => {
            return Ok(shown(config(&world.settings, &world.base)));
        }
        Some(&"ResourceTypes") => kinds().map(|kind| kind.shown(&world.base)).collect(),
        Some(&"Schemas") => kinds().flat_map(|kind| world.shape(kind).schemas(&world.base)).collect(),
        _ => Vec::new(),
    };
    match segments {
        [_] => {
            let total = all.len();
            Ok(shown(json!({ "schemas": [listing::LIST], "totalResults": total, "itemsPerPage": total,
                "startIndex": 1, "Resources": all })))
        }
        [_, id] => {
            let found = all.into_iter().find(|one| one["id"].as_str().is_some_and(|it| it.eq_ignore_ascii_case(id)));
            found.map(shown).ok_or_else(|| Fault::no_resource(id))
        }
        _ => Err(Fault::new(404, "There is nothing at this address.")),
    }
}

fn config(settings: &Settings, base: &str) -> Value {
    let supported = |is: bool| json!({ "supported": is });
    let mut config = json!({
        "schemas": [schema::CONFIG],
        "patch": supported(settings.patch),
        "bulk": { "supported": settings.bulk, "maxOperations": settings.bulk_operations, "maxPayloadSize": 1_048_576 },
        "filter": { "supported": settings.filter, "maxResults": settings.page },
        "changePassword": supported(false),
        "sort": supported(settings.sort),
        "etag": supported(settings.etag),
        "authenticationSchemes": [{
            "name": "OAuth Bearer Token",
            "description": "A token in the header Authorization",
            "specUri": "https://www.rfc-editor.org/info/rfc6750",
            "type": "oauthbearertoken",
            "primary": true,
        }],
        "meta": { "location": format!("{base}/ServiceProviderConfig"), "resourceType": "ServiceProviderConfig" },
    });
    if settings.cursor {
        config["pagination"] = json!({
            "cursor": true,
            "index": settings.index,
            "defaultPaginationMethod": if settings.index { "index" } else { "cursor" },
            "defaultPageSize": settings.page,
            "maxPageSize": settings.page,
        });
    }
    config
}
