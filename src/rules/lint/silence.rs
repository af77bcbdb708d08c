//! Comments that silence: `// homeward: allow(code) why`.
//!
//! A comment silences warnings of its codes on its own line; where it stands alone, on the next line that is no comment.
//! It must say why. One that silences nothing is a finding itself, so that none outlives its reason. Errors cannot be
//! silenced.

use std::sync::Arc;

use regex::Regex;

use crate::model::origin::Origin;

use super::{
    super::{fault::Place, words::near},
    Finding,
    code::{Severity, codes},
};

/// Codes of proofs, which are made of rules without an error only.
const PROVEN: [&str; 2] = ["ping_pong", "rounds_unknown"];

/// One comment that silences.
struct Allowance {
    codes: Vec<String>,
    reason: String,
    /// The line whose findings are silenced.
    line: usize,
    place: Place,
    used: Vec<bool>,
}

/// Silences findings by the comments of one file, and adds what is wrong with the comments. `marker` begins a comment in
/// this file: `//` or `#`. A check that was cut short has not come to all there is to silence.
pub(crate) fn silence(file: &Arc<str>, text: &Arc<str>, marker: &str, is_cut_short: bool, findings: &mut Vec<Finding>) {
    // Where anything is wrong, nothing is proven.
    let is_unproven = findings.iter().any(|finding| finding.severity() == Severity::Error);
    let mut allowances = find(file, text, marker);
    let mut wrong = Vec::new();
    for allowance in &mut allowances {
        if allowance.reason.is_empty() {
            let message = "this comment silences without saying why".to_owned();
            let hint = Some(format!("{marker} homeward: allow({}) the reason", allowance.codes.join(", ")));
            wrong.push(Finding { hint, ..Finding::new("no_reason", message, Some(allowance.place.clone())) });
        }
        let Allowance { codes: named, line, reason, used, .. } = allowance;
        for (code, used) in named.iter().zip(used.iter_mut()) {
            for finding in findings.iter_mut() {
                let here = finding.place.as_ref().map(|place| &place.origin);
                let hit = here.is_some_and(|origin| origin.file == *file && origin.line == *line)
                    && finding.code == code
                    && finding.severity() == Severity::Warning;
                if hit {
                    *used = true;
                    if !reason.is_empty() {
                        finding.silenced.get_or_insert_with(|| reason.clone());
                    }
                }
            }
        }
    }
    for allowance in &allowances {
        for (code, _) in allowance.codes.iter().zip(&allowance.used).filter(|(_, used)| !**used) {
            let place = Some(allowance.place.clone());
            let Some(known) = codes().find(|known| known.name == code) else {
                let hint = near(code, codes().map(|code| code.name)).map(|near| format!("did you mean `{near}`?"));
                wrong.push(Finding {
                    hint,
                    ..Finding::new("unknown_code", format!("there is no code `{code}`"), place)
                });
                continue;
            };
            let message = match known.severity {
                Severity::Warning if is_cut_short || is_unproven && PROVEN.contains(&known.name) => continue,
                Severity::Warning => format!("there is no `{code}` here to silence"),
                Severity::Error => format!("`{code}` is an error, which nothing silences"),
            };
            wrong.push(Finding::new("silences_nothing", message, place));
        }
    }
    findings.append(&mut wrong);
}

fn find(file: &Arc<str>, text: &Arc<str>, marker: &str) -> Vec<Allowance> {
    // Most texts silence nothing, and making the patterns takes longer than looking.
    if !text.contains("homeward:") {
        return Vec::new();
    }
    // Texts in quotes are passed over as a whole: what looks like a comment in them is none.
    let escaped = regex::escape(marker);
    let tokens = format!(r#"(?s:/\*.*?\*/)|"(?:[^"\\\n]|\\.)*"|`[^`]*`|(?<comment>{escaped}[^\n]*)"#);
    let form = r"^\W*homeward:\s*allow\(\s*(?<codes>[^)]*)\)(?<reason>.*)$";
    let (Ok(tokens), Ok(form)) = (Regex::new(&tokens), Regex::new(form)) else { return Vec::new() };
    let mut found = Vec::new();
    for comment in tokens.captures_iter(text).filter_map(|token| token.name("comment")) {
        let Some(parts) = form.captures(comment.as_str()) else { continue };
        let before = &text[..comment.start()];
        let line = before.matches('\n').count() + 1;
        let start = before.rsplit('\n').next().unwrap_or_default();
        let alone = start.trim().is_empty();
        let codes: Vec<String> = parts["codes"].split(',').map(|code| code.trim().to_owned()).collect();
        let (column, whole) = (start.chars().count() + 1, text.lines().nth(line - 1).unwrap_or_default());
        let origin = Origin { file: Arc::clone(file), line, column, text: whole.trim().into() };
        let span = comment.as_str().trim_end().chars().count();
        let is_comment = |line: &&str| line.trim_start().starts_with(marker);
        let skipped = text.lines().skip(line).take_while(is_comment).count();
        found.push(Allowance {
            used: vec![false; codes.len()],
            codes,
            reason: parts["reason"].trim().to_owned(),
            line: if alone { line + 1 + skipped } else { line },
            place: Place { origin, text: Arc::clone(text), span },
        });
    }
    found
}
