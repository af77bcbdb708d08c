//! Findings as the workflow commands that make GitHub write them beside the lines of a change.

use super::check::end;
use crate::{
    rules::lint::{Finding, code::Severity},
    run::check::Checked,
};

/// One command for each finding that is not silenced.
pub(super) fn lines(checked: &Checked) -> Vec<String> {
    checked.findings.iter().filter(|finding| finding.silenced.is_none()).map(|finding| line(checked, finding)).collect()
}

fn line(checked: &Checked, finding: &Finding) -> String {
    let command = match finding.severity() {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let mut properties = Vec::new();
    if let Some(place) = &finding.place {
        let origin = &place.origin;
        properties.push(format!("file={}", property(&checked.path(place).display().to_string())));
        properties.push(format!("line={}", origin.line));
        properties.push(format!("col={}", origin.column));
        properties.push(format!("endColumn={}", end(place)));
    }
    properties.push(format!("title={}", property(&format!("homeward {}", finding.code))));
    let hint = finding.hint.as_ref().map(|hint| format!("\n{hint}")).unwrap_or_default();
    format!("::{command} {}::{}", properties.join(","), data(&format!("{}{hint}", finding.message)))
}

/// A message ends at the end of its line.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property ends at a comma or a colon, too.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_message_ends_the_command() {
        assert_eq!(data("50%\nno:where, here"), "50%25%0Ano:where, here");
        assert_eq!(property("a:b,c%\r"), "a%3Ab%2Cc%25%0D");
    }
}
