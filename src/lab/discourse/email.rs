//! Addresses: asked for, confirmed by whoever reads the mail, taken back (`discourse.md` 5).

use std::time::Duration;

use super::{
    answer::Answer,
    asked::{Asked, as_text},
    caller::Caller,
    reading,
    site::{Site, same},
    user::{Pending, User},
};

const TAKEN: &str = "There was an error changing your email address. Perhaps the address is already in use?";
const STAGED: &str = "There was an error changing your email address. The address is already in use by a staged user.";
const NO_ADDRESS: &str = "Email is invalid.";
const BLOCKED: &str = "Email is not allowed from that email provider. Please use another email address.";
const TOO_OFTEN: &str = "You’ve performed this action too many times, please try again later.";
const NOT_YOURS: &str = "That email address is not associated with your account.";

/// Asks for another primary address.
pub(super) fn change(site: &mut Site, caller: &Caller, name: &str, asked: &Asked) -> Result<Answer, Answer> {
    ask(site, caller, name, asked, false)
}

/// Asks for one more address.
pub(super) fn add(site: &mut Site, caller: &Caller, name: &str, asked: &Asked) -> Result<Answer, Answer> {
    if !site.settings.enable_secondary_emails {
        return Err(Answer::empty(410));
    }
    ask(site, caller, name, asked, true)
}

fn ask(site: &mut Site, caller: &Caller, name: &str, asked: &Asked, adds: bool) -> Result<Answer, Answer> {
    caller.must_be_somebody()?;
    let wanted = asked.present("email").and_then(as_text).ok_or_else(|| Answer::missing("email"))?;
    let user = reading::visible(site, caller, name)?.clone();
    if !user.is_staff() {
        let count = format!("change email {}", user.id);
        let limits = [("minute", 3, Duration::from_mins(1)), ("hour", 6, Duration::from_hours(1))];
        for (window, most, length) in limits {
            let counted = site.limiter.count(&format!("{count} {window}"), most, length);
            counted.map_err(|_| Answer::invalid(TOO_OFTEN))?;
        }
    }
    if !caller.may_edit_email(site, user.id) {
        return Err(Answer::forbidden());
    }
    let wanted = wanted.trim().to_lowercase();
    if !is_address(&wanted) {
        return Err(Answer::invalid(NO_ADDRESS));
    }
    let domain = wanted.rsplit('@').next().unwrap_or_default();
    if site.settings.blocked_email_domains.iter().any(|blocked| same(blocked, domain)) {
        return Err(Answer::invalid(BLOCKED));
    }
    if let Some(holder) = site.holder(&wanted) {
        if site.settings.hide_email_address_taken {
            return Ok(Answer::empty(200));
        }
        return Err(Answer::invalid(if holder.staged { STAGED } else { TAKEN }));
    }
    let old_first = user.is_staff() || site.settings.require_change_email_confirmation;
    let (about, to) =
        if old_first && !adds { ("confirm_old", user.email.clone()) } else { ("confirm_new", wanted.clone()) };
    site.mail(about, &to);
    site.tick();
    if let Some(user) = site.users.get_mut(&user.id) {
        user.pending.retain(|one| one.email != wanted);
        user.pending.push(Pending { email: wanted, old_first: old_first && !adds, adds });
    }
    Ok(Answer::empty(200))
}

/// Makes a confirmed address the primary one.
pub(super) fn prefer(site: &mut Site, caller: &Caller, name: &str, asked: &Asked) -> Result<Answer, Answer> {
    caller.must_be_somebody()?;
    let wanted = asked.present("email").and_then(as_text).ok_or_else(|| Answer::missing("email"))?;
    let user = reading::visible(site, caller, name)?.clone();
    if !caller.may_edit_email(site, user.id) {
        return Err(Answer::forbidden());
    }
    if !user.holds(&wanted) {
        return Err(Answer::failed_with(428, &[NOT_YOURS]));
    }
    if !same(&user.email, &wanted) {
        site.tick();
        if let Some(user) = site.users.get_mut(&user.id) {
            user.secondary.retain(|other| !same(other, &wanted));
            let old = std::mem::replace(&mut user.email, wanted.to_lowercase());
            user.secondary.push(old);
        }
    }
    Ok(Answer::ok())
}

/// Takes back a request, or a secondary address.
pub(super) fn drop(site: &mut Site, caller: &Caller, name: &str, asked: &Asked) -> Result<Answer, Answer> {
    caller.must_be_somebody()?;
    let wanted = asked.present("email").and_then(as_text).ok_or_else(|| Answer::missing("email"))?;
    let user = reading::visible(site, caller, name)?.clone();
    if !caller.may_edit_email(site, user.id) {
        return Err(Answer::forbidden());
    }
    let is_it = |other: &str| same(other, &wanted);
    if !user.pending.iter().any(|one| is_it(&one.email)) && !user.secondary.iter().any(|other| is_it(other)) {
        return Err(Answer::failed_with(428, &[NOT_YOURS]));
    }
    site.tick();
    if let Some(user) = site.users.get_mut(&user.id) {
        user.pending.retain(|one| !is_it(&one.email));
        user.secondary.retain(|other| !is_it(other));
    }
    Ok(Answer::ok())
}

/// The person clicks in the mail she got last. True where her address is another one now.
pub(super) fn confirm(site: &mut Site, user: &str) -> Result<bool, String> {
    let id = site.found(user).ok_or_else(|| format!("nobody is called `{user}`"))?;
    let user = site.users.get(&id).cloned().unwrap_or_default();
    let waiting = user.pending.last().cloned().ok_or_else(|| "nothing waits for a confirmation".to_owned())?;
    if waiting.old_first {
        site.mail("confirm_new", &waiting.email);
        if let Some(last) = site.users.get_mut(&id).and_then(|user| user.pending.last_mut()) {
            last.old_first = false;
        }
        return Ok(false);
    }
    if site.users.values().any(|other| other.id != id && other.holds(&waiting.email)) {
        return Err("somebody else has the address by now".to_owned());
    }
    site.tick();
    let Some(user) = site.users.get_mut(&id) else { return Ok(false) };
    user.pending.pop();
    Ok(settle(user, waiting))
}

fn settle(user: &mut User, waiting: Pending) -> bool {
    if waiting.adds {
        user.secondary.push(waiting.email);
        return false;
    }
    user.email = waiting.email;
    user.active = true;
    true
}

/// The form: a dotted word, and a domain of at least two parts.
pub(super) fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let is_atom = |atom: &str| {
        !atom.is_empty() && atom.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+/=?^_`{|}~-".contains(c))
    };
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    local.split('.').all(is_atom) && domain.contains('.') && domain.split('.').all(is_label)
}
