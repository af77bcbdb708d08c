//! `homeward watch` and `homeward status`: the service, and how it fares.

use std::{collections::BTreeMap, fmt::Write};

use serde_json::json;

use super::{
    Exit, Invocation, arguments, diagnostic::Trouble, document, lab, outlook, print, print_document, render, runs,
    sign_in, width,
};
use crate::{
    model::id::SystemName,
    run::{
        self, resume,
        watch::{Fares, Met, Orders, WatchError},
    },
    state::{Accepted, RunSummary, Standing, StateError, Store, Word, lock, sqlite::Sqlite},
};

impl From<WatchError> for Trouble {
    fn from(error: WatchError) -> Self {
        match error {
            WatchError::Open(error) => error.into(),
            WatchError::NothingToWatch => Self::new(
                Exit::Usage,
                "there is nothing to watch",
                Some("give a source a folder, such as `folder = \"drop/hr\"`, or configure a website".to_owned()),
            ),
            WatchError::Listen { address, cause } => Self::new(
                Exit::Usage,
                not_listening(&address, &cause),
                Some("choose another port, or end what listens there".to_owned()),
            ),
            WatchError::Faulty { errors, first } => Self::new(
                Exit::Usage,
                format!("the rules have {}: {first}", render::count(errors as u64, "error")),
                Some("see all of it with: homeward check".to_owned()),
            ),
            WatchError::Secret { system, cause } => Self::new(
                Exit::Usage,
                format!("the secret of the webhook of {system} cannot be used: {cause}"),
                Some("a secret for standard signatures is `whsec_` and Base64 of 32 random bytes".to_owned()),
            ),
            WatchError::Ended { feed } => {
                Self::new(Exit::Fault, format!("the feed {feed} ended by a fault of ours"), None)
            }
            WatchError::System(cause) => Self::new(Exit::Fault, format!("the service cannot run: {cause}"), None),
        }
    }
}

fn not_listening(address: &str, cause: &str) -> String {
    format!("{address} cannot be listened at: {cause}")
}

/// Serves until it is told to stop.
pub(super) async fn watch(given: &Invocation<'_>, wanted: &arguments::Watch) -> Result<Exit, Trouble> {
    let config = given.settings()?;
    let stand = if given.global.lab { Some(lab::stand(given, &config).await?) } else { None };
    let state = match &stand {
        Some(stand) => stand.state().map(std::path::Path::to_owned),
        None => Some(config.state.clone()),
    };
    let Some(state) = state else {
        let message = "no lab of this project runs, so what is done with a file would be forgotten at once".to_owned();
        let hint = format!("start one that stays: `{} lab --detach`", given.again().trim_end_matches(" --lab"));
        return Err(Trouble::new(Exit::Usage, message, Some(hint)));
    };
    let orders = Orders {
        config: given.config(),
        kinds: given.kinds.clone(),
        lab: stand.as_ref().map(|stand| stand.systems().clone()),
        state,
        apply: wanted.apply,
        events: !wanted.no_events,
        once: wanted.once,
        today: given.global.today,
        pace: wanted.pace,
    };
    let once = orders.once;
    let is_running = lock::is_watched(&orders.state);
    let again = given.again();
    let worst = crate::run::watch::watch(orders).await.map_err(|error| match error {
        WatchError::Listen { address, cause } if is_running => {
            let hint = format!(
                "a service of this project is running already, and `{again} status` shows how it fares; else choose another port"
            );
            Trouble::new(Exit::Usage, not_listening(&address, &cause), Some(hint))
        }
        error => error.into(),
    })?;
    Ok(match worst.filter(|_| once) {
        None => Exit::Done,
        Some(Met::Held) => Exit::Refused,
        Some(Met::Trouble) => Exit::Unread,
        Some(Met::Failed) => Exit::Failed,
        Some(Met::Doubt) => Exit::Doubt,
    })
}

/// Shows how the feeds fare and what waits for somebody.
pub(super) fn status(given: &Invocation<'_>) -> Result<Exit, Trouble> {
    let config = given.settings()?;
    let path = lab::state(given, &config);
    if !path.exists() {
        if given.json() {
            print_document(&document(
                "status",
                json!({
                    "watching": false, "well": true, "feeds": {}, "accepted": {}, "waiting": [], "unfinished": [],
                    "expectations": [],
                }),
            ));
        } else {
            print("Nothing was watched yet.");
        }
        runs::in_the_lab(given, &config.root);
        return Ok(Exit::Done);
    }
    let store = Sqlite::open(&path)?;
    let feeds: BTreeMap<String, Fares> = store
        .feeds()?
        .into_iter()
        .map(|(name, told)| {
            let unread = |_| {
                let trouble = Some(
                    "what was written down of it was written by another version: it is read when it runs".to_owned(),
                );
                Fares { trouble, ..Fares::default() }
            };
            (name.to_string(), serde_json::from_str(&told).unwrap_or_else(unread))
        })
        .collect();
    let mut accepted = BTreeMap::new();
    for system in config.systems.keys() {
        if let Some(list) = store.accepted(system)? {
            accepted.insert(system.clone(), list);
        }
    }
    let unsettled = store.unsettled()?;
    let is_watched = lock::is_watched(&path);
    let expected = store.expectations()?;
    let unfinished = resume::waiting(&store, &path)?;
    let at = |system: &SystemName| {
        let provider = config.systems.get(system)?.provider.as_ref()?;
        Some(provider.url.as_str().trim_end_matches('/').to_owned())
    };
    let waits = run::sign_in::waiting(&store, &at)?;
    let is_well = feeds.values().all(Fares::is_well);
    let is_settled = unfinished.is_empty() && !unsettled.iter().any(|run| run.standing.is_held());
    let exit = if is_well && is_settled { Exit::Done } else { Exit::Refused };
    if given.json() {
        let waiting = unsettled.iter().map(|run| {
            let mut waiting = serde_json::to_value(run)?;
            waiting["approvals"] = json!({ "given": approvals(&store, run)?, "needed": config.limits.approvals });
            Ok::<_, StateError>(waiting)
        });
        let waiting: Vec<serde_json::Value> = waiting.collect::<Result<_, _>>()?;
        let mut fields = json!({
            "watching": is_watched, "well": is_well, "feeds": feeds,
            "accepted": accepted.iter().map(|(name, list)| (name.to_string(), json!({
                "file": list.file, "at": list.at, "records": list.records, "run": list.run, "sha256": list.sha256,
            }))).collect::<BTreeMap<_, _>>(),
            "waiting": waiting, "unfinished": unfinished, "expectations": outlook::documents(&expected, given.judges_by()),
        });
        if !waits.is_empty() {
            fields["sign_in"] = json!(waits);
        }
        print_document(&document("status", fields));
        return Ok(exit);
    }
    let word = if is_watched { "The service is running." } else { "The service is not running." };
    let mut text = format!("{word}\n");
    if !feeds.is_empty() {
        let mut table = render::aligned(&["feed", "looked", "mode", "last accepted", "people", "stands"]);
        for (name, fares) in &feeds {
            let list = accepted.get(&SystemName::from(name.as_str()));
            let newest = |list: &Accepted| format!("{} ({})", list.file, render::second(&list.at));
            let newest = list.map_or_else(|| "none".to_owned(), newest);
            let waits = unsettled.iter().find(|run| {
                run.standing.is_held()
                    && run.standing != Standing::Aside
                    && run.feed.as_ref().is_some_and(|feed| feed.as_str() == name)
            });
            let waits = waits.map(|run| format!("waits for run {} to be settled", run.id));
            let stands = fares.trouble.as_ref().or(waits.as_ref()).or(fares.refused.as_ref());
            table.add_row([
                name.clone(),
                render::second(&fares.looked),
                fares.mode.clone(),
                render::harmless(&newest),
                list.map_or_else(String::new, |list| list.records.to_string()),
                render::harmless(stands.map_or("well", String::as_str)),
            ]);
        }
        text.push_str(&render::drawn(&table));
        text.push('\n');
    }
    for (name, fares) in &feeds {
        let lines = fares.warnings.iter().chain(&fares.waiting).chain(&fares.ignored);
        for line in lines {
            let _ = writeln!(text, "{name}: {}", render::harmless(line));
        }
    }
    for run in &unsettled {
        text.push_str(&waiting(given, run, (approvals(&store, run)?, config.limits.approvals)));
    }
    for one in &unfinished {
        let again = given.again();
        let doubt = match one.in_doubt.len() as u64 {
            0 => String::new(),
            doubts => format!(", {} of them in doubt", render::thousands(doubts)),
        };
        let left = render::count(one.left, "call");
        let line = format!("run {} ({}) is not finished: {left} left{doubt}; ", one.run, one.input);
        let _ = writeln!(text, "{}go on with `{again} resume {}`", render::harmless(&line), one.run);
    }
    text.push_str(&sign_in::text(&waits, false, width(&std::io::stdout())));
    if !expected.is_empty() {
        let _ = writeln!(text, "To come by itself:\n{}", outlook::table(&expected, given.judges_by()));
    }
    print(text.trim_end());
    Ok(exit)
}

/// How many have approved the plan of a run.
fn approvals(store: &Sqlite, run: &RunSummary) -> Result<usize, StateError> {
    let said = store.said(run.id)?;
    Ok(said.iter().filter(|one| one.word == Word::Approved && one.plan == run.plan).count())
}

fn waiting(given: &Invocation<'_>, run: &RunSummary, (given_so_far, needed): (usize, u32)) -> String {
    let told = run.told.as_deref().unwrap_or_default();
    let how = if run.standing.is_held() {
        let again = given.again();
        let so_far = if needed > 1 { format!(" ({given_so_far} of {needed} approvals)") } else { String::new() };
        format!("{so_far}; settle it with `{again} approve {0}` or `{again} reject {0}`", run.id)
    } else {
        String::new()
    };
    format!("run {} is {}: {}{how}\n", run.id, run.standing.word(), render::harmless(told))
}
