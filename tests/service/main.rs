//! `homeward watch` as a service: it stops in order, reloads what is right, tells its manager, and stays upright.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

#[path = "../common/mod.rs"]
mod common;

mod feeds;
mod manager;
mod reloading;
mod running;
mod status;
mod stopping;
mod trouble;
