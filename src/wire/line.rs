//! The connection to one system: its address, its credentials, and how much may be under way at once. Sends one request,
//! once, and reads the whole answer; who asks again, and when, is not decided here.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use reqwest::header::{ACCEPT, HeaderValue};
use serde::Deserialize;
use tokio::sync::{Mutex, Semaphore};
use tracing::debug;
use url::Url;

use super::{
    Credential, Reader, Reply, WireError, Writer,
    address::{is_astray, is_loopback},
    credential::{assertion, pair, sensitive},
    fault::network,
    reply::MAX_BODY,
};
use crate::{
    model::{capability::Scheme, id::SystemName, plan::Call, secret::Secret},
    state::Store,
};

/// A token is kept no longer than this, whatever the server says of its life.
const LONGEST_TOKEN: Duration = Duration::from_hours(12);

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
    pub(super) reach: Reach,
    client: reqwest::Client,
    pub(super) slots: Semaphore,
    token: Mutex<Option<(Secret, Instant)>>,
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
    pub(super) async fn once(
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

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Line").field("system", &self.reach.system).finish_non_exhaustive()
    }
}
