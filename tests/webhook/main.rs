//! The webhook under abuse: what is not genuine is not taken, what is genuine is not lost, and others are served.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod abuse;
#[path = "../common/mod.rs"]
mod common;
mod deliveries;
mod flood;
#[path = "../website/running.rs"]
mod running;
mod sender;
