//! `homeward check`: what can be known of configuration and rules without running, and with `--connect` what each system
//! says of us.

use std::{collections::BTreeSet, fmt::Write as _};

use futures::future::join_all;
use owo_colors::OwoColorize;
use serde_json::{Value, json};

use super::{
    Exit, Invocation, annotation,
    arguments::{self, Output},
    diagnostic::{Told, Trouble, did_you_mean},
    document, plan, print, print_document, render, sarif, sign_in, tell, width,
};
use crate::{
    model::{
        id::{PersonId, SystemName},
        plan::SignIn,
    },
    plan::rounds::{self, Verdict},
    rules::{
        Place,
        lint::{
            Finding,
            code::{Code, Severity, codes},
        },
    },
    run::{
        RunError,
        check::{Checked, place_of_bytes},
        fleet::Member,
        own,
        project::OpenError,
        protected,
        tokens::{Keyring, bearers},
    },
    state::{Memory, Store, sqlite::Sqlite},
};

/// Checks, and tells what was found.
pub(super) fn check(given: &Invocation<'_>, wanted: &arguments::Check) -> Result<Exit, Trouble> {
    if let Some(code) = &wanted.explain {
        return explain(given, code);
    }
    let output = wanted.output.unwrap_or(if given.json() { Output::Json } else { Output::Text });
    let checked = match crate::run::check::check(&given.config(), &given.kinds, given.today()) {
        Ok(checked) => checked,
        Err(error) if output == Output::Text => return Err(error.into()),
        Err(error) => not_opened(given, error)?,
    };
    let count = |severity| {
        let open = checked.findings.iter().filter(|finding| finding.silenced.is_none());
        open.filter(|finding| finding.severity() == severity).count() as u64
    };
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    match output {
        Output::Text => {
            text(&checked, errors, warnings);
            if let [first, ..] = checked.unseen.as_slice()
                && given.talks()
                && checked.errors.is_empty()
            {
                let names: Vec<String> = checked.unseen.iter().map(|source| format!("{source}.csv")).collect();
                tell(&format!(
                    "note: no {} is here, nor in samples, so columns that rules read are not looked at; of a list at hand: {} \
                     check {first}=FILE",
                    names.join(" or "),
                    given.again()
                ));
            }
        }
        Output::Json => print(&pretty(&as_json(&checked, errors, warnings))),
        Output::Sarif => print(&pretty(&sarif::document(&checked))),
        Output::Github => {
            let lines = annotation::lines(&checked);
            if !lines.is_empty() {
                print(&lines.join("\n"));
            }
        }
    }
    Ok(if errors > 0 || (wanted.deny_warnings && warnings > 0) { Exit::Usage } else { Exit::Done })
}

fn pretty(document: &Value) -> String {
    serde_json::to_string_pretty(document).unwrap_or_default()
}

/// A configuration or folder that cannot be read, as findings: who reads them by machine wants one form.
fn not_opened(given: &Invocation<'_>, error: OpenError) -> Result<Checked, Trouble> {
    let findings = match error {
        OpenError::Config(errors) => {
            let text = errors.shown();
            let place = |span| place_of_bytes(&errors.file, &text, &span);
            let told = errors.errors.iter().map(|error| Finding {
                hint: error.hint(),
                ..Finding::new("configuration", error.to_string(), error.span().map(place))
            });
            told.collect()
        }
        OpenError::Rules(errors) => errors.iter().map(Finding::from).collect(),
        OpenError::Run(error) => return Err(error.into()),
    };
    let root = given.config().parent().unwrap_or(std::path::Path::new("")).to_owned();
    Ok(Checked {
        findings,
        errors: Vec::new(),
        systems: 0,
        owner_lines: 0,
        root,
        config: String::new(),
        rounds: None,
        unseen: Vec::new(),
    })
}

fn text(checked: &Checked, errors: u64, warnings: u64) {
    let loads = checked.errors.is_empty();
    if let Some(trouble) = Trouble::of_rules(&checked.errors) {
        trouble.tell();
    }
    let unloaded: Vec<Finding> = checked.errors.iter().map(Finding::from).collect();
    let told = checked.findings.iter().filter(|finding| finding.silenced.is_none() && !unloaded.contains(finding));
    for (at, finding) in told.enumerate() {
        let gap = if at == 0 && !loads { "\n" } else { "" };
        tell(&format!("{gap}{}\n", Told::finding(finding).draw()));
    }
    if !loads {
        return;
    }
    let silenced = checked.findings.iter().filter(|finding| finding.silenced.is_some()).count();
    let mut line = format!(
        "{}: {}, {}, ",
        match (errors, warnings) {
            (0, 0) => "Good".green().to_string(),
            (0, _) => "Usable".yellow().to_string(),
            _ => "Faulty".red().to_string(),
        },
        render::count(checked.systems as u64, "system"),
        render::count(checked.owner_lines as u64, "owner line"),
    );
    if errors > 0 {
        let _ = write!(line, "{}, ", render::count(errors, "error"));
    }
    let _ = write!(line, "{}", render::count(warnings, "warning"));
    if silenced > 0 {
        let _ = write!(line, ", {silenced} silenced");
    }
    if let Some(Verdict::Oscillates(trace)) = &checked.rounds {
        let lines = rounds::tell(trace).into_iter().map(|line| format!("  {line}\n"));
        tell(&lines.collect::<String>());
    }
    print(&format!("{line}."));
    // What was silenced goes back and forth all the same, and where nobody owns anything there is nothing to certify.
    let reverts = checked.findings.iter().any(|found| found.code == "would_revert");
    if let (Some(Verdict::Free), 0, false, 1..) = (&checked.rounds, errors, reverts, checked.owner_lines) {
        print("Certified: no attribute can go back and forth.");
    }
}

/// The form that editors and scripts may rely on.
fn as_json(checked: &Checked, errors: u64, warnings: u64) -> Value {
    let findings: Vec<Value> = checked.findings.iter().map(finding).collect();
    let rounds = checked.rounds.as_ref().map(|verdict| {
        let (word, trace) = match verdict {
            Verdict::Free => ("free", None),
            Verdict::Oscillates(trace) => ("oscillates", Some(trace)),
            Verdict::Unsure { .. } => ("unsure", None),
        };
        json!({ "verdict": word, "trace": trace })
    });
    let fields = json!({
        "findings": findings, "errors": errors, "warnings": warnings, "systems": checked.systems,
        "owner_lines": checked.owner_lines, "rounds": rounds,
    });
    document("check", fields)
}

fn finding(finding: &Finding) -> Value {
    let place = finding.place.as_ref();
    let related: Vec<Value> = finding
        .related
        .iter()
        .map(|(place, what)| {
            let origin = &place.origin;
            json!({ "message": what, "file": &*origin.file, "line": origin.line, "column": origin.column, "end": end(place) })
        })
        .collect();
    json!({
        "code": finding.code,
        "severity": finding.severity().to_string(),
        "message": finding.message,
        "file": place.map(|place| &*place.origin.file),
        "line": place.map(|place| place.origin.line),
        "column": place.map(|place| place.origin.column),
        "end": place.map(end),
        "hint": finding.hint,
        "related": related,
        "silenced": finding.silenced,
    })
}

/// The column behind the last character that is marked. A mark never leaves its line.
pub(super) fn end(place: &Place) -> usize {
    place.origin.column + place.span
}

/// `--explain`: what a code means, or all of them.
fn explain(given: &Invocation<'_>, name: &str) -> Result<Exit, Trouble> {
    let shown: Vec<Code> = codes().filter(|code| name.is_empty() || code.name == name).collect();
    if shown.is_empty() {
        let hint = did_you_mean(name, codes().map(|code| code.name))
            .unwrap_or_else(|| "`homeward check --explain` lists all codes".to_owned());
        return Err(Trouble::new(Exit::Usage, format!("there is no code `{name}`"), Some(hint)));
    }
    if given.json() {
        let all: Vec<Value> = shown
            .iter()
            .map(|code| json!({ "code": code.name, "severity": code.severity.to_string(), "meaning": code.meaning }))
            .collect();
        print_document(&document("codes", json!({ "codes": all })));
        return Ok(Exit::Done);
    }
    if name.is_empty() {
        let mut table = render::aligned(&["code", "severity", "meaning"]);
        for code in shown {
            table.add_row([code.name, &code.severity.to_string(), code.meaning]);
        }
        print(&render::drawn(&table));
        return Ok(Exit::Done);
    }
    for Code { name, severity, meaning } in shown {
        let silenced = match severity {
            Severity::Warning => {
                format!(
                    "\n\nWhere it is meant, say so on the line or the one above it:\n  // homeward: allow({name}) the reason"
                )
            }
            Severity::Error => String::new(),
        };
        print(&format!("{name} ({severity})\n\n{meaning}{silenced}"));
    }
    Ok(Exit::Done)
}

/// Asks each system who we are and what we may do.
pub(super) async fn connect(given: &Invocation<'_>) -> Result<Exit, Trouble> {
    let stage = plan::stage(given, &[]).await?;
    let asked = stage
        .fleet
        .members
        .iter()
        // Whose token would be asked with? People's are for their own accounts.
        .filter(|(_, member)| member.keyring.is_none())
        .map(async |(system, member)| (system, member.connector.standing(&member.line.reader()).await));
    let answers = join_all(asked).await;
    let mut troubles: Vec<Trouble> = Vec::new();
    let mut rows = Vec::new();
    for (system, answer) in answers {
        match answer {
            Ok(standing) => rows.push(json!({
                "system": system, "server": standing.server, "we_are": standing.we_are, "missing": standing.missing,
            })),
            Err(source) => {
                rows.push(json!({ "system": system, "error": source.to_string() }));
                troubles.push(RunError::Unread { system: system.clone(), source: Box::new(source) }.into());
            }
        }
    }
    let (mut told, mut waiting) = (Vec::new(), Vec::new());
    for (system, member) in &stage.fleet.members {
        let Some(keyring) = &member.keyring else { continue };
        match tokens_of(&stage, system, member, keyring).await {
            Ok((row, sign_in, unusable)) => {
                rows.push(row);
                waiting.extend((!sign_in.people.is_empty()).then_some(sign_in));
                told.extend(unusable);
            }
            Err(error) => {
                rows.push(json!({ "system": system, "error": error.to_string() }));
                troubles.push(error.into());
            }
        }
    }
    if given.json() {
        print_document(&document("standing", json!({ "systems": rows })));
    } else {
        let mut lacks: Vec<String> = Vec::new();
        let mut table = render::aligned(&["system", "server", "we are", "missing"]);
        for row in &rows {
            let text = |key: &str| render::harmless(row.get(key).and_then(serde_json::Value::as_str).unwrap_or("·"));
            if row.get("error").is_some() {
                continue;
            }
            let missing = row.get("missing").and_then(serde_json::Value::as_array).into_iter().flatten();
            let missing: Vec<&str> = missing.filter_map(serde_json::Value::as_str).collect();
            let number = if missing.is_empty() {
                "nothing".to_owned()
            } else {
                lacks
                    .extend(missing.iter().map(|missing| format!("{}: {}", text("system"), render::harmless(missing))));
                format!("{}, below", missing.len())
            };
            table.add_row([text("system"), text("server"), text("we_are"), number]);
        }
        if table.row_count() > 0 {
            print(&render::drawn(&table));
        }
        for lack in lacks {
            let lines = render::wrapped(&lack, width(&std::io::stdout()).unwrap_or(usize::MAX).saturating_sub(2));
            print(&format!("\n{} {}", "missing at".yellow(), lines.join("\n  ")));
        }
        for line in told.into_iter().chain([sign_in::text(&waiting, false, width(&std::io::stdout()))]) {
            if !line.is_empty() {
                print(&format!("\n{}", line.trim_end()));
            }
        }
    }
    for (system, name) in protected::unknown(&stage.project.limits, &stage.fleet).await {
        tell(&format!("warning: `limits.protected` names {system}:{name}, and no account of {system} is called so"));
    }
    let lacking = rows.iter().any(|row| row.get("missing").is_some_and(|missing| *missing != json!([])));
    let Some(trouble) = Trouble::all(troubles) else { return Ok(if lacking { Exit::Usage } else { Exit::Done }) };
    // What each system said is the result, and printed already: what went wrong is told beside it.
    trouble.tell();
    Ok(trouble.exit)
}

/// Tries the token of everybody of whom one is kept, or who is known, where only whoever is asked knows: a row, who must sign
/// in, and why other tokens cannot be used. That some have ended is no fault of the configuration.
async fn tokens_of(
    stage: &plan::Stage,
    system: &SystemName,
    member: &Member,
    keyring: &Keyring,
) -> Result<(Value, SignIn, Vec<String>), RunError> {
    let kept = keyring.people().map_err(|source| RunError::Unfound { system: system.clone(), source })?;
    let memory = match stage.state().filter(|path| path.exists()) {
        Some(path) => Sqlite::look_into(&path).and_then(|store| store.memory())?,
        None => Memory::default(),
    };
    let known = memory.links.iter().filter(|link| *link.system == *system).map(|link| link.person.clone());
    let people: BTreeSet<PersonId> = kept.clone().unwrap_or_else(|| known.collect());
    let tried = own::try_each(system, member, keyring, &bearers(&people, &memory.links)).await?;
    let (all, good) = (people.len() as u64, tried.good as u64);
    let we_are = match (&kept, all) {
        (None, 0) => "everybody with her own token; whose is asked when somebody is known".to_owned(),
        (_, 0) => "everybody with her own token; none is kept".to_owned(),
        _ => format!("everybody with her own token: {} of {} good", render::thousands(good), render::thousands(all)),
    };
    let mut missing = Vec::new();
    if good == 0 && !tried.sign_in.is_empty() {
        missing.push(format!("nobody's token is good: they must sign in again at {}", keyring.home()));
    }
    if let Some(shut) = &tried.shut {
        missing.push(format!("{} tokens were not tried: {shut}", render::thousands(tried.untried.len() as u64)));
    }
    let unusable: Vec<Value> =
        tried.unusable.iter().map(|(person, reason)| json!({ "person": person, "reason": reason })).collect();
    let row = json!({
        "system": system, "server": null, "we_are": we_are, "missing": missing,
        "tokens": {
            "tried": all - tried.untried.len() as u64, "good": good, "sign_in": tried.sign_in, "unusable": unusable,
            "untried": tried.untried,
        },
    });
    let people = tried.sign_in.into_iter().collect();
    let sign_in = SignIn { system: system.clone(), at: keyring.home().to_owned(), people };
    Ok((row, sign_in, tried.unusable.iter().map(|(_, reason)| render::harmless(reason)).collect()))
}
