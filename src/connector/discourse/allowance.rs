//! What Discourse tells of how much may be asked (`discourse.md` 2): nothing, until it is too much.
//!
//! One bucket serves all admin keys of the site, in a sliding window of a minute. A refusal names the moment at which
//! the next request may come, in a header and in its body; of the two the later one counts. A key that a person gave an
//! application has limits of its own, which slow down nobody else.

use std::time::Duration;

use crate::wire::{Allowance, Refill, Reply};

/// Names the limit that was met.
const CODE: &str = "discourse-rate-limit-error-code";

/// What the limit of all admin keys is called.
const ADMIN_KEYS: &str = "admin_api_key_rate_limit";

/// How the limits of an address are called.
const ADDRESS: &str = "ip_";

/// True for a refusal that tells of the limits of one key that a person gave an application: 20 a minute and 2880 a day.
pub(super) fn is_of_token(reply: &Reply) -> bool {
    let met = reply.headers.get(CODE).filter(|_| reply.status == 429);
    met.is_some_and(|met| met != ADMIN_KEYS && !met.starts_with(ADDRESS))
}

/// What a refusal says; `None` where it is none.
pub(super) fn allowance(reply: &Reply) -> Option<Allowance> {
    if reply.status != 429 {
        return None;
    }
    let wait = wait(reply)?;
    // The usual settings: the real ones are not told.
    let (limit, seconds) = match reply.headers.get(CODE).map(String::as_str) {
        Some("ip_10_secs_limit") => (50, 10),
        Some(met) if met.starts_with(ADDRESS) => (200, 60),
        _ => (60, 60),
    };
    let window = Duration::from_secs(seconds).max(wait);
    Some(Allowance { limit, remaining: 0, reset_in: wait, refill: Refill::Window(window) })
}

/// How long to wait: the header and the body may differ, and neither need be there.
pub(super) fn wait(reply: &Reply) -> Option<Duration> {
    let told = reply.json().and_then(|body| body.get("extras")?.get("wait_seconds")?.as_u64()).map(Duration::from_secs);
    reply.retry_after().max(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(headers: &[(&str, &str)], body: &str) -> Reply {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Reply::new(429, headers, body.as_bytes().to_vec())
    }

    #[test]
    fn the_later_of_both_moments_counts() {
        for (header, body, seconds) in [("30", 7, 30), ("7", 30, 30), ("30", 30, 30)] {
            let body = format!("{{\"errors\":[],\"extras\":{{\"wait_seconds\":{body}}}}}");
            let told = allowance(&refused(&[("Retry-After", header)], &body)).unwrap();
            let window = Refill::Window(Duration::from_mins(1));
            let reset_in = Duration::from_secs(seconds);
            assert_eq!(told, Allowance { limit: 60, remaining: 0, reset_in, refill: window });
        }
    }

    #[test]
    fn a_refusal_in_front_of_discourse_is_plain_text() {
        let headers = [("Retry-After", "4"), ("Discourse-Rate-Limit-Error-Code", "ip_10_secs_limit")];
        let told = allowance(&refused(&headers, "Slow down, too many requests from this IP address.")).unwrap();
        let window = Refill::Window(Duration::from_secs(10));
        assert_eq!(told, Allowance { limit: 50, remaining: 0, reset_in: Duration::from_secs(4), refill: window });
        assert_eq!(allowance(&refused(&[], "Slow down")), None);
    }

    #[test]
    fn what_one_key_is_told_is_neither_of_all_keys_nor_of_an_address() {
        for (code, of_token) in [
            ("user_api_key_limiter_60_secs", true),
            ("user_api_key_limiter_1_day", true),
            ("admin_api_key_rate_limit", false),
            ("ip_10_secs_limit", false),
        ] {
            assert_eq!(is_of_token(&refused(&[("Discourse-Rate-Limit-Error-Code", code)], "")), of_token, "{code}");
        }
        // Somebody in between, who names no limit, slows down everybody.
        assert!(!is_of_token(&refused(&[("Retry-After", "4")], "")));
    }

    #[test]
    fn other_answers_say_nothing() {
        assert_eq!(allowance(&Reply::new(200, [], b"[]".to_vec())), None);
    }
}
