//! People's own tokens: one web form's record to accounts where we are no administrator, everybody with her own token.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

#[path = "../common/mod.rs"]
mod common;

mod chat;
mod endpoint;
mod fifty;
mod journeys;
mod renewal;
mod sources;
