//! The levels somebody can have in a group: GitLab's numbers and our words (`gitlab.md` 7).

use serde_json::Value as Json;

use crate::model::{
    account::Account,
    refusal::{Refusal, RefusalKind},
};

/// What somebody can be in a group, weakest first.
pub(super) const LEVELS: &[&str] = &["guest", "planner", "reporter", "developer", "maintainer", "owner"];

/// The highest of them.
pub(super) const OWNER: u64 = 50;

/// GitLab's number of a level that can be given; `None` for any other word.
pub(super) fn number(word: &str) -> Option<u64> {
    Some(match word {
        "guest" => 10,
        "planner" => 15,
        "reporter" => 20,
        "developer" => 30,
        "maintainer" => 40,
        "owner" => OWNER,
        _ => return None,
    })
}

/// Our word for a number. Levels that only some editions and versions know can be met, and are not given here.
pub(super) fn word(number: u64) -> String {
    let known = LEVELS.iter().find(|level| self::number(level) == Some(number));
    match (known, number) {
        (Some(level), _) => (*level).to_owned(),
        (None, 5) => "minimal_access".to_owned(),
        (None, 25) => "security_manager".to_owned(),
        (None, other) => format!("level {other}"),
    }
}

/// The level an answer shows of a member.
pub(super) fn of(member: &Json) -> Option<u64> {
    member.get("access_level")?.as_u64()
}

/// The number of a level, where this GitLab knows it.
///
/// # Errors
/// For a word that is no level, and for one that came with a later version.
pub(super) fn known_to(account: &Account, word: &str) -> Result<u64, Refusal> {
    let no = |reason: String| Err(Refusal::new(RefusalKind::Invalid, reason));
    let Some(number) = number(word) else {
        return no(format!("a level in a GitLab group is one of {}", LEVELS.join(", ")));
    };
    match account.server_fact("version") {
        Some(version) if word == "planner" && is_before(version, (17, 7)) => {
            no(format!("GitLab knows the level `planner` from 17.7 on, and this one is {version}"))
        }
        _ => Ok(number),
    }
}

/// True where the version is certainly older than this one.
fn is_before(version: &str, than: (u32, u32)) -> bool {
    let mut parts = version.split('.').map(|part| part.parse().ok());
    match (parts.next().flatten(), parts.next().flatten()) {
        (Some(major), Some(minor)) => (major, minor) < than,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::account::Facts;

    #[test]
    fn every_level_has_a_number_and_comes_back_from_it_and_they_rise() {
        let numbers: Vec<u64> = LEVELS.iter().map(|level| number(level).unwrap()).collect();
        assert!(numbers.is_sorted());
        assert_eq!(numbers.iter().map(|number| word(*number)).collect::<Vec<_>>(), LEVELS);
        assert_eq!([5, 25, 7].map(word), ["minimal_access", "security_manager", "level 7"]);
        assert_eq!(number("security_manager"), None);
    }

    #[test]
    fn a_level_that_came_later_is_not_known_to_an_older_version() {
        let account = |version: &str| {
            let facts = Facts::from([("version".to_owned(), version.into())]);
            Account::absent("gitlab".into(), Arc::new(facts))
        };
        for (version, known) in [
            ("16.11.0", false),
            ("17.6.9-ee", false),
            ("17.7.0", true),
            ("17.11.1-ee", true),
            ("18.0.0", true),
            ("master", true),
        ] {
            assert_eq!(known_to(&account(version), "planner").is_ok(), known, "{version}");
            assert_eq!(known_to(&account(version), "guest"), Ok(10), "{version}");
            assert_eq!(known_to(&account(version), "chief").unwrap_err().kind, RefusalKind::Invalid);
        }
        assert_eq!(known_to(&Account::absent("gitlab".into(), Arc::default()), "planner"), Ok(15));
    }
}
