//! Making users: the API v2, its older form, and the old import (`zitadel.md` 7).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    access::{Caller, Permission, check},
    changes::{Codes, check_email, check_phone, link, list, part, text},
    instance::{Human, Instance, Kind, Link, Machine, Mail, State, User, details, time},
    metadata,
    refusal::Refusal,
    values,
};

type Body = Map<String, Value>;
type Answer = Result<Value, Refusal>;

/// A human to be, from any of the three ways.
struct Draft {
    organization: String,
    id: Option<String>,
    /// Empty: the e-mail address.
    username: String,
    human: Human,
    links: Vec<Link>,
    metadata: Vec<Value>,
    initial: bool,
}

/// `POST /v2/users/new`.
pub(super) fn create_user(instance: &mut Instance, caller: &Caller, body: &Body) -> Answer {
    let organization = text(body, "organizationId").to_owned();
    let id = body.get("userId").and_then(Value::as_str).map(str::to_owned);
    let username = text(body, "username").trim().to_owned();
    let metadata = list(body, "metadata");
    if let Some(machine) = part(body, "machine") {
        let machine = Machine {
            name: text(machine, "name").trim().to_owned(),
            description: text(machine, "description").to_owned(),
            token_type: match text(machine, "accessTokenType") {
                "" => "ACCESS_TOKEN_TYPE_BEARER".to_owned(),
                named => named.to_owned(),
            },
        };
        let user = create_machine(instance, caller, &organization, id, username, machine, metadata)?;
        return Ok(json!({ "id": user.id, "creationDate": time(user.created) }));
    }
    let nobody = Map::new();
    let human = part(body, "human").unwrap_or(&nobody);
    let own = list(human, "metadata");
    if !metadata.is_empty() && !own.is_empty() {
        return Err(Refusal::invalid("USERv2-j0z7uy", "Metadata is given twice"));
    }
    let metadata = if metadata.is_empty() { own } else { metadata };
    let draft = Draft {
        organization,
        id,
        username,
        human: Human::default(),
        links: list(human, "idpLinks").iter().map(link).collect(),
        metadata: metadata.to_vec(),
        initial: false,
    };
    let (user, codes) = create_human(instance, caller, draft, human)?;
    Ok(codes.into_answer(json!({ "id": user.id, "creationDate": time(user.created) })))
}

/// `POST /v2/users/human`.
pub(super) fn add_human(instance: &mut Instance, caller: &Caller, body: &Body) -> Answer {
    let organization = part(body, "organization").map(|organization| text(organization, "orgId")).unwrap_or_default();
    let draft = Draft {
        organization: if organization.is_empty() { caller.organization.clone() } else { organization.to_owned() },
        id: body.get("userId").and_then(Value::as_str).map(str::to_owned),
        username: text(body, "username").trim().to_owned(),
        human: Human::default(),
        links: list(body, "idpLinks").iter().map(link).collect(),
        metadata: list(body, "metadata").to_vec(),
        initial: false,
    };
    let (user, codes) = create_human(instance, caller, draft, body)?;
    Ok(codes.into_answer(json!({ "userId": user.id, "details": details(&user) })))
}

/// The parts of the API v2 as a human.
fn create_human(
    instance: &mut Instance,
    caller: &Caller,
    mut draft: Draft,
    given: &Body,
) -> Result<(User, Codes), Refusal> {
    let nobody = Map::new();
    let profile = part(given, "profile").unwrap_or(&nobody);
    let email = part(given, "email").unwrap_or(&nobody);
    let phone = part(given, "phone").unwrap_or(&nobody);
    check_email(text(email, "email"))?;
    let trimmed = |name: &str| text(profile, name).trim().to_owned();
    let verified = |of: &Body| of.get("isVerified") == Some(&Value::Bool(true));
    let number = text(phone, "phone");
    draft.human = Human {
        given_name: trimmed("givenName"),
        family_name: trimmed("familyName"),
        nick_name: trimmed("nickName"),
        display_name: trimmed("displayName"),
        preferred_language: values::language(text(profile, "preferredLanguage")),
        gender: text(profile, "gender").to_owned(),
        email: text(email, "email").to_owned(),
        email_verified: verified(email),
        phone: if number.is_empty() { String::new() } else { check_phone(number)? },
        phone_verified: verified(phone),
        password: part(given, "password").map(|password| text(password, "password").to_owned()),
    };
    let mut codes = Codes::default();
    if email.contains_key("returnCode") {
        codes.email = Some(instance.fresh_code());
    }
    if phone.contains_key("returnCode") {
        codes.phone = Some(instance.fresh_code());
    }
    // An explicit `isVerified: false` means unverified and silent here, unlike in an update.
    let mails = !email.contains_key("isVerified") && !email.contains_key("returnCode");
    let user = create(instance, caller, draft)?;
    if mails {
        let to = user.human().map(|human| human.email.clone()).unwrap_or_default();
        instance.mails.push(Mail { user: user.id.clone(), to });
    }
    Ok((user, codes))
}

/// `POST /management/v1/users/human/_import`.
pub(super) fn import_human(instance: &mut Instance, caller: &Caller, body: &Body) -> Answer {
    let nobody = Map::new();
    let profile = part(body, "profile").unwrap_or(&nobody);
    let email = part(body, "email").unwrap_or(&nobody);
    let phone = part(body, "phone").unwrap_or(&nobody);
    check_email(text(email, "email"))?;
    let trimmed = |name: &str| text(profile, name).trim().to_owned();
    let verified = |of: &Body, name: &str| of.get(name) == Some(&Value::Bool(true));
    let number = text(phone, "phone");
    let hash = part(body, "hashedPassword").map(|hash| text(hash, "value")).unwrap_or_default();
    let password = [text(body, "password"), hash].into_iter().find(|text| !text.is_empty()).map(str::to_owned);
    let links: Vec<Link> = list(body, "idps")
        .iter()
        .map(|idp| {
            let text = |name: &str| idp[name].as_str().unwrap_or_default().to_owned();
            let (idp, user, name) = (text("configId"), text("externalUserId"), text("displayName"));
            Link { idp, user, name, auto_update: false }
        })
        .collect();
    let email_verified = verified(email, "isEmailVerified");
    let human = Human {
        given_name: trimmed("firstName"),
        family_name: trimmed("lastName"),
        nick_name: trimmed("nickName"),
        display_name: trimmed("displayName"),
        preferred_language: values::language(text(profile, "preferredLanguage")),
        gender: text(profile, "gender").to_owned(),
        email: text(email, "email").to_owned(),
        email_verified,
        phone: if number.is_empty() { String::new() } else { check_phone(number)? },
        phone_verified: verified(phone, "isPhoneVerified"),
        password: password.clone(),
    };
    let draft = Draft {
        organization: caller.organization.clone(),
        id: None,
        username: text(body, "userName").trim().to_owned(),
        initial: links.is_empty() && (!email_verified || password.is_none()),
        human,
        links,
        metadata: Vec::new(),
    };
    let user = create(instance, caller, draft)?;
    Ok(json!({ "userId": user.id, "details": details(&user) }))
}

fn create(instance: &mut Instance, caller: &Caller, draft: Draft) -> Result<User, Refusal> {
    let Draft { organization, id, mut username, mut human, links, metadata: entries, initial } = draft;
    metadata::check(&entries)?;
    let id = prepare(instance, caller, &organization, id)?;
    if username.is_empty() {
        username.clone_from(&human.email);
    }
    instance.check_domain(&organization, &username)?;
    if human.display_name.is_empty() {
        human.display_name = human.whole_name();
    }
    if human.gender.is_empty() {
        "GENDER_UNSPECIFIED".clone_into(&mut human.gender);
    }
    let state = if initial { State::Initial } else { State::Active };
    let user = fresh(id, organization, username, state, Kind::Human(human), links);
    push(instance, user, &entries)
}

fn create_machine(
    instance: &mut Instance,
    caller: &Caller,
    organization: &str,
    id: Option<String>,
    username: String,
    machine: Machine,
    entries: &[Value],
) -> Result<User, Refusal> {
    metadata::check(entries)?;
    let id = prepare(instance, caller, organization, id)?;
    let username = if username.is_empty() { id.clone() } else { username };
    instance.check_domain(organization, &username)?;
    let user = fresh(id, organization.to_owned(), username, State::Active, Kind::Machine(machine), Vec::new());
    push(instance, user, entries)
}

/// Permission, organization, id: in this order.
fn prepare(
    instance: &mut Instance,
    caller: &Caller,
    organization: &str,
    id: Option<String>,
) -> Result<String, Refusal> {
    check(instance, caller, Permission::Write, organization, "AUTH-AWfge")?;
    if !instance.organizations.contains_key(organization) {
        return Err(Refusal::precondition("COMMAND-QXPGs", "Organisation doesn't exist"));
    }
    if id.as_deref().is_some_and(|id| instance.user(id).is_some()) {
        return Err(Refusal::precondition("COMMAND-7yiox1isql", "Errors.User.AlreadyExisting"));
    }
    Ok(id.unwrap_or_else(|| instance.fresh_id()))
}

/// A user without a history.
pub(super) fn fresh(
    id: String,
    organization: String,
    username: String,
    state: State,
    kind: Kind,
    links: Vec<Link>,
) -> User {
    User {
        id,
        organization,
        username,
        state,
        kind,
        metadata: BTreeMap::new(),
        links,
        sequence: 0,
        created: 0,
        changed: 0,
    }
}

fn push(instance: &mut Instance, mut user: User, entries: &[Value]) -> Result<User, Refusal> {
    let events = 1 + metadata::set(&mut user, entries, true, instance.now(), 1) + user.links.len() as u64;
    let id = user.id.clone();
    instance.push(&id, Some(user), events).map(|user| user.as_ref().clone())
}
