//! At a glance: people of whom nothing is to be decided, told without their accounts being unpacked, but for those to which
//! something comes by itself.
//!
//! Most people of a long list are as they shall be. Whoever is found to be at rest here is one of whom [`super::decide`] says
//! nothing; of all others this file does not know what becomes of them, and it says nothing at all where looking would take
//! longer than deciding.

use std::{cell::LazyCell, sync::Arc};

use super::{
    super::correlate::Found, Providers, comes, foresee, is_account_line, is_active, is_copied_to, knows, provider_of,
};
use crate::model::{
    account::Account,
    accounts::Packed,
    attribute::{AttributeName, Value},
    capability::Change,
    id::SystemName,
    policy::{Ownership, Policy},
    record::Statement,
};

/// Tells who is at rest; keeps what is the same of one person as of another.
pub(crate) struct Rest<'a> {
    policy: &'a Policy,
    providers: &'a dyn Providers,
    parts: Vec<(SystemName, Parts)>,
}

/// What is known of attributes at a system, in order of attribute.
type Parts = Vec<(AttributeName, Part)>;

/// How a system takes part in an attribute.
#[derive(Clone, Copy)]
struct Part {
    /// Its table has it.
    is_known: bool,
    is_copied: bool,
}

/// A value that everybody who knows the attribute shall hold.
struct Stands<'a> {
    attribute: &'a AttributeName,
    value: Value,
    /// Who holds it already, being its owner.
    home: Option<&'a SystemName>,
}

impl<'a> Rest<'a> {
    pub(crate) fn new(policy: &'a Policy, providers: &'a dyn Providers) -> Self {
        Self { policy, providers, parts: Vec::new() }
    }

    /// True where nothing is to be decided of this person, whose attributes belong to these owners. False says nothing.
    pub(crate) fn is_at_rest(&mut self, found: &Found<'_>, ownership: &Ownership) -> bool {
        let statements = found.statements();
        if !found.is_plain() || statements.iter().any(|said| said.fresh && !said.deeds.is_empty()) {
            return false;
        }
        let accounts: Vec<Packed<'_>> = found.accounts().collect();
        self.are_as_wished(statements, &accounts, ownership)
            && self.standing(statements, &accounts, ownership).is_some_and(|standing| {
                accounts.iter().all(|account| self.holds(account, &accounts, &standing, ownership))
            })
    }

    /// True where no account is to be made or switched.
    fn are_as_wished(&self, statements: &[Arc<Statement>], accounts: &[Packed<'_>], ownership: &Ownership) -> bool {
        if !statements.iter().any(|said| said.fresh && !said.of_nobody) {
            return true;
        }
        let active = AttributeName::active();
        ownership.accounts.iter().all(|(system, wish)| match account_at(accounts, system) {
            None => !wish.wanted,
            Some(account) => {
                let is_so = account.value(active).is_some_and(|held| held.is(&Value::Bool(wish.wanted)));
                is_so || (wish.wanted && !knows(self.providers, system, active))
            }
        })
    }

    /// What stands of each attribute that is spoken of, in order; `None` where somebody asks for what is not so.
    fn standing<'s>(
        &self,
        statements: &'s [Arc<Statement>],
        accounts: &[Packed<'_>],
        ownership: &'s Ownership,
    ) -> Option<Vec<Stands<'s>>> {
        if let [said] = statements
            && let Some(standing) = self.as_stated(said, ownership)
        {
            return Some(standing);
        }
        let mut spoken: Vec<&AttributeName> = statements.iter().flat_map(|said| said.spoken()).collect();
        spoken.sort_unstable();
        spoken.dedup();
        let mut standing = Vec::with_capacity(spoken.len());
        for attribute in spoken {
            let asked = || statements.iter().filter_map(|said| Some((said, said.said(attribute)?)));
            let Some(owned) = ownership.owner(attribute) else {
                // What nobody owns may be asked for where it is so.
                if asked().all(|(_, value)| self.is_so_everywhere(accounts, attribute, &value)) {
                    continue;
                }
                return None;
            };
            let home = &owned.system;
            let word = statements.iter().find(|said| said.system == *home);
            let account = account_at(accounts, home);
            if (word.is_none() || account.is_some()) && self.providers.capabilities(home).is_some() {
                if is_account_line(ownership, home, attribute) {
                    // One value is asked for, or there is something to tell.
                    let mut wishes = asked().map(|(_, value)| self.providers.normalize(home, attribute, &value));
                    let first = wishes.next();
                    if wishes.any(|other| Some(other) != first) {
                        return None;
                    }
                    continue;
                }
                let account = account?;
                let held =
                    |value: &Value| holds_value(&account, attribute, &self.providers.normalize(home, attribute, value));
                if !asked().all(|(_, value)| held(&value)) {
                    return None;
                }
                let (_, value) = asked().next()?;
                let value = self.providers.normalize(home, attribute, &value);
                standing.push(Stands { attribute, value, home: Some(home) });
            } else {
                let fact = word.and_then(|word| word.values.get(attribute));
                if asked().any(|(said, value)| said.system != *home && fact.as_ref() != Some(&value)) {
                    return None;
                }
                if let Some((word, value)) = word.zip(fact)
                    && word.says(attribute)
                {
                    standing.push(Stands { attribute, value, home: None });
                }
            }
        }
        Some(standing)
    }

    /// The same of somebody of whom one source tells, which owns all that it says; `None` where that is not so.
    fn as_stated<'s>(&self, said: &'s Statement, ownership: &'s Ownership) -> Option<Vec<Stands<'s>>> {
        let is_provider = || self.providers.capabilities(&said.system).is_some();
        if !said.fresh || !said.quiet.is_empty() || is_provider() {
            return None;
        }
        // Both are in order.
        let mut owners = ownership.owners.iter().peekable();
        let stands = |(attribute, value): (&'s AttributeName, Value)| {
            while owners.next_if(|(name, _)| *name < attribute).is_some() {}
            let is_own = owners.peek().is_some_and(|(name, owned)| *name == attribute && owned.system == said.system);
            is_own.then_some(Stands { attribute, value, home: None })
        };
        said.values.iter().map(stands).collect()
    }

    /// True where accounts know the attribute, and all of them hold the value.
    fn is_so_everywhere(&self, accounts: &[Packed<'_>], attribute: &AttributeName, value: &Value) -> bool {
        let mut holders = 0;
        accounts.iter().all(|account| {
            let system = account.system();
            if !knows(self.providers, system, attribute) {
                return true;
            }
            holders += 1;
            holds_value(account, attribute, &self.providers.normalize(system, attribute, value))
        }) && holders > 0
    }

    /// True where an account holds what stands, as far as it is brought there, and nothing else comes to it by itself.
    fn holds(
        &mut self,
        account: &Packed<'_>,
        accounts: &[Packed<'_>],
        standing: &[Stands<'_>],
        ownership: &Ownership,
    ) -> bool {
        let system = account.system();
        let (policy, providers) = (self.policy, self.providers);
        // What comes by itself is foreseen of the account itself.
        let unpacked = (!providers.stands_alone(account)).then(|| LazyCell::new(|| account.account()));
        let parts = self.parts_at(system);
        let (mut held, mut next) = (account.iter().peekable(), 0);
        // All three are in order.
        standing.iter().filter(|stands| stands.home != Some(system)).all(|Stands { attribute, value, .. }| {
            while parts.get(next).is_some_and(|(name, _)| name < attribute) {
                next += 1;
            }
            if parts.get(next).is_none_or(|(name, _)| name != *attribute) {
                parts.insert(next, ((*attribute).clone(), Part::of(attribute, system, policy, providers)));
            }
            let Part { is_known, is_copied } = parts[next].1;
            let unpacked = unpacked.as_ref().filter(|_| !is_active(attribute));
            if !is_known || (!is_copied && unpacked.is_none()) || is_account_line(ownership, system, attribute) {
                return true;
            }
            while held.next_if(|(name, _)| name < attribute).is_some() {}
            let value = providers.normalize(system, attribute, value);
            let held = held.peek().filter(|(name, _)| name == attribute).map(|(_, held)| *held);
            let is_so = |value: &Value| held.map_or(value.is_empty(), |held| held.is(value));
            match unpacked.and_then(|account| comes_to(account, accounts, attribute, &value, providers)) {
                Some(becomes) => becomes.is_ok_and(|becomes| is_so(&becomes)),
                None => !is_copied || is_so(&value),
            }
        })
    }

    fn parts_at(&mut self, system: &SystemName) -> &mut Parts {
        let at = self.parts.iter().position(|(name, _)| name == system).unwrap_or_else(|| {
            self.parts.push((system.clone(), Parts::new()));
            self.parts.len() - 1
        });
        &mut self.parts[at].1
    }
}

impl Part {
    fn of(attribute: &AttributeName, system: &SystemName, policy: &Policy, providers: &dyn Providers) -> Self {
        Self { is_known: knows(providers, system, attribute), is_copied: is_copied_to(policy, system, attribute) }
    }
}

/// What comes by itself to one of somebody's accounts, where this value stands and nothing is done; as [`super::comes`].
fn comes_to(
    account: &Account,
    accounts: &[Packed<'_>],
    attribute: &AttributeName,
    value: &Value,
    providers: &dyn Providers,
) -> Option<Result<Value, String>> {
    let (before, after) = (account.value(attribute), value.clone());
    let change = Change { attribute: attribute.clone(), before, after };
    let follows = foresee(providers, account, &change).follows?;
    let has_account = |system: &SystemName| account_at(accounts, system).is_some();
    let leader = account_at(accounts, &provider_of(providers, &follows.provider, has_account)?)?;
    let holds = |attribute: &AttributeName| Some(leader.value(attribute).map(Into::into).unwrap_or_default());
    comes(providers, &account.system, &change, &follows, holds)
}

fn account_at<'p>(accounts: &[Packed<'p>], system: &SystemName) -> Option<Packed<'p>> {
    accounts.iter().find(|account| account.system() == system).copied()
}

/// True where an account holds this value of an attribute.
fn holds_value(account: &Packed<'_>, attribute: &AttributeName, value: &Value) -> bool {
    account.value(attribute).map_or(value.is_empty(), |held| held.is(value))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc};

    use proptest::{
        prelude::*,
        strategy::ValueTree,
        test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
    };

    use super::{
        super::{
            super::{Unrouted, deeds::deeds},
            decide,
        },
        *,
    };
    use crate::model::{
        account::{Account, Facts},
        accounts::Accounts,
        capability::{
            AttributeCapability as Row, Capabilities, Change, Follows, Foresight, Reads, Replay, Scheme, SetCapability,
            Support,
        },
        few::Few,
        origin::Origin,
        person::{Look, Unseen},
        plan::Request,
        policy::{CopyLine, Owned, Wish},
        record::{Before, Deed, RecordOrigin},
        refusal::{Refusal, RefusalKind},
    };

    const fn table(kind: &'static str, attributes: &'static [Row]) -> Capabilities {
        Capabilities {
            kind,
            create: Support::Yes,
            create_replay: Replay::LookFirst,
            attributes,
            operations: &[],
            lookups: &[],
            facts: &["through"],
            concurrency: 1,
            scheme: Scheme::Bearer,
            key_scope: None,
        }
    }

    const CHAT: Capabilities = table(
        "chat",
        &[
            Row::plain("username", "u"),
            Row { write: Support::No("it cannot"), ..Row::plain("email", "e") },
            Row::plain("active", "a"),
            Row { neutral: false, ..Row::plain("note", "n") },
            Row {
                neutral: false,
                set: Some(SetCapability { named: "room", levels: &["a"], leaving: "" }),
                ..Row::plain("rooms", "r")
            },
        ],
    );
    const GIT: Capabilities = table("git", &[Row::plain("username", "u"), Row::plain("email", "e")]);

    /// Two providers: one keeps usernames in lower case, and takes what comes from the other where somebody signs in to it
    /// that way.
    struct Two;

    impl Providers for Two {
        fn names(&self) -> Vec<SystemName> {
            vec!["chat".into(), "git".into()]
        }
        fn kind(&self, system: &SystemName) -> Option<&str> {
            Some(self.capabilities(system).map_or("csv", |table| table.kind))
        }
        fn capabilities(&self, system: &SystemName) -> Option<&'static Capabilities> {
            [("chat", &CHAT), ("git", &GIT)]
                .into_iter()
                .find(|(name, _)| *name == system.as_str())
                .map(|(_, table)| table)
        }
        fn server(&self, _: &SystemName) -> Arc<Facts> {
            Arc::default()
        }
        fn normalize(&self, system: &SystemName, attribute: &AttributeName, value: &Value) -> Value {
            match value.as_text().filter(|_| system.as_str() == "chat" && attribute.as_str() == "username") {
                Some(text) => Value::text(&text.to_lowercase()),
                None => value.clone(),
            }
        }
        fn foresee(&self, account: &Account, change: &Change) -> Foresight {
            // A note of somebody who signs in elsewhere is her own.
            if account.fact("through").is_none() || change.attribute.as_str() == "chat.note" {
                return Foresight::takes();
            }
            let becomes = match &change.after {
                no if *no == "b".into() => Err("not this".to_owned()),
                other if *other == "A".into() => Ok("a".into()),
                other => Ok(other.clone()),
            };
            let is_part = account.fact("through") == Some("a part") && change.attribute.as_str() == "username";
            let reads = if is_part { Reads::BeforeSpace("email") } else { Reads::Same };
            let (provider, when) = ("git".to_owned(), "later".to_owned());
            Foresight::doomed("undone").following(Follows { provider, when, becomes, reads })
        }
        fn stands_alone(&self, account: &Packed<'_>) -> bool {
            account.fact("through").is_none()
        }
        fn calls(&self, _: &Account, _: &[Change]) -> Result<Vec<Request>, Refusal> {
            Ok(Vec::new())
        }
        fn operation(&self, _: &Account, _: &str, _: &BTreeMap<String, Value>) -> Result<Request, Refusal> {
            Err(Refusal::new(RefusalKind::Unsupported, "there is none"))
        }
    }

    const ATTRIBUTES: [&str; 6] = ["active", "chat.note", "chat.rooms[x]", "email", "phone", "username"];

    /// As rules name it: of a member of a set they name the set.
    fn in_rules(name: &str) -> AttributeName {
        let name = AttributeName::new(name);
        name.set().unwrap_or(name)
    }

    fn origin() -> Origin {
        Origin { file: "r".into(), line: 1, column: 1, text: "".into() }
    }

    fn values() -> impl Strategy<Value = BTreeMap<AttributeName, Value>> {
        let text = || prop_oneof![6 => Just(Value::text("a")), 1 => Just("A".into()), 1 => Just("b".into()), 1 => Just("a b".into()), 1 => Just(Value::Empty)];
        let active = prop_oneof![6 => Just(true), 1 => Just(false)].prop_map(Value::Bool);
        let all = (active, text(), text(), text(), text(), text()).prop_map(<[Value; 6]>::from);
        (all, prop::collection::vec(any::<bool>(), 6)).prop_map(|(all, spoken)| {
            let named = ATTRIBUTES.into_iter().map(AttributeName::new).zip(all).zip(spoken);
            named.filter(|(_, is_spoken)| *is_spoken).map(|(one, _)| one).collect()
        })
    }

    fn statement(system: &'static str) -> impl Strategy<Value = Option<Arc<Statement>>> {
        let rare = || prop::bool::weighted(0.1);
        let quiet = prop::collection::btree_set(prop::sample::select(&ATTRIBUTES[..]), 0..2);
        let said = (values(), prop::bool::weighted(0.8), rare(), rare(), quiet).prop_map(
            move |(values, fresh, of_nobody, asks, quiet)| {
                let deed = Deed {
                    system: "chat".into(),
                    operation: "greet".to_owned(),
                    arguments: BTreeMap::new(),
                    origin: origin(),
                    before: Before::Never,
                    mark: String::new(),
                };
                Arc::new(Statement {
                    system: system.into(),
                    key: "1".into(),
                    values: values.into(),
                    origin: RecordOrigin { file: "f".into(), line: 2 },
                    fresh,
                    deeds: asks.then_some(deed).into_iter().collect(),
                    of_nobody,
                    unsettled: Few::default(),
                    quiet: quiet.into_iter().map(AttributeName::new).collect::<Few<_>>(),
                })
            },
        );
        prop::option::weighted(if system == "hr" { 0.9 } else { 0.3 }, said)
    }

    fn account(system: &'static str) -> impl Strategy<Value = Option<Account>> {
        let through = prop::option::weighted(0.2, prop::sample::select(vec!["all", "a part"]));
        let held = (values(), through).prop_map(move |(attributes, through)| Account {
            id: Some("1".into()),
            attributes,
            facts: through.map(|how| ("through".to_owned(), how.into())).into_iter().collect(),
            ..Account::absent(system.into(), Arc::default())
        });
        prop::option::weighted(0.8, held)
    }

    fn ownership() -> impl Strategy<Value = Ownership> {
        let owner = prop::option::weighted(0.9, prop::sample::select(vec!["hr", "hr", "crm", "chat", "git"]));
        let wish = || prop::option::of(prop::bool::weighted(0.8));
        (prop::collection::vec(owner, 6), wish(), wish()).prop_map(|(owners, chat, git)| {
            let line = |system: &str| Owned { system: system.into(), origin: origin(), looked_at: Vec::new() };
            let owners = ATTRIBUTES.into_iter().zip(owners);
            let owners = owners.filter_map(|(name, system)| Some((in_rules(name), line(system?)))).collect();
            let wishes = [("chat", chat), ("git", git)].into_iter();
            let wish = |wanted| Wish { wanted, origin: origin(), looked_at: Vec::new() };
            let accounts = wishes.filter_map(|(system, wanted)| Some((system.into(), wish(wanted?)))).collect();
            Ownership { owners: Arc::new(owners), accounts }
        })
    }

    fn policy() -> impl Strategy<Value = Policy> {
        let systems = prop::sample::subsequence(vec!["chat", "git"], 0..=2);
        prop::collection::vec(prop::option::weighted(0.8, systems), 6).prop_map(|copies| {
            let line = |systems: Vec<&str>| CopyLine {
                systems: systems.into_iter().map(Into::into).collect(),
                origin: origin(),
            };
            let named = ATTRIBUTES.into_iter().zip(copies);
            let copies = named.filter_map(|(name, systems)| Some((in_rules(name), line(systems?)))).collect();
            Policy { copies, ..Policy::default() }
        })
    }

    #[test]
    fn whoever_is_at_rest_is_one_of_whom_nothing_is_decided() {
        let rare = || prop::bool::weighted(0.05);
        let person =
            (statement("hr"), statement("crm"), statement("chat"), account("chat"), account("git"), rare(), rare());
        let worlds = (prop::collection::vec(person, 3), ownership(), policy());
        let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
        // Of those too to which something comes by itself.
        let (mut at_rest, mut nothing, mut led_at_rest, mut led) = (0, 0, 0, 0);
        for _ in 0..4_000 {
            let (people, ownership, policy) = worlds.new_tree(&mut runner).unwrap().current();
            let mut rest = Rest::new(&policy, &Two);
            for (hr, crm, own, chat, git, is_held, is_unseen) in people {
                let statements: Vec<Arc<Statement>> = [hr, crm, own].into_iter().flatten().collect();
                let chat = chat.filter(|_| !is_unseen);
                let lists: Vec<Accounts> = [chat, git].into_iter().flatten().map(|one| vec![one].into()).collect();
                let unseen = || {
                    let unseen = Unseen {
                        kind: RefusalKind::NotFound,
                        reason: "her token is missing".to_owned(),
                        is_hers: false,
                    };
                    is_unseen.then(|| ("chat".into(), unseen)).into_iter().collect()
                };
                let held = || is_held.then(|| "two could be meant".to_owned());
                let accounts = || lists.iter().map(|list| (list, 0)).collect();
                let found = || Found::new(statements.clone(), accounts(), held(), unseen());
                let told = rest.is_at_rest(&found(), &ownership);
                let person = found().person();
                for (system, name) in ["hr", "chat", "git"].into_iter().flat_map(|it| ATTRIBUTES.map(|name| (it, name)))
                {
                    let (system, attribute): (SystemName, AttributeName) = (system.into(), name.into());
                    let looks = [
                        Look::Held(system.clone(), attribute.clone()),
                        Look::Fact(system.clone(), "through".to_owned()),
                        Look::Account(system.clone()),
                        Look::Decided(system, attribute),
                    ];
                    assert!(looks.iter().all(|look| found().look(look) == person.look(look)), "{person:?}");
                }
                let decided = decide(&person, &ownership, &policy, &Two, &Unrouted);
                let is_nothing = decided.is_empty() && deeds(&person, &Two).is_empty();
                assert!(is_nothing || !told, "{statements:?} {lists:?} {ownership:?} {policy:?} {decided:?}");
                at_rest += usize::from(told);
                nothing += usize::from(is_nothing);
                let is_led = found().accounts().any(|account| !Two.stands_alone(&account));
                led_at_rest += usize::from(told && is_led);
                led += usize::from(is_nothing && is_led);
            }
        }
        // What is never told at a glance would be right too, and help nobody.
        assert!(nothing > 1_000 && at_rest * 2 > nothing, "{at_rest} of {nothing}");
        assert!(led > 200 && led_at_rest * 2 > led, "{led_at_rest} of {led}");
    }
}
