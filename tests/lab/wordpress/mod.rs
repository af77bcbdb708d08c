//! The simulated WordPress against its contract and against recordings of a real one: status, whole body and headers,
//! and what was different afterwards. Numbers in the names of files and comments are those of `wordpress.md`.

#![expect(clippy::unwrap_used, reason = "what is missing in an answer fails the test, in a helper too")]

use crate::common;
mod errors;
mod events;
mod finding;
mod listing;
mod receiver;
mod recordings;
mod rights;
mod seeding;
mod signing_in;
mod site;
mod writing;
