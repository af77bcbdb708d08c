//! Who asks, and what they may do (`wordpress.md` 2 and 3). Bad credentials are nobody's, and no error.

use axum::http::{HeaderMap, header};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{refusal::Refusal, roles, site::Site, user::User, wording::folded};

/// Somebody signed in, or nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Caller {
    user: Option<Known>,
    /// True where the plugin of the reading role lends the rights to read everything for this request.
    reads_all: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    id: u64,
    username: String,
    roles: Vec<String>,
}

impl Caller {
    /// Nobody.
    pub(super) const NOBODY: Self = Self { user: None, reads_all: false };

    /// The account whose application password a request carries. `only_looks` is true for a plain GET or HEAD.
    pub(super) fn of(site: &Site, headers: &HeaderMap, only_looks: bool) -> Self {
        if !site.settings.application_passwords {
            return Self::NOBODY;
        }
        let account = site.users.get(site.account);
        let known = account.filter(|account| {
            credentials(headers).is_some_and(|(login, password)| {
                let login = folded(&login);
                let is_named = login == folded(&account.username) || login == folded(&account.email);
                // Spaces and dashes are there for reading only.
                is_named && password.chars().filter(char::is_ascii_alphanumeric).eq(site.password.chars())
            })
        });
        known.map_or(Self::NOBODY, |user| Self::user(user, only_looks))
    }

    fn user(user: &User, only_looks: bool) -> Self {
        let reads_all = only_looks && roles::read_all(&user.roles);
        let known = Known { id: user.id, username: user.username.clone(), roles: user.roles.clone() };
        Self { user: Some(known), reads_all }
    }

    pub(super) fn id(&self) -> Option<u64> {
        self.user.as_ref().map(|user| user.id)
    }

    pub(super) fn is_signed_in(&self) -> bool {
        self.user.is_some()
    }

    /// Id and login, as events name them.
    pub(super) fn actor(&self) -> Option<(u64, String)> {
        self.user.as_ref().map(|user| (user.id, user.username.clone()))
    }

    pub(super) fn can(&self, capability: &str) -> bool {
        let is_lent = self.reads_all && matches!(capability, "list_users" | "edit_users");
        is_lent || self.user.iter().flat_map(|user| &user.roles).any(|role| roles::grants(role, capability))
    }

    /// Everybody may edit herself.
    pub(super) fn can_edit(&self, id: u64) -> bool {
        self.id() == Some(id) || self.can("edit_users")
    }

    /// A no for want of rights: 401 for nobody, 403 for somebody (`wordpress.md` 5).
    pub(super) fn refused(&self, code: &str, message: &str) -> Refusal {
        Refusal::new(if self.is_signed_in() { 403 } else { 401 }, code, message)
    }
}

/// Login and password of HTTP Basic.
fn credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let (scheme, text) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let decoded = STANDARD.decode(text.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let (login, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some((login.to_owned(), password.to_owned()))
}
