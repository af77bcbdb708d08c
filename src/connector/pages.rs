//! What tells that a list which is shown page by page never comes to an end.
//!
//! A server, or a cache before it, that shows the same pages again and again, or ever new ones, must not hold us for ever.
//! How a page is asked for, and which one is the last, is the connector's to know.

use std::collections::BTreeSet;

/// More pages than any list has: ten million accounts, a hundred to each.
pub(crate) const MOST: usize = 100_000;

/// The pages of one list that were read so far.
#[derive(Debug)]
pub(crate) struct Pages<Id> {
    seen: BTreeSet<Id>,
    read: usize,
    /// Pages in a row that showed nobody new.
    idle: usize,
    most_idle: usize,
}

impl<Id> Default for Pages<Id> {
    fn default() -> Self {
        Self::with_idle(0)
    }
}

impl<Id> Pages<Id> {
    /// For a list of which so many pages in a row may show nothing new, because not everything on them is shown to us.
    pub(crate) fn with_idle(most_idle: usize) -> Self {
        Self { seen: BTreeSet::new(), read: 0, idle: 0, most_idle }
    }
}

impl<Id: Ord> Pages<Id> {
    /// Takes note of a page that is not the last, by what is on it.
    ///
    /// # Errors
    /// What the server did, where the list never ends.
    pub(crate) fn turn(&mut self, on_it: impl IntoIterator<Item = Id>) -> Result<(), &'static str> {
        let before = self.seen.len();
        self.seen.extend(on_it);
        self.read += 1;
        self.idle = if self.seen.len() == before { self.idle + 1 } else { 0 };
        if self.idle > self.most_idle {
            return Err("the same page again instead of the next");
        }
        if self.read >= MOST { Err("a list without an end") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_that_show_nothing_new_and_pages_without_end_are_told_apart_from_a_long_list() {
        let mut pages = Pages::default();
        assert_eq!((pages.turn([1, 2]), pages.turn([2, 3])), (Ok(()), Ok(())));
        assert_eq!(pages.turn([1, 3]), Err("the same page again instead of the next"));
        let mut pages = Pages::with_idle(1);
        assert_eq!(
            (pages.turn([1]), pages.turn([]), pages.turn([2]), pages.turn([2])),
            (Ok(()), Ok(()), Ok(()), Ok(()))
        );
        assert!(pages.turn([]).is_err());
        let mut pages = Pages::default();
        let ended = (0..).find_map(|page| pages.turn([page]).err().map(|why| (page, why)));
        assert_eq!(ended, Some((MOST - 1, "a list without an end")));
    }
}
