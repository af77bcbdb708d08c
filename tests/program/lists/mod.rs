//! What lists mean, and how they are read, as a user sees it: the real program, its own output, the lab
//! (`csv-drop-folder.md`, items 18 to 44 and 51; each test begins with the number of its item).

#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot set up its world fails"
)]

use crate::common;

mod company;

mod absence;
mod believed;
mod days;
mod limits;
mod looking;
mod partial;
mod reading;
