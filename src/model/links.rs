//! Ties between people and what they are known by elsewhere: an account at a provider, a record of another source.
//!
//! A plan that takes a whole organisation over makes several for each person, so ids lie one behind the other in one text
//! and people and systems are kept once for ties that follow each other.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::SeqAccess, de::Visitor};

use super::id::{AccountId, PersonId, SystemName};

/// Ties a record's key or an account's id to a person, for good. Immutable ids only, so that a rename breaks nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Link<'a> {
    /// The person.
    pub(crate) person: &'a PersonId,
    /// The system the id belongs to: a provider, or a source that does not anchor this person.
    pub(crate) system: &'a SystemName,
    /// The account's id at a provider, the record's key at a source.
    pub(crate) account: &'a str,
}

/// The same as it is read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    person: PersonId,
    system: SystemName,
    account: AccountId,
}

/// Most ids of accounts take no more bytes than this.
const BYTES_OF_AN_ID: usize = 16;

/// Many ties, in the order they were added.
#[derive(Clone, Default)]
pub(crate) struct Links {
    people: Vec<PersonId>,
    systems: Vec<SystemName>,
    rows: Vec<Row>,
    accounts: String,
}

#[derive(Clone, Copy)]
struct Row {
    person: u32,
    system: u32,
    /// Where its account ends among the accounts; it begins where the one before it ends.
    end: usize,
}

impl Links {
    /// None yet, with room for so many ties of so many people: what grows step by step leaves holes in memory.
    #[must_use]
    pub(crate) fn with_room(ties: usize, people: usize) -> Self {
        Self {
            people: Vec::with_capacity(people),
            rows: Vec::with_capacity(ties),
            accounts: String::with_capacity(BYTES_OF_AN_ID * ties),
            systems: Vec::new(),
        }
    }

    /// How many there are.
    #[must_use]
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// True where there is none.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Adds one behind the others.
    pub(crate) fn push(&mut self, link: Link<'_>) {
        if self.people.last() != Some(link.person) {
            self.people.push(link.person.clone());
        }
        let system = self.systems.iter().rposition(|known| known == link.system).unwrap_or_else(|| {
            self.systems.push(link.system.clone());
            self.systems.len() - 1
        });
        self.accounts.push_str(link.account);
        // As many as this does not number are in no memory.
        let number = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        self.rows.push(Row { person: number(self.people.len() - 1), system: number(system), end: self.accounts.len() });
    }

    /// The one at this place, from 0.
    #[must_use]
    pub(crate) fn get(&self, at: usize) -> Option<Link<'_>> {
        let Row { person, system, end } = *self.rows.get(at)?;
        let start = at.checked_sub(1).map_or(0, |before| self.rows[before].end);
        let (person, system) = (self.people.get(person as usize)?, self.systems.get(system as usize)?);
        Some(Link { person, system, account: self.accounts.get(start..end)? })
    }

    /// All of them, in order.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = Link<'_>> {
        (0..self.len()).map(|at| match self.get(at) {
            Some(link) => link,
            None => unreachable!("every row was written by `push`"),
        })
    }
}

impl<'a> IntoIterator for &'a Links {
    type Item = Link<'a>;
    type IntoIter = Box<dyn Iterator<Item = Link<'a>> + 'a>;

    fn into_iter(self) -> Self::IntoIter {
        Box::new(self.iter())
    }
}

impl<'a> Extend<Link<'a>> for Links {
    fn extend<I: IntoIterator<Item = Link<'a>>>(&mut self, links: I) {
        links.into_iter().for_each(|link| self.push(link));
    }
}

impl<'a> FromIterator<Link<'a>> for Links {
    fn from_iter<I: IntoIterator<Item = Link<'a>>>(links: I) -> Self {
        let mut all = Self::default();
        all.extend(links);
        all
    }
}

impl PartialEq for Links {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl Eq for Links {}

impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Serialize for Links {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Links {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Many;

        impl<'de> Visitor<'de> for Many {
            type Value = Links;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of ties")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut written: A) -> Result<Links, A::Error> {
                let mut links = Links::default();
                while let Some(Written { person, system, account }) = written.next_element()? {
                    links.push(Link { person: &person, system: &system, account: account.as_str() });
                }
                Ok(links)
            }
        }

        deserializer.deserialize_seq(Many)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_packed_is_what_comes_out_and_what_is_written_is_what_is_read(
            ties in prop::collection::vec(("[ab]", "\\PC{0,3}", "[xyz]", "\\PC{0,6}"), 0..30),
        ) {
            let of = |(source, key, system, account): &(String, String, String, String)| {
                let person = PersonId { system: source.as_str().into(), key: key.as_str().into() };
                (person, SystemName::from(system.as_str()), account.clone())
            };
            let ties: Vec<(PersonId, SystemName, String)> = ties.iter().map(of).collect();
            let wanted: Vec<Link<'_>> =
                ties.iter().map(|(person, system, account)| Link { person, system, account }).collect();
            let links: Links = wanted.iter().copied().collect();
            prop_assert_eq!((links.len(), links.is_empty()), (ties.len(), ties.is_empty()));
            prop_assert_eq!(links.iter().collect::<Vec<_>>(), wanted.clone());
            prop_assert_eq!(links.get(ties.len()), None);
            let written = serde_json::to_string(&links).unwrap();
            prop_assert_eq!(&written, &serde_json::to_string(&wanted).unwrap());
            prop_assert_eq!(serde_json::from_str::<Links>(&written).unwrap(), links);
        }
    }

    #[test]
    fn what_is_no_tie_is_not_read() {
        for wrong in [
            "{}",
            "[1]",
            r#"[{"person":"hr/1","system":"git"}]"#,
            r#"[{"person":"hr/1","system":"git","account":"1","x":1}]"#,
        ] {
            assert!(serde_json::from_str::<Links>(wrong).is_err(), "{wrong}");
        }
    }
}
