//! The simulated Discourse against its contract: status, whole body where there is one, and what was different afterwards.
//! Numbers in comments are those of `discourse.md`.

#![expect(clippy::unwrap_used, reason = "what is missing in an answer fails the test, in a helper too")]

use crate::common;
mod connect;
mod emails;
mod forum;
mod groups;
mod limits;
mod profiles;
mod reading;
mod signing_in;
mod standing;
mod usernames;
