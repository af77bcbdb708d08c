//! A digest of rows that is the same in whatever order they stand.
//!
//! It tells whether a list holds the rows that another one held, without keeping either: digests of single rows are added
//! up, all 256 bits of them. What a row means is not known here.

use sha2::{Digest, Sha256};

use super::header::Found;

/// The sum of the digests of some rows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Multiset {
    /// The low half comes first.
    sum: [u128; 2],
    rows: u64,
}

impl Multiset {
    /// With the header as its first row: under other names the same fields are other rows.
    pub(super) fn of(found: &Found) -> Self {
        let mut rows = Self::default();
        rows.add(found.header.names().iter().map(|name| name.as_bytes()));
        rows
    }

    /// Takes a row, by its fields.
    pub(super) fn add<'f>(&mut self, fields: impl Iterator<Item = &'f [u8]>) {
        let mut hasher = Sha256::new();
        for field in fields {
            // Lengths first, so that no two rows of different fields have the same digest.
            hasher.update(field.len().to_le_bytes());
            hasher.update(field);
        }
        let digest = hasher.finalize();
        let half =
            |at: usize| digest[at..at + 16].iter().rev().fold(0_u128, |number, byte| (number << 8) | u128::from(*byte));
        let (low, carried) = self.sum[0].overflowing_add(half(0));
        self.sum = [low, self.sum[1].wrapping_add(half(16)).wrapping_add(u128::from(carried))];
        self.rows += 1;
    }

    /// As a text: how many rows there are, and the sum in hex.
    pub(super) fn told(self) -> String {
        format!("{}:{:032x}{:032x}", self.rows, self.sum[1], self.sum[0])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(rows: &[Vec<String>]) -> String {
        let mut all = Multiset::default();
        for row in rows {
            all.add(row.iter().map(String::as_bytes));
        }
        all.told()
    }

    fn rows() -> impl Strategy<Value = Vec<Vec<String>>> {
        prop::collection::vec(prop::collection::vec("[ab]{0,2}", 1..4), 1..6)
    }

    proptest! {
        #[test]
        fn rows_have_one_digest_in_every_order_and_other_rows_another(one in rows(), other in rows()) {
            let sorted = |rows: &[Vec<String>]| {
                let mut rows = rows.to_vec();
                rows.sort();
                rows
            };
            let backwards: Vec<_> = one.iter().rev().cloned().collect();
            prop_assert_eq!(told(&one), told(&backwards));
            prop_assert_eq!(told(&one) == told(&other), sorted(&one) == sorted(&other));
            // A row that stands there once more counts.
            let mut twice = one.clone();
            twice.push(one[0].clone());
            prop_assert_ne!(told(&one), told(&twice));
        }
    }
}
