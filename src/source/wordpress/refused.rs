//! Why nothing of a website's list is used, or why nothing is known of one user.
//!
//! WordPress answers 200 to callers it does not know and leaves out silently what a caller may not see. So every reason
//! here is one that a reader without suspicion would have met as people who left.

use std::{fmt, time::Duration};

use crate::{model::id::SystemName, wire::WireError};

/// Why a list, or one user, could not be read.
#[derive(Debug)]
pub(crate) struct ListRefused {
    pub(crate) system: SystemName,
    pub(crate) why: Why,
}

/// The reasons. None of them shows a value of a person, and of the server's words only its codes.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Why {
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The credentials were not looked at, or were wrong: the caller is anonymous (`wordpress.md` 2).
    #[error("nobody is signed in{}: {cause}", with_code(code.as_deref()))]
    NotSignedIn { code: Option<String>, cause: SignIn },
    #[error("signed in as another account than `username` names")]
    OtherAccount,
    /// The account has not the rights (`wordpress.md` 3).
    #[error("the account may not read users{}", with_code(code.as_deref()))]
    MayNotRead { code: Option<String> },
    /// The account has `list_users` and not `edit_users`.
    #[error("the server counts {total} users and shows none")]
    NothingShown { total: u64 },
    #[error("the server counts {total} users and shows {shown}")]
    Incomplete { total: u64, shown: u64 },
    #[error("the server counts {total} users and shows more")]
    TooMany { total: u64 },
    #[error("it shifted while it was read, {walks} times in a row")]
    Shifts { walks: u32 },
    #[error("users are not in the order of their ids, as was asked")]
    NotInOrder,
    #[error("the answer does not count the users (`X-WP-Total` {what})")]
    NoTotal { what: &'static str },
    #[error("the site shows no users at all")]
    Empty,
    #[error("the answer is no list of users")]
    NotAList,
    #[error("the answer is no user")]
    NotAUser,
    #[error("a user in the list has no id")]
    NoId,
    #[error("the answer is about another user than the one asked for")]
    OtherUser,
    #[error("this cannot be the id of a user")]
    NotAnId,
    #[error("the server does not show the field `{field}` of every user")]
    FieldMissing { field: &'static str },
    #[error("the server does not show the user meta `{key}`: it is not registered for the REST API")]
    MetaNotShown { key: String },
    #[error("the user meta `{key}` is not one text or number")]
    MetaNotText { key: String },
    /// Only where one user was asked for: in a list such a user is a rejected row.
    #[error("the user cannot be used: `{column}` {reason}")]
    Unusable { column: String, code: &'static str, reason: String },
    #[error("the address leads elsewhere: the server answers {status}{}", with_target(to.as_deref()))]
    Redirected { status: u16, to: Option<String> },
    #[error("this is not the REST API of WordPress: {status} and {looks_like}")]
    NotWordPress { status: u16, looks_like: &'static str },
    #[error("the REST API of this site has no users (404 `rest_no_route`)")]
    NoRoute,
    #[error("the site is down for maintenance (503)")]
    Maintenance { retry_after: Option<Duration> },
    #[error("the site is not available ({status}{})", then_code(code.as_deref()))]
    Unavailable { status: u16, code: Option<String>, retry_after: Option<Duration> },
    #[error("the site refused the question ({status}{})", then_code(code.as_deref()))]
    Refused { status: u16, code: Option<String> },
    #[error("there are {total} users; the limit is {limit}")]
    TooManyUsers { total: u64, limit: u64 },
    #[error("the users take more than {limit} bytes")]
    TooLarge { limit: usize },
}

/// Why nobody is signed in, as far as the site tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignIn {
    /// It says that the credentials are wrong.
    Wrong,
    /// Application passwords exist there: the credentials are wrong, or never arrived.
    Unheard,
    /// Application passwords do not exist there, so no credentials are looked at.
    Unavailable,
    /// It does not tell.
    Unknown,
}

impl fmt::Display for SignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wrong => "the login or the application password is wrong",
            Self::Unheard => {
                "application passwords can be used there, but this login and password are wrong or do not arrive"
            }
            Self::Unavailable => "the site does not take application passwords, so ours was not looked at",
            Self::Unknown => "the site does not tell whether it takes application passwords",
        })
    }
}

impl fmt::Display for ListRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.why {
            // It names the system itself.
            Why::Wire(error) => error.fmt(f),
            why if why.leaves_holes() => {
                write!(f, "{}: list not whole: {why}", self.system)
            }
            why => write!(f, "{}: {why}", self.system),
        }
    }
}

impl std::error::Error for ListRefused {}

impl ListRefused {
    /// What to do about it.
    pub(crate) fn hint(&self) -> String {
        let hint = match &self.why {
            Why::Wire(_) => "check `url`, and whether the site can be reached from here",
            Why::NotSignedIn { cause: SignIn::Wrong, .. } => {
                "make a new application password in the account's profile; the account's own password does not work"
            }
            Why::NotSignedIn { cause: SignIn::Unheard, .. } => {
                "check `username` and the application password; under Apache with php-fpm the header may be dropped: \
                 `CGIPassAuth On`, or the .htaccess rules of WordPress"
            }
            Why::NotSignedIn { cause: SignIn::Unavailable, .. } => {
                "WordPress takes them over HTTPS only: where TLS ends at a proxy, let wp-config.php turn \
                 `X-Forwarded-Proto` into `$_SERVER['HTTPS'] = 'on'`; a security plugin may have switched them off"
            }
            Why::NotSignedIn { cause: SignIn::Unknown, .. } => {
                "check `username`, the application password (not the account's own), HTTPS as WordPress sees it, and \
                 whether the web server or a proxy drops the `Authorization` header"
            }
            Why::OtherAccount => "set `username` to the login whose application password this is",
            Why::MayNotRead { .. } | Why::NothingShown { .. } => {
                "the account needs `list_users` and `edit_users`: an administrator has both, or a role that can only read"
            }
            Why::Incomplete { .. } => {
                "the account may not edit every user (on a network of sites, or by a plugin), or a plugin hides some"
            }
            Why::TooMany { .. } | Why::NotInOrder | Why::NoTotal { .. } | Why::NotAList | Why::NoId => {
                "a plugin or a proxy changes what the REST API answers: `users?context=edit&orderby=id` must come through \
                 as WordPress writes it, with its headers"
            }
            Why::Shifts { .. } => "people come and go faster than they can be read; it is read again at the next poll",
            Why::Empty => "an empty list is never taken to mean that everybody left",
            Why::NotAUser | Why::OtherUser => "a plugin, a cache or a proxy changes what the REST API answers",
            Why::NotAnId => "ids of WordPress are numbers above zero",
            Why::FieldMissing { .. } => "a plugin or a proxy takes it out of the REST API; it is needed here",
            Why::MetaNotShown { .. } => {
                "register it with `register_meta('user', …)` and `show_in_rest`, with `'context' => ['edit']` in its \
                 schema so that the public does not see it, or take it out of `meta`"
            }
            Why::MetaNotText { .. } => {
                "register it with `'single' => true` and the type string, integer, number or boolean"
            }
            Why::Unusable { .. } => "correct it in WordPress",
            Why::Redirected { .. } => "set `url` to the address that the site has in the end, scheme and host included",
            Why::NotWordPress { status: 401 | 403, .. } => {
                "something in front of WordPress turns us away: a sign-in of the web server, or a firewall"
            }
            Why::NotWordPress { .. } => {
                "check `url`: it is the address of the site, without `/wp-json`; the REST API may be switched off"
            }
            Why::NoRoute => "a security plugin may hide the users: let signed-in administrators through",
            Why::Maintenance { .. } | Why::Unavailable { .. } => "it is asked again at the next poll",
            Why::Refused { .. } => "a plugin may forbid it",
            Why::TooManyUsers { .. } | Why::TooLarge { .. } => {
                "that is more than any site this was made for; read an export as a file instead"
            }
        };
        hint.to_owned()
    }

    /// True where asking again later may be enough, and nobody has to correct anything.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(
            self.why,
            Why::Wire(WireError::Unreachable { .. } | WireError::Timeout { .. } | WireError::Broken { .. })
                | Why::Shifts { .. }
                | Why::Maintenance { .. }
                | Why::Unavailable { .. }
        )
    }

    /// How long the site asks us to wait, where it does.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self.why {
            Why::Maintenance { retry_after } | Why::Unavailable { retry_after, .. } => retry_after,
            _ => None,
        }
    }
}

impl Why {
    /// True where a list there may be, but not of everybody.
    fn leaves_holes(&self) -> bool {
        matches!(
            self,
            Self::NotSignedIn { .. }
                | Self::OtherAccount
                | Self::MayNotRead { .. }
                | Self::NothingShown { .. }
                | Self::Incomplete { .. }
                | Self::TooMany { .. }
                | Self::Shifts { .. }
                | Self::NotInOrder
                | Self::NoTotal { .. }
                | Self::Empty
                | Self::NoId
        )
    }
}

fn with_code(code: Option<&str>) -> String {
    code.map(|code| format!(" (`{code}`)")).unwrap_or_default()
}

fn then_code(code: Option<&str>) -> String {
    code.map(|code| format!(" `{code}`")).unwrap_or_default()
}

fn with_target(to: Option<&str>) -> String {
    to.map(|to| format!(" and points to {to}")).unwrap_or_default()
}
