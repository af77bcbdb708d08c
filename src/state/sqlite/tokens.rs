//! Sealed tokens of people, as rows. What is inside is not this file's to read.

use rusqlite::{OptionalExtension, params};

use super::Sqlite;
use crate::state::{StateError, vault::SealedToken};

impl Sqlite {
    /// All sealed tokens, by system and person.
    pub(crate) fn tokens(&self) -> Result<Vec<SealedToken>, StateError> {
        let connection = self.connection();
        // A store that was only looked into may be older than this table.
        let there = "select 1 from sqlite_master where type = 'table' and name = 'tokens'";
        if connection.query_row(there, [], |_| Ok(())).optional()?.is_none() {
            return Ok(Vec::new());
        }
        let mut statement = connection.prepare(
            "select system, person, nonce, sealed, saved, expires_at, renewable from tokens order by system, person",
        )?;
        let rows = statement.query_map([], |row| {
            Ok(SealedToken {
                system: row.get(0)?,
                person: row.get(1)?,
                nonce: row.get(2)?,
                sealed: row.get(3)?,
                saved: row.get(4)?,
                expires_at: row.get(5)?,
                renewable: row.get(6)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Keeps a sealed token; one that was there is replaced.
    pub(crate) fn put_token(&self, row: &SealedToken) -> Result<(), StateError> {
        self.connection().execute(
            "insert or replace into tokens (system, person, nonce, sealed, saved, expires_at, renewable)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![row.system, row.person, row.nonce, row.sealed, row.saved, row.expires_at, row.renewable],
        )?;
        Ok(())
    }

    /// Forgets a token. False where there was none.
    pub(crate) fn remove_token(&self, system: &str, person: &str) -> Result<bool, StateError> {
        let sql = "delete from tokens where system = ?1 and person = ?2";
        Ok(self.connection().execute(sql, [system, person])? > 0)
    }
}
