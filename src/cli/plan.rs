//! `homeward plan`: the dry run. There is nothing here to write with.

use std::{
    collections::BTreeSet,
    fs::{File, OpenOptions},
    io::{self, BufWriter, Read as _, Write},
    path::{Path, PathBuf},
};

use serde_json::json;

use super::{
    Exit, Invocation, apply::by_name, arguments, diagnostic::Trouble, duration, lab, outlook, print, render, tell,
    width,
};
use crate::{
    connector::Kind,
    model::{
        id::{CallId, SystemName},
        plan::Plan,
    },
    plan::guard::Tripped,
    rules::lint::Finding,
    run::{
        RunError,
        belief::{Belief, unchanged},
        document,
        estimate::estimate,
        fleet::Fleet,
        gather::{Given, Hearing, Named, ask, hear, named},
        holds::{Judged, Parted, Past, judge, past},
        prepare::{Prepared, draft},
        project::{Project, fleet},
        seal::{seal, seal_into},
    },
    state::{
        Memory, Store,
        sqlite::{Place, Sqlite, place_of},
    },
};

/// A project with its systems open, real or simulated.
pub(super) struct Stage {
    pub(super) project: Project,
    pub(super) fleet: Fleet,
    /// The inputs of the command line: files,
    pub(super) files: Vec<Named>,
    /// and websites that are asked.
    pub(super) asked: Vec<SystemName>,
    /// The simulators, where `--lab` had to start some: they live as long as this.
    pub(super) lab: Option<lab::Stand>,
    /// The file of the store that was there to begin with.
    place: Option<Place>,
}

/// Opens everything a plan needs. What was typed is looked at before a secret is read or a simulator started.
pub(super) async fn stage(given: &Invocation<'_>, inputs: &[String]) -> Result<Stage, Trouble> {
    staged(given, given.open()?, inputs).await
}

/// The same for a project that was read already.
pub(super) async fn staged(given: &Invocation<'_>, project: Project, inputs: &[String]) -> Result<Stage, Trouble> {
    let (asked, inputs): (Vec<&String>, Vec<&String>) =
        inputs.iter().partition(|input| project.websites.contains_key(&SystemName::from(input.as_str())));
    let asked = asked.into_iter().map(|name| SystemName::from(name.as_str())).collect();
    let files = files(given, &project, &given.kinds, &inputs)?;
    let lab = if given.global.lab { Some(lab::stand(given, &project.config).await?) } else { None };
    let fleet = fleet(&project.config, &given.kinds, lab.as_ref().map(lab::Stand::systems))?;
    let mut stage = Stage { project, fleet, files, asked, lab, place: None };
    stage.place = stage.state().and_then(|path| place_of(&path));
    Ok(stage)
}

/// Who is asked for a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// Everybody, whatever may be believed.
    Everybody,
    /// Nobody where that may be; the plan is only shown.
    ToShow,
    /// The same of one that is carried out.
    ToApply,
}

impl Stage {
    /// Tells what is wrong with the rules for certain, though a plan was made by them.
    pub(super) fn tell_faults(&self, given: &Invocation<'_>) {
        let wrong = if given.talks() { self.project.rules.faults() } else { Vec::new() };
        if let Some(Finding { message, place, .. }) = wrong.first() {
            let place = place.as_ref().map(|place| format!("{}: ", place.origin)).unwrap_or_default();
            tell(&format!("warning: `{} check` finds fault with these rules: {place}{message}", given.again()));
        }
    }

    /// The store, opened for writing. A lab has its own, so that nothing simulated is remembered of the real world.
    pub(super) fn store(&self) -> Result<Sqlite, Trouble> {
        // A plan that was made of one store is not to be begun in another.
        let store = match self.state() {
            Some(path) => Sqlite::open_again(&path, self.place),
            None => Sqlite::in_memory(),
        };
        Ok(store?)
    }

    /// The file of the store; `None` for one that ends with the command.
    pub(super) fn state(&self) -> Option<PathBuf> {
        match &self.lab {
            Some(lab) => lab.state().map(Path::to_owned),
            None => Some(self.project.config.state.clone()),
        }
    }

    /// What earlier runs remembered; reads only, and makes no file where there is none.
    pub(super) fn memory(&self) -> Result<Memory, Trouble> {
        Ok(remembered(self.state())?)
    }

    /// What runs did that limits count; reads only, and makes no file where there is none.
    pub(super) fn past(&self) -> Result<Past, Trouble> {
        let Some(path) = self.state().filter(|path| path.exists()) else { return Ok(Past::default()) };
        let store = Sqlite::look_into(&path)?;
        Ok(past(&store, &self.project.terms, jiff::Timestamp::now())?)
    }

    /// What one passage is made of: files, and what websites tell now.
    pub(super) async fn inputs(&self, memory: &Memory) -> Result<Vec<Given>, Trouble> {
        let mut inputs: Vec<Given> = self.files.iter().cloned().map(Given::File).collect();
        for system in &self.asked {
            let heard = ask(system, &self.project, &self.fleet, memory).await.map_err(RunError::from)?;
            inputs.push(Given::Heard(heard));
        }
        Ok(inputs)
    }

    /// Makes the plan for the inputs, and saves it where it is to be saved.
    pub(super) async fn prepare(
        &mut self,
        given: &Invocation<'_>,
        ask: Ask,
        out: Option<&Path>,
    ) -> Result<Prepared, Trouble> {
        let drafted = self.draft(given, ask).await?;
        let plan = match out {
            Some(path) => save(path, drafted.plan)?,
            None => seal(drafted.plan),
        };
        Ok(Prepared { plan, ..drafted })
    }

    async fn draft(&mut self, given: &Invocation<'_>, ask: Ask) -> Result<Prepared, Trouble> {
        let today = given.today().to_string();
        let mut belief = Belief::new(&self.project, &self.fleet, &today, jiff::Timestamp::now());
        belief.looks = ask == Ask::Everybody;
        if let Some(prepared) = self.unchanged(&belief, ask)? {
            return Ok(prepared);
        }
        let (memory, heard) = self.hear()?;
        let desk = self.project.desk(&memory, today, Some(belief));
        let heard = match heard {
            Some(heard) => heard,
            None => desk.hear(&self.inputs(&memory).await?).map_err(Trouble::from)?,
        };
        let drafted = draft(&desk, heard, &mut self.fleet).await?;
        let (systems, requests) = self.fleet.asked();
        // No part of the plan: the same accounts may take more requests another time.
        if requests > 0 && !given.global.quiet {
            let (systems, requests) = (render::count(systems, "system"), render::count(requests, "request"));
            tell(&format!("read {systems} in {requests}"));
        }
        Ok(drafted)
    }

    /// What earlier runs remembered, and what files say, which is read meanwhile. `None` where a website is asked as well: what
    /// is asked there depends on what is remembered.
    fn hear(&self) -> Result<(Memory, Option<Vec<Hearing>>), Trouble> {
        if !self.asked.is_empty() {
            return Ok((self.memory()?, None));
        }
        let Project { sources, rules, .. } = &self.project;
        let given: Vec<Given> = self.files.iter().cloned().map(Given::File).collect();
        std::thread::scope(|scope| {
            let state = self.state();
            let memory = scope.spawn(|| remembered(state));
            // Engines stay on this thread.
            let heard = hear(&given, sources, rules);
            let memory = memory.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            Ok((memory, Some(heard?)))
        })
    }

    /// The plan for inputs that are what they were, where that is known without looking at anybody.
    fn unchanged(&self, belief: &Belief, ask: Ask) -> Result<Option<Prepared>, Trouble> {
        let Some(state) = self.state().filter(|path| self.asked.is_empty() && path.exists()) else { return Ok(None) };
        let store = Sqlite::look_into(&state)?;
        let found = unchanged(&self.files, &self.project, belief, &store, &self.fleet)?;
        // What carries out remembers in which order the rows stand, to see the next time that a list ends early.
        let found = found.filter(|(_, same)| ask == Ask::ToShow || same.iter().all(|same| !same.reordered));
        Ok(found.map(|(plan, same)| Prepared { same, ..Prepared::of(plan) }))
    }

    /// Tells how long a plan will take, where that is long.
    pub(super) fn tell_duration(&self, plan: &Plan) {
        if let Some(line) = estimate(plan, &self.fleet).and_then(|estimate| duration::estimate(&estimate)) {
            print(&line);
        }
    }
}

/// What is remembered in this file of a store.
fn remembered(state: Option<PathBuf>) -> Result<Memory, RunError> {
    match state.filter(|path| path.exists()) {
        Some(path) => Ok(Sqlite::look_into(&path).and_then(|store| store.memory())?),
        None => Ok(Memory::default()),
    }
}

pub(super) fn files(
    given: &Invocation<'_>,
    project: &Project,
    kinds: &[Kind],
    inputs: &[&String],
) -> Result<Vec<Named>, Trouble> {
    let mut files = Vec::new();
    for input in inputs {
        let Some(file) = named(&given.root, input) else {
            if let Some(source) = input.strip_suffix('=').filter(|source| !source.is_empty()) {
                let hint = Some(format!("as in {source}=people.csv"));
                return Err(Trouble::new(Exit::Usage, format!("`{input}` names no file"), hint));
            }
            let message = format!("`{input}` does not say whose records it holds");
            let known: Vec<String> = project.sources.keys().map(|source| format!("{source}={input}")).collect();
            let is_source = |name: &str| project.sources.contains_key(&SystemName::from(name));
            let hint = if known.is_empty() {
                "write SYSTEM=FILE; this project has no source yet, such as one with kind = \"csv\"".to_owned()
            } else if project.config.systems.contains_key(&SystemName::from(input.as_str())) && !is_source(input) {
                let sources = project.sources.keys().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                format!("{input} is a provider, and has no records; sources are {sources}")
            } else if is_source(input) {
                format!("name its file as well, with no blank between: {input}=people.csv")
            } else if let Some((source, file)) = input.split_once(':').filter(|(source, _)| is_source(source)) {
                format!("write {source}={file}")
            } else {
                format!("write SYSTEM=FILE: {}", known.join(" or "))
            };
            return Err(Trouble::new(Exit::Usage, message, Some(hint)));
        };
        let Some(system) = project.config.systems.get(&file.system) else {
            let known = project.config.systems.keys().map(ToString::to_string).collect();
            return Err(RunError::UnknownSystem { name: file.system.to_string(), known }.into());
        };
        if Fleet::kind_named(&system.kind, kinds).is_some() {
            return Err(RunError::NoSource { system: file.system, kind: system.kind.clone() }.into());
        }
        if files.iter().any(|other: &Named| other.path == file.path && other.system == file.system) {
            let hint = Some("name each file once".to_owned());
            return Err(Trouble::new(Exit::Usage, format!("`{input}` is given twice"), hint));
        }
        let lists_everybody = project.lists_everybody(&file.system);
        if lists_everybody && files.iter().any(|other: &Named| other.system == file.system) {
            let hint = "each would say that the people of the other have gone: give the newest alone".to_owned();
            let message = format!("two lists of {} are given, and each holds everybody", file.system);
            return Err(Trouble::new(Exit::Usage, message, Some(hint)));
        }
        files.push(file);
    }
    Ok(files)
}

/// Makes the plan and shows it.
pub(super) async fn plan(given: &Invocation<'_>, wanted: &arguments::Plan) -> Result<Exit, Trouble> {
    let out = wanted.out.as_ref().map(|file| given.root.join(file));
    if let Some(path) = &out {
        place_for(path)?;
    }
    let mut stage = stage(given, &wanted.inputs).await?;
    let ask = if wanted.recheck { Ask::Everybody } else { Ask::ToShow };
    let prepared = stage.prepare(given, ask, out.as_deref()).await?;
    stage.tell_faults(given);
    notes(given, &prepared);
    // What asks for nothing adds to nothing that runs did before, and counting that takes longer than all the rest.
    let past = if prepared.same.is_empty() { stage.past() } else { Ok(Past::default()) };
    let judged = past.and_then(|past| Ok(judge(&prepared.plan, &stage.project.rules, &stage.project.limits, &past)?));
    if given.json() {
        print(&document::text(&prepared.plan));
    } else {
        let shown = render::plan(as_held(&prepared.plan, &judged), wanted.all, width(&std::io::stdout()));
        print(&given.reaching(shown.trim_end()));
        stage.tell_duration(&prepared.plan);
        if let Some(file) = wanted.out.as_ref().filter(|_| given.talks()) {
            let homeward = given.again();
            tell(&format!("saved; apply exactly this with: {homeward} apply {}", file.display()));
        }
    }
    // The plan is the result, and printed already: what stops it is told beside it.
    match judged? {
        Judged::Free(_) => {}
        Judged::Held(tripped) => return Ok(stopped(given, &prepared.plan, &tripped, None)),
        Judged::Parted(parted) => {
            let Parted { rest, aside, tripped } = *parted;
            return Ok(stopped(given, &prepared.plan, &tripped, Some((rest.plan(), &aside))));
        }
    }
    let pending = !prepared.plan.calls.is_empty() && wanted.detailed_exitcode;
    // The process ends here, and the plan with it: of a million people it need not be let go of piece by piece.
    std::mem::forget(prepared);
    Ok(if pending { Exit::Pending } else { Exit::Done })
}

/// Tells beside a plan which limits trip, and what of it they hold: all, but for what the first of its parts would do.
fn stopped(given: &Invocation<'_>, plan: &Plan, tripped: &[Tripped], parts: Option<(&Plan, &Plan)>) -> Exit {
    let trouble = Trouble::tripped(tripped);
    if given.json() {
        let goes: BTreeSet<&CallId> = parts.iter().flat_map(|(rest, _)| &rest.calls).map(|call| &call.id).collect();
        let held: Vec<&CallId> = plan.calls.iter().map(|call| &call.id).filter(|id| !goes.contains(id)).collect();
        let mut document = trouble.as_json();
        document["tripped"] = by_name(tripped);
        document["held"] = json!(held);
        tell(&document.to_string());
    } else {
        trouble.tell();
        if let Some((rest, aside)) = parts {
            tell(&apart(rest, aside));
        }
    }
    trouble.exit
}

/// A plan as it would be carried out now: what a limit sets aside is held.
pub(super) fn as_held<'p, E>(plan: &'p Plan, judged: &'p Result<Judged, E>) -> &'p Plan {
    match judged {
        Ok(Judged::Parted(parted)) => parted.rest.plan(),
        _ => plan,
    }
}

/// What a limit that trips at some systems leaves of a plan.
pub(super) fn apart(rest: &Plan, aside: &Plan) -> String {
    let systems: BTreeSet<&SystemName> = aside.calls.iter().map(|call| &call.system).collect();
    let systems = systems.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let (held, free) = (aside.calls.len() as u64, rest.calls.len() as u64);
    format!(
        "what concerns {systems} is held ({}), the rest is not ({})",
        render::count(held, "call"),
        render::count(free, "call")
    )
}

/// What was decided while reading, and what an operator should know of the servers.
pub(super) fn notes(given: &Invocation<'_>, prepared: &Prepared) {
    if given.talks() && given.global.verbose > 0 {
        for note in &prepared.notes {
            tell(&format!("note: {}", render::harmless(note)));
        }
    }
    if given.talks() {
        for (source, people) in &prepared.firsts {
            let people = render::count(*people, "person");
            tell(&format!("note: {source} shows {people} for the first time: a baseline, no attribute is asked for"));
        }
    }
    if given.talks() {
        for input in &prepared.plan.inputs {
            let Some(run) = input.same_as else { continue };
            let since = prepared.same.iter().find(|same| same.file == input.file).map(|same| same.since.as_str());
            let believed = input.list.as_ref().and_then(|list| list.believed.as_ref()?.since.as_deref());
            let since = since.or(believed).unwrap_or_default();
            let since = render::second(since);
            tell(&format!(
                "note: {} says what it said when run {run} took it over, and nothing was left open: nobody is asked. All were \
                 looked at on {since}; --recheck looks again",
                render::harmless(&input.file)
            ));
        }
    }
    if let Some((people, since)) = prepared.believed.as_ref().filter(|_| given.talks()) {
        let (people, since) = (render::count(*people, "person"), render::second(since));
        tell(&format!(
            "note: nobody looks at {people} of whom nothing new is said and nothing was left open. All were looked at on \
             {since}; --recheck looks again"
        ));
    }
    // A first run adopts what is there; later each newcomer ties something, which is no news.
    if given.talks() && prepared.plan.inputs.iter().any(|input| input.list.as_ref().is_some_and(|it| it.before == 0)) {
        for tie in &prepared.ties {
            tell(&format!("note: {}", render::harmless(tie)));
        }
    }
    outlook::notes(given, &prepared.expected);
    warn(given, &prepared.plan);
}

/// Tells what somebody should know before a plan is carried out.
pub(super) fn warn(given: &Invocation<'_>, plan: &Plan) {
    for warning in plan.warnings.iter().filter(|_| !given.global.quiet) {
        tell(&given.reaching(&format!("warning: {}", render::harmless(warning))));
    }
}

/// Gives a plan its id and saves it.
pub(super) fn save(path: &Path, plan: Plan) -> Result<Plan, Trouble> {
    let write = || -> io::Result<Plan> {
        // A link stays one, also where what it leads to is still to be made.
        let target = || Some(path.parent()?.join(path.read_link().ok()?));
        let path = path.canonicalize().ok().or_else(target).unwrap_or_else(|| path.to_owned());
        if path.metadata().is_ok_and(|known| !known.is_file()) {
            // In a pipe nothing can be put into its place afterwards.
            let plan = seal(plan);
            let mut pipe = BufWriter::new(OpenOptions::new().write(true).open(&path)?);
            document::write(&plan, &mut pipe)?;
            pipe.flush()?;
            return Ok(plan);
        }
        // A plan holds values of people: nobody but its owner reads the file. And however this ends, there is a whole one, or
        // what was there before.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = tempfile::Builder::new().prefix(".plan-").suffix(".part").tempfile_in(folder)?;
        let plan = seal_into(plan, file.as_file())?;
        file.persist(&path).map_err(|error| error.error)?;
        Ok(plan)
    };
    write().map_err(|error| no_place(path, &error))
}

/// Refuses a place where no file can be, or another one is, before anybody is asked for what shall stand there.
pub(super) fn place_for(path: &Path) -> Result<(), Trouble> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = std::fs::metadata(folder).map_err(|error| no_place(path, &error))?;
    let is_folder = path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/");
    match (folder.is_dir(), is_folder) {
        (true, false) => is_plan(path),
        (true, true) => Err(no_place(path, &std::io::ErrorKind::IsADirectory.into())),
        (false, _) => Err(no_place(path, &std::io::ErrorKind::NotADirectory.into())),
    }
}

/// Refuses to write over anything that is there and is no plan: a list, rules, what is remembered.
fn is_plan(path: &Path) -> Result<(), Trouble> {
    let start = |path: &Path| -> io::Result<Vec<u8>> {
        let mut start = Vec::new();
        File::open(path)?.take(document::START.len() as u64).read_to_end(&mut start)?;
        Ok(start)
    };
    // What cannot be read is told of where it is written.
    let Ok(start) = (if path.is_file() { start(path) } else { Ok(Vec::new()) }) else { return Ok(()) };
    if start.is_empty() || start == document::START.as_bytes() {
        return Ok(());
    }
    let message = format!("--out would write over {}, which is no plan", render::harmless(&path.display().to_string()));
    Err(Trouble::new(
        Exit::Usage,
        message,
        Some("choose another place with --out, or remove the file first".to_owned()),
    ))
}

fn no_place(path: &Path, error: &std::io::Error) -> Trouble {
    let message = format!("{} cannot be written: {error}", path.display());
    Trouble::new(Exit::Usage, message, Some("choose another place with --out".to_owned()))
}
