//! Ping, version and configuration (`mattermost.md` 1.6).

use serde_json::{Value, json};

use super::{
    answer::{Answer, AppError},
    asked::Asked,
    server::{Permission, Server},
    session::Session,
};

/// `GET /system/ping`
#[expect(clippy::unnecessary_wraps, reason = "every route has this shape")]
pub(super) fn ping(server: &mut Server, asked: &Asked, session: Option<&Session>) -> Result<Answer, AppError> {
    let mut body = json!({
        "ActiveSearchBackend": "database",
        "AndroidLatestVersion": "",
        "AndroidMinVersion": "",
        "IosLatestVersion": "",
        "IosMinVersion": "",
        "status": "OK",
    });
    if asked.flag("get_server_status") {
        body["database_status"] = "OK".into();
        body["filestore_status"] = "OK".into();
        if session.is_some_and(|session| server.may(session, Permission::ManageSystem)) {
            body["root_status"] = false.into();
        }
    }
    Ok(Answer::ok(body))
}

/// `GET /config/client`: the reduced set that needs no session.
pub(super) fn client_config(server: &mut Server, asked: &Asked, _: Option<&Session>) -> Result<Answer, AppError> {
    match asked.query("format") {
        "old" => Ok(Answer::ok(json!({
            "BuildNumber": server.settings.version,
            "Version": server.settings.version,
            "EnableOpenServer": server.settings.enable_open_server.to_string(),
            "EnableSignUpWithGitLab": "true",
        }))),
        "" => Err(AppError::bad(
            "api.config.client.old_format.app_error",
            "New format for the client configuration is not supported yet. Please specify format=old in the query string.",
        )),
        _ => Err(AppError::body_param("format")),
    }
}

/// `GET /config`
pub(super) fn config(server: &mut Server, _: &Asked, session: &Session) -> Result<Answer, AppError> {
    if server.may(session, Permission::ManageSystem) {
        Ok(Answer::ok(configuration(server)))
    } else {
        Err(AppError::permissions())
    }
}

/// The part of the configuration that bears on accounts.
fn configuration(server: &Server) -> Value {
    let settings = &server.settings;
    let limit = settings.rate_limit;
    json!({
        "ServiceSettings": {
            "EnableUserAccessTokens": settings.enable_user_access_tokens,
            "EnableAPIUserDeletion": settings.enable_api_user_deletion,
            "EnableDeveloper": false,
            "MaximumPayloadSizeBytes": super::LARGEST_BODY,
            "MaximumLoginAttempts": super::profile::LOGIN_ATTEMPTS,
        },
        "TeamSettings": {
            "EnableUserDeactivation": settings.enable_user_deactivation,
            "EnableOpenServer": settings.enable_open_server,
            "MaxUsersPerTeam": settings.max_users_per_team,
            "RestrictCreationToDomains": settings.restrict_creation_to_domains,
        },
        "GuestAccountsSettings": { "RestrictCreationToDomains": settings.guest_restrict_creation_to_domains },
        "EmailSettings": { "RequireEmailVerification": settings.require_email_verification },
        "PrivacySettings": { "ShowEmailAddress": settings.show_email_address, "ShowFullName": settings.show_full_name },
        "RateLimitSettings": {
            "Enable": limit.is_some(),
            "PerSec": limit.map_or(10, |limit| limit.per_sec),
            "MaxBurst": limit.map_or(100, |limit| limit.max_burst),
            "MemoryStoreSize": 10000,
            "VaryByRemoteAddr": true,
            "VaryByUser": false,
        },
        "GitLabSettings": { "Enable": true },
        "LdapSettings": { "Enable": settings.ldap },
    })
}
