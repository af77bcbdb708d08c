//! Whether what rules say depends on the day: what was decided yesterday may then be another thing today.
//!
//! Told from what is written and not from what runs, so a word in a comment counts, and nothing that can ask for the day
//! is missed.

use rhai::{ASTNode, Expr, Stmt};

use super::{
    RuleSet,
    script::{Script, is_unnamed},
};

/// The words that give different answers on different days.
const WORDS: [&str; 2] = ["today", "days_until"];

/// What depends on the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SeesDay {
    /// What records mean, or anything else.
    pub(crate) of_records: bool,
    /// Anything beside what records mean: who owns what, who gets an account, what is done about a change.
    pub(crate) of_people: bool,
}

impl RuleSet {
    /// What of these rules depends on the day.
    pub(crate) fn sees_day(&self) -> SeesDay {
        let in_modules: usize = self.texts.modules.values().map(|module| said(&module.text)).sum();
        let in_scripts: usize = self.scripts.iter().map(|script| said(&script.source.text)).sum();
        let functions = self.declared.sources.values().map(|line| &line.function);
        // One that has a name may be called from elsewhere; one that has none is only where it stands.
        let unnamed = functions.filter(|function| is_unnamed(&function.name));
        let of_sources: usize = unnamed.map(|function| said_in(&self.scripts[function.script], &function.name)).sum();
        let of_records = in_modules + in_scripts > 0;
        SeesDay { of_records, of_people: in_modules > 0 || in_scripts > of_sources }
    }
}

/// How often a text has one of the words.
fn said(text: &str) -> usize {
    let is_name = |letter: char| letter.is_alphanumeric() || letter == '_';
    text.split(|letter| !is_name(letter)).filter(|word| WORDS.contains(word)).count()
}

/// How often a function of a script says one of them, as far as the language shows its body.
fn said_in(script: &Script, function: &str) -> usize {
    // It shows that only where it walks through all of them.
    let mut alone = script.ast().clone_functions_only();
    alone.retain_functions(|_, _, name, _| name == function);
    let mut count = 0;
    alone.walk(&mut |path| {
        let said = match path.last() {
            Some(
                ASTNode::Expr(Expr::FnCall(call, _) | Expr::MethodCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _)),
            ) => WORDS.contains(&call.name.as_str()),
            _ => false,
        };
        count += usize::from(said);
        true
    });
    count
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::rules::{Known, KnownSystem};

    fn sees(script: &str) -> (bool, bool) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("people.rhai"), script).unwrap();
        let source = KnownSystem { is_source: true, ..KnownSystem::default() };
        let known = Known { systems: BTreeMap::from([("hr".into(), source)]), ..Known::default() };
        let rules = RuleSet::load(folder.path(), "rules", &known, jiff::civil::date(2026, 11, 20));
        let SeesDay { of_records, of_people } = rules.unwrap_or_else(|errors| panic!("{errors:?}")).sees_day();
        (of_records, of_people)
    }

    #[test]
    fn a_day_that_only_records_are_read_by_does_not_make_people_depend_on_it() {
        let (nothing, records, people) = ((false, false), (true, false), (true, true));
        for (script, expected) in [
            (r#"source("hr", |row| #{ key: row.id });"#, nothing),
            (r#"source("hr", |row| #{ key: row.todays, username: row.x_today_x });"#, nothing),
            (r#"source("hr", |row| #{ key: row.id, active: row.begins <= today() });"#, records),
            (r#"source("hr", |row| { if row.end.days_until() < 3 { return (); } #{ key: row.id } });"#, records),
            (r#"fn of(row) { #{ key: row.id, active: row.begins <= today() } } source("hr", of);"#, people),
            (r#"fn gone(row) { row.end < today() } source("hr", |row| #{ key: row.id, active: gone(row) });"#, people),
            (r#"source("hr", |row| #{ key: row.id }); owner("email", "hr", |p| today() > "2027-01-01");"#, people),
            ("source(\"hr\", |row| #{ key: row.id }); // as of today", people),
        ] {
            assert_eq!(sees(script), expected, "{script}");
        }
    }
}
