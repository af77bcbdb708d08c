//! One request as the routes see it: path, query and body, taken apart the way the server does.

use std::collections::BTreeMap;

use axum::body::Bytes;

use super::{answer::AppError, body::Undecodable, seed::is_id, session::Session};

/// The largest page (`mattermost.md` 1.4).
const LARGEST_PAGE: usize = 200;

/// The page somebody gets who asks for no size.
const USUAL_PAGE: usize = 60;

/// What was asked.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// What follows `/api/v4/`, decoded and split at slashes.
    pub(super) path: Vec<String>,
    /// The first value of every key.
    pub(super) query: BTreeMap<String, String>,
    pub(super) body: Bytes,
}

impl Asked {
    /// A part of the path; empty where the route has no such part.
    pub(super) fn part(&self, at: usize) -> &str {
        self.path.get(at).map_or("", String::as_str)
    }

    /// A part of the path that must be an id.
    pub(super) fn id(&self, at: usize, name: &str) -> Result<&str, AppError> {
        Some(self.part(at)).filter(|id| is_id(id)).ok_or_else(|| AppError::url_param(name))
    }

    /// A part of the path that must be a user's id, or `me`.
    pub(super) fn user_id<'a>(&'a self, at: usize, session: &'a Session) -> Result<&'a str, AppError> {
        match self.part(at) {
            "me" => Ok(&session.user),
            _ => self.id(at, "user_id"),
        }
    }

    pub(super) fn query(&self, name: &str) -> &str {
        self.query.get(name).map_or("", String::as_str)
    }

    /// True for the spellings of true that the server's language reads.
    pub(super) fn flag(&self, name: &str) -> bool {
        ["1", "t", "T", "true", "TRUE", "True"].contains(&self.query(name))
    }

    /// One page of a list. What is no size or number falls back to the usual, and no page is larger than the largest.
    pub(super) fn page<T>(&self, all: impl Iterator<Item = T>) -> Vec<T> {
        let number = |name: &str, usual: usize| self.query(name).parse().unwrap_or(usual);
        let size = number("per_page", USUAL_PAGE).min(LARGEST_PAGE);
        all.skip(number("page", 0).saturating_mul(size)).take(size).collect()
    }
}

/// A body that cannot be read: the refusal that names what was expected.
pub(super) fn expected(name: &'static str) -> impl Fn(Undecodable) -> AppError {
    move |Undecodable| AppError::body_param(name)
}
