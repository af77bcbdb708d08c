//! Where a site's REST API is, and what its answers mean (`wordpress.md` 1, 2 and 5).
//!
//! An answer is judged by its status and its `code`, never by its message, which is written in the site's language.

use serde_json::{Map, Value as Json};
use url::Url;

use super::refused::{SignIn, Why};
use crate::wire::{Reader, Reply, WireError};

/// The two forms an address of the API can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// `/wp-json/wp/v2/users`.
    Pretty,
    /// `/index.php?rest_route=/wp/v2/users`: always there, also where permalinks are plain.
    Plain,
}

/// A site whose API answers.
#[derive(Clone, Copy)]
pub(super) struct Site<'a> {
    wire: &'a Reader<'a>,
    form: Form,
}

impl<'a> Site<'a> {
    /// Asks the first question in the form of address that the site understands. The answer may be a no.
    pub(super) async fn find(
        wire: &'a Reader<'a>,
        route: &str,
        query: &[(&str, &str)],
    ) -> Result<(Self, Reply), WireError> {
        let pretty = Self { wire, form: Form::Pretty };
        let first = pretty.ask(route, query).await?;
        if is_of_the_api(&first) {
            return Ok((pretty, first));
        }
        let plain = Self { wire, form: Form::Plain };
        let second = plain.ask(route, query).await?;
        // Where neither is the API, the usual form tells better what is wrong.
        Ok(if is_of_the_api(&second) { (plain, second) } else { (pretty, first) })
    }

    /// Asks for a route such as `/wp/v2/users`.
    pub(super) async fn ask(&self, route: &str, query: &[(&str, &str)]) -> Result<Reply, WireError> {
        match self.form {
            Form::Pretty => self.wire.get(&format!("/wp-json{}", route.trim_end_matches('/')), query).await,
            Form::Plain => {
                let query: Vec<(&str, &str)> =
                    [("rest_route", route)].into_iter().chain(query.iter().copied()).collect();
                self.wire.get("/index.php", &query).await
            }
        }
    }

    /// Why nobody is signed in, as far as the site tells (`wordpress.md` 2).
    pub(super) async fn why_anonymous(&self, code: Option<String>) -> Why {
        let says_wrong = ["incorrect_password", "invalid_username", "invalid_email"];
        let cause = if code.as_deref().is_some_and(|code| says_wrong.contains(&code)) {
            SignIn::Wrong
        } else {
            let index = self.ask("/", &[("_fields", "authentication")]).await;
            match index.ok().filter(Reply::is_success).and_then(|reply| reply.json()) {
                // PHP writes an empty object as an empty list.
                Some(Json::Object(index)) => match index.get("authentication") {
                    Some(Json::Array(none)) if none.is_empty() => SignIn::Unavailable,
                    Some(Json::Object(ways)) if ways.contains_key("application-passwords") => SignIn::Unheard,
                    Some(Json::Object(_)) => SignIn::Unavailable,
                    _ => SignIn::Unknown,
                },
                _ => SignIn::Unknown,
            }
        };
        Why::NotSignedIn { code, cause }
    }

    /// An answer's body, where it is a yes.
    pub(super) async fn yes(&self, reply: &Reply) -> Result<Json, Why> {
        if reply.is_success() {
            return reply.json().ok_or_else(|| not_wordpress(reply));
        }
        let code = code(reply);
        let is_told = code.is_some();
        Err(match reply.status {
            status @ 300..=399 => Why::Redirected { status, to: target(reply) },
            401 if is_told => self.why_anonymous(code).await,
            403 if is_told => Why::MayNotRead { code },
            404 if code.as_deref() == Some("rest_no_route") => Why::NoRoute,
            503 if code.as_deref() == Some("wp_die") => Why::Maintenance { retry_after: reply.retry_after() },
            status @ (408 | 429 | 500..=599) => Why::Unavailable { status, code, retry_after: reply.retry_after() },
            status if is_told => Why::Refused { status, code },
            _ => not_wordpress(reply),
        })
    }
}

/// True for the one answer that says that there is no such user (`wordpress.md` 5).
pub(super) fn is_no_such_user(reply: &Reply) -> bool {
    reply.status == 404 && code(reply).as_deref() == Some("rest_user_invalid_id")
}

/// True where WordPress's API answered, or where the form of the address is not what is wrong.
fn is_of_the_api(reply: &Reply) -> bool {
    let is_busy = matches!(reply.status, 408 | 429 | 500..=599);
    is_busy || code(reply).is_some() || (reply.is_success() && reply.json().is_some())
}

/// WordPress's word for what went wrong. Only what looks like one: a server may write anything there.
fn code(reply: &Reply) -> Option<String> {
    let body: Map<String, Json> = reply.read().ok()?;
    let code = body.get("code")?.as_str()?;
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
    Some(if !code.is_empty() && code.len() <= 60 && code.chars().all(is_word) { code } else { "?" }.to_owned())
}

/// Where a redirect leads: scheme, host and the folder of the site, and nothing that a path or a query could hold.
fn target(reply: &Reply) -> Option<String> {
    let url: Url = reply.headers.get("location")?.parse().ok()?;
    let host = url.host_str()?;
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let folder = url.path().split_once("/wp-json").map(|(folder, _)| folder).unwrap_or_default();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-');
    let folder = if folder.len() <= 60 && folder.chars().all(is_plain) { folder } else { "" };
    Some(format!("{}://{host}{port}{folder}", url.scheme()))
}

fn not_wordpress(reply: &Reply) -> Why {
    let text = reply.text();
    let looks_like = match text.trim_start_matches('\u{FEFF}').trim_start().chars().next() {
        None => "an empty answer",
        Some('<') => "a page instead of data",
        Some(_) if reply.json().is_some() => "other data",
        Some(_) => "an answer that is no JSON",
    };
    Why::NotWordPress { status: reply.status, looks_like }
}
