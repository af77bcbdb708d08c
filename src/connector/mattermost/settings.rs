//! What an operator tells about our credentials. The server does not tell, so somebody has to.

use schemars::JsonSchema;
use serde::Deserialize;

/// The keys of a `kind = "mattermost"` system that are not common to all providers.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Settings {
    /// What kind of token `token` is.
    pub(super) token_kind: TokenKind,
}

/// How a token came about. It decides whether e-mail addresses may be changed with it (`mattermost.md` 4.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum TokenKind {
    /// A personal access token of an administrator.
    #[default]
    Personal,
    /// A token that an `OAuth2` application was granted: it may not change e-mail addresses.
    Oauth,
    /// The token of a bot account that is an administrator.
    Bot,
}

impl TokenKind {
    /// The word in the configuration.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Personal => "personal",
            Self::Oauth => "oauth",
            Self::Bot => "bot",
        }
    }
}
