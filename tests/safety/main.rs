//! What the program must never do, tried from outside: write in a dry run, show a secret, follow a lie, run a script
//! away, or do anything twice.
//!
//! Each file attacks one side. The real program is run against the real lab, or against a server that misbehaves.

#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot set up its world fails"
)]
#![expect(
    clippy::format_push_string,
    clippy::format_collect,
    reason = "texts of a few hundred lines are built where they are read"
)]

#[path = "../common/mod.rs"]
mod common;

mod company;
mod server;

mod csv_noise;
mod killed;
mod lying_servers;
mod reads_only;
mod resumed;
mod saved_plans;
mod scripts;
mod secrets;
mod writes;
