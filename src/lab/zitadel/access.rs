//! Who is calling, and what she may do: tokens, the token endpoint, roles (`zitadel.md` 2 and 8).

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    instance::{Instance, State},
    refusal::{Code, Refusal},
};

/// The scopes without which a token is good for nothing here.
const NEEDED: [&str; 2] = ["openid", "urn:zitadel:iam:org:project:id:zitadel:aud"];

/// An assertion may be this old, in seconds.
const OLDEST_ASSERTION: u64 = 3600;

/// Tokens, keys, secrets and roles.
#[derive(Debug, Default)]
pub(super) struct Access {
    tokens: BTreeMap<String, Token>,
    /// Public keys and their users, by key id.
    keys: BTreeMap<String, (String, String)>,
    /// By user id.
    secrets: BTreeMap<String, String>,
    /// By user id.
    roles: BTreeMap<String, Vec<Role>>,
    issued: u64,
}

#[derive(Debug)]
struct Token {
    user: String,
    valid: Valid,
}

#[derive(Debug)]
enum Valid {
    /// A personal access token.
    Always,
    Never,
    /// From the token endpoint.
    Until(std::time::Instant),
}

/// A role in the instance (no organization) or in one organization.
#[derive(Debug)]
struct Role {
    name: String,
    organization: Option<String>,
}

/// The user behind a token.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) user: String,
    /// The organization the call works in.
    pub(super) organization: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Permission {
    Read,
    Write,
}

impl Permission {
    /// By `InternalAuthZ.RolePermissionMappings`.
    fn given_by(self, role: &str) -> bool {
        let writes =
            ["IAM_OWNER", "IAM_ORG_MANAGER", "IAM_USER_MANAGER", "IAM_LOGIN_CLIENT", "ORG_OWNER", "ORG_USER_MANAGER"];
        let reads = ["IAM_OWNER_VIEWER", "ORG_OWNER_VIEWER"];
        writes.contains(&role) || self == Self::Read && reads.contains(&role)
    }
}

impl Access {
    pub(super) fn add_token(&mut self, token: String, user: &str, expired: bool) {
        let valid = if expired { Valid::Never } else { Valid::Always };
        self.tokens.insert(token, Token { user: user.to_owned(), valid });
    }

    /// `ORG_OWNER@org2` names another organization than the user's own.
    pub(super) fn add_role(&mut self, user: &str, own: &str, role: &str) {
        let (name, organization) = match role.split_once('@') {
            Some((name, organization)) => (name, Some(organization.to_owned())),
            None if role.starts_with("IAM_") => (role, None),
            None => (role, Some(own.to_owned())),
        };
        self.roles.entry(user.to_owned()).or_default().push(Role { name: name.to_owned(), organization });
    }

    pub(super) fn add_key(&mut self, key: &str, user: &str, pem: &str) -> Result<(), String> {
        DecodingKey::from_rsa_pem(pem.as_bytes()).map_err(|error| format!("zitadel seed: key `{key}`: {error}"))?;
        self.keys.insert(key.to_owned(), (user.to_owned(), pem.to_owned()));
        Ok(())
    }

    pub(super) fn add_secret(&mut self, user: &str, secret: &str) {
        self.secrets.insert(user.to_owned(), secret.to_owned());
    }

    pub(super) fn has_roles(&self, user: &str) -> bool {
        self.roles.contains_key(user)
    }
}

/// Finds the caller, or one of the three refusals of `zitadel.md` 2.
pub(super) fn authenticate(
    instance: &Instance,
    header: Option<&str>,
    organization: Option<&str>,
) -> Result<Caller, Refusal> {
    let refuse = |id, text| Refusal::of(Code::Unauthenticated, id, text);
    let Some(header) = header.filter(|header| !header.is_empty()) else {
        return Err(Refusal::bare(Code::Unauthenticated, "auth header missing"));
    };
    let Some(text) = header.strip_prefix("Bearer ") else {
        return Err(refuse("AUTH-toLo1", "invalid auth header"));
    };
    let invalid = || refuse("AUTH-7fs1e", "Errors.Token.Invalid");
    let token = instance.access.tokens.get(text).ok_or_else(invalid)?;
    let alive = match token.valid {
        Valid::Always => true,
        Valid::Never => false,
        Valid::Until(end) => std::time::Instant::now() < end,
    };
    let user = instance.user(&token.user).filter(|user| alive && user.state == State::Active).ok_or_else(invalid)?;
    let organization = match organization.filter(|id| !id.is_empty()) {
        Some(id) if instance.organizations.contains_key(id) => id.to_owned(),
        Some(_) => {
            return Err(Refusal::of(Code::PermissionDenied, "AUTH-Bs7Ds", "Organisation doesn't exist"));
        }
        None => user.organization.clone(),
    };
    Ok(Caller { user: user.id.clone(), organization })
}

/// True where the caller holds the permission in this organization.
pub(super) fn may(instance: &Instance, caller: &Caller, permission: Permission, organization: &str) -> bool {
    let roles = memberships(instance, caller, organization);
    roles.into_iter().any(|role| permission.given_by(&role.name))
}

/// Refuses as `zitadel.md` 8 says; `id` is that of the way in.
pub(super) fn check(
    instance: &Instance,
    caller: &Caller,
    permission: Permission,
    organization: &str,
    id: &'static str,
) -> Result<(), Refusal> {
    let roles = memberships(instance, caller, organization);
    if roles.is_empty() {
        return Err(Refusal::of(Code::NotFound, "AUTHZ-cdgFk", "membership not found"));
    }
    if !roles.into_iter().any(|role| permission.given_by(&role.name)) {
        return Err(Refusal::of(Code::PermissionDenied, id, "No matching permissions found"));
    }
    Ok(())
}

fn memberships<'a>(instance: &'a Instance, caller: &Caller, organization: &str) -> Vec<&'a Role> {
    let roles = instance.access.roles.get(&caller.user).map(Vec::as_slice).unwrap_or_default();
    roles.iter().filter(|role| role.organization.as_deref().is_none_or(|own| own == organization)).collect()
}

/// What the token endpoint refuses: status, word, description.
type Denied = (u16, &'static str, String);

/// `POST /oauth/v2/token`: status and body.
pub(super) fn grant(instance: &mut Instance, issuer: &str, authorization: Option<&str>, form: &[u8]) -> (u16, Value) {
    let form: BTreeMap<String, String> = url::form_urlencoded::parse(form).into_owned().collect();
    let user = match form.get("grant_type").map(String::as_str) {
        Some("urn:ietf:params:oauth:grant-type:jwt-bearer") => by_assertion(instance, issuer, &form),
        Some("client_credentials") => by_secret(instance, authorization, &form),
        Some(_) => Err((400, "unsupported_grant_type", "the grant type is not supported".to_owned())),
        None => Err((400, "invalid_request", "grant_type missing".to_owned())),
    };
    let scope = form.get("scope").map(String::as_str).unwrap_or_default();
    let granted = user.and_then(|user| match scope.split_whitespace().next() {
        Some(_) => Ok(user),
        None => Err((400, "invalid_request", "The scope of your request is missing.".to_owned())),
    });
    let user = match granted {
        Ok(user) => user,
        Err((status, error, description)) => {
            return (status, json!({ "error": error, "error_description": description }));
        }
    };
    let lifetime = instance.settings.token_lifetime_s;
    let for_us = NEEDED.iter().all(|needed| scope.split_whitespace().any(|scope| scope == *needed));
    let until = std::time::Instant::now() + std::time::Duration::from_secs(lifetime);
    instance.access.issued += 1;
    let token = format!("lab-zitadel-issued-{user}-{}", instance.access.issued);
    let valid = if for_us { Valid::Until(until) } else { Valid::Never };
    instance.access.tokens.insert(token.clone(), Token { user, valid });
    (200, json!({ "access_token": token, "token_type": "Bearer", "expires_in": lifetime }))
}

/// The private key JWT of `zitadel.md` 2: the signature, the audience, the times and the subject all count.
fn by_assertion(instance: &Instance, issuer: &str, form: &BTreeMap<String, String>) -> Result<String, Denied> {
    #[derive(Deserialize)]
    struct Claims {
        iss: String,
        sub: String,
        iat: u64,
    }
    let refuse = |text: &str| (400, "invalid_request", text.to_owned());
    let assertion = form.get("assertion").filter(|text| !text.is_empty()).ok_or_else(|| refuse("assertion missing"))?;
    let header = jsonwebtoken::decode_header(assertion).map_err(|_| refuse("the assertion is no JWT"))?;
    let key = header.kid.as_deref().and_then(|id| instance.access.keys.get(id));
    let (user, pem) = key.ok_or_else(|| refuse("the key is unknown"))?;
    let key = DecodingKey::from_rsa_pem(pem.as_bytes()).map_err(|_| refuse("the key cannot be read"))?;
    let mut rules = Validation::new(Algorithm::RS256);
    rules.leeway = 1;
    rules.set_audience(&[issuer]);
    rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    let claims = jsonwebtoken::decode::<Claims>(assertion, &key, &rules)
        .map_err(|error| refuse(&format!("the assertion is refused: {error}")))?
        .claims;
    if claims.iss != *user || claims.sub != *user {
        return Err(refuse("issuer and subject must be the user of the key"));
    }
    let now = jsonwebtoken::get_current_timestamp();
    if claims.iat > now + 1 || claims.iat + OLDEST_ASSERTION < now {
        return Err(refuse("issuedAt of the token is not within the last hour"));
    }
    let active = instance.user(user).is_some_and(|user| user.state == State::Active);
    if active { Ok(user.clone()) } else { Err(refuse("the user is not active")) }
}

fn by_secret(
    instance: &Instance,
    authorization: Option<&str>,
    form: &BTreeMap<String, String>,
) -> Result<String, Denied> {
    let refuse = || (401, "invalid_client", "client id or secret is wrong".to_owned());
    let basic = authorization.and_then(|header| header.strip_prefix("Basic ")).and_then(|text| {
        let text = String::from_utf8(STANDARD.decode(text).ok()?).ok()?;
        let plain = |text: &str| {
            url::form_urlencoded::parse(format!("v={text}").as_bytes()).next().map(|(_, v)| v.into_owned())
        };
        let (id, secret) = text.split_once(':')?;
        Some((plain(id)?, plain(secret)?))
    });
    let posted = || Some((form.get("client_id")?.clone(), form.get("client_secret")?.clone()));
    let (name, secret) = basic.or_else(posted).ok_or_else(refuse)?;
    let user = instance.ids_by_username(&name).into_iter().find_map(|id| instance.user(&id)).ok_or_else(refuse)?;
    let right = instance.access.secrets.get(&user.id).is_some_and(|known| *known == secret);
    if right && user.state == State::Active { Ok(user.id.clone()) } else { Err(refuse()) }
}
