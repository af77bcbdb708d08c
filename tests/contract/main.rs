//! Requests and answers, held against the providers' own descriptions of their interfaces.
//!
//! The program works against the lab, and everything that passes is checked: for Mattermost, GitLab, Nextcloud and Discourse
//! by Prism between the two, for ZITADEL against its descriptor set. So neither side can invent a field. The descriptions are no part of
//! this project: `.ci/contract` finds them and says so where they are not there, and a test that is started without them
//! is skipped.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

#[path = "../common/mod.rs"]
mod common;
mod discourse;
mod gitlab;
mod mattermost;
mod nextcloud;
mod prism;
mod recorder;
mod workload;
mod zitadel;

use std::path::PathBuf;

/// A description by its name; `None`, and a line that says so, where the descriptions are not here.
fn description(name: &str) -> Option<PathBuf> {
    Some(variable("HOMEWARD_SHARED")?.join("specs").join(name))
}

/// The program `prism`; `None`, and a line that says so, where it is not here.
fn prism_program() -> Option<PathBuf> {
    variable("HOMEWARD_PRISM")
}

fn variable(name: &str) -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "a test looks for what is not part of the project")]
    let value = std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if value.is_none() {
        eprintln!("skipped: {name} is not set (.ci/contract sets it)");
    }
    value
}
