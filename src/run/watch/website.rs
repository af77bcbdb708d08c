//! A website that is watched: read as often as configured, and at once where it tells of a change.
//!
//! What the website tells is a reason to look and nothing more: the user is read again, so an old, doubled or late notice
//! can never bring back an old state. The list is the truth, and a list that is not whole is no list.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::SignedDuration;

use super::{
    Fares, Service,
    feed::Next,
    passage::{Came, How, Seat, pass},
};
use crate::{
    model::{id::SystemName, record::Rejected},
    plan::guard::Tripped,
    run::{
        gather::{Given, Heard, ask},
        holds::{Judged, judge, past},
        told,
    },
    source::{
        Read, Row,
        csv_file::settings::Coverage,
        wordpress::{
            self,
            refused::{ListRefused, Why},
        },
    },
    state::{Notice, Occasion, Standing, StateError, Store, Waits},
};

/// How often a website is read where nothing is said.
const USUAL: Duration = Duration::from_mins(5);

/// How soon a website is read again that could not be read for a moment, where it does not say.
const SOON: Duration = Duration::from_secs(30);

/// The longest pause that a website may ask for, and that failures lead to.
const LONGEST: Duration = Duration::from_hours(1);

/// How long to leave users alone that could not be read after the website told of them; longer each time.
const NOTICE_PAUSE: Duration = Duration::from_secs(5);

/// Of how many users at once each is read for herself. With more, reading everybody is less work.
const MOST_KEYS: usize = 50;

/// Deliveries stay known for so long: a sender repeats itself for days.
const KNOWN_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);

/// One watched website.
pub(super) struct WebsiteFeed {
    name: SystemName,
    /// When it was read last. `None`: it is to be read now.
    polled: Option<Instant>,
    /// How long to wait after that, where it is not as long as configured.
    pause: Option<Duration>,
    /// Why it could not be read.
    trouble: Option<String>,
    /// Why users it told of could not be read.
    unread: Option<Unread>,
    /// Digest of the last list that came to an end: the same again has nothing new.
    settled: Option<String>,
    /// The last list, where it was refused, and why: the same again is refused without a word.
    refused: Option<(String, String)>,
    /// The last list of which something was not done.
    again: Option<Again>,
    last: Option<String>,
}

/// Users who could not be read after the website told of them.
struct Unread {
    why: String,
    /// When to try again, unless more is told before.
    after: Instant,
    times: u32,
    notices: usize,
}

/// A list of which some calls were not done: it is tried again, and less often each time.
struct Again {
    sha256: String,
    after: Instant,
    times: u32,
}

/// What was read of some users.
struct Looked {
    heard: Heard,
    /// Those who could not be read, and why the first of them could not.
    unread: BTreeSet<String>,
    /// True where the website knows no such user as one of them.
    is_missing: bool,
    why: Option<ListRefused>,
}

/// What a list of everybody is called.
fn everybody(feed: &SystemName) -> String {
    format!("all of {feed}")
}

impl WebsiteFeed {
    pub(super) fn new(name: SystemName) -> Self {
        Self {
            name,
            polled: None,
            pause: None,
            trouble: None,
            unread: None,
            settled: None,
            refused: None,
            again: None,
            last: None,
        }
    }

    /// Configuration or rules are new: the same list may mean something else now, and what was in the way may be gone.
    pub(super) fn renew(&mut self) {
        *self = Self { trouble: self.trouble.take(), last: self.last.take(), ..Self::new(self.name.clone()) };
    }

    /// Deals with what the website told, and reads all of it where it is time.
    pub(super) async fn step(&mut self, service: &Service, seat: &mut Seat) -> Result<Next, StateError> {
        let every = seat.project.config.systems.get(&self.name).and_then(|system| system.poll).unwrap_or(USUAL);
        let blocking = service.blocks(&self.name)?;
        if !blocking.is_empty() {
            if self.until_poll(service, every).is_zero()
                && let [held] = blocking.as_slice()
                && self.is_only_unusable(service, seat, held)?
            {
                self.read(service, seat, every, Some(held.id)).await?;
            }
            self.tell(service, seat);
            // The plan that waits is settled by somebody else, who tells the store only.
            return Ok(Next { wait: every.min(Duration::from_secs(1)), idle: true });
        }
        // The first list holds everything that was told before it was read.
        if self.polled.is_some() {
            self.notices(service, seat, every).await?;
        }
        if service.blocks(&self.name)?.is_empty() && self.until_poll(service, every).is_zero() {
            self.read(service, seat, every, None).await?;
        }
        self.tell(service, seat);
        let mut wait = self.until_poll(service, every);
        if let Some(unread) = &self.unread {
            wait = wait.min(unread.after.saturating_duration_since(service.clock.instant()));
        } else if service.blocks(&self.name)?.is_empty() && !service.store.notices(&self.name)?.is_empty() {
            // Told while everybody was read.
            wait = Duration::ZERO;
        }
        Ok(Next { wait, idle: true })
    }

    /// How long it is until everybody is to be read.
    fn until_poll(&self, service: &Service, every: Duration) -> Duration {
        let Some(polled) = self.polled else { return Duration::ZERO };
        self.pause.unwrap_or(every).saturating_sub(service.clock.instant().duration_since(polled))
    }

    /// True for a list that is held for nothing but that too much of it cannot be used. A website that answered nonsense
    /// once can be asked again; a file cannot.
    fn is_only_unusable(&self, service: &Service, seat: &mut Seat, held: &Waits) -> Result<bool, StateError> {
        if held.standing != Standing::Held || held.input != everybody(&self.name) {
            return Ok(false);
        }
        let Some((plan, _)) = service.store.run(held.id)? else { return Ok(false) };
        let past = past(&service.store, &seat.project.terms, service.clock.now())?;
        let judged = judge(&plan, &seat.project.rules, &seat.project.limits, &past);
        let is_that = |tripped: &Tripped| matches!(tripped, Tripped::Rejected { .. });
        Ok(matches!(judged, Ok(Judged::Held(tripped)) if tripped.iter().all(is_that)))
    }

    /// Reads everybody now. `held`: the list that the new one replaces.
    async fn read(
        &mut self,
        service: &Service,
        seat: &mut Seat,
        every: Duration,
        held: Option<i64>,
    ) -> Result<(), StateError> {
        self.polled = Some(service.clock.instant());
        self.pause = None;
        self.trouble = self.poll(service, seat, every, held).await?.err();
        Ok(())
    }

    /// Reads everybody.
    async fn poll(
        &mut self,
        service: &Service,
        seat: &mut Seat,
        every: Duration,
        held: Option<i64>,
    ) -> Result<Result<(), String>, StateError> {
        // Whoever it told of until now is read with the others.
        let notices = service.store.notices(&self.name)?;
        let memory = service.store.memory()?;
        let heard = match ask(&self.name, &seat.project, &seat.fleet, &memory).await {
            Ok(heard) => heard,
            Err(refused) => {
                self.pause = match refused.retry_after() {
                    Some(asked) => Some(asked.clamp(SOON.min(every), LONGEST)),
                    None if refused.is_passing() => Some(SOON.min(every)),
                    None => None,
                };
                return Ok(Err(format!("{}; {}", told(&refused), refused.hint())));
            }
        };
        // Where a list that misses somebody switches her off, the first one is for a person to look at.
        let first_is_held = seat.project.lists_everybody(&self.name);
        // The day counts too: a rule may speak of it.
        let sha256 = format!("{}@{}", heard.read.sha256, service.clock.today());
        let same = service.store.about(&self.name, &sha256)?;
        if held.is_some() && same.as_ref().map(|run| run.id) == held {
            return Ok(Ok(()));
        }
        if let Some((_, why)) = self.refused.as_ref().filter(|(refused, _)| *refused == sha256) {
            return Ok(Err(why.clone()));
        }
        let stood = same.map(|run| run.standing);
        let is_early =
            self.again.as_ref().is_some_and(|again| again.sha256 == sha256 && service.clock.instant() < again.after);
        // What a person rejected is not planned once more.
        if self.settled.as_ref() == Some(&sha256) || stood == Some(Standing::Rejected) || is_early {
            self.dealt(service, &notices)?;
            return Ok(Ok(()));
        }
        self.refused = None;
        let about =
            Occasion { feed: Some(self.name.clone()), input: everybody(&self.name), sha256: Some(sha256.clone()) };
        let how = How { in_passing: true, first_is_held };
        match pass(service, seat, &[Given::Heard(heard)], &about, how).await? {
            Came::Nothing => self.settled = Some(sha256),
            Came::Done { .. } => {
                self.last = Some(about.input);
                let standing = service.store.about(&self.name, &sha256)?.map(|run| run.standing);
                if standing.is_none_or(|standing| standing == Standing::Done) {
                    (self.settled, self.again) = (Some(sha256), None);
                } else {
                    // Where calls failed the same list is worth another try, and not at every poll for ever.
                    let times =
                        self.again.take().filter(|again| again.sha256 == sha256).map_or(0, |again| again.times + 1);
                    let pause = every.saturating_mul(1 << times.min(12)).min(LONGEST.max(every));
                    let after = service.clock.instant().checked_add(pause).unwrap_or_else(|| service.clock.instant());
                    self.again = Some(Again { sha256, after, times });
                }
            }
            Came::Held => self.last = Some(about.input),
            Came::Stopped => return Ok(Ok(())),
            Came::Refused { why } => {
                self.refused = Some((sha256, why.clone()));
                return Ok(Err(why));
            }
            Came::Later { why } => return Ok(Err(why)),
        }
        if let Some(held) = held {
            let told = "a newer list took its place";
            service.store.stand(held, &[Standing::Held], Standing::Superseded, told, &service.now())?;
        }
        self.dealt(service, &notices)?;
        Ok(Ok(()))
    }

    /// Looks at everybody the website told of.
    async fn notices(&mut self, service: &Service, seat: &mut Seat, every: Duration) -> Result<(), StateError> {
        let notices = service.store.notices(&self.name)?;
        let now = service.clock.instant();
        if notices.is_empty() {
            self.unread = None;
            return Ok(());
        }
        if self.unread.as_ref().is_some_and(|unread| now < unread.after && notices.len() <= unread.notices) {
            return Ok(());
        }
        let keys: BTreeSet<&str> = notices.iter().map(|notice| notice.key.as_str()).collect();
        if keys.len() > MOST_KEYS && self.trouble.is_none() {
            self.polled = None;
            return Ok(());
        }
        let Looked { heard, unread, is_missing, why } = self.look_at(seat, &keys).await;
        let mut trouble = why.map(|refused| {
            (format!("{}; {}", told(&refused), refused.hint()), refused.retry_after().unwrap_or_default())
        });
        let mut dealt: Vec<Notice> = notices.iter().filter(|notice| !unread.contains(&notice.key)).cloned().collect();
        if is_missing {
            // That somebody is gone is a fact only where the whole list says so too.
            self.polled = None;
        }
        if !heard.rows.is_empty() {
            let read: BTreeSet<&str> = dealt.iter().map(|notice| notice.key.as_str()).collect();
            let input = format!("{} told of {}", self.name, read.into_iter().collect::<Vec<_>>().join(", "));
            let about = Occasion { feed: Some(self.name.clone()), input, sha256: None };
            let how = How { in_passing: true, first_is_held: false };
            match pass(service, seat, &[Given::Heard(heard)], &about, how).await? {
                Came::Done { .. } | Came::Held | Came::Nothing => {
                    self.last = Some(about.input);
                    if self.trouble.is_some() {
                        // It can be read again.
                        self.polled = None;
                    }
                }
                Came::Stopped => return Ok(()),
                Came::Refused { why } | Came::Later { why } => {
                    trouble = Some((why, Duration::ZERO));
                    dealt.clear();
                }
            }
        }
        self.dealt(service, &dealt)?;
        self.unread = trouble.map(|(why, asked)| {
            let times = self.unread.as_ref().map_or(0, |unread| unread.times + 1);
            let longest = every.max(NOTICE_PAUSE);
            let pause = NOTICE_PAUSE.saturating_mul(1 << times.min(12)).min(longest).max(asked.min(LONGEST));
            let after = service.clock.instant().checked_add(pause).unwrap_or(now);
            Unread { why, after, times, notices: notices.len() - dealt.len() }
        });
        Ok(())
    }

    fn dealt(&self, service: &Service, notices: &[Notice]) -> Result<(), StateError> {
        if notices.is_empty() {
            return Ok(());
        }
        let forget = service.clock.now().checked_sub(KNOWN_FOR).unwrap_or(jiff::Timestamp::MIN);
        service.store.dealt(&self.name, notices, &forget.to_string())
    }

    /// These users as they are now. Of those who cannot be read the others do not suffer.
    async fn look_at(&self, seat: &Seat, keys: &BTreeSet<&str>) -> Looked {
        let mut rows = Vec::new();
        let mut is_missing = false;
        let mut unread = BTreeSet::new();
        let mut why: Option<ListRefused> = None;
        if let (Some(settings), Some(member)) =
            (seat.project.websites.get(&self.name), seat.fleet.members.get(&self.name))
        {
            let wire = member.line.reader();
            for key in keys {
                if why.as_ref().is_some_and(ListRefused::is_passing) {
                    // It would be the same for everybody.
                    unread.insert((*key).to_owned());
                    continue;
                }
                match wordpress::one(&wire, self.name.as_str(), &self.name, settings, key).await {
                    Ok(Some(record)) => rows.push(Row::Record(record)),
                    // Where lists need not hold everybody, nothing follows.
                    Ok(None) => is_missing |= settings.coverage == Coverage::Full,
                    // Whatever is told of that number, no user can have it.
                    Err(ListRefused { why: Why::NotAnId, .. }) => {}
                    Err(ListRefused { why: Why::Unusable { column, code, reason }, .. }) => {
                        let (system, file) = (self.name.clone(), self.name.to_string());
                        let (line, reason) = (key.parse().unwrap_or_default(), format!("the value {reason}"));
                        let code = code.to_owned();
                        let rejected = Rejected { system, file, line, column: Some(column), code, reason };
                        rows.push(Row::Rejected { key: Some(Arc::from(*key)), rejected, fields: Vec::new() });
                    }
                    Err(refused) => {
                        unread.insert((*key).to_owned());
                        why.get_or_insert(refused);
                    }
                }
            }
        }
        let count = |wanted: fn(&Row) -> bool| rows.iter().filter(|row| wanted(row)).count() as u64;
        let read = Read {
            known_by: None,
            sha256: String::new(),
            records: count(|row| matches!(row, Row::Record(_))),
            rejected: count(|row| matches!(row, Row::Rejected { .. })),
            columns: Vec::new(),
            last_line: 0,
            final_line_end: true,
            repaired: false,
            layout: None,
            notes: Vec::new(),
        };
        let shown = self.name.to_string();
        Looked {
            heard: Heard { system: self.name.clone(), shown, rows, read, is_whole: false },
            unread,
            is_missing,
            why,
        }
    }

    fn tell(&self, service: &Service, seat: &Seat) {
        let has_webhook = seat.project.config.systems.get(&self.name).is_some_and(|system| system.webhook.is_some());
        let waiting = service.store.notices(&self.name).map(|notices| notices.len()).unwrap_or_default();
        let fares = Fares {
            kind: "website".to_owned(),
            refused: None,
            trouble: self.trouble.clone().or_else(|| self.unread.as_ref().map(|unread| unread.why.clone())),
            looked: service.now(),
            mode: if has_webhook { "poll and webhook" } else { "poll" }.to_owned(),
            last: self.last.clone(),
            waiting: if waiting == 0 { Vec::new() } else { vec![format!("{waiting} notices")] },
            ignored: Vec::new(),
            warnings: Vec::new(),
            pid: std::process::id(),
        };
        service.tell(&self.name, fares);
    }
}
