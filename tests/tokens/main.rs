//! People's own tokens: one web form's record to accounts where we are no administrator, everybody with her own token.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

#[path = "../common/mod.rs"]
mod common;
#[expect(dead_code, clippy::format_push_string, reason = "a server that other tests use in more ways")]
#[path = "../safety/server.rs"]
mod server;

mod chat;
mod endpoint;
mod fifty;
mod journeys;
mod others;
mod renewal;
mod sources;
mod trouble;
