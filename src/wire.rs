//! The only door to the network.
//!
//! A line leads to one system. Reading goes through a [`Reader`], which repeats what failed in passing. Writing goes
//! through a [`Writer`], which can only be made with the journal in hand: the intent is durable before the request leaves
//! and the answer is durable before anyone sees it. No redirect is followed and no write is repeated behind anybody's
//! back. The door knows no provider.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use backon::{ExponentialBuilder, Retryable};
use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::header::{ACCEPT, HeaderValue};
use serde::Deserialize;
use tokio::sync::{Mutex, Semaphore};
use tracing::debug;
use url::Url;

use crate::{
    model::{capability::Scheme, id::SystemName, plan::Call, secret::Secret},
    state::{Entry, Store},
};

/// Answers larger than this are refused: no provider's page comes near it.
const MAX_BODY: usize = 64 * 1024 * 1024;

/// How often a read is tried in all.
const READ_ATTEMPTS: usize = 4;

/// How often a write that was turned away unread (429) is tried in all.
const WRITE_ATTEMPTS: u32 = 5;

/// The longest pause a server may ask for before we give up instead.
const LONGEST_PAUSE: Duration = Duration::from_mins(2);

/// A token is kept no longer than this, whatever the server says of its life.
const LONGEST_TOKEN: Duration = Duration::from_hours(12);

/// What proves who we are.
#[derive(Clone, Debug)]
pub(crate) enum Credential {
    /// A token, as it is.
    Token(Secret),
    /// A service account's key file (RFC 7523), exchanged for a token when one is needed.
    Key {
        /// The text of the key file.
        file: Secret,
        /// The scope to ask for.
        scope: &'static str,
    },
    /// A login and its password, sent together with every request (RFC 7617).
    Basic {
        /// The login.
        username: String,
        /// The password, without the blanks it is shown with.
        password: Secret,
    },
}

impl Credential {
    /// A login and a password. Blanks in the password only help to read it, and do not travel.
    pub(crate) fn basic(username: &str, password: &Secret) -> Self {
        let password: String = password.expose().split_whitespace().collect();
        Self::Basic { username: username.to_owned(), password: Secret::new(&password) }
    }
}

/// How to reach one system.
#[derive(Clone, Debug)]
pub(crate) struct Reach {
    pub(crate) system: SystemName,
    pub(crate) url: Url,
    pub(crate) credential: Credential,
    pub(crate) scheme: Scheme,
    pub(crate) concurrency: usize,
    pub(crate) timeout: Duration,
}

/// A connection to one system: its address, its credentials, and how much may be under way at once.
pub(crate) struct Line {
    reach: Reach,
    client: reqwest::Client,
    slots: Semaphore,
    token: Mutex<Option<(Secret, Instant)>>,
}

/// Why there is no answer that could be read.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// Nobody listens there, or the name is unknown: nothing was sent.
    #[error("{system} at {host} cannot be reached: {cause}")]
    Unreachable {
        /// Which system.
        system: SystemName,
        /// Host and port, without path or user.
        host: String,
        /// In the words of the network.
        cause: String,
    },
    /// It took too long; what was sent may have had its effect.
    #[error("{system} at {host} did not answer within {seconds} s")]
    Timeout {
        /// Which system.
        system: SystemName,
        /// Host and port.
        host: String,
        /// The limit that passed.
        seconds: u64,
    },
    /// The connection broke; what was sent may have had its effect.
    #[error("the connection to {system} at {host} broke: {cause}")]
    Broken {
        /// Which system.
        system: SystemName,
        /// Host and port.
        host: String,
        /// In the words of the network.
        cause: String,
    },
    /// The answer is larger than any honest one.
    #[error("{system} at {host} sent more than {MAX_BODY} bytes")]
    TooLarge {
        /// Which system.
        system: SystemName,
        /// Host and port.
        host: String,
    },
    /// The key could not be turned into a token.
    #[error("{system} gave no token for the key: {cause}")]
    NoToken {
        /// Which system.
        system: SystemName,
        /// Why.
        cause: String,
    },
    /// The request cannot be written as one that stays where it belongs, so nothing was sent.
    #[error("nothing was sent to {system}: {cause}")]
    Unsendable {
        /// Which system.
        system: SystemName,
        /// What is wrong with it; holds no values.
        cause: &'static str,
    },
    /// The journal could not be written, so nothing was sent.
    #[error("nothing was sent to {system}: the journal could not be written")]
    NotRecorded {
        /// Which system.
        system: SystemName,
        /// Why.
        cause: String,
    },
}

impl WireError {
    /// True where the request certainly never reached the server.
    #[must_use]
    pub(crate) fn never_sent(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. } | Self::NoToken { .. } | Self::Unsendable { .. } | Self::NotRecorded { .. }
        )
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Headers by lower-case name; of repeated ones the last.
    pub headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Reply {
    /// The body as JSON; `None` where it is none.
    #[must_use]
    pub fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The body read into a type.
    ///
    /// # Errors
    /// Where the body is not JSON or not of this shape.
    pub fn read<T: for<'de> Deserialize<'de>>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }

    /// The body as text, for answers that are no JSON.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// True for 2xx.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The answer without our token: a server or a proxy that repeats what it was sent must not bring it into messages,
    /// plans or the store.
    fn without(mut self, token: &Secret) -> Self {
        const INSTEAD: &str = "[our token]";
        // One as short as a word would be found in every text, and is no secret.
        const SHORTEST: usize = 12;
        if token.expose().len() < SHORTEST {
            return self;
        }
        let quoted = serde_json::to_string(token.expose()).unwrap_or_default();
        let quoted = quoted.trim_matches('"');
        // Some servers write each `/` of a JSON text as `\/`.
        for text in [token.expose(), quoted, &quoted.replace('/', "\\/")] {
            let body = String::from_utf8_lossy(&self.body);
            if body.contains(text) {
                self.body = body.replace(text, INSTEAD).into_bytes();
            }
        }
        for value in self.headers.values_mut().filter(|value| value.contains(token.expose())) {
            *value = value.replace(token.expose(), INSTEAD);
        }
        self
    }

    /// How long the server asks us to wait (`Retry-After` in seconds).
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.headers.get("retry-after")?.trim().parse().ok().map(Duration::from_secs)
    }
}

/// Looks, and can do nothing else.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    line: &'a Line,
}

/// Sends one call of a plan. Each request it sends is in the journal first.
pub struct Writer<'a> {
    line: &'a Line,
    journal: &'a dyn Store,
    run: i64,
    call: &'a Call,
    attempt: u32,
    doubt: bool,
    taken: bool,
}

impl Line {
    /// Makes a line; nothing is sent yet.
    pub(crate) fn new(reach: Reach) -> Result<Self, WireError> {
        let mut client = reqwest::Client::builder()
            .user_agent(concat!("homeward/", env!("CARGO_PKG_VERSION")))
            // Some servers tell faults as pages to whoever would read pages.
            .default_headers([(ACCEPT, HeaderValue::from_static("application/json"))].into_iter().collect())
            .redirect(reqwest::redirect::Policy::none())
            // Whatever is sent again is sent by us, with the journal knowing.
            .retry(reqwest::retry::never())
            .connect_timeout(Duration::from_secs(10).min(reach.timeout))
            .timeout(reach.timeout);
        if is_loopback(&reach.url) {
            // A proxy of the environment is for the world outside: nobody else must see what stays on this machine.
            client = client.no_proxy();
        }
        let client = client.build().map_err(|error| WireError::Unreachable {
            system: reach.system.clone(),
            host: String::new(),
            cause: error.without_url().to_string(),
        })?;
        let slots = Semaphore::new(reach.concurrency.max(1));
        Ok(Self { reach, client, slots, token: Mutex::new(None) })
    }

    /// Something to look with.
    pub(crate) fn reader(&self) -> Reader<'_> {
        Reader { line: self }
    }

    /// Something to act with; the journal makes it possible.
    pub(crate) fn writer<'a>(&'a self, journal: &'a dyn Store, run: i64, call: &'a Call) -> Writer<'a> {
        Writer { line: self, journal, run, call, attempt: 0, doubt: false, taken: false }
    }

    fn host(&self) -> String {
        let url = &self.reach.url;
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        format!("{}{port}", url.host_str().unwrap_or("?"))
    }

    /// Where a path leads. One that would be rewritten on its way into an address (`..`, `%2e%2e`, `?`, `//`) came from
    /// an id or a saved plan that wants to be somewhere else, and leads nowhere.
    fn url(&self, path: &str, query: &[(&str, &str)]) -> Result<Url, WireError> {
        let mut url = self.reach.url.clone();
        let whole = format!("{}{path}", url.path().trim_end_matches('/'));
        url.set_path(&whole);
        if url.path() != whole || is_astray(path) {
            let cause = "its path is not one of this system's";
            return Err(WireError::Unsendable { system: self.reach.system.clone(), cause });
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    async fn token(&self, fresh: bool) -> Result<Secret, WireError> {
        let (file, scope) = match &self.reach.credential {
            Credential::Token(token) => return Ok(token.clone()),
            Credential::Basic { username, password } => return Ok(pair(username, password)),
            Credential::Key { file, scope } => (file, *scope),
        };
        let mut held = self.token.lock().await;
        if let Some((token, until)) = held.as_ref()
            && !fresh
            && Instant::now() < *until
        {
            return Ok(token.clone());
        }
        let (token, lifetime) = self.exchange(file, scope).await?;
        // A server may claim any number; one that is too high only means that we ask again earlier.
        let lifetime = lifetime.min(LONGEST_TOKEN);
        *held = Some((token.clone(), Instant::now() + lifetime.mul_f32(0.9)));
        Ok(token)
    }

    /// Trades a signed assertion for a token (RFC 7523).
    async fn exchange(&self, file: &Secret, scope: &str) -> Result<(Secret, Duration), WireError> {
        #[derive(Deserialize)]
        struct OAuthError {
            error: String,
        }
        #[derive(Deserialize)]
        struct Granted {
            access_token: String,
            expires_in: Option<u64>,
        }
        let no_token = |cause: String| WireError::NoToken { system: self.reach.system.clone(), cause };
        let assertion = assertion(file, &self.reach.url).map_err(no_token)?;
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
            ("scope", scope),
            ("assertion", &assertion),
        ];
        let sent = self.client.post(self.url("/oauth/v2/token", &[])?).form(&form).send().await;
        // Without a token the call itself was never sent, however the exchange failed.
        let reply = self.collect(sent).await.map_err(|error| no_token(error.to_string()))?;
        if !reply.is_success() {
            // One of the words of RFC 6749 5.2, and nothing longer that a server might have put there.
            let is_word = |text: &String| text.len() < 40 && text.bytes().all(|c| c.is_ascii_lowercase() || c == b'_');
            let word = reply.read::<OAuthError>().ok().map(|told| told.error).filter(is_word);
            let word = word.unwrap_or_else(|| "no reason given".to_owned());
            return Err(no_token(format!("{} {word}", reply.status)));
        }
        let granted: Granted = reply.read().map_err(|_| no_token("the answer holds no access_token".to_owned()))?;
        Ok((Secret::new(&granted.access_token), Duration::from_secs(granted.expires_in.unwrap_or(300))))
    }

    /// Sends one request, once, and reads the whole answer. A refused token from a key is renewed once.
    async fn once(
        &self,
        method: &reqwest::Method,
        path: &str,
        query: &[(&str, &str)],
        headers: &BTreeMap<String, String>,
        body: Option<&serde_json::Value>,
        fresh_token: bool,
    ) -> Result<Reply, WireError> {
        let token = self.token(fresh_token).await?;
        let mut request = self.client.request(method.clone(), self.url(path, query)?);
        request = match self.reach.scheme {
            Scheme::Bearer => {
                let value = format!("Bearer {}", token.expose());
                request.header(reqwest::header::AUTHORIZATION, sensitive(&value, &self.reach.system)?)
            }
            Scheme::Basic => {
                let value = format!("Basic {}", token.expose());
                request.header(reqwest::header::AUTHORIZATION, sensitive(&value, &self.reach.system)?)
            }
            Scheme::Header(name) => request.header(name, sensitive(token.expose(), &self.reach.system)?),
        };
        for (name, value) in headers {
            request = request.header(name, value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let started = Instant::now();
        let mut reply = self.collect(request.send().await).await?.without(&token);
        if let Credential::Basic { password, .. } = &self.reach.credential {
            reply = reply.without(password);
        }
        debug!(system = %self.reach.system, %method, status = reply.status, ms = started.elapsed().as_millis(), "asked");
        Ok(reply)
    }

    async fn collect(&self, sent: Result<reqwest::Response, reqwest::Error>) -> Result<Reply, WireError> {
        let mut response = sent.map_err(|error| self.fault(error))?;
        let status = response.status().as_u16();
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.fault(error))? {
            if body.len() + chunk.len() > MAX_BODY {
                return Err(WireError::TooLarge { system: self.reach.system.clone(), host: self.host() });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Reply { status, headers, body })
    }

    fn fault(&self, error: reqwest::Error) -> WireError {
        let (system, host) = (self.reach.system.clone(), self.host());
        if error.is_builder() {
            return WireError::Unsendable { system, cause: "it cannot be written as a request" };
        }
        if error.is_connect() {
            return WireError::Unreachable { system, host, cause: network(&error.without_url()) };
        }
        if error.is_timeout() {
            return WireError::Timeout { system, host, seconds: self.reach.timeout.as_secs() };
        }
        WireError::Broken { system, host, cause: network(&error.without_url()) }
    }
}

impl Reader<'_> {
    /// The system at the other end.
    #[must_use]
    pub fn system(&self) -> &SystemName {
        &self.line.reach.system
    }

    /// Reads one address. What fails in passing (429, 5xx, a broken connection) is tried again.
    ///
    /// # Errors
    /// Where there is no answer at all; an answer that says no is a [`Reply`].
    pub async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Reply, WireError> {
        self.ask(&reqwest::Method::GET, path, query, &BTreeMap::new(), None).await
    }

    /// As [`Reader::get`], with headers of the provider's own.
    ///
    /// # Errors
    /// As [`Reader::get`].
    pub async fn get_with(&self, path: &str, headers: &BTreeMap<String, String>) -> Result<Reply, WireError> {
        self.ask(&reqwest::Method::GET, path, &[], headers, None).await
    }

    /// Asks a question that needs a body: a POST that changes nothing, such as Mattermost's `POST /users/ids`.
    ///
    /// # Errors
    /// As [`Reader::get`].
    pub async fn search(&self, path: &str, body: &serde_json::Value) -> Result<Reply, WireError> {
        self.search_with(path, &BTreeMap::new(), body).await
    }

    /// As [`Reader::search`], with headers of the provider's own.
    ///
    /// # Errors
    /// As [`Reader::get`].
    pub async fn search_with(
        &self,
        path: &str,
        headers: &BTreeMap<String, String>,
        body: &serde_json::Value,
    ) -> Result<Reply, WireError> {
        self.ask(&reqwest::Method::POST, path, &[], headers, Some(body)).await
    }

    async fn ask(
        &self,
        method: &reqwest::Method,
        path: &str,
        query: &[(&str, &str)],
        headers: &BTreeMap<String, String>,
        body: Option<&serde_json::Value>,
    ) -> Result<Reply, WireError> {
        enum Again {
            Fault(WireError),
            Later(Reply),
        }
        let _slot = self.line.slots.acquire().await;
        let attempt = async || {
            let mut reply = self.line.once(method, path, query, headers, body, false).await;
            if let (Ok(Reply { status: 401, .. }), Credential::Key { .. }) = (&reply, &self.line.reach.credential) {
                reply = self.line.once(method, path, query, headers, body, true).await;
            }
            match reply {
                Ok(reply) if matches!(reply.status, 429 | 500 | 502..=504) => Err(Again::Later(reply)),
                Ok(reply) => Ok(reply),
                Err(error) => Err(Again::Fault(error)),
            }
        };
        let pauses = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(200))
            .with_jitter()
            .with_max_times(READ_ATTEMPTS - 1);
        let answer = attempt
            .retry(pauses)
            .when(|again| {
                !matches!(
                    again,
                    Again::Fault(
                        WireError::TooLarge { .. }
                            | WireError::NoToken { .. }
                            | WireError::Unreachable { .. }
                            | WireError::Unsendable { .. }
                    )
                )
            })
            .adjust(|again, pause| match again {
                Again::Later(reply) => match reply.retry_after() {
                    Some(asked) if asked > LONGEST_PAUSE => None,
                    Some(asked) => pause.map(|pause| pause.max(asked)),
                    None => pause,
                },
                Again::Fault(_) => pause,
            })
            .await;
        match answer {
            Ok(reply) | Err(Again::Later(reply)) => Ok(reply),
            Err(Again::Fault(error)) => Err(error),
        }
    }
}

impl Writer<'_> {
    /// The system at the other end.
    #[must_use]
    pub fn system(&self) -> &SystemName {
        &self.line.reach.system
    }

    /// A second look, for providers whose answer is no proof.
    #[must_use]
    pub fn reader(&self) -> Reader<'_> {
        self.line.reader()
    }

    /// True where the last thing sent may have had its effect although no answer says so.
    pub(crate) fn in_doubt(&self) -> bool {
        self.doubt
    }

    /// True where the last thing sent was answered with a yes, whatever else the answer was.
    pub(crate) fn was_taken(&self) -> bool {
        self.taken
    }

    /// Sends the call as the plan shows it. What was turned away unread (429) is sent again, after the pause the server
    /// asks for; every attempt is in the journal.
    ///
    /// # Errors
    /// Where there is no answer. Whether the request can have had an effect all the same is known to whoever made the
    /// writer: a connector only tells what it met.
    pub async fn send(&mut self) -> Result<Reply, WireError> {
        let mut body = self.call.body.clone();
        for field in &self.call.generated {
            if let Some(body) = body.as_object_mut() {
                body.insert(field.clone(), password().into());
            }
        }
        let body = (!body.is_null()).then_some(&body);
        let method = reqwest::Method::from_bytes(self.call.method.as_bytes()).unwrap_or(reqwest::Method::POST);
        let _slot = self.line.slots.acquire().await;
        let mut fresh_token = false;
        loop {
            self.attempt += 1;
            self.record(&Entry::Calling {
                call: self.call.id.clone(),
                attempt: self.attempt,
                method: self.call.method.clone(),
                path: self.call.path.clone(),
            })?;
            let answer = self.line.once(&method, &self.call.path, &[], &self.call.headers, body, fresh_token).await;
            let (call, attempt) = (self.call.id.clone(), self.attempt);
            self.doubt = match &answer {
                // 408 is what a proxy says when the server behind it has not answered in time.
                Ok(reply) => reply.status >= 500 || reply.status == 408,
                Err(error) => !error.never_sent(),
            };
            self.taken = answer.as_ref().is_ok_and(Reply::is_success);
            match &answer {
                Ok(reply) => self.record(&Entry::Answered { call, attempt, status: reply.status })?,
                Err(error) => self.record(&Entry::Unanswered { call, attempt, cause: error.to_string() })?,
            }
            let Ok(reply) = &answer else { return answer };
            let stale = reply.status == 401 && matches!(self.line.reach.credential, Credential::Key { .. });
            if stale && !fresh_token {
                fresh_token = true;
                continue;
            }
            let pause = reply.retry_after().unwrap_or(Duration::from_secs(1) * self.attempt);
            if reply.status != 429 || self.attempt >= WRITE_ATTEMPTS || pause > LONGEST_PAUSE {
                return answer;
            }
            tokio::time::sleep(pause).await;
        }
    }

    fn record(&self, entry: &Entry) -> Result<(), WireError> {
        self.journal.append(self.run, entry).map_err(|error| WireError::NotRecorded {
            system: self.line.reach.system.clone(),
            cause: error.to_string(),
        })
    }
}

/// True for a path that means more than its words: a step up or nowhere, a host, a query, something that a server
/// might read differently.
pub(crate) fn is_astray(path: &str) -> bool {
    let step = |segment: &str| matches!(segment.to_lowercase().replace("%2e", ".").as_str(), "" | "." | "..");
    let Some(rest) = path.strip_prefix('/') else { return true };
    let odd = |c: char| {
        !c.is_ascii_graphic() || matches!(c, '?' | '#' | '\\' | '"' | '<' | '>' | '`' | '{' | '}' | '|' | '^')
    };
    rest.split('/').any(step) || path.contains(odd)
}

/// Asks one of the lab's own routes, which need no credentials. Only ever speaks to loopback.
pub(crate) async fn ask_lab(
    url: &str,
    method: &str,
    path: &str,
    body: &serde_json::Value,
) -> Result<serde_json::Value, String> {
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap_or(reqwest::Method::GET);
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build();
    let client = client.map_err(|error| innermost(&error.without_url()))?;
    let mut request = client.request(method, format!("{url}/_lab/{path}"));
    if !body.is_null() {
        request = request.json(body);
    }
    let reply = request.send().await.map_err(|error| innermost(&error.without_url()))?;
    let success = reply.status().is_success();
    let answer: serde_json::Value = reply.json().await.map_err(|error| innermost(&error.without_url()))?;
    match answer.get("error").and_then(serde_json::Value::as_str) {
        Some(error) if !success => Err(error.to_owned()),
        _ => Ok(answer),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// A password nobody will ever see: the account signs in elsewhere or has it reset.
fn password() -> String {
    use rand::distr::{Alphanumeric, SampleString};
    // The classes that password rules ask for, then enough randomness to make them irrelevant.
    format!("Aa1!{}", Alphanumeric.sample_string(&mut rand::rng(), 40))
}

/// A login and a password as one text that a header can carry.
fn pair(username: &str, password: &Secret) -> Secret {
    Secret::new(&STANDARD.encode(format!("{username}:{}", password.expose())))
}

/// A header value that the HTTP library keeps out of its own debug output.
fn sensitive(text: &str, system: &SystemName) -> Result<HeaderValue, WireError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| WireError::NoToken {
        system: system.clone(),
        cause: "it holds characters that no header can carry".to_owned(),
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Signs the assertion of a service account's key file (`zitadel.md` section 2).
fn assertion(file: &Secret, audience: &Url) -> Result<String, String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct KeyFile {
        key_id: String,
        key: String,
        user_id: String,
    }
    #[derive(serde::Serialize)]
    struct Claims<'a> {
        iss: &'a str,
        sub: &'a str,
        aud: &'a str,
        iat: u64,
        exp: u64,
    }
    let file: KeyFile = serde_json::from_str(file.expose())
        .map_err(|_| "the key file is not the JSON that was downloaded".to_owned())?;
    let key = jsonwebtoken::EncodingKey::from_rsa_pem(file.key.as_bytes())
        .map_err(|_| "the key in the key file is no RSA key in PEM form".to_owned())?;
    let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::RS256);
    header.kid = Some(file.key_id);
    let now = jsonwebtoken::get_current_timestamp();
    let audience = audience.as_str().trim_end_matches('/');
    let claims = Claims { iss: &file.user_id, sub: &file.user_id, aud: audience, iat: now, exp: now + 600 };
    jsonwebtoken::encode(&header, &claims, &key).map_err(|error| error.to_string())
}

/// Why a connection failed, in words that do not depend on the machine we run on.
fn network(error: &dyn std::error::Error) -> String {
    let mut causes = vec![error.to_string()];
    let mut inner = error;
    while let Some(next) = inner.source() {
        causes.push(next.to_string());
        inner = next;
    }
    let any = |part: &str| causes.iter().any(|cause| cause.contains(part));
    let said = if any("dns error") || any("lookup address") {
        "there is no host of this name"
    } else if any("Connection refused") {
        "nobody listens there"
    } else if any("InvalidContentType") {
        "it does not speak https there; perhaps this is an http port"
    } else if any("UnknownIssuer") {
        "no authority known here vouches for its certificate"
    } else if any("NotValidForName") {
        "its certificate is for another name"
    } else if any("certificate expired") || any("Expired") {
        "its certificate has expired"
    } else {
        return innermost(error);
    };
    said.to_owned()
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(next) = inner.source() {
        inner = next;
    }
    inner.to_string()
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Line").field("system", &self.reach.system).finish_non_exhaustive()
    }
}
