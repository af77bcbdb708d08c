//! What a provider can do, as a table, and what it would do, as a forecast.

use serde::{Deserialize, Serialize};

use super::{
    attribute::{AttributeName, Value},
    id::SystemName,
    refusal::RefusalKind,
};

/// What may be done about a call whose answer never arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Replay {
    /// Sending it again does no harm.
    Repeat,
    /// Look first whether it took effect, then decide.
    LookFirst,
    /// Only a person can tell.
    AskOperator,
}

/// Whether a provider can do something. A reason is the text that the user reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// It can.
    Yes,
    /// Only while it makes an account, and why not later.
    AtCreation(&'static str),
    /// It cannot, and why.
    No(&'static str),
}

impl Support {
    /// True for [`Support::Yes`].
    #[must_use]
    pub fn is_yes(self) -> bool {
        self == Self::Yes
    }

    /// True where a new account can be given it.
    #[must_use]
    pub fn is_yes_at_creation(self) -> bool {
        matches!(self, Self::Yes | Self::AtCreation(_))
    }
}

/// The header a token travels in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `Authorization: Bearer <token>`.
    Bearer,
    /// `Authorization: Basic <login and token>`: the token is the password of the login that the system's setting
    /// `username` names, which a kind with this scheme must require.
    Basic,
    /// A header of the provider's own, such as `PRIVATE-TOKEN`.
    Header(&'static str),
    /// [`Scheme::Basic`] where the system's setting `username` names a login, else [`Scheme::Bearer`].
    BasicOrBearer,
}

/// What a provider knows of one attribute.
#[derive(Clone, Copy, Debug)]
pub struct AttributeCapability {
    /// The local name: `username`, or `note` for what rules call `gitlab.note`.
    pub name: &'static str,
    /// True for a neutral attribute, false for one that only this provider has (rules write `<system>.<name>`).
    pub neutral: bool,
    /// The provider's own name of the field.
    pub remote: &'static str,
    /// Whether it can be changed.
    pub write: Support,
    /// Whether it can be made empty.
    pub clear: Support,
    /// Whether no two accounts may hold the same value, and whether a change frees the old one at once.
    pub unique: Unique,
    /// Whether an account cannot be created without it.
    pub required: bool,
    /// What a change of it sets off at the provider: mails, ended sessions, moved links. Empty: nothing.
    pub side_effect: &'static str,
    /// For an attribute with many members, such as groups: each is planned as an attribute of its own
    /// ([`AttributeName::member_of`]).
    pub set: Option<SetCapability>,
}

/// What a provider knows of the members of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetCapability {
    /// What a member is, as [`super::account::Wanted::named`] calls it: `group`, `team`.
    pub named: &'static str,
    /// What somebody can be in it, weakest first: `guest`, `developer`. The one word `member` where there are no levels.
    pub levels: &'static [&'static str],
    /// What else happens when somebody leaves it; what happens when she comes in is the row's own
    /// [`AttributeCapability::side_effect`].
    pub leaving: &'static str,
}

/// A call that rules may ask for and that is no attribute: a message, a revoked key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperationCapability {
    /// As rules name it: `post_message`.
    pub name: &'static str,
    /// What it does, in one sentence.
    pub meaning: &'static str,
    /// True where it is done to the person's account, which must then be there.
    pub of_account: bool,
    /// What it takes.
    pub arguments: &'static [Argument],
    /// What may be done if its answer is lost.
    pub replay: Replay,
    /// True where the account loses access by it, as by being locked: limits on removals count it.
    pub removes: bool,
    /// What it sets off besides. Empty: nothing.
    pub side_effect: &'static str,
}

/// One argument of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argument {
    /// As rules name it.
    pub name: &'static str,
    /// Which values it may have.
    pub takes: Takes,
    /// Whether it must be given.
    pub required: bool,
    /// What it means, in one sentence.
    pub meaning: &'static str,
}

/// Which values an argument may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Any text but the empty one.
    Text,
    /// Yes or no.
    Truth,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// The name of a thing that has an id there, by what it is: `channel`. Its id is looked up first
    /// ([`super::account::Wanted::named`]).
    Named(&'static str),
}

impl AttributeCapability {
    /// The row of a neutral attribute that can be written and cleared, and is neither unique nor required: what most rows
    /// of a table begin with (`AttributeCapability { required: true, ..AttributeCapability::plain("email", "mail") }`).
    #[must_use]
    pub const fn plain(name: &'static str, remote: &'static str) -> Self {
        Self {
            name,
            neutral: true,
            remote,
            write: Support::Yes,
            clear: Support::Yes,
            unique: Unique::No,
            required: false,
            side_effect: "",
            set: None,
        }
    }
}

/// Whether a value can be held by one account only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unique {
    /// Any number of accounts may hold it.
    No,
    /// One holder, whatever the letter case; a change frees the old value at once, and may be followed by another. Where
    /// rules allow it, two who exchange such values go through one that is held for a moment, if
    /// [`crate::connector::Connector::foresee`] takes it.
    Freed,
    /// One holder, whatever the letter case; the old value stays taken after a change, or no second change may follow
    /// soon, and why.
    Kept(&'static str),
}

/// One provider's table.
#[derive(Clone, Copy, Debug)]
pub struct Capabilities {
    /// The word for this provider in the configuration (`kind = "gitlab"`).
    pub kind: &'static str,
    /// Whether accounts can be created, and what to do if that answer is lost.
    pub create: Support,
    /// What to do if the answer to a creation is lost.
    pub create_replay: Replay,
    /// Every attribute it knows, readable or writable.
    pub attributes: &'static [AttributeCapability],
    /// What rules can ask for beside attributes.
    pub operations: &'static [OperationCapability],
    /// Attributes that can be looked up by value (see [`super::account::Wanted`]), and so joined by.
    pub lookups: &'static [&'static str],
    /// Facts of accounts that rules may read beside the attributes, such as `auth_service`.
    pub facts: &'static [&'static str],
    /// Writes that may be under way at once, unless the configuration says otherwise.
    pub concurrency: usize,
    /// How a token travels.
    pub scheme: Scheme,
    /// The scope to ask for where the credential is a private key instead of a token; `None`: tokens only.
    pub key_scope: Option<&'static str>,
}

impl Capabilities {
    /// The row of an attribute as `system`'s rules name it; `None` where this provider does not know it.
    #[must_use]
    pub fn of(&self, system: &SystemName, attribute: &AttributeName) -> Option<&'static AttributeCapability> {
        let owner = attribute.as_str().split_once('.').map(|(owner, _)| owner);
        if owner.is_some_and(|owner| owner != system.as_str()) {
            return None;
        }
        let local = attribute.local();
        self.attributes.iter().find(|row| row.neutral == owner.is_none() && row.name == local)
    }

    /// The operation of this name.
    #[must_use]
    pub fn operation(&self, name: &str) -> Option<&'static OperationCapability> {
        self.operations.iter().find(|operation| operation.name == name)
    }

    /// The name rules use for a row of this table.
    #[must_use]
    pub fn name(&self, system: &SystemName, row: &AttributeCapability) -> AttributeName {
        if row.neutral { AttributeName::new(row.name) } else { AttributeName::of_system(system, row.name) }
    }
}

/// One attribute of one account: what it is and what it shall be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which attribute.
    pub attribute: AttributeName,
    /// What the account holds now; [`Value::Empty`] where there is no account.
    pub before: Value,
    /// What it shall hold, as [`crate::connector::Connector::normalize`] left it.
    pub after: Value,
}

/// What a provider would do with a change, told before anything is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foresight {
    /// What an own call for this change would meet.
    pub verdict: Verdict,
    /// Where the value comes from by itself, if it does.
    pub follows: Option<Follows>,
}

/// What a call would meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It would be taken.
    Takes,
    /// It would be refused.
    Refuses {
        /// The kind of no.
        kind: RefusalKind,
        /// One sentence: why, and what would help.
        reason: String,
    },
    /// It would be answered with 200 and not done, or undone later.
    Doomed {
        /// One sentence: why, and what would help.
        reason: String,
    },
}

/// An attribute that comes to this account from another system without our doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Follows {
    /// The kind of the system it comes from, such as `gitlab`.
    pub provider: String,
    /// When it comes, to stand after "it will come": `at the next sign-in through GitLab`.
    pub when: String,
    /// Whether this account would hold `after` then. A reason where it would not.
    pub becomes: Result<Value, String>,
    /// Which part of which attribute there becomes this one here.
    pub reads: Reads,
}

/// What an account takes from the system its holder signs in through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// The attribute of the same name.
    Same,
    /// What stands before the first space of another attribute; all of it where there is none.
    BeforeSpace(&'static str),
    /// What stands after the first space of another attribute; nothing where there is none.
    AfterSpace(&'static str),
}

impl Reads {
    /// The attribute that is read, where it is another one.
    #[must_use]
    pub fn other(self) -> Option<&'static str> {
        match self {
            Self::Same => None,
            Self::BeforeSpace(other) | Self::AfterSpace(other) => Some(other),
        }
    }

    /// What becomes of the value that is read.
    #[must_use]
    pub fn of(self, value: &Value) -> Value {
        let text = value.as_text().unwrap_or_default();
        match self {
            Self::Same => value.clone(),
            Self::BeforeSpace(_) => Value::text(text.split_once(' ').map_or(text, |(before, _)| before)),
            Self::AfterSpace(_) => Value::text(text.split_once(' ').map_or("", |(_, after)| after)),
        }
    }
}

impl Foresight {
    /// The change would be taken, and does not come by itself.
    #[must_use]
    pub fn takes() -> Self {
        Self { verdict: Verdict::Takes, follows: None }
    }

    /// The change would be refused.
    #[must_use]
    pub fn refuses(kind: RefusalKind, reason: impl Into<String>) -> Self {
        Self { verdict: Verdict::Refuses { kind, reason: reason.into() }, follows: None }
    }

    /// The change would be answered with success and have no lasting effect.
    #[must_use]
    pub fn doomed(reason: impl Into<String>) -> Self {
        Self { verdict: Verdict::Doomed { reason: reason.into() }, follows: None }
    }

    /// Adds where the value comes from by itself.
    #[must_use]
    pub fn following(mut self, follows: Follows) -> Self {
        self.follows = Some(follows);
        self
    }
}
