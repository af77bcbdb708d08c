//! Shares, durations and rates as people write them.

use std::{fmt, time::Duration};

/// A share of a whole, exact to a ten-thousandth of a percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Share {
    millionths: u32,
}

impl Share {
    /// Reads `20%` or `2.5%`. `None` for anything else, and for more than the whole.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let number = text.trim().strip_suffix('%')?.trim_end();
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || whole.len() > 3 || fraction.len() > 4 {
            return None;
        }
        let millionths = whole.parse::<u32>().ok()? * 10_000 + format!("{fraction:0<4}").parse::<u32>().ok()?;
        (millionths <= 1_000_000).then_some(Self { millionths })
    }

    /// This share in millionths of the whole.
    pub(crate) fn millionths(self) -> u32 {
        self.millionths
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.millionths / 10_000, self.millionths % 10_000);
        if fraction == 0 {
            write!(f, "{whole}%")
        } else {
            write!(f, "{whole}.{}%", format!("{fraction:04}").trim_end_matches('0'))
        }
    }
}

/// The longest time that anybody means: what is added to a moment must not pass the end of time.
const LONGEST: Duration = Duration::from_hours(24 * 3_660);

/// Reads `500ms`, `30s`, `5m`, `2h` or `1d`. `None` for anything else, for no time at all, and for more than ten years.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let unit = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..unit].parse().ok()?;
    let duration = match &text[unit..] {
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "m" => Duration::from_secs(number.checked_mul(60)?),
        "h" => Duration::from_secs(number.checked_mul(3_600)?),
        "d" => Duration::from_secs(number.checked_mul(86_400)?),
        _ => return None,
    };
    (!duration.is_zero() && duration <= LONGEST).then_some(duration)
}

/// So many requests in so much time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) count: u32,
    pub(crate) per: Duration,
}

impl Rate {
    /// Reads `10/s`, `300/10m` or `7200/h`. `None` for anything else, and for nothing at all.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (count, per) = text.trim().split_once('/')?;
        let (count, per) = (count.trim_end(), per.trim_start());
        let digits = !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit());
        let count = count.parse().ok().filter(|count| digits && *count > 0)?;
        let per =
            if per.starts_with(|c: char| c.is_ascii_digit()) { duration(per) } else { duration(&format!("1{per}")) };
        Some(Self { count, per: per? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_in_a_time() {
        for (text, count, seconds) in
            [("10/s", 10, 1), ("300/10m", 300, 600), ("7200/h", 7_200, 3_600), ("5 / 2s", 5, 2), ("1/1d", 1, 86_400)]
        {
            assert_eq!(Rate::parse(text), Some(Rate { count, per: Duration::from_secs(seconds) }), "{text}");
        }
        for text in ["10", "10/", "/s", "0/s", "-1/s", "+1/s", "1.5/s", "10/0s", "10/second", "10/s/s", "99999999999/s"]
        {
            assert_eq!(Rate::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_share_is_a_percentage_up_to_the_whole() {
        for (text, shown, millionths) in [
            ("20%", "20%", 200_000),
            ("2.5%", "2.5%", 25_000),
            ("0%", "0%", 0),
            ("100 %", "100%", 1_000_000),
            ("0.0049%", "0.0049%", 49),
        ] {
            let share = Share::parse(text).unwrap();
            assert_eq!((share.to_string().as_str(), share.millionths()), (shown, millionths), "{text}");
        }
        for text in ["20", "101%", "-1%", "%", "1.%", ".5%", "0.00001%", "5 percent", "٥%", "99999%"] {
            assert_eq!(Share::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_duration_has_a_unit_and_is_some_time() {
        for (text, milliseconds) in
            [("500ms", 500), ("30s", 30_000), ("5m", 300_000), ("2h", 7_200_000), ("1d", 86_400_000)]
        {
            assert_eq!(duration(text), Some(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in [
            "30",
            "",
            "s",
            "0s",
            "5 m",
            "1.5h",
            "-1s",
            "99999999999999999999s",
            "9999999999999999999d",
            "5min",
            "18446744073709551615s",
            "3661d",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
