//! What a request that meets a fault is answered.
//!
//! It is handed what the simulator answered, where that has acted, and a way to look at the simulator without anybody
//! noticing. What no answer can do, such as ending the connection, is told to `../serving.rs` beside the answer.

use std::{io, time::Duration};

use axum::{
    body::{Body, Bytes, to_bytes},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    response::Response,
};
use futures::stream;
use serde_json::{Value, json};

use super::{
    Kind, Met,
    dialect::{Dialect, Words},
};
use crate::lab::serving::{Cut, Door};

/// The longest answer of a simulator that a fault is put into.
const LONGEST: usize = 64 * 1024 * 1024;

/// The pause between two bytes of a body that drips.
const DRIP: Duration = Duration::from_millis(20);

/// What was asked, and of whom.
pub(crate) struct Asked<'a> {
    /// The kind of the provider.
    pub(crate) kind: &'a str,
    /// Without the query.
    pub(crate) path: &'a str,
    /// What was sent.
    pub(crate) body: &'a Value,
    /// The ids of all users, in order.
    pub(crate) users: &'a [String],
}

/// True where a request may change something at a provider of this kind.
pub(crate) fn is_write(kind: &str, method: &Method, path: &str) -> bool {
    !Dialect::of(kind).is_question(method, path)
}

/// The status that a fault shows in the log: 0 where no whole answer is sent.
pub(crate) fn status(kind: Kind, acted: Option<StatusCode>) -> u16 {
    match kind {
        Kind::Closed | Kind::Reset | Kind::Down | Kind::Silent | Kind::EndlessHeaders => 0,
        Kind::RateLimited => 429,
        Kind::InternalError => 500,
        Kind::BadGateway | Kind::ErrorPage => 502,
        Kind::Overloaded => 503,
        Kind::GatewayTimeout => 504,
        Kind::Redirect => 302,
        Kind::RedirectKept => 307,
        Kind::Expired => 401,
        Kind::Page | Kind::LyingOld | Kind::LyingNew | Kind::LyingEmpty | Kind::LyingOther => 200,
        Kind::SlowStart
        | Kind::Drip
        | Kind::Truncated
        | Kind::EndlessBody
        | Kind::WrongType
        | Kind::ControlCharacters
        | Kind::SkewedClock => acted.map_or(200, |status| status.as_u16()),
    }
}

/// Where to look at the simulator for what a lie shows; `None` where there is nothing to look at.
pub(crate) fn looks_at(kind: Kind, asked: &Asked<'_>) -> Option<String> {
    let dialect = Dialect::of(asked.kind);
    match kind {
        Kind::LyingOld | Kind::LyingNew => dialect.shown_at(asked.path),
        Kind::LyingOther => {
            let is_her = |id: &&String| asked.path.split('/').any(|part| part == id.as_str());
            asked.users.iter().find(|id| !is_her(id)).map(|other| dialect.user_at(other))
        }
        _ => None,
    }
}

/// The answer to a request that meets a fault. `acted` is what the simulator answered, where it was asked; `looked` what
/// it shows where a lie looked at it.
pub(crate) async fn answer(
    met: &mut Met,
    asked: &Asked<'_>,
    acted: Option<Response>,
    looked: Option<Response>,
    door: &Door,
) -> Response {
    let dialect = Dialect::of(asked.kind);
    match met.kind {
        Kind::Closed => Cut::Closed.into(),
        Kind::Reset => Cut::Reset.into(),
        Kind::Down => {
            door.shut(met.lasts).await;
            Cut::Reset.into()
        }
        Kind::Silent => {
            met.until_lifted().await;
            Cut::Closed.into()
        }
        Kind::SlowStart => {
            met.last().await;
            acted.unwrap_or_default()
        }
        Kind::Drip => dripping(acted.unwrap_or_default()).await,
        Kind::RateLimited => said(dialect.rate_limited(asked.path, met.retry_after, now())),
        Kind::InternalError => said(dialect.fails(asked.path, 500)),
        Kind::BadGateway => said(proxy(502)),
        Kind::Overloaded => said(dialect.fails(asked.path, 503)),
        Kind::GatewayTimeout => said(proxy(504)),
        Kind::ErrorPage => said(Words::page(502)),
        Kind::Page => said(Words::page(200)),
        Kind::Truncated => truncated(acted).await,
        Kind::EndlessBody => endless(acted),
        Kind::EndlessHeaders => Cut::EndlessHeaders.into(),
        Kind::Redirect | Kind::RedirectKept => {
            let elsewhere = format!("/elsewhere{}", asked.path);
            let words = Words { status: status(met.kind, None), headers: vec![("Location", elsewhere)], ..proxy(302) };
            said(words)
        }
        Kind::WrongType => {
            let mut answer = acted.unwrap_or_default();
            let kind = HeaderValue::from_static("application/octet-stream");
            answer.headers_mut().insert(header::CONTENT_TYPE, kind);
            answer
        }
        Kind::Expired => said(dialect.expired(asked.path)),
        Kind::LyingOld | Kind::LyingOther => match looked {
            Some(mut looked) => {
                *looked.status_mut() = StatusCode::OK;
                looked
            }
            None => yes(&dialect.yes()),
        },
        Kind::LyingNew => {
            let shown = match looked {
                Some(looked) => serde_json::from_slice(&bytes(looked.into_body()).await).unwrap_or_default(),
                None => dialect.newcomer(asked.path).unwrap_or_else(|| dialect.yes()),
            };
            yes(&over(shown, asked.body))
        }
        Kind::LyingEmpty => yes(&json!({})),
        Kind::ControlCharacters => acting_on_terminals(acted.unwrap_or_default()).await,
        Kind::SkewedClock => {
            let mut answer = acted.unwrap_or_default();
            let date = HeaderValue::from_static("Thu, 01 Jan 2037 00:00:00 GMT");
            answer.headers_mut().insert(header::DATE, date);
            answer
        }
    }
}

/// Unix time in seconds: some providers tell when they can be asked again.
fn now() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or_default()
}

fn proxy(status: u16) -> Words {
    let page = Words::page(status);
    let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or_default();
    Words { kind: "text/plain", body: format!("{reason}\n"), ..page }
}

fn said(words: Words) -> Response {
    let mut answer = Response::new(Body::from(words.body));
    *answer.status_mut() = StatusCode::from_u16(words.status).unwrap_or(StatusCode::BAD_GATEWAY);
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(words.kind));
    for (name, value) in words.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&value)) {
            answer.headers_mut().insert(name, value);
        }
    }
    answer
}

fn yes(body: &Value) -> Response {
    said(Words { status: 200, headers: Vec::new(), kind: "application/json", body: body.to_string() })
}

/// An object with what was sent in place of what was there.
fn over(mut shown: Value, sent: &Value) -> Value {
    if let (Some(shown), Some(sent)) = (shown.as_object_mut(), sent.as_object()) {
        shown.extend(sent.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
    shown
}

async fn bytes(body: Body) -> Bytes {
    to_bytes(body, LONGEST).await.unwrap_or_default()
}

async fn dripping(answer: Response) -> Response {
    let (mut parts, body) = answer.into_parts();
    let body = bytes(body).await;
    parts.headers.insert(header::CONTENT_LENGTH, body.len().into());
    let drops = stream::unfold((body, 0), async |(body, at)| {
        let drop = body.get(at..=at).map(Bytes::copy_from_slice)?;
        tokio::time::sleep(DRIP).await;
        Some((Ok::<_, io::Error>(drop), (body, at + 1)))
    });
    Response::from_parts(parts, Body::from_stream(drops))
}

async fn truncated(acted: Option<Response>) -> Response {
    let (mut parts, body) = acted.unwrap_or_else(|| yes(&json!({ "id": "x", "username": "somebody" }))).into_parts();
    let body = bytes(body).await;
    parts.headers.insert(header::CONTENT_LENGTH, (body.len() + 1).into());
    let half = body.slice(..body.len() / 2);
    let parts_of_it = stream::iter([Ok(half), Err(io::Error::other("the rest never comes"))]);
    Response::from_parts(parts, Body::from_stream(parts_of_it))
}

fn endless(acted: Option<Response>) -> Response {
    let (mut parts, _) = acted.unwrap_or_else(|| yes(&json!({}))).into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    let blanks = Bytes::from(vec![b' '; 1 << 16]);
    let blanks = stream::repeat_with(move || Ok::<_, io::Error>(blanks.clone()));
    Response::from_parts(parts, Body::from_stream(blanks))
}

/// The answer with something in front of each name that a terminal would obey.
async fn acting_on_terminals(answer: Response) -> Response {
    let (mut parts, body) = answer.into_parts();
    let body = bytes(body).await;
    let body = match serde_json::from_slice::<Value>(&body) {
        Ok(mut told) => {
            disguise(&mut told);
            Bytes::from(told.to_string())
        }
        Err(_) => body,
    };
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(body))
}

fn disguise(told: &mut Value) {
    const ACTS: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{202e}\r";
    match told {
        Value::Array(items) => items.iter_mut().for_each(disguise),
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(text) if key.to_lowercase().contains("name") && !text.is_empty() => {
                        text.insert_str(0, ACTS);
                    }
                    value => disguise(value),
                }
            }
        }
        _ => {}
    }
}
