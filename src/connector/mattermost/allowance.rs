//! What Mattermost tells of how much may be asked (`mattermost.md` 1.5): on every answer, where its limiter is on.

use std::time::Duration;

use crate::wire::{Allowance, Refill, Reply};

/// What the headers say; `None` where the limiter is off. Two limiters may run, and each adds its own headers: the one
/// that leaves less counts.
pub(super) fn allowance(reply: &Reply) -> Option<Allowance> {
    let numbers = |name: &'static str| reply.each(name).map(|text| text.trim().parse::<u64>().ok());
    let limits = numbers("x-ratelimit-limit").zip(numbers("x-ratelimit-remaining")).zip(numbers("x-ratelimit-reset"));
    let told = limits.filter_map(|((limit, remaining), reset)| {
        // The reset is a number of seconds from now, not a moment.
        let reset_in = Duration::from_secs(reset?);
        Some(Allowance { limit: limit?, remaining: remaining?, reset_in, refill: Refill::Steady })
    });
    told.min_by_key(|told| told.remaining)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(headers: &[(&str, &str)]) -> Reply {
        Reply::new(200, headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())), Vec::new())
    }

    #[test]
    fn the_headers_tell_a_bucket_that_is_full_in_so_many_seconds() {
        let told = allowance(&reply(&[
            ("X-Ratelimit-Limit", "101"),
            ("X-Ratelimit-Remaining", "40"),
            ("X-Ratelimit-Reset", "7"),
        ]));
        let expected =
            Allowance { limit: 101, remaining: 40, reset_in: Duration::from_secs(7), refill: Refill::Steady };
        assert_eq!(told, Some(expected));
    }

    #[test]
    fn of_two_limiters_the_one_that_leaves_less_counts() {
        let told = allowance(&reply(&[
            ("X-Ratelimit-Limit", "101"),
            ("X-Ratelimit-Remaining", "3"),
            ("X-Ratelimit-Reset", "10"),
            ("X-Ratelimit-Limit", "101"),
            ("X-Ratelimit-Remaining", "90"),
            ("X-Ratelimit-Reset", "2"),
        ]));
        let expected =
            Allowance { limit: 101, remaining: 3, reset_in: Duration::from_secs(10), refill: Refill::Steady };
        assert_eq!(told, Some(expected));
    }

    #[test]
    fn a_server_without_a_limiter_tells_nothing() {
        assert_eq!(allowance(&reply(&[])), None);
        assert_eq!(allowance(&reply(&[("X-Ratelimit-Limit", "many"), ("X-Ratelimit-Remaining", "1")])), None);
    }
}
