//! The time that a service goes by: the machine's, or one that passes faster, to see in minutes what a day brings.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};

/// The shortest wait that is left of a longer one.
const SHORTEST: Duration = Duration::from_millis(20);

/// A clock that was right when it was made.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    begun: Instant,
    from: Timestamp,
    /// How many seconds pass in one.
    pace: u32,
    /// The day that is always today.
    fixed: Option<Date>,
}

impl Clock {
    /// A clock of this pace; 1 is the machine's. With `fixed`, every day is that day.
    pub(crate) fn new(pace: u32, fixed: Option<Date>) -> Self {
        Self { begun: Instant::now(), from: Timestamp::now(), pace: pace.max(1), fixed }
    }

    /// How much time has passed, by this clock.
    fn passed(&self) -> Duration {
        self.begun.elapsed().saturating_mul(self.pace)
    }

    /// The time now.
    pub(crate) fn now(&self) -> Timestamp {
        if self.pace == 1 {
            // The machine may sleep, or be told the time: leases and days go by what it says.
            return Timestamp::now();
        }
        let passed = SignedDuration::try_from(self.passed()).unwrap_or(SignedDuration::MAX);
        self.from.checked_add(passed).unwrap_or(Timestamp::MAX)
    }

    /// The same for measuring, where setting the machine's clock does not matter.
    pub(crate) fn instant(&self) -> Instant {
        let begun = self.begun;
        begun.checked_add(self.passed()).unwrap_or(begun)
    }

    /// The day it is here.
    pub(crate) fn today(&self) -> Date {
        self.fixed.unwrap_or_else(|| self.now().to_zoned(TimeZone::system()).date())
    }

    /// Waits so long, by this clock. However fast it goes, what repeats itself must not take all of the machine.
    pub(crate) async fn wait(&self, time: Duration) {
        tokio::time::sleep((time / self.pace).max(time.min(SHORTEST))).await;
    }
}
