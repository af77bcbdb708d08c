//! Notes of a run that is under way, as lines of the tables. When they are written is not known here.

use rusqlite::{Transaction, params};

use super::{
    super::{Entry, Sent, StateError, journal, scribe::Note},
    ties,
};

pub(super) fn write_note(transaction: &Transaction<'_>, run: i64, note: &Note) -> Result<(), StateError> {
    match note {
        Note::Entry(entry) => journal::write(transaction, run, entry),
        Note::Sending(entry, mark) => {
            journal::write(transaction, run, entry)?;
            transaction.execute(
                "insert into deeds (mark, in_doubt, run) values (?1, 1, ?2)
                 on conflict do update set run = excluded.run where in_doubt = 1",
                params![mark, run],
            )?;
            Ok(())
        }
        Note::Over(entry, mark, sent) => write_over(transaction, run, entry, mark, *sent),
        Note::Ties(links) => Ok(ties::write(transaction, run, links)?),
    }
}

pub(super) fn write_over(
    transaction: &Transaction<'_>,
    run: i64,
    entry: &Entry,
    mark: &str,
    sent: Option<Sent>,
) -> Result<(), StateError> {
    journal::write(transaction, run, entry)?;
    match sent {
        Some(sent) => transaction.execute(
            "insert or replace into deeds (mark, in_doubt, run) values (?1, ?2, ?3)",
            params![mark, matches!(sent, Sent::InDoubt(_)), run],
        )?,
        None => transaction.execute("delete from deeds where mark = ?1", [mark])?,
    };
    Ok(())
}
