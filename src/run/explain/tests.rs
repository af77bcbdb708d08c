//! Every cell of the example of the nightly feed, asked why and what it would take.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::date;

use super::{
    Cell, Fact, Gathered, Material, gather,
    search::{Study, Way},
};
use crate::{
    lab::Lab,
    model::{
        account::Account,
        id::SystemName,
        plan::{Decision, Plan, PlannedChange},
    },
    plan::Providers,
    run::{
        fleet::Fleet,
        gather::{Given, named},
        kinds::PROVIDERS,
        observe::Shown,
        prepare::Desk,
        project::{Project, benches, fleet, open},
    },
    state::Memory,
};

/// An example with its systems simulated.
struct Stage {
    project: Project,
    fleet: Fleet,
    _lab: Lab,
}

impl Stage {
    async fn of(example: &str) -> Self {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(example);
        let project = open(&root.join("homeward.toml"), PROVIDERS, date(2026, 11, 20)).unwrap();
        let lab = crate::lab::start(&benches(&project.config, PROVIDERS).unwrap(), 0, &[]).await.unwrap();
        let fleet = fleet(&project.config, PROVIDERS, Some(&lab.systems)).unwrap();
        Self { project, fleet, _lab: lab }
    }

    fn desk<'a>(&'a self, memory: &'a Memory) -> Desk<'a> {
        let Project { rules, sources, limits, .. } = &self.project;
        Desk { rules, sources, limits, memory, today: "2026-11-20".to_owned(), belief: None }
    }
}

async fn gathered(stage: &mut Stage, memory: &Memory, input: &str) -> Gathered {
    let files = [named(&stage.project.config.root, input).unwrap()];
    let Stage { project: Project { rules, sources, limits, .. }, fleet, .. } = stage;
    let desk = Desk { rules, sources, limits, memory, today: "2026-11-20".to_owned(), belief: None };
    gather(&desk, &files.map(Given::File), fleet).await.unwrap()
}

/// What a decision looks like without the ids of calls, which are a whole plan's.
fn plain(changes: &[PlannedChange]) -> Vec<PlannedChange> {
    changes.iter().map(|change| PlannedChange { call: None, ..change.clone() }).collect()
}

/// Walks every cell of every so-many-th person; gives how many cells were decided how, or why not.
fn walk(material: &Material<'_>, step: usize) -> BTreeMap<String, usize> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for at in (0..material.people.len()).step_by(step) {
        let id = material.people[at].person.id.to_string();
        // Supposing nothing decides what the plan says.
        assert_eq!(plain(&material.suppose(at, &[]).unwrap()), plain(material.changes(at)), "{id}");
        let known = |said: &_| material.known_before(said);
        let case = material.case(at, &known);
        let mut study = Study::new(material, at);
        // Decided anew for the proof, and not what the search remembers.
        let mut proof: BTreeMap<Vec<Fact>, Vec<PlannedChange>> = BTreeMap::new();
        for cell in material.cells(at) {
            let why = case.why(&cell.0, &cell.1);
            assert!(!why.to_string().is_empty(), "{id} {cell:?}");
            let now = Material::decisions(material.changes(at), &cell);
            assert_eq!(why.code() == "decided", !now.is_empty(), "{id} {cell:?}: {why}");
            let takes = study.takes(&cell).unwrap();
            for way in &takes.ways {
                prove(material, at, &cell, &now, way, &mut proof);
            }
            let nothing = matches!(why.code(), "source" | "unknown_there");
            assert!(nothing || !takes.ways.is_empty(), "{id} {cell:?}: {why}; tried {}", takes.tried);
            let decided =
                now.iter().map(|decision| format!("{decision:?}").to_lowercase()).collect::<Vec<_>>().join(" ");
            *seen.entry(if decided.is_empty() { why.code().to_owned() } else { decided }).or_default() += 1;
        }
    }
    seen
}

/// The whole supposition changes the cell as told, and without any one of its parts it does not.
fn prove(
    material: &Material<'_>,
    at: usize,
    cell: &Cell,
    now: &BTreeSet<Decision>,
    way: &Way,
    proof: &mut BTreeMap<Vec<Fact>, Vec<PlannedChange>>,
) {
    let mut decided = |facts: &[Fact]| {
        let changes = proof.entry(facts.to_vec()).or_insert_with(|| material.suppose(at, facts).unwrap());
        Material::decisions(changes, cell)
    };
    assert_ne!(way.becomes, *now, "{cell:?} {way:?}");
    assert_eq!(decided(&way.facts), way.becomes, "{cell:?} {way:?}");
    for left_out in 0..way.facts.len() {
        let mut rest = way.facts.clone();
        rest.remove(left_out);
        assert_eq!(decided(&rest), *now, "{cell:?} {way:?} without {left_out}");
    }
}

/// The accounts that a plan would make, made.
fn established(plan: &Plan, fleet: &Fleet) -> Shown {
    let mut accounts: BTreeMap<(SystemName, String), Account> = BTreeMap::new();
    for change in plan.changes.iter().filter(|change| change.decision == Decision::Apply) {
        let number = (100_000_000_000_000_000 + accounts.len()).to_string();
        let place = (change.system.clone(), change.person.to_string());
        let account = accounts.entry(place).or_insert_with(|| {
            let mut account = Account::absent(change.system.clone(), fleet.server(&change.system));
            account.id = Some(number.as_str().into());
            account.facts.insert("state".to_owned(), "active".into());
            account.attributes.insert("active".into(), true.into());
            account
        });
        account.attributes.insert(change.attribute.clone(), change.after.clone());
    }
    let mut shown = Shown::default();
    for ((system, _), account) in accounts {
        shown.accounts.entry(system).or_default().push(&account);
    }
    shown
}

fn counted(pairs: &[(&str, usize)]) -> BTreeMap<String, usize> {
    pairs.iter().map(|(word, number)| ((*word).to_owned(), *number)).collect()
}

#[tokio::test]
async fn cells_of_the_nightly_feed_have_answers_and_every_way_is_one() {
    let memory = Memory::default();
    let mut stage = Stage::of("hr-feed").await;
    let read = gathered(&mut stage, &memory, "hr=day2.csv").await;
    let desk = stage.desk(&memory);
    let material = Material::new(&desk, read, &stage.fleet).unwrap();
    let seen = walk(&material, 7);
    let expected = [
        ("apply", 910),
        ("new_account_active", 210),
        ("no_account_wanted", 51),
        ("not_in_new_account", 70),
        ("source", 511),
        ("unknown_there", 292),
    ];
    assert_eq!(seen, counted(&expected));
}

#[tokio::test]
async fn cells_of_people_who_have_accounts_have_answers_too() {
    let memory = Memory::default();
    let mut stage = Stage::of("hr-feed").await;
    let first = gathered(&mut stage, &memory, "hr=day1.csv").await;
    let second = gathered(&mut stage, &memory, "hr=day2.csv").await;
    let desk = stage.desk(&memory);
    let made = Material::new(&desk, first, &stage.fleet).unwrap().plan;
    let read = Gathered { shown: established(&made, &stage.fleet), ..second };
    let material = Material::new(&desk, read, &stage.fleet).unwrap();
    let seen = walk(&material, 6);
    let expected = [
        ("account_line", 243),
        ("apply", 19),
        ("no_account_wanted", 34),
        ("not_copied", 83),
        ("source", 595),
        ("unchanged", 1066),
        ("unknown_there", 340),
    ];
    assert_eq!(seen, counted(&expected));
}

#[tokio::test]
async fn cells_of_the_small_examples_have_answers_too() {
    for (example, before, now, expected) in [
        (
            "rename-through-gitlab",
            "website=before.csv",
            "website=after.csv",
            [("apply", 1), ("follow", 1), ("no_change_said", 6), ("source", 4)].as_slice(),
        ),
        (
            "zitadel-username",
            "website=monday.csv",
            "website=taken.csv",
            &[("hold", 2), ("no_change_said", 3), ("source", 6), ("unchanged", 1)],
        ),
        (
            "central-profile",
            "app=profiles.csv",
            "app=profiles.csv",
            &[
                ("apply", 4),
                ("follow", 1),
                ("no_account", 6),
                ("not_copied", 1),
                ("refuse", 1),
                ("source", 12),
                ("unchanged", 8),
                ("unknown_there", 3),
            ],
        ),
    ] {
        let nothing = Memory::default();
        let mut stage = Stage::of(example).await;
        let first = gathered(&mut stage, &nothing, before).await;
        let second_desk = stage.desk(&nothing);
        let seen = Material::new(&second_desk, first, &stage.fleet).unwrap().plan.seen.to_vec();
        let memory = Memory { seen, ..Memory::default() };
        let second = gathered(&mut stage, &memory, now).await;
        let desk = stage.desk(&memory);
        let material = Material::new(&desk, second, &stage.fleet).unwrap();
        assert_eq!((example, walk(&material, 1)), (example, counted(expected)));
    }
}
