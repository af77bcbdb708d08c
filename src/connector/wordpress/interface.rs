//! Where a site has its interface, which depends on the form of its addresses (`wordpress.md` 1).
//!
//! With addresses that are words (pretty permalinks) it is under `/wp-json`, behind `/index.php` where the web server does
//! not rewrite. Without, it is a parameter of the query; calls carry none, so there it can be read and not written.

use crate::model::account::{Account, Facts};

/// The users of a site.
pub(super) const USERS: &str = "/wp/v2/users";

/// The fact of a server that says which of these it has.
pub(super) const FACT: &str = "interface";

/// One form of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interface {
    /// `/wp-json/wp/v2/users`.
    Pretty,
    /// `/index.php/wp-json/wp/v2/users`.
    Index,
    /// `/index.php?rest_route=/wp/v2/users`.
    Plain,
}

impl Interface {
    /// The forms, in the order in which they are tried.
    pub(super) const ALL: [Self; 3] = [Self::Pretty, Self::Index, Self::Plain];

    /// The word for it among a server's facts.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Pretty => "pretty",
            Self::Index => "index",
            Self::Plain => "plain",
        }
    }

    /// The form that a server's facts name; the usual one where they name none.
    pub(super) fn of(account: &Account) -> Self {
        let word = account.server_fact(FACT);
        Self::ALL.into_iter().find(|form| Some(form.word()) == word).unwrap_or(Self::Pretty)
    }

    /// The form that a call was made for.
    pub(super) fn of_path(path: &str) -> Self {
        if path.starts_with("/index.php/") { Self::Index } else { Self::Pretty }
    }

    /// Tells it among a server's facts.
    pub(super) fn tell(self, facts: &mut Facts) {
        facts.insert(FACT.to_owned(), self.word().into());
    }

    /// Where a route is, without a query; `None` where it cannot be named without one.
    pub(super) fn path(self, route: &str) -> Option<String> {
        match self {
            Self::Pretty => Some(format!("/wp-json{route}")),
            Self::Index => Some(format!("/index.php/wp-json{route}")),
            Self::Plain => None,
        }
    }

    /// Path and query by which a route is read. The empty route is the root.
    pub(super) fn read<'a>(self, route: &'a str, query: &[(&'a str, &'a str)]) -> (String, Vec<(&'a str, &'a str)>) {
        let query = query.iter().copied();
        if let Some(path) = self.path(route) {
            return (path, query.collect());
        }
        let route = if route.is_empty() { "/" } else { route };
        ("/index.php".to_owned(), [("rest_route", route)].into_iter().chain(query).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn each_form_reads_and_only_two_can_be_written() {
        let read = |form: Interface| form.read(USERS, &[("page", "2")]);
        assert_eq!(read(Interface::Pretty), ("/wp-json/wp/v2/users".to_owned(), vec![("page", "2")]));
        assert_eq!(read(Interface::Index), ("/index.php/wp-json/wp/v2/users".to_owned(), vec![("page", "2")]));
        let plain = ("/index.php".to_owned(), vec![("rest_route", USERS), ("page", "2")]);
        assert_eq!(read(Interface::Plain), plain);
        assert_eq!(Interface::Plain.read("", &[]).1, [("rest_route", "/")]);
        assert_eq!(Interface::Plain.path(USERS), None);
    }

    #[test]
    fn a_form_is_found_again_among_the_facts_and_in_a_path() {
        for form in Interface::ALL {
            let mut facts = Facts::new();
            form.tell(&mut facts);
            assert_eq!(Interface::of(&Account::absent("website".into(), Arc::new(facts))), form);
            if let Some(path) = form.path(USERS) {
                assert_eq!(Interface::of_path(&path), form);
            }
        }
        assert_eq!(Interface::of(&Account::absent("website".into(), Arc::default())), Interface::Pretty);
    }
}
