//! Many keys, each of its system, to be found again.
//!
//! Whether a key names a person, a record or an account is for whoever asks.

use super::{
    finder::{Finder, digest},
    id::SystemName,
};

/// Keys in the order they came.
#[derive(Default)]
pub(crate) struct Keys<'a> {
    all: Vec<(&'a SystemName, &'a str)>,
    finder: Finder,
}

impl<'a> Keys<'a> {
    /// Where this one stands, from 0; the last of equal ones.
    #[must_use]
    pub(crate) fn place(&self, system: &SystemName, key: &str) -> Option<usize> {
        self.finder.of(digest((system.as_str(), key))).filter(|at| self.all[*at] == (system, key)).last()
    }

    /// True where this one is among them.
    #[must_use]
    pub(crate) fn has(&self, system: &SystemName, key: &str) -> bool {
        self.place(system, key).is_some()
    }

    /// These and more.
    #[must_use]
    pub(crate) fn and(mut self, more: Vec<(&'a SystemName, &'a str)>) -> Self {
        if more.is_empty() {
            return self;
        }
        self.all.extend(more);
        self.all.into_iter().collect()
    }
}

impl<'a> FromIterator<(&'a SystemName, &'a str)> for Keys<'a> {
    fn from_iter<I: IntoIterator<Item = (&'a SystemName, &'a str)>>(keys: I) -> Self {
        let all: Vec<(&SystemName, &str)> = keys.into_iter().collect();
        let digests = all.iter().map(|(system, key)| digest((system.as_str(), *key)));
        let finder = Finder::new(all.len(), digests.zip(0..));
        Self { all, finder }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_with_its_system_and_the_last_of_equal_ones() {
        let (hr, crm) = (SystemName::from("hr"), SystemName::from("crm"));
        let keys: Keys<'_> = [(&hr, "1"), (&crm, "1"), (&hr, "2"), (&hr, "1")].into_iter().collect();
        assert_eq!([keys.place(&hr, "1"), keys.place(&crm, "1"), keys.place(&crm, "2")], [Some(3), Some(1), None]);
        let more = keys.and(vec![(&crm, "2")]);
        assert_eq!([more.has(&crm, "2"), more.has(&hr, "2"), more.has(&hr, "3")], [true, true, false]);
        assert!(!Keys::default().has(&hr, "1"));
    }
}
