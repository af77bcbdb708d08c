//! The connection to one system: its address, its credentials, its pace, and whether it is asked at all. Sends one
//! request, once, and reads the whole answer; who asks again is not decided here.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{
        MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::header::{ACCEPT, HeaderValue};
use serde::Deserialize;
use tokio::sync::{Mutex, Notify};
use tracing::{debug, info, warn};
use url::Url;

use super::{
    Allowance, Bound, Credential, Dialect, OwnToken, Rate, Reader, Refill, Reply, Route, WireError, Writer,
    address::is_astray,
    bounds::{self, MAX_BODY, MAX_HEADERS, MAX_WEIGHT, Room},
    breaker::{Breaker, Ended, Why},
    credential::{as_login, assertion, pair, sensitive},
    fault::{innermost, network},
    pace::{Gate, Met, Pace},
    quota::{Counted, Turn},
    repeat::{self, LONGEST_PAUSE, Passing},
    writer,
};
use crate::{
    model::{
        capability::Scheme,
        id::SystemName,
        own_token::TokenKind,
        plan::Call,
        refusal::{Refusal, RefusalKind},
        secret::Secret,
    },
    state::Store,
};

/// So many tokens of people that are not accepted are borne by a system that keeps out whoever tries too often
/// (`nextcloud.md` 6: more than ten in half an hour). Those that are under way at that moment come on top.
const MOST_STRANGERS: usize = 6;

/// How long such a system counts a sign-in that failed.
const COUNTED: Duration = Duration::from_mins(30);

/// A pause of this length is told to whoever waits.
const WORTH_TELLING: Duration = Duration::from_secs(2);

/// A token is kept no longer than this, whatever the server says of its life.
const LONGEST_TOKEN: Duration = Duration::from_hours(12);

/// How to reach one system.
#[derive(Clone, Debug)]
pub(crate) struct Reach {
    pub(crate) system: SystemName,
    pub(crate) url: Url,
    pub(crate) credential: Credential,
    pub(crate) scheme: Scheme,
    /// How many requests may be under way at once; fewer where the server says that it is too much.
    pub(crate) concurrency: usize,
    /// How long an answer may take, whole.
    pub(crate) timeout: Duration,
    pub(crate) habits: Habits,
    pub(crate) route: Route,
}

/// How a system is spoken to where nothing special is known of it, unless something is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Habits {
    /// How long making a connection may take.
    pub(crate) connect_timeout: Duration,
    /// How long the server may be silent, before an answer and in the middle of one; `None`: as long as the whole may
    /// take.
    pub(crate) read_timeout: Option<Duration>,
    /// How much may be asked in which time; `None`: what the server itself tells.
    pub(crate) rate: Option<Rate>,
    /// After so many failures in a row it is left alone.
    pub(crate) failures: u32,
    /// What the provider's answers tell.
    pub(crate) dialect: Dialect,
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            read_timeout: None,
            rate: None,
            failures: 5,
            dialect: Dialect::default(),
        }
    }
}

/// A number by which a token is known again.
fn number(token: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    token.hash(&mut hasher);
    hasher.finish()
}

/// A connection to one system.
pub(crate) struct Line {
    pub(super) reach: Reach,
    pub(super) client: reqwest::Client,
    gate: Gate,
    /// What only certain calls wait for.
    counted: Option<Counted>,
    /// Tokens of people that were not accepted, by a number for each, and when; those of the last [`COUNTED`].
    strangers: std::sync::Mutex<BTreeMap<u64, Instant>>,
    breaker: std::sync::Mutex<Breaker>,
    token: Mutex<Option<(Secret, Instant)>>,
    /// How many requests were sent.
    asked: AtomicU64,
    is_hung_up: AtomicBool,
    hung_up: Notify,
}

/// What a request carries, and how it is written down.
#[derive(Clone, Copy)]
pub(super) enum Written<'a> {
    Json(&'a serde_json::Value),
    /// The fields of an object, as a form.
    Form(&'a serde_json::Value),
}

/// One question or call, all its repeats counted as one: what becomes of it decides whether the system is asked further.
pub(super) struct Errand<'a> {
    line: &'a Line,
    /// True where it tries whether the system is well again.
    is_probe: bool,
    /// True where it goes with a person's own token: a no to that says nothing of the system.
    is_own: bool,
    ended: Ended,
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
            .http2_max_header_list_size(MAX_HEADERS)
            .connect_timeout(reach.habits.connect_timeout.min(reach.timeout))
            .read_timeout(reach.habits.read_timeout.unwrap_or(reach.timeout))
            .timeout(reach.timeout);
        let unroutable = |cause: String| WireError::Unroutable { system: reach.system.clone(), cause };
        client = reach.route.apply(client, &reach.url).map_err(unroutable)?;
        let client = client.build().map_err(|error| unroutable(innermost(&error.without_url())))?;
        let pace = Pace::new(reach.concurrency, reach.habits.rate, tokio::time::Instant::now());
        let counted = reach.habits.dialect.quota.map(|quota| Counted::new(quota, reach.concurrency));
        let breaker = std::sync::Mutex::new(Breaker::new(reach.habits.failures));
        let (is_hung_up, hung_up) = (AtomicBool::new(false), Notify::new());
        let (gate, token) = (Gate::new(pace), Mutex::new(None));
        let strangers = std::sync::Mutex::default();
        let asked = AtomicU64::new(0);
        Ok(Self { reach, client, gate, counted, strangers, breaker, token, asked, is_hung_up, hung_up })
    }

    /// How many requests were sent so far.
    pub(crate) fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// Something to look with.
    pub(crate) fn reader(&self) -> Reader<'_> {
        Reader { line: self, own: None }
    }

    /// Something to look with that carries this person's token and no other.
    pub(crate) fn reader_as<'a>(&'a self, own: &'a OwnToken) -> Reader<'a> {
        Reader { line: self, own: Some(own) }
    }

    /// Something to act with; the journal makes it possible.
    pub(crate) fn writer<'a>(&'a self, journal: &'a dyn Store, run: i64, call: &'a Call) -> Writer<'a> {
        Writer {
            line: self,
            own: None,
            journal,
            run,
            call,
            budget: None,
            mark: None,
            attempt: 0,
            doubt: false,
            last: writer::Last::default(),
            renewed: false,
            only_if: None,
            met: Vec::new(),
        }
    }

    /// Something to act with that carries the token of the person whom the call is about. `None` for anybody else's: a
    /// writer for it cannot be had.
    pub(crate) fn writer_as<'a>(
        &'a self,
        journal: &'a dyn Store,
        run: i64,
        call: &'a Call,
        own: &'a OwnToken,
    ) -> Option<Writer<'a>> {
        (call.person == *own.person()).then(|| Writer { own: Some(own), ..self.writer(journal, run, call) })
    }

    /// Why the system is not asked at present; `None` where it is. Whoever has a call for it need not begin it.
    pub(crate) fn closed(&self) -> Option<Refusal> {
        let why = self.breaker().why(tokio::time::Instant::now())?;
        Some(Refusal::new(RefusalKind::Unavailable, self.told(why)))
    }

    /// Nobody waits on this line any more: whoever would have to, gives up.
    pub(crate) fn hang_up(&self) {
        self.is_hung_up.store(true, Ordering::SeqCst);
        self.hung_up.notify_waiters();
        self.stir();
    }

    /// Has everybody who waits look again.
    fn stir(&self) {
        self.gate.stir();
        if let Some(counted) = &self.counted {
            counted.gate.stir();
        }
    }

    /// How long these calls, by method and path, will take, as far as this system tells or is known, and what they are
    /// bounded by.
    pub(crate) fn forecast<'c>(&self, calls: impl Iterator<Item = (&'c str, &'c str)>) -> Option<(Duration, Bound)> {
        let (mut all, mut counted) = (0_u64, 0_u64);
        for (method, path) in calls {
            all += 1;
            counted += u64::from(self.counted.as_ref().is_some_and(|it| it.counts(method, path)));
        }
        let requests = all.saturating_mul(u64::from(self.reach.habits.dialect.requests));
        let now = tokio::time::Instant::now();
        let of_all = self.gate.pace().forecast(requests, now);
        let is_one = !matches!(self.reach.credential, Credential::Own);
        let of_counted =
            self.counted.as_ref().filter(|_| counted > 0 && is_one).and_then(|it| it.forecast(counted, now));
        of_all.into_iter().chain(of_counted).max_by_key(|(time, _)| *time)
    }

    /// Begins a question or a call, where the system is asked at all.
    pub(super) fn begin(&self, own: Option<&OwnToken>) -> Result<Errand<'_>, WireError> {
        if own.is_none() && matches!(self.reach.credential, Credential::Own) {
            let system = &self.reach.system;
            return Err(
                self.not_asked(format!("{system} is asked with the tokens of people only, and this is nobody's"))
            );
        }
        let mut errand = Errand::of_people(self)?;
        errand.is_own = own.is_some();
        Ok(errand)
    }

    /// Waits, unless nobody waits here any more. False where the wait was cut short.
    pub(super) async fn rest(&self, pause: Duration) -> bool {
        let hung_up = self.hung_up.notified();
        tokio::pin!(hung_up);
        hung_up.as_mut().enable();
        if self.is_hung_up.load(Ordering::SeqCst) {
            return false;
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => true,
            () = hung_up => false,
        }
    }

    pub(super) fn not_asked(&self, reason: String) -> WireError {
        WireError::NotAsked { system: self.reach.system.clone(), reason }
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn told(&self, why: Why) -> String {
        let system = &self.reach.system;
        let cause = match why {
            Why::Failing(failures) => format!("{failures} requests in a row came to nothing"),
            Why::LockedOut if matches!(self.reach.credential, Credential::Own) => {
                "it did not accept the tokens of several people, and further tries would lock everybody out who comes from \
                 here; they must sign in again, or their tokens be taken away"
                    .to_owned()
            }
            Why::Stranger => "it no longer accepts our credentials; renew them".to_owned(),
            Why::LockedOut => {
                "it does not accept our credentials, and further tries would lock us out; renew them".to_owned()
            }
            Why::Paused(pause) => format!("it asks for a pause of {} s", pause.as_secs()),
        };
        format!("{system} is not asked any more in this run: {cause}")
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
        let always = self.reach.habits.dialect.query;
        if !query.is_empty() || !always.is_empty() {
            url.query_pairs_mut().extend_pairs(query).extend_pairs(always);
        }
        Ok(url)
    }

    async fn token(&self, fresh: bool) -> Result<Secret, WireError> {
        let (file, scope) = match &self.reach.credential {
            Credential::Token(token) => return Ok(token.clone()),
            Credential::Basic { username, password } => return Ok(pair(username, password)),
            Credential::Key { file, scope } => (file, *scope),
            Credential::Own => return Err(self.not_asked("only people have tokens here".to_owned())),
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
        let no_token = |cause: String| WireError::NoToken { system: self.reach.system.clone(), cause, passing: false };
        let assertion = assertion(file, &self.reach.url).map_err(no_token)?;
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
            ("scope", scope),
            ("assertion", &assertion),
        ];
        self.asked.fetch_add(1, Ordering::Relaxed);
        let sent = self.client.post(self.url("/oauth/v2/token", &[])?).form(&form).send().await;
        // Without a token the call itself was never sent, however the exchange failed.
        let reply = self.collect(sent).await;
        let passing = repeat::passing(&reply, &self.reach.habits.dialect).is_some();
        let not_now = |cause: String| WireError::NoToken { system: self.reach.system.clone(), cause, passing };
        let reply = reply.map_err(|error| not_now(error.to_string()))?;
        if !reply.is_success() {
            // One of the words of RFC 6749 5.2, and nothing longer that a server might have put there.
            let is_word = |text: &String| text.len() < 40 && text.bytes().all(|c| c.is_ascii_lowercase() || c == b'_');
            let word = reply.read::<OAuthError>().ok().map(|told| told.error).filter(is_word);
            let word = word.unwrap_or_else(|| "no reason given".to_owned());
            return Err(not_now(format!("{} {word}", reply.status)));
        }
        let granted: Granted = reply.read().map_err(|_| no_token("the answer holds no access_token".to_owned()))?;
        Ok((Secret::new(&granted.access_token), Duration::from_secs(granted.expires_in.unwrap_or(300))))
    }

    /// Sends one request, once, and reads the whole answer. A refused token from a key is renewed once. `own` is sent
    /// instead of our credentials.
    #[expect(clippy::too_many_arguments, reason = "a request has as many parts")]
    pub(super) async fn once(
        &self,
        method: &reqwest::Method,
        path: &str,
        query: &[(&str, &str)],
        headers: &BTreeMap<String, String>,
        body: Option<Written<'_>>,
        fresh_token: bool,
        own: Option<(&OwnToken, &Secret)>,
    ) -> Result<Reply, WireError> {
        let is_granted = own.is_some_and(|(own, _)| own.kind() == TokenKind::Oauth);
        let own = own.map(|(_, token)| token);
        let takes_logins = matches!(self.reach.scheme, Scheme::Basic | Scheme::BasicOrBearer);
        let (word, token) = match (own, &self.reach.credential) {
            (Some(own), _) if takes_logins => as_login(own),
            (Some(own), _) => ("Bearer", own.clone()),
            (None, Credential::Basic { .. }) => ("Basic", self.token(fresh_token).await?),
            (None, _) => ("Bearer", self.token(fresh_token).await?),
        };
        let mut request = self.client.request(method.clone(), self.url(path, query)?);
        request = match self.reach.scheme {
            Scheme::Bearer | Scheme::Basic | Scheme::BasicOrBearer => {
                let value = format!("{word} {}", token.expose());
                request.header(reqwest::header::AUTHORIZATION, sensitive(&value, &self.reach.system)?)
            }
            Scheme::Header(name) => {
                let name = self.reach.habits.dialect.granted.filter(|_| is_granted).unwrap_or(name);
                request.header(name, sensitive(token.expose(), &self.reach.system)?)
            }
        };
        for (name, value) in self.reach.habits.dialect.headers {
            request = request.header(*name, *value);
        }
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request = match body {
            None => request,
            Some(Written::Json(body)) => request.json(body),
            Some(Written::Form(body)) => request.form(body),
        };
        let started = Instant::now();
        let counted = own.filter(|_| self.reach.habits.dialect.locks_out).map(|own| number(own.expose()));
        if counted.is_some_and(|own| self.strangers().contains_key(&own)) {
            // What was refused is refused again, and each time counts for all that come from here.
            return Ok(Reply::new(401, [], Vec::new()));
        }
        self.asked.fetch_add(1, Ordering::Relaxed);
        let mut reply = self.collect(request.send().await).await?.without(&token);
        if let (401, Some(own)) = (reply.status, counted) {
            self.strangers().insert(own, started);
        }
        if let Some(own) = own {
            reply = reply.without(own);
            if let (true, Some((_, password))) = (takes_logins, own.expose().split_once(':')) {
                reply = reply.without(&Secret::new(password));
            }
        }
        if let Credential::Basic { password, .. } = &self.reach.credential {
            reply = reply.without(password);
        }
        if let Some(password) = self.reach.route.password() {
            reply = reply.without(password);
        }
        debug!(system = %self.reach.system, %method, status = reply.status, ms = started.elapsed().as_millis(), "asked");
        Ok(reply)
    }

    /// Whose tokens were not accepted a while ago and still count.
    fn strangers(&self) -> MutexGuard<'_, BTreeMap<u64, Instant>> {
        let mut strangers = self.strangers.lock().unwrap_or_else(PoisonError::into_inner);
        strangers.retain(|_, refused| refused.elapsed() < COUNTED);
        strangers
    }

    pub(super) async fn collect(&self, sent: Result<reqwest::Response, reqwest::Error>) -> Result<Reply, WireError> {
        let mut response = sent.map_err(|error| self.fault(error))?;
        let status = response.status().as_u16();
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect::<Vec<_>>();
        let too_large = || WireError::TooLarge { system: self.reach.system.clone(), host: self.host() };
        if response.content_length().is_some_and(|length| length > MAX_BODY as u64) {
            return Err(too_large());
        }
        let (mut body, mut room) = (Vec::new(), Room::default());
        let silence = self.reach.habits.read_timeout.unwrap_or(self.reach.timeout);
        let mut heard = Instant::now();
        loop {
            let chunk = match response.chunk().await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break,
                // It speaks all the time and comes to no end: it would again.
                Err(error) if error.is_timeout() && !body.is_empty() && heard.elapsed() < silence / 2 => {
                    let (system, host) = (self.reach.system.clone(), self.host());
                    return Err(WireError::TooSlow { system, host, seconds: self.reach.timeout.as_secs() });
                }
                Err(error) => return Err(self.fault(error)),
            };
            heard = Instant::now();
            if body.len() + chunk.len() > MAX_BODY {
                return Err(too_large());
            }
            self.make_room(&mut room, body.len() + chunk.len()).await?;
            body.extend_from_slice(&chunk);
        }
        let weight = bounds::weight(&body);
        if weight > MAX_WEIGHT {
            return Err(too_large());
        }
        self.make_room(&mut room, weight).await?;
        room.fit(weight);
        Ok(Reply::new(status, headers, body).with(room))
    }

    async fn make_room(&self, room: &mut Room, size: usize) -> Result<(), WireError> {
        let seconds = self.reach.timeout.as_secs();
        let late = || WireError::Timeout { system: self.reach.system.clone(), host: self.host(), seconds };
        if room.make(size, self.reach.timeout).await { Ok(()) } else { Err(late()) }
    }

    fn fault(&self, error: reqwest::Error) -> WireError {
        let (system, host) = (self.reach.system.clone(), self.host());
        if error.is_builder() {
            return WireError::Unsendable { system, cause: "it cannot be written as a request" };
        }
        if error.is_connect() {
            let (cause, lasting) = network(&error.without_url());
            return WireError::Unreachable { system, host, cause, lasting };
        }
        if error.is_timeout() {
            let silence = self.reach.habits.read_timeout.unwrap_or(self.reach.timeout);
            return WireError::Timeout { system, host, seconds: self.reach.timeout.min(silence).as_secs() };
        }
        WireError::Broken { system, host, cause: network(&error.without_url()).0 }
    }
}

impl<'a> Errand<'a> {
    /// A request about a person's own token, where the system is asked at all.
    pub(super) fn of_people(line: &'a Line) -> Result<Self, WireError> {
        match line.breaker().admit(tokio::time::Instant::now()) {
            Ok(is_probe) => Ok(Self { line, is_probe, is_own: true, ended: Ended::Unasked }),
            Err(why) => Err(line.not_asked(line.told(why))),
        }
    }

    /// Waits for the turn of one request of it that only asks.
    pub(super) async fn turn(&self) -> Result<Turn<'a>, WireError> {
        self.turn_of(None).await
    }

    /// True where a request of a call with this method and path would have to wait for a time to come, and not only for
    /// others that are under way.
    pub(super) fn waits_for_time(&self, (method, path): &(&str, &str)) -> bool {
        let now = tokio::time::Instant::now();
        let waits = |gate: &Gate| matches!(gate.pace().ready(now), Err(Some(_)));
        let counted = self.line.counted.as_ref().filter(|it| !self.is_own && it.counts(method, path));
        waits(&self.line.gate) || counted.is_some_and(|counted| waits(&counted.gate))
    }

    /// Waits for the turn of one request of a call with this method and path.
    pub(super) async fn turn_of(&self, call: Option<(&str, &str)>) -> Result<Turn<'a>, WireError> {
        let line = self.line;
        let is_left_alone = || !self.is_probe && line.breaker().why(tokio::time::Instant::now()).is_some();
        let shut = |waits: bool| (waits && line.is_hung_up.load(Ordering::SeqCst)) || is_left_alone();
        // Each account is counted by itself, and no person changes so much of her own.
        let counted = line.counted.as_ref().zip(call).filter(|_| !self.is_own);
        let counted = counted.filter(|(it, (method, path))| it.counts(method, path));
        let entered = match counted {
            None => Some(None),
            Some((counted, _)) => counted.gate.enter(&shut).await.map(Some),
        };
        if let Some(counted) = entered
            && let Some(pass) = line.gate.enter(&shut).await
        {
            return Ok(Turn { pass, counted });
        }
        let why = line.breaker().why(tokio::time::Instant::now());
        let hung_up = || format!("{} is not waited for any more: the service stops", line.reach.system);
        Err(line.not_asked(why.map_or_else(hung_up, |why| line.told(why))))
    }

    /// One request of it is over.
    pub(super) fn answered(&mut self, turn: Turn<'_>, answer: &Result<Reply, WireError>) {
        let Turn { pass, counted } = turn;
        let dialect = &self.line.reach.habits.dialect;
        // What one person's token is told is nothing that others meet.
        let is_hers = self.is_own && repeat::is_of_token(answer, dialect);
        let told = answer.as_ref().ok().filter(|_| !is_hers).and_then(dialect.allowance);
        // A yes may be the last one for longer than anybody waits.
        let last = told.filter(|told| matches!(told.refill, Refill::Window(_)) && told.remaining == 0);
        let shut = last.map(|told| told.reset_in).filter(|reset_in| *reset_in > LONGEST_PAUSE);
        let told = told.filter(|_| shut.is_none()).map(Allowance::sane);
        let counted = self.line.counted.as_ref().zip(counted);
        let is_counted = counted.is_some();
        let passing = repeat::passing(answer, dialect);
        if let Some((counted, pass)) = counted {
            counted.over(pass, passing);
        }
        let (met, ended) = match (passing, answer) {
            _ if is_hers => (Met::Answer, Ended::Answered { knows_us: false }),
            (Some(Passing::TurnedAway(Some(pause))), _) if pause > LONGEST_PAUSE => {
                (Met::Nothing, Ended::Paused(pause))
            }
            // Whoever is not counted need not wait.
            (Some(Passing::TurnedAway(_)), _) if is_counted => (Met::Answer, Ended::Failed),
            (Some(Passing::TurnedAway(pause)), _) => (Met::TurnedAway(pause), Ended::Failed),
            // A site in maintenance asks for ten minutes and may be back in one: it is not waited for, and not shut out.
            (Some(Passing::Unclear(Some(pause))), _) if pause > repeat::LONGEST_OUTAGE => (Met::Nothing, Ended::Failed),
            (Some(Passing::Unclear(Some(pause))), _) => (Met::Pause(pause), Ended::Failed),
            // She is a stranger there, and nobody else.
            (_, Ok(reply)) if reply.status == 401 && self.is_own => {
                // But one that counts failed sign-ins counts them for all that come from here.
                let is_too_much = dialect.locks_out && self.line.strangers().len() >= MOST_STRANGERS;
                (Met::Answer, if is_too_much { Ended::LockedOut } else { Ended::Answered { knows_us: false } })
            }
            (_, Ok(reply)) if reply.status == 401 && dialect.locks_out => (Met::Answer, Ended::LockedOut),
            (_, Ok(reply)) if reply.status == 401 && (dialect.is_stranger)(reply) => {
                let is_known = self.line.breaker().is_known();
                (Met::Answer, if is_known { Ended::Stranger } else { Ended::Answered { knows_us: false } })
            }
            (Some(_), Ok(_)) => (Met::Answer, Ended::Failed),
            (None, Ok(_)) => match shut {
                Some(pause) => (Met::Answer, Ended::Paused(pause)),
                None => (Met::Answer, Ended::Answered { knows_us: true }),
            },
            (_, Err(WireError::Timeout { .. } | WireError::TooSlow { .. })) => (Met::Slow, Ended::Failed),
            (_, Err(WireError::Unsendable { .. } | WireError::NotRecorded { .. } | WireError::NotAsked { .. })) => {
                (Met::Nothing, Ended::Unasked)
            }
            (None, Err(WireError::NoToken { .. })) if self.line.breaker().is_known() => (Met::Nothing, Ended::Stranger),
            (_, Err(_)) => (Met::Nothing, Ended::Failed),
        };
        let asked = if let Met::TurnedAway(Some(pause)) | Met::Pause(pause) = met { Some(pause) } else { None };
        let paused = pass.over(met, told);
        // Whoever waits for a plan shall know what for.
        let (system, pause) = (&self.line.reach.system, asked.or(paused).filter(|pause| !pause.is_zero()));
        match pause.map(|pause| (pause.as_secs(), pause < WORTH_TELLING)) {
            Some((seconds, true)) => info!(%system, seconds, "asked to wait"),
            Some((seconds, false)) => warn!(%system, seconds, "asked to wait"),
            None => {}
        }
        self.ended = ended;
    }
}

impl Drop for Errand<'_> {
    fn drop(&mut self) {
        self.line.breaker().over(self.is_probe, self.ended, tokio::time::Instant::now());
        // Those who wait for their turn have to know whether there still is one.
        self.line.stir();
    }
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Line").field("system", &self.reach.system).finish_non_exhaustive()
    }
}
