//! Finds numbers by a digest of what they stand for.
//!
//! What that is, is not known here: whoever asks compares, because two things may have one digest.

use std::hash::{BuildHasher, Hash};

use foldhash::quality::FixedState;

/// Digests in order, each with its number, and where those begin that begin alike. Two things may have one digest, so
/// whoever asks compares; a million of these take 9 MB, and finding one looks at two places of memory.
#[derive(Default)]
pub(crate) struct Finder {
    /// The digest in the upper half, the number in the lower one.
    all: Vec<u64>,
    /// For each beginning of a digest, how many there are before it; and at last, how many there are.
    starts: Vec<u32>,
    /// How many bits of a digest do not count for its beginning.
    rest: u32,
}

impl Finder {
    /// Of as many as this at most.
    pub(crate) fn new(most: usize, digests: impl Iterator<Item = (u32, usize)>) -> Self {
        let mut all: Vec<u64> = Vec::with_capacity(most);
        all.extend(digests.filter_map(|(digest, at)| {
            let at = u32::try_from(at).ok()?;
            Some(u64::from(digest) << 32 | u64::from(at))
        }));
        all.sort_unstable();
        // Four of one beginning, or a few more.
        let bits = (all.len() / 4).max(1).ilog2();
        let rest = 32 - bits;
        let mut starts = vec![0; (1 << bits) + 1];
        for one in &all {
            starts[beginning(digest_of(*one), rest) + 1] += 1;
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        Self { all, starts, rest }
    }

    /// The numbers that this digest was given, lowest first.
    pub(crate) fn of(&self, digest: u32) -> impl Iterator<Item = usize> {
        let beginning = beginning(digest, self.rest);
        let place = |at: usize| self.starts.get(at).map_or(0, |start| *start as usize);
        let alike = self.all.get(place(beginning)..place(beginning + 1)).unwrap_or_default();
        alike.iter().filter(move |one| digest_of(**one) == digest).copied().map(number_of)
    }

    /// The lowest number of each of these digests, where it has one. Asked for one by one each waits for memory, at several
    /// places; asked for together they wait at the same time.
    pub(crate) fn first_of_each(&self, digests: &[u32]) -> Vec<Option<usize>> {
        let start = |digest: &u32| self.starts.get(beginning(*digest, self.rest)).map_or(0, |start| *start as usize);
        let starts: Vec<usize> = digests.iter().map(start).collect();
        // The first of each beginning stands beside the others.
        let near: u64 = starts.iter().filter_map(|at| self.all.get(*at)).fold(0, |all, one| all ^ *one);
        std::hint::black_box(near);
        digests.iter().map(|digest| self.of(*digest).next()).collect()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the number is the lower half")]
fn number_of(one: u64) -> usize {
    one as u32 as usize
}

fn digest_of(one: u64) -> u32 {
    u32::try_from(one >> 32).unwrap_or_default()
}

/// Of a digest without beginning this is 0, and there is one beginning.
fn beginning(digest: u32, rest: u32) -> usize {
    digest.checked_shr(rest).unwrap_or_default() as usize
}

/// The same in every run: the hasher has fixed keys.
pub(crate) fn digest(of: impl Hash) -> u32 {
    digest_of(FixedState::default().hash_one(of))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn many_are_found_as_one_is(digests in prop::collection::vec(0..40_u32, 0..120), spread: u32) {
            let digests: Vec<u32> = digests.iter().map(|digest| digest.wrapping_mul(spread | 1)).collect();
            let finder = Finder::new(digests.len(), digests.iter().step_by(2).copied().zip(0..));
            let first = |digest: &u32| finder.of(*digest).next();
            prop_assert_eq!(finder.first_of_each(&digests), digests.iter().map(first).collect::<Vec<_>>());
        }

        #[test]
        fn what_was_given_is_found_and_nothing_else(digests in prop::collection::vec(0..40_u32, 0..120), spread: u32) {
            // Digests that lie near each other, and all over.
            let digests: Vec<u32> = digests.iter().map(|digest| digest.wrapping_mul(spread | 1)).collect();
            let numbered = || digests.iter().enumerate().map(|(at, digest)| (*digest, at));
            let finder = Finder::new(digests.len(), numbered());
            for digest in (0..50_u32).map(|digest| digest.wrapping_mul(spread | 1)).chain([0, u32::MAX]) {
                let wanted: Vec<usize> = numbered().filter(|(other, _)| *other == digest).map(|(_, at)| at).collect();
                prop_assert_eq!(finder.of(digest).collect::<Vec<_>>(), wanted);
            }
        }
    }

    #[test]
    fn nothing_is_found_where_nothing_was_given() {
        assert_eq!(Finder::default().of(7).count(), 0);
        assert_eq!(Finder::new(0, std::iter::empty()).of(7).count(), 0);
    }
}
