//! What Mattermost answers, and what it means: users, and every no by status and error id (`mattermost.md` 1.3, 4, 5).
//!
//! Messages are translated for the reader, so nothing branches on them; the one thing taken from a message is the name of
//! a field in quotes (4.4).

use std::{sync::Arc, time::Duration};

use serde::Deserialize;

use crate::{
    model::{
        account::{Account, Facts, Identity},
        attribute::{AttributeName, Value},
        id::SystemName,
        refusal::{Refusal, RefusalKind},
    },
    wire::Reply,
};

/// Services whose `auth_data` is the id of an account elsewhere.
const IDENTITY_SERVICES: &[&str] = &["gitlab", "google", "office365", "openid", "saml", "ldap"];

/// The id that says no more than "something in the body": a target that does not exist, or a missing password.
const INVALID_BODY: &str = "api.context.invalid_body_param.app_error";

/// A user as the server shows one to an administrator (`mattermost.md` 2). Empty fields may be left out.
#[derive(Debug, Deserialize)]
pub(super) struct User {
    pub(super) id: String,
    pub(super) username: String,
    pub(super) email: String,
    delete_at: i64,
    pub(super) auth_service: String,
    #[serde(default)]
    auth_data: Option<String>,
    #[serde(default)]
    first_name: String,
    #[serde(default)]
    last_name: String,
    #[serde(default)]
    nickname: String,
    #[serde(default)]
    position: String,
    #[serde(default)]
    locale: String,
    #[serde(default)]
    roles: String,
    #[serde(default)]
    pub(super) is_bot: bool,
    #[serde(default)]
    remote_id: Option<String>,
}

impl User {
    /// True for an administrator of the whole server.
    pub(super) fn is_admin(&self) -> bool {
        self.roles.split(' ').any(|role| role == "system_admin")
    }

    /// The account this user is.
    pub(super) fn account(self, system: &SystemName, server: &Arc<Facts>) -> Account {
        let is_admin = self.is_admin();
        let attributes = [
            ("username", Value::text(&self.username)),
            ("email", Value::text(&self.email)),
            ("first_name", Value::text(&self.first_name)),
            ("last_name", Value::text(&self.last_name)),
            ("nickname", Value::text(&self.nickname)),
            ("position", Value::text(&self.position)),
            ("locale", Value::text(&self.locale)),
            ("active", Value::Bool(self.delete_at == 0)),
        ];
        let facts = [
            ("auth_service", Value::text(&self.auth_service)),
            ("roles", Value::text(&self.roles)),
            ("is_admin", Value::Bool(is_admin)),
            ("is_bot", Value::Bool(self.is_bot)),
            ("is_remote", Value::Bool(self.remote_id.is_some_and(|id| !id.is_empty()))),
        ];
        let identities = self
            .auth_data
            .filter(|id| !id.is_empty() && IDENTITY_SERVICES.contains(&self.auth_service.as_str()))
            .map(|id| Identity { provider: self.auth_service, id: id.into() });
        Account {
            system: system.clone(),
            id: Some(self.id.into()),
            attributes: attributes.into_iter().map(|(name, value)| (AttributeName::new(name), value)).collect(),
            facts: facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            identities: identities.into_iter().collect(),
            server: Arc::clone(server),
        }
    }
}

/// The body of a no.
#[derive(Debug, Deserialize)]
struct Fault {
    id: String,
    #[serde(default)]
    message: String,
}

/// What a second look at the account of a refused call showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// There is no such account.
    Gone,
    /// It is there.
    Found {
        /// How it signs in; empty: by password.
        auth_service: String,
        /// True where our token belongs to it.
        ours: bool,
    },
    /// The look failed.
    Unknown,
}

/// What a reply that is no success means.
pub(super) fn refusal(reply: &Reply) -> Refusal {
    classify(reply.status, reply.read().ok().as_ref(), reply.retry_after())
}

/// True for a 401 that is about the token (`mattermost.md` 1.2). Some are about what was asked, such as a wrong password
/// of our own account.
pub(super) fn is_stranger(reply: &Reply) -> bool {
    reply.read::<Fault>().is_ok_and(|fault| fault.id == "api.context.session_expired.app_error")
}

/// A success whose body is not what was asked for.
pub(super) fn unreadable(reply: &Reply) -> Refusal {
    Refusal {
        status: Some(reply.status),
        ..Refusal::new(
            RefusalKind::Unavailable,
            "the answer is not what Mattermost answers; is there a proxy in between?",
        )
    }
}

/// What a reply to a message means that is no success: a channel that is not there is as forbidden as any other.
pub(super) fn refusal_of_message(reply: &Reply) -> Refusal {
    let mut refusal = refusal(reply);
    if refusal.code.as_deref() == Some("api.context.permissions.app_error") {
        "the token may not write into this channel, or there is no such channel any more"
            .clone_into(&mut refusal.reason);
    }
    refusal
}

/// True where the no says that somebody is not in the place that she should leave.
pub(super) fn is_out_already(refusal: &Refusal) -> bool {
    matches!(
        refusal.code.as_deref(),
        Some(
            "api.team.remove_user_from_team.missing.app_error"
                | "app.team.get_member.missing.app_error"
                | "app.channel.get_member.missing.app_error"
        )
    )
}

/// True where only another look tells what the no means.
pub(super) fn needs_look(refusal: &Refusal) -> bool {
    refusal.kind == RefusalKind::OwnedElsewhere || refusal.code.as_deref() == Some(INVALID_BODY)
}

/// The no, with what a second look showed. `email` tells whether the call was to change an address.
pub(super) fn informed(mut refusal: Refusal, look: Look, email: bool) -> Refusal {
    let body = refusal.code.as_deref() == Some(INVALID_BODY);
    match look {
        // An unknown target is 400 with the id of an invalid body, not 404 (4.1 check 3).
        Look::Gone => {
            refusal.kind = RefusalKind::NotFound;
            "there is no such account any more".clone_into(&mut refusal.reason);
        }
        Look::Found { ours: true, .. } if body && email => {
            refusal.kind = RefusalKind::Forbidden;
            "Mattermost asks for the password before an account changes its own address; use another administrator's \
             token"
                .clone_into(&mut refusal.reason);
        }
        Look::Found { auth_service, .. } if !body && !auth_service.is_empty() => {
            refusal.belongs_to = Some(auth_service);
        }
        Look::Found { .. } | Look::Unknown => {}
    }
    refusal
}

fn classify(status: u16, fault: Option<&Fault>, retry_after: Option<Duration>) -> Refusal {
    let id = fault.map(|fault| fault.id.as_str()).unwrap_or_default();
    let (kind, reason) = place(id).unwrap_or_else(|| meaning(status, fault.is_some(), id));
    let reason = match fault.and_then(|fault| field(&fault.message)) {
        Some(field) if status == 409 => format!("`{field}` must be changed at the login provider of this account"),
        _ => reason.to_owned(),
    };
    let code = (!id.is_empty()).then(|| id.to_owned());
    let belongs_to = id.ends_with("managed_by_ldap.app_error").then(|| "ldap".to_owned());
    Refusal { kind, status: Some(status), code, reason, belongs_to, retry_after }
}

/// The kind of a no about teams, channels and messages (`mattermost.md` 8), and our sentence for it.
fn place(id: &str) -> Option<(RefusalKind, &'static str)> {
    use RefusalKind::{Forbidden, Invalid, NotFound, OwnedElsewhere, Unsupported};
    Some(match id {
        "api.team.add_members.user_denied"
        | "api.team.remove_member.group_constrained.app_error"
        | "api.channel.add_members.user_denied"
        | "api.channel.remove_member.group_constrained.app_error"
        | "api.channel.remove_members.denied" => {
            (OwnedElsewhere, "groups decide who is in this team or channel; change the members of the group")
        }
        "api.team.join_user_to_team.allowed_domains.app_error" => {
            (Invalid, "the team takes addresses of certain domains only")
        }
        "app.team.join_user_to_team.max_accounts.app_error" => {
            (Unsupported, "the team has as many members as it may have (MaxUsersPerTeam)")
        }
        "app.team.get_member.missing.app_error" | "api.channel.add_user.to.channel.failed.deleted.app_error" => {
            (NotFound, "the account is not in this team; it must be in the team first")
        }
        "api.team.remove_user_from_team.missing.app_error" | "app.channel.get_member.missing.app_error" => {
            (NotFound, "the account is not in this team or channel")
        }
        "app.team.get.find.app_error" => (NotFound, "there is no such team any more"),
        "app.channel.get.existing.app_error" => (NotFound, "there is no such channel any more"),
        "app.channel.add_member.deleted_user.app_error" => (Forbidden, "a deactivated account can join no channel"),
        "api.channel.remove.default.app_error" => {
            (Unsupported, "everybody in a team is in its first channel (town-square)")
        }
        "api.channel.add_user_to_channel.type.app_error" | "api.channel.remove_channel_member.type.app_error" => {
            (Unsupported, "who is in a direct or group message cannot be changed")
        }
        "api.post.create_post.can_not_post_to_deleted.error" => (NotFound, "the channel is archived"),
        "model.post.is_valid.message_length.app_error" | "model.post.is_valid.msg.app_error" => {
            (Invalid, "`text` is longer than the server takes")
        }
        _ => return None,
    })
}

/// The kind of a no and our sentence for it.
fn meaning(status: u16, json: bool, id: &str) -> (RefusalKind, &'static str) {
    use RefusalKind::{Forbidden, Invalid, NotFound, OwnedElsewhere, RateLimited, Taken, Unavailable, Unsupported};
    match status {
        // The limiter answers in plain text (1.5).
        429 => (RateLimited, "the server asks for fewer requests"),
        413 => (Unavailable, "the request is larger than the server or a proxy in between accepts"),
        300..=399 => (Unavailable, "the server sends us elsewhere; is the url right?"),
        500.. => (Unavailable, "the server or a proxy in between has a fault of its own"),
        _ if !json => {
            (Unavailable, "the answer is not one of Mattermost's; is the url right, is there a proxy between?")
        }
        409 if id.ends_with("profile_field_locked.app_error") => {
            (OwnedElsewhere, "an administrator of the server locked this attribute")
        }
        409 => (OwnedElsewhere, "the attribute must be changed at the login provider of this account"),
        404 if id == "api.context.404.app_error" => (NotFound, "the server knows no such address; is the url right?"),
        404 => (NotFound, "there is no such account"),
        401 => (Forbidden, denied(id)),
        403 => (Forbidden, forbidden(id)),
        _ => match id {
            "app.user.save.username_exists.app_error" => {
                (Taken, "another account or a group has this username; deactivated accounts keep theirs")
            }
            "app.user.save.email_exists.app_error" => {
                (Taken, "another account has this address; deactivated accounts keep theirs")
            }
            "api.user.update_user.accepted_domain.app_error"
            | "api.user.create_user.accepted_domain.app_error"
            | "api.user.update_user.accepted_guest_domain.app_error" => {
                (Invalid, "the server accepts addresses of certain domains only")
            }
            "app.user.update.find.app_error" => (OwnedElsewhere, "the directory decides about this attribute"),
            "app.user.missing_account.const" | "api.context.invalid_url_param.app_error" => {
                (NotFound, "there is no such account")
            }
            "app.user.update_active.user_limit.exceeded"
            | "app.user.update_active.license_user_limit.exceeded"
            | "api.user.create_user.user_limits.exceeded" => {
                (Unsupported, "the server has as many active accounts as it may have")
            }
            "model.user.is_valid.username.app_error" => (
                Invalid,
                "`username` must be 1 to 64 of a to z, digits, dots, hyphens and underscores, and not a reserved word",
            ),
            INVALID_BODY => (Invalid, "the server misses something in the request"),
            _ => (Invalid, "a value breaks the server's rules"),
        },
    }
}

/// What a 401 means.
fn denied(id: &str) -> &'static str {
    if id.starts_with("api.user.check_user_password.") || id.starts_with("api.user.check_user_login_attempts.") {
        return "Mattermost asks for the password before an account changes its own address";
    }
    match id {
        "api.user.update_active.not_enable.app_error" => {
            "the server does not let an account switch itself off (EnableUserDeactivation)"
        }
        _ if id.ends_with("cannot_enable_guest_when_guest_feature_is_disabled.app_error") => {
            "guest accounts are switched off on this server"
        }
        _ => "the token is not accepted: it is wrong, expired or revoked, or its user is deactivated",
    }
}

/// What a 403 means.
fn forbidden(id: &str) -> &'static str {
    match id {
        "api.context.mfa_required.app_error" => {
            "the server demands multi-factor authentication of the token's user; set it up or use a bot token"
        }
        "api.user.create_user.no_open_server" => {
            "only administrators may create accounts here; use an administrator's token"
        }
        "api.user.update_active.cannot_modify_status_when_user_is_managed_by_ldap.app_error" => {
            "LDAP says whether this account is active; switch it on or off in the directory"
        }
        _ => "the token may not do this; an administrator's personal access or bot token may",
    }
}

/// The name of a field in quotes, such as `username` or `full name`; `None` where the text does not look like a name.
fn field(message: &str) -> Option<&str> {
    let mut parts = message.splitn(3, '\'').skip(1);
    let (name, _) = (parts.next()?, parts.next()?);
    let is_name = !name.is_empty() && name.len() <= 40 && name.chars().all(|c| matches!(c, 'a'..='z' | '_' | ' '));
    is_name.then_some(name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn no(status: u16, id: &str, message: &str) -> Refusal {
        classify(status, Some(&Fault { id: id.to_owned(), message: message.to_owned() }), None)
    }

    #[test]
    fn every_error_id_has_its_kind() {
        use RefusalKind::*;
        for (status, id, kind) in [
            (400, "api.context.invalid_body_param.app_error", Invalid),
            (400, "api.context.invalid_url_param.app_error", NotFound),
            (400, "api.payload.parse.error", Invalid),
            (400, "app.user.save.username_exists.app_error", Taken),
            (400, "app.user.save.email_exists.app_error", Taken),
            (400, "api.user.update_user.accepted_domain.app_error", Invalid),
            (400, "api.user.update_user.accepted_guest_domain.app_error", Invalid),
            (400, "api.user.create_user.accepted_domain.app_error", Invalid),
            (400, "model.user.is_valid.username.app_error", Invalid),
            (400, "model.user.is_valid.email.app_error", Invalid),
            (400, "model.user.is_valid.nickname.app_error", Invalid),
            (400, "model.user.is_valid.first_name.app_error", Invalid),
            (400, "model.user.is_valid.last_name.app_error", Invalid),
            (400, "model.user.is_valid.position.app_error", Invalid),
            (400, "model.user.is_valid.locale.app_error", Invalid),
            (400, "model.user.is_valid.pwd_length.app_error", Invalid),
            (400, "app.user.update.find.app_error", OwnedElsewhere),
            (400, "app.user.missing_account.const", NotFound),
            (400, "app.user.update_active.user_limit.exceeded", Unsupported),
            (400, "app.user.update_active.license_user_limit.exceeded", Unsupported),
            (400, "api.user.create_user.user_limits.exceeded", Unsupported),
            (400, "something.new", Invalid),
            (401, "api.context.session_expired.app_error", Forbidden),
            (401, "api.context.token_provided.app_error", Forbidden),
            (401, "api.user.check_user_password.invalid.app_error", Forbidden),
            (401, "api.user.check_user_login_attempts.too_many.app_error", Forbidden),
            (401, "api.user.update_active.not_enable.app_error", Forbidden),
            (401, "api.user.update_active.cannot_enable_guest_when_guest_feature_is_disabled.app_error", Forbidden),
            (403, "api.context.permissions.app_error", Forbidden),
            (403, "api.context.mfa_required.app_error", Forbidden),
            (403, "api.user.update_active.permissions.app_error", Forbidden),
            (403, "api.user.create_user.no_open_server", Forbidden),
            (403, "api.user.get_user_by_email.permissions.app_error", Forbidden),
            (404, "app.user.missing_account.const", NotFound),
            (404, "app.user.get_by_username.app_error", NotFound),
            (404, "api.context.404.app_error", NotFound),
            (400, "api.team.add_members.user_denied", OwnedElsewhere),
            (400, "api.team.remove_member.group_constrained.app_error", OwnedElsewhere),
            (400, "api.channel.add_members.user_denied", OwnedElsewhere),
            (400, "api.channel.remove_member.group_constrained.app_error", OwnedElsewhere),
            (400, "api.team.join_user_to_team.allowed_domains.app_error", Invalid),
            (400, "app.team.join_user_to_team.max_accounts.app_error", Unsupported),
            (400, "api.team.remove_user_from_team.missing.app_error", NotFound),
            (400, "api.channel.add_user.to.channel.failed.deleted.app_error", NotFound),
            (400, "api.channel.remove.default.app_error", Unsupported),
            (400, "api.channel.add_user_to_channel.type.app_error", Unsupported),
            (400, "api.post.create_post.can_not_post_to_deleted.error", NotFound),
            (400, "model.post.is_valid.message_length.app_error", Invalid),
            (403, "app.channel.add_member.deleted_user.app_error", Forbidden),
            (404, "app.team.get_member.missing.app_error", NotFound),
            (404, "app.channel.get_member.missing.app_error", NotFound),
            (404, "app.team.get.find.app_error", NotFound),
            (404, "app.channel.get.existing.app_error", NotFound),
            (409, "api.user.patch_user.login_provider_attribute_set.app_error", OwnedElsewhere),
            (409, "api.user.patch_user.profile_field_locked.app_error", OwnedElsewhere),
            (409, "something.new", OwnedElsewhere),
            (413, "api.context.request_body_too_large.app_error", Unavailable),
            (500, "", Unavailable),
            (501, "api.not_implemented", Unavailable),
            (503, "api.context.server_busy.app_error", Unavailable),
        ] {
            let refusal = no(status, id, "Some text.");
            assert_eq!((refusal.kind, refusal.status), (kind, Some(status)), "{id}");
            assert_eq!(refusal.code.as_deref(), (!id.is_empty()).then_some(id));
            assert_eq!(refusal.retry_after, None);
        }
    }

    #[test]
    fn every_401_says_what_is_wrong() {
        let reason = |id: &str| no(401, id, "").reason;
        let token = "the token is not accepted: it is wrong, expired or revoked, or its user is deactivated";
        let password = "Mattermost asks for the password before an account changes its own address";
        assert_eq!(reason("api.context.session_expired.app_error"), token);
        assert_eq!(reason("api.user.check_user_password.invalid.app_error"), password);
        assert_eq!(reason("api.user.check_user_login_attempts.too_many.app_error"), password);
        assert_eq!(
            reason("api.user.update_active.cannot_enable_guest_when_guest_feature_is_disabled.app_error"),
            "guest accounts are switched off on this server"
        );
    }

    #[test]
    fn what_is_no_json_comes_from_somebody_in_between() {
        for status in [200, 301, 302, 400, 401, 403, 404, 409, 413, 502] {
            assert_eq!(classify(status, None, None).kind, RefusalKind::Unavailable, "{status}");
        }
        let later = Some(Duration::from_secs(7));
        assert_eq!(
            classify(429, None, later),
            Refusal {
                status: Some(429),
                retry_after: later,
                ..Refusal::new(RefusalKind::RateLimited, "the server asks for fewer requests")
            }
        );
    }

    #[test]
    fn the_field_of_a_409_is_taken_from_its_quotes() {
        let id = "api.user.patch_user.login_provider_attribute_set.app_error";
        let refusal = no(409, id, "Field 'full name' must be set through user's login provider.");
        assert_eq!(
            refusal,
            Refusal {
                status: Some(409),
                code: Some(id.to_owned()),
                ..Refusal::new(
                    RefusalKind::OwnedElsewhere,
                    "`full name` must be changed at the login provider of this account"
                )
            }
        );
        let without = "the attribute must be changed at the login provider of this account";
        for message in ["", "no quotes", "'", "''", "the user's own", "'anna@example.com'", "„username“"] {
            assert_eq!(no(409, id, message).reason, without, "{message}");
        }
    }

    #[test]
    fn an_ldap_account_says_where_it_belongs() {
        let id = "api.user.update_active.cannot_modify_status_when_user_is_managed_by_ldap.app_error";
        let refusal = no(403, id, "");
        assert_eq!((refusal.kind, refusal.belongs_to.as_deref()), (RefusalKind::Forbidden, Some("ldap")));
    }

    #[test]
    fn a_second_look_tells_what_the_first_no_left_open() {
        let found = |auth_service: &str, ours| Look::Found { auth_service: auth_service.to_owned(), ours };
        let invalid = || no(400, INVALID_BODY, "Invalid or missing user_id in request body.");
        assert!(needs_look(&invalid()));
        assert_eq!(informed(invalid(), Look::Gone, true).kind, RefusalKind::NotFound);
        assert_eq!(informed(invalid(), found("", true), true).kind, RefusalKind::Forbidden);
        assert_eq!(informed(invalid(), found("", true), false), invalid());
        assert_eq!(informed(invalid(), found("gitlab", false), true), invalid());
        assert_eq!(informed(invalid(), Look::Unknown, true), invalid());

        let owned = || no(409, "api.user.patch_user.login_provider_attribute_set.app_error", "Field 'username' …");
        assert!(needs_look(&owned()));
        let gitlab = Refusal { belongs_to: Some("gitlab".to_owned()), ..owned() };
        assert_eq!(informed(owned(), found("gitlab", false), false), gitlab);
        assert_eq!(informed(owned(), found("", false), false), owned());
        assert_eq!(informed(owned(), Look::Unknown, false), owned());
        assert!(!needs_look(&no(403, "api.context.permissions.app_error", "")));
    }

    #[test]
    fn a_user_becomes_an_account_with_everything_that_is_known() {
        let user: User = serde_json::from_value(json!({
            "id": "u1", "username": "anna", "email": "anna@b.c", "first_name": "Anna", "last_name": "", "nickname": "",
            "position": "Head", "locale": "de", "delete_at": 0, "auth_service": "gitlab", "auth_data": "42",
            "roles": "system_user system_admin", "update_at": 1, "props": {}, "remote_id": ""
        }))
        .unwrap();
        let server = Arc::new(Facts::from([("me".to_owned(), "u9".into())]));
        let account = user.account(&"chat".into(), &server);
        let expected = Account {
            system: "chat".into(),
            id: Some("u1".into()),
            attributes: [
                ("username", "anna".into()),
                ("email", "anna@b.c".into()),
                ("first_name", "Anna".into()),
                ("last_name", Value::Empty),
                ("nickname", Value::Empty),
                ("position", "Head".into()),
                ("locale", "de".into()),
                ("active", Value::Bool(true)),
            ]
            .map(|(name, value)| (AttributeName::new(name), value))
            .into(),
            facts: [
                ("auth_service", "gitlab".into()),
                ("roles", "system_user system_admin".into()),
                ("is_admin", Value::Bool(true)),
                ("is_bot", Value::Bool(false)),
                ("is_remote", Value::Bool(false)),
            ]
            .map(|(name, value): (&str, Value)| (name.to_owned(), value))
            .into(),
            identities: vec![Identity { provider: "gitlab".to_owned(), id: "42".into() }],
            server,
        };
        assert_eq!(account, expected);
    }

    #[test]
    fn a_deactivated_bot_of_another_server_is_all_of_that() {
        let user: User = serde_json::from_value(json!({
            "id": "u2", "username": "b", "email": "b@localhost", "delete_at": 17, "auth_service": "", "auth_data": "x",
            "roles": "system_user", "is_bot": true, "remote_id": "r1"
        }))
        .unwrap();
        let account = user.account(&"chat".into(), &Arc::default());
        assert_eq!(account.value(&AttributeName::new("active")), Value::Bool(false));
        assert!(account.is("is_bot") && account.is("is_remote") && !account.is("is_admin"));
        assert_eq!(account.identities, vec![]);
        assert_eq!(account.facts.get("auth_service"), Some(&Value::Empty));
    }

    #[test]
    fn a_user_without_what_decides_is_no_user() {
        for missing in ["id", "username", "email", "delete_at", "auth_service"] {
            let mut user = json!({ "id": "u", "username": "n", "email": "e", "delete_at": 0, "auth_service": "" });
            assert!(serde_json::from_value::<User>(user.clone()).is_ok());
            user.as_object_mut().unwrap().remove(missing);
            assert!(serde_json::from_value::<User>(user).is_err(), "{missing}");
        }
    }
}
