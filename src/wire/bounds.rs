//! How large an answer may be, and how much of all answers there may be at once.
//!
//! A page of a provider is some hundred kilobytes. A server that lies about it must cost us no more than a bad answer:
//! what is read is bounded, what it would become as data is bounded, and what is larger than usual waits its turn.

use std::{sync::Arc, time::Duration};

use tokio::sync::{Semaphore, SemaphorePermit};

/// The longest body.
pub(super) const MAX_BODY: usize = 8 << 20;

/// The most that a body and its data may take.
pub(super) const MAX_WEIGHT: usize = 40 << 20;

/// Larger headers than these are no headers.
pub(super) const MAX_HEADERS: u32 = 64 << 10;

/// What weighs less than this needs no room.
const SMALL: usize = 512 << 10;

/// What all larger answers may weigh together, over all systems.
static ROOM: Semaphore = Semaphore::const_new(48 << 10);

/// Room is given by the kilobyte.
const UNIT: usize = 1 << 10;

/// The room that an answer takes for as long as it is held. Small ones take none.
#[derive(Clone, Debug, Default)]
pub(super) struct Room(Option<Arc<SemaphorePermit<'static>>>);

impl Room {
    /// Room for whatever may still come, once there is more than a little. False where there was none in time.
    pub(super) async fn make(&mut self, size: usize, patience: Duration) -> bool {
        if self.0.is_some() || size <= SMALL {
            return true;
        }
        let most = u32::try_from(MAX_WEIGHT / UNIT).unwrap_or(u32::MAX);
        let Ok(Ok(permit)) = tokio::time::timeout(patience, ROOM.acquire_many(most)).await else { return false };
        self.0 = Some(Arc::new(permit));
        true
    }

    /// Gives back what the answer does not need after all.
    pub(super) fn fit(&mut self, weight: usize) {
        let Some(permit) = self.0.as_mut().and_then(Arc::get_mut) else { return };
        let spare = permit.num_permits().saturating_sub(weight.div_ceil(UNIT));
        drop(permit.split(spare));
    }
}

/// What a text takes with the data it would become, in bytes and a little more; counted without reading it.
pub(super) fn weight(body: &[u8]) -> usize {
    // What an object, a pair, a list and an item take at most, each with what is set aside for more of them.
    const OBJECT: usize = 400;
    const PAIR: usize = 190;
    const LIST: usize = 300;
    const ITEM: usize = 144;
    // Nothing deeper is read as data.
    const DEEPEST: usize = 128;
    let (mut weight, mut within) = (body.len(), Vec::new());
    let mut bytes = body.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => {
                while let Some(byte) = bytes.next() {
                    match byte {
                        b'"' => break,
                        b'\\' => drop(bytes.next()),
                        _ => {}
                    }
                }
            }
            b'{' | b'[' if within.len() >= DEEPEST => break,
            b'{' => {
                within.push(false);
                weight += OBJECT;
            }
            b'[' => {
                within.push(true);
                weight += LIST;
            }
            b'}' | b']' => drop(within.pop()),
            b':' => weight += PAIR,
            b',' if within.last() == Some(&true) => weight += ITEM,
            _ => {}
        }
    }
    weight
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_weighs_what_it_would_become() {
        let user = r#"{"id":41,"username":"anna","note":"[{,:}]\"{[","identities":[{"provider":"saml"}]}"#;
        assert_eq!(weight(user.as_bytes()), user.len() + 2 * 400 + 5 * 190 + 300);
        assert!(weight("{\"\":0},".repeat(100_000).as_bytes()) > 50 << 20);
        assert!(weight(format!("[{}]", "0,".repeat(300_000)).as_bytes()) > 40 << 20);
        // Nothing of this becomes data.
        assert!(weight("[".repeat(1 << 20).as_bytes()) < 2 << 20);
        let page = format!("[{}]", vec![user; 1_000].join(","));
        assert!(weight(page.as_bytes()) < 3 << 20);
    }

    #[tokio::test]
    async fn what_is_large_waits_for_what_is_large() {
        let mut first = Room::default();
        assert!(first.make(SMALL + 1, Duration::from_secs(5)).await);
        let mut second = Room::default();
        assert!(second.make(SMALL, Duration::ZERO).await, "what is small waits for nobody");
        assert!(!second.make(SMALL + 1, Duration::from_millis(20)).await);
        first.fit(1 << 20);
        assert!(second.make(SMALL + 1, Duration::from_secs(5)).await);
    }
}
