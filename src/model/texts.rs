//! Many texts, each once: what a million people are looked for by.
//!
//! They lie one behind the other in one piece, and not each in a piece of memory of its own. What they stand for, and how a
//! provider compares them, is not known here.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, OnceLock},
};

use super::finder::{Finder, digest};

/// Texts in order, each once. Copies share them.
#[derive(Clone, Default)]
pub struct Texts(Arc<Held>);

#[derive(Default)]
struct Held {
    packed: Packed,
    /// Finds the packed ones, once somebody has asked for one.
    finder: OnceLock<Finder>,
    /// Those that came one by one.
    more: BTreeSet<String>,
}

/// Texts one behind the other, in order, each once.
#[derive(Clone, Default)]
struct Packed {
    text: String,
    /// Where each of them ends.
    ends: Vec<usize>,
}

impl Packed {
    fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.ends.push(self.text.len());
    }

    fn get(&self, at: usize) -> Option<&str> {
        let end = *self.ends.get(at)?;
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.text.get(start..end)
    }

    fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.ends.len()).filter_map(|at| self.get(at))
    }

    /// The same in order and each once, whatever they were before.
    fn in_order(self) -> Self {
        if self.iter().zip(self.iter().skip(1)).all(|(one, next)| one < next) {
            return self;
        }
        let mut texts: Vec<&str> = self.iter().collect();
        texts.sort_unstable();
        texts.dedup();
        let mut all = Self { text: String::with_capacity(self.text.len()), ends: Vec::with_capacity(texts.len()) };
        for text in texts {
            all.push(text);
        }
        all
    }
}

impl Held {
    fn iter(&self) -> impl Iterator<Item = &str> {
        merged(self.packed.iter(), self.more.iter().map(String::as_str))
    }

    fn finder(&self) -> &Finder {
        let numbered = || self.packed.iter().map(digest).zip(0..);
        self.finder.get_or_init(|| Finder::new(self.packed.ends.len(), numbered()))
    }

    fn is_packed(&self, text: &str) -> bool {
        !self.packed.ends.is_empty() && self.finder().of(digest(text)).any(|at| self.packed.get(at) == Some(text))
    }
}

impl Clone for Held {
    fn clone(&self) -> Self {
        Self { packed: self.packed.clone(), finder: OnceLock::new(), more: self.more.clone() }
    }
}

/// Two that are in order, in order, and once what is in both.
fn merged<'t>(
    one: impl Iterator<Item = &'t str>,
    other: impl Iterator<Item = &'t str>,
) -> impl Iterator<Item = &'t str> {
    let (mut one, mut other) = (one.peekable(), other.peekable());
    std::iter::from_fn(move || match (one.peek(), other.peek()) {
        (Some(first), Some(second)) if first == second => {
            other.next();
            one.next()
        }
        (Some(first), Some(second)) if first > second => other.next(),
        (Some(_), _) => one.next(),
        (None, _) => other.next(),
    })
}

impl Texts {
    /// Adds one.
    pub fn insert(&mut self, text: String) {
        if !self.0.is_packed(&text) {
            Arc::make_mut(&mut self.0).more.insert(text);
        }
    }

    /// True where it is among them.
    #[must_use]
    pub fn contains(&self, text: &str) -> bool {
        self.0.more.contains(text) || self.0.is_packed(text)
    }

    /// Brings near what is needed to tell whether each of these is among them, for all of these at once.
    pub(crate) fn read_ahead<'t>(&self, texts: impl Iterator<Item = &'t str>) {
        if !self.0.packed.ends.is_empty() {
            let digests: Vec<u32> = texts.map(digest).collect();
            let found = self.0.finder().first_of_each(&digests);
            let ends = found.into_iter().flatten().filter_map(|at| self.0.packed.ends.get(at));
            std::hint::black_box(ends.filter_map(|end| self.0.packed.text.as_bytes().get(end.wrapping_sub(1))).max());
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.packed.ends.len() + self.0.more.len()
    }

    /// True where there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter()
    }

    /// What becomes of each of them; these themselves where nothing does.
    #[must_use]
    pub(crate) fn each(&self, kept: impl Fn(&str) -> String) -> Self {
        let all: Self = self.iter().map(kept).collect();
        if all == *self { self.clone() } else { all }
    }

    /// True where these are the same piece of memory.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Adds all of these.
    pub(crate) fn add(&mut self, others: &Self) {
        if self.is_empty() {
            *self = others.clone();
        } else if !others.is_empty() {
            let mut packed = Packed::default();
            merged(self.iter(), others.iter()).for_each(|text| packed.push(text));
            self.0 = Arc::new(Held { packed, ..Held::default() });
        }
    }
}

impl<T: AsRef<str>> FromIterator<T> for Texts {
    fn from_iter<I: IntoIterator<Item = T>>(texts: I) -> Self {
        let mut packed = Packed::default();
        texts.into_iter().for_each(|text| packed.push(text.as_ref()));
        Self(Arc::new(Held { packed: packed.in_order(), ..Held::default() }))
    }
}

impl From<BTreeSet<String>> for Texts {
    fn from(texts: BTreeSet<String>) -> Self {
        texts.into_iter().collect()
    }
}

impl PartialEq for Texts {
    fn eq(&self, other: &Self) -> bool {
        self.is(other) || (self.len() == other.len() && self.iter().eq(other.iter()))
    }
}

impl Eq for Texts {}

impl fmt::Debug for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn however_they_came_they_are_there_in_order_and_once(
            first in prop::collection::vec("\\PC{0,2}", 0..20),
            single in prop::collection::vec("\\PC{0,2}", 0..6),
            others in prop::collection::vec("\\PC{0,2}", 0..20),
            strange in "\\PC{0,2}",
        ) {
            let mut texts: Texts = first.iter().collect();
            let before = texts.clone();
            single.iter().cloned().for_each(|text| texts.insert(text));
            let some: BTreeSet<String> = first.iter().chain(&single).cloned().collect();
            prop_assert_eq!(texts.iter().collect::<Vec<_>>(), some.iter().collect::<Vec<_>>());
            prop_assert_eq!(texts.len(), some.len());
            texts.add(&others.iter().collect());
            let all: BTreeSet<String> = some.iter().chain(&others).cloned().collect();
            prop_assert_eq!(texts.iter().collect::<Vec<_>>(), all.iter().collect::<Vec<_>>());
            prop_assert_eq!((texts.len(), texts.is_empty()), (all.len(), all.is_empty()));
            prop_assert!(all.iter().all(|text| texts.contains(text)));
            prop_assert_eq!(texts.contains(&strange), all.contains(&strange));
            prop_assert_eq!(&texts, &Texts::from(all));
            // What was shared is as it was.
            prop_assert_eq!(before, first.iter().collect());
        }
    }
}
