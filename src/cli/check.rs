//! `homeward check`: what can be known of configuration and rules without running, and with `--connect` what each system
//! says of us.

use futures::future::join_all;
use owo_colors::OwoColorize;
use serde_json::json;

use super::{
    Exit, Invocation,
    diagnostic::{Told, Trouble},
    plan, print, render, tell, width,
};
use crate::{
    plan::rounds::{self, Verdict},
    run::{RunError, certify::certificate, project::Warning},
};

/// Checks, and tells what was found.
pub(super) async fn check(given: &Invocation<'_>, connect: bool) -> Result<Exit, Trouble> {
    if !connect {
        let project = given.open()?;
        crate::run::rehearse::look(&project, given.today())?;
        let mut warnings = project.warnings();
        let verdict = certificate(&project, &given.kinds);
        warnings.extend(restless(&verdict));
        if given.json() {
            let warnings: Vec<_> = warnings
                .iter()
                .map(|warning| json!({ "code": warning.code, "message": warning.message, "rule": warning.origin.as_ref().map(ToString::to_string) }))
                .collect();
            let (word, trace) = match &verdict {
                Verdict::Free => ("free", None),
                Verdict::Oscillates(trace) => ("oscillates", Some(trace)),
                Verdict::Unsure { .. } => ("unsure", None),
            };
            let rounds = json!({ "verdict": word, "trace": trace });
            print(
                &serde_json::to_string_pretty(&json!({ "warnings": warnings, "rounds": rounds })).unwrap_or_default(),
            );
            return Ok(Exit::Done);
        }
        for warning in &warnings {
            let text = warning.origin.as_ref().and_then(|origin| project.rules.text(&origin.file));
            let message = format!("{} [{}]", warning.message, warning.code);
            tell(&format!("{}\n", Told::warning(message, warning.origin.as_ref(), text).draw()));
        }
        if let Verdict::Oscillates(trace) = &verdict {
            let lines = rounds::tell(trace).into_iter().map(|line| format!("  {line}\n"));
            tell(&lines.collect::<String>());
        }
        let policy = project.rules.policy();
        print(&format!(
            "{}: {}, {}, {}.",
            if warnings.is_empty() { "Good".green().to_string() } else { "Usable".yellow().to_string() },
            render::count(project.config.systems.len() as u64, "system"),
            render::count(policy.owners.len() as u64, "owner line"),
            render::count(warnings.len() as u64, "warning"),
        ));
        if matches!(verdict, Verdict::Free) {
            print("Certified: no attribute can go back and forth.");
        }
        return Ok(Exit::Done);
    }
    let stage = plan::stage(given, &[]).await?;
    let asked = stage
        .fleet
        .members
        .iter()
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
    if given.json() {
        print(&serde_json::to_string_pretty(&rows).unwrap_or_default());
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
    }
    let lacking = rows.iter().any(|row| row.get("missing").is_some_and(|missing| *missing != json!([])));
    let Some(trouble) = Trouble::all(troubles) else { return Ok(if lacking { Exit::Usage } else { Exit::Done }) };
    // What each system said is the result, and printed already: what went wrong is told beside it.
    trouble.tell();
    Ok(trouble.exit)
}

/// What there is to warn of where runs may go on writing for ever.
fn restless(verdict: &Verdict) -> Option<Warning> {
    let list = |names: &[crate::model::attribute::AttributeName]| {
        names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
    };
    let (code, message, origin) = match verdict {
        Verdict::Free => return None,
        Verdict::Oscillates(trace) => {
            let write = trace.rounds.iter().skip(trace.repeats).flat_map(|round| &round.writes).next();
            let message = match write {
                Some(write) => format!(
                    "`{}` at {} can go back and forth for ever, though nobody changes anything",
                    write.attribute, write.system
                ),
                None => format!("{} can go back and forth for ever", list(&trace.attributes)),
            };
            ("ping_pong", message, write.and_then(|write| write.because.first().cloned()))
        }
        Verdict::Unsure { tried, attributes } => {
            let names = list(attributes);
            let message = format!(
                "whether {names} can go back and forth is not known: {tried} starts do not, and there are more"
            );
            ("rounds_unknown", message, None)
        }
    };
    Some(Warning { code, message, origin })
}
