//! What connectors foretell, held against what the simulators then do; and laws that every connector keeps.
//!
//! A matrix has a fresh account for each case: one kind of account, one attribute, one value. The connector foresees,
//! the call is really sent, and the account is looked at afterwards. Where a connector would not send a call at all, the
//! call is made from one that it would send, with the value put in its place: a no that nobody ever tried proves nothing.
//!
//! Every difference is a line of a table, and the table must be empty. What differs for a reason stands in a list with
//! that reason; an entry of such a list that nothing meets any more is a fault too.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use serde_json::{Value as Json, json};
use url::Url;

use crate::{
    connector::{Connector, ConnectorError, Kind},
    lab::{Bench, Lab},
    model::{
        account::{Account, Facts, Observed, Wanted},
        accounts::Accounts,
        attribute::{AttributeName, Value},
        capability::{Change, Foresight, Scheme, Verdict},
        id::{AccountId, PersonId, SystemName},
        plan::{Call, Operation, Plan, Request},
        refusal::{Refusal, RefusalKind},
        secret::Secret,
        texts::Texts,
    },
    state::{Store, sqlite::Sqlite},
    wire::{Credential, Dialect, Habits, Line, Reach, ask_lab},
};

mod discourse;
mod gitlab;
mod gitlab_groups;
mod laws;
mod mattermost;
mod mattermost_members;
mod nextcloud;
mod own;
mod refusals;
mod scim;
mod wordpress;
mod zitadel;

/// A simulator, a connector that speaks to it, and a journal.
struct Bed {
    lab: Lab,
    connector: Box<dyn Connector>,
    line: Line,
    store: Sqlite,
    run: i64,
    system: SystemName,
    calls: AtomicU64,
}

/// What a bed is made of.
struct Bedding<'a> {
    kind: &'a Kind,
    /// The connector's own settings.
    options: Json,
    token_kind: &'a str,
    seed: Json,
    /// The login provider: its kind and its seed.
    leader: Option<(&'a str, Json)>,
}

impl Bed {
    async fn made(bedding: Bedding<'_>) -> Self {
        let Bedding { kind, options, token_kind, seed, leader } = bedding;
        let bench = |kind: &str, seed: Json| Bench {
            system: kind.to_owned(),
            kind: kind.to_owned(),
            token_kind: token_kind.to_owned(),
            seed,
        };
        let mut benches = vec![bench(kind.name, seed)];
        benches.extend(leader.map(|(kind, seed)| bench(kind, seed)));
        let lab = crate::lab::start(&benches, 0, &[]).await.unwrap();
        let store = Sqlite::in_memory().unwrap();
        let run = store.begin(&Plan::empty(), &crate::state::Occasion::default(), "2026-11-20T00:00:00Z").unwrap();
        let connector = (kind.open)(options).unwrap();
        let dialect = connector.dialect();
        let line = line_of(kind, dialect, &lab, &lab.systems[kind.name].token);
        Self { lab, connector, line, store, run, system: kind.name.into(), calls: AtomicU64::new(0) }
    }

    /// Asks a simulator itself, past its interface.
    async fn lab(&self, system: &str, method: &str, path: &str, body: &Json) -> Result<Json, String> {
        ask_lab(&self.lab.systems[system].url, method, path, body).await
    }

    /// Everything the simulator holds.
    async fn dump(&self) -> Json {
        self.lab(self.system.as_str(), "GET", "state", &Json::Null).await.unwrap()
    }

    async fn settings(&self, settings: &Json) {
        self.lab(self.system.as_str(), "POST", "settings", settings).await.unwrap();
    }

    async fn meddle(&self, user: &str, fields: &Json) {
        self.lab(self.system.as_str(), "POST", &format!("meddle/{user}"), fields).await.unwrap();
    }

    async fn observe(&self, wanted: &Wanted) -> Result<Observed, ConnectorError> {
        self.connector.observe(wanted, &self.line.reader()).await
    }

    /// The accounts with these ids, as a plan sees them.
    async fn accounts(&self, ids: impl IntoIterator<Item = AccountId>) -> BTreeMap<AccountId, Account> {
        self.seen(Wanted { ids: ids.into_iter().collect(), ..Wanted::default() }).await
    }

    /// The accounts with these ids, as they are now.
    async fn accounts_now(&self, ids: impl IntoIterator<Item = AccountId>) -> BTreeMap<AccountId, Account> {
        self.seen(Wanted { ids: ids.into_iter().collect(), fresh: true, ..Wanted::default() }).await
    }

    async fn seen(&self, wanted: Wanted) -> BTreeMap<AccountId, Account> {
        let observed = self.observe(&wanted).await.unwrap();
        observed.accounts.into_iter().filter_map(|account| Some((account.id.clone()?, account))).collect()
    }

    async fn account(&self, id: &str) -> Account {
        self.accounts_now([id.into()]).await.remove(&id.into()).unwrap_or_else(|| panic!("{id} is not there"))
    }

    /// The place where an account could be created.
    async fn nobody(&self) -> Account {
        let observed = self.observe(&Wanted::default()).await.unwrap();
        Account::absent(self.system.clone(), observed.server)
    }

    fn change(&self, account: &Account, attribute: &str, value: &Value) -> Change {
        let attribute = AttributeName::new(attribute);
        let after = self.connector.normalize(&attribute, value);
        Change { before: account.value(&attribute), attribute, after }
    }

    fn foresee(&self, account: &Account, change: &Change) -> Foresight {
        let foresight = self.connector.foresee(account, change);
        let packed = Accounts::from(vec![account.clone()]);
        let stands_alone = packed.iter().all(|account| self.connector.stands_alone(&account));
        assert!(!stands_alone || foresight.follows.is_none(), "{change:?} of {account:?}: {foresight:?}");
        foresight
    }

    /// Sends these changes of one account as a plan would, and tells what the last answer shows.
    async fn carry_out(&self, account: &Account, changes: &[Change]) -> Result<Account, Refusal> {
        let requests = self.connector.calls(account, changes)?;
        self.send(account, changes, requests).await
    }

    async fn send(&self, account: &Account, changes: &[Change], requests: Vec<Request>) -> Result<Account, Refusal> {
        let mut shown = account.clone();
        for request in requests {
            let number = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
            let intends = changes.iter().filter(|change| request.carries.contains(&change.attribute));
            let call = Call {
                id: format!("c{number}").into(),
                system: self.system.clone(),
                person: PersonId { system: "hr".into(), key: number.to_string().into() },
                account: account.id.clone(),
                operation: request.operation,
                performs: None,
                method: request.method,
                path: request.path,
                headers: request.headers,
                body: request.body,
                generated: request.generated,
                expects: BTreeMap::new(),
                intends: intends.map(|change| (change.attribute.clone(), change.after.clone())).collect(),
                replay: request.replay,
                after: Vec::new(),
            };
            let mut writer = self.line.writer(&self.store, self.run, &call);
            shown = self.connector.perform(&call, &mut writer).await?;
        }
        Ok(shown)
    }

    /// Whether the account holds what was intended, as the provider stores it.
    fn holds(&self, account: &Account, change: &Change) -> bool {
        let stored = self.connector.normalize(&change.attribute, &account.value(&change.attribute));
        stored == self.connector.normalize(&change.attribute, &change.after)
    }
}

fn line(kind: &Kind, lab: &Lab, token: &str) -> Line {
    let least = if kind.capabilities.scheme == Scheme::Basic { json!({ "username": "homeward" }) } else { json!({}) };
    line_of(kind, (kind.open)(least).unwrap().dialect(), lab, token)
}

fn line_of(kind: &Kind, dialect: Dialect, lab: &Lab, token: &str) -> Line {
    let reach = Reach {
        system: kind.name.into(),
        url: Url::parse(&lab.systems[kind.name].url).unwrap(),
        credential: match kind.capabilities.scheme {
            Scheme::Basic | Scheme::BasicOrBearer => Credential::basic("homeward", &Secret::new(token)),
            Scheme::Bearer | Scheme::Header(_) => Credential::Token(Secret::new(token)),
        },
        scheme: kind.capabilities.scheme,
        concurrency: kind.capabilities.concurrency,
        timeout: Duration::from_secs(30),
        habits: Habits { dialect, ..Habits::default() },
        route: crate::wire::Route::default(),
    };
    Line::new(reach).unwrap()
}

/// What a case does to its account.
#[derive(Clone)]
struct Wish {
    attribute: String,
    /// What the value is like, in a word or two.
    like: &'static str,
    value: Value,
    /// Somebody else holds this value: a plan would know, a connector cannot.
    held: bool,
}

impl Wish {
    fn new(attribute: &str, like: &'static str, value: impl Into<Value>) -> Self {
        Self { attribute: attribute.to_owned(), like, value: value.into(), held: false }
    }

    fn held(mut self) -> Self {
        self.held = true;
        self
    }
}

/// One account and what shall become of it.
struct Case {
    /// The kind of account.
    account: &'static str,
    id: AccountId,
    wish: Wish,
}

/// What came of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Met {
    /// The account holds it.
    Took,
    /// A success, and the account does not hold it.
    Ineffective,
    /// It held it until the next sign-in.
    Undone,
    Refused(RefusalKind),
    /// The connector would not say it, for this reason, and nobody else could.
    Unsaid(RefusalKind),
}

impl fmt::Display for Met {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Took => f.write_str("took"),
            Self::Ineffective => f.write_str("without effect"),
            Self::Undone => f.write_str("undone"),
            Self::Refused(kind) => write!(f, "{kind}"),
            Self::Unsaid(kind) => write!(f, "unsaid, {kind}"),
        }
    }
}

/// A forecast in a word.
fn word(change: &Change, foresight: &Foresight) -> String {
    match &foresight.verdict {
        _ if change.before == change.after => "unchanged".to_owned(),
        Verdict::Takes => "takes".to_owned(),
        Verdict::Refuses { kind, .. } => kind.to_string(),
        Verdict::Doomed { .. } => "doomed".to_owned(),
    }
}

/// True where what was met is what was foreseen.
fn agrees(foreseen: &str, met: Met, held: bool) -> bool {
    match met {
        Met::Took => matches!(foreseen, "takes" | "unchanged"),
        Met::Ineffective | Met::Undone => foreseen == "doomed",
        // Uniqueness is the planner's to know, and asked before some of what dooms a change.
        Met::Refused(RefusalKind::Taken) if held => matches!(foreseen, "takes" | "doomed"),
        Met::Refused(kind) | Met::Unsaid(kind) => foreseen == kind.to_string(),
    }
}

/// A difference that is meant, and why. An empty text fits everything.
struct Accepted {
    bed: &'static str,
    accounts: &'static [&'static str],
    attributes: &'static [&'static str],
    values: &'static [&'static str],
    foreseen: &'static str,
    met: &'static str,
    why: &'static str,
}

/// Differences found, and which accepted ones were met.
struct Report {
    accepted: &'static [Accepted],
    met: BTreeSet<usize>,
    lines: Vec<String>,
    cases: usize,
}

impl Report {
    fn new(accepted: &'static [Accepted]) -> Self {
        Self { accepted, met: BTreeSet::new(), lines: Vec::new(), cases: 0 }
    }

    fn difference(&mut self, bed: &str, account: &str, wish: &Wish, foreseen: &str, met: &str) {
        let fits = |list: &[&str], word: &str| list.is_empty() || list.contains(&word);
        let known = self.accepted.iter().position(|one| {
            (one.bed.is_empty() || one.bed == bed)
                && fits(one.accounts, account)
                && fits(one.attributes, &wish.attribute)
                && fits(one.values, wish.like)
                && (one.foreseen, one.met) == (foreseen, met)
        });
        if let Some(known) = known {
            self.met.insert(known);
            return;
        }
        let attribute = &wish.attribute;
        self.lines.push(format!("{bed} | {account} | {attribute} | {} | {foreseen} | {met}", wish.like));
    }

    /// Fails with the table where there is anything to tell.
    fn settle(self) {
        let unmet = self.accepted.iter().enumerate().filter(|(at, _)| !self.met.contains(at));
        let stale = unmet.map(|(_, one)| {
            format!("accepted and never met: {} {} -> {}: {}", one.bed, one.foreseen, one.met, one.why)
        });
        let table: Vec<String> = self.lines.into_iter().chain(stale).collect();
        assert!(table.is_empty(), "bed | account | attribute | value | foreseen | met\n{}", table.join("\n"));
        assert!(self.cases > 0, "nothing was compared");
    }
}

/// How to say what a connector would not say: an account of which it would think nothing bad.
type Plain = fn(&Account) -> Account;

/// Runs all cases of one bed, each on the account it names.
async fn compare(
    bed: &Bed,
    name: &str,
    cases: &[Case],
    legal: &dyn Fn(&str) -> Value,
    plain: Plain,
    report: &mut Report,
) {
    let mut accounts = bed.accounts(cases.iter().map(|case| case.id.clone())).await;
    let mut used = BTreeSet::new();
    for case in cases {
        report.cases += 1;
        if !used.insert(case.id.clone()) {
            accounts.extend(bed.accounts_now([case.id.clone()]).await);
        }
        let Some(account) = accounts.get(&case.id) else {
            report.difference(name, case.account, &case.wish, "an account", "nobody");
            continue;
        };
        let change = bed.change(account, &case.wish.attribute, &case.wish.value);
        let foresight = bed.foresee(account, &change);
        let foreseen = word(&change, &foresight);
        let signs_in = account.identities.iter().any(|identity| bed.lab.systems.contains_key(&identity.provider))
            || (account
                .fact("backend")
                .is_some_and(|backend| backend != "Database" || case.account.ends_with("elsewhere"))
                && case.wish.attribute != "active");
        let (mut met, mut shown) = meet(bed, account, &change, legal, plain).await;
        if met == Met::Took && signs_in {
            // What was taken must outlive the next sign-in, unless it was foretold not to.
            let login = bed.lab(bed.system.as_str(), "POST", &format!("login/{}", case.id), &Json::Null).await;
            let after = bed.account(case.id.as_str()).await;
            assert!(login.is_ok(), "{}: {login:?}", case.account);
            if !bed.holds(&after, &change) {
                met = Met::Undone;
            }
            shown = Some(after);
        }
        if let Some(shown) = shown {
            accounts.insert(case.id.clone(), shown);
        }
        if !agrees(&foreseen, met, case.wish.held) {
            report.difference(name, case.account, &case.wish, &foreseen, &met.to_string());
        }
    }
    // The answers must have told the truth.
    let after = bed.accounts_now(used).await;
    for case in cases.iter().rev() {
        let attribute = AttributeName::new(&case.wish.attribute);
        let Some(told) = accounts.remove(&case.id) else { continue };
        let truth = after.get(&case.id).map(|account| account.value(&attribute));
        if truth != Some(told.value(&attribute)) {
            report.difference(name, case.account, &case.wish, "what the answer showed", "another value");
        }
    }
}

/// Sends one change and tells what came of it, with the account as the answer showed it.
async fn meet(
    bed: &Bed,
    account: &Account,
    change: &Change,
    legal: &dyn Fn(&str) -> Value,
    plain: Plain,
) -> (Met, Option<Account>) {
    let changes = [change.clone()];
    let requests = match bed.connector.calls(account, &changes) {
        Ok(requests) => requests,
        Err(refusal) => match forced(bed, &plain(account), change, legal) {
            Some(requests) => requests,
            None => return (Met::Unsaid(refusal.kind), None),
        },
    };
    match bed.send(account, &changes, requests).await {
        Ok(shown) if bed.holds(&shown, change) => (Met::Took, Some(shown)),
        Ok(shown) => (Met::Ineffective, Some(shown)),
        Err(refusal) => (Met::Refused(refusal.kind), None),
    }
}

/// The call for a value that would be sent, with another in its place.
fn forced(bed: &Bed, account: &Account, change: &Change, legal: &dyn Fn(&str) -> Value) -> Option<Vec<Request>> {
    let stand_in = match (&change.after, change.attribute.as_str()) {
        (Value::Bool(_), "active") => change.after.clone(),
        (Value::Text(_) | Value::Empty, name) if name != "active" => legal(name),
        _ => return None,
    };
    let said = Change { after: stand_in.clone(), ..change.clone() };
    let mut requests = bed.connector.calls(account, &[said]).ok()?;
    if let Some(stand_in) = stand_in.as_text() {
        let text = change.after.as_text().unwrap_or_default();
        let replaced = requests.iter_mut().map(|request| replace(&mut request.body, stand_in, text)).sum::<usize>();
        assert_eq!(replaced, 1, "`{stand_in}` does not stand once in {requests:?}");
    }
    Some(requests)
}

fn replace(json: &mut Json, old: &str, new: &str) -> usize {
    match json {
        Json::String(text) if text == old => {
            new.clone_into(text);
            1
        }
        Json::Array(items) => items.iter_mut().map(|item| replace(item, old, new)).sum(),
        Json::Object(members) => members.values_mut().map(|member| replace(member, old, new)).sum(),
        _ => 0,
    }
}

/// Creates an account for each wish and compares.
async fn compare_creations(
    bed: &Bed,
    name: &str,
    whole: fn(u64) -> Vec<Wish>,
    wishes: &dyn Fn(u64) -> Vec<Wish>,
    report: &mut Report,
) {
    let nobody = bed.nobody().await;
    for at in 0..wishes(0).len() {
        report.cases += 1;
        let number = 90_000 + at as u64;
        let wish = wishes(number).swap_remove(at);
        let mut all: Vec<Wish> = whole(number).into_iter().filter(|other| other.attribute != wish.attribute).collect();
        all.push(wish.clone());
        let changes: Vec<Change> = all.iter().map(|wish| bed.change(&nobody, &wish.attribute, &wish.value)).collect();
        let words = changes.iter().map(|change| match bed.foresee(&nobody, change).verdict {
            Verdict::Takes => "takes".to_owned(),
            Verdict::Refuses { kind, .. } => kind.to_string(),
            Verdict::Doomed { .. } => "doomed".to_owned(),
        });
        let foreseen = words.into_iter().find(|word| word != "takes").unwrap_or_else(|| "takes".to_owned());
        let legal = |attribute: &str| {
            let found = whole(number).into_iter().find(|wish| wish.attribute == attribute);
            found.map_or_else(|| Value::text("stand-in"), |wish| wish.value)
        };
        let met = match bed.connector.calls(&nobody, &changes) {
            Ok(requests) => born(bed, &nobody, &changes, requests).await,
            Err(refusal) => {
                let mut said = changes.clone();
                let last = said.last_mut().unwrap();
                let stand_in = legal(last.attribute.as_str());
                let text = last.after.as_text().unwrap_or_default().to_owned();
                let sayable = !matches!(last.after, Value::Bool(_)) && stand_in.as_text().is_some();
                last.after = stand_in.clone();
                match bed.connector.calls(&nobody, &said) {
                    Ok(mut requests) if sayable => {
                        let old = stand_in.as_text().unwrap_or_default();
                        let replaced: usize =
                            requests.iter_mut().map(|request| replace(&mut request.body, old, &text)).sum();
                        assert!(replaced >= 1, "`{old}` does not stand in {requests:?}");
                        born(bed, &nobody, &changes, requests).await
                    }
                    _ => Met::Unsaid(refusal.kind),
                }
            }
        };
        if !agrees(&foreseen, met, wish.held) {
            report.difference(name, "nobody", &wish, &foreseen, &met.to_string());
        }
    }
}

async fn born(bed: &Bed, nobody: &Account, changes: &[Change], requests: Vec<Request>) -> Met {
    assert!(requests.iter().all(|request| request.operation == Operation::Create), "{requests:?}");
    match bed.send(nobody, changes, requests).await {
        Ok(shown) => {
            let id = shown.id.clone().expect("a new account has an id");
            let seen = bed.account(id.as_str()).await;
            let all = changes.iter().all(|change| bed.holds(&shown, change) && bed.holds(&seen, change));
            if all { Met::Took } else { Met::Ineffective }
        }
        Err(refusal) => Met::Refused(refusal.kind),
    }
}

/// So many characters.
fn long(letter: &str, count: usize) -> String {
    letter.repeat(count)
}
