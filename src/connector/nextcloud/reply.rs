//! What Nextcloud's answers mean: a user as an [`Account`], and a no as a [`Refusal`] (`nextcloud.md` 2 to 5 and 9).
//!
//! The envelope's `statuscode` counts, and the HTTP status only where there is no envelope. Messages are translated into
//! our account's language and may hold values, so nothing reads them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::Value as Json;

use crate::{
    model::{
        account::{Account, Facts},
        attribute::{AttributeName, Value},
        id::{AccountId, SystemName},
        plan::{Call, Operation},
        refusal::{Refusal, RefusalKind},
    },
    wire::{Allowance, Refill, Reply},
};

use super::{
    calls::{USERS, is_edit},
    membership::{self, ADMINISTRATORS, MEMBER},
    table::CAPABILITIES,
    value,
};

/// How long whoever failed to sign in too often is kept out (`nextcloud.md` 6).
const KEPT_OUT: Duration = Duration::from_mins(30);

/// As much of an answer as it can be understood from.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// The envelope's own code; `None` where there is no envelope.
    pub(super) code: Option<u64>,
    pub(super) data: Json,
    is_empty: bool,
    pause: Option<Duration>,
}

impl From<&Reply> for Answer {
    fn from(reply: &Reply) -> Self {
        let mut body = reply.json().unwrap_or_default();
        Self {
            status: reply.status,
            code: body.pointer("/ocs/meta/statuscode").and_then(Json::as_u64),
            data: body.pointer_mut("/ocs/data").map(Json::take).unwrap_or_default(),
            is_empty: reply.text().is_empty(),
            pause: reply.retry_after(),
        }
    }
}

impl Answer {
    /// True for a yes in an envelope; both interfaces have their word for it.
    pub(super) fn is_yes(&self) -> bool {
        (200..300).contains(&self.status) && matches!(self.code, Some(100 | 200))
    }

    /// True for a success of somebody who does not speak as Nextcloud does: what became of the request is not known.
    pub(super) fn is_unclear(&self) -> bool {
        (200..300).contains(&self.status) && self.code.is_none()
    }

    /// True where Nextcloud says that there is no such user.
    pub(super) fn is_nobody(&self) -> bool {
        self.status == 404 && self.code == Some(404)
    }

    /// True where Nextcloud shows us nobody, whether or not there is somebody.
    pub(super) fn is_hidden(&self) -> bool {
        self.code == Some(998)
    }
}

/// What an answer tells of how much may be asked: nothing, but for one. Whoever is kept out after too many failed sign-ins
/// is kept out from everything.
pub(super) fn allowance(reply: &Reply) -> Option<Allowance> {
    let is_kept_out = reply.status == 429 && Answer::from(reply).code.is_some();
    is_kept_out.then_some(Allowance { limit: 1, remaining: 0, reset_in: KEPT_OUT, refill: Refill::Window(KEPT_OUT) })
}

/// What an answer is about: the same code means different things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Matter<'a> {
    Look,
    /// The key of an edit.
    Edit(&'a str),
    Switch,
    Membership,
    Creation,
}

impl<'a> Matter<'a> {
    pub(super) fn of(call: &'a Call) -> Self {
        match call.operation {
            Operation::Create => Self::Creation,
            Operation::Enable | Operation::Disable => Self::Switch,
            Operation::Update if is_edit(&call.method, &call.path) => {
                Self::Edit(call.body.get("key").and_then(Json::as_str).unwrap_or_default())
            }
            Operation::Update | Operation::Perform => Self::Membership,
        }
    }
}

/// Understands a no.
pub(super) fn refusal(answer: &Answer, matter: Matter<'_>) -> Refusal {
    let (kind, reason) = understand(answer, matter);
    Refusal {
        status: Some(answer.status),
        code: answer.code.map(|code| code.to_string()),
        retry_after: answer.pause.filter(|_| kind.may_pass()),
        ..Refusal::new(kind, reason)
    }
}

fn understand(answer: &Answer, matter: Matter<'_>) -> (RefusalKind, String) {
    use RefusalKind::{Forbidden, NotFound, RateLimited, Unavailable, Unsupported};
    let say = |kind: RefusalKind, reason: &str| (kind, reason.to_owned());
    match (answer.status, answer.code) {
        (429, Some(_)) => say(
            RateLimited,
            "Nextcloud keeps our address out after too many failed sign-ins, ours or somebody else's: wait for half an \
             hour, or list the address in its brute-force settings",
        ),
        (429, None) if answer.is_empty => say(
            RateLimited,
            "Nextcloud takes only so many changes of attributes from one account, 50 in ten minutes if nobody changed that",
        ),
        (429, None) => say(RateLimited, "what stands before Nextcloud gets too many requests from us"),
        (401, _) | (_, Some(401 | 997)) => say(
            Forbidden,
            "Nextcloud does not accept our credentials: `username` has to be the user's id and `token` one of her app \
             passwords, or, without `username`, a bearer token; nothing more is asked, because each failed sign-in slows \
             down the next",
        ),
        (412, _) => say(
            Unsupported,
            "Nextcloud misses the header `OCS-APIRequest` (412): something in between takes it out of our requests",
        ),
        (503, _) | (_, Some(503)) => say(Unavailable, "Nextcloud is in maintenance or waits for its upgrade (503)"),
        (408 | 500.., _) | (_, Some(996 | 999 | 500)) => {
            (Unavailable, format!("Nextcloud is at fault or not at work ({})", answer.status))
        }
        (403, _) | (_, Some(403)) => say(
            Forbidden,
            "our account there may not do this, or its token is too old for a request that wants the password confirmed: \
             use an app password of an administrator",
        ),
        (_, None) => (Unavailable, elsewhere(answer.status)),
        (405, _) => say(Unsupported, "Nextcloud does not know this kind of request"),
        (_, Some(404 | 998)) => say(NotFound, "Nextcloud has no such account, or none that ours may see and change"),
        (_, Some(code)) => by_code(code, matter),
    }
}

/// The codes whose meaning depends on what was asked, those of old and of new versions.
fn by_code(code: u64, matter: Matter<'_>) -> (RefusalKind, String) {
    use RefusalKind::{Forbidden, Invalid, NotFound, Taken, Unsupported};
    let say = |kind: RefusalKind, reason: &str| (kind, reason.to_owned());
    match (matter, code) {
        (Matter::Edit("displayname"), 103 | 113) => say(
            Forbidden,
            "Nextcloud does not let us change this display name: its backend cannot, or a setting forbids it \
             (`allow_user_to_change_display_name`)",
        ),
        (Matter::Edit(key), 103 | 112 | 113) => {
            (Forbidden, format!("Nextcloud does not let us change `{}` of this account", local(key)))
        }
        (Matter::Edit(key), 101 | 102) => {
            let hint = match key {
                "language" | "locale" => ": it has to be installed there first",
                "phone" => ": it is no number that exists",
                "quota" => ": it is more than its settings allow",
                _ => "",
            };
            (Invalid, format!("Nextcloud does not take this value of `{}`{hint}", local(key)))
        }
        (Matter::Switch, 101) => say(Forbidden, "Nextcloud lets nobody switch herself on or off"),
        (Matter::Membership, 103) => say(NotFound, "Nextcloud has no such account"),
        (Matter::Membership, 104) => say(Forbidden, "our account there may not change this group"),
        (Matter::Membership, 105) => say(
            Forbidden,
            "Nextcloud lets no administrator leave the group `admin` herself, and no group admin take somebody out of her \
             last group of hers",
        ),
        (Matter::Creation, 102) => say(Taken, "the `username` belongs to somebody else at Nextcloud"),
        (Matter::Membership, 102) | (Matter::Creation, 104) => say(NotFound, "Nextcloud has no such group"),
        (Matter::Creation, 105 | 106) => {
            say(Forbidden, "our account is a group admin, who makes accounts only inside of her groups")
        }
        (Matter::Creation, 107) => {
            say(Unsupported, "Nextcloud's password rules refuse even a long random password: look at its policy")
        }
        (Matter::Creation, 108 | 110) => {
            say(Invalid, "Nextcloud makes accounts here only with an e-mail address: let `email` be told to it")
        }
        (Matter::Creation, 109) => {
            // Told only where the account is not there all the same.
            say(Unsupported, "Nextcloud could not send its welcome mail: look at its mail settings")
        }
        (Matter::Creation, 101 | 111) => say(Invalid, "Nextcloud does not accept the values of the new account"),
        _ => (Invalid, format!("Nextcloud does not take the request ({code})")),
    }
}

fn elsewhere(status: u16) -> String {
    match status {
        300..400 => format!("Nextcloud sends us elsewhere ({status}): `url` must be the address it has itself"),
        _ => format!("the answer is not Nextcloud's own ({status}): is `url` right, and what stands in between?"),
    }
}

/// Our name of one of its keys.
fn local(key: &str) -> &str {
    CAPABILITIES.attributes.iter().find(|row| row.remote == key).map_or("an attribute", |row| row.name)
}

/// Reads a user; `None` where this is none, or one that could not be loaded (`nextcloud.md` 3). `range` are the groups
/// that matter.
pub(super) fn account<'g>(
    system: &SystemName,
    user: &Json,
    server: &Arc<Facts>,
    range: impl IntoIterator<Item = &'g str>,
) -> Option<Account> {
    let id = user.get("id")?.as_str().filter(|id| !id.is_empty())?;
    let groups: Vec<&str> = texts(user.get("groups")?)?;
    user.get("displayname")?.as_str()?;
    let mut attributes = BTreeMap::new();
    for row in CAPABILITIES.attributes.iter().filter(|row| row.set.is_none()) {
        let value = match (row.name, user.get(row.remote)) {
            // Only administrators are told; whoever asks about herself could sign in.
            ("active", enabled) => enabled.and_then(Json::as_bool).unwrap_or(true).into(),
            ("quota", Some(quota)) => match self::quota(quota) {
                Some(quota) => Value::text(&quota),
                None => continue,
            },
            (_, Some(Json::String(text))) => Value::text(text),
            (_, Some(Json::Null)) => Value::Empty,
            // Not shown: not known, which is not the same as empty.
            _ => continue,
        };
        attributes.insert(CAPABILITIES.name(system, row), value);
    }
    let set = membership::set(system);
    for group in range {
        let value = if groups.contains(&group) { MEMBER.into() } else { Value::Empty };
        attributes.insert(AttributeName::member_of(&set, group), value);
    }
    let mut facts = Facts::from([("is_admin".to_owned(), groups.contains(&ADMINISTRATORS).into())]);
    let leads = user.get("subadmin").and_then(texts).is_some_and(|groups| !groups.is_empty());
    facts.insert("is_group_admin".to_owned(), leads.into());
    if let Some(backend) = user.get("backend").and_then(Json::as_str) {
        facts.insert("backend".to_owned(), backend.into());
    }
    if let Some(sets) = user["backendCapabilities"]["setDisplayName"].as_bool() {
        facts.insert("sets_display_name".to_owned(), sets.into());
    }
    Some(Account {
        system: system.clone(),
        id: Some(AccountId::from(id)),
        attributes,
        facts,
        identities: Vec::new(),
        server: Arc::clone(server),
    })
}

/// A list of texts. PHP writes one with gaps as an object.
pub(super) fn texts(list: &Json) -> Option<Vec<&str>> {
    match list {
        Json::Array(items) => items.iter().map(Json::as_str).collect(),
        Json::Object(items) => items.values().map(Json::as_str).collect(),
        _ => None,
    }
}

/// What may be stored, in the form it is kept in. It is shown in bytes, as a negative number where there is no end.
fn quota(shown: &Json) -> Option<String> {
    match shown.get("quota")? {
        Json::String(text) => value::quota(text),
        Json::Number(bytes) => {
            let bytes = bytes.as_f64()?;
            Some(if bytes < 0.0 { value::NO_QUOTA.to_owned() } else { value::human(bytes) })
        }
        _ => None,
    }
}

/// The groups that a call is about, for showing the account after it.
pub(super) fn range(call: &Call) -> impl Iterator<Item = &str> {
    let names = call.intends.keys().chain(call.expects.keys());
    names.filter_map(|name| membership::group(&call.system, name))
}

/// The id of the account that a call made, or is about.
pub(super) fn id(call: &Call, answer: &Answer) -> Option<AccountId> {
    let told = || answer.data.get("id").and_then(Json::as_str);
    let sent = || call.body.get("userid").and_then(Json::as_str).filter(|_| call.path == USERS);
    call.account.clone().or_else(|| told().or_else(sent).map(AccountId::from))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer::from(&Reply::new(status, [], body.as_bytes().to_vec()))
    }

    fn enveloped(status: u16, code: u64) -> Answer {
        answer(status, &json!({ "ocs": { "meta": { "status": "x", "statuscode": code }, "data": [] } }).to_string())
    }

    fn kind(answer: &Answer, matter: Matter<'_>) -> RefusalKind {
        refusal(answer, matter).kind
    }

    #[test]
    fn the_code_in_the_envelope_counts_and_not_the_status_alone() {
        assert!(enveloped(200, 200).is_yes() && enveloped(200, 100).is_yes());
        for no in [enveloped(200, 997), enveloped(200, 101), enveloped(400, 200), answer(200, ""), answer(200, "[]")] {
            assert!(!no.is_yes(), "{no:?}");
        }
        assert!(answer(200, "<ocs/>").is_unclear() && !enveloped(200, 101).is_unclear());
        assert!(enveloped(404, 404).is_nobody() && !enveloped(404, 998).is_nobody());
    }

    #[test]
    fn the_same_code_means_what_was_asked() {
        use RefusalKind::{Forbidden, Invalid, NotFound, Taken, Unavailable, Unsupported};
        for (matter, code, expected) in [
            (Matter::Edit("phone"), 101, Invalid),
            (Matter::Edit("phone"), 102, Invalid),
            (Matter::Edit("phone"), 103, Forbidden),
            (Matter::Edit("phone"), 113, Forbidden),
            (Matter::Edit("displayname"), 101, Invalid),
            (Matter::Edit("displayname"), 113, Forbidden),
            (Matter::Edit("phone"), 998, NotFound),
            (Matter::Switch, 101, Forbidden),
            (Matter::Membership, 101, Invalid),
            (Matter::Membership, 102, NotFound),
            (Matter::Membership, 103, NotFound),
            (Matter::Membership, 104, Forbidden),
            (Matter::Membership, 105, Forbidden),
            (Matter::Creation, 101, Invalid),
            (Matter::Creation, 102, Taken),
            (Matter::Creation, 104, NotFound),
            (Matter::Creation, 106, Forbidden),
            (Matter::Creation, 107, Unsupported),
            (Matter::Creation, 108, Invalid),
            (Matter::Creation, 110, Invalid),
            (Matter::Look, 997, Forbidden),
            (Matter::Look, 403, Forbidden),
            (Matter::Look, 996, Unavailable),
            (Matter::Look, 503, Unavailable),
        ] {
            let no = enveloped(if code == 998 { 404 } else { 400 }, code);
            assert_eq!(kind(&no, matter), expected, "{matter:?} {code}");
            let code = code.to_string();
            assert_eq!(refusal(&no, matter).code.as_deref(), Some(code.as_str()));
        }
    }

    #[test]
    fn what_has_no_envelope_is_told_by_its_status() {
        use RefusalKind::{Forbidden, RateLimited, Unavailable, Unsupported};
        for (no, expected) in [
            (answer(429, ""), RateLimited),
            (answer(429, "busy"), RateLimited),
            (enveloped(429, 429), RateLimited),
            (answer(401, ""), Forbidden),
            (answer(412, r#"{"message":"CSRF check failed"}"#), Unsupported),
            (answer(503, ""), Unavailable),
            (answer(302, ""), Unavailable),
            (answer(404, "<html>"), Unavailable),
        ] {
            assert_eq!(kind(&no, Matter::Look), expected, "{no:?}");
        }
        let reply = |body: &str| Reply::new(429, [], body.as_bytes().to_vec());
        assert_eq!(allowance(&reply("")), None);
        let told = allowance(&reply(r#"{"ocs":{"meta":{"statuscode":429},"data":[]}}"#)).unwrap();
        assert_eq!(told.reset_in, KEPT_OUT);
    }

    fn user() -> Json {
        json!({
            "enabled": false, "id": "anna", "backend": "LDAP", "subadmin": [], "email": null, "displayname": "Anna",
            "phone": "", "role": "Cook", "groups": { "0": "staff", "2": "admin" }, "locale": "de_CH", "language": "de",
            "quota": { "free": 1, "used": 2, "total": 3, "relative": 0.1, "quota": 5_368_709_120_i64 }, "manager": "",
            "backendCapabilities": { "setDisplayName": false, "setPassword": false }, "pronouns": "she",
        })
    }

    #[test]
    fn a_user_is_an_account_with_what_is_shown_of_her() {
        let read = account(&"nextcloud".into(), &user(), &Arc::default(), ["staff", "crew"]).unwrap();
        let expected = [
            ("active", false.into()),
            ("display_name", "Anna".into()),
            ("email", Value::Empty),
            ("locale", "de_CH".into()),
            ("nextcloud.groups[crew]", Value::Empty),
            ("nextcloud.groups[staff]", "member".into()),
            ("nextcloud.language", "de".into()),
            ("nextcloud.manager", Value::Empty),
            ("nextcloud.quota", "5 GB".into()),
            ("nextcloud.role", "Cook".into()),
            ("phone", Value::Empty),
            ("username", "anna".into()),
        ];
        assert_eq!(read.attributes, expected.map(|(name, value)| (AttributeName::new(name), value)).into());
        assert_eq!(
            (read.fact("backend"), read.is("is_admin"), read.is("sets_display_name")),
            (Some("LDAP"), true, false)
        );
    }

    #[test]
    fn a_quota_without_an_end_is_shown_in_two_ways_and_half_a_user_is_none() {
        for shown in [json!({ "quota": -3 }), json!({ "quota": "none", "used": 0 })] {
            let user = json!({ "id": "a", "displayname": "", "groups": [], "quota": shown });
            let read = account(&"nextcloud".into(), &user, &Arc::default(), []).unwrap();
            assert_eq!(read.value(&"nextcloud.quota".into()), "none".into());
            assert_eq!(read.value(&"active".into()), true.into());
        }
        for part in [json!({ "id": "a" }), json!([]), json!({ "id": "", "displayname": "", "groups": [] })] {
            assert_eq!(account(&"nextcloud".into(), &part, &Arc::default(), []), None);
        }
    }
}
