//! Making an account (`nextcloud.md` 5, `POST /cloud/users`).

use serde_json::json;

use super::{asked::Asked, door::Caller, editing, envelope::Answer, instance::Instance, seed, values};

/// Makes an account of the database.
pub(super) fn create(instance: &mut Instance, caller: &Caller, asked: &Asked<'_>) -> Answer {
    let mut id = asked.text("userid");
    let (password, email, groups) = (asked.text("password"), asked.text("email"), asked.list("groups"));
    let settings = instance.settings.clone();
    if id.is_empty() && settings.generates_ids {
        if settings.ids_run_out {
            return Answer::no(111, "Could not create non-existing user ID");
        }
        instance.given += 1;
        id = format!("{:020}", instance.given);
    }
    if instance.users.contains_key(&id) {
        return Answer::no(102, "User already exists");
    }
    let led = instance.leads(&caller.id);
    let everybodys = instance.is_admin(&caller.id) || instance.is_delegated(&caller.id);
    for group in &groups {
        if !instance.groups.contains_key(group) {
            return Answer::no(104, &format!("Group {group} does not exist"));
        }
        if !everybodys && !led.contains(group) {
            return Answer::no(105, &format!("Insufficient privileges for group {group}"));
        }
    }
    if groups.is_empty() && !everybodys {
        return Answer::no(106, "No group specified (required for sub-admins)");
    }
    if password.is_empty() && email.is_empty() {
        return Answer::no(108, "An email address is required, to send a password link to the user.");
    }
    if email.is_empty() && settings.email_required {
        return Answer::no(110, "Required email address was not provided");
    }
    if !values::is_user_id(&id) {
        return Answer::no(101, "");
    }
    if let Some(message) = editing::weakness(&settings, &password).filter(|_| !password.is_empty()) {
        return Answer::no(107, &message);
    }
    let mut user = seed::newcomer(&id);
    user.password = password;
    user.groups = groups.into_iter().collect();
    for (name, key) in [
        ("displayName", "displayname"),
        ("email", "email"),
        ("quota", "quota"),
        ("language", "language"),
        ("manager", "manager"),
    ] {
        let value = asked.text(name);
        if !value.is_empty()
            && let Err(editing::No(_, message)) = editing::change(&settings, &mut user, key, &value)
        {
            return Answer::no(101, &message);
        }
    }
    instance.users.insert(id.clone(), user);
    if !email.is_empty() && settings.mail_fails {
        // The account is there all the same.
        return Answer::no(109, "Unable to send the invitation mail");
    }
    Answer::Yes(json!({ "id": id }))
}
