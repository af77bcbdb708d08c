//! Bad days on order: which request of a simulator meets which fault.
//!
//! A program is set by `POST /_lab/chaos` and lifted by `DELETE`. It names single requests by their number, or leaves the
//! choice to a seed; the same seed, system and order of requests give the same faults again. A fault comes *before* the
//! simulator acts, and then nothing is changed, or *after*, and then everything is, but nobody is told. Which of the two
//! it was stands in `GET /_lab/requests` beside the request, and in `GET /_lab/chaos`.
//!
//! This file chooses and keeps count. What a fault answers is in `answer.rs`, in whose words in `dialect.rs`, and how a
//! connection ends in `../serving.rs`. None of them knows a connector or a plan.
//!
//! ```json
//! { "faults": [{ "kind": "reset", "when": "after", "of": "writes", "at": 7, "times": 1 }] }
//! { "seed": 42, "share": "2%", "of": "requests" }
//! ```

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};
use tokio::sync::watch;

pub(crate) mod answer;
mod dialect;

/// How long a fault lasts that lasts, where the program says nothing else.
const LASTS: Duration = Duration::from_millis(300);

/// How many requests meet a token that expired by chance, until somebody renewed it.
const EXPIRED_FOR: u64 = 3;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// The connection ends in good order, without an answer.
    Closed,
    /// The connection is reset.
    Reset,
    /// The connection is reset, and for a while nobody listens there.
    Down,
    /// No answer comes, for as long as the caller waits.
    Silent,
    /// The answer begins late.
    SlowStart,
    /// The body comes a byte at a time.
    Drip,
    /// 429 in the provider's own words.
    RateLimited,
    /// 500 in the provider's own words.
    InternalError,
    /// 502 of a proxy, as text.
    BadGateway,
    /// 503 in the provider's own words.
    Overloaded,
    /// 504 of a proxy, as text.
    GatewayTimeout,
    /// 502 of a proxy, as a page.
    ErrorPage,
    /// 200, and a page: what a login wall or a captive portal answers.
    Page,
    /// Half of the body that its length promises, then the end.
    Truncated,
    /// A body without an end.
    EndlessBody,
    /// Headers without an end.
    EndlessHeaders,
    /// 302 to elsewhere.
    Redirect,
    /// 307 to elsewhere, which asks for the same request again.
    RedirectKept,
    /// The right answer under a content type that is not its own.
    WrongType,
    /// 401, from now on until the program is lifted.
    Expired,
    /// 200 and the object as it was, and nothing is changed.
    LyingOld,
    /// 200 and the object as it should be, and nothing is changed.
    LyingNew,
    /// 200 and an empty object, and nothing is changed.
    LyingEmpty,
    /// 200 and somebody else's object, and nothing is changed.
    LyingOther,
    /// Names in the answer begin with what would act on a terminal.
    ControlCharacters,
    /// The `Date` of the answer is years off.
    SkewedClock,
}

/// Whether the simulator acts before the fault comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum When {
    /// It does not act: nothing is changed.
    Before,
    /// It has acted: everything is changed.
    After,
}

impl Kind {
    /// Every kind there is.
    pub(crate) const ALL: [Self; 26] = [
        Self::Closed,
        Self::Reset,
        Self::Down,
        Self::Silent,
        Self::SlowStart,
        Self::Drip,
        Self::RateLimited,
        Self::InternalError,
        Self::BadGateway,
        Self::Overloaded,
        Self::GatewayTimeout,
        Self::ErrorPage,
        Self::Page,
        Self::Truncated,
        Self::EndlessBody,
        Self::EndlessHeaders,
        Self::Redirect,
        Self::RedirectKept,
        Self::WrongType,
        Self::Expired,
        Self::LyingOld,
        Self::LyingNew,
        Self::LyingEmpty,
        Self::LyingOther,
        Self::ControlCharacters,
        Self::SkewedClock,
    ];

    /// When it can come. A 429 or a 401 says that nothing was done, and a lie is one because nothing was; what only
    /// spoils the right answer needs one.
    pub(crate) fn moments(self) -> &'static [When] {
        match self {
            Self::RateLimited
            | Self::Expired
            | Self::LyingOld
            | Self::LyingNew
            | Self::LyingEmpty
            | Self::LyingOther => &[When::Before],
            Self::SlowStart | Self::Drip | Self::WrongType | Self::ControlCharacters | Self::SkewedClock => {
                &[When::After]
            }
            _ => &[When::Before, When::After],
        }
    }

    /// True for a lie about a write: a question that is answered so tells nothing new.
    fn needs_a_write(self) -> bool {
        matches!(self, Self::LyingOld | Self::LyingNew | Self::LyingEmpty | Self::LyingOther)
    }
}

/// Which requests are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Of {
    /// Those that may change something.
    #[default]
    Writes,
    /// All of them.
    Requests,
}

/// One fault at one place.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fault {
    kind: Kind,
    /// The first moment of the kind where nothing is said.
    when: Option<When>,
    #[serde(default)]
    of: Of,
    /// The number of the request since the program was set, from 1.
    at: u64,
    /// How many requests in a row meet it; one where nothing is said, and all that follow for a token that expired.
    times: Option<u64>,
    /// How long a fault lasts that lasts, in milliseconds.
    lasts_ms: Option<u64>,
    /// What `Retry-After` says, in seconds, where the provider sends one.
    retry_after: Option<u64>,
}

impl Fault {
    fn times(&self) -> u64 {
        self.times.unwrap_or(if self.kind == Kind::Expired { u64::MAX } else { 1 })
    }

    fn when(&self) -> When {
        self.when.unwrap_or(self.kind.moments()[0])
    }
}

/// What shall go wrong.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Program {
    faults: Vec<Fault>,
    /// Chance decides, in a way that can be repeated.
    seed: Option<u64>,
    /// How many of the requests meet a fault by chance.
    share: Share,
    /// Of which requests that is the share.
    of: Of,
    /// The kinds that chance chooses from; all where there are none.
    kinds: Vec<Kind>,
    /// How long a fault by chance lasts that lasts, in milliseconds.
    lasts_ms: Option<u64>,
}

/// A part of a whole, in millionths, written as `2%`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Share(u32);

impl Default for Share {
    fn default() -> Self {
        Self(20_000)
    }
}

impl Serialize for Share {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}.{:04}%", self.0 / 10_000, self.0 % 10_000))
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let parsed = || {
            let number = text.trim().strip_suffix('%')?.trim_end();
            let (whole, part) = number.split_once('.').unwrap_or((number, ""));
            let part = format!("{part:0<4}");
            let millionths = whole.parse::<u32>().ok()?.checked_mul(10_000)?.checked_add(part.parse().ok()?)?;
            (part.len() == 4 && millionths <= 1_000_000).then_some(Self(millionths))
        };
        parsed().ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no share such as 2% or 0.5%")))
    }
}

/// What a request meets.
#[derive(Debug)]
pub(crate) struct Met {
    pub(crate) kind: Kind,
    pub(crate) when: When,
    lasts: Duration,
    retry_after: u64,
    /// Changes when the program is lifted: then whoever waits goes on.
    lifted: watch::Receiver<u64>,
    request: u64,
    write: Option<u64>,
}

/// A fault that a request met, as it is told.
#[derive(Clone, Debug, Serialize)]
struct Injected {
    /// The number of the request since the program was set.
    request: u64,
    /// The same, counting writes only.
    write: Option<u64>,
    method: String,
    path: String,
    kind: Kind,
    when: When,
    effect: bool,
}

#[derive(Debug, Default)]
struct Standing {
    program: Option<Program>,
    requests: u64,
    writes: u64,
    /// How many requests still meet a token that has expired.
    expired: u64,
    injected: Vec<Injected>,
}

/// The faults of one simulator.
pub(crate) struct Chaos {
    system: String,
    standing: Mutex<Standing>,
    lifted: watch::Sender<u64>,
}

impl Chaos {
    /// None, for now.
    pub(crate) fn none(system: &str) -> Self {
        Self { system: system.to_owned(), standing: Mutex::default(), lifted: watch::Sender::new(0) }
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets a program and counts from now; the error says what is wrong with it.
    pub(crate) fn set(&self, program: &Value) -> Result<(), String> {
        let program = Program::deserialize(program).map_err(|error| format!("chaos: {error}"))?;
        for fault in &program.faults {
            let (kind, when) = (fault.kind, fault.when());
            if !kind.moments().contains(&when) {
                return Err(format!("chaos: {} cannot come {}", json!(kind), json!(when)));
            }
            if fault.at == 0 {
                return Err("chaos: `at` counts from 1".to_owned());
            }
        }
        *self.standing() = Standing { program: Some(program), ..Standing::default() };
        self.lifted.send_modify(|times| *times += 1);
        Ok(())
    }

    /// Ends all faults, those too that last. What was injected is still told.
    pub(crate) fn lift(&self) {
        let mut standing = self.standing();
        standing.program = None;
        standing.expired = 0;
        drop(standing);
        self.lifted.send_modify(|times| *times += 1);
    }

    /// The program, the counts, and every fault that was met.
    pub(crate) fn told(&self) -> Value {
        let standing = self.standing();
        json!({
            "program": standing.program,
            "requests": standing.requests,
            "writes": standing.writes,
            "injected": standing.injected,
        })
    }

    /// Counts a request and says what it meets.
    pub(crate) fn meet(&self, is_write: bool) -> Option<Met> {
        let mut standing = self.standing();
        let program = standing.program.clone()?;
        standing.requests += 1;
        standing.writes += u64::from(is_write);
        let (request, write) = (standing.requests, is_write.then_some(standing.writes));
        let count = |of: Of| match of {
            Of::Writes => write,
            Of::Requests => Some(request),
        };
        let is_here =
            |fault: &&Fault| count(fault.of).is_some_and(|now| now >= fault.at && now - fault.at < fault.times());
        let met = |kind, when, lasts_ms: Option<u64>, retry_after: Option<u64>| Met {
            kind,
            when,
            lasts: lasts_ms.map_or(LASTS, Duration::from_millis),
            retry_after: retry_after.unwrap_or(1),
            lifted: self.lifted.subscribe(),
            request,
            write,
        };
        if let Some(fault) = program.faults.iter().find(is_here) {
            return Some(met(fault.kind, fault.when(), fault.lasts_ms, fault.retry_after));
        }
        if standing.expired > 0 {
            standing.expired -= 1;
            return Some(met(Kind::Expired, When::Before, None, None));
        }
        let (seed, count) = (program.seed?, count(program.of)?);
        let chance = |salt: u64| dice(seed, &self.system, count, salt);
        if chance(0) % 1_000_000 >= u64::from(program.share.0) {
            return None;
        }
        let all = if program.kinds.is_empty() { Kind::ALL.as_slice() } else { &program.kinds };
        let kinds: Vec<Kind> = all.iter().copied().filter(|kind| is_write || !kind.needs_a_write()).collect();
        let kind = *pick(&kinds, chance(1))?;
        let when = *pick(kind.moments(), chance(2))?;
        if kind == Kind::Expired {
            standing.expired = EXPIRED_FOR - 1;
        }
        Some(met(kind, when, program.lasts_ms, None))
    }

    /// Writes down that a request met its fault.
    pub(crate) fn met(&self, met: &Met, method: &str, path: &str, effect: bool) {
        let (method, path) = (method.to_owned(), path.to_owned());
        let Met { kind, when, request, write, .. } = *met;
        self.standing().injected.push(Injected { request, write, method, path, kind, when, effect });
    }
}

impl Met {
    /// Waits for as long as this fault lasts, or until it is lifted.
    pub(crate) async fn last(&mut self) {
        let _ = tokio::time::timeout(self.lasts, self.lifted.changed()).await;
    }

    /// Waits until the fault is lifted.
    pub(crate) async fn until_lifted(&mut self) {
        // The other end is gone with the lab, and then so are the connections.
        let _ = self.lifted.changed().await;
    }
}

fn pick<T>(all: &[T], number: u64) -> Option<&T> {
    let count = u64::try_from(all.len()).ok().filter(|count| *count > 0)?;
    all.get(usize::try_from(number % count).ok()?)
}

/// A number that is the same for the same arguments, and like none of its neighbours (splitmix64 over FNV-1a).
fn dice(seed: u64, system: &str, count: u64, salt: u64) -> u64 {
    let name = system
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let mut number = [seed, name, count, salt].into_iter().fold(0_u64, |mixed, part| {
        let mut next = (mixed ^ part).wrapping_add(0x9e37_79b9_7f4a_7c15);
        next = (next ^ (next >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (next ^ (next >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb)
    });
    number ^= number >> 31;
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(chaos: &Chaos, requests: u64) -> Vec<(u64, Kind, When)> {
        let met = (1..=requests).filter_map(|at| chaos.meet(at % 2 == 0).map(|met| (at, met.kind, met.when)));
        met.collect()
    }

    #[test]
    fn a_fault_comes_at_the_write_or_the_request_it_is_set_for() {
        let chaos = Chaos::none("gitlab");
        let faults = json!([
            { "kind": "reset", "when": "after", "at": 2 },
            { "kind": "silent", "of": "requests", "at": 1, "times": 2 },
        ]);
        chaos.set(&json!({ "faults": faults })).unwrap();
        let silent = [(1, Kind::Silent, When::Before), (2, Kind::Silent, When::Before)];
        assert_eq!(kinds(&chaos, 8), [silent[0], silent[1], (4, Kind::Reset, When::After)]);
    }

    #[test]
    fn a_token_that_expired_stays_so_until_the_program_is_lifted() {
        let chaos = Chaos::none("gitlab");
        chaos.set(&json!({ "faults": [{ "kind": "expired", "at": 3, "of": "requests" }] })).unwrap();
        let all = kinds(&chaos, 50);
        assert_eq!(all.len(), 48);
        chaos.lift();
        assert!(chaos.meet(true).is_none());
    }

    #[test]
    fn the_same_seed_brings_the_same_faults_and_another_others() {
        let by = |seed: u64, system: &str| {
            let chaos = Chaos::none(system);
            chaos.set(&json!({ "seed": seed, "share": "20%", "of": "requests" })).unwrap();
            kinds(&chaos, 400)
        };
        assert_eq!(by(1, "gitlab"), by(1, "gitlab"));
        assert_ne!(by(1, "gitlab"), by(2, "gitlab"));
        assert_ne!(by(1, "gitlab"), by(1, "zitadel"));
    }

    #[test]
    fn chance_brings_its_share_and_every_kind_at_every_moment() {
        let chaos = Chaos::none("gitlab");
        chaos.set(&json!({ "seed": 42, "share": "10%", "of": "requests" })).unwrap();
        let all = kinds(&chaos, 20_000);
        // A token that expires by chance takes the next requests with it.
        assert!((1_800..2_500).contains(&all.len()), "{}", all.len());
        for kind in Kind::ALL {
            for when in kind.moments() {
                assert!(all.iter().any(|met| (met.1, met.2) == (kind, *when)), "{kind:?} {when:?}");
            }
        }
    }

    #[test]
    fn a_program_that_cannot_be_is_turned_away() {
        let chaos = Chaos::none("gitlab");
        let faults = |fault: Value| chaos.set(&json!({ "faults": [fault] })).unwrap_err();
        let said = faults(json!({ "kind": "lying_old", "when": "after", "at": 1 }));
        assert_eq!(said, "chaos: \"lying_old\" cannot come \"after\"");
        assert_eq!(faults(json!({ "kind": "reset", "at": 0 })), "chaos: `at` counts from 1");
        assert!(faults(json!({ "kind": "rest", "at": 1 })).contains("unknown variant `rest`"));
        let said = chaos.set(&json!({ "seed": 1, "share": "two" })).unwrap_err();
        assert_eq!(said, "chaos: `two` is no share such as 2% or 0.5%");
    }
}
