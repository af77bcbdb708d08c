//! The settings of the simulated server: what a seed's `settings` and `POST /_lab/settings` may say.
//!
//! The usual one offers everything that the RFCs have. Each setting takes something away, or makes the server as odd as
//! some are.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::strict;

/// Everything about the server that can be switched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "they are switches, each of its own")]
pub(super) struct Settings {
    /// False: there are no `/ServiceProviderConfig`, `/Schemas` and `/ResourceTypes`.
    pub(super) discovery: bool,
    pub(super) patch: bool,
    /// The status of a PATCH that was taken: 200 with the resource or 204 without.
    pub(super) patch_answer: u16,
    pub(super) filter: bool,
    /// False: a filter with `or` is an invalid one.
    pub(super) filter_or: bool,
    pub(super) sort: bool,
    pub(super) etag: bool,
    pub(super) bulk: bool,
    pub(super) bulk_operations: usize,
    /// `/.search`.
    pub(super) search: bool,
    /// The id or login of the user whom our token belongs to, for `/Me`; none: 501.
    pub(super) me: Option<String>,
    /// False: there are no groups.
    pub(super) groups: bool,
    /// Paging by number (RFC 7644 3.4.2.4).
    pub(super) index: bool,
    /// Paging by cursor (RFC 9865).
    pub(super) cursor: bool,
    /// The most resources on one page, whatever is asked for.
    pub(super) page: usize,
    /// What is added to every `totalResults`.
    pub(super) lie: i64,
    /// A list of more is refused (`tooMany`).
    pub(super) too_many: usize,
    pub(super) unique_emails: bool,
    /// Attributes of users that are less than the RFC has them, as `title` or `name.familyName`.
    pub(super) absent: Vec<String>,
    pub(super) read_only: Vec<String>,
    pub(super) immutable: Vec<String>,
    pub(super) write_only: Vec<String>,
    pub(super) required: Vec<String>,
    pub(super) case_exact: Vec<String>,
    /// True: `active` is shown and taken as `"True"` and `"False"`.
    pub(super) text_booleans: bool,
    /// True: names and URNs are shown in other letter case.
    pub(super) odd_case: bool,
    /// True: our token may look and not change anything.
    pub(super) only_reads: bool,
    /// How a stranger is told so.
    pub(super) stranger: Stranger,
    /// How long every answer takes, in milliseconds.
    pub(super) latency_ms: u64,
}

/// The shapes of a 401.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Stranger {
    Scim,
    Problem,
    Text,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            discovery: true,
            patch: true,
            patch_answer: 200,
            filter: true,
            filter_or: true,
            sort: true,
            etag: true,
            bulk: true,
            bulk_operations: 1000,
            search: true,
            me: None,
            groups: true,
            index: true,
            cursor: false,
            page: 100,
            lie: 0,
            too_many: usize::MAX,
            unique_emails: false,
            absent: Vec::new(),
            read_only: Vec::new(),
            immutable: Vec::new(),
            write_only: Vec::new(),
            required: Vec::new(),
            case_exact: Vec::new(),
            text_booleans: false,
            odd_case: false,
            only_reads: false,
            stranger: Stranger::Scim,
            latency_ms: 0,
        }
    }
}

impl Settings {
    /// These settings with some of them replaced.
    pub(super) fn merged(&self, wanted: &Value) -> Result<Self, String> {
        let settings = strict::merged(self, wanted)?;
        match (settings.patch_answer, settings.page) {
            (200 | 204, 1..) => Ok(settings),
            (200 | 204, _) => Err("settings.page: a page holds at least one".to_owned()),
            _ => Err("settings.patch_answer: 200 or 204".to_owned()),
        }
    }
}
