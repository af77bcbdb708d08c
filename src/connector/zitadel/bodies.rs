//! The bodies that are sent: one typed shape for each, since ZITADEL silently ignores every field it does not know
//! (`zitadel.md` section 1).
//!
//! An absent field means "leave alone", except in the profile of v1, which is replaced whole.

use std::borrow::Cow;

use serde::Serialize;

/// `PATCH /v2/users/{id}`. One of `human` and `machine` must be there even to rename (`zitadel.md` 5.1).
#[derive(Default, Serialize)]
pub(super) struct UpdateUser<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) username: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) human: Option<HumanPart<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) machine: Option<MachinePart>,
}

#[derive(Default, Serialize)]
pub(super) struct HumanPart<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) profile: Option<Profile<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) email: Option<Email<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) phone: Option<Phone<'a>>,
}

/// Says that the user is a service user; nothing of it is changed.
#[derive(Serialize)]
pub(super) struct MachinePart {}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Profile<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) given_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) family_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) nick_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) display_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) preferred_language: Option<&'a str>,
}

/// Verified at once: the owner of the address has said so, and no mail goes out (`zitadel.md` 5, Email).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Email<'a> {
    pub(super) email: &'a str,
    pub(super) is_verified: bool,
}

/// Removed by the empty text, which must come without a verification (`zitadel.md` 5.12).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Phone<'a> {
    pub(super) phone: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) is_verified: Option<bool>,
}

/// `PUT /v2/users/human/{id}`, and `POST /v2/users/human` with an organization.
#[derive(Serialize)]
pub(super) struct HumanUser<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) username: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) organization: Option<Organization<'a>>,
    #[serde(flatten)]
    pub(super) human: HumanPart<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Organization<'a> {
    pub(super) org_id: &'a str,
}

/// `POST /v2/users/new`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateUser<'a> {
    pub(super) organization_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) username: Option<&'a str>,
    pub(super) human: HumanPart<'a>,
}

/// `PUT /management/v1/users/{id}/username`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct V1Username<'a> {
    pub(super) user_name: &'a str,
}

/// `PUT /management/v1/users/{id}/profile`: what is missing is emptied.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct V1Profile<'a> {
    pub(super) first_name: &'a str,
    pub(super) last_name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) nick_name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) display_name: Cow<'a, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) preferred_language: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) gender: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct V1Email<'a> {
    pub(super) email: &'a str,
    pub(super) is_email_verified: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct V1Phone<'a> {
    pub(super) phone: &'a str,
    pub(super) is_phone_verified: bool,
}

/// `POST /management/v1/users/human/_import`. A password is added when it is sent: without one the person would be
/// mailed an invitation and the account could not be switched off until it is followed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct V1Import<'a> {
    pub(super) user_name: &'a str,
    pub(super) profile: V1Profile<'a>,
    pub(super) email: V1Email<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) phone: Option<V1Phone<'a>>,
}

/// The body of calls whose address says it all.
#[derive(Serialize)]
pub(super) struct Nothing {}
