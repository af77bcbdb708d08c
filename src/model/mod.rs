//! Plain data: the nouns every other room speaks in.
//!
//! Nothing here reads a file, a clock, the network or the environment, and nothing here decides. A value of these
//! types can be shown, saved, compared and tested without running anything.

pub mod account;
pub mod accounts;
pub mod attribute;
pub mod capability;
pub(crate) mod few;
pub(crate) mod finder;
pub mod id;
pub(crate) mod keys;
pub(crate) mod links;
pub(crate) mod origin;
pub mod own_token;
mod packed;
pub(crate) mod person;
pub mod plan;
pub(crate) mod policy;
pub(crate) mod record;
pub mod refusal;
pub(crate) mod secret;
pub(crate) mod tally;
pub mod texts;
pub(crate) mod values;
