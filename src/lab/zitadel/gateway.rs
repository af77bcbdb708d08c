//! The way in: which paths exist in which version, the order of checks, and both wires (`zitadel.md` 1, 3, 10).
//!
//! REST and Connect lead to the same commands. Order: quota, path, method, JSON, token, organization, endpoint permission
//! (management v1 only), validation, command.

use std::io;

use axum::{
    body::Body as HttpBody,
    http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri, header},
};
use serde::Serialize;
use serde_json::{Map, Value, json, ser::Formatter};

use super::{
    access::{self, Caller, Permission},
    changes, creation,
    instance::Instance,
    listing::{self, Shape},
    management,
    message::{Message, decode, fault},
    metadata,
    refusal::{Code, Language, Refusal},
    requests,
};

type Command = fn(&mut Instance, &Caller, &Map<String, Value>) -> Result<Value, Refusal>;

/// One operation.
struct Route {
    method: &'static str,
    /// `{name}` is a member of the message.
    path: &'static str,
    /// False where the gateway takes the message from path and query alone.
    reads_body: bool,
    /// The first generation that has it.
    since: u32,
    message: &'static Message,
    /// What an endpoint of management v1 asks for before anything else.
    permission: Option<Permission>,
    command: Command,
    /// The name of the method of `zitadel.user.v2.UserService`; empty where there is none.
    rpc: &'static str,
}

/// What is usual: nothing is read of the body of a GET or a DELETE.
const fn has_body(method: &str) -> bool {
    !matches!(method.as_bytes(), b"GET" | b"DELETE")
}

const fn v2(
    method: &'static str,
    path: &'static str,
    rpc: &'static str,
    message: &'static Message,
    command: Command,
) -> Route {
    Route { method, path, reads_body: has_body(method), since: 3, message, permission: None, command, rpc }
}

const fn v1(
    method: &'static str,
    path: &'static str,
    permission: Permission,
    message: &'static Message,
    command: Command,
) -> Route {
    Route {
        method,
        path,
        reads_body: has_body(method),
        since: 0,
        message,
        permission: Some(permission),
        command,
        rpc: "",
    }
}

/// The most exact path stands first.
static ROUTES: &[Route] = &[
    Route { since: 4, ..v2("POST", "v2/users/new", "CreateUser", &requests::CREATE_USER, creation::create_user) },
    v2("POST", "v2/users/human", "AddHumanUser", &requests::ADD_HUMAN, creation::add_human),
    v2("POST", "v2/users", "ListUsers", &requests::LIST_USERS, |i, c, b| listing::list(i, c, b, Shape::New)),
    v2("PUT", "v2/users/human/{userId}", "UpdateHumanUser", &requests::UPDATE_HUMAN, changes::update_human),
    v2("GET", "v2/users/{userId}", "GetUserByID", &requests::GET_USER, changes::get),
    v2("DELETE", "v2/users/{userId}", "DeleteUser", &requests::DELETE_USER, changes::delete),
    Route { since: 4, ..v2("PATCH", "v2/users/{userId}", "UpdateUser", &requests::UPDATE_USER, changes::update_user) },
    v2("POST", "v2/users/{userId}/email", "SetEmail", &requests::SET_USER_EMAIL, changes::set_email),
    v2("POST", "v2/users/{userId}/deactivate", "DeactivateUser", &requests::DEACTIVATE_USER, changes::deactivate),
    v2("POST", "v2/users/{userId}/reactivate", "ReactivateUser", &requests::REACTIVATE_USER, changes::reactivate),
    v2("POST", "v2/users/{userId}/lock", "LockUser", &requests::LOCK_USER, changes::lock),
    v2("POST", "v2/users/{userId}/unlock", "UnlockUser", &requests::UNLOCK_USER, changes::unlock),
    Route {
        since: 4,
        ..v2("POST", "v2/users/{userId}/metadata", "SetUserMetadata", &requests::SET_METADATA, metadata::set_some)
    },
    Route {
        since: 4,
        ..v2("POST", "v2/users/{userId}/metadata/search", "ListUserMetadata", &requests::LIST_METADATA, metadata::list)
    },
    Route {
        since: 4,
        ..v2("DELETE", "v2/users/{userId}/metadata", "DeleteUserMetadata", &requests::DELETE_METADATA, metadata::delete)
    },
    v2("POST", "v2/users/{userId}/links", "AddIDPLink", &requests::ADD_LINK, changes::add_link),
    v2("POST", "v2/users/{userId}/links/_search", "ListIDPLinks", &requests::LIST_LINKS, changes::list_links),
    v2(
        "DELETE",
        "v2/users/{userId}/links/{idpId}/{linkedUserId}",
        "RemoveIDPLink",
        &requests::REMOVE_LINK,
        changes::remove_link,
    ),
    v2("GET", "v2/settings/domain", "", &requests::DOMAIN_POLICY, management::domain_settings),
    v1("POST", "management/v1/users/human/_import", Permission::Write, &requests::IMPORT_HUMAN, creation::import_human),
    v1("POST", "management/v1/users/_search", Permission::Read, &requests::OLD_LIST_USERS, |i, c, b| {
        listing::list(i, c, b, Shape::Old)
    }),
    v1("GET", "management/v1/users/{id}", Permission::Read, &requests::OLD_GET_USER, management::get),
    v1(
        "PUT",
        "management/v1/users/{userId}/username",
        Permission::Write,
        &requests::OLD_USERNAME,
        management::username,
    ),
    v1("PUT", "management/v1/users/{userId}/profile", Permission::Write, &requests::OLD_PROFILE, management::profile),
    v1("PUT", "management/v1/users/{userId}/email", Permission::Write, &requests::OLD_EMAIL, management::email),
    v1("PUT", "management/v1/users/{userId}/phone", Permission::Write, &requests::OLD_PHONE, management::phone),
    v1(
        "DELETE",
        "management/v1/users/{userId}/phone",
        Permission::Write,
        &requests::OLD_REMOVE_PHONE,
        management::remove_phone,
    ),
    v1(
        "POST",
        "management/v1/users/{id}/_deactivate",
        Permission::Write,
        &requests::OLD_DEACTIVATE,
        management::deactivate,
    ),
    v1(
        "POST",
        "management/v1/users/{id}/_reactivate",
        Permission::Write,
        &requests::OLD_REACTIVATE,
        management::reactivate,
    ),
    v1("POST", "management/v1/users/{id}/_lock", Permission::Write, &requests::OLD_LOCK, management::lock),
    v1("POST", "management/v1/users/{id}/_unlock", Permission::Write, &requests::OLD_UNLOCK, management::unlock),
    v1(
        "POST",
        "management/v1/users/{id}/metadata/_search",
        Permission::Read,
        &requests::OLD_LIST_METADATA,
        metadata::old_list,
    ),
    v1(
        "POST",
        "management/v1/users/{id}/metadata/_bulk",
        Permission::Write,
        &requests::OLD_SET_MUCH_METADATA,
        metadata::old_set_some,
    ),
    Route {
        reads_body: true,
        ..v1(
            "DELETE",
            "management/v1/users/{id}/metadata/_bulk",
            Permission::Write,
            &requests::OLD_DELETE_MUCH_METADATA,
            metadata::old_delete_some,
        )
    },
    v1(
        "POST",
        "management/v1/users/{id}/metadata/{key}",
        Permission::Write,
        &requests::OLD_SET_METADATA,
        metadata::old_set,
    ),
    v1(
        "GET",
        "management/v1/users/{id}/metadata/{key}",
        Permission::Read,
        &requests::OLD_GET_METADATA,
        metadata::old_get,
    ),
    v1(
        "DELETE",
        "management/v1/users/{id}/metadata/{key}",
        Permission::Write,
        &requests::OLD_DELETE_METADATA,
        metadata::old_delete,
    ),
    v1("GET", "management/v1/policies/domain", Permission::Read, &requests::DOMAIN_POLICY, management::domain_policy),
];

/// The service of the user API on the Connect wire.
const SERVICE: &str = "/zitadel.user.v2.UserService/";

/// A request, taken off the wire.
pub(super) struct Asked<'a> {
    pub(super) method: &'a Method,
    pub(super) uri: &'a Uri,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
    /// Changes from one answer to the next: the whitespace of an answer is not stable.
    pub(super) airy: bool,
}

/// Which wire an answer goes out on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wire {
    Rest,
    Connect,
}

/// Answers one request.
pub(super) fn answer(instance: &mut Instance, asked: &Asked<'_>) -> Response<HttpBody> {
    let path = asked.uri.path();
    match path {
        "/debug/healthz" => return plain(200, "text/plain; charset=utf-8", "ok"),
        "/debug/ready" => return plain(200, "application/json", "\"ok\""),
        "/debug/validate" => return plain(200, "application/json", "null"),
        _ => {}
    }
    if !is_known(asked.header("host")) {
        let text =
            format!("unable to set instance using origin {} (ExternalDomain is localhost)", asked.header("host"));
        return asked.refused(Wire::Rest, &Refusal::bare(Code::NotFound, text));
    }
    if path == "/oauth/v2/token" {
        if *asked.method != Method::POST {
            return plain(405, "text/plain; charset=utf-8", "");
        }
        let issuer = format!("http://{}", asked.header("host"));
        let (status, body) = access::grant(instance, &issuer, asked.optional("authorization"), asked.body);
        return asked.json(status, &body);
    }
    if instance.settings.blocked {
        let blocked = Refusal::of(Code::ResourceExhausted, "LIMITS-molsj", "Errors.Limits.Instance.Blocked");
        return asked.exhausted(&blocked);
    }
    if !instance.within_quota() {
        let exhausted =
            Refusal::of(Code::ResourceExhausted, "QUOTA-vjAy8", "Quota for authenticated requests is exhausted");
        return asked.exhausted(&exhausted);
    }
    if let Some(rpc) = path.strip_prefix(SERVICE).filter(|_| instance.generation >= 4) {
        let Some(route) = ROUTES.iter().find(|route| route.rpc == rpc && !rpc.is_empty()) else {
            return asked.not_found();
        };
        if *asked.method != Method::POST {
            return plain(405, "text/plain; charset=utf-8", "");
        }
        let done = decoded(asked, route, None).and_then(|message| run(instance, asked, route, &message));
        return match done {
            Ok(body) => asked.json(200, &body),
            Err(refusal) => asked.refused(Wire::Connect, &refusal),
        };
    }
    let (mut known, mut found) = (false, None);
    for route in ROUTES.iter().filter(|route| instance.generation >= route.since) {
        let Some(taken) = matches(route.path, path) else { continue };
        known = true;
        if route.method == asked.method.as_str() {
            found = Some((route, taken));
            break;
        }
    }
    let Some((route, taken)) = found else {
        // The gateway writes this code with a status of its own: 405 and not 501.
        let not_allowed = json!({ "code": 12, "message": "Method Not Allowed" });
        return if known { asked.json(405, &not_allowed) } else { asked.not_found() };
    };
    match decoded(asked, route, Some(&taken)).and_then(|message| run(instance, asked, route, &message)) {
        Ok(body) => asked.json(200, &body),
        Err(refusal) => asked.refused(Wire::Rest, &refusal),
    }
}

/// The lab serves on loopback; any other name is none of its instances.
fn is_known(host: &str) -> bool {
    let name = host
        .rsplit_once(':')
        .filter(|(_, port)| port.bytes().all(|digit| digit.is_ascii_digit()))
        .map_or(host, |(name, _)| name);
    matches!(name, "127.0.0.1" | "localhost" | "[::1]")
}

/// The members that the path holds, where it fits. The gateway resolves escapes before it looks for slashes, so that no
/// member can hold one, and takes a last part that only begins with a colon for a verb without a name.
fn matches(pattern: &'static str, path: &str) -> Option<Vec<(&'static str, String)>> {
    let path = unescaped(path);
    let last = path.rsplit('/').next().unwrap_or_default();
    if last.rfind(':') == Some(0) {
        return None;
    }
    let (mut taken, mut given) = (Vec::new(), path.strip_prefix('/')?.split('/'));
    for part in pattern.split('/') {
        let here = given.next()?;
        match part.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some(_) if here.is_empty() => return None,
            Some(name) => taken.push((name, here.to_owned())),
            None if part != here => return None,
            None => {}
        }
    }
    given.next().is_none().then_some(taken)
}

/// A path with its escapes resolved; a plus sign stays one.
fn unescaped(path: &str) -> String {
    let escaped = format!("v={}", path.replace('+', "%2B").replace('&', "%26"));
    url::form_urlencoded::parse(escaped.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// The message: from body, path and (where there is no body) query. `taken` is `None` on the Connect wire.
fn decoded(
    asked: &Asked<'_>,
    route: &Route,
    taken: Option<&[(&'static str, String)]>,
) -> Result<Map<String, Value>, Refusal> {
    let prefix = if taken.is_none() { "unmarshal message: proto:" } else { "proto:" };
    // Even the blank after `proto:` is unstable: it may be a no-break space.
    let blank = if asked.airy { '\u{a0}' } else { ' ' };
    let refuse = |text: String| Refusal::bare(Code::InvalidArgument, format!("{prefix}{blank}{text}"));
    let has_body = taken.is_none() || route.reads_body;
    let mut message = if has_body && !asked.body.is_empty() {
        let json: Value = serde_json::from_slice(asked.body).map_err(|error| {
            refuse(format!("syntax error (line {}:{}): unexpected token", error.line(), error.column()))
        })?;
        decode(route.message, &json).map_err(refuse)?
    } else {
        Map::new()
    };
    if !has_body {
        let query = url::form_urlencoded::parse(asked.uri.query().unwrap_or_default().as_bytes());
        let keys: Vec<Value> =
            query.filter(|(name, _)| name == "keys").map(|(_, value)| value.into_owned().into()).collect();
        if !keys.is_empty() && route.message.fields.iter().any(|field| field.name == "keys") {
            message.insert("keys".to_owned(), keys.into());
        }
    }
    for (name, value) in taken.unwrap_or_default() {
        message.insert((*name).to_owned(), value.as_str().into());
    }
    Ok(message)
}

fn run(
    instance: &mut Instance,
    asked: &Asked<'_>,
    route: &Route,
    message: &Map<String, Value>,
) -> Result<Value, Refusal> {
    let organization = asked.optional("x-zitadel-orgid");
    let caller = access::authenticate(instance, asked.optional("authorization"), organization)?;
    if let Some(permission) = route.permission {
        access::check(instance, &caller, permission, &caller.organization, "AUTH-5mWD2")?;
    }
    if let Some(fault) = fault(route.message, message) {
        return Err(Refusal::bare(Code::InvalidArgument, fault));
    }
    (route.command)(instance, &caller, message)
}

impl Asked<'_> {
    fn optional(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    fn header(&self, name: &str) -> &str {
        self.optional(name).unwrap_or_default()
    }

    fn language(&self) -> Language {
        Language::accepted(self.header("accept-language"))
    }

    fn not_found(&self) -> Response<HttpBody> {
        self.refused(Wire::Rest, &Refusal::bare(Code::NotFound, "Not Found"))
    }

    fn json(&self, status: u16, body: &Value) -> Response<HttpBody> {
        let mut bytes = Vec::new();
        let written = body.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, Blanks(self.airy)));
        let text = written.map_or_else(|_| body.to_string(), |()| String::from_utf8_lossy(&bytes).into_owned());
        plain(status, "application/json", &text)
    }

    fn refused(&self, wire: Wire, refusal: &Refusal) -> Response<HttpBody> {
        let language = self.language();
        let body = if wire == Wire::Rest { refusal.rest(language) } else { refusal.connect(language) };
        let mut response = self.json(refusal.code.status(), &body);
        if wire == Wire::Rest
            && refusal.code == Code::Unauthenticated
            && let Ok(text) = HeaderValue::from_str(&refusal.message(language))
        {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, text);
        }
        response
    }

    /// 429: no `Retry-After`, and on REST a cookie.
    fn exhausted(&self, refusal: &Refusal) -> Response<HttpBody> {
        let wire = if self.uri.path().starts_with(SERVICE) { Wire::Connect } else { Wire::Rest };
        let mut response = self.refused(wire, refusal);
        if wire == Wire::Rest {
            let cookie = HeaderValue::from_static("zitadel.quota.exhausted=true; Path=/; Max-Age=300");
            response.headers_mut().insert(header::SET_COOKIE, cookie);
        }
        response
    }
}

fn plain(status: u16, kind: &'static str, text: &str) -> Response<HttpBody> {
    let mut response = Response::new(HttpBody::from(text.to_owned()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// Writes a blank after every `:` and `,`, or none.
struct Blanks(bool);

impl Blanks {
    fn after<W: ?Sized + io::Write>(&self, writer: &mut W, mark: &[u8]) -> io::Result<()> {
        writer.write_all(mark)?;
        if self.0 { writer.write_all(b" ") } else { Ok(()) }
    }
}

impl Formatter for Blanks {
    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { self.after(writer, b",") }
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { self.after(writer, b",") }
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.after(writer, b":")
    }
}
