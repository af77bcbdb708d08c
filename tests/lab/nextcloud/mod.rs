//! The simulated Nextcloud against its contract: status, envelope, data, and what was different afterwards; and the program
//! against the simulator. Numbers in the names of files and comments are those of `nextcloud.md`.

#![expect(clippy::unwrap_used, reason = "what is missing in an answer fails the test, in a helper too")]

use crate::common;
mod creating;
mod editing;
mod envelope;
mod grouping;
mod limits;
mod reading;
mod seeding;
mod server;
mod signing_in;
mod working;
