//! The program as its users drive it, one file for each thing they do. One binary, as each of its own would be linked anew.
//! What needs a process or a clock for itself stands in binaries of its own, beside this folder.

mod apply;
mod asks;
mod canary;
mod certify;
mod check;
#[path = "../common/mod.rs"]
mod common;
#[allow(
    dead_code,
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::format_push_string,
    reason = "shared with another binary, which needs more of it"
)]
#[path = "../safety/company.rs"]
mod company;
mod compare;
mod csv_files;
mod determinism;
mod docs;
mod drip;
mod errors;
mod expectations;
mod explain;
mod faults;
mod hooks;
mod hostile;
mod lag;
mod links;
mod lists;
mod lying;
mod mattermost_sets;
mod meanwhile;
mod mutation;
mod overtaken;
mod owner_first;
mod readme;
mod rejected_records;
mod requests;
mod returning;
mod rivals;
mod route;
mod rules_test;
#[allow(
    dead_code,
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::format_push_string,
    reason = "shared with another binary, which needs more of it"
)]
#[path = "../safety/server.rs"]
mod server;
mod terminal;
mod twins;
mod undo;
mod unfinished;
