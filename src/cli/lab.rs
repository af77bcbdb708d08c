//! `homeward lab` and `--lab`: the simulators, served until stopped or for one command.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Exit, Invocation,
    arguments::{self, LabAct},
    diagnostic::{Trouble, did_you_mean, without_list},
    document, print, render, tell,
};
use crate::{
    config::Config,
    lab::{self, Address, Lab},
    run::{
        RunError,
        project::{astray, benches},
    },
    wire,
};

/// What `.homeward/lab.json` holds.
#[derive(Debug, Serialize, Deserialize)]
struct Notice {
    pid: u32,
    systems: BTreeMap<String, Address>,
}

/// The simulators one command works with.
pub(super) enum Stand {
    /// A lab that runs by itself; its memory outlasts the command.
    Running { systems: BTreeMap<String, Address>, state: PathBuf },
    /// A lab of this command's own; its memory ends with it.
    Own { lab: Lab },
}

impl Stand {
    /// Where the simulators are.
    pub(super) fn systems(&self) -> &BTreeMap<String, Address> {
        match self {
            Self::Running { systems, .. } => systems,
            Self::Own { lab, .. } => &lab.systems,
        }
    }

    /// The file of the lab's memory, where it has one.
    pub(super) fn state(&self) -> Option<&Path> {
        match self {
            Self::Running { state, .. } => Some(state),
            Self::Own { .. } => None,
        }
    }
}

/// Where a lab that stays keeps what runs did in it.
pub(super) fn store(root: &Path) -> PathBuf {
    root.join(".homeward/lab.db")
}

/// Where what runs did is kept: in earnest, or in the lab.
pub(super) fn state(given: &Invocation<'_>, config: &Config) -> PathBuf {
    if given.global.lab { store(&config.root) } else { config.state.clone() }
}

/// A lab that runs, or one started for this command.
pub(super) async fn stand(given: &Invocation<'_>, config: &Config) -> Result<Stand, Trouble> {
    let folder = config.root.join(".homeward");
    if let Some(notice) = notice(&folder.join("lab.json"))
        && answers(&notice.systems).await
    {
        return Ok(Stand::Running { systems: notice.systems, state: store(&config.root) });
    }
    let benches = benches(config, &given.kinds)?;
    tell_astray(given, config);
    let lab = lab::start(&benches, 0, given.simulations).await.map_err(lab_trouble)?;
    Ok(Stand::Own { lab })
}

/// Tells of a seed that nobody reads: what it holds would be missed.
fn tell_astray(given: &Invocation<'_>, config: &Config) {
    if let Some((file, meant)) = astray(config, &given.kinds) {
        tell(&format!("note: {file} is read by no simulator, for no system has that name; did you mean {meant}?"));
    }
}

/// With faults on purpose, nobody is waited for longer than this.
const PATIENCE: Duration = Duration::from_secs(2);

/// Shortens every timeout, so that a simulator that falls silent is not waited for as long as a real server.
pub(super) fn hurry(config: &mut Config) {
    for provider in config.systems.values_mut().filter_map(|system| system.provider.as_mut()) {
        provider.timeout = provider.timeout.min(PATIENCE);
    }
}

/// Lets every simulator fail now and then, at places that follow from the seed.
pub(super) async fn disturb(stand: &Stand, seed: u64) -> Result<(), Trouble> {
    let program = json!({ "seed": seed, "share": "20%", "of": "requests" });
    for (system, address) in stand.systems() {
        wire::ask_lab(&address.url, "POST", "chaos", &program).await.map_err(|cause| undisturbed(system, &cause))?;
    }
    Ok(())
}

/// Ends the faults and tells which there were, and what can be done about what they left.
pub(super) async fn calm(stand: &Stand, seed: u64, is_done: bool) -> Result<String, Trouble> {
    let mut lines = Vec::new();
    for (system, address) in stand.systems() {
        let lift = async {
            wire::ask_lab(&address.url, "DELETE", "chaos", &Value::Null).await?;
            wire::ask_lab(&address.url, "GET", "chaos", &Value::Null).await
        };
        let told = lift.await.map_err(|cause| undisturbed(system, &cause))?;
        for fault in told["injected"].as_array().into_iter().flatten() {
            let word = |key: &str| fault[key].as_str().unwrap_or("?").replace('_', " ");
            let effect = match (fault["write"].is_null(), fault["effect"] == true) {
                (true, _) => "a question",
                (false, true) => "a write that was done",
                (false, false) => "a write that was not done",
            };
            lines.push(format!("  {system} request {}: {}, at {effect}", fault["request"], word("kind")));
        }
    }
    let mut text = format!("chaos {seed} brought {}", render::count(lines.len() as u64, "fault"));
    for line in lines {
        text.push('\n');
        text.push_str(&line);
    }
    if !is_done {
        text.push_str("\nthe faults are lifted now: ");
        text.push_str(match stand {
            Stand::Running { .. } => "finish what they left open with `homeward --lab resume`, and plan again for what was answered with a lie",
            Stand::Own { .. } => {
                "these simulators end with this command, so start some that stay (`homeward lab --detach`) to see how it goes on"
            }
        });
    }
    Ok(text)
}

fn undisturbed(system: &str, cause: &str) -> Trouble {
    Trouble::new(Exit::Fault, format!("the simulator of {system} could not be told about faults: {cause}"), None)
}

/// What to do where what the lab notes cannot be written.
const RIGHTS: &str = "the lab writes down where it is: check the rights of this folder";

fn notice(file: &Path) -> Option<Notice> {
    serde_json::from_str(&fs::read_to_string(file).ok()?).ok()
}

/// Starts the lab as a process of its own and comes back when it is ready.
fn detach(given: &Invocation<'_>, wanted: &arguments::Lab, file: &Path) -> Result<Exit, Trouble> {
    use std::{
        io::{BufRead, BufReader},
        os::unix::process::CommandExt,
        process::{Command, Stdio},
    };
    let failed = |cause: String| Trouble::new(Exit::Fault, format!("the lab did not start: {cause}"), None);
    let program = std::env::current_exe().map_err(|error| failed(format!("this program is not found: {error}")))?;
    // Not our own standard error: who waits for its end would wait for the lab's.
    let log = file.with_file_name("lab.log");
    let unusable = |path: &Path, error: std::io::Error| {
        let message = format!("the lab did not start: {} cannot be written: {error}", path.display());
        Trouble::new(Exit::Usage, message, Some(RIGHTS.to_owned()))
    };
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(|error| unusable(folder, error))?;
    }
    let said = fs::File::create(&log).map_err(|error| unusable(&log, error))?;
    let folder = given.global.directory.iter().flat_map(|folder| [std::ffi::OsStr::new("-C"), folder.as_os_str()]);
    let mut child = Command::new(&program)
        .args(folder)
        .arg("-c")
        .arg(&given.global.config)
        .args(["lab", "--people", &wanted.people.unwrap_or_default().to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(said)
        .process_group(0)
        .spawn()
        .map_err(|error| failed(format!("{}: {error}", program.display())))?;
    let mut lines = child.stdout.take().map(BufReader::new);
    let mut first = String::new();
    if let Some(lines) = &mut lines {
        let _ = lines.read_line(&mut first);
    }
    let Some(notice) = notice(file) else {
        let code = child.wait().ok().and_then(|status| status.code());
        let exit = if code == Some(2) { Exit::Usage } else { Exit::Fault };
        let cause = fs::read_to_string(&log).unwrap_or_default();
        return Err(Trouble::new(exit, format!("the lab did not start:\n{}", cause.trim_end()), None));
    };
    show(given, &notice);
    if given.talks() {
        tell("use it with --lab, and end it with: homeward lab stop");
    }
    Ok(Exit::Done)
}

/// Does something with a lab that runs.
async fn act_on(file: &Path, act: &LabAct, json: bool) -> Result<Exit, Trouble> {
    let none = || {
        Trouble::new(
            Exit::Usage,
            "no lab of this project runs",
            Some("start one with: homeward lab --detach".to_owned()),
        )
    };
    let notice = notice(file).ok_or_else(none)?;
    if !answers(&notice.systems).await {
        return Err(none());
    }
    let address = |system: &str| {
        let known = notice.systems.keys().cloned().collect::<Vec<_>>().join(", ");
        let near = did_you_mean(system, notice.systems.keys().map(String::as_str));
        let hint = Some(near.unwrap_or_else(|| format!("it has: {known}")));
        let missing = move || Trouble::new(Exit::Usage, format!("the lab has no system `{system}`"), hint);
        notice.systems.get(system).ok_or_else(missing)
    };
    let parsed = |text: &str| -> Result<Value, Trouble> {
        serde_json::from_str(text).map_err(|error| {
            let hint = "put it in single quotes, such as '{\"version\":\"3.2.1\"}'".to_owned();
            Trouble::new(Exit::Usage, format!("`{text}` is no JSON: {error}"), Some(hint))
        })
    };
    let (address, method, path, body) = match act {
        LabAct::Login { system, user } => (address(system)?, "POST", format!("login/{user}"), Value::Null),
        LabAct::Set { system, settings } => (address(system)?, "POST", "settings".to_owned(), parsed(settings)?),
        LabAct::Meddle { system, user, fields } => {
            (address(system)?, "POST", format!("meddle/{user}"), parsed(fields)?)
        }
        LabAct::Show { system } => (address(system)?, "GET", "state".to_owned(), Value::Null),
        LabAct::Stop => (notice.systems.values().next().ok_or_else(none)?, "POST", "stop".to_owned(), Value::Null),
    };
    match wire::ask_lab(&address.url, method, &path, &body).await {
        Ok(answer) => {
            print(&told(act, &answer, json));
            Ok(Exit::Done)
        }
        Err(cause) => {
            let (message, near) = without_list(&cause);
            let hint = near.or_else(|| match act {
                LabAct::Login { system, .. } | LabAct::Set { system, .. } | LabAct::Meddle { system, .. } => {
                    Some(format!("what it holds is shown by: homeward lab show {system}"))
                }
                LabAct::Show { .. } | LabAct::Stop => None,
            });
            Err(Trouble::new(Exit::Usage, message, hint))
        }
    }
}

/// What an act came to: a line for a person, the whole answer for a machine.
fn told(act: &LabAct, answer: &Value, json: bool) -> String {
    let whole = || serde_json::to_string_pretty(answer).unwrap_or_default();
    match act {
        _ if json => whole(),
        LabAct::Show { .. } => whole(),
        LabAct::Stop => "The lab is stopped.".to_owned(),
        LabAct::Set { system, .. } => format!("{system} has these settings now."),
        LabAct::Meddle { system, user, .. } => format!("{user} was changed at {system} behind everybody's back."),
        LabAct::Login { system, user } => {
            let changed = answer["changed"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let changed: Vec<&str> = changed.collect();
            let name = answer["user"]["username"].as_str().or_else(|| answer["username"].as_str()).unwrap_or(user);
            let came = match changed.as_slice() {
                [] => String::new(),
                changed => format!("; this changed {}", changed.join(", ")),
            };
            format!("{} signed in at {system}{came}.", render::harmless(name))
        }
    }
}

/// True where every simulator of the notice still takes connections: a lab that was killed leaves its notice behind.
async fn answers(systems: &BTreeMap<String, Address>) -> bool {
    for address in systems.values() {
        let Some(at) = address.url.strip_prefix("http://") else { return false };
        if tokio::net::TcpStream::connect(at).await.is_err() {
            return false;
        }
    }
    true
}

fn lab_trouble(error: lab::LabError) -> Trouble {
    match error {
        lab::LabError::Seed { system, cause } => {
            // The simulator says of what kind it is; the file says it better.
            let cause = cause.split_once(" seed: ").map_or(cause.as_str(), |(_, cause)| cause).to_owned();
            RunError::Seed { file: format!("lab/{system}.json"), cause }.into()
        }
        lab::LabError::Port(_) => {
            let hint = "simulators listen on 127.0.0.1; check that this is allowed here".to_owned();
            Trouble::new(Exit::Fault, error.to_string(), Some(hint))
        }
    }
}

/// Starts a simulator for each configured provider, writes `.homeward/lab.json`, and waits for the signal to stop.
pub(super) async fn serve(given: &Invocation<'_>, wanted: &arguments::Lab) -> Result<Exit, Trouble> {
    let config = given.settings()?;
    let folder = config.root.join(".homeward");
    if let Some(act) = &wanted.act {
        if wanted.detach || wanted.people.is_some() {
            let hint = "they are for a lab that begins: homeward lab --people 100 --detach".to_owned();
            let message = "--people and --detach say nothing to a lab that runs";
            return Err(Trouble::new(Exit::Usage, message, Some(hint)));
        }
        return act_on(&folder.join("lab.json"), act, given.json()).await;
    }
    if let Some(notice) = notice(&folder.join("lab.json"))
        && answers(&notice.systems).await
    {
        let hint = "use it with --lab, or end it with: homeward lab stop".to_owned();
        return Err(Trouble::new(Exit::Usage, "a lab of this project runs already", Some(hint)));
    }
    if wanted.detach {
        return detach(given, wanted, &folder.join("lab.json"));
    }
    tell_astray(given, &config);
    let lab = lab::start(&benches(&config, &given.kinds)?, wanted.people.unwrap_or_default(), given.simulations)
        .await
        .map_err(lab_trouble)?;
    let file = folder.join("lab.json");
    let unusable = |error: std::io::Error| {
        Trouble::new(Exit::Usage, format!("{} cannot be written: {error}", file.display()), Some(RIGHTS.to_owned()))
    };
    fs::create_dir_all(&folder).map_err(unusable)?;
    // A new lab remembers nothing, so neither may what was remembered of the last one.
    for old in ["lab.db", "lab.db-wal", "lab.db-shm"] {
        let _ = fs::remove_file(folder.join(old));
    }
    let notice = Notice { pid: std::process::id(), systems: lab.systems.clone() };
    // Written aside and moved, so that whoever waits for the file never reads half of it.
    let aside = folder.join("lab.json.writing");
    fs::write(&aside, serde_json::to_string_pretty(&notice).unwrap_or_default()).map_err(unusable)?;
    fs::rename(&aside, &file).map_err(unusable)?;
    show(given, &notice);
    let stopped = tokio::select! {
        signal = stopped() => signal,
        () = lab.stop.notified() => Ok(()),
    };
    let _ = fs::remove_file(&file);
    stopped.map_err(|error| Trouble::new(Exit::Fault, format!("no signal could be awaited: {error}"), None))?;
    Ok(Exit::Done)
}

/// Where the simulators are. For machines in one line: whoever reads it from a lab that goes on knows where it ends.
fn show(given: &Invocation<'_>, notice: &Notice) {
    if given.json() {
        return print(&document("lab", json!(notice)).to_string());
    }
    let mut table = render::aligned(&["system", "kind", "address"]);
    for (system, address) in &notice.systems {
        table.add_row([system, &address.kind, &address.url]);
    }
    print(&render::drawn(&table));
}

async fn stopped() -> std::io::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed,
        _ = terminate.recv() => Ok(()),
    }
}
