//! What Discourse tells of how much may be asked (`discourse.md` 2): nothing, until it is too much.
//!
//! One bucket serves all admin keys of the site, in a sliding window of a minute. A refusal names the moment at which
//! the next request may come, in a header and in its body; of the two the later one counts.

use std::time::Duration;

use crate::wire::{Allowance, Refill, Reply};

/// Names the limit that was met.
const CODE: &str = "discourse-rate-limit-error-code";

/// What a refusal says; `None` where it is none.
pub(super) fn allowance(reply: &Reply) -> Option<Allowance> {
    if reply.status != 429 {
        return None;
    }
    let wait = wait(reply)?;
    // The usual settings: the real ones are not told.
    let (limit, seconds) = match reply.headers.get(CODE).map(String::as_str) {
        Some("ip_10_secs_limit") => (50, 10),
        Some("ip_60_secs_limit") => (200, 60),
        Some("user_api_key_limiter_60_secs") => (20, 60),
        Some("user_api_key_limiter_1_day") => (2880, 86_400),
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
    fn other_answers_say_nothing() {
        assert_eq!(allowance(&Reply::new(200, [], b"[]".to_vec())), None);
    }
}
