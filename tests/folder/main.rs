//! The drop folder as its users meet it: the program watches a real folder, and real writers put files into it.
//!
//! Where each item of `csv-drop-folder.md` is proven that concerns the finding of files. Tests of the same number within
//! the program (`src/source/drop_folder/tests.rs`) prove the finer points with times that are handed in.
//!
//! | item | here | within |
//! | --- | --- | --- |
//! | 1 | `finding::item_01_…` | `item_1_…` |
//! | 2 | `finding::item_02_…`, `trouble::…later_by_listing_alone` | |
//! | 3 | `finding::item_03_…` (two), `trouble` | `item_3_…` |
//! | 4 | `finding::item_04_…` | `item_4_…` |
//! | 5 | `finding::item_05_…` | `item_5_…` |
//! | 6 | `finding::item_06_…` | `item_6_…` |
//! | 7 | `complete::item_07_…` (two) | `item_7_…` |
//! | 8 | `complete::item_08_…`, `writers` | `item_8_…` |
//! | 9 | `complete::item_09_…` (two) | `item_9_…` |
//! | 10 | `complete::item_10_…` | `item_10_…` |
//! | 11 | `complete::item_11_…` (two) | `item_11_…` |
//! | 15 | `turns::item_15_…` | `item_15_…` |
//! | 16 | `turns::item_16_…` (three) | |
//! | 17 | `turns::item_17_…` | `item_17_…` |
//! | 49 | `health::item_49_…` (two) | `item_49_…` |
//! | 52 | `health::item_52_…` | |
//! | 53 | `health::item_53_…` (two) | `item_53_…` |

#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world fails"
)]

#[path = "../common/mod.rs"]
mod common;

mod feed;

mod complete;
mod finding;
mod health;
mod trouble;
mod turns;
mod writers;
