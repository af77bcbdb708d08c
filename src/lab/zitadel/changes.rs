//! Changing users through the API v2: values, states, links (`zitadel.md` 5 and 7).
//!
//! Each command reads the user, decides which events it would write, and pushes them at once or not at all.

use serde_json::{Map, Value, json};

use super::{
    access::{Caller, Permission, check},
    answers::{integer, without_zeros},
    instance::{Human, Instance, Kind, Link, Mail, State, User, details, time},
    listing::excerpt,
    metadata,
    refusal::{Code, Refusal},
    values,
};

type Body = Map<String, Value>;
type Answer = Result<Value, Refusal>;

/// The id that API v2 refuses with where a permission is missing.
pub(super) const V2: &str = "AUTH-AWfge";

pub(super) fn text<'a>(body: &'a Body, name: &str) -> &'a str {
    body.get(name).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn list<'a>(body: &'a Body, name: &str) -> &'a [Value] {
    body.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

pub(super) fn part<'a>(body: &'a Body, name: &str) -> Option<&'a Body> {
    body.get(name).and_then(Value::as_object)
}

/// A user who changes herself needs no permission, unless `no_self` (`zitadel.md` 5, semantic 6).
pub(super) fn allowed(instance: &Instance, caller: &Caller, user: &User, no_self: bool) -> Result<(), Refusal> {
    if caller.user == user.id && !no_self {
        return Ok(());
    }
    check(instance, caller, Permission::Write, &user.organization, V2)
}

pub(super) fn existing(instance: &Instance, id: &str, unknown: &'static str) -> Result<User, Refusal> {
    instance.user(id).map(|user| user.as_ref().clone()).ok_or_else(|| Refusal::no_user(unknown))
}

// Values.

/// `PATCH /v2/users/{userId}`.
pub(super) fn update_user(instance: &mut Instance, caller: &Caller, body: &Body) -> Answer {
    let id = text(body, "userId");
    let username = body.get("username").and_then(Value::as_str);
    let metadata = list(body, "metadata");
    let (user, codes) = if let Some(human) = part(body, "human") {
        change_human(instance, caller, id, username, human, &Intent { metadata, removes_phone: true })?
    } else if let Some(machine) = part(body, "machine") {
        (change_machine(instance, caller, id, username, machine, metadata)?, Codes::default())
    } else {
        return Err(Refusal::of(Code::Unimplemented, "", "user type is not implemented"));
    };
    Ok(codes.into_answer(json!({ "changeDate": time(user.changed) })))
}

/// `PUT /v2/users/human/{userId}`.
pub(super) fn update_human(instance: &mut Instance, caller: &Caller, body: &Body) -> Answer {
    let username = body.get("username").and_then(Value::as_str);
    let intent = Intent { metadata: &[], removes_phone: false };
    let (user, codes) = change_human(instance, caller, text(body, "userId"), username, body, &intent)?;
    Ok(codes.into_answer(json!({ "details": details(&user) })))
}

/// In what the two ways of changing a human differ.
struct Intent<'a> {
    metadata: &'a [Value],
    /// An empty telephone number removes it.
    removes_phone: bool,
}

/// Verification codes that were asked for.
#[derive(Debug, Default)]
pub(super) struct Codes {
    pub(super) email: Option<String>,
    pub(super) phone: Option<String>,
    mail_to: Option<String>,
}

impl Codes {
    pub(super) fn into_answer(self, mut answer: Value) -> Value {
        for (name, code) in [("emailCode", self.email), ("phoneCode", self.phone)] {
            if let Some(code) = code {
                answer[name] = code.into();
            }
        }
        answer
    }
}

fn change_human(
    instance: &mut Instance,
    caller: &Caller,
    id: &str,
    username: Option<&str>,
    wanted: &Body,
    intent: &Intent<'_>,
) -> Result<(User, Codes), Refusal> {
    let phone = part(wanted, "phone");
    if let Some(phone) = phone.filter(|_| intent.removes_phone)
        && text(phone, "phone").is_empty()
        && ["isVerified", "sendCode", "returnCode"].iter().any(|name| phone.contains_key(*name))
    {
        return Err(Refusal::invalid("USERv2-4f3d6", "Verifying the removal of the phone is not supported"));
    }
    let email = part(wanted, "email");
    if let Some(email) = email {
        check_email(text(email, "email"))?;
    }
    let number = phone.map(|phone| text(phone, "phone")).filter(|number| !number.is_empty());
    let number = number.map(check_phone).transpose()?;
    metadata::check(intent.metadata)?;

    let mut user = existing(instance, id, "COMMAND-ugjs0upun6")?;
    if user.human().is_none() {
        return Err(Refusal::no_user("COMMAND-ugjs0upun6"));
    }
    let touched = username.is_some()
        || !intent.metadata.is_empty()
        || ["profile", "email", "phone", "password"].iter().any(|name| wanted.contains_key(*name));
    if touched {
        allowed(instance, caller, &user, !intent.metadata.is_empty())?;
    }

    let (mut events, mut codes) = (0, Codes::default());
    events += change_username(instance, &mut user, username)?;
    let password = part(wanted, "password").map(|password| (password, allowed(instance, caller, &user, true)));
    if let Some(human) = user.human_mut() {
        if let Some(profile) = part(wanted, "profile") {
            events += change_profile(human, profile);
        }
        if let Some(email) = email {
            events += change_email(instance, human, email, &mut codes);
        }
        if let Some(phone) = phone {
            events += match number {
                Some(number) => change_phone(instance, human, phone, number, &mut codes),
                None if intent.removes_phone => {
                    human.phone.clear();
                    human.phone_verified = false;
                    1
                }
                None => 0,
            };
        }
        if let Some((password, permitted)) = password {
            events += change_password(human, password, permitted)?;
        }
    }
    events += metadata::set(&mut user, intent.metadata, true, instance.now(), events);
    if events == 0 {
        return Ok((user, codes));
    }
    let user = write(instance, user, events)?;
    if let Some(to) = codes.mail_to.take() {
        instance.mails.push(Mail { user: user.id.clone(), to });
    }
    Ok((user, codes))
}

/// Pushes the events of one user.
pub(super) fn write(instance: &mut Instance, user: User, events: u64) -> Result<User, Refusal> {
    let id = user.id.clone();
    instance.push(&id, Some(user), events).map(|user| user.as_ref().clone())
}

pub(super) fn check_email(address: &str) -> Result<(), Refusal> {
    if address.is_empty() {
        return Err(Refusal::invalid("EMAIL-spblu", "Email is empty"));
    }
    match values::mailbox(address) {
        Err(_) => Err(Refusal::invalid("EMAIL-599BI", "Email is invalid")),
        Ok(found) if found.named || found.address != address => {
            Err(Refusal::invalid("EMAIL-599GV", "Email is invalid"))
        }
        Ok(_) => Ok(()),
    }
}

pub(super) fn check_phone(number: &str) -> Result<String, Refusal> {
    values::e164(number).ok_or_else(|| Refusal::invalid("PHONE-so0wa", "Phone is invalid"))
}

fn change_username(instance: &Instance, user: &mut User, wanted: Option<&str>) -> Result<u64, Refusal> {
    let Some(wanted) = wanted.filter(|wanted| *wanted != user.username) else { return Ok(0) };
    instance.check_domain(&user.organization, wanted)?;
    wanted.clone_into(&mut user.username);
    Ok(1)
}

/// Only members that are there count, and only differences are written. The display name is never derived here.
fn change_profile(human: &mut Human, profile: &Body) -> u64 {
    let before = human.clone();
    let given = |name: &str| profile.get(name).and_then(Value::as_str).map(str::to_owned);
    for (name, field) in [
        ("givenName", &mut human.given_name),
        ("familyName", &mut human.family_name),
        ("nickName", &mut human.nick_name),
        ("displayName", &mut human.display_name),
        ("gender", &mut human.gender),
    ] {
        if let Some(value) = given(name) {
            *field = value;
        }
    }
    if let Some(language) = given("preferredLanguage") {
        human.preferred_language = values::language(&language);
    }
    u64::from(*human != before)
}

/// The table of `zitadel.md` 5, Email.
fn change_email(instance: &mut Instance, human: &mut Human, email: &Body, codes: &mut Codes) -> u64 {
    let address = text(email, "email");
    let verified = email.get("isVerified") == Some(&Value::Bool(true));
    if address == human.email {
        let newly = verified && !human.email_verified;
        human.email_verified |= verified;
        return u64::from(newly);
    }
    address.clone_into(&mut human.email);
    human.email_verified = verified;
    if !verified {
        if email.contains_key("returnCode") {
            codes.email = Some(instance.fresh_code());
        } else {
            codes.mail_to = Some(address.to_owned());
        }
    }
    2
}

fn change_phone(instance: &mut Instance, human: &mut Human, phone: &Body, number: String, codes: &mut Codes) -> u64 {
    let verified = phone.get("isVerified") == Some(&Value::Bool(true));
    if number == human.phone {
        let newly = verified && !human.phone_verified;
        human.phone_verified |= verified;
        return u64::from(newly);
    }
    human.phone = number;
    human.phone_verified = verified;
    if !verified && phone.contains_key("returnCode") {
        codes.phone = Some(instance.fresh_code());
    }
    2
}

/// With the current password anybody may; no code of ours is ever right; else it takes the permission.
fn change_password(human: &mut Human, wanted: &Body, permitted: Result<(), Refusal>) -> Result<u64, Refusal> {
    let plain = part(wanted, "password").map(|password| text(password, "password").to_owned());
    let hash = part(wanted, "hashedPassword").map(|password| text(password, "hash").to_owned());
    let Some(fresh) = plain.or(hash) else {
        return Err(Refusal::invalid("COMMAND-3klek4sbns", "Password is empty"));
    };
    if wanted.contains_key("verificationCode") {
        return Err(Refusal::invalid("COMMAND-eis9R", "Code is invalid"));
    }
    if let Some(current) = wanted.get("currentPassword").and_then(Value::as_str) {
        if human.password.as_deref() != Some(current) {
            return Err(Refusal::invalid("COMMAND-3M0fs", "Password is invalid"));
        }
    } else {
        permitted?;
    }
    human.password = Some(fresh);
    Ok(1)
}

fn change_machine(
    instance: &mut Instance,
    caller: &Caller,
    id: &str,
    username: Option<&str>,
    wanted: &Body,
    entries: &[Value],
) -> Result<User, Refusal> {
    metadata::check(entries)?;
    let mut user = existing(instance, id, "COMMAND-ugjs0upun6")?;
    if user.human().is_some() {
        return Err(Refusal::no_user("COMMAND-ugjs0upun6"));
    }
    if username.is_some() || !wanted.is_empty() || !entries.is_empty() {
        allowed(instance, caller, &user, !entries.is_empty())?;
    }
    let mut events = change_username(instance, &mut user, username)?;
    if let Kind::Machine(machine) = &mut user.kind {
        let before = machine.clone();
        for (name, field) in [
            ("name", &mut machine.name),
            ("description", &mut machine.description),
            ("accessTokenType", &mut machine.token_type),
        ] {
            if let Some(value) = wanted.get(name).and_then(Value::as_str) {
                value.clone_into(field);
            }
        }
        events += u64::from(*machine != before);
    }
    events += metadata::set(&mut user, entries, true, instance.now(), events);
    if events == 0 { Ok(user) } else { write(instance, user, events) }
}

/// `POST /v2/users/{userId}/email`, the old separate way.
pub(super) fn set_email(instance: &mut Instance, caller: &Caller, body: &Body) -> Answer {
    let mut user = existing(instance, text(body, "userId"), "COMMAND-ieJ2e")?;
    if user.human().is_none() {
        return Err(Refusal::no_user("COMMAND-ieJ2e"));
    }
    if user.state == State::Initial {
        return Err(Refusal::precondition("COMMAND-uz0Uu", "User is not yet initialised"));
    }
    allowed(instance, caller, &user, body.contains_key("isVerified"))?;
    check_email(text(body, "email"))?;
    let mut codes = Codes::default();
    if let Some(human) = user.human_mut() {
        if human.email == text(body, "email") {
            return Err(Refusal::precondition("COMMAND-Uch5e", "Email not changed"));
        }
        change_email(instance, human, body, &mut codes);
    }
    let user = write(instance, user, 2)?;
    if let Some(to) = codes.mail_to.take() {
        instance.mails.push(Mail { user: user.id.clone(), to });
    }
    let mut answer = json!({ "details": details(&user) });
    if let Some(code) = codes.email {
        answer["verificationCode"] = code.into();
    }
    Ok(answer)
}

// States.

/// One row of the table in `zitadel.md` 7 (or of its sister in the old API).
pub(super) struct Switch {
    pub(super) unknown: &'static str,
    /// State, id and text of each refusal.
    pub(super) refused: &'static [(State, &'static str, &'static str)],
    pub(super) becomes: State,
}

impl Switch {
    /// What comes of this user.
    pub(super) fn of(&self, mut user: User) -> Result<User, Refusal> {
        if let Some((_, id, text)) = self.refused.iter().find(|(state, ..)| *state == user.state) {
            return Err(Refusal::precondition(id, text));
        }
        user.state = self.becomes;
        Ok(user)
    }
}

const NOT_INACTIVE: (&str, &str) = ("COMMAND-s5qqcz97hf", "User is not inactive");
const NOT_ACTIVE: (&str, &str) = ("COMMAND-lgws8wtsqf", "User must be active or initial to be locked");
const NOT_LOCKED: (&str, &str) = ("COMMAND-olb9vb0oca", "User is not locked");
static DEACTIVATE: Switch = Switch {
    unknown: "COMMAND-5gp2p62iin",
    refused: &[
        (State::Inactive, "COMMAND-5gunjw0cd7", "User is already inactive"),
        (State::Initial, "COMMAND-gvx4kct9r2", "User is initial and can only be deleted"),
    ],
    becomes: State::Inactive,
};
static REACTIVATE: Switch = Switch {
    unknown: "COMMAND-9hy5kzbuk6",
    refused: &[
        (State::Active, NOT_INACTIVE.0, NOT_INACTIVE.1),
        (State::Locked, NOT_INACTIVE.0, NOT_INACTIVE.1),
        (State::Initial, NOT_INACTIVE.0, NOT_INACTIVE.1),
    ],
    becomes: State::Active,
};
static LOCK: Switch = Switch {
    unknown: "COMMAND-450yxuqrh1",
    refused: &[(State::Inactive, NOT_ACTIVE.0, NOT_ACTIVE.1), (State::Locked, NOT_ACTIVE.0, NOT_ACTIVE.1)],
    becomes: State::Locked,
};
static UNLOCK: Switch = Switch {
    unknown: "COMMAND-x377t913pw",
    refused: &[
        (State::Active, NOT_LOCKED.0, NOT_LOCKED.1),
        (State::Inactive, NOT_LOCKED.0, NOT_LOCKED.1),
        (State::Initial, NOT_LOCKED.0, NOT_LOCKED.1),
    ],
    becomes: State::Active,
};

pub(super) fn deactivate(instance: &mut Instance, caller: &Caller, body: &Body) -> Answer {
    switch(instance, caller, body, &DEACTIVATE)
}

pub(super) fn reactivate(instance: &mut Instance, caller: &Caller, body: &Body) -> Answer {
    switch(instance, caller, body, &REACTIVATE)
}

pub(super) fn lock(instance: &mut Instance, caller: &Caller, body: &Body) -> Answer {
    switch(instance, caller, body, &LOCK)
}

pub(super) fn unlock(instance: &mut Instance, caller: &Caller, body: &Body) -> Answer {
    switch(instance, caller, body, &UNLOCK)
}

/// The state is judged before the permission, and there is no self-service.
fn switch(instance: &mut Instance, caller: &Caller, body: &Body, switch: &Switch) -> Answer {
    let user = switch.of(existing(instance, text(body, "userId"), switch.unknown)?)?;
    allowed(instance, caller, &user, true)?;
    let user = write(instance, user, 1)?;
    Ok(json!({ "details": details(&user) }))
}

/// `DELETE /v2/users/{userId}`.
pub(super) fn delete(instance: &mut Instance, caller: &Caller, body: &Body) -> Answer {
    let user = existing(instance, text(body, "userId"), "COMMAND-bd4ir1mblj")?;
    allowed(instance, caller, &user, true)?;
    let user = instance.push(&user.id, None, 1)?;
    Ok(json!({ "details": details(&user) }))
}

// Reading one user.

/// `GET /v2/users/{userId}`: brings the lists up to date, too.
pub(super) fn get(instance: &mut Instance, caller: &Caller, body: &Body) -> Answer {
    instance.catch_up();
    let user = existing(instance, text(body, "userId"), "QUERY-Dfbg2")?;
    if caller.user != user.id {
        check(instance, caller, Permission::Read, &user.organization, V2)?;
    }
    let shown = super::answers::user(instance, &user);
    Ok(json!({ "details": shown["details"].clone(), "user": shown }))
}

// Links.

/// A user whose links are meant; unknown is 400 here, not 404 (`zitadel.md` 7).
fn meant(instance: &Instance, body: &Body, unknown: &'static str) -> Result<User, Refusal> {
    let user = instance.user(text(body, "userId"));
    user.map(|user| user.as_ref().clone()).ok_or_else(|| Refusal::precondition(unknown, "User could not be found"))
}

pub(super) fn link(given: &Value) -> Link {
    let text = |name: &str| given[name].as_str().unwrap_or_default().to_owned();
    Link { idp: text("idpId"), user: text("userId"), name: text("userName"), auto_update: false }
}

/// `POST /v2/users/{userId}/links`.
pub(super) fn add_link(instance: &mut Instance, caller: &Caller, body: &Body) -> Answer {
    let mut user = meant(instance, body, "COMMAND-vzktar7b7f")?;
    allowed(instance, caller, &user, false)?;
    let Some(given) = body.get("idpLink") else {
        return Err(Refusal::invalid("COMMAND-6m9Kd", "External IDP invalid"));
    };
    let fresh = link(given);
    user.links.retain(|held| held.idp != fresh.idp || held.user != fresh.user);
    user.links.push(fresh);
    let user = write(instance, user, 1)?;
    Ok(json!({ "details": details(&user) }))
}

/// `POST /v2/users/{userId}/links/_search`.
pub(super) fn list_links(instance: &mut Instance, caller: &Caller, body: &Body) -> Answer {
    let found = instance.user(text(body, "userId"));
    let links = match found {
        Some(user) => {
            if caller.user != user.id {
                check(instance, caller, Permission::Read, &user.organization, V2)?;
            }
            user.links.clone()
        }
        None => Vec::new(),
    };
    let shown: Vec<Value> = excerpt(&links, body.get("query"))
        .iter()
        .map(|link| json!({ "idpId": link.idp, "userId": link.user, "userName": link.name }))
        .collect();
    let mut answer = json!({
        "details": {
            "totalResult": integer(links.len() as u64),
            "processedSequence": integer(instance.projected()),
            "timestamp": time(instance.projected()),
        },
        "result": shown,
    });
    without_zeros(&mut answer, &[]);
    Ok(answer)
}

/// `DELETE /v2/users/{userId}/links/{idpId}/{linkedUserId}`.
pub(super) fn remove_link(instance: &mut Instance, caller: &Caller, body: &Body) -> Answer {
    let gone = || Refusal::of(Code::NotFound, "COMMAND-1M9xR", "External IDP could not be found");
    let mut user = instance.user(text(body, "userId")).map(|user| user.as_ref().clone()).ok_or_else(gone)?;
    let before = user.links.len();
    user.links.retain(|link| link.idp != text(body, "idpId") || link.user != text(body, "linkedUserId"));
    if user.links.len() == before {
        return Err(gone());
    }
    allowed(instance, caller, &user, false)?;
    let user = write(instance, user, 1)?;
    Ok(json!({ "details": details(&user) }))
}
