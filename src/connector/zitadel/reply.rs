//! What ZITADEL answers: users in the two shapes of its interfaces, and its many ways of saying no.
//!
//! A no is told by `code` and by the id in `details`, never by the text, which is translated (`zitadel.md` section 3).
//! Nothing of the text is passed on but the name of a field, since the rest may quote a person's value.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value as Json;

use crate::model::{
    account::{Account, Facts},
    attribute::{AttributeName, Value},
    id::SystemName,
    refusal::{Refusal, RefusalKind},
};

use super::{forecast::language, interface::Interface};

// ---- users ----

/// One page of a list.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Page {
    pub(super) details: PageDetails,
    pub(super) result: Vec<User>,
}

/// What a page tells of the whole list.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct PageDetails {
    total_result: Json,
}

impl Page {
    /// How many users the whole list has. 64-bit numbers travel as text, and zero is left out.
    pub(super) fn total(&self) -> Option<usize> {
        match &self.details.total_result {
            Json::Null => Some(0),
            Json::String(text) => text.parse().ok(),
            Json::Number(number) => number.as_u64().and_then(|number| usize::try_from(number).ok()),
            _ => None,
        }
    }
}

/// The answer to a look at one user.
#[derive(Debug, Deserialize)]
pub(super) struct One {
    pub(super) user: User,
}

/// A user, in the shape of v2 or of v1: what differs is the name of a field here and there.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct User {
    #[serde(rename = "userId", alias = "id")]
    pub(super) id: String,
    state: String,
    #[serde(alias = "userName")]
    pub(super) username: String,
    preferred_login_name: String,
    human: Option<Human>,
    machine: Option<Json>,
    pub(super) details: Details,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Details {
    pub(super) resource_owner: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Human {
    profile: Profile,
    email: Email,
    phone: Phone,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Profile {
    #[serde(alias = "firstName")]
    given_name: String,
    #[serde(alias = "lastName")]
    family_name: String,
    nick_name: String,
    display_name: String,
    preferred_language: String,
    gender: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Email {
    email: String,
    #[serde(alias = "isEmailVerified")]
    is_verified: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Phone {
    phone: String,
    #[serde(alias = "isPhoneVerified")]
    is_verified: bool,
}

impl User {
    /// The address. A service user has none.
    pub(super) fn email(&self) -> Option<&str> {
        self.human.as_ref().map(|human| human.email.email.as_str())
    }

    /// Who this is, for a line that tells whose token we use.
    pub(super) fn introduction(&self) -> String {
        let kind = if self.machine.is_some() { "service user" } else { "person" };
        format!("{} ({kind} of organization {})", self.username, self.details.resource_owner)
    }

    /// The account this user is.
    pub(super) fn account(self, system: &SystemName, interface: Interface, server: &Arc<Facts>) -> Account {
        let mut account = Account::absent(system.clone(), Arc::clone(server));
        account.id = Some(self.id.into());
        let state = self.state.strip_prefix("USER_STATE_").unwrap_or("UNSPECIFIED").to_ascii_lowercase();
        // A person who has not set up the account yet could do so at any time: that is not switched off.
        // A lock is no decision about whether somebody belongs here: whoever leaves is switched off behind it, and nobody is
        // unlocked because she stays.
        let active = matches!(state.as_str(), "active" | "initial" | "locked");
        let attributes = &mut account.attributes;
        let mut hold = |name: &str, value: Value| attributes.insert(AttributeName::new(name), value);
        hold("username", Value::text(&self.username));
        hold("active", active.into());
        let facts = &mut account.facts;
        let mut fact = |name: &str, value: Value| facts.insert(name.to_owned(), value);
        fact("state", Value::text(&state));
        fact("organization", Value::text(&self.details.resource_owner));
        fact("preferred_login_name", Value::text(&self.preferred_login_name));
        fact("is_machine", self.machine.is_some().into());
        if let Some(human) = self.human {
            let profile = human.profile;
            hold("first_name", Value::text(&profile.given_name));
            hold("last_name", Value::text(&profile.family_name));
            hold("nickname", Value::text(&profile.nick_name));
            hold("display_name", Value::text(&profile.display_name));
            // `und` is how an empty language is stored.
            let spoken = if profile.preferred_language == "und" { "" } else { &profile.preferred_language };
            hold("locale", Value::text(&language(spoken)));
            hold("email", Value::text(&human.email.email));
            hold("phone", Value::text(&human.phone.phone));
            fact("email_verified", human.email.is_verified.into());
            fact("phone_verified", human.phone.is_verified.into());
            if interface == Interface::V1 {
                // v1 replaces the whole profile, so what nobody asked about has to be sent along.
                fact("gender", Value::text(&profile.gender));
            }
        }
        account
    }
}

/// The id of an account just created: `id` on v2, `userId` on the older ones.
pub(super) fn created_id(body: Option<&Json>) -> Option<&str> {
    let body = body?;
    body.get("id").or_else(|| body.get("userId")).and_then(Json::as_str).filter(|id| !id.is_empty())
}

// ---- a no ----

/// An error body, in the shape of the REST gateway or of Connect.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// The gRPC code, where there is one.
    code: Option<u64>,
    /// ZITADEL's own id for the error, such as `V3-DKcYh`.
    id: Option<String>,
    /// The field at fault, where the request's check named one.
    field: Option<String>,
    /// True where the code is a word: the answer of a Connect service, which servers have since ZITADEL 4.
    pub(super) by_connect: bool,
    /// True where the server serves another host than the one in the address.
    wrong_host: bool,
}

/// The words of Connect, in the order of their gRPC codes, from 1.
const WORDS: [&str; 16] = [
    "canceled",
    "unknown",
    "invalid_argument",
    "deadline_exceeded",
    "not_found",
    "already_exists",
    "permission_denied",
    "resource_exhausted",
    "failed_precondition",
    "aborted",
    "out_of_range",
    "unimplemented",
    "internal",
    "unavailable",
    "data_loss",
    "unauthenticated",
];

const FAILED_PRECONDITION: u64 = 9;
const ABORTED: u64 = 10;
const UNIMPLEMENTED: u64 = 12;

impl Told {
    /// Reads a body that is no success.
    pub(super) fn of(body: Option<&Json>) -> Self {
        let Some(body) = body else { return Self::default() };
        let (code, by_connect) = match body.get("code") {
            Some(Json::Number(number)) => (number.as_u64(), false),
            Some(Json::String(word)) => {
                let place = WORDS.iter().position(|known| known == word);
                (place.and_then(|place| u64::try_from(place + 1).ok()), place.is_some())
            }
            _ => (None, false),
        };
        let message = body.get("message").and_then(Json::as_str).unwrap_or_default();
        let details = body.get("details").and_then(Json::as_array).into_iter().flatten();
        let told_id = details
            .filter_map(|detail| detail.get("id").or_else(|| detail.get("debug")?.get("id")))
            .find_map(Json::as_str)
            .or_else(|| trailing_id(message));
        Self {
            code,
            id: told_id.filter(|id| !id.is_empty()).map(str::to_owned),
            field: field_at_fault(message),
            by_connect,
            wrong_host: message.starts_with("unable to set instance"),
        }
    }
}

/// The id that ends every message of ZITADEL's own, for answers that carry no details: `… (AUTH-7fs1e)`.
fn trailing_id(message: &str) -> Option<&str> {
    let (_, id) = message.strip_suffix(')')?.rsplit_once('(')?;
    let (family, rest) = id.split_once('-')?;
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (plain(family) && plain(rest)).then_some(id)
}

/// The innermost `Message.Field` of a request check: `invalid SetHumanEmail.Email: value must be …`.
fn field_at_fault(message: &str) -> Option<String> {
    let (_, rest) = message.rsplit_once("invalid ")?;
    let (name, _) = rest.split_once(':')?;
    let (shape, field) = name.split_once('.')?;
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (plain(shape) && plain(field)).then(|| field.to_owned())
}

/// An answer to a write that did not say yes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum No {
    /// Nothing had to be done.
    AlreadySo,
    /// The account is not in the state the call is for. It may be so already: look.
    NotNow(Refusal),
    /// No.
    Refused(Refusal),
}

/// Ids of the answers that mean "already so" (`zitadel.md` section 11), and the one for what is not locked.
const ALREADY_SO: [&str; 7] = [
    "COMMAND-6m9gs",
    "COMMAND-2M0fs",
    "COMMAND-2b7fM",
    "COMMAND-Uch5e",
    "COMMAND-5gunjw0cd7",
    "COMMAND-s5qqcz97hf",
    "COMMAND-olb9vb0oca",
];

/// Ids that say not found of what shall be taken away, not of the account: a phone number, and metadata in v2 and in v1.
const NOTHING_THERE: [&str; 3] = ["COMMAND-p6rsc", "META-2nnds", "META-ncnw3"];

/// Understands an answer that is no success.
pub(super) fn no(status: u16, told: &Told) -> No {
    if told.code == Some(FAILED_PRECONDITION) {
        if told.id.as_deref().is_some_and(|id| ALREADY_SO.contains(&id)) {
            return No::AlreadySo;
        }
        return No::NotNow(refusal(status, told));
    }
    if told.id.as_deref().is_some_and(|id| NOTHING_THERE.contains(&id)) {
        return No::AlreadySo;
    }
    No::Refused(refusal(status, told))
}

/// The no as a refusal, by id where the id says more, else by code and status.
pub(super) fn refusal(status: u16, told: &Told) -> Refusal {
    let (kind, reason) = by_id(told.id.as_deref().unwrap_or_default())
        .map_or_else(|| by_status(status, told), |(kind, reason)| (kind, reason.to_owned()));
    Refusal { status: Some(status), code: told.id.clone(), ..Refusal::new(kind, reason) }
}

fn by_id(id: &str) -> Option<(RefusalKind, &'static str)> {
    use RefusalKind::{Forbidden, Invalid, NotFound, RateLimited, Taken, Unsupported};
    Some(match id {
        "AUTHZ-cdgFk" => (Forbidden, "our token has no role at all in the account's organization"),
        "AUTH-AWfge" | "AUTH-5mWD2" => (Forbidden, "our token's roles do not allow this (`user.write` is needed)"),
        "AUTH-Bs7Ds" => (Forbidden, "ZITADEL knows no such organization"),
        "AUTH-7fs1e" => (
            Forbidden,
            "the token is unknown, expired or revoked, lacks ZITADEL's audience, or its service user is switched off",
        ),
        "COMMAND-ugjs0upun6" => (NotFound, "there is no such account, or it is no person's"),
        "QUERY-Dfbg2" | "COMMAND-uXHNj" => (NotFound, "there is no such account"),
        "COMMAND-5N9ds" => (NotFound, "there is no such account in this organization"),
        "V3-DKcYh" => (Taken, "another account has this username, whatever the letter case (a service user may be it)"),
        "COMMAND-SFd21" => (Invalid, "the domain in the username belongs to another organization"),
        "COMMAND-2N9fs" => (Invalid, "the username is empty"),
        "EMAIL-spblu" | "EMAIL-599BI" | "EMAIL-599GV" => (Invalid, "ZITADEL takes no such e-mail address"),
        "PHONE-so0wa" => (Invalid, "ZITADEL takes no such phone number"),
        "USERv2-4f3d6" => (Invalid, "a phone number cannot be removed and verified at once"),
        "COMMAND-QXPGs" => (Invalid, "ZITADEL knows no such organization; look at `organization` in the configuration"),
        // The last is the old way in, which finds nobody to switch off.
        "COMMAND-J8dsk" | "COMMAND-uz0Uu" | "COMMAND-gvx4kct9r2" | "COMMAND-ke0fw" => {
            (Unsupported, "the person has not set up this account yet, and until then ZITADEL does not allow it")
        }
        "COMMAND-lgws8wtsqf" | "COMMAND-3NN8v" => {
            (Unsupported, "ZITADEL locks only an account that is switched on and not locked already")
        }
        "COMMAND-olb9vb0oca" | "COMMAND-4M0ds" => (Unsupported, "the account is not locked"),
        "META-2m00f" => (Invalid, "ZITADEL keeps no metadata without a key or a value"),
        "QUOTA-vjAy8" => (RateLimited, "the instance's quota is used up"),
        "LIMITS-molsj" => (RateLimited, "the instance is blocked"),
        _ => return None,
    })
}

fn by_status(status: u16, told: &Told) -> (RefusalKind, String) {
    use RefusalKind::{Forbidden, Invalid, NotFound, RateLimited, Taken, Unavailable, Unsupported};
    let (kind, reason) = match (status, told.code) {
        (400, Some(FAILED_PRECONDITION)) => (Invalid, "the account is not in a state that allows this"),
        (400, _) => {
            let reason = match &told.field {
                Some(field) => format!("ZITADEL refuses the value of `{field}`"),
                None => "ZITADEL refuses one of the values".to_owned(),
            };
            return (Invalid, reason);
        }
        (401, _) => (Forbidden, "the token is not accepted"),
        (403, _) => (Forbidden, "our token's roles do not allow this"),
        (404, _) if told.wrong_host => {
            (Unsupported, "the server does not serve this host name; look at `url` in the configuration")
        }
        // A no of ZITADEL's own has an id; without one nobody was found to ask.
        (404, _) if told.id.is_none() => (Unsupported, "the server does not know this call; it may be another version"),
        (404, _) => (NotFound, "there is no such account"),
        (405 | 501, _) | (_, Some(UNIMPLEMENTED)) => (Unsupported, "the server does not offer this call"),
        (409, Some(ABORTED)) => (Unavailable, "another change of the account got in between"),
        (409, _) => (Taken, "another account has this value"),
        (429, _) => (RateLimited, "too many requests"),
        (408 | 499 | 500.., _) => (Unavailable, "the server has a fault of its own"),
        (300..=399, _) => (Unsupported, "the server points elsewhere; look at `url` in the configuration"),
        _ => (Invalid, "the server does not accept the request"),
    };
    (kind, reason.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rest(code: u64, id: &str) -> Told {
        let detail = json!({ "@type": "type.googleapis.com/zitadel.v1.ErrorDetail", "id": id, "message": "Nein" });
        Told::of(Some(&json!({ "code": code, "message": format!("Nein ({id})"), "details": [detail] })))
    }

    fn connect(word: &str, id: &str) -> Told {
        let debug = json!({ "id": id, "message": "No" });
        let detail = json!({ "type": "zitadel.v1.ErrorDetail", "value": "Cg", "debug": debug });
        Told::of(Some(&json!({ "code": word, "message": format!("No ({id})"), "details": [detail] })))
    }

    #[test]
    fn every_id_says_what_it_means() {
        use RefusalKind::{Forbidden, Invalid, NotFound, RateLimited, Taken, Unsupported};
        for (status, code, word, id, expected) in [
            (400, 9, "failed_precondition", "COMMAND-6m9gs", None),
            (400, 9, "failed_precondition", "COMMAND-2M0fs", None),
            (400, 9, "failed_precondition", "COMMAND-2b7fM", None),
            (400, 9, "failed_precondition", "COMMAND-Uch5e", None),
            (400, 9, "failed_precondition", "COMMAND-5gunjw0cd7", None),
            (400, 9, "failed_precondition", "COMMAND-s5qqcz97hf", None),
            (400, 9, "failed_precondition", "COMMAND-olb9vb0oca", None),
            (400, 9, "failed_precondition", "COMMAND-gvx4kct9r2", Some(Unsupported)),
            (400, 9, "failed_precondition", "COMMAND-J8dsk", Some(Unsupported)),
            (404, 5, "not_found", "COMMAND-ke0fw", Some(Unsupported)),
            (404, 5, "not_found", "COMMAND-p6rsc", None),
            (404, 5, "not_found", "META-2nnds", None),
            (404, 5, "not_found", "META-ncnw3", None),
            (400, 9, "failed_precondition", "COMMAND-lgws8wtsqf", Some(Unsupported)),
            (400, 9, "failed_precondition", "COMMAND-3NN8v", Some(Unsupported)),
            (400, 9, "failed_precondition", "COMMAND-4M0ds", Some(Unsupported)),
            (400, 9, "failed_precondition", "COMMAND-uXHNj", Some(NotFound)),
            (404, 5, "not_found", "COMMAND-450yxuqrh1", Some(NotFound)),
            (404, 5, "not_found", "COMMAND-x377t913pw", Some(NotFound)),
            (400, 3, "invalid_argument", "META-2m00f", Some(Invalid)),
            (400, 9, "failed_precondition", "COMMAND-QXPGs", Some(Invalid)),
            (400, 9, "failed_precondition", "COMMAND-unheard", Some(Invalid)),
            (400, 3, "invalid_argument", "COMMAND-SFd21", Some(Invalid)),
            (400, 3, "invalid_argument", "PHONE-so0wa", Some(Invalid)),
            (400, 3, "invalid_argument", "EMAIL-599BI", Some(Invalid)),
            (401, 16, "unauthenticated", "AUTH-7fs1e", Some(Forbidden)),
            (403, 7, "permission_denied", "AUTH-AWfge", Some(Forbidden)),
            (403, 7, "permission_denied", "AUTH-5mWD2", Some(Forbidden)),
            (403, 7, "permission_denied", "AUTH-Bs7Ds", Some(Forbidden)),
            (404, 5, "not_found", "AUTHZ-cdgFk", Some(Forbidden)),
            (404, 5, "not_found", "COMMAND-ugjs0upun6", Some(NotFound)),
            (404, 5, "not_found", "QUERY-Dfbg2", Some(NotFound)),
            (404, 5, "not_found", "COMMAND-5N9ds", Some(NotFound)),
            (404, 5, "not_found", "COMMAND-5gp2p62iin", Some(NotFound)),
            (409, 6, "already_exists", "V3-DKcYh", Some(Taken)),
            (429, 8, "resource_exhausted", "QUOTA-vjAy8", Some(RateLimited)),
            (429, 8, "resource_exhausted", "LIMITS-molsj", Some(RateLimited)),
        ] {
            for told in [rest(code, id), connect(word, id)] {
                let kind = match no(status, &told) {
                    No::AlreadySo => None,
                    No::NotNow(refusal) | No::Refused(refusal) => {
                        assert_eq!((refusal.status, refusal.code.as_deref()), (Some(status), Some(id)));
                        Some(refusal.kind)
                    }
                };
                assert_eq!(kind, expected, "{id}");
            }
        }
    }

    #[test]
    fn a_wrong_state_asks_for_a_second_look_and_a_bad_value_does_not() {
        assert!(matches!(no(400, &rest(9, "COMMAND-5M0sf")), No::NotNow(_)));
        assert!(matches!(no(400, &rest(3, "COMMAND-5M0sf")), No::Refused(_)));
    }

    #[test]
    fn an_answer_without_an_id_is_understood_by_its_code() {
        use RefusalKind::{Forbidden, Invalid, RateLimited, Taken, Unavailable, Unsupported};
        let kind = |status, body: Json| match no(status, &Told::of(Some(&body))) {
            No::AlreadySo => None,
            No::NotNow(refusal) | No::Refused(refusal) => Some(refusal.kind),
        };
        let empty_id = json!([{ "@type": "type.googleapis.com/zitadel.v1.ErrorDetail", "id": "" }]);
        for (status, body, expected) in [
            (401, json!({ "code": 16, "message": "auth header missing" }), Forbidden),
            (403, json!({}), Forbidden),
            (404, json!({ "code": 5, "message": "Not Found" }), Unsupported),
            (404, json!({ "code": 5, "message": "unable to set instance using origin x" }), Unsupported),
            (405, json!({ "code": 12, "message": "Method Not Allowed" }), Unsupported),
            (409, json!({ "code": 6 }), Taken),
            (409, json!({ "code": 10 }), Unavailable),
            (429, json!("Your ZITADEL instance is blocked."), RateLimited),
            (499, json!({ "code": 1 }), Unavailable),
            (500, json!({ "code": 13 }), Unavailable),
            (
                501,
                json!({ "code": 12, "message": "user type is not implemented ()", "details": empty_id }),
                Unsupported,
            ),
            (503, json!("no healthy upstream"), Unavailable),
            (504, json!({ "code": "deadline_exceeded" }), Unavailable),
            (400, json!({ "code": 3, "message": "proto: syntax error (line 1:1): anna" }), Invalid),
            (302, json!(null), Unsupported),
        ] {
            assert_eq!(kind(status, body.clone()), Some(expected), "{status} {body}");
        }
        assert_eq!(no(404, &Told::of(None)), no(404, &Told::default()));
    }

    #[test]
    fn a_request_check_names_the_field_and_never_the_value() {
        let message = "invalid UpdateUserRequest.Human: embedded message failed validation | caused by: invalid \
                       UpdateUserRequest_Human.Email: embedded message failed validation | caused by: invalid \
                       SetHumanEmail.Email: value must be a valid email address | caused by: mail: anna@secret";
        let told = Told::of(Some(&json!({ "code": 3, "message": message })));
        assert_eq!(refusal(400, &told).reason, "ZITADEL refuses the value of `Email`");
        let told = Told::of(Some(&json!({ "code": 3, "message": "proto: invalid value: \"anna\"" })));
        assert_eq!(refusal(400, &told).reason, "ZITADEL refuses one of the values");
    }

    #[test]
    fn an_id_is_read_from_the_message_where_there_are_no_details() {
        let id = |message: &str| Told::of(Some(&json!({ "code": 16, "message": message }))).id;
        assert_eq!(id("Errors.Token.Invalid (AUTH-7fs1e)").as_deref(), Some("AUTH-7fs1e"));
        assert_eq!(id("user type is not implemented ()"), None);
        assert_eq!(id("auth header missing"), None);
    }

    #[test]
    fn a_user_reads_the_same_from_both_interfaces() {
        let v2 = json!({ "userId": "u1", "state": "USER_STATE_LOCKED", "username": "anna",
            "preferredLoginName": "anna@acme", "details": { "resourceOwner": "o1" },
            "human": { "profile": { "givenName": "Anna", "familyName": "Berg", "nickName": "", "displayName": "Anna B",
                "preferredLanguage": "und", "gender": "GENDER_FEMALE" },
                "email": { "email": "a@example.org", "isVerified": true }, "phone": {} } });
        let v1 = json!({ "id": "u1", "state": "USER_STATE_LOCKED", "userName": "anna",
            "preferredLoginName": "anna@acme", "details": { "resourceOwner": "o1" },
            "human": { "profile": { "firstName": "Anna", "lastName": "Berg", "displayName": "Anna B",
                "gender": "GENDER_FEMALE" },
                "email": { "email": "a@example.org", "isEmailVerified": true } } });
        let server = Arc::new(Facts::new());
        let read = |user: Json, interface| {
            serde_json::from_value::<User>(user).unwrap().account(&"zitadel".into(), interface, &server)
        };
        let account = read(v2, Interface::V2);
        let attributes: Vec<(&str, Value)> =
            account.attributes.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        assert_eq!(
            attributes,
            [
                ("active", Value::Bool(true)),
                ("display_name", "Anna B".into()),
                ("email", "a@example.org".into()),
                ("first_name", "Anna".into()),
                ("last_name", "Berg".into()),
                ("locale", Value::Empty),
                ("nickname", Value::Empty),
                ("phone", Value::Empty),
                ("username", "anna".into()),
            ]
        );
        assert_eq!(
            account.facts,
            Facts::from([
                ("state".to_owned(), "locked".into()),
                ("organization".to_owned(), "o1".into()),
                ("preferred_login_name".to_owned(), "anna@acme".into()),
                ("is_machine".to_owned(), false.into()),
                ("email_verified".to_owned(), true.into()),
                ("phone_verified".to_owned(), false.into()),
            ])
        );
        let mut old = read(v1, Interface::V1);
        assert_eq!(old.facts.remove("gender"), Some("GENDER_FEMALE".into()));
        assert_eq!(old, account);
    }

    #[test]
    fn a_service_user_shows_a_name_and_a_state() {
        let user =
            json!({ "userId": "m1", "state": "USER_STATE_ACTIVE", "username": "robot", "machine": { "name": "R" } });
        let user: User = serde_json::from_value(user).unwrap();
        let account = user.account(&"zitadel".into(), Interface::V2, &Arc::new(Facts::new()));
        let names: Vec<&str> = account.attributes.keys().map(AttributeName::as_str).collect();
        assert_eq!((names, account.is("is_machine")), (vec!["active", "username"], true));
    }

    #[test]
    fn the_total_of_a_list_is_read_as_text_as_number_and_when_it_is_left_out() {
        let total = |body: Json| serde_json::from_value::<Page>(body).unwrap().total();
        assert_eq!(total(json!({ "details": { "totalResult": "12" } })), Some(12));
        assert_eq!(total(json!({ "details": { "totalResult": 12 } })), Some(12));
        assert_eq!(total(json!({ "details": {} })), Some(0));
        assert_eq!(total(json!({ "details": { "totalResult": "many" } })), None);
    }
}
