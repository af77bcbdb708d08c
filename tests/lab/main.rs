//! The simulators, asked directly, against what their contracts say: status, body, and what was different afterwards.
//! One binary, as each of its own would be linked anew.

#[path = "../common/mod.rs"]
mod common;
mod discourse;
mod gitlab;
mod gitlab_groups;
mod mattermost;
mod mattermost_teams;
mod nextcloud;
mod scim;
mod wordpress;
mod zitadel;
