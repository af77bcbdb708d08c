//! How long carrying out a plan will take, in the words of a person who decides whether to wait.

use std::time::Duration;

use crate::{run::estimate::Estimate, wire::Bound};

/// What takes less is not worth telling.
const WORTH_TELLING: Duration = Duration::from_secs(10);

/// One line for the preview; `None` where it is soon done.
pub(super) fn estimate(estimate: &Estimate) -> Option<String> {
    if estimate.time < WORTH_TELLING {
        return None;
    }
    let bound = match estimate.bound {
        Bound::Allowed(rate) => {
            let per = match rate.per.as_secs_f64() {
                1.0 => "a second".to_owned(),
                60.0 => "a minute".to_owned(),
                3_600.0 => "an hour".to_owned(),
                _ => format!("in {}", exactly(rate.per)),
            };
            format!("{} {per}", super::render::count(u64::from(rate.count), "request"))
        }
        Bound::Speed { concurrency, latency } => format!("{concurrency} at a time, {} each", exactly(latency)),
    };
    Some(format!("Carrying it out takes {}, bounded by {} ({bound}).", roughly(estimate.time), estimate.system))
}

/// A time nobody would hold against us: rounded up to what one would say.
fn roughly(time: Duration) -> String {
    let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    match seconds {
        0..=90 => format!("about {} s", seconds.div_ceil(5) * 5),
        91..=5_400 => format!("about {} min", seconds.div_ceil(60)),
        _ => {
            let minutes = seconds.div_ceil(600) * 10;
            let (hours, minutes) = (minutes / 60, minutes % 60);
            if minutes == 0 { format!("about {hours} h") } else { format!("about {hours} h {minutes} min") }
        }
    }
}

fn exactly(time: Duration) -> String {
    let milliseconds = time.as_millis();
    match milliseconds {
        0..1_000 => format!("{} ms", milliseconds.max(1)),
        _ if milliseconds.is_multiple_of(60_000) => format!("{} min", milliseconds / 60_000),
        _ => format!("{} s", time.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Rate;

    fn told(seconds: u64, bound: Bound) -> Option<String> {
        estimate(&Estimate { time: Duration::from_secs(seconds), system: "chat".into(), bound })
    }

    fn allowed(count: u32, seconds: u64) -> Bound {
        Bound::Allowed(Rate { count, per: Duration::from_secs(seconds), burst: None })
    }

    #[test]
    fn what_takes_long_is_told_with_what_it_waits_for() {
        let speed = Bound::Speed { concurrency: 4, latency: Duration::from_millis(120) };
        for (seconds, bound, line) in [
            (9, allowed(10, 1), None),
            (11, allowed(10, 1), Some("about 15 s, bounded by chat (10 requests a second)")),
            (230, allowed(300, 600), Some("about 4 min, bounded by chat (300 requests in 10 min)")),
            (5_401, allowed(1, 60), Some("about 1 h 40 min, bounded by chat (1 request a minute)")),
            (7_200, speed, Some("about 2 h, bounded by chat (4 at a time, 120 ms each)")),
        ] {
            let line = line.map(|line| format!("Carrying it out takes {line}."));
            assert_eq!(told(seconds, bound), line);
        }
    }
}
