//! Findings as SARIF 2.1.0, the form that code scanners hand to editors and to the pages of pull requests.
//!
//! Only what the standard asks for and what findings have; columns are counted in characters, which the document says.

use std::{fmt::Write as _, path::Path};

use serde_json::{Value, json};

use super::check::end;
use crate::{
    rules::{
        Place,
        lint::{
            Finding,
            code::{Severity, codes},
        },
    },
    run::check::Checked,
};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// The document.
pub(super) fn document(checked: &Checked) -> Value {
    let rules: Vec<Value> = codes()
        .map(|code| {
            json!({
                "id": code.name,
                "shortDescription": { "text": sentence(code.meaning) },
                "fullDescription": { "text": code.meaning },
                "defaultConfiguration": { "level": level(code.severity) },
            })
        })
        .collect();
    let results: Vec<Value> = checked.findings.iter().map(|finding| result(checked, finding)).collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "homeward", "version": env!("CARGO_PKG_VERSION"), "rules": rules } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn result(checked: &Checked, finding: &Finding) -> Value {
    let hint = finding.hint.as_ref().map(|hint| format!("\n{hint}")).unwrap_or_default();
    let mut result = json!({
        "ruleId": finding.code,
        "level": level(finding.severity()),
        "message": { "text": format!("{}{hint}", finding.message) },
    });
    if let Some(at) = codes().position(|code| code.name == finding.code) {
        result["ruleIndex"] = at.into();
    }
    if let Some(place) = &finding.place {
        result["locations"] = json!([location(checked, place)]);
    }
    if let Some((place, what)) = &finding.related {
        let mut location = location(checked, place);
        location["id"] = 1.into();
        location["message"] = json!({ "text": what });
        result["relatedLocations"] = json!([location]);
    }
    if let Some(reason) = &finding.silenced {
        result["suppressions"] = json!([{ "kind": "inSource", "justification": reason }]);
    }
    result
}

fn location(checked: &Checked, place: &Place) -> Value {
    json!({
        "physicalLocation": {
            "artifactLocation": { "uri": uri(&checked.path(place)) },
            "region": {
                "startLine": place.origin.line,
                "startColumn": place.origin.column,
                "endColumn": end(place),
                "snippet": { "text": &*place.origin.text },
            },
        },
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

/// The first sentence of a text.
fn sentence(text: &str) -> &str {
    text.split_inclusive(". ").next().unwrap_or(text).trim_end()
}

/// A path as a relative reference: slashes, and nothing that has a meaning of its own in an address.
fn uri(path: &Path) -> String {
    let mut uri = String::new();
    for part in path.components() {
        if !uri.is_empty() && !uri.ends_with('/') {
            uri.push('/');
        }
        for byte in part.as_os_str().to_string_lossy().bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
                uri.push(char::from(byte));
            } else {
                // Writing to a text cannot fail.
                let _ = write!(uri, "%{byte:02X}");
            }
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_becomes_a_reference_and_a_meaning_its_first_sentence() {
        assert_eq!(uri(Path::new("people/räume/a b.rhai")), "people/r%C3%A4ume/a%20b.rhai");
        assert_eq!(sentence("One. Two."), "One.");
        assert_eq!(sentence("Only 2.1 of them."), "Only 2.1 of them.");
    }
}
