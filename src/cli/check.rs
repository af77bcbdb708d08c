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
use crate::run::RunError;

/// Checks, and tells what was found.
pub(super) async fn check(given: &Invocation<'_>, connect: bool) -> Result<Exit, Trouble> {
    if !connect {
        let project = given.open()?;
        let warnings = project.warnings();
        if given.json() {
            let warnings: Vec<_> = warnings
                .iter()
                .map(|warning| json!({ "code": warning.code, "message": warning.message, "rule": warning.origin.as_ref().map(ToString::to_string) }))
                .collect();
            print(&serde_json::to_string_pretty(&json!({ "warnings": warnings })).unwrap_or_default());
            return Ok(Exit::Done);
        }
        for warning in &warnings {
            let text = warning.origin.as_ref().and_then(|origin| project.rules.text(&origin.file));
            let message = format!("{} [{}]", warning.message, warning.code);
            tell(&format!("{}\n", Told::warning(message, warning.origin.as_ref(), text).draw()));
        }
        let policy = project.rules.policy();
        print(&format!(
            "{}: {}, {}, {}.",
            if warnings.is_empty() { "Good".green().to_string() } else { "Usable".yellow().to_string() },
            render::count(project.config.systems.len() as u64, "system"),
            render::count(policy.owners.len() as u64, "owner line"),
            render::count(warnings.len() as u64, "warning"),
        ));
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
