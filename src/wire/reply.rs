//! An answer, whole: its status, its headers and a body of bounded size.

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;

use super::{bounds::Room, echo, json};
use crate::model::secret::Secret;

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Headers by lower-case name; of repeated ones the last.
    pub headers: BTreeMap<String, String>,
    /// What came before the last one of headers that were sent several times.
    earlier: Vec<(String, String)>,
    body: Vec<u8>,
    #[expect(dead_code, reason = "it is held, not read, and given back with the answer")]
    room: Room,
}

impl Reply {
    /// An answer with these headers, names in any letter case.
    #[must_use]
    pub fn new(status: u16, headers: impl IntoIterator<Item = (String, String)>, body: Vec<u8>) -> Self {
        let mut reply = Self { status, headers: BTreeMap::new(), earlier: Vec::new(), body, room: Room::default() };
        for (name, value) in headers {
            let name = name.to_ascii_lowercase();
            if let Some(before) = reply.headers.insert(name.clone(), value) {
                reply.earlier.push((name, before));
            }
        }
        reply
    }

    /// Every value of a header that may be sent several times, by its lower-case name.
    pub fn each<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let earlier = self.earlier.iter().filter(move |(other, _)| other == name).map(|(_, value)| value);
        earlier.chain(self.headers.get(name)).map(String::as_str)
    }

    /// The body as JSON; `None` where it is none, or where it says something twice.
    #[must_use]
    pub fn json(&self) -> Option<serde_json::Value> {
        json::read(&self.body)
    }

    /// The body read into a type.
    ///
    /// # Errors
    /// Where the body is not JSON or not of this shape.
    pub fn read<T: for<'de> Deserialize<'de>>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }

    /// The body as text, for answers that are no JSON: as much of it as anybody would read.
    #[must_use]
    pub fn text(&self) -> String {
        const READABLE: usize = 64 << 10;
        String::from_utf8_lossy(&self.body[..self.body.len().min(READABLE)]).into_owned()
    }

    /// True for a body that is no JSON: whoever answers so is seldom the interface that was asked.
    pub(crate) fn is_page(&self) -> bool {
        !self.body.trim_ascii().is_empty() && self.json().is_none()
    }

    /// True for 2xx.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The answer without our token: a server or a proxy that repeats what it was sent must not bring it into messages,
    /// plans or the store.
    pub(super) fn without(mut self, token: &Secret) -> Self {
        let earlier = self.earlier.iter_mut().map(|(_, value)| value);
        echo::silence(token, &mut self.body, self.headers.values_mut().chain(earlier));
        self
    }

    /// The answer with the room it takes for as long as it is held.
    pub(super) fn with(self, room: Room) -> Self {
        Self { room, ..self }
    }

    /// How long the server asks us to wait (`Retry-After`, in seconds or as a date). A date is compared with the answer's
    /// own `Date`, so that it does not matter whether our clocks agree.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        let asked = self.each("retry-after").map(str::trim).filter_map(|asked| match asked.parse() {
            Ok(seconds) => Some(Duration::from_secs(seconds)),
            Err(_) => self.until(moment(asked)?),
        });
        asked.max()
    }

    /// How long until a moment (Unix time in seconds) by the server's own clock: nothing where it is over, `None` where the
    /// answer has no date.
    #[must_use]
    pub fn until(&self, moment: i64) -> Option<Duration> {
        let now = self::moment(self.headers.get("date")?.trim())?;
        Some(Duration::from_secs(u64::try_from(moment.saturating_sub(now)).unwrap_or(0)))
    }
}

/// A date as HTTP writes it, in Unix time.
fn moment(text: &str) -> Option<i64> {
    Some(jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?.as_second())
}
