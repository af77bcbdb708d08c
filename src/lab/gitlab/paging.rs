//! Offset and keyset paging with all their headers (`gitlab.md` 1.3).
//!
//! Links are made with the configured host, which need not be the one that was called.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::{
    asked::{Answer, Asked},
    door::Caller,
};

/// Above so many rows the totals are left out.
const COUNTED: u64 = 10_000;
const LARGEST_PAGE: u64 = 100;

/// Which page was asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page {
    pub(super) number: u64,
    pub(super) size: u64,
}

impl Page {
    pub(super) fn asked(asked: &Asked) -> Result<Self, Answer> {
        let mut form = asked.form();
        let number = form.number("page").value().unwrap_or(1);
        let size = form.number("per_page").value().unwrap_or(20);
        if size == 0 {
            form.fault("per_page has a value not allowed");
        }
        form.done()?;
        let size = u64::try_from(size).unwrap_or(20).min(LARGEST_PAGE);
        Ok(Self { number: u64::try_from(number).unwrap_or(1).max(1), size })
    }

    fn skipped(self) -> u64 {
        (self.number - 1).saturating_mul(self.size)
    }
}

/// Refuses an offset that lies too deep.
pub(super) fn within(page: Page, limit: u64) -> Result<(), Answer> {
    if page.number.saturating_mul(page.size) <= limit {
        return Ok(());
    }
    let text = format!(
        "Offset pagination has a maximum allowed offset of {limit} for requests that return objects of type User. \
         Remaining records can be retrieved using keyset pagination."
    );
    Err(Answer::error(405, text))
}

/// One page of rows by offset. `rows` yields all of them in order; only those of the page are turned into JSON.
pub(super) fn offset<T>(
    asked: &Asked,
    caller: &Caller,
    page: Page,
    total: u64,
    rows: impl Iterator<Item = T>,
    show: impl Fn(T) -> Value,
) -> Answer {
    let skipped = usize::try_from(page.skipped()).unwrap_or(usize::MAX);
    let shown: Vec<Value> = rows.skip(skipped).take(usize::try_from(page.size).unwrap_or(20)).map(show).collect();
    let last = total.div_ceil(page.size).max(1);
    let next = (page.number < last).then(|| page.number + 1);
    let previous = (page.number > 1 && page.number <= last).then(|| page.number - 1);
    let at = |number: Option<u64>| number.map_or_else(String::new, |number| number.to_string());
    let mut links = Vec::new();
    let mut link = |number: u64, rel: &str| {
        let pairs = [("page", number.to_string()), ("per_page", page.size.to_string())];
        links.push(format!("<{}>; rel=\"{rel}\"", address(asked, caller, &pairs, &[])));
    };
    if let Some(number) = previous {
        link(number, "prev");
    }
    if let Some(number) = next {
        link(number, "next");
    }
    link(1, "first");
    let counted = total <= COUNTED;
    if counted {
        link(last, "last");
    }
    let mut headers = vec![
        ("X-Page", page.number.to_string()),
        ("X-Per-Page", page.size.to_string()),
        ("X-Next-Page", at(next)),
        ("X-Prev-Page", at(previous)),
        ("Link", links.join(", ")),
    ];
    if counted {
        headers.push(("X-Total", total.to_string()));
        headers.push(("X-Total-Pages", last.to_string()));
    }
    Answer { headers, ..Answer::ok(Value::Array(shown)) }
}

/// Where a keyset scan goes on: after the row with this value and this number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) value: String,
    pub(super) id: u64,
}

impl Cursor {
    /// The cursor that was sent; one that cannot be read is refused.
    pub(super) fn asked(asked: &Asked) -> Result<Option<Self>, Answer> {
        let Some(text) = asked.text("cursor") else { return Ok(None) };
        let read = || {
            let bytes = URL_SAFE_NO_PAD.decode(text.as_bytes()).ok()?;
            let held: Value = serde_json::from_slice(&bytes).ok()?;
            Some(Self { value: held["value"].as_str()?.to_owned(), id: held["id"].as_u64()? })
        };
        read().map(Some).ok_or_else(|| Answer::error(400, "cursor is invalid"))
    }

    fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(json!({"value": self.value, "id": self.id}).to_string())
    }
}

/// One page of a keyset scan; `next` is where the following one begins, if there is one.
pub(super) fn keyset(asked: &Asked, caller: &Caller, page: Page, shown: Vec<Value>, next: Option<&Cursor>) -> Answer {
    let mut answer = Answer::ok(Value::Array(shown));
    if let Some(cursor) = next {
        let pairs = [("cursor", cursor.text()), ("per_page", page.size.to_string())];
        answer.headers.push(("Link", format!("<{}>; rel=\"next\"", address(asked, caller, &pairs, &["page"]))));
    }
    answer
}

/// The called address with some parameters replaced, in the order of their names; tokens are left out.
fn address(asked: &Asked, caller: &Caller, pairs: &[(&str, String)], without: &[&str]) -> String {
    let kept = asked.query.iter().filter(|(name, _)| {
        let replaced = pairs.iter().any(|(other, _)| other == name) || without.contains(&name.as_str());
        !replaced && name != "private_token" && name != "access_token"
    });
    let mut all: Vec<(&str, &str)> = kept.map(|(name, value)| (name.as_str(), value.as_str())).collect();
    all.extend(pairs.iter().map(|(name, value)| (*name, value.as_str())));
    all.sort_by_key(|(name, _)| *name);
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(all).finish();
    format!("{}{}?{query}", caller.base, asked.path)
}
