//! Every cell of the example of the nightly feed, asked why and what it would take.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::date;

use super::{
    Cell, Fact, Gathered, Material, gather,
    search::{Study, Way},
};
use crate::{
    lab::Lab,
    model::plan::PlannedChange,
    run::{
        fleet::Fleet,
        gather::named,
        kinds::PROVIDERS,
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
        let lab = crate::lab::start(&benches(&project.config, PROVIDERS).unwrap(), 0).await.unwrap();
        let fleet = fleet(&project.config, PROVIDERS, Some(&lab.systems)).unwrap();
        Self { project, fleet, _lab: lab }
    }

    fn desk<'a>(&'a self, memory: &'a Memory) -> Desk<'a> {
        let Project { rules, sources, limits, .. } = &self.project;
        Desk { rules, sources, limits, memory, today: "2026-11-20".to_owned() }
    }
}

async fn gathered(stage: &mut Stage, memory: &Memory, input: &str) -> Gathered {
    let files = [named(&stage.project.config.root, input).unwrap()];
    let Stage { project: Project { rules, sources, limits, .. }, fleet, .. } = stage;
    let desk = Desk { rules, sources, limits, memory, today: "2026-11-20".to_owned() };
    gather(&desk, &files, fleet).await.unwrap()
}

/// What a decision looks like without the ids of calls, which are a whole plan's.
fn plain(changes: &[PlannedChange]) -> Vec<PlannedChange> {
    changes.iter().map(|change| PlannedChange { call: None, ..change.clone() }).collect()
}

/// Walks every cell and gives how many cells there are, how many are of which `why`, and how many have a way.
fn walk(material: &Material<'_>) -> BTreeMap<String, (usize, usize)> {
    let mut seen: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for at in 0..material.people.len() {
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
            if !nothing && takes.ways.is_empty() {
                let sys = cell.1.clone();
                let facts = [Fact::Exists { system: sys.clone(), exists: true }, Fact::Holds { system: sys.clone(), attribute: "active".into(), value: false.into() }];
                for c in material.suppose(at, &facts).unwrap() { eprintln!("{:?}", c); }
            }
            assert!(nothing || !takes.ways.is_empty(), "{id} {cell:?}: {why}; tried {}", takes.tried);
            let decided = now.iter().next().map(|decision| format!("{decision:?}").to_lowercase());
            let number = seen.entry(decided.unwrap_or_else(|| why.code().to_owned())).or_default();
            number.0 += 1;
            number.1 += usize::from(!takes.ways.is_empty());
        }
    }
    seen
}

/// The whole supposition changes the cell as told, and without any one of its parts it does not.
fn prove(
    material: &Material<'_>,
    at: usize,
    cell: &Cell,
    now: &BTreeSet<crate::model::plan::Decision>,
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

#[tokio::test]
async fn every_cell_of_the_nightly_feed_has_an_answer_and_every_way_is_one() {
    let memory = Memory::default();
    let mut stage = Stage::of("hr-feed").await;
    let read = gathered(&mut stage, &memory, "hr=day2.csv").await;
    let desk = stage.desk(&memory);
    let start = std::time::Instant::now();
    let material = Material::new(&desk, read, &stage.fleet).unwrap();
    eprintln!("new {:?}", start.elapsed());
    let seen = walk(&material);
    eprintln!("{:?} {seen:?}", start.elapsed());
}
