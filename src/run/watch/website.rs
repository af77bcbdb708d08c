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
    passage::{Came, How, Seat, pass, told},
};
use crate::{
    model::id::SystemName,
    run::gather::{Given, Heard, ask},
    source::{
        Read, Row,
        wordpress::{self, refused::ListRefused},
    },
    state::{Notice, Occasion, Standing, StateError, Store},
};

/// How often a website is read where nothing is said.
const USUAL: Duration = Duration::from_mins(5);

/// How long to leave a website alone that could not be read after it told of a change.
const NOTICE_PAUSE: Duration = Duration::from_secs(5);

/// Deliveries stay known for so long: a sender repeats itself for days.
const KNOWN_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);

/// One watched website.
pub(super) struct WebsiteFeed {
    name: SystemName,
    /// When it was read last, and whether that is to be done again soon.
    polled: Option<Instant>,
    trouble: Option<String>,
    /// Digest of the last list that came to an end: the same again has nothing new.
    settled: Option<String>,
    last: Option<String>,
}

impl WebsiteFeed {
    pub(super) fn new(name: SystemName) -> Self {
        Self { name, polled: None, trouble: None, settled: None, last: None }
    }

    /// Deals with what the website told, and reads all of it where it is time.
    pub(super) async fn step(&mut self, service: &Service, seat: &mut Seat) -> Result<Next, StateError> {
        let every = seat.project.config.systems.get(&self.name).and_then(|system| system.poll).unwrap_or(USUAL);
        let blocked = self.is_blocked(service)?;
        let mut wait = every;
        if !blocked {
            let now = service.clock.instant();
            let is_due = self.polled.is_none_or(|last| now.duration_since(last) >= every);
            if is_due {
                self.polled = Some(now);
                self.trouble = None;
                if let Err(trouble) = self.poll(service, seat).await? {
                    self.trouble = Some(trouble);
                }
            }
            if !self.is_blocked(service)?
                && let Err(trouble) = self.notices(service, seat).await?
            {
                self.trouble = Some(trouble);
                wait = NOTICE_PAUSE;
            }
            let since = service.clock.instant().duration_since(self.polled.unwrap_or(now));
            wait = wait.min(every.saturating_sub(since));
        } else {
            // The plan that waits is settled by somebody else, who tells the store only.
            wait = wait.min(Duration::from_secs(1));
        }
        self.tell(service, seat);
        Ok(Next { wait, idle: true })
    }

    fn is_blocked(&self, service: &Service) -> Result<bool, StateError> {
        Ok(service.store.unsettled()?.iter().any(|run| run.feed.as_ref() == Some(&self.name)))
    }

    /// Reads everybody.
    async fn poll(&mut self, service: &Service, seat: &mut Seat) -> Result<Result<(), String>, StateError> {
        let memory = service.store.memory()?;
        let heard = match ask(&self.name, &seat.project, &seat.fleet, &memory).await {
            Ok(heard) => heard,
            Err(refused) => return Ok(Err(format!("{}; {}", told(&refused), refused.hint()))),
        };
        // The day counts too: a rule may speak of it.
        let sha256 = format!("{}@{}", heard.read.sha256, service.clock.today());
        if self.settled.as_ref() == Some(&sha256) {
            return Ok(Ok(()));
        }
        let about = Occasion {
            feed: Some(self.name.clone()),
            input: format!("all of {}", self.name),
            sha256: Some(sha256.clone()),
        };
        let how = How { in_passing: true, first_is_held: false };
        let came = pass(service, seat, &[Given::Heard(heard)], &about, how).await?;
        match came {
            Came::Done | Came::Nothing => {
                if matches!(came, Came::Done) {
                    self.last = Some(about.input);
                }
                // Where calls failed the same list is worth another try.
                let stands = service.store.about(&self.name, &sha256)?;
                self.settled = stands.is_none_or(|run| run.standing == Standing::Done).then_some(sha256);
                Ok(Ok(()))
            }
            Came::Held => {
                self.last = Some(about.input);
                Ok(Ok(()))
            }
            Came::Stopped => Ok(Ok(())),
            Came::Refused { why } | Came::Later { why } => Ok(Err(why)),
        }
    }

    /// Looks at everybody the website told of.
    async fn notices(&mut self, service: &Service, seat: &mut Seat) -> Result<Result<(), String>, StateError> {
        let notices = service.store.notices(&self.name)?;
        if notices.is_empty() {
            return Ok(Ok(()));
        }
        let keys: BTreeSet<&str> = notices.iter().map(|notice| notice.key.as_str()).collect();
        let heard = match self.look_at(seat, &keys).await {
            Ok(heard) => heard,
            Err(refused) => return Ok(Err(format!("{}; {}", told(&refused), refused.hint()))),
        };
        let input = format!("{} told of {}", self.name, keys.iter().copied().collect::<Vec<_>>().join(", "));
        let about = Occasion { feed: Some(self.name.clone()), input, sha256: None };
        let how = How { in_passing: true, first_is_held: false };
        match pass(service, seat, &[Given::Heard(heard)], &about, how).await? {
            Came::Done | Came::Held | Came::Nothing => {
                self.last = Some(about.input);
                self.dealt(service, &notices)?;
                Ok(Ok(()))
            }
            Came::Stopped => Ok(Ok(())),
            Came::Refused { why } | Came::Later { why } => Ok(Err(why)),
        }
    }

    fn dealt(&self, service: &Service, notices: &[Notice]) -> Result<(), StateError> {
        let deliveries: Vec<String> = notices.iter().map(|notice| notice.delivery.clone()).collect();
        let forget = service.clock.now().checked_sub(KNOWN_FOR).unwrap_or(jiff::Timestamp::MIN);
        service.store.dealt(&self.name, &deliveries, &forget.to_string())
    }

    /// These users as they are now.
    async fn look_at(&self, seat: &Seat, keys: &BTreeSet<&str>) -> Result<Heard, ListRefused> {
        let mut rows = Vec::new();
        let mut gone = Vec::new();
        if let (Some(settings), Some(member)) =
            (seat.project.websites.get(&self.name), seat.fleet.members.get(&self.name))
        {
            let wire = member.line.reader();
            for key in keys {
                match wordpress::one(&wire, self.name.as_str(), &self.name, settings, key).await? {
                    Some(record) => rows.push(Row::Record(record)),
                    None => gone.push(Arc::from(*key)),
                }
            }
        }
        let read = Read {
            sha256: String::new(),
            records: rows.len() as u64,
            rejected: 0,
            columns: Vec::new(),
            last_line: 0,
            final_line_end: true,
            repaired: false,
            layout: None,
            notes: Vec::new(),
        };
        let shown = self.name.to_string();
        Ok(Heard { system: self.name.clone(), shown, rows, read, is_whole: false, gone })
    }

    fn tell(&self, service: &Service, seat: &Seat) {
        let has_webhook = seat.project.config.systems.get(&self.name).is_some_and(|system| system.webhook.is_some());
        let waiting = service.store.notices(&self.name).map(|notices| notices.len()).unwrap_or_default();
        let fares = Fares {
            kind: "website".to_owned(),
            trouble: self.trouble.clone(),
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
