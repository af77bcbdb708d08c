//! What Discourse would do with a change, told before anything is sent (`discourse.md` 4 to 8).
//!
//! It knows what the account, the site's own flags (`can_edit_username` and its like) and the configuration tell. What
//! only the server knows comes as its answer: reserved names, blocked domains, required fields, groups of the same name.

use crate::model::{
    account::Account,
    attribute::Value,
    capability::{AttributeCapability, Change, Follows, Foresight, Reads, Support},
    refusal::RefusalKind,
};

use super::{
    groups, names,
    observe::{CREDENTIAL, is_confirmed, is_waiting},
    reply::LINKED,
    settings::Settings,
    switch,
    table::{CAPABILITIES, FIELD},
};

/// The longest name.
const LONGEST_NAME: usize = 255;

/// What is kept of a user field: the contract has a longest length and no number (known of Discourse; in no contract).
const LONGEST_FIELD: usize = 2048;

/// Why an account is not made.
const NO_ACCOUNT: &str = "Homeward makes no Discourse accounts: people register there or come with their first sign-in";

/// Why an address is asked for in vain.
pub(super) const PENDING: &str = "Discourse has written to the person and changes the address when she confirms it; until \
                                  then it waits";

/// How an attribute is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// By the call that is for it.
    Own,
    /// As the identity provider would.
    Connect,
}

/// True where the server facts say that this is a person's own key.
pub(super) fn is_own(account: &Account) -> bool {
    account.server_fact(CREDENTIAL) == Some("own")
}

/// True for an account that may do to others what these may not do themselves.
pub(super) fn is_staff(account: &Account) -> bool {
    account.is("is_admin") || account.is("is_moderator")
}

/// What would come of this change of this account.
pub(super) fn foresee(account: &Account, change: &Change, settings: &Settings) -> Foresight {
    let unsupported = |reason: &str| Foresight::refuses(RefusalKind::Unsupported, reason);
    let row = match sayable(account, change, settings) {
        Ok(row) => row,
        Err(reason) => return unsupported(&reason),
    };
    if row.set.is_some() {
        return match groups::group(&account.system, &change.attribute) {
            Some(group) => groups::foresee(account, change, group, is_own(account)),
            None => unsupported(groups::WHICH),
        };
    }
    match row.name {
        "active" => switch::foresee(account, change),
        "username" | "email" | "display_name" => identity(account, row, change, settings),
        _ => profile(account, row, change, settings),
    }
}

/// The row of an attribute that can be given this value; else why it cannot.
pub(super) fn sayable(
    account: &Account,
    change: &Change,
    settings: &Settings,
) -> Result<&'static AttributeCapability, String> {
    let Some(row) = CAPABILITIES.of(&account.system, &change.attribute) else {
        return Err(format!("Discourse has no attribute `{}`", change.attribute));
    };
    if row.remote == FIELD && settings.field(row.name).is_none() {
        return Err(format!(
            "which user field of Discourse's holds `{name}` has to be said: `user_fields = {{ {name} = 1 }}`",
            name = row.name
        ));
    }
    let is_of_profile = row.remote == FIELD || matches!(row.name, "bio" | "location" | "website" | "locale");
    match (row.write, row.clear) {
        (Support::No(why), _) => Err(why.to_owned()),
        (_, Support::No(why)) if change.after.is_empty() => Err(why.to_owned()),
        _ if account.id.is_none() => Err(NO_ACCOUNT.to_owned()),
        _ if is_of_profile && !settings.reads_profiles() && !account.attributes.contains_key(&change.attribute) => Err(
            format!("`{}` is not read here: set `profile = true`, which takes a request for each account", row.name),
        ),
        _ if row.remote == FIELD
            && account.facts.contains_key("can_edit_username")
            && !account.attributes.contains_key(&change.attribute) =>
        {
            let field = settings.field(row.name).unwrap_or_default();
            Err(format!("Discourse has no user field {field} for `{}` at this site", row.name))
        }
        _ => Ok(row),
    }
}

/// What a flag of the site or of the account says; `None`: nothing.
fn flag(account: &Account, name: &str) -> Option<bool> {
    account.facts.get(name).or_else(|| account.server.get(name)).and_then(Value::as_bool)
}

fn is_locked(account: &Account, row: &AttributeCapability, settings: &Settings) -> bool {
    let name = match row.name {
        "display_name" => "can_edit_name",
        "email" => "can_edit_email",
        _ => "can_edit_username",
    };
    flag(account, name).map_or_else(|| settings.overrides(row.name), |may| !may)
}

/// How one of the three attributes is changed that an identity provider may own.
pub(super) fn way(account: &Account, row: &AttributeCapability, settings: &Settings) -> Way {
    let overridden = settings.overrides(row.name) && is_locked(account, row, settings) && !is_own(account);
    if overridden && settings.discourse_connect_secret.is_some() { Way::Connect } else { Way::Own }
}

/// True where the address is one of hers already, and only has to become the first (`discourse.md` 5).
pub(super) fn is_preferred(account: &Account, change: &Change) -> bool {
    change.after.as_text().is_some_and(|wanted| is_confirmed(account, wanted))
}

fn identity(account: &Account, row: &AttributeCapability, change: &Change, settings: &Settings) -> Foresight {
    let valid = judge(row, &change.after, settings);
    if way(account, row, settings) == Way::Connect {
        if account.facts.get(LINKED) == Some(&Value::Bool(false)) {
            let reason = "the account is not tied to the identity provider yet, so nothing can be said of it in the \
                          provider's name: it has to sign in that way once";
            return Foresight::refuses(RefusalKind::Unsupported, reason);
        }
        return match valid {
            Err(reason) => Foresight::refuses(RefusalKind::Invalid, reason),
            Ok(()) if change.after.is_empty() => {
                let reason = format!("the identity provider cannot make `{}` empty", row.name);
                Foresight::refuses(RefusalKind::Unsupported, reason)
            }
            Ok(()) => Foresight::takes(),
        };
    }
    if is_locked(account, row, settings) {
        return owned(account, row, change, settings, valid);
    }
    if let Err(reason) = valid {
        return Foresight::refuses(RefusalKind::Invalid, reason);
    }
    let is_asked_for = row.name == "email"
        && !is_preferred(account, change)
        && change.after.as_text().is_some_and(|wanted| is_waiting(account, wanted));
    if is_asked_for && change.before != change.after {
        return Foresight::doomed(format!("{PENDING}. A further letter would change nothing"));
    }
    Foresight::takes()
}

/// What is said of an attribute that cannot be changed here.
fn owned(
    account: &Account,
    row: &AttributeCapability,
    change: &Change,
    settings: &Settings,
    valid: Result<(), String>,
) -> Foresight {
    let name = row.name;
    let who = settings.signs_in_through.as_deref().unwrap_or("the identity provider");
    let is_powerless = is_own(account) && !is_staff(account);
    let is_overridden = settings.overrides(name) || (name == "username" && !is_powerless);
    let why = match name {
        "email" => "`auth_overrides_email` is on there, or `email_editable` off",
        "display_name" => "`auth_overrides_name` is on there, or `enable_names` off",
        _ => "`auth_overrides_username` is on there",
    };
    let help =
        "; change it there, or set `discourse_connect_secret` and `auth_overrides`, and it is told as from there";
    let foresight = match (name, is_overridden) {
        // Names are passed over without a word, whoever asks.
        ("display_name", true) => {
            Foresight::doomed(format!("Discourse takes `{name}` from {who} and would drop ours without a word{help}"))
        }
        ("display_name", false) => Foresight::doomed(format!("Discourse would drop `{name}` without a word: {why}")),
        (_, true) if name == "email" || !is_powerless => {
            Foresight::refuses(RefusalKind::OwnedElsewhere, format!("Discourse takes `{name}` from {who}{help}"))
        }
        // Staff is let do it, for as long as nobody else's word counts; others for some days (known of Discourse; in no
        // contract).
        _ if name == "username" && is_powerless && !is_overridden => {
            let reason = "Discourse lets her change her `username` no more: the days for it are over \
                          (`username_change_period`), or it comes from elsewhere (`auth_overrides_username`). In the first \
                          case a key of an administrator can change it";
            Foresight::refuses(RefusalKind::Forbidden, reason)
        }
        _ => Foresight::refuses(RefusalKind::Forbidden, format!("Discourse lets nobody change `{name}`: {why}")),
    };
    match &settings.signs_in_through {
        Some(provider) if settings.overrides(name) => foresight.following(Follows {
            provider: provider.clone(),
            when: format!("at the next sign-in through {provider}"),
            becomes: valid.map(|()| change.after.clone()),
            reads: Reads::Same,
        }),
        _ => foresight,
    }
}

fn profile(account: &Account, row: &AttributeCapability, change: &Change, settings: &Settings) -> Foresight {
    if let Err(reason) = judge(row, &change.after, settings) {
        return Foresight::refuses(RefusalKind::Invalid, reason);
    }
    if row.name == "title" && is_own(account) && !is_staff(account) && !change.after.is_empty() {
        return Foresight::doomed(
            "a title is given by staff, or comes with a badge or a group: Discourse drops one's own wish for another without \
             a word. A key of an administrator can give it",
        );
    }
    if matches!(row.name, "bio" | "location" | "website")
        && flag(account, &format!("can_change_{}", row.name)) == Some(false)
    {
        let who = settings.signs_in_through.as_deref().unwrap_or("the identity provider");
        let reason = format!("Discourse takes `{}` from {who} and would drop ours without a word", row.name);
        return Foresight::doomed(reason);
    }
    Foresight::takes()
}

/// The rules that can be judged from here.
fn judge(row: &AttributeCapability, after: &Value, settings: &Settings) -> Result<(), String> {
    let text = match after {
        Value::Text(text) => text.as_ref(),
        Value::Empty => return Ok(()),
        Value::Bool(_) => return Err(format!("`{}` is a text, not true or false", row.name)),
    };
    match row.name {
        "username" => names::judge(text, settings),
        "email" if !names::is_address(text) => Err("`email` is no e-mail address that Discourse takes".to_owned()),
        "display_name" if text.chars().count() > LONGEST_NAME => {
            Err(format!("Discourse takes names of at most {LONGEST_NAME} characters"))
        }
        name if row.remote == FIELD && text.chars().count() > LONGEST_FIELD => {
            Err(format!("Discourse keeps the first {LONGEST_FIELD} characters of `{name}` only"))
        }
        name if row.remote == FIELD && text == "false" => {
            Err(format!("Discourse takes the word `false` in `{name}` for a wish to empty it"))
        }
        _ => Ok(()),
    }
}
