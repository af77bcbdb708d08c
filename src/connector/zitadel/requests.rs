//! The requests that carry out the changes of one account: which of them share a call, and in which order calls go.
//!
//! Pure. What a body looks like is written in [`super::bodies`].

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value as Json;

use crate::model::{
    account::Account,
    attribute::{AttributeName, Value},
    capability::{Change, Replay, Verdict},
    plan::{Operation, Request},
    refusal::{Refusal, RefusalKind},
};

use super::{
    bodies::{
        CreateUser, Email, HumanPart, HumanUser, MachinePart, Nothing, Organization, Phone, Profile, UpdateUser,
        V1Email, V1Import, V1Phone, V1Profile, V1Username,
    },
    forecast::{ATTRIBUTES, foresee},
    interface::{Interface, ORGANIZATION, encoded, is_machine, text},
};

/// What an account shall be after some changes, and which attributes those are.
struct Wish<'a> {
    account: &'a Account,
    changes: BTreeMap<&'a str, &'a Value>,
}

impl<'a> Wish<'a> {
    /// The text an attribute is changed to: empty for one that is cleared, `None` for one that stays.
    fn changed(&self, attribute: &str) -> Option<&'a str> {
        self.changes.get(attribute).map(|value| text(value))
    }

    /// As [`Self::changed`], for bodies in which an empty text cannot be.
    fn given(&self, attribute: &str) -> Option<&'a str> {
        self.changed(attribute).filter(|text| !text.is_empty())
    }

    /// The text an attribute shall have, changed or not.
    fn whole(&self, attribute: &str) -> &'a str {
        let kept = || self.account.attributes.get(&AttributeName::new(attribute)).map_or("", |value| text(value));
        self.changed(attribute).unwrap_or_else(kept)
    }

    fn touches(&self, attributes: &[&str]) -> bool {
        attributes.iter().any(|attribute| self.changes.contains_key(attribute))
    }

    /// Those of `attributes` that change, as their names in the plan.
    fn carried(&self, attributes: &[&str]) -> Vec<AttributeName> {
        let changed = attributes.iter().filter(|attribute| self.changes.contains_key(**attribute));
        changed.map(|attribute| AttributeName::new(attribute)).collect()
    }

    fn email(&self) -> Option<Email<'a>> {
        self.given("email").map(|email| Email { email, is_verified: true })
    }

    fn phone(&self) -> Option<Phone<'a>> {
        self.changed("phone").map(|phone| Phone { phone, is_verified: (!phone.is_empty()).then_some(true) })
    }
}

const PROFILE: [&str; 5] = ["first_name", "last_name", "nickname", "display_name", "locale"];
const IN_ONE_CALL: [&str; 8] =
    ["username", "first_name", "last_name", "nickname", "display_name", "locale", "email", "phone"];

/// The requests for these changes of one account. `organization` is where an account is created, and where v1 works
/// for accounts whose organization is not known.
pub(super) fn requests(
    interface: Interface,
    account: &Account,
    changes: &[Change],
    organization: Option<&str>,
) -> Result<Vec<Request>, Refusal> {
    for change in changes {
        match foresee(interface, account, change.attribute.as_str(), &change.after).verdict {
            Verdict::Takes => {}
            Verdict::Refuses { kind, reason } => return Err(Refusal::new(kind, reason)),
            Verdict::Doomed { reason } => return Err(Refusal::new(RefusalKind::Ineffective, reason)),
        }
    }
    let changes = changes.iter().map(|change| (change.attribute.as_str(), &change.after)).collect();
    let wish = Wish { account, changes };
    let Some(id) = &account.id else { return creation(interface, &wish, organization).map(|request| vec![request]) };
    let mut requests = match interface {
        Interface::V2 => update(&wish, id.as_str()),
        Interface::V2Human => update_human(&wish, id.as_str())?,
        Interface::V1 => replace(&wish, id.as_str())?,
    };
    if let Some(switch) = switch(interface, &wish, id.as_str()) {
        // Whoever leaves is locked out first, whatever becomes of the rest; whoever comes back finds all in place.
        let at = if switch.operation == Operation::Disable { 0 } else { requests.len() };
        requests.insert(at, switch);
    }
    for request in &mut requests {
        request.headers = Interface::of_path(&request.path).headers(account.fact(ORGANIZATION).or(organization));
    }
    Ok(requests)
}

/// v2: everything but the state in one call, and only what changes.
fn update(wish: &Wish<'_>, id: &str) -> Vec<Request> {
    if !wish.touches(&IN_ONE_CALL) {
        return Vec::new();
    }
    let machine = is_machine(wish.account);
    let body = UpdateUser {
        username: wish.given("username"),
        human: (!machine).then(|| HumanPart {
            profile: wish.touches(&PROFILE).then(|| Profile {
                given_name: wish.given("first_name"),
                family_name: wish.given("last_name"),
                nick_name: wish.given("nickname"),
                display_name: wish.given("display_name"),
                preferred_language: wish.given("locale"),
            }),
            email: wish.email(),
            phone: wish.phone(),
        }),
        machine: machine.then_some(MachinePart {}),
    };
    vec![change("PATCH", format!("/v2/users/{}", encoded(id)), &body, wish.carried(&IN_ONE_CALL))]
}

/// v2-human: the same, but a profile comes with both names, and an empty number is ignored with a 200: to remove one
/// takes the call of v1, which these servers have.
fn update_human(wish: &Wish<'_>, id: &str) -> Result<Vec<Request>, Refusal> {
    let mut requests = Vec::new();
    let removes = wish.changed("phone") == Some("");
    let carries: Vec<&str> = IN_ONE_CALL.into_iter().filter(|attribute| !(removes && *attribute == "phone")).collect();
    if wish.touches(&carries) {
        let profile = if wish.touches(&PROFILE) {
            let (first, last) = names(wish)?;
            Some(Profile {
                given_name: Some(first),
                family_name: Some(last),
                nick_name: wish.changed("nickname"),
                display_name: wish.changed("display_name"),
                preferred_language: wish.changed("locale"),
            })
        } else {
            None
        };
        let human = HumanPart { profile, email: wish.email(), phone: wish.phone().filter(|_| !removes) };
        let body = HumanUser { username: wish.given("username"), organization: None, human };
        requests.push(change("PUT", format!("/v2/users/human/{}", encoded(id)), &body, wish.carried(&carries)));
    }
    if removes {
        requests.push(removal(wish, id));
    }
    Ok(requests)
}

/// Takes the phone number away, on v1.
fn removal(wish: &Wish<'_>, id: &str) -> Request {
    let path = format!("/management/v1/users/{}/phone", encoded(id));
    let mut request = change("DELETE", path, &Nothing {}, wish.carried(&["phone"]));
    request.body = Json::Null;
    request
}

/// v1: a call each for name, profile, address and number.
fn replace(wish: &Wish<'_>, id: &str) -> Result<Vec<Request>, Refusal> {
    let path = |part: &str| format!("/management/v1/users/{}/{part}", encoded(id));
    let mut requests = Vec::new();
    if let Some(user_name) = wish.given("username") {
        let body = V1Username { user_name };
        requests.push(change("PUT", path("username"), &body, wish.carried(&["username"])));
    }
    if wish.touches(&PROFILE) {
        let mut body = v1_profile(wish)?;
        if body.display_name.is_empty() {
            // Must not be missing here, and would be this if ZITADEL had chosen it.
            body.display_name = format!("{} {}", body.first_name, body.last_name).into();
        }
        requests.push(change("PUT", path("profile"), &body, wish.carried(&PROFILE)));
    }
    if let Some(email) = wish.given("email") {
        let body = V1Email { email, is_email_verified: true };
        requests.push(change("PUT", path("email"), &body, wish.carried(&["email"])));
    }
    match wish.changed("phone") {
        None => {}
        Some("") => requests.push(removal(wish, id)),
        Some(phone) => {
            let body = V1Phone { phone, is_phone_verified: true };
            requests.push(change("PUT", path("phone"), &body, wish.carried(&["phone"])));
        }
    }
    Ok(requests)
}

/// The whole profile: what changes, and the rest as it is.
fn v1_profile<'a>(wish: &Wish<'a>) -> Result<V1Profile<'a>, Refusal> {
    let (first_name, last_name) = names(wish)?;
    let gender = wish.account.fact("gender").filter(|gender| *gender != "GENDER_UNSPECIFIED").unwrap_or_default();
    Ok(V1Profile {
        first_name,
        last_name,
        nick_name: wish.whole("nickname"),
        display_name: wish.whole("display_name").into(),
        preferred_language: wish.whole("locale"),
        gender,
    })
}

fn names<'a>(wish: &Wish<'a>) -> Result<(&'a str, &'a str), Refusal> {
    let name = |attribute: &str| match wish.whole(attribute) {
        "" => Err(missing(attribute, "no name can be changed on this server without")),
        name => Ok(name),
    };
    Ok((name("first_name")?, name("last_name")?))
}

/// Off or on: a call of its own on every interface (`zitadel.md` section 7).
fn switch(interface: Interface, wish: &Wish<'_>, id: &str) -> Option<Request> {
    let active = wish.changes.get("active")?.as_bool()?;
    let (operation, word) = if active { (Operation::Enable, "reactivate") } else { (Operation::Disable, "deactivate") };
    let path = match interface {
        Interface::V2 | Interface::V2Human => format!("/v2/users/{}/{word}", encoded(id)),
        Interface::V1 => format!("/management/v1/users/{}/_{word}", encoded(id)),
    };
    let mut request = change("POST", path, &Nothing {}, wish.carried(&["active"]));
    request.operation = operation;
    Some(request)
}

fn creation(interface: Interface, wish: &Wish<'_>, organization: Option<&str>) -> Result<Request, Refusal> {
    let required = |attribute: &str| match wish.given(attribute) {
        Some(text) => Ok(text),
        None => Err(missing(attribute, "no account can be created in ZITADEL without")),
    };
    let (first, last, email) = (required("first_name")?, required("last_name")?, required("email")?);
    let Some(organization) = organization else {
        return Err(Refusal::new(
            RefusalKind::Invalid,
            "there are several organizations to create accounts in: set `organization` in the configuration",
        ));
    };
    let phone = wish.phone().filter(|phone| !phone.phone.is_empty());
    let profile = Profile {
        given_name: Some(first),
        family_name: Some(last),
        nick_name: wish.given("nickname"),
        display_name: wish.given("display_name"),
        preferred_language: wish.given("locale"),
    };
    let human = HumanPart { profile: Some(profile), email: wish.email(), phone };
    let carries = wish.carried(&ATTRIBUTES);
    let mut request = match interface {
        Interface::V2 => {
            let body = CreateUser { organization_id: organization, username: wish.given("username"), human };
            change("POST", "/v2/users/new".to_owned(), &body, carries)
        }
        Interface::V2Human => {
            let organization = Some(Organization { org_id: organization });
            let body = HumanUser { username: wish.given("username"), organization, human };
            change("POST", "/v2/users/human".to_owned(), &body, carries)
        }
        Interface::V1 => {
            let body = V1Import {
                // v2 falls back to the address by itself; v1 asks for a name.
                user_name: wish.given("username").unwrap_or(email),
                profile: v1_profile(wish)?,
                email: V1Email { email, is_email_verified: true },
                phone: wish.given("phone").map(|phone| V1Phone { phone, is_phone_verified: true }),
            };
            let mut request = change("POST", "/management/v1/users/human/_import".to_owned(), &body, carries);
            request.generated = vec!["password".to_owned()];
            request
        }
    };
    request.operation = Operation::Create;
    request.replay = Replay::LookFirst;
    request.headers = interface.headers(Some(organization));
    Ok(request)
}

fn missing(attribute: &str, what: &str) -> Refusal {
    Refusal::new(RefusalKind::Invalid, format!("{what} `{attribute}`"))
}

/// A call that may be repeated: by value, or answered with "already so" the second time (`zitadel.md` section 10).
fn change(method: &str, path: String, body: &impl Serialize, carries: Vec<AttributeName>) -> Request {
    Request {
        operation: Operation::Update,
        method: method.to_owned(),
        path,
        headers: BTreeMap::new(),
        body: serde_json::to_value(body).unwrap_or_default(),
        generated: Vec::new(),
        carries,
        replay: Replay::Repeat,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::{
        connector::zitadel::{contract::faults, interface::API},
        model::account::Facts,
    };

    fn anna(interface: Interface) -> Account {
        let server = Facts::from([(API.to_owned(), interface.word().into())]);
        let mut account = Account::absent("zitadel".into(), Arc::new(server));
        account.id = Some("u1".into());
        for (name, value) in [
            ("username", "anna"),
            ("first_name", "Anna"),
            ("last_name", "Berg"),
            ("display_name", "Anna Berg"),
            ("nickname", "an"),
            ("locale", "de"),
            ("email", "a@example.org"),
            ("phone", "+41791234567"),
        ] {
            account.attributes.insert(AttributeName::new(name), value.into());
        }
        account.attributes.insert(AttributeName::new("active"), true.into());
        account.facts.insert("state".to_owned(), "active".into());
        account.facts.insert(ORGANIZATION.to_owned(), "o1".into());
        account.facts.insert("gender".to_owned(), "GENDER_FEMALE".into());
        account
    }

    fn nobody() -> Account {
        Account::absent("zitadel".into(), Arc::new(Facts::new()))
    }

    fn changes<const N: usize>(changes: [(&str, Value); N]) -> Vec<Change> {
        let change =
            |(name, after): (&str, Value)| Change { attribute: AttributeName::new(name), before: Value::Empty, after };
        changes.into_iter().map(change).collect()
    }

    /// The requests as method, address, headers, body and what they carry; each held against ZITADEL's description.
    fn sent(interface: Interface, account: &Account, changes: &[Change]) -> Vec<(String, Json, String)> {
        let requests = requests(interface, account, changes, Some("o9")).unwrap();
        requests
            .into_iter()
            .map(|request| {
                let mut body = request.body.clone();
                for field in &request.generated {
                    body.as_object_mut().unwrap().insert(field.clone(), "secret".into());
                }
                let found = faults(&request.method, &request.path, &body).unwrap_or_default();
                assert_eq!(found, Vec::<String>::new(), "{} {body}", request.path);
                let carries: Vec<&str> = request.carries.iter().map(AttributeName::as_str).collect();
                let headers: Vec<String> =
                    request.headers.iter().map(|(key, value)| format!(" {key}={value}")).collect();
                let line = format!("{} {}{}", request.method, request.path, headers.concat());
                (line, request.body, carries.join(" "))
            })
            .collect()
    }

    fn line(line: &str, body: Json, carries: &str) -> (String, Json, String) {
        (line.to_owned(), body, carries.to_owned())
    }

    #[test]
    fn one_patch_carries_everything_but_the_state_on_v2() {
        let wanted = changes([
            ("username", "anna.b".into()),
            ("first_name", "Ann".into()),
            ("locale", "fr".into()),
            ("email", "b@example.org".into()),
            ("phone", "+41311234567".into()),
            ("active", false.into()),
        ]);
        assert_eq!(
            sent(Interface::V2, &anna(Interface::V2), &wanted),
            [
                line("POST /v2/users/u1/deactivate", json!({}), "active"),
                line(
                    "PATCH /v2/users/u1",
                    json!({ "username": "anna.b", "human": {
                        "profile": { "givenName": "Ann", "preferredLanguage": "fr" },
                        "email": { "email": "b@example.org", "isVerified": true },
                        "phone": { "phone": "+41311234567", "isVerified": true } } }),
                    "username first_name locale email phone"
                ),
            ]
        );
    }

    #[test]
    fn a_rename_names_the_kind_of_user_too() {
        let rename = changes([("username", "x".into())]);
        let body = json!({ "username": "x", "human": {} });
        assert_eq!(sent(Interface::V2, &anna(Interface::V2), &rename), [line("PATCH /v2/users/u1", body, "username")]);
        let mut machine = anna(Interface::V2);
        machine.facts.insert("is_machine".to_owned(), true.into());
        let body = json!({ "username": "x", "machine": {} });
        assert_eq!(sent(Interface::V2, &machine, &rename), [line("PATCH /v2/users/u1", body, "username")]);
    }

    #[test]
    fn a_phone_number_is_removed_without_a_verification() {
        let removal = changes([("phone", Value::Empty)]);
        let human = json!({ "phone": { "phone": "" } });
        assert_eq!(
            sent(Interface::V2, &anna(Interface::V2), &removal),
            [line("PATCH /v2/users/u1", json!({ "human": human }), "phone")]
        );
        assert_eq!(
            sent(Interface::V2Human, &anna(Interface::V2Human), &removal),
            [line("DELETE /management/v1/users/u1/phone x-zitadel-orgid=o1", Json::Null, "phone")]
        );
        assert_eq!(
            sent(Interface::V1, &anna(Interface::V1), &removal),
            [line("DELETE /management/v1/users/u1/phone x-zitadel-orgid=o1", Json::Null, "phone")]
        );
    }

    #[test]
    fn an_older_server_gets_both_names_with_every_profile() {
        let wanted = changes([("username", "anna.b".into()), ("nickname", Value::Empty), ("active", false.into())]);
        assert_eq!(
            sent(Interface::V2Human, &anna(Interface::V2Human), &wanted),
            [
                line("POST /v2/users/u1/deactivate", json!({}), "active"),
                line(
                    "PUT /v2/users/human/u1",
                    json!({ "username": "anna.b",
                        "profile": { "givenName": "Anna", "familyName": "Berg", "nickName": "" } }),
                    "username nickname"
                ),
            ]
        );
        let mut unread = anna(Interface::V2Human);
        unread.attributes.remove(&AttributeName::new("last_name"));
        let refused = requests(Interface::V2Human, &unread, &wanted, None).unwrap_err();
        assert_eq!(refused.kind, RefusalKind::Invalid);
        assert_eq!(
            sent(Interface::V2Human, &unread, &changes([("email", "b@example.org".into())])),
            [line(
                "PUT /v2/users/human/u1",
                json!({ "email": { "email": "b@example.org", "isVerified": true } }),
                "email"
            )]
        );
    }

    #[test]
    fn v1_gets_a_call_for_each_part_and_the_whole_profile() {
        let wanted = changes([
            ("username", "anna.b".into()),
            ("last_name", "Meyer".into()),
            ("nickname", Value::Empty),
            ("email", "b@example.org".into()),
            ("phone", "+41311234567".into()),
            ("active", false.into()),
        ]);
        let at = |method: &str, part: &str| format!("{method} /management/v1/users/u1/{part} x-zitadel-orgid=o1");
        assert_eq!(
            sent(Interface::V1, &anna(Interface::V1), &wanted),
            [
                line(&at("POST", "_deactivate"), json!({}), "active"),
                line(&at("PUT", "username"), json!({ "userName": "anna.b" }), "username"),
                line(
                    &at("PUT", "profile"),
                    json!({ "firstName": "Anna", "lastName": "Meyer", "displayName": "Anna Berg",
                        "preferredLanguage": "de", "gender": "GENDER_FEMALE" }),
                    "last_name nickname"
                ),
                line(&at("PUT", "email"), json!({ "email": "b@example.org", "isEmailVerified": true }), "email"),
                line(&at("PUT", "phone"), json!({ "phone": "+41311234567", "isPhoneVerified": true }), "phone"),
            ]
        );
        let mut nameless = anna(Interface::V1);
        nameless.attributes.insert(AttributeName::new("display_name"), Value::Empty);
        let renamed = sent(Interface::V1, &nameless, &changes([("last_name", "Meyer".into())]));
        assert_eq!(renamed[0].1["displayName"], "Anna Meyer");
    }

    #[test]
    fn whoever_comes_back_is_switched_on_last() {
        let wanted = changes([("active", true.into()), ("username", "anna.b".into())]);
        let mut account = anna(Interface::V2);
        account.facts.insert("state".to_owned(), "inactive".into());
        let of = |account: &Account, interface| -> Vec<String> {
            sent(interface, account, &wanted).into_iter().map(|(line, _, _)| line).collect()
        };
        assert_eq!(of(&account, Interface::V2), ["PATCH /v2/users/u1", "POST /v2/users/u1/reactivate"]);
        assert_eq!(
            of(&account, Interface::V1),
            [
                "PUT /management/v1/users/u1/username x-zitadel-orgid=o1",
                "POST /management/v1/users/u1/_reactivate x-zitadel-orgid=o1"
            ]
        );
        let kinds = requests(Interface::V2, &account, &wanted, None).unwrap();
        assert_eq!(kinds.iter().map(|it| it.operation).collect::<Vec<_>>(), [Operation::Update, Operation::Enable]);
    }

    #[test]
    fn an_account_is_created_verified_and_without_a_mail() {
        let wanted = changes([
            ("username", "anna".into()),
            ("first_name", "Anna".into()),
            ("last_name", "Berg".into()),
            ("nickname", Value::Empty),
            ("locale", "de".into()),
            ("email", "a@example.org".into()),
            ("phone", "+41791234567".into()),
            ("active", true.into()),
        ]);
        let carries = "username first_name last_name nickname locale email phone active";
        let profile = json!({ "givenName": "Anna", "familyName": "Berg", "preferredLanguage": "de" });
        let email = json!({ "email": "a@example.org", "isVerified": true });
        let phone = json!({ "phone": "+41791234567", "isVerified": true });
        assert_eq!(
            sent(Interface::V2, &nobody(), &wanted),
            [line(
                "POST /v2/users/new",
                json!({ "organizationId": "o9", "username": "anna",
                    "human": { "profile": profile, "email": email, "phone": phone } }),
                carries
            )]
        );
        assert_eq!(
            sent(Interface::V2Human, &nobody(), &wanted),
            [line(
                "POST /v2/users/human",
                json!({ "username": "anna", "organization": { "orgId": "o9" },
                    "profile": profile, "email": email, "phone": phone }),
                carries
            )]
        );
        assert_eq!(
            sent(Interface::V1, &nobody(), &wanted),
            [line(
                "POST /management/v1/users/human/_import x-zitadel-orgid=o9",
                json!({ "userName": "anna",
                    "profile": { "firstName": "Anna", "lastName": "Berg", "preferredLanguage": "de" },
                    "email": { "email": "a@example.org", "isEmailVerified": true },
                    "phone": { "phone": "+41791234567", "isPhoneVerified": true } }),
                carries
            )]
        );
        for interface in [Interface::V2, Interface::V2Human, Interface::V1] {
            let request = requests(interface, &nobody(), &wanted, Some("o9")).unwrap().remove(0);
            assert_eq!((request.operation, request.replay), (Operation::Create, Replay::LookFirst));
            assert_eq!(request.generated.is_empty(), interface != Interface::V1);
        }
    }

    #[test]
    fn the_address_is_the_name_where_no_name_is_given() {
        let wanted =
            changes([("first_name", "Anna".into()), ("last_name", "Berg".into()), ("email", "a@example.org".into())]);
        assert_eq!(sent(Interface::V1, &nobody(), &wanted)[0].1["userName"], "a@example.org");
        assert_eq!(sent(Interface::V2, &nobody(), &wanted)[0].1.get("username"), None);
        assert_eq!(sent(Interface::V2Human, &nobody(), &wanted)[0].1.get("username"), None);
    }

    #[test]
    fn a_creation_that_lacks_something_says_what() {
        let whole =
            changes([("first_name", "Anna".into()), ("last_name", "Berg".into()), ("email", "a@example.org".into())]);
        for at in 0..whole.len() {
            let mut some = whole.clone();
            let left_out = some.remove(at).attribute;
            let refused = requests(Interface::V2, &nobody(), &some, Some("o9")).unwrap_err();
            let reason = format!("no account can be created in ZITADEL without `{left_out}`");
            assert_eq!(refused, Refusal::new(RefusalKind::Invalid, reason));
        }
        let nowhere = requests(Interface::V2, &nobody(), &whole, None).unwrap_err();
        assert_eq!(nowhere.kind, RefusalKind::Invalid);
        assert!(nowhere.reason.contains("`organization`"));
    }

    #[test]
    fn what_is_foreseen_as_refused_is_never_sent() {
        for (change, kind) in [
            (("username", "x".repeat(201).as_str().into()), RefusalKind::Invalid),
            (("nickname", Value::Empty), RefusalKind::Unsupported),
            (("timezone", "UTC".into()), RefusalKind::Unsupported),
            (("locale", "German".into()), RefusalKind::Ineffective),
        ] {
            let refused = requests(Interface::V2, &anna(Interface::V2), &changes([change]), None).unwrap_err();
            assert_eq!(refused.kind, kind);
        }
    }

    #[test]
    fn an_id_stays_one_segment_of_the_address() {
        let mut account = anna(Interface::V2);
        account.id = Some("../a/b?c".into());
        let rename = changes([("username", "x".into())]);
        let request = requests(Interface::V2, &account, &rename, None).unwrap().remove(0);
        assert_eq!(request.path, "/v2/users/..%2Fa%2Fb%3Fc");
        assert_eq!(encoded(".."), "%2E%2E");
    }
}
