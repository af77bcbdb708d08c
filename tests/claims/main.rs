//! Taking files from a drop folder and putting them away, with the real program: its processes may be many, and each may
//! be killed anywhere.
//!
//! The numbers are those of `csv-drop-folder.md`, B. Each test is named after the behaviour it is about.
//!
//! | item | here | beside the code (`src/source/drop_folder/tests.rs`) |
//! | --- | --- | --- |
//! | 12 | two processes, a thousand files | the same of four takers, without what is done with a file |
//! | 13 | killed at every step of a file's way; a hold outlives its process | killed before every single change on disk |
//! | 14 | the same content again, the same name with other content | |
//! | 32 | the file of rejected rows, repaired and dropped again | |
//! | 39 | approved by hand, by the service, by both; rejected; nothing slips past | |
//! | 45 | result and reason files; an archive that cannot be written | names, age, another file system |
//! | 46 | killed between state, plan, actions and archive (with 13) | |
//! | 47 | rights of what is kept, whatever the umask | rights of everything that is written |
//! | 48 | | symlinks, pipes, sockets, hard links, odd names |
//! | 50 | what was not taken is as it was, before and after | the same with triggers and checksums |

#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot set up its world fails"
)]
#![expect(clippy::format_push_string, reason = "texts of a few hundred lines are built where they are read")]

#[path = "../common/mod.rs"]
mod common;

#[path = "../safety/server.rs"]
#[expect(dead_code, reason = "its other half is for other tests")]
mod server;

mod feed;

mod holds;
mod kept;
mod kills;
mod rejected;
mod two;
