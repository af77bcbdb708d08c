//! Providers that need no network: what each holds is made up from the number of its people, the same every time.
//!
//! It stands in for a provider's whole list, as a connector hands it on. Where it is set so, one in a hundred has another
//! post there than the list of people says, and everybody signs in to the second through the first, which then says by
//! what name and address.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use homeward::{
    connector::{Connector, ConnectorError, Kind, Standing},
    model::{
        account::{Account, Facts, Observed, Wanted},
        accounts::{Accounts, Packed},
        attribute::{AttributeName, Value},
        capability::{
            AttributeCapability as Row, Capabilities, Change, Follows, Foresight, Reads, Replay, Scheme, Support,
            Unique,
        },
        plan::{Call, Operation, Request},
        refusal::Refusal,
        texts::Texts,
    },
    wire::{Reader, Writer},
};

use crate::people::Person;

/// The systems, each with its kind.
pub(crate) const SYSTEMS: [(&str, &str); 3] =
    [("gitlab", "first_listing"), ("mattermost", "second_listing"), ("zitadel", "third_listing")];

pub(crate) const KINDS: [Kind; 3] =
    [kind(&TABLES[0], open::<0>), kind(&TABLES[1], open::<1>), kind(&TABLES[2], open::<2>)];

const fn kind(table: &'static Capabilities, open: homeward::connector::Open) -> Kind {
    Kind { name: table.kind, capabilities: table, open, schema: || schemars::schema_for!(Settings).to_value() }
}

static TABLES: [Capabilities; 3] = [table(SYSTEMS[0].1), table(SYSTEMS[1].1), table(SYSTEMS[2].1)];

const ROWS: &[Row] = &[
    Row { unique: Unique::Freed, required: true, ..Row::plain("username", "login") },
    Row { unique: Unique::Freed, required: true, ..Row::plain("email", "mail") },
    Row::plain("first_name", "first"),
    Row::plain("last_name", "last"),
    Row::plain("display_name", "name"),
    Row::plain("department", "department"),
    Row::plain("position", "post"),
    Row::plain("active", "active"),
];

const fn table(kind: &'static str) -> Capabilities {
    Capabilities {
        kind,
        create: Support::Yes,
        create_replay: Replay::LookFirst,
        attributes: ROWS,
        operations: &[],
        lookups: &["email", "username"],
        facts: &["auth_service", "is_admin", "is_bot"],
        concurrency: 4,
        scheme: Scheme::Bearer,
        key_scope: None,
    }
}

static ASKED: AtomicU64 = AtomicU64::new(0);
static SPENT: AtomicU64 = AtomicU64::new(0);

/// How often a provider was asked in this process, and how long it took to make up what was shown.
pub(crate) fn spent() -> (u64, Duration) {
    (ASKED.load(Ordering::Relaxed), Duration::from_micros(SPENT.load(Ordering::Relaxed)))
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// How many accounts there are.
    people: u64,
    /// Whether one in a hundred is not what the list of people says.
    differs: bool,
    /// Whether people sign in through the first system.
    through: bool,
}

struct Listing {
    place: usize,
    settings: Settings,
}

fn open<const PLACE: usize>(settings: serde_json::Value) -> Result<Box<dyn Connector>, serde_json::Error> {
    Ok(Box::new(Listing { place: PLACE, settings: serde_json::from_value(settings)? }))
}

impl Listing {
    fn accounts(&self, wanted: &Wanted, wire: &Reader<'_>) -> Accounts {
        let names = TABLES[self.place].attributes.iter().map(|row| AttributeName::new(row.name));
        let names: Vec<AttributeName> = names.collect();
        let server = Arc::new(Facts::new());
        let one = |number| {
            let person = Person { number, moved: 0 };
            // At each system it is another hundredth.
            let differs = self.settings.differs && number % 100 == 10 + self.place as u64;
            let post = if differs { "Trainee".to_owned() } else { person.position() };
            let held = [
                Value::text(&person.username()),
                Value::text(&person.email()),
                Value::text(person.first()),
                Value::text(person.last()),
                Value::text(&format!("{} {}", person.first(), person.last())),
                Value::text(person.department()),
                Value::text(&post),
                Value::Bool(person.is_active()),
            ];
            let facts = [("is_admin", number == 0), ("is_bot", false)].map(|(name, yes)| (name, Value::Bool(yes)));
            let service = self.settings.through.then(|| ("auth_service", Value::text(SYSTEMS[0].0)));
            Account {
                id: Some((number + 1).to_string().as_str().into()),
                attributes: names.iter().cloned().zip(held).collect(),
                facts: facts.into_iter().chain(service).map(|(name, known)| (name.to_owned(), known)).collect(),
                ..Account::absent(wire.system().clone(), Arc::clone(&server))
            }
        };
        self.numbers(wanted).into_iter().map(one).collect()
    }

    /// Whom somebody is shown who looks for these: a few by what they are looked for, as in requests for many at once, and
    /// many by the whole list.
    fn numbers(&self, wanted: &Wanted) -> Vec<u64> {
        let texts = || wanted.holding.values().flat_map(Texts::iter);
        if wanted.ids.len() + texts().count() > usize::try_from(self.settings.people).unwrap() / 10 {
            return (0..self.settings.people).collect();
        }
        let by_id = wanted.ids.iter().filter_map(|id| id.as_str().parse::<u64>().ok()?.checked_sub(1));
        let by_text = texts().filter_map(|text| {
            let digits: String = text.chars().filter(char::is_ascii_digit).collect();
            let person = Person { number: digits.parse().ok()?, moved: 0 };
            (person.username() == text || person.email() == text).then_some(person.number)
        });
        let shown: BTreeSet<u64> = by_id.chain(by_text).filter(|number| *number < self.settings.people).collect();
        shown.into_iter().collect()
    }
}

#[async_trait::async_trait]
impl Connector for Listing {
    fn capabilities(&self) -> &'static Capabilities {
        &TABLES[self.place]
    }

    async fn standing(&self, _: &Reader<'_>) -> Result<Standing, ConnectorError> {
        Ok(Standing { server: "a list".to_owned(), we_are: "a bench".to_owned(), missing: Vec::new() })
    }

    async fn observe(&self, wanted: &Wanted, wire: &Reader<'_>) -> Result<Observed, ConnectorError> {
        let begun = Instant::now();
        ASKED.fetch_add(1, Ordering::Relaxed);
        let accounts = if wanted.is_empty() { Accounts::default() } else { self.accounts(wanted, wire) };
        let spent = u64::try_from(begun.elapsed().as_micros()).unwrap_or_default();
        SPENT.fetch_add(spent, Ordering::Relaxed);
        Ok(Observed { accounts, ..Observed::default() })
    }

    fn normalize(&self, attribute: &AttributeName, value: &Value) -> Value {
        let text = value.as_text().filter(|_| matches!(attribute.as_str(), "email" | "username"));
        match text.filter(|text| text.chars().any(char::is_uppercase)) {
            Some(text) => Value::text(&text.to_lowercase()),
            None => value.clone(),
        }
    }

    fn foresee(&self, account: &Account, change: &Change) -> Foresight {
        if account.fact("auth_service").is_none() || !matches!(change.attribute.as_str(), "username" | "email") {
            return Foresight::takes();
        }
        Foresight::doomed("the next sign-in takes it back").following(Follows {
            provider: SYSTEMS[0].1.to_owned(),
            when: "at the next sign-in".to_owned(),
            becomes: Ok(change.after.clone()),
            reads: Reads::Same,
        })
    }

    fn stands_alone(&self, account: &Packed<'_>) -> bool {
        account.fact("auth_service").is_none()
    }

    fn calls(&self, account: &Account, changes: &[Change]) -> Result<Vec<Request>, Refusal> {
        let body =
            changes.iter().map(|change| (change.attribute.as_str().to_owned(), change.after.to_json())).collect();
        let (operation, method, path) = match &account.id {
            Some(id) => (Operation::Update, "PUT", format!("/people/{id}")),
            None => (Operation::Create, "POST", "/people".to_owned()),
        };
        Ok(vec![Request {
            operation,
            method: method.to_owned(),
            path,
            headers: BTreeMap::new(),
            body,
            generated: Vec::new(),
            carries: changes.iter().map(|change| change.attribute.clone()).collect(),
            replay: Replay::Repeat,
        }])
    }

    async fn perform(&self, _: &Call, _: &mut Writer<'_>) -> Result<Account, Refusal> {
        Err(Refusal::new(homeward::model::refusal::RefusalKind::Unsupported, "a list cannot be written to"))
    }
}
