//! The attributes a client asks to be written, as GitLab declares them (`gitlab.md` 3.1).
//!
//! What is not declared is not here, and so is dropped without a word: `job_title`, `preferred_language`, `state`.

use super::{
    asked::{Answer, Asked, Form, Given},
    seed::Settings,
    user::{PROJECTS_LIMIT, User},
    validity::{Faults, sanitized},
    words,
};

/// Texts that are empty rather than null.
const PROFILE: &[&str] = &["bio", "location", "organization", "website_url", "linkedin", "twitter", "discord"];

/// What was asked, read and typed.
pub(super) struct Wish {
    pub(super) username: Given<String>,
    pub(super) name: Given<String>,
    pub(super) email: Given<String>,
    pub(super) password: Given<String>,
    pub(super) skip_reconfirmation: bool,
    pub(super) skip_confirmation: bool,
    pub(super) provider: Given<String>,
    pub(super) extern_uid: Given<String>,
    profile: Vec<(&'static str, Given<String>)>,
    pronouns: Given<String>,
    note: Given<String>,
    public_email: Given<String>,
    commit_email: Given<String>,
    admin: Given<bool>,
    external: Given<bool>,
    can_create_group: Given<bool>,
    private_profile: Given<bool>,
    view_diffs_file_by_file: Given<bool>,
    projects_limit: Given<i64>,
    theme_id: Given<i64>,
    color_scheme_id: Given<i64>,
}

impl Wish {
    /// Reads a change.
    pub(super) fn of_change(asked: &Asked, settings: &Settings) -> Result<Self, Answer> {
        let mut form = asked.form();
        let wish = Self::read(&mut form, settings, false);
        form.done()?;
        Ok(wish)
    }

    /// Reads a new user, of whom more must be said (`gitlab.md` 5).
    pub(super) fn of_birth(asked: &Asked, settings: &Settings) -> Result<Self, Answer> {
        let mut form = asked.form();
        let wish = Self::read(&mut form, settings, true);
        let ways = ["password", "reset_password", "force_random_password"];
        if !ways.iter().any(|name| form.was_sent(name)) {
            form.fault(
                "password, reset_password, force_random_password are missing, at least one parameter must be provided",
            );
        }
        let (_, _) = (form.flag("reset_password"), form.flag("force_random_password"));
        form.done()?;
        Ok(wish)
    }

    fn read(form: &mut Form<'_>, settings: &Settings, birth: bool) -> Self {
        let text = |form: &mut Form<'_>, name: &str| if birth { form.required(name) } else { form.text(name) };
        let email = text(form, "email");
        let name = text(form, "name");
        let username = text(form, "username");
        form.together("extern_uid", "provider");
        let by_version = if settings.major() < 18 { "skype" } else { "github" };
        Self {
            username,
            name,
            email,
            password: form.text("password"),
            skip_reconfirmation: form.flag("skip_reconfirmation").value().unwrap_or(false),
            skip_confirmation: form.flag("skip_confirmation").value().unwrap_or(false),
            provider: form.text("provider"),
            extern_uid: form.text("extern_uid"),
            profile: PROFILE.iter().copied().chain([by_version]).map(|name| (name, form.text(name))).collect(),
            pronouns: form.text("pronouns"),
            note: form.text("note"),
            public_email: form.text("public_email"),
            commit_email: form.text("commit_email"),
            admin: form.flag("admin"),
            external: form.flag("external"),
            can_create_group: form.flag("can_create_group"),
            private_profile: form.flag("private_profile"),
            view_diffs_file_by_file: form.flag("view_diffs_file_by_file"),
            projects_limit: form.number("projects_limit"),
            theme_id: form.number("theme_id"),
            color_scheme_id: form.number("color_scheme_id"),
        }
    }

    /// Takes out what a login provider's sync owns; nobody is told (`gitlab.md` 3.4).
    pub(super) fn drop_synced(&mut self, settings: &Settings, user: &User) {
        let Some(synced) = &settings.synced_attributes else { return };
        if !user.identities.iter().any(|held| held.provider == synced.provider) {
            return;
        }
        for attribute in &synced.attributes {
            match attribute.as_str() {
                "name" => self.name = Given::Not,
                "email" => self.email = Given::Not,
                other => {
                    for (_, value) in self.profile.iter_mut().filter(|(name, _)| *name == other) {
                        *value = Given::Not;
                    }
                }
            }
        }
    }

    /// Carries everything but the address and the password over to `user`.
    pub(super) fn assign(&self, user: &mut User, faults: &mut Faults) {
        assign_text(&self.username, &mut user.username);
        match &self.name {
            Given::Is(name) => user.name = sanitized(name),
            Given::Null => user.name.clear(),
            Given::Not => {}
        }
        for (name, value) in &self.profile {
            assign_text(value, profile_field(user, name));
        }
        assign_optional(&self.pronouns, &mut user.pronouns);
        assign_optional(&self.note, &mut user.note);
        assign_optional(&self.public_email, &mut user.public_email);
        assign_optional(&self.commit_email, &mut user.commit_email);
        for address in [&mut user.public_email, &mut user.commit_email].into_iter().flatten() {
            *address = address.to_lowercase();
        }
        assign_flag(&self.admin, &mut user.admin);
        assign_flag(&self.private_profile, &mut user.private_profile);
        assign_flag(&self.view_diffs_file_by_file, &mut user.view_diffs_file_by_file);
        self.assign_limits(user, faults);
        for (wanted, field) in
            [(&self.theme_id, &mut user.theme_id), (&self.color_scheme_id, &mut user.color_scheme_id)]
        {
            if let Given::Is(number) = wanted {
                *field = u64::try_from(*number).unwrap_or_default();
            }
        }
    }

    /// Being external takes rights away; being so no more gives the instance's back, unless others were sent along.
    fn assign_limits(&self, user: &mut User, faults: &mut Faults) {
        let before = user.external;
        assign_flag(&self.external, &mut user.external);
        if before && !user.external {
            (user.can_create_group, user.projects_limit) = (true, PROJECTS_LIMIT);
        }
        assign_flag(&self.can_create_group, &mut user.can_create_group);
        match self.projects_limit {
            Given::Is(limit) => user.projects_limit = limit,
            Given::Null => faults.add("projects_limit", words::NOT_A_NUMBER),
            Given::Not => {}
        }
        if user.external {
            (user.can_create_group, user.projects_limit) = (false, 0);
        }
    }
}

fn profile_field<'a>(user: &'a mut User, name: &str) -> &'a mut String {
    match name {
        "bio" => &mut user.bio,
        "location" => &mut user.location,
        "organization" => &mut user.organization,
        "website_url" => &mut user.website_url,
        "linkedin" => &mut user.linkedin,
        "twitter" => &mut user.twitter,
        "discord" => &mut user.discord,
        "github" => &mut user.github,
        _ => &mut user.skype,
    }
}

fn assign_text(wanted: &Given<String>, field: &mut String) {
    match wanted {
        Given::Is(text) => field.clone_from(text),
        Given::Null => field.clear(),
        Given::Not => {}
    }
}

fn assign_optional(wanted: &Given<String>, field: &mut Option<String>) {
    match wanted {
        Given::Is(text) => *field = Some(text.clone()).filter(|text| !text.is_empty()),
        Given::Null => *field = None,
        Given::Not => {}
    }
}

fn assign_flag(wanted: &Given<bool>, field: &mut bool) {
    match wanted {
        Given::Is(flag) => *field = *flag,
        Given::Null => *field = false,
        Given::Not => {}
    }
}
