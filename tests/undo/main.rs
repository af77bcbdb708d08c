//! Runs taken back: what a run changed is as it was before, what others changed since is left, and what stays is told.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../common/mod.rs"]
mod common;

mod company;
mod identity;
mod refused;
mod restored;
