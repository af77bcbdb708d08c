//! What came of a call (`discourse.md` 4 to 9): the answer where it proves something, else a second look.
//!
//! A success may be none: profiles drop what they are not let change, an address only waits, and a name that somebody has
//! becomes a variant where the identity provider asks for it. And a no may be none: the name is so already, the account is
//! suspended already, the letter was sent an hour ago.

use std::sync::Arc;

use serde_json::Value as Json;

use crate::{
    connector::{ConnectorError, unavailable},
    model::{
        account::Account,
        attribute::{AttributeName, Value},
        id::AccountId,
        plan::{Call, Operation},
        refusal::{Refusal, RefusalKind},
    },
    wire::{Reply, Writer},
};

use super::{
    calls::{asks_address, prefers_address},
    connect::{self, Known},
    foresee::PENDING,
    groups::{self, MEMBER},
    observe::{Looker, is_waiting, profile_path},
    reply,
    settings::{ConnectSecret, Settings},
};

/// Sends a call, and whatever has to be looked at before and after.
pub(super) async fn perform(call: &Call, wire: &mut Writer<'_>, settings: &Settings) -> Result<Account, Refusal> {
    let Some(id) = call.account.clone() else {
        return Err(Refusal::new(RefusalKind::Unsupported, "Homeward makes no Discourse accounts"));
    };
    let looks = || call.headers.clone();
    if connect::is_it(call) {
        return told_as_provider(call, &id, wire, settings).await;
    }
    if asks_address(call) {
        let looker = Looker::new(wire.reader(), settings, looks());
        if let Some(waiting) = waiting(call, &id, &looker).await? {
            return waiting;
        }
    }
    let mut reply = wire.send().await.map_err(|error| unavailable(&error))?;
    // Whoever was renamed is not found by her old name.
    if reply.status == 404
        && call.path.starts_with("/u/")
        && let Some(now) = Looker::new(wire.reader(), settings, looks()).moved(call, &id).await?
    {
        match now {
            Moved::Done(account) => return Ok(*account),
            Moved::To(path) => {
                reply = wire.send_as(&path, &call.body).await.map_err(|error| unavailable(&error))?;
            }
        }
    }
    let looker = Looker::new(wire.reader(), settings, looks());
    settle(call, &id, &reply, &looker, settings).await
}

/// Where somebody is who is not found by her name.
enum Moved {
    /// She has the name that was to be given.
    Done(Box<Account>),
    To(String),
}

impl Looker<'_> {
    async fn moved(&self, call: &Call, id: &AccountId) -> Result<Option<Moved>, Refusal> {
        let Some(account) = look(self, id).await? else { return Ok(None) };
        let name = account.value(&AttributeName::new("username"));
        if call.intends.get(&AttributeName::new("username")) == Some(&name) {
            return Ok(Some(Moved::Done(Box::new(account))));
        }
        let Some(rest) = call.path.strip_prefix("/u/") else { return Ok(None) };
        let end = rest.find('/').or_else(|| rest.rfind(".json")).unwrap_or(rest.len());
        let path = format!("{}{}", profile_path(name.as_text().unwrap_or_default()), &rest[end..]);
        Ok((path != call.path).then_some(Moved::To(path)))
    }
}

/// The account as staff sees it now, or the person herself where the key is hers; `None` where there is none.
async fn look(looker: &Looker<'_>, id: &AccountId) -> Result<Option<Account>, Refusal> {
    if looker.is_own() {
        let account = looker.mine().await.map_err(|error| unseen(&error))?;
        return Ok((account.id.as_ref() == Some(id)).then_some(account));
    }
    let detail = looker.detail(id).await.map_err(|error| unseen(&error))?;
    detail.map(|user| looker.account(&user).map_err(|error| unseen(&error))).transpose()
}

/// The account with its address, and the one that waits.
async fn look_at_address(looker: &Looker<'_>, id: &AccountId) -> Result<Option<Account>, Refusal> {
    let Some(mut account) = look(looker, id).await? else { return Ok(None) };
    if looker.is_own() {
        return Ok(Some(account));
    }
    let name = account.value(&AttributeName::new("username"));
    looker.addresses(&mut account, name.as_text().unwrap_or_default()).await.map_err(|error| unseen(&error))?;
    Ok(Some(account))
}

fn unseen(error: &ConnectorError) -> Refusal {
    match error {
        ConnectorError::Refused { refusal, .. } => refusal.clone(),
        other => {
            Refusal::new(RefusalKind::Unavailable, format!("Discourse could not be looked at for this call: {other}"))
        }
    }
}

fn gone() -> Refusal {
    Refusal::new(RefusalKind::NotFound, "Discourse has no such account any more")
}

fn pending(status: Option<u16>) -> Refusal {
    Refusal { status, ..Refusal::new(RefusalKind::Ineffective, PENDING) }
}

/// What is known of an address before it is asked for: it may be so already, or be waiting.
async fn waiting(
    call: &Call,
    id: &AccountId,
    looker: &Looker<'_>,
) -> Result<Option<Result<Account, Refusal>>, Refusal> {
    let wanted = call.body.get("email").and_then(Json::as_str).unwrap_or_default();
    let account = look_at_address(looker, id).await?.ok_or_else(gone)?;
    if account.value(&AttributeName::new("email")).as_text() == Some(wanted) {
        return Ok(Some(Ok(account)));
    }
    Ok(is_waiting(&account, wanted).then(|| Err(pending(None))))
}

/// Understands the answer.
async fn settle(
    call: &Call,
    id: &AccountId,
    reply: &Reply,
    looker: &Looker<'_>,
    settings: &Settings,
) -> Result<Account, Refusal> {
    let membership = call.intends.iter().find(|(name, _)| groups::group(&call.system, name).is_some());
    if !reply.is_success() {
        if reply::is_unchanged(reply) && call.path.ends_with("/preferences/username.json") {
            return look(looker, id).await?.ok_or_else(gone);
        }
        return refused(call, id, reply, looker, settings).await;
    }
    if asks_address(call) {
        return asked(call, id, reply, looker).await;
    }
    if prefers_address(call) {
        return look_at_address(looker, id).await?.ok_or_else(gone);
    }
    let bare = || {
        let mut account = Account::absent(call.system.clone(), Arc::default());
        account.id = Some(id.clone());
        account
    };
    if let Some((attribute, _)) = membership {
        // The pair answers nothing at all: the account shows its groups.
        let group = groups::group(&call.system, attribute).unwrap_or_default();
        let Some(detail) = looker.detail(id).await.map_err(|error| unseen(&error))? else { return Err(gone()) };
        let mut account = looker.account(&detail).map_err(|error| unseen(&error))?;
        let shown = detail.get("groups").and_then(Json::as_array).into_iter().flatten();
        let is_it =
            |one: &Json| one.get("name").and_then(Json::as_str).is_some_and(|name| name.eq_ignore_ascii_case(group));
        let held = if shown.into_iter().any(is_it) { Value::text(MEMBER) } else { Value::Empty };
        account.attributes.insert(attribute.clone(), held);
        return Ok(account);
    }
    let body = reply.json().unwrap_or_default();
    if matches!(call.operation, Operation::Disable | Operation::Enable) {
        let mut account = bare();
        let suspended = body.get("suspension").map(|it| it.get("suspended_at").is_some_and(|at| !at.is_null()));
        account.attributes.insert(AttributeName::new("active"), Value::Bool(!suspended.unwrap_or(false)));
        return Ok(account);
    }
    let shown = body.get("user").unwrap_or(&body);
    match looker.account(shown) {
        Ok(account) if account.id.as_ref() == Some(id) => Ok(account),
        _ => look(looker, id).await?.ok_or_else(gone),
    }
}

/// What came of asking for an address: nothing changed yet, and where even no letter was sent, somebody has it.
async fn asked(call: &Call, id: &AccountId, reply: &Reply, looker: &Looker<'_>) -> Result<Account, Refusal> {
    let account = look_at_address(looker, id).await?.ok_or_else(gone)?;
    let wanted = call.body.get("email").and_then(Json::as_str);
    if account.value(&AttributeName::new("email")).as_text() == wanted {
        return Ok(account);
    }
    if wanted.is_some_and(|wanted| is_waiting(&account, wanted)) {
        return Err(pending(Some(reply.status)));
    }
    let reason = "Discourse said yes and did nothing, which it does where somebody else has the `email` and nobody shall \
                  know (`hide_email_address_taken`)";
    Err(Refusal { status: Some(reply.status), ..Refusal::new(RefusalKind::Taken, reason) })
}

/// Understands a no, with a second look where the answer alone could mean two things.
async fn refused(
    call: &Call,
    id: &AccountId,
    reply: &Reply,
    looker: &Looker<'_>,
    settings: &Settings,
) -> Result<Account, Refusal> {
    let refusal = reply::refusal(reply);
    let is_switch = matches!(call.operation, Operation::Disable | Operation::Enable);
    if is_switch && matches!(reply.status, 403 | 409) {
        // Suspended already, active already.
        let account = look(looker, id).await?.ok_or_else(gone)?;
        let active = AttributeName::new("active");
        if call.intends.get(&active) == account.attributes.get(&active) {
            return Ok(account);
        }
        return Err(refusal);
    }
    let say = |kind: RefusalKind, reason: &str| Refusal { kind, reason: reason.to_owned(), ..refusal.clone() };
    let overridden = |name: &str| {
        let who = settings.signs_in_through.as_deref().unwrap_or("the identity provider");
        Refusal {
            kind: RefusalKind::OwnedElsewhere,
            reason: format!("Discourse takes `{name}` from {who}: change it there"),
            belongs_to: settings.signs_in_through.clone(),
            ..refusal.clone()
        }
    };
    if reply.status == 404 {
        // Under `/admin` it may be our key, which is looked at here too.
        return Err(match look(looker, id).await? {
            None => refusal,
            Some(_) if call.path.contains("/groups") => {
                say(RefusalKind::NotFound, "the group is gone at Discourse in the meantime; plan again")
            }
            Some(_) => {
                say(RefusalKind::Unsupported, "Discourse has this call switched off, or the key does not reach it")
            }
        });
    }
    if call.path.ends_with("/preferences/username.json") && reply.status == 422 {
        let name = call.body.get("new_username").and_then(Json::as_str).unwrap_or_default();
        return Err(match name_trouble(looker, id, name).await.map_err(|error| unseen(&error))? {
            Trouble::Locked => overridden("username"),
            Trouble::Taken(by) => say(RefusalKind::Taken, by),
            Trouble::None => say(
                RefusalKind::Invalid,
                "Discourse does not accept the `username`: it may be reserved there, or break a rule of the site's",
            ),
        });
    }
    if asks_address(call) || prefers_address(call) {
        return Err(match reply.status {
            403 if settings.overrides("email") => overridden("email"),
            428 => {
                say(RefusalKind::Invalid, "the `email` is no further address of hers at Discourse any more; plan again")
            }
            422 if looker.is_own() => {
                let reason = "Discourse does not accept the `email`: somebody else may have it, its domain may be blocked \
                              there, or it was asked for too often (3 times a minute, 6 an hour)";
                say(RefusalKind::Invalid, reason)
            }
            422 => {
                let email = call.body.get("email").and_then(Json::as_str).unwrap_or_default();
                let taken = looker.is_address_held(email).await;
                if taken {
                    say(RefusalKind::Taken, "the `email` belongs to somebody else at Discourse")
                } else {
                    let reason = "Discourse does not accept the `email`: its domain may be blocked there, somebody may have \
                                  it as a further address, or it was asked for too often (3 times a minute, 6 an hour)";
                    say(RefusalKind::Invalid, reason)
                }
            }
            _ => refusal,
        });
    }
    if call.path.contains("/groups") && reply.status == 422 {
        return Err(say(
            RefusalKind::Unsupported,
            "the group fills itself at Discourse: nobody is put in or taken out",
        ));
    }
    if reply.status == 422 && call.body.get("user_fields").is_some() {
        let reason = "Discourse does not accept the values sent: a user field that is required there cannot be empty";
        return Err(say(RefusalKind::Invalid, reason));
    }
    Err(refusal)
}

/// Why a name was not taken.
enum Trouble {
    Locked,
    Taken(&'static str),
    None,
}

async fn name_trouble(looker: &Looker<'_>, id: &AccountId, name: &str) -> Result<Trouble, ConnectorError> {
    if looker.is_own() {
        if looker.mine().await?.facts.get("can_edit_username") == Some(&Value::Bool(false)) {
            return Ok(Trouble::Locked);
        }
    } else if let Some(detail) = looker.detail(id).await? {
        let own = detail.get("username").and_then(Json::as_str).unwrap_or_default();
        let profile = looker.there(&format!("{}.json", profile_path(own)), &[]).await?;
        let may = profile.and_then(|shown| shown.get("user")?.get("can_edit_username")?.as_bool());
        if may == Some(false) {
            return Ok(Trouble::Locked);
        }
    }
    let holder = looker.there(&format!("{}.json", profile_path(name)), &[]).await?;
    let holder = holder.and_then(|shown| shown.get("user")?.get("id")?.as_i64());
    if holder.is_some_and(|holder| holder.to_string() != id.as_str()) {
        return Ok(Trouble::Taken("the `username` belongs to somebody else at Discourse"));
    }
    let group = looker.there(&format!("/groups/{}.json", super::observe::segment(name)), &[]).await?;
    Ok(if group.is_some() { Trouble::Taken("the `username` belongs to a group at Discourse") } else { Trouble::None })
}

/// Says something in the identity provider's name, and looks what came of it.
async fn told_as_provider(
    call: &Call,
    id: &AccountId,
    wire: &mut Writer<'_>,
    settings: &Settings,
) -> Result<Account, Refusal> {
    let Some(ConnectSecret::Read(secret)) = &settings.discourse_connect_secret else {
        return Err(Refusal::new(RefusalKind::Forbidden, "there is no `discourse_connect_secret` to sign with"));
    };
    let body = {
        let looker = Looker::new(wire.reader(), settings, call.headers.clone());
        let detail = looker.detail(id).await.map_err(|error| unseen(&error))?.ok_or_else(gone)?;
        let known = known(&detail).ok_or_else(|| {
            let reason = "the account is not tied to the identity provider yet: it has to sign in that way once";
            Refusal::new(RefusalKind::Unsupported, reason)
        })?;
        let wanted = call.body.get(connect::SAID).and_then(|said| said.get("username")?.as_str());
        if let Some(name) = wanted {
            // Discourse would not say no, and take another name.
            match name_trouble_for_provider(&looker, id, name).await.map_err(|error| unseen(&error))? {
                Some(by) => return Err(Refusal::new(RefusalKind::Taken, by)),
                None => connect::signed(call, &known, secret)?,
            }
        } else {
            connect::signed(call, &known, secret)?
        }
    };
    let reply = wire.send_form(connect::PATH, &body).await.map_err(|error| unavailable(&error))?;
    let looker = Looker::new(wire.reader(), settings, call.headers.clone());
    if !reply.is_success() {
        let refusal = reply::refusal(&reply);
        let say = |kind: RefusalKind, reason: &str| Refusal { kind, reason: reason.to_owned(), ..refusal.clone() };
        return Err(match reply.status {
            // Without a body it is DiscourseConnect that is off; with one it may be our key.
            404 if reply.text().is_empty() => say(
                RefusalKind::Unsupported,
                "`enable_discourse_connect` is off there, so nothing can be said in the identity provider's name",
            ),
            404 if look(&looker, id).await?.is_some() => say(RefusalKind::Forbidden, reply::NEEDS),
            422 => say(
                RefusalKind::Forbidden,
                "Discourse does not take the signature: is `discourse_connect_secret` right?",
            ),
            403 => {
                let email = call.body.get(connect::SAID).and_then(|said| said.get("email")?.as_str());
                let taken = match email {
                    Some(email) => looker.is_address_held(email).await,
                    None => false,
                };
                if taken {
                    say(RefusalKind::Taken, "the `email` belongs to somebody else at Discourse")
                } else {
                    say(RefusalKind::Invalid, "Discourse does not accept the values sent")
                }
            }
            _ => refusal,
        });
    }
    let needs_address = call.intends.contains_key(&AttributeName::new("email"));
    let seen = if needs_address { look_at_address(&looker, id).await? } else { look(&looker, id).await? };
    seen.ok_or_else(gone)
}

async fn name_trouble_for_provider(
    looker: &Looker<'_>,
    id: &AccountId,
    name: &str,
) -> Result<Option<&'static str>, ConnectorError> {
    let holder = looker.there(&format!("{}.json", profile_path(name)), &[]).await?;
    let holder = holder.and_then(|shown| shown.get("user")?.get("id")?.as_i64());
    if holder.is_some_and(|holder| holder.to_string() != id.as_str()) {
        return Ok(Some("the `username` belongs to somebody else at Discourse"));
    }
    let group = looker.there(&format!("/groups/{}.json", super::observe::segment(name)), &[]).await?;
    Ok(group.map(|_| "the `username` belongs to a group at Discourse"))
}

/// What has to be said of an account so that nothing else of it changes; `None` where it is not tied to a provider.
fn known(detail: &Json) -> Option<Known> {
    let external_id = detail.get("single_sign_on_record")?.get("external_id")?.as_str()?.to_owned();
    let groups = detail.get("groups").and_then(Json::as_array).into_iter().flatten();
    let by_hand = groups.filter(|group| group.get("automatic").and_then(Json::as_bool) != Some(true));
    Some(Known {
        external_id,
        groups: by_hand.filter_map(|group| Some(group.get("name")?.as_str()?.to_owned())).collect(),
        is_active: detail.get("active").and_then(Json::as_bool) != Some(false),
    })
}
