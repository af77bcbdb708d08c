//! The old way in, management v1 (`zitadel.md` 4): it works in one organization, and says "not changed" as an error.

use serde_json::{Map, Value, json};

use super::{
    access::Caller,
    answers::{old_user, without_zeros},
    changes::{Switch, check_email, check_phone, text},
    instance::{Instance, Mail, State, User, details},
    refusal::{Code, Refusal},
    values,
};

type Body = Map<String, Value>;
type Answer = Result<Value, Refusal>;

/// A user of the caller's organization; any other is simply not there.
fn own<'a>(instance: &'a Instance, caller: &Caller, id: &str) -> Option<&'a User> {
    instance.user(id).map(AsRef::as_ref).filter(|user| user.organization == caller.organization)
}

fn write(instance: &mut Instance, user: User, events: u64) -> Answer {
    let id = user.id.clone();
    let user = instance.push(&id, Some(user), events)?;
    Ok(json!({ "details": details(&user) }))
}

/// `PUT /management/v1/users/{userId}/username`: trims, and refuses what is already so.
pub(super) fn username(instance: &mut Instance, caller: &Caller, body: &Body) -> Answer {
    let wanted = text(body, "userName").trim();
    if wanted.is_empty() {
        return Err(Refusal::invalid("COMMAND-2N9fs", "Errors.IDMissing"));
    }
    let user = own(instance, caller, text(body, "userId")).ok_or_else(|| Refusal::no_user("COMMAND-5N9ds"))?;
    if user.username == wanted {
        return Err(Refusal::precondition("COMMAND-6m9gs", "Username not changed"));
    }
    instance.check_domain(&user.organization, wanted)?;
    let user = User { username: wanted.to_owned(), ..user.clone() };
    write(instance, user, 1)
}

/// A human of the caller's organization; here an unknown one is 400, not 404.
fn human(instance: &Instance, caller: &Caller, body: &Body, unknown: &'static str) -> Result<User, Refusal> {
    let user = own(instance, caller, text(body, "userId")).filter(|user| user.human().is_some());
    user.cloned().ok_or_else(|| Refusal::precondition(unknown, "User could not be found"))
}

/// `PUT …/profile`: a full replacement, what is missing is cleared.
pub(super) fn profile(instance: &mut Instance, caller: &Caller, body: &Body) -> Answer {
    let mut user = human(instance, caller, body, "COMMAND-3M9sd")?;
    if let Some(human) = user.human_mut() {
        let before = human.clone();
        text(body, "firstName").clone_into(&mut human.given_name);
        text(body, "lastName").clone_into(&mut human.family_name);
        text(body, "nickName").clone_into(&mut human.nick_name);
        text(body, "displayName").clone_into(&mut human.display_name);
        human.preferred_language = values::language(text(body, "preferredLanguage"));
        let gender = text(body, "gender");
        if gender.is_empty() { "GENDER_UNSPECIFIED" } else { gender }.clone_into(&mut human.gender);
        if *human == before {
            return Err(Refusal::precondition("COMMAND-2M0fs", "Profile not changed"));
        }
    }
    write(instance, user, 1)
}

/// `PUT …/email`.
pub(super) fn email(instance: &mut Instance, caller: &Caller, body: &Body) -> Answer {
    let address = text(body, "email");
    check_email(address)?;
    let mut user = human(instance, caller, body, "COMMAND-0Pe4r")?;
    if user.state == State::Initial {
        return Err(Refusal::precondition("COMMAND-J8dsk", "User is not yet initialised"));
    }
    let verified = body.get("isEmailVerified") == Some(&Value::Bool(true));
    if let Some(human) = user.human_mut() {
        if human.email == address {
            return Err(Refusal::precondition("COMMAND-2b7fM", "Email not changed"));
        }
        address.clone_into(&mut human.email);
        human.email_verified = verified;
    }
    let id = user.id.clone();
    let answer = write(instance, user, 2)?;
    if !verified {
        instance.mails.push(Mail { user: id, to: address.to_owned() });
    }
    Ok(answer)
}

/// `PUT …/phone`.
pub(super) fn phone(instance: &mut Instance, caller: &Caller, body: &Body) -> Answer {
    let number = check_phone(text(body, "phone"))?;
    let mut user = human(instance, caller, body, "COMMAND-3M0fs")?;
    if let Some(human) = user.human_mut() {
        if human.phone == number {
            return Err(Refusal::precondition("COMMAND-wF94r", "Phone not changed"));
        }
        human.phone = number;
        human.phone_verified = body.get("isPhoneVerified") == Some(&Value::Bool(true));
    }
    write(instance, user, 2)
}

/// `DELETE …/phone`: unlike the API v2, removing what is not there is an error.
pub(super) fn remove_phone(instance: &mut Instance, caller: &Caller, body: &Body) -> Answer {
    let mut user = human(instance, caller, body, "COMMAND-3M9fs")?;
    if let Some(human) = user.human_mut() {
        if human.phone.is_empty() {
            return Err(Refusal::of(Code::NotFound, "COMMAND-p6rsc", "Phone could not be found"));
        }
        human.phone.clear();
        human.phone_verified = false;
    }
    write(instance, user, 1)
}

const NOT_INACTIVE: (&str, &str) = ("COMMAND-6M0sf", "User is not inactive");
const NOT_ACTIVE: (&str, &str) = ("COMMAND-3NN8v", "User must be active or initial to be locked");
const NOT_LOCKED: (&str, &str) = ("COMMAND-4M0ds", "User is not locked");
static DEACTIVATE: Switch = Switch {
    unknown: "COMMAND-3M9ds",
    refused: &[(State::Inactive, "COMMAND-5M0sf", "User is already inactive")],
    becomes: State::Inactive,
};
static REACTIVATE: Switch = Switch {
    unknown: "COMMAND-4M0sd",
    refused: &[
        (State::Active, NOT_INACTIVE.0, NOT_INACTIVE.1),
        (State::Locked, NOT_INACTIVE.0, NOT_INACTIVE.1),
        (State::Initial, NOT_INACTIVE.0, NOT_INACTIVE.1),
    ],
    becomes: State::Active,
};
static LOCK: Switch = Switch {
    unknown: "COMMAND-5M9fs",
    refused: &[(State::Inactive, NOT_ACTIVE.0, NOT_ACTIVE.1), (State::Locked, NOT_ACTIVE.0, NOT_ACTIVE.1)],
    becomes: State::Locked,
};
static UNLOCK: Switch = Switch {
    unknown: "COMMAND-M0dos",
    refused: &[
        (State::Active, NOT_LOCKED.0, NOT_LOCKED.1),
        (State::Inactive, NOT_LOCKED.0, NOT_LOCKED.1),
        (State::Initial, NOT_LOCKED.0, NOT_LOCKED.1),
    ],
    becomes: State::Active,
};

fn switch(instance: &mut Instance, caller: &Caller, body: &Body, switch: &Switch) -> Answer {
    let user = own(instance, caller, text(body, "id")).ok_or_else(|| Refusal::no_user(switch.unknown))?;
    let user = switch.of(user.clone())?;
    write(instance, user, 1)
}

pub(super) fn deactivate(instance: &mut Instance, caller: &Caller, body: &Body) -> Answer {
    let initial = own(instance, caller, text(body, "id")).is_some_and(|user| user.state == State::Initial);
    if initial {
        let text = "User is initial and can only be deleted";
        return Err(Refusal::of(Code::NotFound, "COMMAND-ke0fw", text));
    }
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

/// `GET /management/v1/users/{id}`.
pub(super) fn get(instance: &mut Instance, caller: &Caller, body: &Body) -> Answer {
    instance.catch_up();
    let user = own(instance, caller, text(body, "id")).ok_or_else(|| Refusal::no_user("QUERY-Dfbg2"))?;
    Ok(json!({ "user": old_user(instance, user) }))
}

/// `GET /management/v1/policies/domain`.
#[expect(clippy::unnecessary_wraps, reason = "a command like all the others")]
pub(super) fn domain_policy(instance: &mut Instance, _: &Caller, _: &Body) -> Answer {
    let mut answer = json!({ "policy": {
        "userLoginMustBeDomain": instance.settings.user_login_must_be_domain,
        "isDefault": true,
    } });
    without_zeros(&mut answer, &[]);
    Ok(answer)
}

/// `GET /v2/settings/domain`.
#[expect(clippy::unnecessary_wraps, reason = "a command like all the others")]
pub(super) fn domain_settings(instance: &mut Instance, _: &Caller, _: &Body) -> Answer {
    let mut answer = json!({ "settings": {
        "loginNameIncludesDomain": instance.settings.user_login_must_be_domain,
        "resourceOwnerType": "RESOURCE_OWNER_TYPE_INSTANCE",
    } });
    without_zeros(&mut answer, &[]);
    Ok(answer)
}
