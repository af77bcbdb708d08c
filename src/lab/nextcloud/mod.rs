//! The Nextcloud simulator: the provisioning interface as `nextcloud.md` has it, of four versions.
//!
//! This file is the way of a request: weather, sign-in, route, rights, and the form of the answer. What each route does
//! lies beside it. It knows neither rules nor plans, and no other provider.
//!
//! Accounts of LDAP, SAML and `OpenID` Connect, and local ones that sign in through the latter (`"oidc": true`), carry what
//! stands there of them: what is seen of them first, and what `POST /_lab/meddle/{user}` changes with `"directory": true`. A
//! sign-in (`POST /_lab/login/{user}`) writes it over what
//! is stored.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::to_bytes,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use self::{
    asked::Asked,
    envelope::{Answer, Form, put},
    instance::Instance,
    seed::Person,
    settings::Version,
    user::User,
};
use super::{Peers, SignedIn, Simulator, people::Invented};

mod asked;
mod creation;
mod door;
mod editing;
mod envelope;
mod groups;
mod instance;
mod reading;
mod seed;
mod settings;
mod user;
mod values;

/// Bodies larger than this are not read.
const LARGEST_BODY: usize = 8 * 1024 * 1024;

/// One simulated server.
pub(crate) struct Nextcloud {
    instance: Mutex<Instance>,
}

impl Nextcloud {
    /// The server a seed describes; the error names the field that is wrong.
    pub(crate) fn new(seed: &Value) -> Result<Self, String> {
        Ok(Self { instance: Mutex::new(seed::plant(seed)?) })
    }

    fn instance(&self) -> MutexGuard<'_, Instance> {
        self.instance.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn nobody(user: &str) -> String {
    format!("nobody is called `{user}`")
}

impl Simulator for Nextcloud {
    fn router(self: Arc<Self>) -> Router {
        Router::new().fallback(serve).with_state(self)
    }

    fn token(&self, _: &str) -> String {
        let instance = self.instance();
        instance.users.get(&instance.account).map(|ours| ours.app_password.clone()).unwrap_or_default()
    }

    fn dump(&self) -> Value {
        self.instance().dump()
    }

    fn configure(&self, settings: &Value) -> Result<(), String> {
        let mut instance = self.instance();
        instance.settings = instance.settings.merged(settings)?;
        if settings.get("rights").is_some() {
            instance.take_rights();
        }
        Ok(())
    }

    fn meddle(&self, user: &str, fields: &Value) -> Result<(), String> {
        let mut instance = self.instance();
        let mut fields = fields.clone();
        let of_directory = fields.as_object_mut().and_then(|fields| fields.remove("directory"));
        let of_directory = of_directory.and_then(|yes| yes.as_bool()).unwrap_or_default();
        let person = Person::read("user", &fields, &instance)?;
        if person.names_id() {
            return Err("user.id: it never changes".to_owned());
        }
        let user = instance.users.get_mut(user).ok_or_else(|| nobody(user))?;
        match (of_directory, &mut user.directory) {
            (true, Some(directory)) => person.apply(directory),
            (true, None) => return Err("user.directory: this account comes from no directory".to_owned()),
            (false, _) => {
                let before = (user.backend, user.oidc);
                person.apply(user);
                if (user.backend, user.oidc) != before {
                    seed::settle(user);
                }
            }
        }
        Ok(())
    }

    fn login(&self, user: &str, _: &Peers) -> Result<Value, String> {
        let mut instance = self.instance();
        let settings = instance.settings.clone();
        let user = instance.users.get_mut(user).ok_or_else(|| nobody(user))?;
        if !user.enabled {
            return Err(format!("`{}` is disabled", user.id));
        }
        let changed = user.signs_in(&settings);
        user.last_login = user.last_login.max(seed::SIGNED_IN) + 1000;
        Ok(
            json!({ "id": user.id, "username": user.id, "email": user.email, "name": user.displayname, "changed": changed }),
        )
    }

    fn identity(&self, id: &str) -> Option<SignedIn> {
        let instance = self.instance();
        let user = instance.users.get(id)?;
        Some(SignedIn {
            id: user.id.clone(),
            username: user.id.clone(),
            email: user.email.clone(),
            name: user.displayname.clone(),
            allowed: user.enabled,
        })
    }

    fn populate(&self, people: &[Invented]) {
        let mut instance = self.instance();
        for person in people {
            let user = User {
                displayname: format!("{} {}", person.first_name, person.last_name),
                email: person.email.clone(),
                last_login: seed::SIGNED_IN,
                ..seed::newcomer(&person.username)
            };
            // Somebody the seed named is not invented again.
            instance.users.entry(person.username.clone()).or_insert(user);
        }
    }
}

/// One request, from the weather to the form of the answer.
async fn serve(State(nextcloud): State<Arc<Nextcloud>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LARGEST_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let (latency, delay) = {
        let mut instance = nextcloud.instance();
        let now = instance.began.elapsed();
        // Each request without a session is a sign-in.
        let units = if parts.headers.contains_key(header::AUTHORIZATION) { instance.door.delay(now) } else { 0 };
        let pause = Duration::from_millis(instance.settings.delay_ms).saturating_mul(units);
        (Duration::from_millis(instance.settings.latency_ms), pause)
    };
    if !(latency + delay).is_zero() {
        tokio::time::sleep(latency + delay).await;
    }
    let path = parts.uri.path().to_owned();
    let (is_first, path) = match (path.strip_prefix("/ocs/v1.php/"), path.strip_prefix("/ocs/v2.php/")) {
        (Some(path), _) => (true, path),
        (_, Some(path)) => (false, path),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    let query = parts.uri.query().unwrap_or_default();
    let asked = Asked::read(&parts.method, path, query, &parts.headers, &body);
    let early = Form { is_first, json: asked.text("format") == "json" };
    let mut instance = nextcloud.instance();
    let (form, answer) = decide(&mut instance, early, &asked, &parts.headers);
    let is_unknown = answer == Answer::no(997, "Unauthorised");
    let mut response = form.tell(answer);
    if is_unknown {
        put(response.headers_mut(), "www-authenticate", "Basic realm=\"Authorisation Required\"");
    }
    response
}

/// What a request is answered, and in which form: before anybody has looked at the route, only the query counts.
fn decide(instance: &mut Instance, early: Form, asked: &Asked<'_>, headers: &HeaderMap) -> (Form, Answer) {
    if instance.settings.maintenance {
        return (early, Answer::no(503, "Service unavailable"));
    }
    let now = instance.began.elapsed();
    let caller = match door::sign_in(instance, headers, now) {
        Ok(caller) => caller,
        Err(no) => return (early, no),
    };
    if !asked::is_known(instance, asked) {
        let code = if instance.settings.version == Version::V27 { 404 } else { 998 };
        let message = "Invalid query, please check the syntax. API specifications are here: \
                       http://www.freedesktop.org/wiki/Specifications/open-collaboration-services.\n";
        return (early, Answer::no(code, message));
    }
    let accepted = headers.get(header::ACCEPT).and_then(|accepted| accepted.to_str().ok()).unwrap_or_default();
    let form = Form { json: early.json || (asked.text("format").is_empty() && accepted.contains("json")), ..early };
    if !asked::has_method(instance, asked) {
        return (form, Answer::empty(405));
    }
    match caller {
        None => (form, Answer::no(997, "Current user is not logged in")),
        Some(caller) => (form, asked::perform(instance, &caller, asked, headers)),
    }
}
