//! The table that is printed, a line as soon as it is known.

use std::time::Duration;

use crate::{Ran, Took};

pub(crate) struct Table {
    people: u64,
}

impl Table {
    pub(crate) fn new(people: u64, cores: usize) -> Self {
        println!("{people} people, {cores} cores");
        println!("{:<56} {:>9} {:>12} {:>10} {:>7}", "measured", "seconds", "people/s", "peak MiB", "asked");
        Self { people }
    }

    fn line(&self, name: &str, time: Duration, peak: &str, asked: &str) {
        let seconds = time.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate is rounded to be read")]
        let rate = self.people as f64 / seconds;
        println!("{}", format!("{name:<56} {seconds:>9.2} {rate:>12.0} {peak:>10} {asked:>7}").trim_end());
    }

    /// Something that goes through all rows.
    pub(crate) fn rate(&self, name: &str, took: &Took) {
        self.line(name, took.time, "", "");
    }

    /// A run of the whole program.
    pub(crate) fn run(&self, name: &str, ran: &Ran) {
        self.line(name, ran.time, &(ran.peak / 1024).to_string(), &ran.asked.to_string());
    }

    /// The first time over the second.
    #[expect(clippy::unused_self, reason = "a line belongs to a table")]
    pub(crate) fn ratio(&self, name: &str, of: Duration, over: Duration, wanted: &str) {
        let ratio = of.as_secs_f64() / over.as_secs_f64();
        println!("{}", format!("  = {name:<52} {ratio:>9.2}   {wanted}").trim_end());
    }
}
