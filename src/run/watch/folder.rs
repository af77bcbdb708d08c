//! A drop folder that is watched: each file is taken once, in its turn, and put away with what became of it.
//!
//! The store alone says what became of a file, by the digest of its content; the folder only says what is there. So a
//! process may die anywhere: what was done is archived by the next one, what was not is done.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fs::File,
    io::{self, Read},
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use base16ct::lower::encode_string as hex;
use jiff::{Timestamp, civil::Date};
use serde_json::json;
use sha2::{Digest, Sha256};
use tracing::{info, warn};

use super::{
    Met, Service,
    feed::Next,
    passage::{Came, How, Question, Seat, pass, pass_if},
};
use crate::{
    model::{id::SystemName, plan::Plan},
    run::{
        gather::{Given, Named},
        resume, told,
    },
    source::{
        csv_file::{self, reject_file},
        drop_folder::{Claim, Folder, FolderError, Look, Ready, Waiting, settings::Settings},
    },
    state::{Occasion, RunSummary, Standing, StateError, Store, lock},
};

mod fares;
mod turn;

/// For so long what falls due today waits for a list that is coming: one that somebody writes on for ever says nothing.
const LONGEST_WAIT: Duration = Duration::from_mins(10);

/// How long to leave a file alone whose systems or rules are not as they must be; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// How often a file is tried again of which calls were not done for a reason that may pass.
const TRIES: u32 = 8;

/// How often to say that we are still at a file.
const RENEW_EVERY: Duration = Duration::from_secs(15);

/// Names that are passed over are shown once they have been there for so long.
const IGNORED_AFTER: Duration = Duration::from_hours(24);

/// How often to look for what is old enough to be thrown away.
const PRUNE_EVERY: Duration = Duration::from_secs(20);

/// How long files are taken one after the other before it is told how the feed fares.
const AT_A_STRETCH: Duration = Duration::from_secs(1);

/// How many names of one sort are shown; of more, how many they are.
const SHOWN: usize = 20;

/// A file that was taken and is not put away.
struct InHand {
    claim: Claim,
    sha256: Option<String>,
    /// True where another process had taken it: it may have been handled already.
    inherited: bool,
}

impl InHand {
    /// True where this run was made of this very file, and not of an earlier one with the same content.
    fn made(&self, run: &RunSummary) -> bool {
        let is_later = run.started.parse::<Timestamp>().is_ok_and(|started| started >= self.claim.taken());
        // A clock may have gone back since. What a person rejected is not to come again by that.
        let is_later = is_later || run.standing == Standing::Rejected;
        self.inherited && is_later && run.input == self.claim.name().to_string()
    }
}

/// One watched folder.
pub(super) struct FolderFeed {
    name: SystemName,
    folder: Folder,
    in_hand: Vec<InHand>,
    /// Kept while a file is in hand: another process must not handle later ones meanwhile.
    turn: Option<File>,
    /// How often calls that were not done for a reason that may pass were tried again.
    tries: u32,
    /// How long the last try was put off, and until when.
    pause: Option<(Duration, Instant)>,
    trouble: Option<String>,
    /// What could not be put away, and stays said until it is tried again.
    left: Option<String>,
    /// What was warned of in the log already.
    warned: BTreeSet<String>,
    /// The day the rules saw last; `None` where only the store knows.
    day: Option<Date>,
    /// Since when what falls due today waits for a list that is coming.
    put_off: Option<Instant>,
    /// Why what falls due today cannot be seen.
    stale: Option<String>,
    last: Option<String>,
    /// The last file, where it was refused.
    refused: Option<String>,
    pruned: Option<Instant>,
    events: Option<Events>,
}

/// What was decided about a file, for the result that stands beside it.
struct Decided<'r> {
    run: &'r RunSummary,
    /// Where one was made.
    plan: Option<Plan>,
}

impl<'r> Decided<'r> {
    fn about(run: &'r RunSummary, service: &Service) -> Result<Self, StateError> {
        Ok(Self { run, plan: service.store.plan(run.id)? })
    }
}

/// What tells of events, and in which folder.
struct Events {
    _watcher: notify::RecommendedWatcher,
    place: (u64, u64),
}

impl FolderFeed {
    pub(super) fn new(service: &Service, name: SystemName, settings: Settings) -> Self {
        // What was so before this process is so now.
        let newest = service.store.newest_of(&name).unwrap_or_else(|error| {
            warn!(feed = %name, "whether its last file was refused is not known: {}", told(&error));
            None
        });
        let refused = newest.filter(|run| run.standing == Standing::Refused);
        let refused = refused.map(|run| refusal(&run.input, run.told.as_deref().unwrap_or_default()));
        let folder = Folder::new(settings);
        Self {
            name,
            folder,
            in_hand: Vec::new(),
            turn: None,
            tries: 0,
            pause: None,
            trouble: None,
            left: None,
            warned: BTreeSet::new(),
            day: None,
            put_off: None,
            stale: None,
            last: None,
            refused,
            pruned: None,
            events: None,
        }
    }

    /// Goes on with other settings; what was taken is looked after as before.
    pub(super) fn renew(&mut self, settings: Settings) {
        self.folder = Folder::new(settings);
        self.events = None;
    }

    /// Looks once, and does what there is to do.
    pub(super) async fn step(&mut self, service: &Service, seat: &mut Seat) -> Result<Next, StateError> {
        if !self.is_put_off(service) {
            self.trouble = None;
        }
        self.tidy(service);
        self.begin_turn(service)?;
        let mut blocked = true;
        if self.turn.is_some() {
            self.take_over(service);
        }
        if self.trouble.is_none() {
            self.trouble.clone_from(&self.left);
        }
        if self.turn.is_some() {
            self.put_away(service, seat).await?;
            blocked = self.is_blocked(service)?;
        }
        self.listen(service);
        let mut look = self.folder.look(service.clock.instant());
        // A list of everybody that is here already says what falls due today, and perhaps otherwise than the last one.
        let comes = !look.ready.is_empty() || look.waiting.iter().any(|waiting| waiting.why.passes());
        let puts_off = comes
            && self.day != Some(service.clock.today())
            && seat.project.lists_everybody(&self.name)
            && self.may_put_off(service.clock.instant());
        if self.turn.is_some() && !blocked && !puts_off {
            self.new_day(service, seat).await?;
        }
        if let Some(trouble) = &look.trouble {
            self.trouble = Some(format!("{trouble}; {}", trouble.hint()));
        }
        if self.turn.is_some() && !blocked && look.trouble.is_none() && self.in_hand.is_empty() {
            self.take(service, seat, &look).await?;
            blocked = self.is_blocked(service)?;
            // Where it was not taken over, the last one counts; where it waits, so does what falls due.
            if !blocked && !look.ready.is_empty() {
                self.new_day(service, seat).await?;
            }
            // What was taken just now stays behind nothing.
            look.ready.retain(|ready| self.in_hand.iter().all(|held| *held.claim.name() != ready.name));
        }
        // Whoever asked for one passage does not wait for what may never come.
        let is_awaited = |waiting: &Waiting| !service.orders.once || waiting.why.passes();
        let more = !look.ready.is_empty() || look.waiting.iter().any(is_awaited) || !self.in_hand.is_empty();
        // What is approved is carried out now; its file is put away after it.
        // Where something is in the way, whoever asked for one passage hears of it instead of waiting for its end.
        let idle = !more || self.trouble.is_some() || blocked && !self.is_approved(service)?;
        if idle && service.orders.once {
            if look.waiting.iter().any(|waiting| waiting.why.looks_wrong()) {
                service.met(Met::Held);
            }
            self.leave(service, &look, blocked)?;
        }
        if self.in_hand.is_empty() {
            self.turn = None;
        }
        let wait = self.next_look(&look, blocked);
        self.tell(service, &look, blocked);
        Ok(Next { wait, idle })
    }

    /// One file of a feed at a time, among all processes.
    fn begin_turn(&mut self, service: &Service) -> Result<(), StateError> {
        if self.turn.is_none() {
            self.turn = lock::feed(&service.orders.state, &self.name)?;
        }
        Ok(())
    }

    fn next_look(&mut self, look: &Look, blocked: bool) -> Duration {
        let settings = self.folder.settings();
        if let Some((pause, _)) = self.pause.filter(|_| !self.in_hand.is_empty()) {
            return pause.min(settings.look_every);
        }
        if blocked || self.trouble.is_some() {
            return settings.look_every.min(Duration::from_secs(1));
        }
        if !look.ready.is_empty() {
            return Duration::ZERO;
        }
        look.look_again.unwrap_or(settings.look_every).min(settings.look_every)
    }

    /// True while a plan of this feed waits for somebody: later files do not slip past it.
    fn is_blocked(&self, service: &Service) -> Result<bool, StateError> {
        Ok(!service.blocks(&self.name)?.is_empty())
    }

    /// True while a plan of this feed is to be carried out, or is.
    fn is_approved(&self, service: &Service) -> Result<bool, StateError> {
        Ok(service.blocks(&self.name)?.iter().any(|run| run.standing == Standing::Approved))
    }

    /// Says that files in hand still are, and throws away what is old enough.
    fn tidy(&mut self, service: &Service) {
        let now = service.clock.instant();
        self.in_hand.retain(|held| match held.claim.renew(service.clock.now()) {
            Err(FolderError::Lost { name }) => {
                warn!(feed = %self.name, file = %name, "another process took it over");
                false
            }
            Err(error) => {
                warn!(feed = %self.name, "{error}");
                true
            }
            Ok(()) => true,
        });
        if self.pruned.is_some_and(|last| now.duration_since(last) < PRUNE_EVERY) {
            return;
        }
        self.pruned = Some(now);
        // The last list is needed when a day comes on which something of it falls due.
        let keep = self.last_list(service).into_iter().collect();
        if let Err(fault) = self.folder.prune(service.clock.now(), &keep) {
            warn!(feed = %self.name, "{fault}");
        }
    }

    /// Takes over what processes that are gone left behind, and what could not be put away. It comes before every later
    /// file, so this is done before any of those is looked at.
    fn take_over(&mut self, service: &Service) {
        let over = self.folder.take_over(&service.holder, service.clock.now());
        for claim in over.claims {
            info!(feed = %self.name, file = %claim.name(), "taken over: nobody holds it any more");
            self.in_hand.push(InHand { claim, sha256: None, inherited: true });
        }
        self.left = over.faults.first().map(|fault| format!("{fault}; {}", fault.hint()));
    }

    /// The archived file of the last accepted list.
    fn last_list(&self, service: &Service) -> Option<PathBuf> {
        let accepted = service.store.accepted(&self.name).ok()??;
        find(&self.folder.settings().archive, &accepted.sha256)
    }

    /// True while a file in hand is left alone after a try that came to nothing.
    fn is_put_off(&self, service: &Service) -> bool {
        self.pause.is_some_and(|(_, until)| service.clock.instant() < until) && !self.in_hand.is_empty()
    }

    /// Does what there is to do with files in hand.
    async fn put_away(&mut self, service: &Service, seat: &mut Seat) -> Result<(), StateError> {
        if self.is_put_off(service) {
            return Ok(());
        }
        let mut waiting = std::mem::take(&mut self.in_hand).into_iter();
        while let Some(held) = waiting.next() {
            let handled = self.handle(service, seat, held).await;
            // Whatever stands in the way of one stands in the way of those behind it.
            if handled.is_err() || !self.in_hand.is_empty() {
                self.in_hand.extend(waiting);
                return handled.map(|_| ());
            }
        }
        Ok(())
    }

    /// Takes the files whose turn it is. Of several lists that each hold everybody only the newest is used.
    async fn take(&mut self, service: &Service, seat: &mut Seat, look: &Look) -> Result<(), StateError> {
        let is_full = seat.project.lists_everybody(&self.name);
        let mut waiting: VecDeque<&Ready> = look.ready.iter().collect();
        let begun = service.clock.instant();
        while let Some(ready) = if is_full { waiting.pop_back() } else { waiting.pop_front() } {
            if service.stops() {
                return Ok(());
            }
            // What cannot be taken keeps its turn: another one must not go before it.
            let Some(claim) = self.claim(service, look, ready) else { return Ok(()) };
            if look.read_only && self.is_settled(service, seat, &claim)? {
                self.folder.leave(ready);
                continue;
            }
            let before = self.in_hand.len();
            let held = InHand { claim, sha256: None, inherited: false };
            let name = held.claim.name().to_string();
            let is_taken = self.handle(service, seat, held).await?;
            if look.read_only {
                // It stays where it is, and is not to be taken again for that.
                self.folder.leave(ready);
            }
            if self.in_hand.len() > before || self.is_blocked(service)? {
                return Ok(());
            }
            if is_full && is_taken {
                for older in waiting.drain(..) {
                    self.skip(service, look, older, &name)?;
                }
            }
            if service.clock.instant().duration_since(begun) > AT_A_STRETCH {
                return Ok(());
            }
        }
        Ok(())
    }

    fn claim(&mut self, service: &Service, look: &Look, ready: &Ready) -> Option<Claim> {
        let now = service.clock.now();
        let claimed = if look.read_only {
            self.folder.in_place(ready, now)
        } else {
            self.folder.claim(ready, &service.holder, now)
        };
        match claimed {
            Ok(claim) => claim,
            Err(fault) => {
                self.trouble = Some(format!("{fault}; {}", fault.hint()));
                None
            }
        }
    }

    /// Puts a list away that a newer one took the place of.
    fn skip(&mut self, service: &Service, look: &Look, ready: &Ready, newer: &str) -> Result<(), StateError> {
        let Some(claim) = self.claim(service, look, ready) else { return Ok(()) };
        let about = self.about(&claim, digest(&claim).ok());
        let told = format!("`{newer}` is newer and holds everybody");
        service.store.keep(None, &about, Standing::Superseded, &told, &service.now())?;
        let sha256 = about.sha256.clone();
        self.archive(service, claim, sha256.as_deref(), "superseded", None, &told, None);
        if look.read_only {
            self.folder.leave(ready);
        }
        Ok(())
    }

    /// True where the store says what became of a file that stays in the folder: it is no news after a restart.
    fn is_settled(&self, service: &Service, seat: &Seat, claim: &Claim) -> Result<bool, StateError> {
        let Ok(sha256) = digest(claim) else { return Ok(false) };
        let Some(run) = service.store.about(&self.name, &sha256)? else { return Ok(false) };
        Ok(match run.standing {
            Standing::Done | Standing::Partly => self.is_known(service, seat, claim, &sha256)?,
            Standing::Rejected | Standing::Refused | Standing::Superseded | Standing::Duplicate => {
                run.input == claim.name().to_string()
            }
            _ => false,
        })
    }

    fn about(&self, claim: &Claim, sha256: Option<String>) -> Occasion {
        Occasion { feed: Some(self.name.clone()), input: claim.name().to_string(), sha256 }
    }

    /// Does with one file what is to be done with it. True where its content counts from now on.
    async fn handle(&mut self, service: &Service, seat: &mut Seat, mut held: InHand) -> Result<bool, StateError> {
        let sha256 = match &held.sha256 {
            Some(sha256) => sha256.clone(),
            None => match digest(&held.claim) {
                Ok(sha256) => sha256,
                Err(Unread::Lost) => {
                    warn!(feed = %self.name, file = %held.claim.name(), "another process took it over");
                    return Ok(false);
                }
                Err(Unread::Failed(error)) => {
                    self.trouble = Some(format!("{} cannot be read: {error}", held.claim.name()));
                    self.keep(held);
                    return Ok(false);
                }
            },
        };
        held.sha256 = Some(sha256.clone());
        let name = held.claim.name().to_string();
        if let Some(run) = service.store.about(&self.name, &sha256)? {
            let is_its_own = held.made(&run);
            match run.standing {
                Standing::Waiting | Standing::Held | Standing::Approved => {
                    self.in_hand.push(held);
                    return Ok(false);
                }
                Standing::Done | Standing::Partly if is_its_own => {
                    self.finish(service, seat, held.claim, &sha256, &run)?;
                    return self.is_last(service, &sha256);
                }
                Standing::Rejected | Standing::Refused if is_its_own => {
                    let why = run.told.as_deref().unwrap_or_default();
                    let rejected = (run.standing == Standing::Rejected).then_some(run.id);
                    self.refuse(service, held.claim, Some(&sha256), why, rejected);
                    return Ok(false);
                }
                Standing::Superseded if is_its_own => {
                    let told = run.told.clone().unwrap_or_default();
                    let decided = Decided::about(&run, service)?;
                    self.archive(service, held.claim, Some(&sha256), "superseded", Some(&decided), &told, None);
                    return Ok(false);
                }
                // What was done in part is worth another try.
                Standing::Done
                    if self.is_known(service, seat, &held.claim, &sha256)?
                        && resume::taken_back(&service.store, run.id)?.is_none() =>
                {
                    // Whatever was refused before it: what is to be so is so.
                    self.refused = None;
                    let told = format!("its content was used before, in run {} (`{}`)", run.id, run.input);
                    let about = self.about(&held.claim, Some(sha256.clone()));
                    if !self.is_told(service, &held, &sha256)? {
                        service.store.keep(None, &about, Standing::Duplicate, &told, &service.now())?;
                    }
                    let decided = Decided::about(&run, service)?;
                    self.archive(service, held.claim, Some(&sha256), "duplicate", Some(&decided), &told, None);
                    return self.is_last(service, &sha256);
                }
                _ => {}
            }
        }
        if self.is_blocked(service)? {
            // A plan that waits is not about this file: it comes later.
            self.keep(held);
            return Ok(false);
        }
        if let Some(told) = self.is_late(service, seat, &held.claim)? {
            let about = self.about(&held.claim, Some(sha256.clone()));
            service.store.keep(None, &about, Standing::Superseded, &told, &service.now())?;
            warn!(feed = %self.name, file = name, "{told}");
            self.archive(service, held.claim, Some(&sha256), "superseded", None, &told, None);
            return Ok(false);
        }
        self.use_it(service, seat, held, sha256).await
    }

    /// True where it is written down already that this very file was a duplicate.
    fn is_told(&self, service: &Service, held: &InHand, sha256: &str) -> Result<bool, StateError> {
        if !held.inherited {
            return Ok(false);
        }
        let is_it = |run: &RunSummary| {
            run.standing == Standing::Duplicate
                && run.feed.as_ref() == Some(&self.name)
                && run.sha256.as_deref() == Some(sha256)
                && held.made(run)
        };
        Ok(service.store.runs()?.iter().any(is_it))
    }

    /// Makes a run of a file.
    async fn use_it(
        &mut self,
        service: &Service,
        seat: &mut Seat,
        mut held: InHand,
        sha256: String,
    ) -> Result<bool, StateError> {
        let file = match held.claim.open() {
            Ok(file) => Arc::new(file),
            Err(fault) => {
                self.trouble = Some(format!("{fault}; {}", fault.hint()));
                self.keep(held);
                return Ok(false);
            }
        };
        let about = self.about(&held.claim, Some(sha256.clone()));
        let named = Named {
            system: self.name.clone(),
            shown: about.input.clone(),
            path: held.claim.path(),
            dropped: Some(Arc::clone(&file)),
            order: Some(held.claim.order().to_string()),
        };
        self.last = Some(about.input.clone());
        let how = How { in_passing: false, first_is_held: true };
        let against = self.doubt(service, seat, &held.claim, &sha256)?;
        let question = Question { is_as_read: &|| held.claim.same_after(&file), against };
        let given = [Given::File(named)];
        let came = {
            let passing = pass_if(service, seat, &given, &about, how, question);
            tokio::pin!(passing);
            loop {
                tokio::select! {
                    came = &mut passing => break came?,
                    () = tokio::time::sleep(RENEW_EVERY) => {
                        if let Err(error) = held.claim.renew(service.clock.now()) {
                            warn!(feed = %self.name, "{error}");
                        }
                    }
                }
            }
        };
        let Some(came) = came else {
            // Somebody is still writing: what was read is no fact about anybody.
            warn!(feed = %self.name, file = %held.claim.name(), "it changed while it was read, and waits again");
            self.give_back(held.claim);
            return Ok(false);
        };
        match came {
            Came::Done { in_passing: true } if self.tries < TRIES => {
                self.tries += 1;
                self.put_off(service);
                self.trouble = Some(format!("some calls for {} were not done, and are tried again", held.claim.name()));
                self.keep(held);
                Ok(false)
            }
            Came::Done { .. } | Came::Nothing => {
                self.pause = None;
                self.tries = 0;
                match service.store.about(&self.name, &sha256)? {
                    Some(run) => self.finish(service, seat, held.claim, &sha256, &run)?,
                    None => self.archive(service, held.claim, Some(&sha256), "done", None, "", None),
                }
                self.is_last(service, &sha256)
            }
            Came::Held => {
                held.inherited = true;
                self.in_hand.push(held);
                Ok(true)
            }
            Came::Refused { why } => {
                self.refuse(service, held.claim, Some(&sha256), &why, None);
                Ok(false)
            }
            Came::Later { why } => {
                self.put_off(service);
                self.trouble = Some(why);
                self.keep(held);
                Ok(false)
            }
            Came::Stopped => {
                self.keep(held);
                Ok(false)
            }
        }
    }

    /// Leaves files in hand alone for a while, longer each time.
    fn put_off(&mut self, service: &Service) {
        let pause = self.pause.map_or(FIRST_PAUSE, |(pause, _)| pause * 2).min(LONGEST_PAUSE);
        self.pause = Some((pause, service.clock.instant() + pause));
    }

    /// True where this content is the last accepted list.
    fn is_last(&self, service: &Service, sha256: &str) -> Result<bool, StateError> {
        Ok(service.store.accepted(&self.name)?.is_some_and(|accepted| accepted.sha256 == sha256))
    }

    /// Keeps a file in hand, to be tried again.
    fn keep(&mut self, held: InHand) {
        self.in_hand.push(held);
    }

    /// Puts a file away that was used, with what became of it and the rows that were not.
    fn finish(
        &mut self,
        service: &Service,
        seat: &Seat,
        claim: Claim,
        sha256: &str,
        run: &RunSummary,
    ) -> Result<(), StateError> {
        self.refused = None;
        let decided = Decided::about(run, service)?;
        let rejects = decided.plan.as_ref().map(|plan| self.rejects(seat, &claim, run, plan)).transpose();
        let rejects = rejects.unwrap_or_else(|why| {
            let result = "its result tells them by their lines";
            warn!(feed = %self.name, file = %claim.name(), "the rows that were not used cannot be put aside: {why}; {result}");
            None
        });
        let told = run.told.clone().unwrap_or_default();
        let rejects = rejects.flatten();
        self.archive(service, claim, Some(sha256), run.standing.word(), Some(&decided), &told, rejects.as_deref());
        Ok(())
    }

    /// The rows of a file that were not used, for its sender to repair.
    fn rejects(&self, seat: &Seat, claim: &Claim, run: &RunSummary, plan: &Plan) -> Result<Option<Vec<u8>>, String> {
        let rejected: BTreeMap<u64, _> =
            plan.rejected.iter().filter(|one| one.system == self.name).map(|one| (one.line, one)).collect();
        let settings = seat.project.sources.get(&self.name).and_then(|source| source.csv.as_ref());
        let Some(settings) = settings.filter(|_| !rejected.is_empty()) else { return Ok(None) };
        let file = claim.open().map_err(|fault| fault.to_string())?;
        let mut rows: Vec<(Vec<std::sync::Arc<str>>, _)> = Vec::new();
        let mut sink = |row: crate::source::Row| {
            let line = match &row {
                crate::source::Row::Record(record) => record.origin.line,
                crate::source::Row::Rejected { rejected, .. } => rejected.line,
            };
            if let Some(why) = rejected.get(&line) {
                let fields = match row {
                    crate::source::Row::Record(record) => record.fields.iter().map(Into::into).collect(),
                    crate::source::Row::Rejected { fields, .. } => fields,
                };
                rows.push((fields, *why));
            }
        };
        let read = csv_file::read_open(&file, &run.input, &self.name, settings, &mut sink);
        let layout = read.map_err(|refused| refused.to_string())?.layout;
        Ok(layout.map(|layout| reject_file::write(&layout, rows.iter().map(|(fields, why)| (fields.as_slice(), *why)))))
    }

    #[expect(clippy::too_many_arguments, reason = "each is a line of the result that stands beside the file")]
    fn archive(
        &mut self,
        service: &Service,
        claim: Claim,
        sha256: Option<&str>,
        standing: &str,
        decided: Option<&Decided<'_>>,
        told: &str,
        rejects: Option<&[u8]>,
    ) {
        let now = service.clock.now();
        let (run, plan) = (decided.map(|it| it.run), decided.and_then(|it| it.plan.as_ref()));
        let of_rows = plan.into_iter().flat_map(|plan| &plan.rejected).filter(|one| one.system == self.name);
        let rejected: Vec<_> = of_rows
            .map(|one| json!({ "line": one.line, "column": one.column, "code": one.code, "reason": one.reason }))
            .collect();
        let result = json!({
            "format": "homeward.result/1", "file": claim.name().to_string(), "sha256": sha256, "result": standing,
            "reason": told, "run": run.map(|run| run.id), "plan": run.map(|run| &run.plan),
            "records": plan.and_then(|plan| plan.inputs.first()).map(|input| input.records),
            "summary": plan.map(|plan| &plan.summary), "rejected": rejected,
            "calls": run.map(|run| run.calls), "done": run.map(|run| run.done),
            "started": run.map(|run| &run.started), "finished": run.and_then(|run| run.finished.as_ref()),
            "taken": claim.taken().to_string(), "archived": now.to_string(),
        });
        let name = claim.name().to_string();
        match claim.archive(now, sha256.unwrap_or("unknown"), &result, rejects) {
            Ok(_) if rejects.is_some() => {
                let count = rejected.len();
                let rows = if count == 1 { "1 row could" } else { &format!("{count} rows could") };
                warn!(feed = %self.name, file = name, "{standing}; {rows} not be used: they lie in the error folder");
            }
            Ok(_) => info!(feed = %self.name, file = name, "{standing}"),
            Err(fault) => self.leave_behind(&fault),
        }
    }

    /// Puts a file into `error`. That somebody has rejected its plan, in a run, is a decision and no trouble.
    fn refuse(&mut self, service: &Service, claim: Claim, sha256: Option<&str>, why: &str, rejected: Option<i64>) {
        let now = service.clock.now();
        let result = if rejected.is_some() { "rejected" } else { "refused" };
        let reason = json!({
            "format": "homeward.result/1", "file": claim.name().to_string(), "sha256": sha256, "result": result,
            "reason": why, "run": rejected, "taken": claim.taken().to_string(), "archived": now.to_string(),
        });
        if rejected.is_some() {
            info!(feed = %self.name, file = %claim.name(), "{why}");
        } else {
            warn!(feed = %self.name, file = %claim.name(), "refused: {why}");
            self.refused = Some(refusal(&claim.name().to_string(), why));
        }
        if let Err(fault) = claim.refuse(now, sha256, &reason) {
            self.leave_behind(&fault);
        }
    }

    fn give_back(&mut self, claim: Claim) {
        if let Err(fault) = claim.release() {
            self.leave_behind(&fault);
        }
    }

    /// A file stays in the work folder: what was decided about it is finished when it can be.
    fn leave_behind(&mut self, fault: &FolderError) {
        let told = format!("{fault}; {}", fault.hint());
        self.trouble = Some(told.clone());
        self.left = Some(told);
    }

    /// True while a list that is coming may be waited for.
    fn may_put_off(&mut self, now: Instant) -> bool {
        now.saturating_duration_since(*self.put_off.get_or_insert(now)) < LONGEST_WAIT
    }

    /// What falls due on a day is done on that day, whether a new list comes or not: the last one is read again.
    async fn new_day(&mut self, service: &Service, seat: &mut Seat) -> Result<(), StateError> {
        let today = service.clock.today();
        if self.day == Some(today) {
            return Ok(());
        }
        let Some(accepted) = service.store.accepted(&self.name)? else {
            // The list that comes is read by today.
            self.day = Some(today);
            return Ok(());
        };
        // A day may have begun while nobody was watching: then the list knows what day its rules saw last.
        let last = self.day.map_or_else(|| accepted.today.clone(), |day| day.to_string());
        let again = format!("{}@{today}", accepted.sha256);
        let is_seen = [&last, &accepted.today].contains(&&today.to_string())
            || service.store.about(&self.name, &again)?.is_some();
        let taken_back = resume::taken_back_since(&service.store, accepted.run, &self.name)?;
        self.day = Some(today);
        self.put_off = None;
        self.stale = None;
        if is_seen {
            return Ok(());
        }
        if let Some(undo) = taken_back {
            self.stale = Some(format!(
                "run {undo} took back what `{}` had asked for: what falls due today waits for the next list",
                accepted.file
            ));
            return Ok(());
        }
        let opened = find(&self.folder.settings().archive, &accepted.sha256)
            .and_then(|path| Some((File::open(&path).ok()?, path)));
        let opened = opened.filter(|(file, _)| digest_of(file).is_ok_and(|sha256| sha256 == accepted.sha256));
        let Some((file, path)) = opened else {
            self.stale = Some(format!(
                "`{}` is not in the archive: what falls due today waits for the next list",
                accepted.file
            ));
            return Ok(());
        };
        let about = Occasion {
            feed: Some(self.name.clone()),
            input: format!("{} (again, on {today})", accepted.file),
            sha256: Some(again),
        };
        let named = Named {
            system: self.name.clone(),
            shown: accepted.file.clone(),
            path,
            dropped: Some(Arc::new(file)),
            order: accepted.order.clone(),
        };
        let how = How { in_passing: true, first_is_held: false };
        let came = pass(service, seat, &[Given::File(named)], &about, how).await;
        if matches!(came, Err(_) | Ok(Came::Later { .. })) {
            self.day = None;
        }
        if let Came::Later { why } = came? {
            self.trouble = Some(why);
        }
        Ok(())
    }
}

/// What is told of a feed whose last file was refused.
fn refusal(file: &str, why: &str) -> String {
    format!("its last file `{file}` was refused: {why}")
}

/// The digest of a file's bytes, in hex.
fn digest(claim: &Claim) -> Result<String, Unread> {
    let file = claim.open().map_err(|fault| match fault {
        FolderError::Lost { .. } => Unread::Lost,
        fault => Unread::Failed(fault.to_string()),
    })?;
    digest_of(&file).map_err(|cause| Unread::Failed(cause.to_string()))
}

/// Why there is no digest.
enum Unread {
    /// Another process has the file.
    Lost,
    Failed(String),
}

fn digest_of(mut file: &File) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&hasher.finalize())),
            read => hasher.update(&buffer[..read]),
        }
    }
}

/// The archived file of this content. Its name holds the start of the digest.
fn find(archive: &std::path::Path, sha256: &str) -> Option<PathBuf> {
    let mark = format!("--{}--", sha256.get(..12)?);
    let entries = std::fs::read_dir(archive).ok()?.filter_map(Result::ok);
    let names: BTreeSet<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.contains(&mark) && !name.ends_with(".result.json")
        })
        .collect();
    names.into_iter().next_back()
}
