//! Time and chance of the lab: a fixed epoch plus a counter, and ids made from numbers, so that a state is reproducible.

/// The first moment of the lab, in Unix milliseconds.
const EPOCH: i64 = 1_760_000_000_000;

/// How far one tick goes, in milliseconds.
const TICK: i64 = 1000;

/// The letters of ids.
const LETTERS: &[u8; 32] = b"ybndrfg8ejkmcpqxot1uwisza345h769";

/// A clock that moves only when something is written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clock {
    ticks: i64,
}

impl Clock {
    /// Moves on, and says what time it is now.
    pub(super) fn tick(&mut self) -> i64 {
        self.ticks += 1;
        EPOCH + self.ticks * TICK
    }
}

/// An id of 26 letters and digits: the same for the same kind and number, another for every other.
pub(super) fn id(kind: &str, number: u64) -> String {
    let kind = fingerprint(kind.as_bytes());
    let halves = [scatter(number ^ kind), scatter(number.wrapping_add(kind).rotate_left(17))];
    halves
        .iter()
        .flat_map(|half| {
            (0..13).map(move |letter| {
                char::from(LETTERS[usize::try_from((half >> (letter * 5)) & 31).unwrap_or_default()])
            })
        })
        .collect()
}

/// A short, stable number for a text (FNV-1a).
pub(super) fn fingerprint(text: &[u8]) -> u64 {
    text.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// Spreads neighbouring numbers over the whole range without making two of them equal (the last step of splitmix64).
fn scatter(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_are_26_letters_or_digits_and_never_repeat() {
        let ids: BTreeSet<String> = (0..10_000).flat_map(|number| [id("user", number), id("team", number)]).collect();
        assert_eq!(ids.len(), 20_000);
        assert!(ids.iter().all(|id| id.len() == 26 && id.bytes().all(|byte| byte.is_ascii_alphanumeric())));
    }
}
